// The names of nodes and networks.

import NetPrimitives

/// A node's 40-bit address, written as 10 hexadecimal digits.
public struct NodeID: Hashable, Comparable, Sendable, LosslessStringConvertible {
    /// The address as a number; the upper 24 bits are zero.
    public let value: UInt64

    /// The low 40 bits of a number.
    public init(_ value: UInt64) { self.value = value & 0xff_ffff_ffff }

    /// Exactly 10 hexadecimal digits.
    public init?(_ description: String) {
        guard description.utf8.count == 10, let value = UInt64(hexadecimalDigits: description) else { return nil }
        self.init(value)
    }

    /// Ten hexadecimal digits.
    public var description: String { hexadecimal(value, digits: 10) }

    /// Orders as numbers.
    public static func < (left: NodeID, right: NodeID) -> Bool { left.value < right.value }
}

/// The 64-bit ID of a virtual network, written as exactly 16 hexadecimal digits.
public struct NetworkID: Hashable, Comparable, Sendable, LosslessStringConvertible {
    /// The ID as a number.
    public let value: UInt64

    /// Names a network by number.
    public init(_ value: UInt64) { self.value = value }

    /// Exactly 16 hexadecimal digits; anything else is no network ID.
    public init?(_ description: String) {
        guard description.utf8.count == 16, let value = UInt64(hexadecimalDigits: description) else { return nil }
        self.init(value)
    }

    /// The ad-hoc network of a range of ports. It needs no controller. TCP connections can be opened only to these ports. UDP
    /// gets through on all ports, and so does everything else of IPv6; IPv4 does not. There is no access control: everybody
    /// who knows the ID can join.
    public static func adHoc(ports: ClosedRange<UInt16>) -> NetworkID {
        NetworkID(0xff << 56 | UInt64(ports.lowerBound) << 40 | UInt64(ports.upperBound) << 24)
    }

    /// Whether the network has no controller.
    public var isAdHoc: Bool { value >> 56 == 0xff }

    /// The node that decides who is a member; nil for an ad-hoc network.
    public var controller: NodeID? { isAdHoc ? nil : NodeID(value >> 24) }

    /// Sixteen hexadecimal digits.
    public var description: String { hexadecimal(value, digits: 16) }

    /// Orders as numbers.
    public static func < (left: NetworkID, right: NetworkID) -> Bool { left.value < right.value }
}

extension UInt64 {
    // `UInt64(_:radix:)` would also take a sign.
    fileprivate init?(hexadecimalDigits text: String) {
        guard text.utf8.first != UInt8(ascii: "+"), text.utf8.first != UInt8(ascii: "-") else { return nil }
        self.init(text, radix: 16)
    }
}
