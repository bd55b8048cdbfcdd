//  What strangers' HELLOs may cost: a gate before the key agreement, a queue before the memory-hard validation, and what is
//  remembered of earlier ones. No identity that others told of is used before its validation.
//
//      HELLO, right MAC --few wait--> waiting --the least served prefix first--> under way --> valid: a peer
//                       \--many wait--> asked back: our HELLO to where it came from --its OK from there--> waiting
//      OK(WHOIS) ----------------------> waiting, in a queue of its own

package import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// Token buckets by source prefix (IPv4 /24, IPv6 /48), with one over all.
struct PrefixGate: Sendable {
    // Prefixes share a slot by a hash that the outside cannot predict. Made at the first use: a leaf needs none.
    private var slots: [RateLimiter] = []
    private var total: RateLimiter
    private let perPrefix: RateLimiter
    // What prefixes may have beyond their own, together: a whole office that starts is one prefix, and so is one that floods.
    private var spare: RateLimiter
    private let plenty: Int
    private let seed: UInt64

    init(burstPerPrefix: Int, intervalPerPrefix: Duration, burst: Int, interval: Duration, seed: UInt64) {
        perPrefix = RateLimiter(burst: burstPerPrefix, interval: intervalPerPrefix)
        total = RateLimiter(burst: burst, interval: interval)
        plenty = burst / 2
        spare = RateLimiter(burst: max(1, burst / 2), interval: interval * ProtocolLimits.spareShare)
        self.seed = seed
    }

    /// Takes a token of the source's prefix and one of all, or says no. A prefix whose own tokens are used up may have some of those
    /// that are set aside for such, as long as half of all are there.
    mutating func allow(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        let slot = place(of: address)
        // The prefix first: what it is refused must not use up the others' tokens.
        if slots[slot].allow(now) || total.tokens(now) > plenty && spare.allow(now) { return total.allow(now) }
        return false
    }

    /// Whether `allow` would say yes.
    mutating func wouldAllow(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        let left = total.tokens(now)
        guard left > 0 else { return false }
        return left > plenty && spare.tokens(now) > 0 || slots[place(of: address)].tokens(now) > 0
    }

    /// Takes a token of the source's prefix; without one of all. A prefix that was served a lot needs one of all instead.
    mutating func serve(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        slots[place(of: address)].allow(now) || total.allow(now)
    }

    /// How much a prefix was served lately: how long its bucket takes to be full again.
    mutating func debt(of address: IPAddress, _ now: MonotonicInstant) -> Duration {
        slots[place(of: address)].debt(now)
    }

    /// When a prefix without tokens may be served again.
    func nextService(_ now: MonotonicInstant) -> MonotonicInstant { total.nextAllowed(now) }

    private mutating func place(of address: IPAddress) -> Int {
        if slots.isEmpty { slots = Array(repeating: perPrefix, count: ProtocolLimits.prefixSlots) }
        let prefix = address.sourcePrefix
        return Int(mix(prefix.high ^ mix(prefix.low ^ seed)) % UInt64(slots.count))
    }
}

extension IPAddress {
    /// The prefix that one owner of addresses is taken for.
    package var sourcePrefix: IPAddress {
        masked(to: isIPv4 ? ProtocolLimits.identityPrefixIPv4 : ProtocolLimits.identityPrefixIPv6)
    }
}

/// A HELLO whose MAC fits.
struct AuthenticHello: Sendable {
    let hello: Hello
    let packetID: PacketID
    let path: PhysicalPath
    let hops: Int
    /// Whether the same packet came before, from another endpoint.
    var isCopy = false
    /// The ID that the sender chose, where the one on the wire is just that.
    var number: UInt64?
    /// Bytes of the packet as it came, 0 when they were counted before.
    var wireLength = 0
    /// Whether the endpoint answered a question of ours.
    var isProven = false
}

/// The validations of foreign identities.
struct IdentityValidation: Sendable {
    /// What becomes of a HELLO.
    enum Admission: Equatable, Sendable {
        /// It waits for its validation.
        case waits
        /// It is kept until the endpoint that it came from answers: ask it.
        case needsProof
        /// Others have more right to the room.
        case refused
    }

    /// What a validation leads to.
    struct Outcome: Sendable {
        let identity: Identity
        let hello: AuthenticHello?
        /// What the HELLO was sealed with.
        let key: SharedKey?
        let later: WaitingPacket?
        /// The root that told of it, when we asked.
        let toldBy: Address?
    }

    private var agreements: PrefixGate
    private var validations: PrefixGate
    private var waiting: CandidateTable
    private var underWay: [Candidate] = []
    private var displaced = 0
    private var lastWasWish = false
    private var jobs: [PeerJob] = []
    private var valid: [Identity: Bool] = [:]
    private var remembered: BoundedQueue<Identity>
    // Those that its owner vouches for: as many as it has members.
    private var vouched: [Address: PublicKeys] = [:]
    private let strangerLimit: Int
    private let wishLimit: Int
    /// Key agreements that were allowed, and validations begun, since the start.
    private(set) var agreementCount: UInt64 = 0
    private(set) var validationCount: UInt64 = 0
    private var nextTicket: UInt64 = 1

