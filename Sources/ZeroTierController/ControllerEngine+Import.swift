//  Records of other controllers become networks here: all of an import in one transaction, or nothing. A network that came before
//  is known again by its ID, or by the one that it had.

package import NetPrimitives
package import ZeroTierWire

/// What is to become of networks that are there already.
package enum ExistingRecords: String, CaseIterable, Sendable {
    /// Nothing is taken, and all of them are named.
    case refuse
    /// What is here stays; members that are not here are taken.
    case keep
    /// What the files say takes the place of what is here; members that they do not name stay.
    case replace
}

/// A network that was imported.
package struct ImportedNetwork: Hashable, Sendable {
    package enum Outcome: String, Sendable {
        case made
        case kept
        case replaced
    }

    /// Its ID in the files.
    package let former: NetworkID
    /// Its ID here. Another one if the former is of another controller: its members must join it.
    package let id: NetworkID
    package let name: String
    package let outcome: Outcome
    /// Members that were taken.
    package let memberCount: Int
    /// Members that are let in and must join anew, by ascending address, and their names.
    package let mustJoin: [Node]

    package struct Node: Hashable, Sendable {
        package let address: Address
        package let name: String
    }
}

extension ControllerEngine {
    // Where a network of the files belongs.
    private struct Place {
        let former: NetworkID
        let id: NetworkID
        let isKnown: Bool
    }

    /// Takes all records of an import, or none. Networks of other controllers become new ones, under IDs of this one.
    package mutating func take(
        _ records: RecordImport, existing: ExistingRecords = .refuse, _ ticket: AdministrationTicket, now: Now
    ) throws(ControllerError) -> [ImportedNetwork] {
        try checkRoom()
        let places = try places(of: records)
        let known = places.filter(\.isKnown).map(\.id).sorted()
        guard existing != .refuse || known.isEmpty else { throw .networksExist(known) }
        for id in known { _ = try slot(id) }
        try checkRoom(for: records, places, existing)
        var result: [ImportedNetwork] = []
        var changed: NetworkID?
        for place in places {
            guard let network = records.networks[place.former] else { continue }
            let outcome: ImportedNetwork.Outcome = !place.isKnown ? .made : existing == .keep ? .kept : .replaced
            let taken = put(network, at: place, outcome, now)
            if !taken.isEmpty || outcome == .made || !ledger.isSettled(place.id) { changed = place.id }
            result.append(report(network, place, outcome, taken))
        }
        // What was put last is of the batch that all of it is in.
        if let any = changed ?? places.last?.id { then(.answer(ticket), about: any, now) }
        return result.sorted { $0.id < $1.id }
    }

    private mutating func places(of records: RecordImport) throws(ControllerError) -> [Place] {
        let formers = Dictionary(
            slots.compactMap { id, slot in networks[slot].record.former.map { ($0, id) } }, uniquingKeysWith: min)
        var taken = Set(slots.keys)
        var places: [Place] = []
        let sorted = records.networks.keys.sorted()
        for former in sorted where former.controller == address {
            let isKnown = slots[former] != nil
            taken.insert(former)
            places.append(Place(former: former, id: former, isKnown: isKnown))
        }
        for former in sorted where former.controller != address {
            if let id = formers[former] {
                places.append(Place(former: former, id: id, isKnown: true))
                continue
            }
            var id = NetworkID(controller: address, number: UInt32(former.value & 0xff_ffff))
            while taken.contains(id) || id.value & 0xff_ffff == 0 { id = try drawnID() }
            taken.insert(id)
            places.append(Place(former: former, id: id, isKnown: false))
        }
        return places
    }

