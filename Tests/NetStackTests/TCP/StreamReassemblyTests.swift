import NetPrimitives
import Testing

@testable import NetStack

@Suite struct StreamReassemblyTests {
    @Test func `out-of-order data is acknowledged at once with its block, latest first`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 2000, payload: bytes(1000, from: 2000))
        var ack = host.output()
        #expect(ack.count == 1 && ack[0].acknowledgment == 0)
        #expect(blocks(ack[0], host) == [[2000, 3000]])
        host.inject(.acknowledge, sequence: 5000, payload: bytes(1000, from: 5000))
        ack = host.output()
        #expect(blocks(ack[0], host) == [[5000, 6000], [2000, 3000]])
        host.inject(.acknowledge, sequence: 3000, payload: bytes(500, from: 3000))
        ack = host.output()
        #expect(blocks(ack[0], host) == [[2000, 3500], [5000, 6000]])
        #expect(host.connection.receiveAvailable == 0)
        host.inject(.acknowledge, sequence: 0, payload: bytes(2000))
        ack = host.output()
        #expect(ack.count == 1 && ack[0].acknowledgment == 3500)
        #expect(blocks(ack[0], host) == [[5000, 6000]])
        #expect(host.read() == bytes(3500))
    }

    private func blocks(_ segment: SentSegment, _ host: borrowing TestHost) -> [[Int]] {
        (0..<segment.options.sackBlocks.count).map {
            let block = segment.options.sackBlocks[$0]
            return [block.start - (host.peerInitial + 1), block.end - (host.peerInitial + 1)]
        }
    }

    @Test func `a batch of out-of-order segments gives three duplicate ACKs, not more`() {
        var host = TestHost.established()
        for index in 1..<10 {
            host.inject(
                .acknowledge, sequence: 1000 * index, payload: bytes(1000, from: 1000 * index), endsBatch: false)
        }
        host.connection.endBatch(now: host.now)
        let acks = host.output()
        #expect(acks.count == 3 && acks.allSatisfy { $0.acknowledgment == 0 })
    }

    @Test func `what arrives twice is reported by D-SACK`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 0, payload: bytes(1000))
        _ = host.output()
        host.inject(.acknowledge, sequence: 0, payload: bytes(1000))
        let ack = host.output()
        #expect(ack.count == 1 && blocks(ack[0], host) == [[0, 1000]])
        host.inject(.acknowledge, sequence: 1000, payload: bytes(10))
        #expect(blocks(host.output()[0], host) == [])
    }

    @Test func `overlapping pieces in any order give the stream once`() {
        var random = RandomSource(seed: 11)
        for _ in 0..<40 {
            var host = TestHost.established()
            let stream = bytes(9000)
            var pieces: [(Int, Int)] = []
            for start in stride(from: 0, to: 9000, by: 300) { pieces.append((start, min(start + 300, 9000))) }
            for _ in 0..<40 {
                let start = random.next(below: 8999)
                pieces.append((start, min(9000, start + 1 + random.next(below: 1400))))
            }
            for index in pieces.indices.reversed() { pieces.swapAt(index, random.next(below: index + 1)) }
            var read: [UInt8] = []
            for (start, end) in pieces {
                host.inject(.acknowledge, sequence: start, payload: Array(stream[start..<end]))
                _ = host.output()
                if random.next(below: 3) == 0 { read += host.read() }
            }
            read += host.read()
            #expect(read == stream)
            #expect(host.connection.receiver.ranges.isEmpty == true)
        }
    }

    @Test func `more than 1024 ranges are refused, and the stream still completes`() {
        var host = TestHost.established()
        var refused = 0
        for index in 1...1060 {
            let outcome = host.inject(.acknowledge, sequence: 20 * index, payload: bytes(10, from: 20 * index))
            if case .dropped(.tooManyRanges) = outcome { refused += 1 }
        }
        #expect(refused == 36)
        for start in stride(from: 0, to: 21_300, by: 1420) {
            host.inject(.acknowledge, sequence: start, payload: bytes(1420, from: start))
        }
        #expect(host.read() == bytes(21_300))
    }

    @Test func `a damaged segment leaves no trace`() {
        var host = TestHost.established()
        let payload = bytes(100)
        for bit in stride(from: 4 * 8, to: 120 * 8, by: 3) {
            var changed = host.inject(.acknowledge, sequence: 0, payload: payload, damage: bit)
            if case .reply = changed { changed = .dropped(.badChecksum) }
            guard case .dropped = changed else {
                Issue.record("bit \(bit) was taken")
                return
            }
        }
        #expect(host.connection.receiveAvailable == 0)
        host.inject(.acknowledge, sequence: 0, payload: payload)
        #expect(host.read() == payload)
    }

    @Test func `damage beyond stored data does not spoil it`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 100, payload: bytes(100, from: 100))
        // Overlaps the stored range: must be verified before it is copied.
        host.inject(.acknowledge, sequence: 50, payload: [UInt8](repeating: 0xFF, count: 100), damage: 25 * 8)
        host.inject(.acknowledge, sequence: 0, payload: bytes(100))
        #expect(host.read() == bytes(200))
    }

    @Test func `the set of ranges agrees with a set of bytes`() {
        var random = RandomSource(seed: 12)
        for _ in 0..<200 {
            var ranges = ReceiveRanges()
            var model = Set<Int>()
            for _ in 0..<40 {
                let start = random.next(below: 300) + 1
                let end = start + 1 + random.next(below: 20)
                #expect(ranges.overlaps(start, end) == (start..<end).contains { model.contains($0) })
                #expect(ranges.contains(start, end) == (start..<end).allSatisfy { model.contains($0) })
                if ranges.insert(start, end) { model.formUnion(start..<end) }
                for index in ranges.ranges.indices.dropFirst() {
                    #expect(ranges.ranges[index - 1].end < ranges.ranges[index].start)
                }
                #expect(ranges.ranges.reduce(0) { $0 + $1.end - $1.start } == model.count)
            }
            let reached = ranges.absorb(20)
            var expected = 20
            while model.contains(expected) { expected += 1 }
            if model.contains(20) || reached > 20 { #expect(reached == expected) }
        }
    }
}
