//  How much work others can cause. Both tables have a bound. Places follow from a secret, so nobody can choose whose place it
//  takes. A newcomer that finds no free place takes the one whose owner loses least.

import NetPrimitives
import ZeroTierWire

/// Something that may happen once per interval with a peer.
enum Gate: Hashable, Sendable {
    /// NETWORK_CREDENTIALS received.
    case credentials(Address)
    /// A membership inside another packet, looked at.
    case embeddedMembership(Address)
    /// ERROR asking for credentials sent.
    case credentialRequest(Address, NetworkID)

    fileprivate var number: UInt64 {
        switch self {
        case .credentials(let peer): mix(peer.value)
        case .embeddedMembership(let peer): mix(peer.value ^ 1 << 40)
        case .credentialRequest(let peer, let network): mix(mix(peer.value ^ 2 << 40) ^ network.value)
        }
    }
}

/// Gates that are closed. When all places of a gate are taken, the one that opens soonest makes room. So the number of others
/// never keeps a newcomer out. `SignatureBudget` bounds what passes more often because of that.
struct GateTable: Sendable {
    private struct Entry: Sendable {
        let gate: Gate
        let opens: MonotonicInstant
    }

    private var entries = [Entry?](repeating: nil, count: EthernetLimits.gates)
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    /// Whether something may happen now; if so, not again for `interval`.
    mutating func pass(_ gate: Gate, _ interval: Duration, _ now: MonotonicInstant) -> Bool {
        let first = WorkPlaces.first(of: gate.number, seed, entries.count)
        var choice = first
        var soonest = MonotonicInstant.distantFuture
        for index in first..<first + WorkPlaces.perSet {
            let opens = entries[index].map(\.opens) ?? .zero
            if entries[index]?.gate == gate {
                guard now >= opens else { return false }
                choice = index
                break
            }
            if opens < soonest {
                soonest = opens
                choice = index
            }
        }
        entries[choice] = Entry(gate: gate, opens: now + interval)
        return true
    }

    /// Opens a gate before its time.
    mutating func reopen(_ gate: Gate) {
        let first = WorkPlaces.first(of: gate.number, seed, entries.count)
        for index in first..<first + WorkPlaces.perSet where entries[index]?.gate == gate { entries[index] = nil }
    }
}

/// Signatures that are checked because of what others sent: for each sender, and over all. Members have a budget of their own, so
/// that strangers cannot use theirs up.
struct SignatureBudget: Sendable {
    private struct Account: Sendable {
        let peer: Address
        var asStranger = RateLimiter(
            burst: EthernetLimits.signaturesPerPeer, interval: EthernetLimits.signatureIntervalPerPeer)
        var asMember = RateLimiter(
            burst: EthernetLimits.signaturesPerMember, interval: EthernetLimits.signatureIntervalPerMember)
    }

    private var accounts = [Account?](repeating: nil, count: EthernetLimits.signatureAccounts)
    private var ofMembers = RateLimiter(
        burst: EthernetLimits.signaturesOfMembers, interval: EthernetLimits.signatureIntervalOfMembers)
    private var ofStrangers = RateLimiter(
        burst: EthernetLimits.signaturesOfStrangers, interval: EthernetLimits.signatureIntervalOfStrangers)
    private let seed: UInt64
    /// Signatures that were allowed since the start.
    private(set) var count: UInt64 = 0

    init(seed: UInt64) { self.seed = seed }

    /// Whether one more signature may be checked for a peer.
    mutating func allow(_ peer: Address, isMember: Bool, _ now: MonotonicInstant) -> Bool {
        let index = index(of: peer, now)
        var account = accounts[index].flatMap { $0.peer == peer ? $0 : nil } ?? Account(peer: peer)
        let isAllowed = isMember ? account.asMember.allow(now) : account.asStranger.allow(now)
        accounts[index] = account
        guard isAllowed, isMember ? ofMembers.allow(now) : ofStrangers.allow(now) else { return false }
        count &+= 1
        return true
    }

    private func index(of peer: Address, _ now: MonotonicInstant) -> Int {
        let first = WorkPlaces.first(of: mix(peer.value), seed, accounts.count)
        var choice = first
        var least = Duration.seconds(Int64.max >> 32)
        for index in first..<first + WorkPlaces.perSet {
            guard let account = accounts[index] else { return index }
            if account.peer == peer { return index }
            let debt = max(account.asStranger.debt(now), account.asMember.debt(now))
            if debt < least {
                least = debt
                choice = index
            }
        }
        return choice
    }
}

/// Where things of one number are in a table of sets.
private enum WorkPlaces {
    /// Places in a set.
    static let perSet = 4

    /// The first place of a number's set. `count` is a multiple of `perSet`.
    static func first(of number: UInt64, _ seed: UInt64, _ count: Int) -> Int {
        Int(mix(number ^ seed) % UInt64(count / perSet)) * perSet
    }
}
