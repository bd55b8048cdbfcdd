//  What an administrator changes. Everything is validated before anything is changed; the answer comes when it is durable.

package import NetPrimitives
package import ZeroTierWire

extension ControllerEngine {
    // MARK: Networks

    /// Makes a network: with this ID, or one whose number is drawn. Throws what is wrong; else the answer comes as an effect
    /// with the ticket. Gives the ID.
    package mutating func createNetwork(
        _ wanted: NetworkID?, _ ticket: AdministrationTicket, now: Now, _ describe: (inout NetworkRecord) -> Void
    ) throws(ControllerError) -> NetworkID {
        let id: NetworkID
        if let wanted { id = wanted } else { id = try drawnID() }
        guard id.controller == address else { throw .networkForeign(id) }
        guard slots[id] == nil else { throw .networkTaken(id) }
        guard slots.count < configuration.networks else { throw .full("networks: at most \(configuration.networks)") }
        try checkRoom()
        var record = NetworkRecord(id: id)
        describe(&record)
        try record.validate()
        record.creationTime = UInt64(clamping: now.unixMilliseconds)
        record.revision = 1
        slots[id] = networks.insert(ControlledNetworkState(record))
        ledger.put(id, from: nil, to: record)
        then(.answer(ticket), about: id, now)
        then(.event(.networkChanged(id)), about: id, now)
        return id
    }

    mutating func drawnID() throws(ControllerError) -> NetworkID {
        for _ in 0..<ControllerLimits.numberTrials {
            let number = random.nextUInt32() & 0xff_ffff
            let id = NetworkID(controller: address, number: number)
            if number != 0, slots[id] == nil { return id }
        }
        throw .full("numbers for networks")
    }

    /// Changes a network. Members that are there get the new configuration at once.
    package mutating func changeNetwork(
        _ id: NetworkID, _ ticket: AdministrationTicket, now: Now, _ change: (inout NetworkRecord) -> Void
    ) throws(ControllerError) {
        let slot = try slot(id)
        try checkRoom()
        let old = networks[slot].record
        var new = old
        change(&new)
        guard new.id == id else { throw .fieldInvalid(field: "id", reason: "a network keeps its ID") }
        try new.validate()
        new.creationTime = old.creationTime
        new.revision = old.revision
        if new != old {
            new.revision = ControllerEngine.revision(after: new.revision)
            networks[slot].record = new
            ledger.put(id, from: old, to: new)
            then(.pushAll(id), about: id, now)
            then(.event(.networkChanged(id)), about: id, now)
        }
        then(.answer(ticket), about: id, now)
    }

    /// Deletes a network with all its members, who are told.
    package mutating func deleteNetwork(
        _ id: NetworkID, _ ticket: AdministrationTicket, now: Now
    ) throws(ControllerError) {
        let slot = try slot(id)
        try checkRoom()
        networks[slot].isLeaving = true
        ledger.put(id, from: networks[slot].record, to: nil)
        then(.remove(id), about: id, now)
        then(.answer(ticket), about: id, now)
        then(.event(.networkChanged(id)), about: id, now)
    }

    // MARK: Members

    /// Changes a member, or makes one before it ever asked. Who is let in gets its configuration at once if it is there; who is
    /// let out is revoked.
    package mutating func changeMember(
        _ member: Address, of id: NetworkID, _ ticket: AdministrationTicket, now: Now,
        _ change: (inout MemberRecord) -> Void
    ) throws(ControllerError) {
        let slot = try slot(id)
        try checkRoom()
        let old = networks[slot].members[member]
        if old == nil, networks[slot].members.count >= configuration.membersPerNetwork {
            throw .full("members of one network: at most \(configuration.membersPerNetwork)")
        }
        let base = old ?? MemberRecord(address: member)
        var new = base
        change(&new)
        if base.isAuthorized, !new.isAuthorized { try checkRevocations() }
        guard new.address == member else { throw .fieldInvalid(field: "address", reason: "a member keeps its address") }
        try new.validate()
        new.keep(base)
        if old == nil, let known = networks[slot].strangers[member]?.identity { new.learn(known) }
        let time = stamp(now)
        new.isRefused = !new.isAuthorized && (new.isRefused || base.isAuthorized)
        if new.isAuthorized, !base.isAuthorized {
            new.lastAuthorizedTime = time
            new.admission = .administrator
            catchUp(member, on: slot, now)
        } else if !new.isAuthorized, base.isAuthorized {
            new.lastDeauthorizedTime = time
        }
        if old == nil || new != base {
            setMember(member, of: slot, new, now)
            if base.isAuthorized, !new.isAuthorized { then(.revoke(id, member), about: id, now) }
            // All members know who the bridges are.
            let isForAll = new.isActiveBridge != base.isActiveBridge
            then(isForAll ? .pushAll(id) : .push(id, member), about: id, now)
            then(.event(.memberChanged(id, member)), about: id, now)
        }
        then(.answer(ticket), about: id, now)
    }

    /// Forgets a member and its addresses. If it asks again, it waits as any other node.
    package mutating func deleteMember(
        _ member: Address, of id: NetworkID, _ ticket: AdministrationTicket, now: Now
    ) throws(ControllerError) {
        let slot = try slot(id)
        try checkRoom()
        guard let old = networks[slot].members[member] else { throw .memberUnknown(id, member) }
        if old.isAuthorized { try checkRevocations() }
        setMember(member, of: slot, nil, now)
        if old.isAuthorized { then(.revoke(id, member), about: id, now) }
        if old.isActiveBridge { then(.pushAll(id), about: id, now) }
        then(.event(.memberChanged(id, member)), about: id, now)
        then(.answer(ticket), about: id, now)
    }

    func slot(_ id: NetworkID) throws(ControllerError) -> SlotID {
        guard let slot = slots[id] else { throw .networkUnknown(id) }
        guard !networks[slot].isLeaving else { throw .networkLeaving(id) }
        return slot
    }

    /// Who is let out must be revoked: rather not at all than without that.
    func checkRevocations(_ count: Int = 1) throws(ControllerError) {
        guard revocations.hasRoom(besides: ledger.count + count - 1) else { throw .storeBusy }
    }

    func checkRoom() throws(ControllerError) {
        guard ledger.count < configuration.waiting else { throw .storeBusy }
    }
}

extension MemberRecord {
    /// Takes back what no administrator may change.
    fileprivate mutating func keep(_ old: MemberRecord) {
        identity = old.identity
        isIdentityProven = old.isIdentityProven
        creationTime = old.creationTime
        revision = old.revision
        lastAuthorizedTime = old.lastAuthorizedTime
        lastDeauthorizedTime = old.lastDeauthorizedTime
        admission = old.admission
        version = old.version
    }
}
