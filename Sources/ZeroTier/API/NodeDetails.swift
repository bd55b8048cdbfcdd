// What the C library tells of a node beyond the public state.

package import NetPrimitives
import NetStack
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// A network with everything that the C structures show.
package struct NetworkDetails: Hashable, Sendable {
    /// The public part.
    package var status: NetworkStatus
    /// The configuration's revision.
    package var revision: UInt64
    /// Whether this node may bridge into the network.
    package var isBridge: Bool
    /// Flags and metric of each route, in the order of `status.routes`.
    package var routeAttributes: [RouteAttributes]
    /// The multicast groups that this node is in.
    package var groups: [Group]
    /// When the user must have signed on again, Unix milliseconds, 0 for never said; nil without single sign-on.
    package var signOnExpiry: UInt64?

    /// What a controller says of a route besides where it leads.
    package struct RouteAttributes: Hashable, Sendable {
        package var flags: UInt16
        package var metric: UInt16

        /// Nothing is said.
        package static let none = RouteAttributes(flags: 0, metric: 0)
    }

    /// A multicast group.
    package struct Group: Hashable, Sendable {
        package var mac: MACAddress
        package var distinguisher: UInt32
    }

    init(_ snapshot: NetworkSnapshot) {
        status = NetworkStatus(snapshot)
        revision = snapshot.revision
        isBridge = snapshot.isBridge
        routeAttributes = snapshot.routes.map { RouteAttributes(flags: $0.flags, metric: $0.metric) }
        groups = snapshot.multicastSubscriptions.map { Group(mac: $0.mac, distinguisher: $0.distinguisher) }
        signOnExpiry = snapshot.singleSignOn.flatMap { $0.isEnabled ? $0.expiryTime : nil }
    }
}

/// The planet that a node has.
package struct PlanetReference: Hashable, Sendable {
    package var id: UInt64
    package var timestampMilliseconds: UInt64
}

/// The counters of a node's TCP/IP stack.
package struct StackCounters: Hashable, Sendable {
    /// One protocol's.
    package struct Counters: Hashable, Sendable {
        package var received: UInt64 = 0
        package var sent: UInt64 = 0
        package var dropped: UInt64 = 0
        package var checksumErrors: UInt64 = 0
        package var lengthErrors: UInt64 = 0
        package var memoryErrors: UInt64 = 0
        package var routingErrors: UInt64 = 0
        package var protocolErrors: UInt64 = 0
        package var optionErrors: UInt64 = 0

        package init() {}

        init(_ counters: StackStatistics.ProtocolCounters) {
            received = counters.received
            sent = counters.sent
            dropped = counters.dropped
            checksumErrors = counters.checksumErrors
            lengthErrors = counters.lengthErrors
            memoryErrors = counters.memoryErrors
            routingErrors = counters.routingErrors
            protocolErrors = counters.protocolErrors
            optionErrors = counters.optionErrors
        }
    }

    package var link = Counters()
    package var arp = Counters()
    package var ipv4 = Counters()
    package var ipv6 = Counters()
    package var icmp4 = Counters()
    package var icmp6 = Counters()
    package var udp = Counters()
    package var tcp = Counters()
    package var igmp = Counters()
    /// Neighbour discovery, a part of `icmp6`.
    package var nd6 = Counters()
    /// Datagrams put together and pieces sent.
    package var fragments = Counters()
    package var cacheHits: UInt64 = 0

    /// No counts.
    package init() {}

    init(_ statistics: StackStatistics) {
        link.received = statistics.framesReceived
        link.sent = statistics.framesSent
        link.dropped =
            statistics.dropped(.noInterface) &+ statistics.dropped(.unknownEtherType)
            &+ statistics.dropped(.foreignMAC) &+ statistics.dropped(.ownMAC)
            &+ statistics.dropped(.controlQueueFull) &+ statistics.dropped(.neighbourUnresolved)
            &+ statistics.dropped(.neighbourTableFull)
        link.memoryErrors = statistics.dropped(.controlQueueFull) &+ statistics.dropped(.neighbourTableFull)
        link.protocolErrors = statistics.dropped(.unknownEtherType)
        link.routingErrors = statistics.dropped(.neighbourUnresolved)
        arp = Counters(statistics.arp)
        ipv4 = Counters(statistics.ipv4)
        ipv6 = Counters(statistics.ipv6)
        icmp4 = Counters(statistics.icmp4)
        icmp6 = Counters(statistics.icmp6)
        udp = Counters(statistics.udp)
        tcp = Counters(statistics.tcp)
        igmp = Counters(statistics.igmp)
        nd6 = Counters(statistics.nd6)
        fragments.received = statistics.reassembled
        fragments.sent = statistics.fragmentsSent
        fragments.memoryErrors = statistics.dropped(.reassemblyFull)
        fragments.protocolErrors = statistics.dropped(.fragmentOverlap) &+ statistics.dropped(.fragmentMalformed)
        fragments.dropped =
            fragments.memoryErrors &+ fragments.protocolErrors
            &+ statistics.dropped(.reassemblyTimeout)
        cacheHits = statistics.cacheHits
    }
}

