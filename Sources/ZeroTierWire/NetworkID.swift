//  The 64-bit ID of a virtual network: controller's address and a number chosen by it.

package import NetPrimitives

/// The ID of a virtual network, written as exactly 16 lower-case hex digits.
package struct NetworkID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Bytes of a network ID on the wire, big-endian.
    package static let size = 8

    /// The ID as a number.
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    /// Exactly 16 hexadecimal digits of either case.
    package init?(text: some StringProtocol) {
        guard let value = Hexadecimal.decodeNumber(text, digits: 16) else { return nil }
        self.init(value)
    }

    /// The network `number` (24 bits) of `controller`.
    package init(controller: Address, number: UInt32) {
        self.init(controller.value << 24 | UInt64(number & 0xff_ffff))
    }

    /// The address of the network's controller: the upper 40 bits. Reserved for an ad-hoc network.
    package var controller: Address { Address(value >> 24) }

    /// Whether the network has no controller: its ID begins with 0xff and every node derives the same configuration.
    package var isAdHoc: Bool { value >> 56 == 0xff }

    package var description: String { hexadecimal(value, digits: 16) }

    package static func < (left: NetworkID, right: NetworkID) -> Bool { left.value < right.value }
}

extension WireReader {
    /// The next 8 bytes as a network ID.
    package mutating func networkID(_ field: String) throws(WireError) -> NetworkID {
        NetworkID(try uint64(field))
    }
}

extension ByteWriter {
    /// Appends the 8 bytes of `network`.
    package mutating func networkID(_ network: NetworkID) {
        uint64(network.value)
    }
}
