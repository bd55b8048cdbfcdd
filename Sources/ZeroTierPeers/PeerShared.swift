//  What all peers share: our surroundings, the queues out, deadlines, events, counters.

import NetPrimitives
import ZeroTierWire

/// Deadlines of the engine.
enum EngineTimer: Hashable, Sendable {
    /// Keepalive, probes, contact and expiry of one peer.
    case peer(PeerID)
    /// WHOIS repeats and the end of waits.
    case lookup
    /// Packets of which parts are missing.
    case defragmenter
    /// Packets that wait for any path.
    case stalled
    /// Whether a root still answers.
    case online
    /// Seeds of moons that are wanted.
    case seeds
    /// The network under us changed twice in a moment.
    case localNetwork
    /// Our address changed too soon after another change.
    case surfaceChange
    /// Identities that wait until the budget of validations allows more.
    case validation
}

/// Lent to a peer for each of its verbs.
struct PeerShared: ~Copyable {
    private let inPlace = InPlace()
    let configuration: PeerConfiguration
    let scopes: PathScopes
    /// Where deadlines that may be late meet.
    let wakeGrid: WakeGrid
    var random: RandomSource
    var roots: Roots

    /// Whether a root answers, or we are one.
    var isOnline = false
    var localEndpoints: [SocketEndpoint] = []
    var forbiddenPrefixes: [IPPrefix] = []
    /// Until when peers may still send to a place where we were before: they are greeted often.
    var newPlaceUntil: MonotonicInstant

    var control: BoundedQueue<ControlItem>
    /// What leaves because others wish it: after the control packets.
    var wishes: BoundedQueue<ControlItem>
    var answers: AnswerLedger
    var events: BoundedQueue<PeerEvent>
    var timers = DeadlineQueue<EngineTimer>()
    var drops = DropCounters()

    init(identity: Identity, configuration: PeerConfiguration, random: RandomSource, now: Now) {
        let limits = configuration.limits
        self.configuration = configuration
        scopes = PathScopes(allowsLoopback: configuration.allowLoopbackPaths)
        wakeGrid = WakeGrid(period: ProtocolLimits.wakeGrid, phase: ProtocolLimits.wakePhase(of: identity.address))
        var random = random
        answers = AnswerLedger(seed: random.nextUInt64())
        self.random = random
        roots = Roots(
            ourselves: identity, planet: configuration.planet, moons: configuration.moons,
            seeds: configuration.moonSeeds)
        newPlaceUntil = now.monotonic + ProtocolLimits.newPlace
        control = BoundedQueue(capacity: limits.controlPackets)
        wishes = BoundedQueue(capacity: limits.wishes)
        events = BoundedQueue(capacity: limits.events)
    }

    // MARK: Out

    /// Tells the owner; false, and counted, when there is no room.
    @discardableResult
    mutating func emit(_ event: PeerEvent) -> Bool {
        if events.tryAppend(event) { return true }
        drops.count(.eventOverflow)
        return false
    }

    /// Queues a packet. `isWish`: others caused it; it waits in a queue of its own, in which the later ones find no room.
    mutating func enqueue(_ item: ControlItem, isWish: Bool = false) {
        if isWish {
            if !wishes.tryAppend(item) { drops.count(.wishesFull) }
        } else if control.append(item) != nil {
            drops.count(.controlQueueFull)
        }
    }

    /// Sees to it that a peer is serviced at an instant, or earlier.
    mutating func wake(_ id: PeerID, at instant: MonotonicInstant) {
        if let planned = timers.deadline(of: .peer(id)), planned <= instant { return }
        timers.schedule(.peer(id), at: instant)
    }

    // MARK: Surroundings

    /// Whether a physical address may be used for a peer.
    func isAllowed(_ endpoint: SocketEndpoint, for peer: Address) -> Bool {
        guard endpoint.port != 0, scopes.isUsable(endpoint.address) else { return false }
        let isForbidden = forbiddenPrefixes.contains { $0.contains(endpoint.address) }
        guard let upstream = roots.upstream(peer) else { return configuration.directPathsEnabled && !isForbidden }
        // Where the world says that a root is, it is: no controller's addresses may hide it.
        if upstream.endpoints.isEmpty { return !isForbidden }
        return upstream.endpoints.contains { $0.address == endpoint.address }
    }

    /// Our addresses of a family.
    func localAddressCount(isIPv4: Bool) -> Int {
        localEndpoints.count { $0.address.isIPv4 == isIPv4 }
    }

    /// Bytes of our HELLO to an endpoint.
    func helloLength(to remote: SocketEndpoint) -> Int {
        let moons = roots.moons.count + roots.seeds.count
        return PacketHeader.payloadOffset + 13 + Identity.publicSize
            + PhysicalAddressCodec.length(of: remote) + 16 + 2
            + moons * 17 + Hello.promisesSize
    }
}
