// Segments without a connection's send state: RST for strangers, SYN-ACK of a half-open connection, ACK of TIME-WAIT.

import NetPrimitives

/// A segment without payload, in numbers. `write` puts it into a packet.
package struct ReplySegment: Sendable, Hashable {
    package var sourcePort: UInt16
    package var destinationPort: UInt16
    package var sequence: SequenceNumber
    package var acknowledgment: SequenceNumber
    package var flags: SegmentFlags
    package var window: UInt16 = 0
    /// With a SYN.
    package var maximumSegmentSize: UInt16?
    package var windowScale: UInt8?
    package var sackPermitted = false
    package var timestamp: SegmentOptions.Timestamp?

    package init(
        sourcePort: UInt16, destinationPort: UInt16, sequence: SequenceNumber, acknowledgment: SequenceNumber,
        flags: SegmentFlags
    ) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.sequence = sequence
        self.acknowledgment = acknowledgment
        self.flags = flags
    }

    /// The RST that answers a segment for which there is no connection (RFC 9293 3.10.7.1); nil: a RST is not answered.
    package init?(resetting header: SegmentHeader) {
        guard !header.flags.contains(.reset) else { return nil }
        let acknowledges = header.flags.contains(.acknowledge)
        self.init(
            sourcePort: header.destinationPort, destinationPort: header.sourcePort,
            sequence: acknowledges ? header.acknowledgment : SequenceNumber(0),
            acknowledgment: acknowledges ? SequenceNumber(0) : header.sequence + header.sequenceLength,
            flags: acknowledges ? .reset : [.reset, .acknowledge])
    }

    /// Bytes of the header.
    package var length: Int {
        var length = 20
        if maximumSegmentSize != nil { length += 4 }
        if windowScale != nil { length += 4 }
        if timestamp != nil { length += 12 } else if sackPermitted { length += 4 }
        return length
    }

    /// Writes the segment at an offset of a packet and gives its length. `pseudoHeaderSum` as of the function.
    package func write(into packet: inout MutableRawSpan, at offset: Int, pseudoHeaderSum: UInt32) -> Int {
        let length = self.length
        packet.storeUInt16(sourcePort, at: offset)
        packet.storeUInt16(destinationPort, at: offset + 2)
        packet.storeUInt32(sequence.value, at: offset + 4)
        packet.storeUInt32(acknowledgment.value, at: offset + 8)
        packet.storeUInt16(UInt16(length / 4) << 12 | UInt16(flags.rawValue), at: offset + 12)
        packet.storeUInt16(window, at: offset + 14)
        packet.storeUInt32(0, at: offset + 16)
        var position = offset + 20
        if let maximumSegmentSize {
            packet.storeUInt32(0x0204_0000 | UInt32(maximumSegmentSize), at: position)
            position += 4
        }
        if let timestamp {
            packet.storeUInt32(sackPermitted ? 0x0402_080A : 0x0101_080A, at: position)
            packet.storeUInt32(timestamp.value, at: position + 4)
            packet.storeUInt32(timestamp.echo, at: position + 8)
            position += 12
        } else if sackPermitted {
            packet.storeUInt32(0x0101_0402, at: position)
            position += 4
        }
        // Last, as in a SYN: middleboxes and fingerprints know one order.
        if let windowScale { packet.storeUInt32(0x0103_0300 | UInt32(windowScale), at: position) }
        let header = Checksum.sum(packet.bytes, from: offset, count: length)
        let sum = Checksum.combine(Checksum.combine(pseudoHeaderSum, header), UInt32(length))
        packet.storeUInt16(Checksum.finish(sum), at: offset + 16)
        return length
    }
}
