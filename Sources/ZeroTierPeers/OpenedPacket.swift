//  What an opened datagram is: values between the machine and its owner. They hold numbers only, live for one turn of the owner's
//  loop, and are never kept over a second call.

package import NetPrimitives
package import ZeroTierWire

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
