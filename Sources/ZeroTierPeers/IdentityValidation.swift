//  What strangers' HELLOs may cost: a gate before the key agreement, a queue before the memory-hard validation, and what is
//  remembered of earlier ones. No identity that others told of is used before its validation.
//
//      HELLO, right MAC --few wait--> waiting --the least served prefix first--> under way --> valid: a peer
//                       \--many wait--> asked back: our HELLO to where it came from --its OK from there--> waiting
//      OK(WHOIS) ----------------------> waiting, in a queue of its own

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// Token buckets by source prefix (IPv4 /24, IPv6 /48), with one over all.
struct PrefixGate: Sendable {
    // Prefixes share a slot by a hash that the outside cannot predict. Made at the first use: a leaf needs none.
    private var slots: [RateLimiter] = []
    private var total: RateLimiter
    private let perPrefix: RateLimiter
    private let plenty: Int
    private let seed: UInt64

    init(burstPerPrefix: Int, intervalPerPrefix: Duration, burst: Int, interval: Duration, seed: UInt64) {
        perPrefix = RateLimiter(burst: burstPerPrefix, interval: intervalPerPrefix)
        total = RateLimiter(burst: burst, interval: interval)
        plenty = burst / 2
        self.seed = seed
    }

    /// Takes a token of the source's prefix and one of all, or says no. A prefix whose own tokens are used up may have of the
    /// others as long as half of them are there: a whole office that starts is one prefix.
    mutating func allow(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        let slot = place(of: address)
        // The prefix first: what it is refused must not use up the others' tokens.
        if slots[slot].allow(now) || total.tokens(now) > plenty { return total.allow(now) }
        return false
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
    var sourcePrefix: IPAddress {
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

    /// What was asked of an endpoint.
    private struct Challenge: Sendable {
        let packetID: PacketID
        let remote: SocketEndpoint
        let at: MonotonicInstant
    }

    /// An identity that waits for its validation, or is being validated.
    private struct Candidate: Sendable {
        let identity: Identity
        let since: MonotonicInstant
        var ticket: JobTicket?
        /// The HELLO that brought it; nil when only a root told of it.
        var hello: AuthenticHello?
        /// What the HELLO was sealed with; nil without one.
        var key: SharedKey?
        /// The last HELLO of the same identity since: it is looked at when the result is there.
        var later: WaitingPacket?
        /// The root that told of it, when we asked.
        var toldBy: Address?
        /// Whether its endpoint has to answer first.
        var needsProof = false
        var challenges: [Challenge] = []
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
    /// In the order in which they came.
    private var waiting: [Candidate] = []
    private var underWay: [Candidate] = []
    private var wishCount = 0
    private var displaced = 0
    private var lastWasWish = false
    private var jobs: [PeerJob] = []
    private var valid: [Identity: Bool] = [:]
    private var remembered: BoundedQueue<Identity>
    private let strangerLimit: Int
    private let wishLimit: Int
    private var nextTicket: UInt64 = 1

    init(limits: PeerLimits, seed: UInt64) {
        agreements = PrefixGate(
            burstPerPrefix: limits.agreementBurstPerPrefix, intervalPerPrefix: limits.agreementIntervalPerPrefix,
            burst: limits.agreementBurst, interval: limits.agreementInterval, seed: seed)
        validations = PrefixGate(
            burstPerPrefix: limits.validationBurstPerPrefix, intervalPerPrefix: limits.validationIntervalPerPrefix,
            burst: limits.validationBurst, interval: limits.validationInterval, seed: seed)
        remembered = BoundedQueue(capacity: ProtocolLimits.rememberedIdentities)
        strangerLimit = limits.pendingValidations
        wishLimit = limits.lookups
    }

    /// The result of an earlier validation of the very same identity.
    func result(for identity: Identity) -> Bool? { valid[identity] }

    /// Whether a key agreement for a stranger behind this address may be made.
    mutating func allowsAgreement(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        agreements.allow(address, now)
    }

    /// Identities that wait for nothing but their turn, or are under way.
    var provenCount: Int { waiting.count { !$0.needsProof } + underWay.count }

    // MARK: Strangers

    /// The key shared with an identity whose HELLO waits: a new one that fits it waits for the same result.
    func pendingKey(of identity: Identity) -> SharedKey? {
        (waiting.first { $0.identity == identity } ?? underWay.first { $0.identity == identity })?.key
    }

    /// Keeps the last authentic HELLO of an identity that waits. Whether its endpoint is to be asked back.
    mutating func wait(_ packet: WaitingPacket, of identity: Identity) -> Bool {
        if let index = underWay.firstIndex(where: { $0.identity == identity && $0.hello != nil }) {
            underWay[index].later = packet
            return false
        }
        guard let index = waiting.firstIndex(where: { $0.identity == identity && $0.hello != nil }) else {
            return false
        }
        waiting[index].later = packet
        guard waiting[index].needsProof else { return false }
        waiting[index].challenges.removeAll { packet.since - $0.at >= ProtocolLimits.challengeInterval }
        return waiting[index].challenges.count < ProtocolLimits.challengesAtOnce
            && !waiting[index].challenges.contains { $0.remote == packet.path.remote }
    }

    /// Takes an authentic HELLO of an unknown identity.
    mutating func admit(_ hello: AuthenticHello, key: SharedKey, _ now: MonotonicInstant) -> Admission {
        if let index = underWay.firstIndex(where: { $0.identity == hello.hello.identity }) {
            underWay[index].hello = hello
            underWay[index].key = key
            return .waits
        }
        if let index = waiting.firstIndex(where: { $0.identity == hello.hello.identity }) {
            waiting[index].hello = hello
            waiting[index].key = key
            return .waits
        }
        let isPressed = provenCount >= ProtocolLimits.validationPressure
        guard makeRoom(for: hello.path.remote.address, now) else { return .refused }
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
        guard let index = waiting.firstIndex(where: { $0.identity == identity }) else { return }
        waiting[index].challenges.append(Challenge(packetID: id, remote: remote, at: now))
    }

    /// The keys of those identities of an address whose proof is awaited from an endpoint.
    func unproven(_ address: Address, at remote: SocketEndpoint) -> [(identity: Identity, key: SharedKey)] {
        guard !waiting.isEmpty else { return [] }
        var result: [(identity: Identity, key: SharedKey)] = []
        for candidate in waiting where candidate.identity.address == address && candidate.needsProof {
            guard let key = candidate.key, candidate.challenges.contains(where: { $0.remote == remote }) else {
                continue
            }
            result.append((candidate.identity, key))
            if result.count == ProtocolLimits.challengesAtOnce { break }
        }
        return result
    }

    /// An authentic answer came from an endpoint: whether it quotes what was asked of just that endpoint.
    mutating func prove(
        _ identity: Identity, _ id: PacketID, from remote: SocketEndpoint, _ now: MonotonicInstant
    ) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.identity == identity }),
            waiting[index].challenges.contains(where: { $0.packetID == id && $0.remote == remote })
        else { return false }
        waiting[index].needsProof = false
        waiting[index].challenges = []
        if waiting[index].hello?.path.remote == remote { waiting[index].hello?.isProven = true }
        start(now)
        return true
    }

