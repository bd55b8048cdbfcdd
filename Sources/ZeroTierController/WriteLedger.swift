//  What is not durable yet: nothing is told before the store has it, and what the store refuses is taken back.
//
//  One transaction is under way at a time; everything that is decided meanwhile gathers for the next one. So a thousand first
//  requests in a second are a few writes to the disk, and an address that is taken in one of them is taken for all later ones.
//  A failure takes back all that is gathered too: it was decided in view of what failed.

import NetPrimitives
package import ZeroTierWire

/// One change of the store.
package enum RecordWrite: Hashable, Sendable {
    case putNetwork(NetworkID, [UInt8])
    /// With all its members.
    case removeNetwork(NetworkID)
    case putMember(NetworkID, Address, [UInt8])
    case removeMember(NetworkID, Address)
}

/// What happens once a change is durable.
enum Consequence: Sendable {
    /// An administrator is told.
    case answer(AdministrationTicket)
    case event(ControllerEvent)
    /// A member gets its configuration: in answer to a request, or as a push.
    case configure(NetworkID, Address, ConfigurationReply)
    /// All members of a network that are there get theirs.
    case pushAll(NetworkID)
    case push(NetworkID, Address)
    case refuse(NetworkID, Address, ConfigurationReply)
    /// A member was let out.
    case revoke(NetworkID, Address)
    case remove(NetworkID)
}

/// What a configuration answers.
enum ConfigurationReply: Hashable, Sendable {
    case request(PacketID)
    /// This node's own question.
    case local
    /// Nothing: it is pushed.
    case push
}

struct WriteLedger: Sendable {
    struct MemberKey: Hashable, Sendable {
        let network: NetworkID
        let member: Address
    }

    /// Versions, of which nil means that the record goes.
    struct Batch: Sendable {
        var networks: [NetworkID: NetworkRecord?] = [:]
        var members: [MemberKey: MemberRecord?] = [:]
        var consequences: [Consequence] = []

        var isEmpty: Bool { networks.isEmpty && members.isEmpty }

        /// Networks first, since members need theirs; those that go last, since they take members along.
        var writes: [RecordWrite] {
            var result: [RecordWrite] = []
            for id in networks.keys.sorted() {
                if let record = networks[id] ?? nil { result.append(.putNetwork(id, record.encoded)) }
            }
            for key in members.keys.sorted(by: { ($0.network, $0.member) < ($1.network, $1.member) }) {
                if let record = members[key] ?? nil {
                    result.append(.putMember(key.network, key.member, record.encoded))
                } else {
                    result.append(.removeMember(key.network, key.member))
                }
            }
            for id in networks.keys.sorted() where (networks[id] ?? nil) == nil { result.append(.removeNetwork(id)) }
            return result
        }
    }

    private(set) var gathering = Batch()
    private(set) var writing: Batch?
    /// What passed through here.
    private(set) var counters = ControllerCounters()
    /// The durable version of everything in `gathering` and `writing`; nil means that there is none.
    private var durableNetworks: [NetworkID: NetworkRecord?] = [:]
    private var durableMembers: [MemberKey: MemberRecord?] = [:]
    /// How many records of a network are not durable.
    private var unsettled: [NetworkID: Int] = [:]

    /// What waits, in all.
    var count: Int { gathering.consequences.count + gathering.members.count + (writing?.consequences.count ?? 0) }

    /// Whether everything of a network is durable.
    func isSettled(_ network: NetworkID) -> Bool { unsettled[network] == nil }

    /// Whether a member is durable as it is, and its network.
    func isSettled(_ member: Address, of network: NetworkID) -> Bool {
        durableNetworks[network] == nil && durableMembers[MemberKey(network: network, member: member)] == nil
    }

    // MARK: Gathering

    /// Notes a change of a network from its former version; nil as the new one: it goes.
    mutating func put(_ id: NetworkID, from old: NetworkRecord?, to new: NetworkRecord?) {
        counters.networkChanges &+= 1
        if durableNetworks[id] == nil {
            durableNetworks.updateValue(old, forKey: id)
            unsettled[id, default: 0] += 1
        }
        gathering.networks.updateValue(new, forKey: id)
    }

