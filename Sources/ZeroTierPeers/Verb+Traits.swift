//  What is true of a verb wherever it comes.

import NetPrimitives
import ZeroTierWire

extension Verb {
    /// Whether an OK may quote a packet of this verb.
    var mayBeAnswered: Bool {
        switch self {
        case .hello, .whois, .echo, .extendedFrame, .networkConfigRequest, .networkConfig, .multicastGather,
            .multicastFrame:
            true
        case .nop, .error, .ok, .rendezvous, .frame, .multicastLike, .networkCredentials, .pushDirectPaths,
            .acknowledgement, .qualityMeasurement, .userMessage, .remoteTrace, .pathNegotiationRequest:
            false
        }
    }

    /// A number for the endpoint at the other end of a path, for packets that leave from all sockets of a node with one ID; nil for
    /// all others, which come once.
    @inline(__always)
    func copyEndpoint(_ path: PhysicalPath) -> UInt64? {
        guard self == .hello || self == .echo else { return nil }
        let address = path.remote.address
        return mix(address.high ^ mix(address.low)) ^ UInt64(path.remote.port) << 32
            ^ UInt64(UInt32(bitPattern: path.localSocket))
    }

    /// Whether a packet of this verb says that the peers take part in a network together.
    var isActivity: Bool {
        switch self {
        case .frame, .extendedFrame, .multicastFrame, .networkConfigRequest, .networkConfig: true
        default: false
        }
    }
}
