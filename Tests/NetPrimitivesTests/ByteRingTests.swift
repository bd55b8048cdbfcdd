import NetPrimitives
import Testing

@Suite struct ByteRingTests {
    private func read(_ ring: borrowing ByteRing, _ position: Int, _ count: Int) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: count)
        var span = target.mutableSpan
        var raw = span.mutableBytes
        ring.read(position, count: count, into: &raw, at: 0)
        return target
    }

    @Test func `an empty ring holds no memory, and an emptied one gives it back`() {
        var ring = ByteRing()
        #expect(ring.memoryHeld == 0)
        let bytes = [UInt8](repeating: 7, count: 40_000)
        ring.append(bytes.span.bytes, from: 0, count: bytes.count)
        #expect(ring.memoryHeld == 3 * ByteRing.chunkSize)
        ring.discard(to: 40_000)
        #expect(ring.hasSpareMemory == true)
        ring.releaseIdleChunk()
        #expect(ring.memoryHeld == 0)
        ring.append(bytes.span.bytes, from: 0, count: 10)
        #expect(read(ring, 40_000, 10) == Array(bytes[0..<10]))
    }

    @Test func `random appends, reads and discards agree with an array`() {
        var random = RandomSource(seed: 5)
        var ring = ByteRing(start: 12_345)
        var model: [UInt8] = []
        var start = 12_345
        for _ in 0..<600 {
            switch random.next(below: 3) {
            case 0:
                let bytes = random.bytes(random.next(below: 9_000))
                let skip = bytes.isEmpty ? 0 : random.next(below: bytes.count)
                ring.append(bytes.span.bytes, from: skip, count: bytes.count - skip)
                model += bytes[skip...]
            case 1:
                let count = random.next(below: model.count + 1)
                ring.discard(to: start + count)
                model.removeFirst(count)
                start += count
            default:
                let count = random.next(below: model.count + 1)
                let from = random.next(below: model.count - count + 1)
                let expected = Array(model[from..<from + count])
                #expect(read(ring, start + from, count) == expected)
                var target = [UInt8](repeating: 0, count: count + 3)
                var span = target.mutableSpan
                var raw = span.mutableBytes
                let sum = ring.readAndSum(start + from, count: count, into: &raw, at: 3)
                #expect(sum == Checksum.sum(expected.span.bytes, from: 0, count: count))
            }
            #expect(ring.count == model.count)
            #expect(ring.start == start)
        }
    }

    @Test func `bytes stored beyond the end appear when they are published`() {
        var random = RandomSource(seed: 6)
        let bytes = random.bytes(100_000)
        for round in 0..<20 {
            var ring = ByteRing(start: round * 1000)
            let base = round * 1000
            var pieces: [(Int, Int)] = []
            var position = 0
            while position < bytes.count {
                let length = min(random.next(below: 5000) + 1, bytes.count - position)
                pieces.append((position, length))
                position += length
            }
            for index in pieces.indices.reversed() { pieces.swapAt(index, random.next(below: index + 1)) }
            for (offset, length) in pieces {
                let sum = ring.writeAndSum(bytes.span.bytes, from: offset, count: length, at: base + offset)
                #expect(sum == Checksum.sum(bytes.span.bytes, from: offset, count: length))
            }
            #expect(ring.isEmpty == true)
            ring.publish(to: base + bytes.count)
            #expect(read(ring, base, bytes.count) == bytes)
        }
    }

    @Test func `in steady state the same memory is used again`() {
        var ring = ByteRing()
        let bytes = [UInt8](repeating: 1, count: 10_000)
        for _ in 0..<10 {
            ring.append(bytes.span.bytes, from: 0, count: bytes.count)
        }
        let held = ring.memoryHeld
        for _ in 0..<1000 {
            ring.append(bytes.span.bytes, from: 0, count: bytes.count)
            ring.discard(to: ring.start + bytes.count)
        }
        #expect(ring.memoryHeld <= held + 2 * ByteRing.chunkSize)
    }

    @Test func `every length at every alignment crosses a chunk border unharmed`() {
        var random = RandomSource(seed: 7)
        let bytes = random.bytes(200)
        for length in 0...200 {
            for before in [1, 2, 3, 63, 64, 65, 199] {
                let position = ByteRing.chunkSize - before
                var ring = ByteRing(start: position)
                let sum = ring.writeAndSum(bytes.span.bytes, from: 0, count: length, at: position)
                ring.publish(to: position + length)
                #expect(sum == Checksum.sum(bytes.span.bytes, from: 0, count: length))
                #expect(read(ring, position, length) == Array(bytes[0..<length]))
            }
        }
    }
}
