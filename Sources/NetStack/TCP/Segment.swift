// A TCP header as received: one bounds check, then numbers. And the stateless answers: RST, ACK, SYN-ACK.
// Read first: RFC 9293 section 3.1.

package import NetPrimitives

/// The control bits of a segment.
package struct SegmentFlags: OptionSet, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let finish = SegmentFlags(rawValue: 0x01)
    package static let synchronize = SegmentFlags(rawValue: 0x02)
    package static let reset = SegmentFlags(rawValue: 0x04)
    package static let push = SegmentFlags(rawValue: 0x08)
    package static let acknowledge = SegmentFlags(rawValue: 0x10)
    package static let urgent = SegmentFlags(rawValue: 0x20)
    package static let congestionEcho = SegmentFlags(rawValue: 0x40)
    package static let windowReduced = SegmentFlags(rawValue: 0x80)

    /// One letter per bit that is set, as in a packet trace.
    package var description: String {
        let letters: [(SegmentFlags, String)] = [
            (.synchronize, "S"), (.finish, "F"), (.reset, "R"), (.push, "P"), (.acknowledge, "."), (.urgent, "U"),
            (.congestionEcho, "E"), (.windowReduced, "W"),
        ]
        return letters.filter { contains($0.0) }.map(\.1).joined()
    }
}

/// A received TCP header. The payload stays in the packet, at `payloadOffset`.
package struct SegmentHeader: Sendable {
    package var sourcePort: UInt16
    package var destinationPort: UInt16
    package var sequence: SequenceNumber
    package var acknowledgment: SequenceNumber
    package var flags: SegmentFlags
    /// The window field as on the wire, not scaled.
    package var window: UInt16
    package var options: SegmentOptions
    /// Where the payload begins in the packet.
    package var payloadOffset: Int
    /// Bytes of payload.
    package var payloadLength: Int
    /// Partial checksum of the header as received, with the checksum field, without pseudo header.
    package var headerSum: UInt32

    /// Parses the segment at `offset..<offset + length` of a packet. nil: the segment is too short or its data offset
    /// points outside. Options are parsed leniently: a malformed one ends the parse, what came before it counts.
    package init?(parsing packet: RawSpan, at offset: Int, length: Int) {
        guard length >= 20, offset >= 0, offset <= packet.byteCount - length else { return nil }
        let first = packet.loadUInt64(at: offset)
        let second = packet.loadUInt64(at: offset &+ 8)
        let third = packet.loadUInt32(at: offset &+ 16)
        let headerLength = Int(truncatingIfNeeded: (second &>> 28) & 0xF) &* 4
        guard headerLength >= 20, headerLength <= length else { return nil }
        sourcePort = UInt16(truncatingIfNeeded: first &>> 48)
        destinationPort = UInt16(truncatingIfNeeded: first &>> 32)
        sequence = SequenceNumber(UInt32(truncatingIfNeeded: first))
        acknowledgment = SequenceNumber(UInt32(truncatingIfNeeded: second &>> 32))
        flags = SegmentFlags(rawValue: UInt8(truncatingIfNeeded: second &>> 16))
        window = UInt16(truncatingIfNeeded: second)
        payloadOffset = offset &+ headerLength
        payloadLength = length &- headerLength
        // The sum is made of what has just been loaded: 32-bit words add up as well as 16-bit ones.
        let low: UInt64 = 0xFFFF_FFFF
        var sum = (first &>> 32) &+ (first & low) &+ (second &>> 32) &+ (second & low) &+ UInt64(third)
        options = SegmentOptions()
        options.wireLength = UInt8(truncatingIfNeeded: headerLength &- 20)
        if headerLength == 32, packet.loadUInt32(at: offset &+ 20) == SegmentOptions.plainTimestamp {
            // The layout of nearly every data segment: two no-operations and a timestamp.
            let timestamp = packet.loadUInt64(at: offset &+ 24)
            options.timestamp = SegmentOptions.Timestamp(
                value: UInt32(truncatingIfNeeded: timestamp &>> 32), echo: UInt32(truncatingIfNeeded: timestamp))
            sum = sum &+ UInt64(SegmentOptions.plainTimestamp) &+ (timestamp &>> 32) &+ (timestamp & low)
        } else if headerLength > 20 {
            options = SegmentOptions(parsing: packet, at: offset &+ 20, length: headerLength &- 20)
            sum = sum &+ UInt64(Checksum.sum(packet, from: offset &+ 20, count: headerLength &- 20))
        }
        headerSum = Checksum.fold(sum)
    }

    /// Sequence space that the segment takes: payload, SYN and FIN.
    package var sequenceLength: Int {
        payloadLength + (flags.contains(.synchronize) ? 1 : 0) + (flags.contains(.finish) ? 1 : 0)
    }

    /// Whether the checksum is right. `pseudoHeaderSum` as of `pseudoHeaderSum(_:_:)`.
    package func isChecksumValid(in packet: RawSpan, pseudoHeaderSum: UInt32) -> Bool {
        let payload = Checksum.sum(packet, from: payloadOffset, count: payloadLength)
        return Checksum.isValid(total(pseudoHeaderSum, payload))
    }

    func total(_ pseudoHeaderSum: UInt32, _ payloadSum: UInt32) -> UInt32 {
        let length = payloadLength + Int(headerLength)
        return Checksum.combine(
            Checksum.combine(pseudoHeaderSum, headerSum),
            Checksum.combine(payloadSum, Checksum.sum(UInt32(truncatingIfNeeded: length))))
    }

    /// Bytes of the header including options.
    package var headerLength: UInt8 { options.wireLength + 20 }
}

/// The partial sum of the pseudo header of either family, without the segment's length, which each user adds.
package func pseudoHeaderSum(_ one: IPAddress, _ other: IPAddress) -> UInt32 {
    Checksum.combine(Checksum.combine(Checksum.sum(one), Checksum.sum(other)), 6)
}
