//  What the owner of the VL1 machine decides once, at its making.

package import ZeroTierWire

/// A moon to be fetched from one of its roots: the original's `orbit(id, seed)`.
package struct MoonSeed: Hashable, Sendable {
    package var moonID: UInt64
    package var seed: Address

    package init(moonID: UInt64, seed: Address) {
        self.moonID = moonID
        self.seed = seed
    }
}

/// Settings of a `PeerEngine`.
package struct PeerConfiguration: Sendable {
    /// The planet held; nil for none, until one is adopted by `adoptWorld`.
    package var planet: World?
    /// The moons held.
    package var moons: [World] = []
    /// Moons wanted.
    package var moonSeeds: [MoonSeed] = []
    /// What HELLO announces: 12 makes peers use AES-GMAC-SIV, 11 Salsa20/12.
    package var announcedProtocolVersion = ProtocolLimits.protocolVersion
    /// What HELLO announces as our release.
    package var softwareVersion = SoftwareVersion(major: 2, minor: 0, revision: 0)
    /// Whether paths on the loopback interface may be learned, as if they were private. For tests on one machine.
    package var allowLoopbackPaths = false
    /// Whether paths to leaf peers are learned at all; without, everything goes through a root.
    package var directPathsEnabled = true
    /// A peer not heard from for this long is forgotten; one without traffic for this long is not kept alive.
    package var activityTimeout: Duration = ProtocolLimits.peerActivityTimeout
    /// Without a root's packet for this long the node is offline.
    package var onlineTimeout: Duration = ProtocolLimits.onlineTimeout
    /// Bytes of UDP payload that one datagram may carry; brought into `ProtocolLimits.physicalMTUs`.
    package var pathMTU = ProtocolLimits.physicalMTU
    /// Bounds on what others may make us keep and do.
    package var limits = PeerLimits()

    package init(planet: World?) {
        self.planet = planet
    }

    /// What HELLO and OK(HELLO) promise: a node that passes for a release of others says what those say.
    var promises: Hello.Promises? { softwareVersion.major >= 2 ? .growingNumbers : nil }
}