    init(limits: PeerLimits, seed: UInt64) {
        agreements = PrefixGate(
            burstPerPrefix: limits.agreementBurstPerPrefix, intervalPerPrefix: limits.agreementIntervalPerPrefix,
            burst: limits.agreementBurst, interval: limits.agreementInterval, seed: seed)
        validations = PrefixGate(
            burstPerPrefix: limits.validationBurstPerPrefix, intervalPerPrefix: limits.validationIntervalPerPrefix,
            burst: limits.validationBurst, interval: limits.validationInterval, seed: seed)
        waiting = CandidateTable(seed: seed)
        remembered = BoundedQueue(capacity: ProtocolLimits.rememberedIdentities)
        strangerLimit = limits.pendingValidations
        wishLimit = limits.lookups
    }

    /// The result of an earlier validation of the very same identity, in this run or in one whose results were kept.
    func result(for identity: Identity) -> Bool? {
        valid[identity] ?? (vouched[identity.address] == identity.publicKeys ? true : nil)
    }

    /// Takes an identity that was validated in an earlier run.
    mutating func trust(_ identity: Identity) { vouched[identity.address] = identity.publicKeys }

    /// Whether a key agreement for a stranger behind this address may be made.
    mutating func allowsAgreement(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        guard agreements.allow(address, now) else { return false }
        agreementCount &+= 1
        return true
    }

    /// Whether more would be done for a stranger's HELLO than to drop it: its identity waits, or an agreement may be made. Asked
    /// before anything of it is read.
    mutating func mayLookAt(_ address: Address, from source: IPAddress, _ now: MonotonicInstant) -> Bool {
        agreements.wouldAllow(source, now) || waiting.contains(address)
            || underWay.contains { $0.identity.address == address }
    }

    /// Identities that take up room.
    var count: Int { waiting.count + underWay.count }

    /// Identities that wait for nothing but their turn, or are under way.
    var provenCount: Int { waiting.provenCount + underWay.count }

    // MARK: Strangers

    /// The key shared with an identity whose HELLO waits: a new one that fits it waits for the same result.
    func pendingKey(of identity: Identity) -> SharedKey? {
        if let place = waiting.place(of: identity) { return waiting[place].key }
        return underWay.first { $0.identity == identity }?.key
    }

    /// Keeps the last authentic HELLO of an identity that waits. Whether its endpoint is to be asked back.
    mutating func wait(_ packet: WaitingPacket, of identity: Identity) -> Bool {
        if let index = underWay.firstIndex(where: { $0.identity == identity && $0.hello != nil }) {
            underWay[index].later = packet
            return false
        }
        guard let place = waiting.place(of: identity), waiting[place].hello != nil else { return false }
        waiting[place].later = packet
        guard waiting[place].needsProof else { return false }
        return mayChallenge(place, packet.path.remote, packet.since)
    }

    /// Whether an endpoint may be asked now. Whoever recorded a HELLO can repeat it from anywhere: what is asked of the endpoint that
    /// it came from first does not give way to what is asked of others.
    private mutating func mayChallenge(_ place: Int, _ remote: SocketEndpoint, _ now: MonotonicInstant) -> Bool {
        waiting[place].challenges.removeAll { now - $0.at >= ProtocolLimits.challengeLife }
        let challenges = waiting[place].challenges
        let isRecent = challenges.contains { $0.remote == remote && now - $0.at < ProtocolLimits.challengeInterval }
        guard !isRecent else { return false }
        let first = waiting[place].hello?.path.remote
        guard remote != first else { return true }
        guard challenges.count(where: { $0.remote != first }) >= ProtocolLimits.challengesAtOnce,
            let oldest = challenges.firstIndex(where: { $0.remote != first })
        else { return true }
        guard now - challenges[oldest].at >= ProtocolLimits.challengeInterval else { return false }
        waiting[place].challenges.remove(at: oldest)
        return true
    }

    /// Takes an authentic HELLO of an unknown identity.
    mutating func admit(_ hello: AuthenticHello, key: SharedKey, _ now: MonotonicInstant) -> Admission {
        if let index = underWay.firstIndex(where: { $0.identity == hello.hello.identity }) {
            underWay[index].hello = hello
            underWay[index].key = key
            return .waits
        }
        if let place = waiting.place(of: hello.hello.identity) {
            waiting.setHello(hello, key: key, at: place)
            return .waits
        }
        let isPressed = provenCount >= ProtocolLimits.validationPressure
        guard makeRoom(for: hello.path.remote.address) else { return .refused }
        var candidate = Candidate(identity: hello.hello.identity, since: now)
        candidate.hello = hello
        candidate.key = key
        candidate.needsProof = isPressed
        waiting.append(candidate)
        if isPressed { return .needsProof }
        start(now)
        return .waits
    }

