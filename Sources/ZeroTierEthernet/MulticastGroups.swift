//  The subscribers of multicast groups: the records of MULTICAST_LIKE, of all networks. A member keeps the ones it
//  gathered, a root those of everyone.
//
//  Every record is in four places: a slot array, an index by (network, group, member), the list of its group, and two
//  chains from oldest to newest: its member's and everyone's. Refreshing moves it to the new end of both chains. Members
//  are in lists by how many records they hold.

import NetPrimitives
import ZeroTierWire

/// Multicast records with limits per member and in all.
struct MulticastGroups: Sendable {
    /// A group of one network.
    struct Key: Hashable, Sendable {
        let network: NetworkID
        let group: MulticastGroup
    }

    /// The outcome of adding a record.
    enum Added: Hashable, Sendable {
        case refreshed
        case new
        /// New. The member's own oldest record made room.
        case newOverPeerLimit
        /// New. The oldest record of a member with the most records made room.
        case newOverTotalLimit
    }

    private struct RecordKey: Hashable, Sendable {
        let key: Key
        let member: Address
    }

    private struct Link: Sendable {
        var older = -1
        var newer = -1
    }

    private struct Chain: Sendable {
        var oldest = -1
        var newest = -1
        var count = 0
        /// Neighbours in the list of the members with the same count.
        var previous: Address?
        var next: Address?
    }

    private struct Record: Sendable {
        var key: Key
        var member: Address
        var expires: MonotonicInstant
        /// Position in the group's list.
        var position: Int
        var everyone = Link()
        var own = Link()
    }

    private var records: [Record] = []
    private var free: [Int] = []
    private var index: [RecordKey: Int] = [:]
    private var lists: [Key: [Int]] = [:]
    private var peers: [Address: Chain] = [:]
    private var everyone = Chain()
    // The first of the members with so many records, so that the one with the most is found at once.
    private var withCount: [Address?]
    private var largestCount = 0
    private let limitPerPeer: Int
    private let limitTotal: Int
    private let life: Duration

    init(limitPerPeer: Int, limitTotal: Int, life: Duration) {
        self.limitPerPeer = max(1, limitPerPeer)
        self.limitTotal = max(1, limitTotal)
        self.life = life
        withCount = [Address?](repeating: nil, count: self.limitPerPeer + 1)
    }

    /// Records held.
    var count: Int { everyone.count }
    /// Records held of one member.
    func count(of member: Address) -> Int { peers[member]?.count ?? 0 }
    /// Members known of a group.
    func count(_ network: NetworkID, _ group: MulticastGroup) -> Int {
        lists[Key(network: network, group: group)]?.count ?? 0
    }

    /// Whether a member is known of a group.
    func contains(_ member: Address, in group: MulticastGroup, of network: NetworkID) -> Bool {
        index[RecordKey(key: Key(network: network, group: group), member: member)] != nil
    }

    // MARK: Changes

