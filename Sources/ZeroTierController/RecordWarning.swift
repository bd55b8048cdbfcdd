//  What is accepted and does not do what it seems to. The field takes all of it, and its tools send pools before routes; so it is
//  no error. It follows from the records as they are after a change, and from nothing else.

package import NetPrimitives
package import ZeroTierWire

/// Something about a network or a member that its administrator may want to know.
package enum RecordWarning: Hashable, Sendable {
    /// An address of a member that no route holds: it does not get it.
    case addressWithoutRoute(IPAddress)
    /// An address that two members have, or more.
    case addressShared(IPAddress, Address, Address)
    /// A member that wants an address of this family and got none: the pools are full.
    case addressMissing(isIPv4: Bool)
    /// A pool with addresses that no route holds: nobody gets those.
    case poolWithoutRoute(AddressPool)
    /// A pool of a family of which members get no addresses.
    case poolUnused(AddressPool)
    case poolsOverlap(AddressPool, AddressPool)
    /// Every address of this family's pools is taken.
    case poolsFull(isIPv4: Bool)
    /// Members are to get addresses of this family, and there is no pool of it.
    case modeWithoutPool(isIPv4: Bool)
    /// A gateway that members cannot reach on the network itself.
    case gatewayWithoutRoute(NetworkRoute)
    /// A route on the network itself that shares addresses with one of another network here.
    case routesOverlap(IPPrefix, NetworkID, IPPrefix)
    /// Rules compare a tag, or a member has one, that the network does not define.
    case tagUndefined(UInt32)
    /// A member has a capability that the network does not define.
    case capabilityUndefined(UInt32)
}

extension AddressPool {
    /// Whether no member can get an address of it any more. IPv4 addresses that end in 255 are given to nobody.
    fileprivate func isFull(_ routes: [NetworkRoute], _ holders: AddressHolders) -> Bool {
        // Most pools have more addresses than there are members with one.
        let most = UInt64(holders.count)
        guard first.high == last.high, last.low - first.low <= most + most / 128 + 1 else { return false }
        for low in first.low...last.low {
            let address = first.isIPv4 ? IPAddress(v4: UInt32(low)) : IPAddress(v6High: first.high, low: low)
            if first.isIPv4, low & 0xff == 0xff { continue }
            if holders.isHeld(address) { continue }
            if routes.contains(where: { AddressPlan.leads($0, toNew: address) }) { return false }
        }
        return true
    }

    fileprivate func overlaps(_ other: AddressPool) -> Bool {
        first.isIPv4 == other.first.isIPv4 && first <= other.last && other.first <= last
    }

    // Routes are prefixes, so a pool is inside if it is inside one of them, or if several cover it without a gap.
    fileprivate func isInside(_ routes: [NetworkRoute]) -> Bool {
        var next = first
        while true {
            let ends = routes.lazy.filter { AddressPlan.leads($0, toNew: next) }.map(\.target.lastAddress)
            guard let end = ends.max() else { return false }
            if end >= last { return true }
            next = end.successor
        }
    }
}

extension IPPrefix {
    fileprivate var lastAddress: IPAddress {
        let base = address.masked(to: length)
        if base.isIPv4 { return IPAddress(v4: length == 0 ? .max : base.v4 | ~(UInt32.max << UInt32(32 - length))) }
        func bits(_ length: Int) -> UInt64 { length <= 0 ? .max : length >= 64 ? 0 : UInt64.max >> UInt64(length) }
        return IPAddress(v6High: base.high | bits(length), low: base.low | bits(length - 64))
    }
}

extension IPAddress {
    // Of one that is not the last of all.
    fileprivate var successor: IPAddress {
        if isIPv4 { return IPAddress(v4: v4 &+ 1) }
        return IPAddress(v6High: low == .max ? high &+ 1 : high, low: low &+ 1)
    }
}

