import NetPrimitives
import Testing

@testable import NetStack

@Suite struct OptionParsingTests {
    private func parse(_ options: [UInt8]) -> SegmentOptions {
        SegmentOptions(parsing: options.span.bytes, at: 0, length: options.count)
    }

    @Test func `all options of a SYN are read`() {
        let options = parse([2, 4, 0x05, 0xB4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 9])
        #expect(options.maximumSegmentSize == 1460 && options.sackPermitted && options.windowScale == 9)
        #expect(options.timestamp == SegmentOptions.Timestamp(value: 1, echo: 2))
    }

    @Test func `hostile options end the parse and harm nothing`() {
        for hostile: [UInt8] in [
            [2], [2, 0], [2, 1, 5, 5], [2, 255, 1, 1], [3, 2, 1, 1], [8, 10, 1, 1],
            [5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [5, 2, 0, 0], [254, 0, 0, 0], [30, 1, 2, 3], [0, 2, 4, 5],
        ] {
            let options = parse(hostile)
            #expect(options.maximumSegmentSize == nil && options.timestamp == nil && options.sackBlocks.count == 0)
        }
        #expect(parse([3, 3, 255, 0]).windowScale == 14)
        #expect(parse([2, 4, 1, 0, 2, 4, 2, 0]).maximumSegmentSize == 256, "the first counts")
    }

    @Test func `any bytes parse without harm and SACK is bounded`() {
        var random = RandomSource(seed: 21)
        for _ in 0..<20_000 {
            var options = random.bytes(4 * random.next(below: 11))
            // Bias towards valid kinds and lengths.
            for index in options.indices where random.next(below: 2) == 0 {
                options[index] = UInt8(random.next(below: 11))
            }
            let parsed = parse(options)
            #expect(parsed.sackBlocks.count <= 4)
            #expect((parsed.windowScale ?? 0) <= 14)
        }
    }

    @Test func `every truncation of a segment is refused or shorter`() {
        let whole = makeSegment(
            source: 1, destination: 2, sequence: 3, acknowledgment: 4, flags: .acknowledge, window: 5,
            options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], payload: bytes(30), sum: 0)
        for length in 0..<whole.count {
            let header = SegmentHeader(parsing: whole.span.bytes, at: 0, length: length)
            if length < 32 { #expect(header == nil) }
            if let header {
                let isValid = header.isChecksumValid(in: whole.span.bytes, pseudoHeaderSum: 0)
                #expect(!isValid)
            }
        }
        #expect(SegmentHeader(parsing: whole.span.bytes, at: 1, length: whole.count) == nil)
        #expect(SegmentHeader(parsing: whole.span.bytes, at: -1, length: 20) == nil)
    }

    @Test func `every flipped bit of a segment is refused by parser or checksum`() {
        var whole = makeSegment(
            source: 1, destination: 2, sequence: 3, acknowledgment: 4, flags: .acknowledge, window: 5,
            options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], payload: bytes(30), sum: 77)
        let intact = SegmentHeader(parsing: whole.span.bytes, at: 0, length: whole.count)
        let isIntact = intact?.isChecksumValid(in: whole.span.bytes, pseudoHeaderSum: 77)
        #expect(isIntact == true)
        for bit in 0..<whole.count * 8 {
            whole[bit / 8] ^= 1 << UInt8(bit % 8)
            if let header = SegmentHeader(parsing: whole.span.bytes, at: 0, length: whole.count) {
                let isValid = header.isChecksumValid(in: whole.span.bytes, pseudoHeaderSum: 77)
                #expect(!isValid, "bit \(bit)")
            }
            whole[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    @Test func `a reply segment parses back to itself`() throws {
        var reply = ReplySegment(
            sourcePort: 7, destinationPort: 9, sequence: SequenceNumber(0xFFFF_FFFF),
            acknowledgment: SequenceNumber(5), flags: [.synchronize, .acknowledge])
        for combination in 0..<16 {
            reply.maximumSegmentSize = combination & 1 != 0 ? 1234 : nil
            reply.windowScale = combination & 2 != 0 ? 6 : nil
            reply.sackPermitted = combination & 4 != 0
            reply.timestamp = combination & 8 != 0 ? SegmentOptions.Timestamp(value: 8, echo: 9) : nil
            var packet = [UInt8](repeating: 0, count: 64)
            let length: Int
            do {
                var span = packet.mutableSpan
                var raw = span.mutableBytes
                length = reply.write(into: &raw, at: 2, pseudoHeaderSum: 1000)
            }
            #expect(length == reply.length)
            let header = try needed(SegmentHeader(parsing: packet.span.bytes, at: 2, length: length))
            let isValid = header.isChecksumValid(in: packet.span.bytes, pseudoHeaderSum: 1000)
            #expect(isValid)
            #expect(header.options.maximumSegmentSize == reply.maximumSegmentSize)
            #expect(header.options.windowScale == reply.windowScale)
            #expect(header.options.sackPermitted == reply.sackPermitted)
            #expect(header.options.timestamp == reply.timestamp)
            #expect(header.flags == reply.flags && header.sequence == reply.sequence)
        }
    }

    @Test func `sequence numbers order across the wrap`() {
        let high = SequenceNumber(0xFFFF_FFF0)
        #expect(high < high + 0x20)
        #expect((high + 0x20) - high == 0x20)
        #expect(!(high + 0x20 < high))
        #expect((high + 0x20).offset(near: high, at: 1 << 40) == 1 << 40 + 0x20)
        #expect(high.offset(near: high + 0x20, at: 5) == 5 - 0x20)
    }
}