    /// The same of a member.
    mutating func put(
        _ member: Address, of network: NetworkID, from old: MemberRecord?, to new: MemberRecord?
    ) {
        counters.memberChanges &+= 1
        switch (old?.isAuthorized ?? false, new?.isAuthorized ?? false) {
        case (false, true): counters.admissions &+= 1
        case (true, false): counters.expulsions &+= 1
        default: break
        }
        let key = MemberKey(network: network, member: member)
        if durableMembers[key] == nil {
            durableMembers.updateValue(old, forKey: key)
            unsettled[network, default: 0] += 1
        }
        gathering.members.updateValue(new, forKey: key)
    }

    /// What is to happen when all that was decided so far is durable. Nil: it is; do it now.
    mutating func append(_ consequence: Consequence) -> Consequence? {
        if !gathering.isEmpty {
            gathering.consequences.append(consequence)
        } else if writing != nil {
            writing?.consequences.append(consequence)
        } else {
            return consequence
        }
        return nil
    }

    // MARK: Durable versions

    /// The version that the store has, of a record whose latest one is given.
    func durable(_ latest: NetworkRecord, _ id: NetworkID) -> NetworkRecord? { durableNetworks[id] ?? latest }

    /// The same of a member.
    func durable(_ latest: MemberRecord?, _ member: Address, of network: NetworkID) -> MemberRecord? {
        durableMembers[MemberKey(network: network, member: member)] ?? latest
    }

    /// Members of a network that are not durable as they are, with the version that the store has.
    func durableDifferences(of network: NetworkID) -> [(member: Address, record: MemberRecord?)] {
        guard unsettled[network] != nil else { return [] }
        return durableMembers.filter { $0.key.network == network }.map { ($0.key.member, $0.value) }
    }

    // MARK: Writing

    /// What is to be written next; nil while the store is busy, or if there is nothing.
    mutating func begin() -> [RecordWrite]? {
        guard writing == nil, !gathering.isEmpty else { return nil }
        let batch = gathering
        gathering = Batch()
        writing = batch
        counters.networksStored &+= UInt64(batch.networks.count)
        counters.membersStored &+= UInt64(batch.members.count)
        return batch.writes
    }

    /// The store has what was begun. What follows from it, in order.
    mutating func commit() -> [Consequence] {
        guard let batch = writing else { return [] }
        writing = nil
        for (id, version) in batch.networks {
            if gathering.networks[id] == nil {
                dropDurable(id)
            } else {
                durableNetworks.updateValue(version, forKey: id)
            }
        }
        for (key, version) in batch.members {
            if gathering.members[key] == nil {
                dropDurable(key)
            } else {
                durableMembers.updateValue(version, forKey: key)
            }
        }
        return batch.consequences
    }

    private mutating func dropDurable(_ id: NetworkID) {
        guard durableNetworks.removeValue(forKey: id) != nil else { return }
        countDown(id)
    }

    private mutating func dropDurable(_ key: MemberKey) {
        guard durableMembers.removeValue(forKey: key) != nil else { return }
        countDown(key.network)
    }

    private mutating func countDown(_ id: NetworkID) {
        guard let count = unsettled[id] else { return }
        unsettled[id] = count > 1 ? count - 1 : nil
    }

    /// The store refused. Gives what everything has to be again, and what will not happen.
    mutating func rollBack() -> (
        networks: [NetworkID: NetworkRecord?], members: [MemberKey: MemberRecord?], cancelled: [Consequence]
    ) {
        let cancelled = (writing?.consequences ?? []) + gathering.consequences
        defer {
            writing = nil
            gathering = Batch()
            durableNetworks = [:]
            durableMembers = [:]
            unsettled = [:]
        }
        return (durableNetworks, durableMembers, cancelled)
    }
}