extension NetworkRecord {
    /// Everything about it that does not do what it seems to.
    func warnings(_ holders: AddressHolders, _ subnets: SubnetIndex) -> [RecordWarning] {
        var found: [RecordWarning] = []
        for (index, pool) in pools.enumerated() {
            if !(pool.first.isIPv4 ? assignsIPv4 : assignsIPv6) { found.append(.poolUnused(pool)) }
            if !pool.isInside(routes) { found.append(.poolWithoutRoute(pool)) }
            for other in pools[..<index] where other.overlaps(pool) { found.append(.poolsOverlap(other, pool)) }
        }
        for isIPv4 in [true, false] where isIPv4 ? assignsIPv4 : assignsIPv6 {
            if !pools.contains(where: { $0.first.isIPv4 == isIPv4 }) { found.append(.modeWithoutPool(isIPv4: isIPv4)) }
            if arePoolsFull(isIPv4: isIPv4, holders) { found.append(.poolsFull(isIPv4: isIPv4)) }
        }
        let onLink = routes.filter { $0.via == nil }
        for route in routes {
            guard let via = route.via else { continue }
            if !onLink.contains(where: { $0.target.contains(via) }) { found.append(.gatewayWithoutRoute(route)) }
        }
        let defined = Set(tags.map(\.id))
        let compared = Set((rules + capabilities.flatMap(\.rules)).compactMap(\.comparedTag))
        found += compared.subtracting(defined).sorted().map { .tagUndefined($0) }
        found += holders.shared.map { .addressShared($0.address, $0.first, $0.second) }
        for route in onLink where route.target.length > 0 {
            for (other, target) in subnets.overlapping(route.target, besides: id, limit: ControllerLimits.warnings) {
                found.append(.routesOverlap(route.target, other, target))
            }
        }
        return Array(found.prefix(ControllerLimits.warnings))
    }

    /// Whether there are pools of a family from which members can get addresses, and all of these are taken.
    func arePoolsFull(isIPv4: Bool, _ holders: AddressHolders) -> Bool {
        let usable = pools.filter { $0.first.isIPv4 == isIPv4 && $0.isInside(routes) }
        return !usable.isEmpty && usable.allSatisfy { $0.isFull(routes, holders) }
    }

    /// Whether a member wants an address of a family, and has none that a route holds.
    func owes(_ member: MemberRecord, isIPv4: Bool) -> Bool {
        guard member.isAuthorized, !member.takesNoAssignment, isIPv4 ? assignsIPv4 : assignsIPv6 else { return false }
        return !member.addresses.contains { $0.isIPv4 == isIPv4 && AddressPlan.longestRoute(to: $0, in: self) != nil }
    }

    /// Everything about a member of it. `unserved`: it asked, and got no address of these families.
    func warnings(
        of member: MemberRecord, _ holders: AddressHolders, unserved: AddressFamilies
    ) -> [RecordWarning] {
        var found: [RecordWarning] = []
        for address in member.addresses {
            if AddressPlan.longestRoute(to: address, in: self) == nil { found.append(.addressWithoutRoute(address)) }
            if let (first, second) = holders.sharers(of: address) {
                found.append(.addressShared(address, first, second))
            }
        }
        for isIPv4 in [true, false] where owes(member, isIPv4: isIPv4) {
            // One that never asked was never given anything.
            let isKnown = member.version != nil
            if isKnown, unserved.contains(.of(isIPv4: isIPv4)) || arePoolsFull(isIPv4: isIPv4, holders) {
                found.append(.addressMissing(isIPv4: isIPv4))
            }
        }
        let known = Set(tags.map(\.id))
        for tag in member.tags where !known.contains(tag.id) { found.append(.tagUndefined(tag.id)) }
        let defined = Set(capabilities.map(\.id))
        for id in member.capabilities where !defined.contains(id) { found.append(.capabilityUndefined(id)) }
        return found
    }
}

extension Rule {
    fileprivate var comparedTag: UInt32? {
        switch kind {
        case .tagsDifference(let id, _), .tagsAnd(let id, _), .tagsOr(let id, _), .tagsXor(let id, _),
            .tagsEqual(let id, _), .tagSender(let id, _), .tagReceiver(let id, _):
            id
        default: nil
        }
    }
}

// MARK: Reading

extension ControllerEngine {
    /// The subnets of all networks, for `warnings`.
    package var subnets: SubnetIndex { SubnetIndex(slots.keys.compactMap { network($0) }) }

    /// What of a network does not do what it seems to, as it is on disk. None if there is no such network.
    package func warnings(of id: NetworkID, _ subnets: SubnetIndex) -> [RecordWarning] {
        guard let slot = slots[id], let record = network(id) else { return [] }
        return record.warnings(networks[slot].holders, subnets)
    }

    /// The same of a member, as it is on disk.
    package func warnings(of member: MemberRecord, on id: NetworkID) -> [RecordWarning] {
        guard let slot = slots[id], let record = network(id) else { return [] }
        return record.warnings(
            of: member, networks[slot].holders, unserved: networks[slot].unserved[member.address] ?? [])
    }
}
