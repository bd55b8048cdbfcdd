//  Which addresses a member gets. The order, the formulas and the first candidates are the field's: members keep their addresses
//  when a network moves from another controller to this one.
//  Read first: zerotier/ZeroTierOne controller/EmbeddedNetworkController.cpp (facts only).
//
//  1  RFC 4193 and 6PLANE, if the network has them          3  IPv6 from the pools, if there is none yet
//  2  what the member has already, where a route leads      4  IPv4 from the pools, if there is none yet
//
//  Three things differ. The last address of an IPv4 pool is tried when all others are taken; the reference never gives it. No
//  address outside its pool is given. And a route to everywhere does not keep a pool from being used, wherever it stands.

import NetPrimitives
import ZeroTierWire

/// A member's addresses.
struct AddressPlan {
    /// With the prefix lengths of the network, at most 32.
    var addresses: [IPPrefix] = []
    /// Those taken from pools at this time, for the member's record.
    var new: [IPAddress] = []
    /// One of the two plans is among them: members find each other without asking.
    var emulatesNeighbours = false
    /// Families of which there are pools, of which it wants an address and none was left.
    private(set) var missing: AddressFamilies = []
    // For new ones in the member's record.
    private var room = 0

    /// What a member has, without taking anything new.
    init(_ network: NetworkRecord, _ member: MemberRecord) {
        if !member.takesNoAssignment {
            if network.assignsRFC4193 {
                addresses.append(
                    IPPrefix(
                        network.id.rfc4193Address(of: member.address), length: NetworkID.rfc4193PrefixLength))
            }
            if network.assigns6PLANE {
                addresses.append(
                    IPPrefix(
                        network.id.sixPlaneAddress(of: member.address), length: NetworkID.sixPlanePrefixLength))
            }
            emulatesNeighbours = !addresses.isEmpty
        }
        for address in member.addresses where addresses.count < ProtocolLimits.staticAddresses {
            guard let length = AddressPlan.longestRoute(to: address, in: network) else { continue }
            addresses.append(IPPrefix(address, length: length))
        }
    }

    /// What a member has, and what it gets from the pools. `isTaken` says what any member of the network has.
    init(
        _ network: NetworkRecord, _ member: MemberRecord, _ random: inout RandomSource,
        isTaken: (IPAddress) -> Bool
    ) {
        self.init(network, member)
        room = ControllerLimits.addressesPerMember - member.addresses.count
        guard !member.takesNoAssignment, room > 0 else { return }
        let routed = member.addresses.filter { AddressPlan.longestRoute(to: $0, in: network) != nil }
        if network.assignsIPv6, !routed.contains(where: \.isIPv6) {
            missing = network.pools.contains(where: \.first.isIPv6) ? .ipv6 : []
            for pool in network.pools where pool.first.isIPv6 {
                guard
                    let found = AddressPlan.ipv6(pool, network, member.address, &random, { isTaken($0) || has($0) })
                else { continue }
                take(found)
                missing.remove(.ipv6)
                break
            }
        }
        if network.assignsIPv4, !routed.contains(where: \.isIPv4) {
            if network.pools.contains(where: \.first.isIPv4) { missing.insert(.ipv4) }
            for pool in network.pools where pool.first.isIPv4 {
                guard let found = AddressPlan.ipv4(pool, network, member.address, { isTaken($0) || has($0) }) else {
                    continue
                }
                take(found)
                missing.remove(.ipv4)
                break
            }
        }
    }

    private func has(_ address: IPAddress) -> Bool { addresses.contains { $0.address == address } }

    private mutating func take(_ found: IPPrefix) {
        guard addresses.count < ProtocolLimits.staticAddresses, new.count < room else { return }
        addresses.append(found)
        new.append(found.address)
    }

    static func longestRoute(to address: IPAddress, in network: NetworkRecord) -> Int? {
        network.routes.lazy.filter { $0.target.contains(address) }.map(\.target.length).max()
    }

    /// Whether a route says of an address of a pool how long its prefix is.
    static func leads(_ route: NetworkRoute, toNew address: IPAddress) -> Bool {
        route.target.length > 0 && (address.isIPv4 || route.via == nil) && route.target.contains(address)
    }

    // The first candidate follows from the member's address, if the pool has room for all of them; the others are drawn.
    private static func ipv6(
        _ pool: AddressPool, _ network: NetworkRecord, _ member: Address, _ random: inout RandomSource,
        _ isTaken: (IPAddress) -> Bool
    ) -> IPPrefix? {
        let (first, last) = (pool.first, pool.last)
        let followsMember = last.low &- first.low >= 0xff_ffff_ffff
        for trial in 0..<ControllerLimits.addressTrials {
            let candidate: IPAddress
            if trial == 0, followsMember {
                candidate = IPAddress(v6High: first.high, low: first.low &+ member.value)
            } else {
                candidate = IPAddress(
                    v6High: draw(first.high, last.high, &random), low: draw(first.low, last.low, &random))
            }
            guard pool.contains(candidate), !isTaken(candidate) else { continue }
            let onLink = network.routes.last { leads($0, toNew: candidate) }
            if let onLink { return IPPrefix(candidate, length: onLink.target.length) }
        }
        return nil
    }

    private static func draw(_ first: UInt64, _ last: UInt64, _ random: inout RandomSource) -> UInt64 {
        first == last ? first : first &+ random.nextUInt64() % (last &- first)
    }

    private static func ipv4(
        _ pool: AddressPool, _ network: NetworkRecord, _ member: Address, _ isTaken: (IPAddress) -> Bool
    ) -> IPPrefix? {
        let first = pool.first.v4
        let span = pool.last.v4 - first
        func prefix(_ number: UInt32) -> IPPrefix? {
            let candidate = IPAddress(v4: number)
            guard number & 0xff != 0xff, !isTaken(candidate),
                let route = network.routes.first(where: { leads($0, toNew: candidate) })
            else { return nil }
            return IPPrefix(candidate, length: route.target.length)
        }
        if span > 0 {
            let start = UInt32(truncatingIfNeeded: member.value)
            for trial in 0..<min(span, UInt32(ControllerLimits.addressTrials)) {
                if let found = prefix(first + (start &+ trial) % span) { return found }
            }
        }
        return prefix(pool.last.v4)
    }
}
