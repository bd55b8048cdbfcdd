//  One network of the controller: its members, who of them is there, what is assigned, and who waits to be let in.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// When a node asked last, and what it said of itself then.
struct Presence: Sendable {
    var lastRequest: MonotonicInstant
    /// The next request that comes earlier is not answered.
    var gateOpens: MonotonicInstant
    /// Of the last request; what an error answers.
    var lastPacket: PacketID
    /// The rules engine's revision is above 0.
    var knowsRules: Bool
    var version: MemberVersion

    func isOnline(_ now: MonotonicInstant) -> Bool { now - lastRequest < ControllerLimits.onlineWindow }
}

/// A node that asks and that nobody let in.
struct Stranger: Sendable {
    let identity: PublicKeys
    let firstRequest: UInt64
}

/// A revocation that was issued lately.
struct IssuedRevocation: Sendable {
    let revocation: Revocation
    let expires: MonotonicInstant
}

/// The state of one network. Records are those that the next change builds on; which of them are not durable yet, the
/// engine's ledger knows.
struct ControlledNetworkState: Sendable {
    var record: NetworkRecord
    /// Its deletion waits for the store.
    var isLeaving = false
    private(set) var members: [Address: MemberRecord] = [:]
    // Ascending, for lists that are read in parts.
    private var order: [Address] = []
    /// Nodes without a record. `presences` says when they asked.
    var strangers: [Address: Stranger] = [:]
    var presences: [Address: Presence] = [:]
    var revocations: [IssuedRevocation] = []
    private(set) var holders = AddressHolders()
    /// Members that asked and got no address of a family, because none was left.
    var unserved: [Address: AddressFamilies] = [:]
    private var bridges: Set<Address> = []

    init(_ record: NetworkRecord) { self.record = record }

    /// Puts a member's record in the place of the former one; nil takes it away.
    mutating func setMember(_ address: Address, _ new: MemberRecord?) {
        let old = members[address]
        if old?.addresses != new?.addresses {
            for held in old?.addresses ?? [] { holders.remove(held, of: address) }
            for held in new?.addresses ?? [] { holders.add(held, of: address) }
        }
        if (old == nil) != (new == nil) {
            let place = place(of: address)
            if new == nil { order.remove(at: place) } else { order.insert(address, at: place) }
        }
        if new?.isActiveBridge == true { bridges.insert(address) } else { bridges.remove(address) }
        if new?.isAuthorized != true { unserved[address] = nil }
        if let new { members[address] = new } else { members.removeValue(forKey: address) }
    }

    // Where an address stands in the order, or would.
    private func place(of address: Address) -> Int {
        // A store gives them in order.
        guard let last = order.last, address <= last else { return order.count }
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < address { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Addresses of members, ascending: the first ones, or those behind one, at most so many.
    func addresses(after former: Address?, limit: Int) -> [Address] {
        guard let former else { return Array(order.prefix(limit)) }
        let place = place(of: former)
        let start = place < order.count && order[place] == former ? place + 1 : place
        return Array(order[start...].prefix(limit))
    }

    /// Members that are bridges, by ascending address: as many as a configuration holds.
    var activeBridges: [Address] { Array(bridges.sorted().prefix(ControllerLimits.activeBridges)) }

    /// The identity of a member or of a node that waits; nil if it never asked.
    func identity(of address: Address) -> PublicKeys? { members[address]?.identity ?? strangers[address]?.identity }

    /// Members that were there lately, by ascending address.
    func onlineMembers(_ now: MonotonicInstant) -> [Address] {
        presences.filter { $0.value.isOnline(now) && members[$0.key] != nil }.keys.sorted()
    }

    /// Notes a node that waits to be let in. Whether it is new, and whether another one gave way.
    mutating func noteStranger(
        _ identity: Identity, _ presence: Presence, at time: UInt64, limit: Int
    ) -> (isNew: Bool, gaveWay: Bool) {
        let address = identity.address
        presences[address] = presence
        if strangers[address] != nil { return (false, false) }
        var gaveWay = false
        if strangers.count >= max(1, limit) {
            var oldest: (time: MonotonicInstant, address: Address)?
            for other in strangers.keys {
                let candidate = (time: presences[other]?.lastRequest ?? .zero, address: other)
                if let best = oldest, (best.time, best.address) < (candidate.time, candidate.address) { continue }
                oldest = candidate
            }
            if let oldest { forgetStranger(oldest.address) }
            gaveWay = true
        }
        strangers[address] = Stranger(identity: identity.publicKeys, firstRequest: time)
        return (true, gaveWay)
    }

    /// Notes a revocation that newcomers are to be shown, until what it voids is void by its age; the oldest gives way.
    mutating func note(_ revocation: Revocation, _ now: Now, limit: Int) {
        let life = Duration.milliseconds(Int64(clamping: record.credentialWindow))
        revocations.append(IssuedRevocation(revocation: revocation, expires: now.monotonic + life))
        if revocations.count > max(1, limit) { revocations.removeFirst() }
    }

    /// Forgets a node that waited.
    mutating func forgetStranger(_ address: Address) {
        strangers[address] = nil
        if members[address] == nil { presences[address] = nil }
    }

    /// Forgets who has been silent for long, and revocations of what is void by its age.
    mutating func expire(_ now: MonotonicInstant) {
        for address in strangers.keys {
            let last = presences[address]?.lastRequest ?? .zero
            if now - last >= ControllerLimits.strangerLife { forgetStranger(address) }
        }
        // Few of very many, as a rule.
        let gone = presences.filter { address, presence in
            strangers[address] == nil && (members[address] == nil || !presence.isOnline(now))
        }
        for address in gone.keys { presences[address] = nil }
        revocations.removeAll { $0.expires <= now }
    }
}
