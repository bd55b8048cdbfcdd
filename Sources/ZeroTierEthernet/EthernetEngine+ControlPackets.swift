//  The door for control packets of this layer and for answers to them. The handlers are in VerbHandlers.

package import NetPrimitives
package import ZeroTierWire

extension EthernetEngine {
    /// Takes a control packet: MULTICAST_LIKE, MULTICAST_GATHER, NETWORK_CREDENTIALS, NETWORK_CONFIG, and
    /// NETWORK_CONFIG_REQUEST on a node without a controller. Frames go to `admit`.
    package mutating func receive(
        _ verb: Verb, _ payload: [UInt8], from source: Address, packetID: PacketID, now: Now
    ) -> Reception {
        counted(receive(verb, payload, from: source, packetID: packetID, isRetry: false, now))
    }

    /// Takes the body (behind `OKHeader`) of an OK that answers a packet of ours.
    package mutating func receiveReply(
        to verb: Verb, _ body: [UInt8], from source: Address, packetID: PacketID, now: Now
    ) -> Reception {
        counted(receiveReply(to: verb, body, from: source, packetID: packetID, isRetry: false, now))
    }

    /// Counts a packet that was dropped.
    mutating func counted(_ reception: Reception) -> Reception {
        if case .drop(let reason) = reception { shared.count(reason) }
        return reception
    }

    /// `isRetry`: it waited, and is not asked for again.
    mutating func receive(
        _ verb: Verb, _ payload: [UInt8], from source: Address, packetID: PacketID, isRetry: Bool, _ now: Now
    ) -> Reception {
        switch verb {
        case .multicastLike: receiveMulticastLike(payload, from: source, now)
        case .multicastGather: receiveMulticastGather(payload, from: source, packetID: packetID, now)
        case .networkCredentials:
            receiveNetworkCredentials(payload, from: source, packetID: packetID, isRetry: isRetry, now)
        case .networkConfig:
            receiveConfigChunk(payload, from: source, packetID: packetID, isReply: false, now)
        case .networkConfigRequest: refuseConfigRequest(payload, from: source, packetID: packetID)
        default: .drop(.unexpectedVerb)
        }
    }

    /// As `receive`, for an answer.
    mutating func receiveReply(
        to verb: Verb, _ body: [UInt8], from source: Address, packetID: PacketID, isRetry: Bool, _ now: Now
    ) -> Reception {
        switch verb {
        case .networkConfigRequest:
            receiveConfigChunk(body, from: source, packetID: packetID, isReply: true, now)
        case .multicastGather: receiveMulticastGatherReply(body, from: source, now)
        case .multicastFrame: receiveMulticastFrameReply(body, from: source, now)
        // Acknowledgements of watched frames, and of configurations that were pushed or passed on.
        case .extendedFrame, .networkConfig: .done(trusted: false)
        default: .drop(.unexpectedVerb)
        }
    }
}
