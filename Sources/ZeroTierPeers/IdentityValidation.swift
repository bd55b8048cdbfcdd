//  What strangers' HELLOs may cost: two gates, one before the key agreement, one before the memory-hard validation,
//  the validations under way, and what is remembered of earlier ones.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// Token buckets by source prefix (IPv4 /24, IPv6 /48), with one over all.
struct PrefixGate: Sendable {
    // Prefixes share a slot by a hash that the outside cannot predict. Made at the first use: a leaf needs none.
    private var slots: [RateLimiter] = []
    private var total: RateLimiter
    private let perPrefix: RateLimiter
    private let seed: UInt64

    init(burstPerPrefix: Int, intervalPerPrefix: Duration, burst: Int, interval: Duration, seed: UInt64) {
        perPrefix = RateLimiter(burst: burstPerPrefix, interval: intervalPerPrefix)
        total = RateLimiter(burst: burst, interval: interval)
        self.seed = seed
    }

    /// Takes a token of the source's prefix and one of all, or says no.
    mutating func allow(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        if slots.isEmpty { slots = Array(repeating: perPrefix, count: ProtocolLimits.prefixSlots) }
        let prefix = address.sourcePrefix
        let slot = Int(mix(prefix.high ^ mix(prefix.low ^ seed)) % UInt64(slots.count))
        // The prefix first: what it is refused must not use up the others' tokens.
        return slots[slot].allow(now) && total.allow(now)
    }

    // The finaliser of a 64-bit mixer: all input bits reach all output bits.
    private func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x = (x ^ (x >> 30)) &* 0xbf58_476d_1ce4_e5b9
        x = (x ^ (x >> 27)) &* 0x94d0_49bb_1331_11eb
        return x ^ (x >> 31)
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
}

/// The validations of foreign identities.
struct IdentityValidation: Sendable {
    /// An identity that is being validated.
    private struct Pending: Sendable {
        let ticket: JobTicket
        let identity: Identity
        /// The HELLO that brought it; nil for an identity that is in use already, learned by WHOIS.
        let hello: AuthenticHello?
        /// What the HELLO was sealed with; nil without one.
        let key: SharedKey?
        /// The last HELLO of the same identity since: it is looked at when the result is there.
        var later: WaitingPacket?
    }

    /// What a validation leads to.
    struct Outcome: Sendable {
        let identity: Identity
        let hello: AuthenticHello?
        /// What the HELLO was sealed with.
        let key: SharedKey?
        let later: WaitingPacket?
    }

    private var agreements: PrefixGate
    private var validations: PrefixGate
    private var pending: [Pending] = []
    private var jobs: [PeerJob] = []
    private var valid: [Identity: Bool] = [:]
    private var remembered: BoundedQueue<Identity>
    private let limit: Int
    private var nextTicket: UInt64 = 1

    init(limits: PeerLimits, seed: UInt64) {
        agreements = PrefixGate(
            burstPerPrefix: limits.agreementBurstPerPrefix, intervalPerPrefix: limits.agreementIntervalPerPrefix,
            burst: limits.agreementBurst, interval: limits.agreementInterval, seed: seed)
        validations = PrefixGate(
            burstPerPrefix: limits.validationBurstPerPrefix, intervalPerPrefix: limits.validationIntervalPerPrefix,
            burst: limits.validationBurst, interval: limits.validationInterval, seed: seed)
        remembered = BoundedQueue(capacity: ProtocolLimits.rememberedIdentities)
        limit = limits.pendingValidations
    }

    /// The result of an earlier validation of the very same identity.
    func result(for identity: Identity) -> Bool? { valid[identity] }

    /// Whether a key agreement for a stranger behind this address may be made.
    mutating func allowsAgreement(_ address: IPAddress, _ now: MonotonicInstant) -> Bool {
        agreements.allow(address, now)
    }

    /// The key shared with an identity that is being validated for a HELLO: a new one that fits it waits for that result.
    func pendingKey(of identity: Identity) -> SharedKey? {
        pending.first { $0.identity == identity && $0.hello != nil }?.key
    }

    /// Keeps the last authentic HELLO of an identity that is being validated.
    mutating func wait(_ packet: WaitingPacket, of identity: Identity) {
        guard let index = pending.firstIndex(where: { $0.identity == identity && $0.hello != nil }) else { return }
        pending[index].later = packet
    }

    /// Begins the validation that a HELLO asks for. False when the budget is used up.
    mutating func begin(_ hello: AuthenticHello, key: SharedKey, _ now: MonotonicInstant) -> Bool {
        guard pending.count < limit, validations.allow(hello.path.remote.address, now) else { return false }
        add(hello.hello.identity, hello, key)
        return true
    }

    /// Begins the validation of an identity that a root told us, in the background. Skipped when there is much to do.
    mutating func beginInBackground(_ identity: Identity) {
        guard pending.count < limit / 2, !pending.contains(where: { $0.identity == identity }) else { return }
        add(identity, nil, nil)
    }

    private mutating func add(_ identity: Identity, _ hello: AuthenticHello?, _ key: SharedKey?) {
        let ticket = JobTicket(nextTicket)
        nextTicket += 1
        pending.append(Pending(ticket: ticket, identity: identity, hello: hello, key: key))
        jobs.append(.validate(identity.withoutSecret, ticket: ticket))
    }

    mutating func nextJob() -> PeerJob? { jobs.isEmpty ? nil : jobs.removeFirst() }

    /// A validation came to an end.
    mutating func complete(_ ticket: JobTicket, isValid: Bool) -> Outcome? {
        guard let index = pending.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        let entry = pending.remove(at: index)
        if valid.updateValue(isValid, forKey: entry.identity) == nil {
            if let forgotten = remembered.append(entry.identity) { valid[forgotten] = nil }
        }
        return Outcome(identity: entry.identity, hello: entry.hello, key: entry.key, later: entry.later)
    }
}