    /// Adds a member to a group, or makes its record new again.
    mutating func add(
        _ member: Address, to group: MulticastGroup, of network: NetworkID, _ now: MonotonicInstant
    ) -> Added {
        let key = Key(network: network, group: group)
        let recordKey = RecordKey(key: key, member: member)
        if let slot = index[recordKey] {
            records[slot].expires = now + life
            unlink(slot)
            link(slot)
            return .refreshed
        }
        var result = Added.new
        if let chain = peers[member], chain.count >= limitPerPeer {
            remove(chain.oldest)
            result = .newOverPeerLimit
        } else if everyone.count >= limitTotal, let greediest = withCount[largestCount] {
            // The member with the most records loses one, so that members that ask for much displace each other and
            // nobody else.
            if let chain = peers[greediest] { remove(chain.oldest) }
            result = .newOverTotalLimit
        }
        let position = lists[key]?.count ?? 0
        let record = Record(key: key, member: member, expires: now + life, position: position)
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            records[slot] = record
        } else {
            slot = records.count
            records.append(record)
        }
        index[recordKey] = slot
        lists[key, default: []].append(slot)
        link(slot)
        return result
    }

    /// Takes a member out of a group.
    mutating func remove(_ member: Address, from group: MulticastGroup, of network: NetworkID) {
        let key = RecordKey(key: Key(network: network, group: group), member: member)
        if let slot = index[key] { remove(slot) }
    }

    /// Forgets records that were not refreshed in time.
    mutating func expire(_ now: MonotonicInstant) {
        // Records were put at the new end when their time was set, so the oldest expires first.
        while everyone.oldest >= 0, records[everyone.oldest].expires <= now { remove(everyone.oldest) }
    }

    // MARK: Reading

    /// All members of a group in the order in which they came, but for gaps closed by the last.
    func members(_ network: NetworkID, _ group: MulticastGroup, _ now: MonotonicInstant) -> [Address] {
        (lists[Key(network: network, group: group)] ?? []).compactMap {
            records[$0].expires > now ? records[$0].member : nil
        }
    }

    /// Up to `limit` distinct random members of a group, never `except`.
    func sample(
        _ network: NetworkID, _ group: MulticastGroup, limit: Int, except: Address, random: inout RandomSource,
        _ now: MonotonicInstant
    ) -> [Address] {
        guard limit > 0, let list = lists[Key(network: network, group: group)] else { return [] }
        var result: [Address] = []
        if limit < list.count / 2 {
            // Few of many: draw positions, so that a large group is not copied for each asker.
            var drawn: Set<Int> = []
            var attempts = 4 * limit
            while result.count < limit, attempts > 0 {
                attempts -= 1
                let position = random.next(below: list.count)
                guard drawn.insert(position).inserted else { continue }
                let record = records[list[position]]
                if record.member != except, record.expires > now { result.append(record.member) }
            }
            return result
        }
        var slots = list
        var remaining = slots.count
        while result.count < limit, remaining > 0 {
            let position = random.next(below: remaining)
            remaining -= 1
            slots.swapAt(position, remaining)
            let record = records[slots[remaining]]
            if record.member != except, record.expires > now { result.append(record.member) }
        }
        return result
    }

    // MARK: Chains

    private mutating func link(_ slot: Int) {
        records[slot].everyone = Link(older: everyone.newest, newer: -1)
        if everyone.newest >= 0 { records[everyone.newest].everyone.newer = slot } else { everyone.oldest = slot }
        everyone.newest = slot
        everyone.count += 1
        let member = records[slot].member
        var chain = takeOut(member)
        records[slot].own = Link(older: chain.newest, newer: -1)
        if chain.newest >= 0 { records[chain.newest].own.newer = slot } else { chain.oldest = slot }
        chain.newest = slot
        chain.count += 1
        putBack(member, chain)
    }

    private mutating func unlink(_ slot: Int) {
        let all = records[slot].everyone
        if all.older >= 0 { records[all.older].everyone.newer = all.newer } else { everyone.oldest = all.newer }
        if all.newer >= 0 { records[all.newer].everyone.older = all.older } else { everyone.newest = all.older }
        everyone.count -= 1
        let own = records[slot].own
        let member = records[slot].member
        var chain = takeOut(member)
        if own.older >= 0 { records[own.older].own.newer = own.newer } else { chain.oldest = own.newer }
        if own.newer >= 0 { records[own.newer].own.older = own.older } else { chain.newest = own.older }
        chain.count -= 1
        putBack(member, chain)
    }

    // A member's chain, taken out of the list of its count.
    private mutating func takeOut(_ member: Address) -> Chain {
        guard let chain = peers[member] else { return Chain() }
        if let previous = chain.previous {
            peers[previous]?.next = chain.next
        } else {
            withCount[chain.count] = chain.next
        }
        if let next = chain.next { peers[next]?.previous = chain.previous }
        return chain
    }

    // Into the list of its new count; a member without records is forgotten.
    private mutating func putBack(_ member: Address, _ changed: Chain) {
        var chain = changed
        if chain.count > 0 {
            chain.previous = nil
            chain.next = withCount[chain.count]
            if let next = chain.next { peers[next]?.previous = member }
            withCount[chain.count] = member
            peers[member] = chain
        } else {
            peers[member] = nil
        }
        largestCount = max(largestCount, chain.count)
        while largestCount > 0, withCount[largestCount] == nil { largestCount -= 1 }
    }

    private mutating func remove(_ slot: Int) {
        unlink(slot)
        let record = records[slot]
        index[RecordKey(key: record.key, member: record.member)] = nil
        if var list = lists.removeValue(forKey: record.key) {
            let last = list.removeLast()
            if last != slot {
                list[record.position] = last
                records[last].position = record.position
            }
            if !list.isEmpty { lists[record.key] = list }
        }
        free.append(slot)
    }
}
