//  Facts that follow from a network ID and a member's address alone: MAC, 6PLANE and RFC 4193 address, multicast
//  groups.
//  Read first: zerotier/ZeroTierOne node/MAC.hpp, node/InetAddress.cpp, node/MulticastGroup.hpp (facts only).

package import NetPrimitives

extension NetworkID {
    /// First byte of the MAC of every member: locally administered, unicast, and never 0x52 (an address range of KVM).
    package var macPrefix: UInt8 {
        let first = UInt8(truncatingIfNeeded: value) & 0xfe | 0x02
        return first == 0x52 ? 0x32 : first
    }

    // Bytes 1...5 of the ID counted from the low end, byte-reversed.
    private var macMask: UInt64 {
        var mask: UInt64 = 0
        for index in 1...5 { mask = mask << 8 | (value >> UInt64(8 * index)) & 0xff }
        return mask
    }

    /// The MAC of a member on this network.
    package func mac(of address: Address) -> MACAddress {
        MACAddress(UInt64(macPrefix) << 40 | (address.value ^ macMask))
    }

    /// The member whose MAC this is. The first byte is not looked at: ask `isMember` before.
    package func address(of mac: MACAddress) -> Address {
        Address(mac.bits & 0xff_ffff_ffff ^ macMask)
    }

    /// Whether a MAC is of a member (as opposed to something behind a bridge). Meaningless for multicast.
    package func isMember(_ mac: MACAddress) -> Bool {
        UInt8(truncatingIfNeeded: mac.bits >> 40) == macPrefix
    }

    // MARK: IPv6 plans

    private var sixPlanePrefix: UInt64 {
        0xfc << 56 | ((value ^ value >> 32) & 0xffff_ffff) << 24
    }

    /// The 6PLANE address of a member, of which the member owns the /80: `fc`, 4 network bytes, 5 address bytes, `::1`.
    package func sixPlaneAddress(of address: Address) -> IPAddress {
        IPAddress(
            v6High: sixPlanePrefix | address.value >> 16, low: (address.value & 0xffff) << 48 | 1)
    }

    /// The RFC 4193 address of a member: `fd`, 8 network bytes, `99 93`, 5 address bytes.
    package func rfc4193Address(of address: Address) -> IPAddress {
        IPAddress(v6High: 0xfd << 56 | value >> 8, low: (value & 0xff) << 56 | 0x9993 << 40 | address.value)
    }

    /// Prefix lengths that an interface gives the two plans: the whole network.
    package static let sixPlanePrefixLength = 40
    package static let rfc4193PrefixLength = 88

    /// The member that `target` belongs to under the plan of one of this node's own addresses; nil if the own address is
    /// of neither plan or the target lies outside. The result may be a reserved address.
    package func member(of target: IPAddress, under own: IPPrefix) -> Address? {
        guard target.isIPv6, own.address.isIPv6 else { return nil }
        if isRFC4193Plan(own) {
            guard own.contains(target) else { return nil }
            return Address(target.low)
        }
        if isSixPlanePlan(own) {
            guard own.contains(target) else { return nil }
            return Address(target.high << 16 | target.low >> 48)
        }
        return nil
    }

    /// Whether an own address is of the form of the RFC 4193 plan. The network bytes are not looked at.
    package func isRFC4193Plan(_ own: IPPrefix) -> Bool {
        own.address.isIPv6 && own.length == NetworkID.rfc4193PrefixLength && own.address.high >> 56 == 0xfd
            && (own.address.low >> 40) & 0xffff == 0x9993
    }

    /// Whether an own address is of this network's 6PLANE.
    package func isSixPlanePlan(_ own: IPPrefix) -> Bool {
        own.address.isIPv6 && own.length == NetworkID.sixPlanePrefixLength
            && own.address.high & (UInt64.max << 24) == sixPlanePrefix
    }
}

extension IPAddress {
    /// The link-local address of a member's MAC. Bit 0x02 of the first byte is cleared, not toggled: member MACs have it.
    package static func linkLocal(of mac: MACAddress) -> IPAddress {
        let bits = mac.bits & ~(0x02 << 40)
        let low = (bits >> 24) << 40 | 0xfffe << 24 | bits & 0xff_ffff
        return IPAddress(v6High: 0xfe80 << 48, low: low)
    }
}

/// A multicast group of a network: a multicast MAC, and a number that tells groups with the same MAC apart (the IPv4
/// address that ARP asks for; otherwise 0). The original calls the number ADI.
package struct MulticastGroup: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let mac: MACAddress
    package let distinguisher: UInt32

    package init(mac: MACAddress, distinguisher: UInt32 = 0) {
        self.mac = mac
        self.distinguisher = distinguisher
    }

    /// Everyone.
    package static let broadcast = MulticastGroup(mac: .broadcast)

    /// The group where ARP or a neighbour solicitation asks for the owner of an IP address.
    package static func resolution(of address: IPAddress) -> MulticastGroup {
        if address.isIPv4 { return MulticastGroup(mac: .broadcast, distinguisher: address.v4) }
        return MulticastGroup(mac: MACAddress(0x3333_ff00_0000 | address.low & 0xff_ffff))
    }

    /// The Ethernet group of an IP multicast address. RFC 1112 6.4, RFC 2464 7.
    package static func ethernet(of address: IPAddress) -> MulticastGroup {
        if address.isIPv4 { return MulticastGroup(mac: MACAddress(0x0100_5e00_0000 | UInt64(address.v4 & 0x7f_ffff))) }
        return MulticastGroup(mac: MACAddress(0x3333_0000_0000 | address.low & 0xffff_ffff))
    }

    package static func < (left: MulticastGroup, right: MulticastGroup) -> Bool {
        left.mac == right.mac ? left.distinguisher < right.distinguisher : left.mac < right.mac
    }

    package var description: String { "\(mac)/\(hexadecimal(UInt64(distinguisher), digits: 8))" }
}
