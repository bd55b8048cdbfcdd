//  What a status command shows of a peer.

package import NetPrimitives
package import ZeroTierWire

/// What a peer is to us.
package enum PeerRole: Sendable, Hashable {
    /// An ordinary node.
    case leaf
    /// A root of a moon, and not of the planet.
    case moon
    /// A root of the planet.
    case planet
}

/// A peer as it is at one moment.
package struct PeerSnapshot: Sendable {
    /// One of its paths.
    package struct PathSnapshot: Sendable {
        package var path: PhysicalPath
        /// Heard from lately enough to be used.
        package var isAlive: Bool
        /// The one that packets take now.
        package var isPreferred: Bool
        /// Since something came or went; nil for never.
        package var sinceReceive: Duration?
        package var sinceSend: Duration?
        /// Round trip time of this path.
        package var latency: Duration?
    }

    package var address: Address
    package var identity: Identity
    package var role: PeerRole
    /// 0 when the peer never said.
    package var protocolVersion: UInt8
    package var softwareVersion: SoftwareVersion?
    /// Round trip time of the preferred path.
    package var latency: Duration?
    /// Whether packets to it go directly.
    package var isDirect: Bool
    /// Since anything authentic came; nil for never.
    package var sinceReceive: Duration?
    package var paths: [PathSnapshot]
}