extension Node {
    /// The joined networks at this moment, with all details.
    package func networkDetails() throws(ZeroTierError) -> [NetworkDetails] {
        try driver.call { (core, _) throws(ZeroTierError) in core.node.networks.map { NetworkDetails($0) } }
    }

    /// A joined network at this moment, with all details; nil if it is not joined.
    package func networkDetails(of id: NetworkID) throws(ZeroTierError) -> NetworkDetails? {
        try driver.call { (core, _) throws(ZeroTierError) in core.node.network(id.wire).map { NetworkDetails($0) } }
    }

    /// A peer at this moment; nil if it is not known.
    package func peer(_ id: NodeID) throws(ZeroTierError) -> PeerStatus? {
        try driver.call { (core, now) throws(ZeroTierError) in core.peer(id, now: now) }
    }

    /// The planet held.
    package func planetReference() throws(ZeroTierError) -> PlanetReference? {
        try driver.call { (core, _) throws(ZeroTierError) in
            core.node.peers.planet.map {
                PlanetReference(id: $0.id, timestampMilliseconds: $0.timestampMilliseconds)
            }
        }
    }

    /// The identity in text form with its secret.
    package func secretIdentityText() throws(ZeroTierError) -> String {
        try driver.call { (core, _) throws(ZeroTierError) in core.node.identity.text(includeSecret: true) }
    }

    /// The counters of the TCP/IP stack.
    package func stackCounters() throws(ZeroTierError) -> StackCounters {
        try driver.call { (core, _) throws(ZeroTierError) in StackCounters(core.node.statistics.stack) }
    }

    /// Wants the roots of a moon, which `seed` can tell.
    package func orbit(_ moonID: UInt64, seed: NodeID) throws(ZeroTierError) {
        try driver.call { (core, now) throws(ZeroTierError) in
            core.node.orbit(MoonSeed(moonID: moonID, seed: seed.address), now: now)
        }
    }

    /// The moons held.
    package func moons() throws(ZeroTierError) -> [RootSet] {
        try driver.call { (core, _) throws(ZeroTierError) in core.node.peers.moons.map { RootSet($0) } }
    }

    /// Forgets a moon.
    package func deorbit(_ moonID: UInt64) throws(ZeroTierError) {
        try driver.call { (core, now) throws(ZeroTierError) in _ = core.node.deorbit(moonID, now: now) }
    }
}

extension NetworkID {
    /// The address that a node has by the 6PLANE scheme.
    package func sixPlaneAddress(of node: NodeID) -> IPAddress { wire.sixPlaneAddress(of: node.address) }

    /// The address that a node has by the RFC 4193 scheme.
    package func rfc4193Address(of node: NodeID) -> IPAddress { wire.rfc4193Address(of: node.address) }
}

extension RootSet {
    /// What signed this version, 96 bytes, and the public key that may sign the next one, 64 bytes.
    package var signature: (bytes: [UInt8], nextKey: [UInt8]) { (world.signature, world.updateKey.bytes) }

    /// A planet whose next version another key may sign: for programs that roll their keys.
    package init(
        id: UInt64, timestampMilliseconds: UInt64, roots: [Root], signedWith current: SigningKey,
        updateKey: SigningKey
    ) {
        self.init(
            World(
                kind: .planet, id: id, timestampMilliseconds: timestampMilliseconds,
                updateKey: updateKey.keys.publicKeys,
                roots: roots.map { World.Root(identity: $0.identity.wire, endpoints: $0.endpoints) }
            ).signed(with: current.keys))
    }
}

extension RootSet.SigningKey {
    /// The key's public half, 64 bytes.
    package var publicBytes: [UInt8] { keys.publicKeys.bytes }
}

extension PeerStatus {
    /// A peer of which nothing is known any more.
    package static func forgotten(_ id: NodeID) -> PeerStatus {
        PeerStatus(id: id, role: .leaf, protocolVersion: 0, version: nil, latency: nil, isDirect: false, paths: [])
    }
}

extension PeerStatus.Path {
    /// A path of which nothing is known any more.
    package static func forgotten(_ endpoint: SocketEndpoint) -> PeerStatus.Path {
        PeerStatus.Path(
            endpoint: endpoint, isAlive: false, isPreferred: false, sinceReceive: nil, sinceSend: nil, latency: nil)
    }
}
