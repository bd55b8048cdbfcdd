// TCP options: what a header may carry, parsed without trust.
// Read first: RFC 9293 section 3.2, RFC 7323 section 2 and 3, RFC 2018 section 3.

import NetPrimitives

/// One SACK block: `start..<end` in sequence numbers.
package struct SackBlock: Hashable, Sendable {
    package var start: SequenceNumber
    package var end: SequenceNumber

    package init(start: SequenceNumber, end: SequenceNumber) {
        self.start = start
        self.end = end
    }
}

/// Up to four SACK blocks, in line.
package struct SackBlocks: Sendable {
    package private(set) var count = 0
    private var storage: InlineArray<4, SackBlock> = InlineArray(
        repeating: SackBlock(start: SequenceNumber(0), end: SequenceNumber(0)))

    package init() {}

    package subscript(_ index: Int) -> SackBlock { storage[index] }

    /// Adds a block; more than four are ignored.
    package mutating func append(_ block: SackBlock) {
        guard count < 4 else { return }
        storage[count] = block
        count += 1
    }
}

/// The options of a received header.
package struct SegmentOptions: Sendable {
    /// Only of a SYN: the sender's largest segment.
    package var maximumSegmentSize: UInt16?
    /// Only of a SYN: the sender's window scale, clamped to 14.
    package var windowScale: UInt8?
    /// Only of a SYN.
    package var sackPermitted = false
    package var timestamp: Timestamp?
    package var sackBlocks = SackBlocks()
    /// Bytes that the options take in the header.
    package var wireLength: UInt8 = 0

    /// Value and echo of the timestamp option.
    package struct Timestamp: Hashable, Sendable {
        package var value: UInt32
        package var echo: UInt32

        package init(value: UInt32, echo: UInt32) {
            self.value = value
            self.echo = echo
        }
    }

    package init() {}

    /// Two no-operations, kind 8, length 10: how a timestamp begins in a segment with no other option.
    static let plainTimestamp: UInt32 = 0x0101_080A

    /// Parses `length` bytes of options. The range must lie in the packet.
    package init(parsing packet: RawSpan, at offset: Int, length: Int) {
        wireLength = UInt8(truncatingIfNeeded: length)
        parse(packet, offset, offset + length)
    }

    private mutating func parse(_ packet: RawSpan, _ start: Int, _ end: Int) {
        var position = start
        while position < end {
            let kind = packet.loadUInt8(at: position)
            if kind == 0 { return }
            if kind == 1 {
                position += 1
                continue
            }
            guard position + 1 < end else { return }
            let length = Int(packet.loadUInt8(at: position + 1))
            guard length >= 2, length <= end - position else { return }
            switch (kind, length) {
            case (2, 4): if maximumSegmentSize == nil { maximumSegmentSize = packet.loadUInt16(at: position + 2) }
            case (3, 3):
                if windowScale == nil {
                    windowScale = min(packet.loadUInt8(at: position + 2), UInt8(TCPLimits.maximumWindowScale))
                }
            case (4, 2): sackPermitted = true
            case (5, _) where (length - 2) % 8 == 0:
                for block in stride(from: position + 2, to: position + length, by: 8) {
                    sackBlocks.append(
                        SackBlock(
                            start: SequenceNumber(packet.loadUInt32(at: block)),
                            end: SequenceNumber(packet.loadUInt32(at: block + 4))))
                }
            case (8, 10):
                if timestamp == nil {
                    timestamp = Timestamp(
                        value: packet.loadUInt32(at: position + 2), echo: packet.loadUInt32(at: position + 6))
                }
            default: break
            }
            position += length
        }
    }
}
