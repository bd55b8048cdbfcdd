//  The 40-bit address of a node. Read first: zerotier/ZeroTierOne node/Address.hpp for the facts.

package import NetPrimitives

/// The address of a node: 40 bits, derived from its public key, written as exactly 10 lower-case hex digits.
package struct Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Bytes of an address on the wire, big-endian.
    package static let size = 5

    /// The address as a number; the upper 24 bits are zero.
    package let value: UInt64

    /// The address with the low 40 bits of `value`.
    package init(_ value: UInt64) {
        self.value = value & 0xff_ffff_ffff
    }

    /// Exactly 10 hexadecimal digits of either case.
    package init?(text: some StringProtocol) {
        guard let value = Hexadecimal.decodeNumber(text, digits: 10) else { return nil }
        self.init(value)
    }

    /// Zero and every address whose first byte is 0xff never belong to an identity.
    package var isReserved: Bool { value == 0 || value >> 32 == UInt64(ProtocolLimits.reservedAddressPrefix) }

    /// The 5 bytes of the address, big-endian.
    package var bytes: [UInt8] {
        (0..<5).map { UInt8(truncatingIfNeeded: value >> UInt64(32 - 8 * $0)) }
    }

    package var description: String { hexadecimal(value, digits: 10) }

    package static func < (left: Address, right: Address) -> Bool { left.value < right.value }
}

extension WireReader {
    /// The next 5 bytes as an address.
    package mutating func address(_ field: String) throws(WireError) -> Address {
        Address(try uint40(field))
    }
}

extension ByteWriter {
    /// Appends the 5 bytes of `address`.
    package mutating func address(_ address: Address) {
        uint40(address.value)
    }
}
