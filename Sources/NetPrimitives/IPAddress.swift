// IP addresses and prefixes of both families. Text after RFC 4291 section 2.2 and RFC 5952.

/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// For IPv6 the first eight bytes; 0 for IPv4.
    public let high: UInt64
    /// For IPv6 the last eight bytes; for IPv4 the address in the low 32 bits.
    public let low: UInt64
    /// Which family it is.
    public let isIPv4: Bool

    /// An IPv4 address from a number, first byte highest.
    @inlinable
    public init(v4: UInt32) {
        high = 0
        low = UInt64(v4)
        isIPv4 = true
    }

    /// An IPv6 address from its two halves, first byte highest.
    @inlinable
    public init(v6High high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
        isIPv4 = false
    }

    /// An address from 4 or 16 bytes in wire order.
    public init?(_ bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                v6High: bytes[0..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) },
                low: bytes[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// `0.0.0.0`.
    public static let anyIPv4 = IPAddress(v4: 0)
    /// `::`.
    public static let anyIPv6 = IPAddress(v6High: 0, low: 0)

    /// Whether this is an IPv6 address.
    @inlinable public var isIPv6: Bool { !isIPv4 }
    /// The IPv4 address as a number; meaningless for IPv6.
    @inlinable public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
    /// 4 or 16.
    @inlinable public var byteCount: Int { isIPv4 ? 4 : 16 }
    /// 32 or 128.
    @inlinable public var bitCount: Int { isIPv4 ? 32 : 128 }
    /// All bits zero.
    @inlinable public var isUnspecified: Bool { high == 0 && low == 0 }
    /// `127.0.0.0/8` or `::1`.
    public var isLoopback: Bool { isIPv4 ? low >> 24 == 127 : high == 0 && low == 1 }
    /// `224.0.0.0/4` or `ff00::/8`.
    public var isMulticast: Bool { isIPv4 ? low >> 28 == 0xe : high >> 56 == 0xff }
    /// `169.254.0.0/16` or `fe80::/10`.
    public var isLinkLocal: Bool { isIPv4 ? low >> 16 == 0xa9fe : high >> 54 == 0x3fa }
    /// `255.255.255.255`.
    public var isLimitedBroadcast: Bool { isIPv4 && low == 0xffff_ffff }

    /// The bytes in wire order: 4 or 16.
    public var bytes: [UInt8] {
        if isIPv4 { return (0..<4).map { UInt8(truncatingIfNeeded: low >> UInt64(24 - 8 * $0)) } }
        return (0..<16).map { index in
            UInt8(truncatingIfNeeded: (index < 8 ? high : low) >> UInt64(56 - 8 * (index % 8)))
        }
    }

    /// IPv4 before IPv6, then as numbers.
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        if left.isIPv4 != right.isIPv4 { return left.isIPv4 }
        return (left.high, left.low) < (right.high, right.low)
    }

    /// The address with all bits after the prefix cleared.
    public func masked(to length: Int) -> IPAddress {
        if isIPv4 {
            return IPAddress(v4: length <= 0 ? 0 : v4 & (UInt32.max << UInt32(max(0, 32 - length))))
        }
        func mask(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : UInt64.max << UInt64(max(0, 64 - bits)) }
        return IPAddress(v6High: high & mask(length), low: low & mask(length - 64))
    }

    // MARK: Text

    /// Parses dotted IPv4 or any RFC 4291 form of IPv6 (without zone).
    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let groups = IPAddress.parseIPv6(Substring(text)) else { return nil }
            func half(_ range: Range<Int>) -> UInt64 { groups[range].reduce(UInt64(0)) { $0 << 16 | UInt64($1) } }
            self.init(v6High: half(0..<4), low: half(4..<8))
        } else {
            guard let value = IPAddress.parseIPv4(Substring(text)) else { return nil }
            self.init(v4: value)
        }
    }

    private static func parseIPv4(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let byte = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }

    private static func parseGroups(_ text: Substring, mayEndInIPv4: Bool) -> [UInt16]? {
        if text.isEmpty { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
                guard let value = parseIPv4(part) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: value >> 16))
                groups.append(UInt16(truncatingIfNeeded: value))
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
                let group = UInt16(part, radix: 16)
            else { return nil }
            groups.append(group)
        }
        return groups
    }

    private static func parseIPv6(_ text: Substring) -> [UInt16]? {
        let bytes = Array(text.utf8)
        var gap: Int?
        var index = 0
        while index + 1 < bytes.count {
            if bytes[index] == UInt8(ascii: ":"), bytes[index + 1] == UInt8(ascii: ":") {
                guard gap == nil else { return nil }
                gap = index
                index += 1
            }
            index += 1
        }
        guard let gap else {
            guard let groups = parseGroups(text, mayEndInIPv4: true), groups.count == 8 else { return nil }
            return groups
        }
        let left = text.utf8.prefix(gap)
        let right = text.utf8.dropFirst(gap + 2)
        guard let head = parseGroups(Substring(left), mayEndInIPv4: false),
            let tail = parseGroups(Substring(right), mayEndInIPv4: true),
            head.count + tail.count < 8
        else { return nil }
        return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    /// Dotted for IPv4, RFC 5952 form for IPv6.
    public var description: String {
        if isIPv4 { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - 16 * ($0 % 4))) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > best.count { best = start..<end }
            start = end
        }
        func join(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard best.count > 1 else { return join(groups[...]) }
        return join(groups[..<best.lowerBound]) + "::" + join(groups[best.upperBound...])
    }
}

/// An address with the length of its network part. The host bits are kept: an interface address is written this way.
public struct IPPrefix: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The address, host bits included.
    public let address: IPAddress
    /// Bits of the network part: 0...32 or 0...128.
    public let length: Int

    /// Makes a prefix; the length is limited to what the family allows.
    public init(_ address: IPAddress, length: Int) {
        self.address = address
        self.length = min(max(0, length), address.bitCount)
    }

    /// Parses `10.0.0.1/24` or `fd00::1/64`; a bare address is a host.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(address, length: address.bitCount)
            return
        }
        guard let length = Int(parts[1]), (0...address.bitCount).contains(length) else { return nil }
        self.init(address, length: length)
    }

    /// The prefix with its host bits cleared.
    public var network: IPPrefix { IPPrefix(address.masked(to: length), length: length) }

    /// Whether an address lies inside.
    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == address.isIPv4 && other.masked(to: length) == address.masked(to: length)
    }

    /// Orders by address, then length.
    public static func < (left: IPPrefix, right: IPPrefix) -> Bool {
        (left.address, left.length) < (right.address, right.length)
    }

    /// `address/length`.
    public var description: String { "\(address)/\(length)" }
}
