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

/// What went between a peer and us since it is known, directly or through others: authentic packets, and their bytes from the
/// packet's header on.
package struct PeerTraffic: Hashable, Sendable {
    package private(set) var packetsReceived: UInt64 = 0
    package private(set) var bytesReceived: UInt64 = 0
    package private(set) var packetsSent: UInt64 = 0
    package private(set) var bytesSent: UInt64 = 0
    /// Packets that were not authentic.
    package private(set) var packetsRefused: UInt64 = 0

    @inline(__always)
    mutating func noteReceived(_ byteCount: Int) {
        packetsReceived &+= 1
        bytesReceived &+= UInt64(truncatingIfNeeded: byteCount)
    }

    /// Bytes of a packet that `noteReceived` is given without them, as they were used up before.
    mutating func noteBytesReceived(_ byteCount: Int) { bytesReceived &+= UInt64(truncatingIfNeeded: byteCount) }

    mutating func noteRefused() { packetsRefused &+= 1 }

    @inline(__always)
    mutating func noteSent(_ byteCount: Int) {
        packetsSent &+= 1
        bytesSent &+= UInt64(truncatingIfNeeded: byteCount)
    }
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
    /// Whether packets to it have a way, directly or through a root.
    package var isReachable: Bool
    /// Since anything authentic came; nil for never.
    package var sinceReceive: Duration?
    package var traffic: PeerTraffic
    package var paths: [PathSnapshot]
}

/// What unknown nodes cost: key agreements and validations since the start, and what of them takes up room now.
package struct StrangerWork: Sendable, Equatable {
    /// Key agreements for HELLOs of unknown identities; each is followed by one look at a MAC.
    package let agreements: UInt64
    /// Identities given to the owner for their validation.
    package let validations: UInt64
    /// Identities that wait for their validation.
    package let identitiesWaiting: Int
    /// Addresses being looked up.
    package let lookups: Int
    /// Received packets that wait until their sender is known, and packets to send that wait for their receiver.
    package let packetsWaiting: Int
    /// Packets of which parts are missing, and the bytes of the parts that are there.
    package let incompletePackets: Int
    package let incompleteBytes: Int
    /// Pairs of peers that are remembered as introduced.
    package let introducedPairs: Int
}