    /// How many gave way since the last call.
    mutating func takeDisplaced() -> Int {
        defer { displaced = 0 }
        return displaced
    }

    /// A full room must not keep a newcomer out: the oldest of the prefix that holds most gives way, and before all others one
    /// that still owes its proof. A newcomer whose own prefix holds most is refused.
    private mutating func makeRoom(for address: IPAddress, _ now: MonotonicInstant) -> Bool {
        while let first = waiting.first, first.needsProof, now - first.since >= ProtocolLimits.queueEntryLife {
            waiting.removeFirst()
            displaced += 1
        }
        guard waiting.count - wishCount >= strangerLimit else { return true }
        var crowds: [IPAddress: Int] = [:]
        for candidate in waiting where candidate.toldBy == nil {
            if let source = candidate.hello?.path.remote.address { crowds[source.sourcePrefix, default: 0] += 1 }
        }
        let own = crowds[address.sourcePrefix] ?? 0
        var victim: (index: Int, crowd: Int, owesProof: Bool)?
        for (index, candidate) in waiting.enumerated() where candidate.toldBy == nil {
            guard let source = candidate.hello?.path.remote.address else { continue }
            let crowd = crowds[source.sourcePrefix] ?? 0
            // One more than the newcomer's after it has come: else two prefixes would displace each other for ever.
            guard candidate.needsProof ? crowd >= own : crowd > own + 1 else { continue }
            if let victim {
                let isWorse =
                    candidate.needsProof == victim.owesProof ? crowd > victim.crowd : candidate.needsProof
                guard isWorse else { continue }
            }
            victim = (index, crowd, candidate.needsProof)
        }
        guard let victim else { return false }
        waiting.remove(at: victim.index)
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
        if let index = waiting.firstIndex(where: { $0.identity == identity }) {
            if waiting[index].toldBy == nil {
                waiting[index].toldBy = root
                wishCount += 1
            }
            // A root vouches for it well enough for the work.
            waiting[index].needsProof = false
            start(now)
            return true
        }
        guard wishCount < wishLimit else { return false }
        wishCount += 1
        var candidate = Candidate(identity: identity, since: now)
        candidate.toldBy = root
        waiting.append(candidate)
        start(now)
        return true
    }

    // MARK: Work

    /// When `start` has something to do without being told; nil when never.
    func nextDeadline(_ now: MonotonicInstant) -> MonotonicInstant? {
        guard underWay.count < ProtocolLimits.validationsUnderWay, waiting.contains(where: { !$0.needsProof }) else {
            return nil
        }
        return max(validations.nextService(now), now + .milliseconds(1))
    }

    /// Begins what may be begun: our own wishes and strangers in turn, of strangers the one whose prefix was served least.
    mutating func start(_ now: MonotonicInstant) {
        while underWay.count < ProtocolLimits.validationsUnderWay, let index = choice(now) {
            var candidate = waiting.remove(at: index)
            lastWasWish = candidate.toldBy != nil
            if lastWasWish { wishCount -= 1 }
            let ticket = JobTicket(nextTicket)
            nextTicket += 1
            candidate.ticket = ticket
            jobs.append(.validate(candidate.identity.withoutSecret, ticket: ticket))
            underWay.append(candidate)
        }
    }

    private mutating func choice(_ now: MonotonicInstant) -> Int? {
        let wish = wishCount > 0 ? waiting.firstIndex { $0.toldBy != nil } : nil
        if let wish, !lastWasWish { return wish }
        var best: (index: Int, source: IPAddress, debt: Duration)?
        for index in waiting.indices where waiting[index].toldBy == nil && !waiting[index].needsProof {
            guard let source = waiting[index].hello?.path.remote.address else { continue }
            let debt = validations.debt(of: source, now)
            if best.map({ debt < $0.debt }) ?? true { best = (index, source, debt) }
        }
        if let best, validations.serve(best.source, now) { return best.index }
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
