// The common parts of all header codecs: addresses in spans, protocol and EtherType numbers, pseudo-header sums. Read
// first: RFC 791, RFC 8200 8.1 (the pseudo-header), IANA protocol numbers.

import NetPrimitives

/// EtherTypes that the stack serves.
package enum EtherType {
    package static let ipv4: UInt16 = 0x0800
    package static let arp: UInt16 = 0x0806
    package static let ipv6: UInt16 = 0x86DD
}

/// IP protocol and next-header numbers.
enum IPProtocol {
    static let icmp4: UInt8 = 1
    static let igmp: UInt8 = 2
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17
    static let routing: UInt8 = 43
    static let fragment: UInt8 = 44
    static let icmp6: UInt8 = 58
    static let mobility: UInt8 = 135
}

// A header parser says why it refuses; the reason is counted.
extension StackDropReason: Error {}

extension RawSpan {
    /// The IPv4 address at an offset.
    @inline(__always)
    func loadIPv4(at offset: Int) -> IPAddress { IPAddress(v4: loadUInt32(at: offset)) }

    /// The IPv6 address at an offset.
    @inline(__always)
    func loadIPv6(at offset: Int) -> IPAddress {
        IPAddress(v6High: loadUInt64(at: offset), low: loadUInt64(at: offset + 8))
    }
}

extension MutableRawSpan {
    /// Writes an address, 4 or 16 bytes.
    @inline(__always)
    mutating func storeAddress(_ address: IPAddress, at offset: Int) {
        if address.isIPv4 {
            storeUInt32(address.v4, at: offset)
        } else {
            storeUInt64(address.high, at: offset)
            storeUInt64(address.low, at: offset + 8)
        }
    }
}

/// The partial sum of the pseudo-header that TCP, UDP and ICMPv6 checksums cover. Without the length, which
/// `Checksum.combine` adds.
@inline(__always)
func pseudoHeaderSum(_ source: IPAddress, _ destination: IPAddress, _ protocolNumber: UInt8) -> UInt32 {
    Checksum.combine(
        Checksum.combine(Checksum.sum(source), Checksum.sum(destination)), UInt32(protocolNumber))
}

/// The same with the upper layer's length in bytes (0...65535, or more for a reassembled IPv6 payload).
@inline(__always)
func pseudoHeaderSum(_ source: IPAddress, _ destination: IPAddress, _ protocolNumber: UInt8, length: Int) -> UInt32 {
    Checksum.combine(
        pseudoHeaderSum(source, destination, protocolNumber), Checksum.sum(UInt32(truncatingIfNeeded: length)))
}

/// Owned bytes filled through a span.
func makeBytes(_ count: Int, _ fill: (inout MutableRawSpan) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withMutableBytes(fill)
    return bytes
}

extension IPAddress {
    /// The Ethernet address of a multicast group (RFC 1112 6.4, RFC 2464 7), or broadcast.
    var multicastMAC: MACAddress {
        if isIPv4 {
            if !isMulticast { return .broadcast }
            return MACAddress(0x0100_5e00_0000 | UInt64(v4 & 0x007f_ffff))
        }
        return MACAddress(0x3333_0000_0000 | (low & 0xffff_ffff))
    }

    /// The solicited-node group of an IPv6 address (RFC 4291 2.7.1).
    var solicitedNode: IPAddress {
        IPAddress(v6High: 0xff02_0000_0000_0000, low: 0x0000_0001_ff00_0000 | (low & 0x00ff_ffff))
    }

    static let allNodes = IPAddress(v6High: 0xff02_0000_0000_0000, low: 1)
    static let allRouters = IPAddress(v6High: 0xff02_0000_0000_0000, low: 2)
    static let allHosts = IPAddress(v4: 0xe000_0001)
    static let loopback4 = IPAddress(v4: 0x7f00_0001)
    static let loopback6 = IPAddress(v6High: 0, low: 1)

    /// The link-local address that follows from a MAC (RFC 4291 appendix A).
    static func linkLocal(_ mac: MACAddress) -> IPAddress {
        let bits = mac.bits
        let upper = (bits >> 24) ^ 0x02_0000
        return IPAddress(v6High: 0xfe80_0000_0000_0000, low: upper << 40 | 0xff_fe00_0000 | (bits & 0xff_ffff))
    }

    /// A source that no packet may have: a group, or broadcast.
    var isImpossibleSource: Bool { isMulticast || isLimitedBroadcast }

    /// An IPv6 address that stands for an IPv4 address: mapped, or compatible (RFC 4291 2.5.5). `::` and `::1` are none.
    var embedsIPv4: Bool {
        !isIPv4 && high == 0 && (low >> 32 == 0xffff || (low >> 32 == 0 && low > 1))
    }

}