    private func checkRoom(
        for records: RecordImport, _ places: [Place], _ existing: ExistingRecords
    ) throws(ControllerError) {
        let limit = configuration.networks
        guard slots.count + places.count(where: { !$0.isKnown }) <= limit else {
            throw .full("networks: at most \(limit)")
        }
        let most = configuration.membersPerNetwork
        var revoked = 0
        for place in places {
            let members = records.networks[place.former]?.members ?? [:]
            let here = slots[place.id].map { networks[$0].members } ?? [:]
            guard here.count + members.keys.count(where: { here[$0] == nil }) <= most else {
                throw .full("members of one network: at most \(most)")
            }
            guard existing == .replace else { continue }
            revoked += members.values.count { !$0.isAuthorized && here[$0.address]?.isAuthorized == true }
        }
        if revoked > 0 { try checkRevocations(revoked) }
    }

    // Gives the members that were taken.
    private mutating func put(
        _ network: RecordImport.Network, at place: Place, _ outcome: ImportedNetwork.Outcome, _ now: Now
    ) -> [MemberRecord] {
        let id = place.id
        var record = network.record
        record.id = id
        record.former = place.former == id ? nil : place.former
        if let slot = slots[id] {
            if outcome == .replaced { replace(record, slot, now) }
        } else {
            slots[id] = networks.insert(ControlledNetworkState(record))
            ledger.put(id, from: nil, to: record)
            then(.event(.networkChanged(id)), about: id, now)
        }
        guard let slot = slots[id] else { return [] }
        var taken: [MemberRecord] = []
        for member in network.members.values.sorted(by: { $0.address < $1.address }) {
            guard let old = networks[slot].members[member.address] else {
                ledger.put(member.address, of: id, from: nil, to: member)
                networks[slot].strangers[member.address] = nil
                networks[slot].setMember(member.address, member)
                taken.append(member)
                continue
            }
            if outcome == .replaced, replace(old, by: member, slot, now) { taken.append(member) }
        }
        return taken
    }

    private mutating func replace(_ record: NetworkRecord, _ slot: SlotID, _ now: Now) {
        let old = networks[slot].record
        var new = record
        new.creationTime = old.creationTime
        new.revision = old.revision
        guard new != old else { return }
        new.revision = ControllerEngine.revision(after: new.revision)
        networks[slot].record = new
        ledger.put(new.id, from: old, to: new)
        then(.pushAll(new.id), about: new.id, now)
        then(.event(.networkChanged(new.id)), about: new.id, now)
    }

    // False if it says nothing new.
    private mutating func replace(
        _ old: MemberRecord, by member: MemberRecord, _ slot: SlotID, _ now: Now
    ) -> Bool {
        let id = networks[slot].record.id
        var new = member
        new.revision = old.revision
        new.creationTime = old.creationTime
        if new.identity == nil || new.identity == old.identity {
            new.identity = old.identity
            new.isIdentityProven = old.isIdentityProven
        }
        new.version = new.version ?? old.version
        new.isRefused = !new.isAuthorized && (new.isRefused || old.isRefused || old.isAuthorized)
        guard new != old else { return false }
        if old.isAuthorized, !new.isAuthorized { new.lastDeauthorizedTime = stamp(now) }
        setMember(member.address, of: slot, new, now)
        if old.isAuthorized, !new.isAuthorized { then(.revoke(id, member.address), about: id, now) }
        then(new.isActiveBridge == old.isActiveBridge ? .push(id, member.address) : .pushAll(id), about: id, now)
        then(.event(.memberChanged(id, member.address)), about: id, now)
        return true
    }

    private func report(
        _ network: RecordImport.Network, _ place: Place, _ outcome: ImportedNetwork.Outcome, _ taken: [MemberRecord]
    ) -> ImportedNetwork {
        let isMoved = place.former != place.id
        let mustJoin = isMoved ? taken.filter(\.isAuthorized) : []
        return ImportedNetwork(
            former: place.former, id: place.id, name: network.record.name, outcome: outcome, memberCount: taken.count,
            mustJoin: mustJoin.map { ImportedNetwork.Node(address: $0.address, name: $0.name) })
    }
}
