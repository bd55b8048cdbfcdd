//  The values between the node and the Ethernet engine for a single frame: numbers and verdicts, no bytes that live on.
//  Read first: Docs/architecture.md, "The way of a packet out" and "in".
//
//  FRAME      offset size  field
//               0      8   network ID
//               8      2   EtherType
//              10      -   payload

package import NetPrimitives
package import ZeroTierWire

/// A frame, or a burst of frames of one flow, that the local stack wants to send.
package struct FrameKey: Hashable, Sendable {
    /// The network's slot, as `EthernetEngine.join` gave it.
    package var network: SlotID
    package var source: MACAddress
    package var destination: MACAddress
    package var etherType: UInt16
    /// Bytes of the Ethernet payload of the first frame (its longest, for a burst).
    package var length: Int
    /// How many frames there are.
    package var count: Int

    package init(
        network: SlotID, source: MACAddress, destination: MACAddress, etherType: UInt16, length: Int, count: Int = 1
    ) {
        self.network = network
        self.source = source
        self.destination = destination
        self.etherType = etherType
        self.length = length
        self.count = count
    }
}

/// Where the frames of a burst go, and the header before each payload. A value for one turn of the loop.
package struct FrameRoute: Hashable, Sendable {
    /// The member that gets the packets.
    package let destination: Address
    package let network: NetworkID
    package let etherType: UInt16

    /// The verb of bursts. Frames that need EXTENDED FRAME are sent one by one.
    package var verb: Verb { .frame }

    /// Bytes that `writeHeader` writes: the Ethernet payload begins that far after the packet's payload offset.
    package var headerLength: Int { Frame.headerLength }

    /// Writes the verb's header at `offset`; the span must have room for `headerLength` bytes there.
    package func writeHeader(into packet: inout MutableRawSpan, at offset: Int) {
        packet.storeUInt64(network.value, at: offset)
        packet.storeUInt16(etherType, at: offset + 8)
    }
}

/// The answer to "where does this burst go?".
package enum FrameRouting: Sendable {
    /// Fill slots: header, then frame.
    case send(FrameRoute)
    /// Not a case for the fast path (multicast, neighbour discovery, bridges, copies for observers, rules that look
    /// deep): write each frame into owned bytes and give it to `sendFrame`.
    case control
    case drop(EthernetDrop)
}

/// A frame that may be delivered: the payload is `length` bytes at `offset` of the span given to `admit`.
package struct AdmittedFrame: Hashable, Sendable {
    package let network: SlotID
    package let source: MACAddress
    package let destination: MACAddress
    package let etherType: UInt16
    package let offset: Int
    package let length: Int
}

/// The answer to "may this packet's frame be delivered?".
package enum Admission: Sendable {
    /// Deliver it. The peer is trusted: tell the peer engine.
    case frame(AdmittedFrame)
    /// Nothing to deliver. `trusted` says whether the packet proved that the peer is a member of a network of ours.
    case done(trusted: Bool)
    /// The sender has not proved membership yet: the packet is kept for some seconds and comes out of `nextLocalFrame`
    /// if it does.
    case parked
    case drop(EthernetDrop, trusted: Bool)

    /// Whether to note trust in the peer.
    package var isTrusted: Bool {
        switch self {
        case .frame: true
        case .done(let trusted), .drop(_, let trusted): trusted
        case .parked: false
        }
    }
}

/// The outcome of a control packet of this layer.
package enum Reception: Hashable, Sendable {
    /// Done; `trusted` says whether to note trust in the peer.
    case done(trusted: Bool)
    /// Kept until an identity or a credential arrives.
    case parked
    case drop(EthernetDrop)

    package var isTrusted: Bool {
        if case .done(let trusted) = self { trusted } else { false }
    }
}

/// A frame for the local stack that does not lie in a received packet: local answers, frames that waited, loopback.
package struct LocalFrame: Hashable, Sendable {
    package let network: SlotID
    package let source: MACAddress
    package let destination: MACAddress
    package let etherType: UInt16
    package let payload: [UInt8]
}

/// A packet for a peer, in owned bytes.
package struct EthernetPacket: Hashable, Sendable {
    package let destination: Address
    package let verb: Verb
    /// From the byte after the verb on.
    package let payload: [UInt8]
    /// Whether the sender may compress the payload if that makes it shorter.
    package let compress: Bool
}
