// Sequence numbers as they are on the wire. Inside, positions of both streams are `Int` offsets that never wrap; the two
// functions at the end are the only places that go from one to the other.
// Read first: RFC 9293 section 3.4.

/// A 32-bit sequence number, ordered modulo 2^32.
package struct SequenceNumber: Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    package let value: UInt32

    /// Makes a sequence number.
    package init(_ value: UInt32) { self.value = value }

    /// The number some bytes later; negative is earlier.
    package static func + (number: SequenceNumber, bytes: Int) -> SequenceNumber {
        SequenceNumber(number.value &+ UInt32(truncatingIfNeeded: bytes))
    }

    /// How far the left number is after the right one, in -2^31..<2^31.
    package static func - (left: SequenceNumber, right: SequenceNumber) -> Int {
        Int(Int32(bitPattern: left.value &- right.value))
    }

    /// Whether the left number is before the right one.
    package static func < (left: SequenceNumber, right: SequenceNumber) -> Bool { left - right < 0 }

    /// The stream offset that this number means, given a number and its offset that are less than 2^31 away.
    package func offset(near reference: SequenceNumber, at offset: Int) -> Int { offset + (self - reference) }

    /// The number in decimal.
    package var description: String { "\(value)" }
}

/// Whether timestamp `left` is older than `right`, modulo 2^32 (RFC 7323 5.2).
func isOlder(_ left: UInt32, than right: UInt32) -> Bool { Int32(bitPattern: left &- right) < 0 }