    /// The endpoint was sent a HELLO of ours with this ID.
    mutating func noteChallenge(
        _ id: PacketID, to remote: SocketEndpoint, of identity: Identity, _ now: MonotonicInstant
    ) {
        guard let place = waiting.place(of: identity) else { return }
        waiting[place].challenges.append(Candidate.Challenge(packetID: id, remote: remote, at: now))
    }

    /// The keys of those identities of an address whose proof is awaited from an endpoint.
    func unproven(_ address: Address, at remote: SocketEndpoint) -> [(identity: Identity, key: SharedKey)] {
        var result: [(identity: Identity, key: SharedKey)] = []
        for place in waiting.places(of: address) where waiting[place].needsProof {
            guard let key = waiting[place].key, waiting[place].challenges.contains(where: { $0.remote == remote })
            else {
                continue
            }
            result.append((waiting[place].identity, key))
            if result.count == ProtocolLimits.challengesAtOnce { break }
        }
        return result
    }

    /// An authentic answer came from an endpoint: whether it quotes what was asked of just that endpoint.
    mutating func prove(
        _ identity: Identity, _ id: PacketID, from remote: SocketEndpoint, _ now: MonotonicInstant
    ) -> Bool {
        guard let place = waiting.place(of: identity),
            waiting[place].challenges.contains(where: { $0.packetID == id && $0.remote == remote })
        else { return false }
        waiting.setProven(place)
        if waiting[place].hello?.path.remote == remote { waiting[place].hello?.isProven = true }
        start(now)
        return true
    }

    /// How many gave way since the last call.
    mutating func takeDisplaced() -> Int {
        defer { displaced = 0 }
        return displaced
    }

    /// A full room must not keep a newcomer out. A newcomer whose own prefix holds most is refused.
    private mutating func makeRoom(for address: IPAddress) -> Bool {
        guard waiting.count - waiting.wishCount >= strangerLimit else { return true }
        guard let victim = waiting.victim(for: address) else { return false }
        _ = waiting.remove(victim)
        displaced += 1
        return true
    }

    // MARK: Wishes

    /// Takes an identity that a root told us, and that we asked for. False when there is no room: ask again later.
    mutating func wish(_ identity: Identity, toldBy root: Address, _ now: MonotonicInstant) -> Bool {
        if let index = underWay.firstIndex(where: { $0.identity == identity }) {
            if underWay[index].toldBy == nil { underWay[index].toldBy = root }
            return true
        }
        if let place = waiting.place(of: identity) {
            // A root vouches for it well enough for the work.
            waiting.setWish(toldBy: root, at: place)
            start(now)
            return true
        }
        guard waiting.wishCount < wishLimit else { return false }
        var candidate = Candidate(identity: identity, since: now)
        candidate.toldBy = root
        waiting.append(candidate)
        start(now)
        return true
    }

    // MARK: Work

    /// When `start` has something to do without being told; nil when never.
    func nextDeadline(_ now: MonotonicInstant) -> MonotonicInstant? {
        guard underWay.count < ProtocolLimits.validationsUnderWay, waiting.provenCount > 0 else {
            return nil
        }
        return max(validations.nextService(now), now + .milliseconds(1))
    }

    /// Begins what may be begun: our own wishes and strangers in turn, of strangers the one whose prefix was served least.
    mutating func start(_ now: MonotonicInstant) {
        while underWay.count < ProtocolLimits.validationsUnderWay, let place = choice(now) {
            var candidate = waiting.remove(place)
            lastWasWish = candidate.toldBy != nil
            let ticket = JobTicket(nextTicket)
            nextTicket += 1
            candidate.ticket = ticket
            validationCount &+= 1
            jobs.append(.validate(candidate.identity.withoutSecret, ticket: ticket))
            underWay.append(candidate)
        }
    }

    private mutating func choice(_ now: MonotonicInstant) -> Int? {
        guard waiting.provenCount > 0 else { return nil }
        let wish = waiting.wishCount > 0 ? waiting.firstWish : nil
        if let wish, !lastWasWish { return wish }
        var best: (place: Int, source: IPAddress, debt: Duration)?
        for place in waiting.indices where waiting[place].toldBy == nil && !waiting[place].needsProof {
            guard let source = waiting[place].hello?.path.remote.address else { continue }
            let debt = validations.debt(of: source, now)
            if let best {
                let isSooner = debt == best.debt ? waiting[place].turn < waiting[best.place].turn : debt < best.debt
                guard isSooner else { continue }
            }
            best = (place, source, debt)
        }
        if let best, validations.serve(best.source, now) { return best.place }
        return wish
    }

    mutating func nextJob() -> PeerJob? { jobs.isEmpty ? nil : jobs.removeFirst() }

    /// A validation came to an end.
    mutating func complete(_ ticket: JobTicket, isValid: Bool) -> Outcome? {
        guard let index = underWay.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        let entry = underWay.remove(at: index)
        if valid.updateValue(isValid, forKey: entry.identity) == nil {
            if let forgotten = remembered.append(entry.identity) { valid[forgotten] = nil }
        }
        return Outcome(
            identity: entry.identity, hello: entry.hello, key: entry.key, later: entry.later, toldBy: entry.toldBy)
    }
}
