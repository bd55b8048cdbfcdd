// Ethernet addresses.

/// A 48-bit Ethernet address.
public struct MACAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The address in the low 48 bits, first byte highest.
    public let bits: UInt64

    /// Makes an address from the low 48 bits of a number.
    @inlinable
    public init(_ bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// Makes an address from six bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 6 else { return nil }
        self.init(bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// `ff:ff:ff:ff:ff:ff`.
    public static let broadcast = MACAddress(0xffff_ffff_ffff)
    /// All zero: no address.
    public static let zero = MACAddress(0)

    /// Whether the group bit is set (broadcast included).
    @inlinable public var isMulticast: Bool { bits & 0x0100_0000_0000 != 0 }
    /// Whether this is the broadcast address.
    @inlinable public var isBroadcast: Bool { bits == 0xffff_ffff_ffff }

    /// The six bytes in wire order.
    public var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * $0)) } }

    /// Orders as numbers.
    public static func < (left: MACAddress, right: MACAddress) -> Bool { left.bits < right.bits }

    /// `aa:bb:cc:dd:ee:ff`.
    public var description: String { bytes.map { hexadecimal(UInt64($0), digits: 2) }.joined(separator: ":") }
}

/// A number in lower-case hexadecimal, padded with zeros to a width.
public func hexadecimal(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return text.utf8.count >= digits ? text : String(repeating: "0", count: digits - text.utf8.count) + text
}
