//  VL1: the machine that moves sealed packets between addresses. Sans I/O: datagrams come in by `open`, leave by `append`
//  and `transmitControl`, time is a parameter. Read first: Docs/architecture.md; then zerotier/ZeroTierOne
//  node/Packet.hpp for the verbs.
//
//      datagram --open--> own: HELLO, WHOIS, ... handled here; the answer is in `replies` or in the control queue
//                         VL2's: handed to the owner, decrypted in place
//                         not ours: relayed into `replies`
//      parts, strangers' packets, compressed ones --later--> nextReady

package import NetPrimitives
package import ZeroTierWire

/// The VL1 machine of one node.
package struct PeerEngine: ~Copyable {
    private let inPlace = InPlace()
    /// Who we are.
    package let identity: Identity
    /// Our address as a number, compared for every packet.
    let ownAddress: UInt64
    var shared: PeerShared
    var numbers = PacketNumbers()

    var topology: Topology
    /// The peers of the roots, by ascending address.
    var upstreamPeers: [PeerID] = []
    var lookup: IdentityLookup
    var validation: IdentityValidation
    /// Records of earlier runs that nobody has validated yet, a bounded number.
    var remembered: [Address: PeerRecord] = [:]
    var expected: ExpectedReplies
    var defragmenter: Defragmenter
    var relays: RelayLedger
    var lastRelay: LastRelay?
    var trustedPaths = TrustedPaths()
    var introductions: Introductions
    var surfaces = SurfaceAddresses()
    /// Changes of our address that are acted upon.
    var surfaceChanges = RateLimiter(
        burst: ProtocolLimits.surfaceChangeBurst, interval: ProtocolLimits.surfaceChangeInterval)
    /// Scopes and IP versions of changes that came too soon after others. They are acted upon together, later.
    var lateSurfaceChanges: [SurfaceAddresses.Kind] = []

    /// Packets to known peers for which there was no path.
    var stalled: BoundedQueue<OutgoingPacket>
    var ready: BoundedQueue<ReadyItem>
    /// WHOIS over all addresses.
    var whoisGate = RateLimiter(burst: ProtocolLimits.whoisBurst, interval: ProtocolLimits.whoisSendInterval)
    /// Packets passed on for others.
    package internal(set) var relayedPackets: UInt64 = 0
    /// Authentic packets that came in, by cipher suite.
    package internal(set) var suites = SuiteCounters()
    /// Packets by verb, both ways.
    package internal(set) var counters = PacketCounters()
    /// How far the clock of a root was ahead of ours when its last HELLO came, milliseconds; nil if none did.
    package internal(set) var rootClockAhead: Int64?
    /// Whether a root said that our address is another node's: told once.
    var hasCollision = false
    /// Whether our own endpoints were ever told: a machine may have none for a while.
    var isLocalNetworkKnown = false
    /// When the network under us last changed.
    var lastNetworkChange: MonotonicInstant?

    /// Makes the machine; contact with the roots is due at once. `identity` has its secret.
    package init(identity: Identity, configuration: PeerConfiguration, random: RandomSource, now: Now) {
        precondition(identity.secretKeys != nil, "a node needs its own secret")
        let limits = configuration.limits
        self.identity = identity
        ownAddress = identity.address.value
        var configuration = configuration
        let bounds = ProtocolLimits.physicalMTUs
        configuration.pathMTU = min(max(configuration.pathMTU, bounds.lowerBound), bounds.upperBound)
        var random = random
        validation = IdentityValidation(limits: limits, seed: random.nextUInt64())
        shared = PeerShared(identity: identity, configuration: configuration, random: random, now: now)
        topology = Topology(limit: limits.peers)
        lookup = IdentityLookup(limits: limits)
        expected = ExpectedReplies(limit: limits.expectedReplies)
        defragmenter = Defragmenter(limits: limits)
        relays = RelayLedger(limits: limits)
        introductions = Introductions(limit: limits.introducedPairs)
        stalled = BoundedQueue(capacity: limits.waitingOutbound)
        ready = BoundedQueue(capacity: ProtocolLimits.readyPackets)
        applyRoots(now)
    }

    // MARK: Questions

    /// Every packet and datagram that died, by reason.
    package var drops: DropCounters { shared.drops }

    /// Whether a root answers, or we are one.
    package var isOnline: Bool { shared.isOnline }

    /// Our own address.
    package var address: Address { identity.address }

    /// Whether one of the worlds held lists us: then we relay, answer WHOIS without limit and introduce peers.
    package var isRoot: Bool { shared.roots.includesUs }

    /// Whether the address is that of a root of the worlds held (ourselves not included).
    package func isRoot(_ address: Address) -> Bool { shared.roots.upstream(address) != nil }

    /// The roots' addresses, ascending, without ourselves.
    package var rootAddresses: [Address] { shared.roots.upstreams.map { $0.identity.address } }

    /// The roots' addresses without ourselves, those that can be reached first, the quickest of them before the others.
    package func rootsByPreference(now: Now) -> [Address] {
        let known = upstreamPeers.map { topology.peers[$0].relayPreference(shared, now.monotonic) }
            .sorted { $0 < $1 }.map(\.1)
        return known + rootAddresses.filter { !known.contains($0) }
    }

    /// The planet held.
    package var planet: World? { shared.roots.planet }

    /// The moons held, by ascending ID.
    package var moons: [World] { shared.roots.moons }

    /// The identity of an address, if it is known: ours, or a peer's.
    package func identity(of address: Address) -> Identity? {
        if address == identity.address { return identity.withoutSecret }
        guard let id = topology.lookUp(address) else { return nil }
        return topology.peers[id].identity
    }

    /// Peers known, roots included.
    package var peerCount: Int { topology.count }

    /// The addresses that others see us by, ascending.
    package mutating func surfaceAddresses(now: Now) -> [SocketEndpoint] { surfaces.all(now.monotonic) }

    /// When `handleDeadlines` has something to do next.
    package mutating func nextDeadline() -> MonotonicInstant? { shared.timers.next() }

    // MARK: What is told and asked

    /// Takes the oldest event.
    package mutating func nextEvent() -> PeerEvent? { shared.events.popFirst() }

    /// Takes the oldest job. Every job taken must be answered by `complete`.
    package mutating func nextJob() -> PeerJob? { validation.nextJob() }

    /// Counts a drop and says so.
    mutating func drop(_ reason: PeerDrop) -> Opened {
        shared.drops.count(reason)
        return .drop(reason)
    }

    // MARK: What the owner decides

    /// The addresses and ports at which our sockets are bound or mapped, to be told to peers. `gone`: local sockets from which
    /// nothing leaves any more. Whether the endpoints are others than before; then, but for the first time, everything is asked
    /// anew.
    @discardableResult
    package mutating func setLocalNetwork(
        _ endpoints: [SocketEndpoint], gone: [Int32] = [], now: Now
    ) -> Bool {
        let isFirst = !isLocalNetworkKnown
        let isChanged = endpoints != shared.localEndpoints
        isLocalNetworkKnown = true
        shared.localEndpoints = endpoints
        if isChanged && !isFirst || hasPaths(from: gone) { localNetworkChanged(closedSockets: gone, now: now) }
        return isChanged
    }

    /// Prefixes of the virtual networks joined: no path leads into them, that would be a tunnel in its own tunnel.
    package mutating func setForbiddenPrefixes(_ prefixes: [IPPrefix]) {
        shared.forbiddenPrefixes = prefixes
    }
}
