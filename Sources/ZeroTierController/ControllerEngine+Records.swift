//  Records as tools of the reference want them: a change makes what is not there, and who waits to be let in is a member that
//  is not, as it is in the reference.

package import NetPrimitives
package import ZeroTierWire

extension ControllerEngine {
    /// Changes a network, or makes it under this ID.
    package mutating func setNetwork(
        _ id: NetworkID, _ ticket: AdministrationTicket, now: Now, _ change: (inout NetworkRecord) -> Void
    ) throws(ControllerError) {
        if slots[id] == nil {
            _ = try createNetwork(id, ticket, now: now, change)
        } else {
            try changeNetwork(id, ticket, now: now, change)
        }
    }

    /// A member, or a node that waits, as a member of revision 0. Nil if it never asked.
    package func memberOrWaiting(_ member: Address, of id: NetworkID) -> MemberRecord? {
        if let known = self.member(member, of: id) { return known }
        return slots[id].flatMap { slot in
            networks[slot].strangers[member].map { MemberRecord(waiting: member, $0) }
        }
    }

    /// The members of a network and those who wait, by ascending address: their revisions, 0 for who waits.
    package func memberRevisions(of id: NetworkID) -> [(address: Address, revision: UInt64)] {
        let waiting = waitingNodes(of: id).map { (address: $0.address, revision: UInt64(0)) }
        return (memberRevisions(of: id, after: nil, limit: .max) + waiting).sorted { $0.address < $1.address }
    }

    /// The revisions of members by ascending address, as `members(of:after:limit:)` gives their records.
    package func memberRevisions(
        of id: NetworkID, after former: Address?, limit: Int
    ) -> [(address: Address, revision: UInt64)] {
        members(of: id, after: former, limit: limit).map { (address: $0.address, revision: $0.revision) }
    }

    /// Forgets a member, or a node that waits: it waits again when it asks again.
    package mutating func forget(
        _ member: Address, of id: NetworkID, _ ticket: AdministrationTicket, now: Now
    ) throws(ControllerError) {
        if let slot = slots[id], networks[slot].members[member] == nil, networks[slot].strangers[member] != nil {
            networks[slot].forgetStranger(member)
            then(.answer(ticket), about: id, now)
        } else {
            try deleteMember(member, of: id, ticket, now: now)
        }
    }
}

extension MemberRecord {
    fileprivate init(waiting address: Address, _ stranger: Stranger) {
        self.init(address: address)
        identity = stranger.identity
        creationTime = stranger.firstRequest
    }
}
