//  Where a packet goes, and what an opened one is: the values that pass between the VL1 machine and its owner. They hold
//  numbers only, live for one turn of the owner's loop, and are never kept over a second call.

package import NetPrimitives
package import ZeroTierWire

/// Names a peer. A peer that was forgotten and comes back has another ID.
package typealias PeerID = SlotID

/// What became of a datagram.
package enum Opened: Sendable {
    /// An authentic packet of VL2, decrypted in place.
    case packet(OpenedPacket)
    /// VL1's own business, or kept: ask `nextReady`.
    case handled
    /// Dropped and counted.
    case drop(PeerDrop)
}

/// An authentic packet.
package struct OpenedPacket: Sendable, Equatable {
    /// Who sent it.
    package var peer: PeerID
    /// That peer's address.
    package var source: Address
    package var verb: Verb
    /// The ID on the wire: what a reply quotes.
    package var packetID: PacketID
    /// How often it was relayed.
    package var hops: Int
    /// Where the datagram came from: the peer itself when `hops` is 0, else a relay.
    package var path: PhysicalPath
    /// Where the payload begins, counted from the start of the (first) datagram.
    package var payloadOffset: Int
    /// Bytes of the payload.
    package var payloadLength: Int
    /// Bytes of the packet as it came, 0 when they were counted before.
    var wireLength = 0
    /// Whether the same packet came before, from another endpoint: no new path is looked for because of it.
    var isCopy = false
    /// Whether it was sent long before others that came: somebody may have kept it, so it says nothing of its path.
    var isLate = false
}

/// An authentic packet of VL2 that could not be opened in place: it was in parts, compressed, or waited for its sender's
/// identity.
package struct ReadyPacket: Sendable {
    package var packet: OpenedPacket
    /// The whole packet; the payload is where `packet` says.
    package var bytes: [UInt8]
}

/// Where packets for an address go.
package enum PeerRouting: Sendable {
    /// This way, for this turn of the loop.
    case path(PeerRoute)
    /// The identity is being asked for: give the packet to `send`, which keeps it.
    case wait
    /// No path and no root: give the packet to `send`, which keeps it for a while, or drop it.
    case unreachable
}

/// A chosen way to a peer.
package struct PeerRoute: Sendable, Equatable {
    /// The peer.
    package let peer: PeerID
    /// Where datagrams go: to the peer, or to the root that relays.
    package let path: PhysicalPath
    let suite: CipherSuite
    /// Bytes of UDP payload that a datagram on this way may have.
    let datagramLimit: Int
}

/// A packet that leaves through the control queue.
struct OutgoingPacket: Sendable {
    /// How it goes.
    enum Way: Sendable, Equatable {
        /// As `route` chooses.
        case best
        /// To this remote endpoint.
        case path(PhysicalPath)
        /// Through a root.
        case upstream
    }

    var verb: Verb
    /// Everything after the verb byte; for HELLO empty, it is written when it leaves.
    var payload: [UInt8]
    var isCompressed = false
    var destination: Address
    var way = Way.best
    /// Whether it is a HELLO that is filled up to the full length of a datagram.
    var isLengthProbe = false
    /// Whether an OK to it is taken.
    var expectsReply: Bool
    var queuedAt: MonotonicInstant
}

/// What the control queue holds.
enum ControlItem: Sendable {
    case packet(OutgoingPacket)
    /// A datagram that is complete as it is.
    case datagram([UInt8], PhysicalPath)
}

/// What `nextReady` works through.
// No enum: of cases of different size the compiler reads bytes that were never written, which memory checkers tell.
struct ReadyItem: Sendable {
    /// A datagram or joined packet.
    let bytes: [UInt8]
    let path: PhysicalPath
    /// What was found in it; nil when it is still to be opened.
    let opened: OpenedPacket?

    static func raw(_ bytes: [UInt8], _ path: PhysicalPath) -> ReadyItem {
        ReadyItem(bytes: bytes, path: path, opened: nil)
    }

    static func opened(_ packet: ReadyPacket) -> ReadyItem {
        ReadyItem(bytes: packet.bytes, path: packet.packet.path, opened: packet.packet)
    }
}

/// How a packet is cut into equal datagrams; where to cut is the sender's choice.
struct PacketCut: Equatable, Sendable {
    /// Datagrams.
    let count: Int
    /// Length of every datagram but the last.
    let stride: Int
    /// Length of the last one.
    let lastLength: Int

    /// The plan for a packet of `length` bytes; nil when it would take more than seven parts.
    init?(length: Int, mtu: Int) {
        guard length > mtu else {
            count = 1
            stride = length
            lastLength = length
            return
        }
        let header = FragmentHeader.size
        let parts = (length - header + mtu - header - 1) / (mtu - header)
        guard parts <= ProtocolLimits.maximumParts, length <= ProtocolLimits.maximumPacketLength else { return nil }
        count = parts
        stride = (length + header * (parts - 1) + parts - 1) / parts
        lastLength = length + header * (parts - 1) - stride * (parts - 1)
    }

    /// The plan for datagrams of `limit` bytes; a packet that would be cut into too many is cut into longer ones, up to `full`.
    init?(length: Int, limit: Int, full: Int) {
        if let plan = PacketCut(length: length, mtu: limit) {
            self = plan
        } else {
            self.init(length: length, mtu: full)
        }
    }
}

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
