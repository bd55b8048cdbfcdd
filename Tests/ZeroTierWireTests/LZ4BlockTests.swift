// Compression round trips, the reference block, malformed blocks.

import NetPrimitives
import Testing

@testable import ZeroTierWire

struct LZ4BlockTests {
    struct Vectors: Decodable {
        struct Block: Decodable {
            let decompressed_ascii: String
            let compressed: String
        }
        let lz4_block: [Block]
    }

    /// Bytes of several kinds: constant, periodic, text, noise, and mixtures.
    static func samples() -> [[UInt8]] {
        var random = RandomSource(seed: 11)
        var samples: [[UInt8]] = []
        for count in [0, 1, 4, 5, 11, 12, 13, 14, 19, 64, 65, 255, 270, 271, 1000, 9996] {
            samples.append(Array(repeating: 7, count: count))
            samples.append((0..<count).map { UInt8(truncatingIfNeeded: $0 % 5) })
            samples.append((0..<count).map { UInt8(truncatingIfNeeded: $0) })
            samples.append(random.bytes(count))
            samples.append(random.bytes(count / 2) + Array(repeating: 0, count: count - count / 2))
        }
        return samples
    }

    @Test func `the reference's block decompresses`() throws {
        let vectors: Vectors = try loadVectors("vl1_primitives")
        #expect(vectors.lz4_block.count == 1)
        for block in vectors.lz4_block {
            let text = Array(block.decompressed_ascii.utf8)
            let bytes = try hex(block.compressed)
            #expect(try LZ4Block.decompress(bytes) == text)
            #expect(try LZ4Block.decompress(LZ4Block.encode(text)) == text)
        }
    }

    @Test func `the reference's block, damaged, is refused or gives no more than the limit`() throws {
        let vectors: Vectors = try loadVectors("vl1_primitives")
        for block in vectors.lz4_block {
            let text = Array(block.decompressed_ascii.utf8)
            let bytes = try hex(block.compressed)
            let limit = text.count + 20
            let refused = try survivesDamage(
                bytes, lengths: [],
                decode: {
                    let result = try LZ4Block.decompress($0, limit: limit)
                    if result.isEmpty || result.count > limit { Issue.record("\(result.count) bytes") }
                    return result
                }, encode: { LZ4Block.encode($0) })
            #expect(refused > 0 && refused < bytes.count * 8)
            for length in 0..<bytes.count {
                guard let result = try? LZ4Block.decompress(Array(bytes[..<length])) else { continue }
                #expect(result.count < text.count && text.starts(with: result), "cut to \(length)")
            }
        }
    }

    @Test func `what is compressed comes back`() throws {
        for sample in LZ4BlockTests.samples() where !sample.isEmpty {
            #expect(try LZ4Block.decompress(LZ4Block.encode(sample)) == sample)
            guard let block = LZ4Block.compress(sample) else { continue }
            #expect(sample.count > 64 && block.count < sample.count)
        }
    }

    @Test func `compression is done only where it pays`() {
        var random = RandomSource(seed: 3)
        #expect(LZ4Block.compress(Array(repeating: 1, count: 64)) == nil)
        #expect(LZ4Block.compress(Array(repeating: 1, count: 65)) != nil)
        #expect(LZ4Block.compress(random.bytes(1000)) == nil)
        #expect(LZ4Block.compress([]) == nil)
    }

    @Test func `a block ends with literals as other decoders require`() {
        // The last five bytes are literals: the last sequence of a constant run holds at least those.
        let block = LZ4Block.encode(Array(repeating: 9, count: 100))
        #expect(block.suffix(6) == [0x50, 9, 9, 9, 9, 9])
    }

    @Test func `the result is limited`() throws {
        let block = LZ4Block.encode(Array(repeating: 0, count: 9997))
        #expect(throws: WireError.tooLong(field: "lz4.result", limit: 9996, found: 9997)) {
            try LZ4Block.decompress(block)
        }
        #expect(try LZ4Block.decompress(block, limit: 9997).count == 9997)
        #expect(throws: WireError.self) { try LZ4Block.decompress([0x30, 1, 2, 3], limit: 2) }
    }

    @Test(
        arguments: [
            [], [0x00], [0x10], [0xf0], [0xf0, 0xff], [0x10, 1, 0, 0], [0x10, 1, 2, 0], [0x10, 1, 1], [0x1f, 1, 1, 0],
            [0x1f, 1, 1, 0, 0xff], [0x10, 1, 1, 0],
        ] as [[UInt8]])
    func `malformed blocks are refused`(block: [UInt8]) {
        #expect(throws: WireError.self) { try LZ4Block.decompress(block) }
    }

    @Test func `damaged blocks never make more than the limit`() throws {
        let text = Array("the quick brown fox, the quick brown dog, the quick brown cat, the quick".utf8)
        let block = LZ4Block.encode(text + text)
        var random = RandomSource(seed: 5)
        var inputs = (0..<(block.count * 8)).map { bit in
            var damaged = block
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            return damaged
        }
        for _ in 0..<3000 { inputs.append(random.bytes(random.next(below: 40))) }
        var accepted = 0
        var refused = 0
        for input in inputs {
            do {
                let result = try LZ4Block.decompress(input, limit: 200)
                accepted += 1
                #expect(result.count <= 200)
                // The limit counts, not luck: what fits exactly is given, what is one byte longer is refused.
                #expect(try LZ4Block.decompress(input, limit: result.count) == result)
                if !result.isEmpty {
                    #expect(throws: WireError.self) { try LZ4Block.decompress(input, limit: result.count - 1) }
                }
            } catch {
                refused += 1
            }
        }
        #expect(accepted > 100 && refused > 100, "\(accepted) accepted, \(refused) refused")
    }

    @Test func `a block that is cut short gives less or nothing`() throws {
        let text = Array("the quick brown fox, the quick brown dog, the quick brown cat, the quick".utf8)
        let block = LZ4Block.encode(text + text)
        #expect(try LZ4Block.decompress(block) == text + text)
        var refused = 0
        for length in 0..<block.count {
            do {
                let result = try LZ4Block.decompress(Array(block[..<length]))
                #expect(result.count < 2 * text.count && result == Array((text + text)[..<result.count]))
            } catch {
                refused += 1
            }
        }
        #expect(refused > block.count / 2, "\(refused) of \(block.count)")
    }

    @Test func `a block is read where it lies in a packet`() throws {
        let text = Array(repeating: UInt8(4), count: 90)
        let block = LZ4Block.encode(text)
        let packet = [1, 2, 3] + block + [4]
        func decompress(_ offset: Int, _ length: Int) throws -> [UInt8] {
            try packet.withBytes { try LZ4Block.decompress($0, at: offset, length: length) }
        }
        #expect(try decompress(3, block.count) == text)
        #expect(throws: WireError.self) { try decompress(3, block.count + 2) }
        #expect(throws: WireError.self) { try decompress(-1, 4) }
        #expect(throws: WireError.self) { try decompress(.max, 4) }
    }
}
