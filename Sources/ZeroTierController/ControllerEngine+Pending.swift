//  What an administrator is answered with: a record as its own change leaves it. The answer is given when the change is durable. By
//  then another one may have changed the record again, or removed it.

package import NetPrimitives
package import ZeroTierWire

extension ControllerEngine {
    /// A network with all changes that were decided; nil if there is none, or it is being deleted.
    package func pendingNetwork(_ id: NetworkID) -> NetworkRecord? {
        slots[id].flatMap { networks[$0].isLeaving ? nil : networks[$0].record }
    }

    /// A member with all changes that were decided, or a node that waits; nil if there is neither.
    package func pendingMember(_ member: Address, of id: NetworkID) -> MemberRecord? {
        slots[id].flatMap { networks[$0].members[member] } ?? memberOrWaiting(member, of: id)
    }

    /// How many members a network has, those who wait included, and how many of them are let in.
    package func memberCounts(of id: NetworkID) -> (total: Int, authorized: Int) {
        guard let slot = slots[id] else { return (0, 0) }
        let members = networks[slot].members.values
        return (
            members.count + networks[slot].strangers.count, members.reduce(0) { $0 + ($1.isAuthorized ? 1 : 0) }
        )
    }

    /// How many nodes asked a network lately, members or not.
    package func onlineCount(of id: NetworkID, now: Now) -> Int {
        guard let slot = slots[id] else { return 0 }
        return networks[slot].presences.values.reduce(0) { $0 + ($1.isOnline(now.monotonic) ? 1 : 0) }
    }

    /// When a node asked last, in Unix milliseconds; nil if that is long ago.
    package func lastRequest(of member: Address, on id: NetworkID, now: Now) -> UInt64? {
        guard let presence = slots[id].flatMap({ networks[$0].presences[member] }) else { return nil }
        let age = (now.monotonic - presence.lastRequest).milliseconds
        return UInt64(clamping: now.unixMilliseconds - age)
    }
}
