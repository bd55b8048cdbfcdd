// A connection's bytes to be sent, in numbers: up to about 45 equal segments. They are booked when the description is
// made, and written one by one into the slots that the link lends.

import NetPrimitives

/// A run of segments of one connection. Write it before the connection's next mutating call.
package struct TCPBurst: Sendable {
    /// Sequence number of the first segment.
    package var sequence = SequenceNumber(0)
    package var acknowledgment = SequenceNumber(0)
    /// The window field, scaled.
    package var window: UInt16 = 0
    /// Flags of every segment.
    package var flags: SegmentFlags = []
    /// Flags of the last segment besides: PSH, FIN.
    package var lastFlags: SegmentFlags = []
    /// Bytes of payload of all segments together.
    package var payloadLength = 0
    /// Payload of every segment but the last.
    package var segmentSize = 0
    /// How many segments: at least 1.
    package var count = 1
    /// TCP header with options, the same for all.
    package var headerLength: Int { 20 + 4 * optionCount }
    /// Whether payload is sent again.
    package var isRetransmission = false
    /// Whether a queue may mark it in place of losing it: ECT(0) in its IP header (RFC 3168 5).
    package var isMarkable = false

    /// Offset in the send stream of the first payload byte.
    var streamOffset = 0
    var ports: UInt32 = 0
    /// The options as 32-bit words, padded with no-operations.
    var optionWords: InlineArray<10, UInt32> = InlineArray(repeating: 0)
    var optionCount = 0
    /// Partial checksum of what is the same in all segments: pseudo header, ports, ACK, window, options.
    var templateSum: UInt32 = 0

    /// Length of a segment: header and payload.
    package func length(_ segment: Int) -> Int { headerLength + payload(segment) }

    /// Payload bytes of a segment.
    package func payload(_ segment: Int) -> Int {
        segment == count &- 1 ? payloadLength &- segmentSize &* (count &- 1) : segmentSize
    }

    /// Adds an option word, if there is still room in a header.
    mutating func append(_ word: UInt32) {
        guard optionCount < 10 else { return }
        optionWords[optionCount] = word
        optionCount += 1
    }

    mutating func append(_ timestamp: SegmentOptions.Timestamp, sackPermitted: Bool = false) {
        append(sackPermitted ? 0x0402_080A : 0x0101_080A)
        append(timestamp.value)
        append(timestamp.echo)
    }

    mutating func append(_ blocks: SackBlocks) {
        guard blocks.count > 0 else { return }
        append(0x0101_0500 | UInt32(2 + 8 * blocks.count))
        for index in 0..<blocks.count {
            append(blocks[index].start.value)
            append(blocks[index].end.value)
        }
    }

    /// Sums the fields that do not differ between segments. The last step of making a burst.
    mutating func seal(_ pseudoHeaderSum: UInt32) {
        var sum = UInt64(pseudoHeaderSum) + UInt64(ports) + UInt64(acknowledgment.value) + UInt64(window)
        for index in 0..<optionCount { sum += UInt64(optionWords[index]) }
        templateSum = Checksum.fold(sum)
    }

    /// Writes the header of a segment but for the checksum, and gives the partial checksum of header and pseudo header.
    @inline(__always)
    func writeHeader(_ segment: Int, into packet: inout MutableRawSpan, at offset: Int) -> UInt32 {
        let number = sequence.value &+ UInt32(truncatingIfNeeded: segment &* segmentSize)
        let bits = segment == count &- 1 ? flags.union(lastFlags) : flags
        let word = UInt16(truncatingIfNeeded: 5 &+ optionCount) &<< 12 | UInt16(bits.rawValue)
        packet.storeUInt64(UInt64(ports) &<< 32 | UInt64(number), at: offset)
        packet.storeUInt64(
            UInt64(acknowledgment.value) &<< 32 | UInt64(word) &<< 16 | UInt64(window), at: offset &+ 8)
        packet.storeUInt32(0, at: offset &+ 16)
        for index in 0..<optionCount { packet.storeUInt32(optionWords[index], at: offset &+ 20 &+ 4 &* index) }
        let length = UInt64(truncatingIfNeeded: self.length(segment))
        return Checksum.fold(UInt64(templateSum) &+ UInt64(number) &+ UInt64(word) &+ length)
    }
}
