//  Where packets for an address go: the answer to `route`. It holds numbers only, lives for one turn of the owner's loop, and is
//  never kept over a second call.

package import NetPrimitives
import ZeroTierWire

/// Names a peer. A peer that was forgotten and comes back has another ID.
package typealias PeerID = SlotID

/// Where a packet goes that leaves now: the path and whose it is.
struct Way {
    let path: PhysicalPath
    /// The peer that the path belongs to: the destination, or the root that relays.
    let owner: PeerID
    let index: Int
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
