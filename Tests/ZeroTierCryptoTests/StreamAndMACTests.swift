import CCipherKernels
import NetPrimitives
import Testing

@testable import ZeroTierCrypto

@Suite struct StreamAndMACTests {
    // A direct transcription of the Salsa20 specification, to compare all vector widths with.
    private func plainSalsa20(key: [UInt8], nonce: [UInt8], block: UInt64, rounds: Int) -> [UInt8] {
        func words(_ bytes: [UInt8]) -> [UInt32] {
            stride(from: 0, to: bytes.count, by: 4).map { start in
                (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
            }
        }
        let k = words(key)
        let constants = words(Array("expand 32-byte k".utf8))
        let start: [UInt32] =
            [constants[0]] + k[0..<4] + [constants[1]] + words(nonce) + [
                UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), constants[2],
            ] + k[4..<8] + [constants[3]]
        var x = start
        func quarter(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
            func rotated(_ v: UInt32, _ n: UInt32) -> UInt32 { v << n | v >> (32 - n) }
            x[b] ^= rotated(x[a] &+ x[d], 7)
            x[c] ^= rotated(x[b] &+ x[a], 9)
            x[d] ^= rotated(x[c] &+ x[b], 13)
            x[a] ^= rotated(x[d] &+ x[c], 18)
        }
        for _ in 0..<rounds / 2 {
            for c in 0..<4 { quarter(5 * c, (5 * c + 4) % 16, (5 * c + 8) % 16, (5 * c + 12) % 16) }
            for r in 0..<4 { quarter(5 * r, 4 * r + (r + 1) % 4, 4 * r + (r + 2) % 4, 4 * r + (r + 3) % 4) }
        }
        return zip(x, start).flatMap { pair in
            let word = pair.0 &+ pair.1
            return (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
        }
    }

    @Test(arguments: [12, 20])
    func `Salsa20 of every width equals the specification, also where the block counter carries`(rounds: Int) {
        var random = RandomSource(seed: UInt64(rounds))
        let key = random.bytes(32)
        let nonce = random.bytes(8)
        for first in [0, 1, 0xffff_fff0, UInt64.max - 7] {
            let expected = (0..<40).flatMap {
                plainSalsa20(key: key, nonce: nonce, block: first &+ UInt64($0), rounds: rounds)
            }
            for tier in tiers {
                for length in [0, 1, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1024, 1025, 2559, 2560] {
                    var data = [UInt8](repeating: 0, count: length + 1)
                    ck_salsa20_xor(&data, length, key, nonce, first, Int32(rounds), tier.rawValue)
                    #expect(Array(data[..<length]) == Array(expected[..<length]), "tier \(tier), length \(length)")
                    #expect(data[length] == 0)
                }
            }
        }
    }

    @Test(arguments: tiers)
    func `Salsa20 gives the reference key streams`(tier: CipherTier) throws {
        struct Row: Decodable {
            let rounds: Int
            let key, iv: String
            let keystream64, keystream256: String?
        }
        struct File: Decodable { let salsa20: [Row] }
        let rows = try vectors("vl1_primitives.json", as: File.self).salsa20
        #expect(rows.map(\.rounds) == [20, 12, 12])
        for row in rows {
            let expected = hex(try #require(row.keystream64 ?? row.keystream256))
            var stream = [UInt8](repeating: 0, count: expected.count)
            ck_salsa20_xor(&stream, stream.count, hex(row.key), hex(row.iv), 0, Int32(row.rounds), tier.rawValue)
            #expect(stream == expected)
        }
    }

    private func poly1305(_ message: [UInt8], key: [UInt8], narrow: Bool) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: 16)
        if narrow {
            ck_poly1305_narrow(&tag, message, message.count, key)
        } else {
            ck_poly1305(&tag, message, message.count, key)
        }
        return tag
    }

    @Test(arguments: [false, true])
    func `Poly1305 gives the tags of RFC 8439`(narrow: Bool) {
        // RFC 8439 2.5.2
        let key = hex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
        let message = Array("Cryptographic Forum Research Group".utf8)
        #expect(poly1305(message, key: key, narrow: narrow) == hex("a8061dc1305136c6c22b8baf0c0127a9"))
        // RFC 8439 A.3 vectors 7 to 11: sums at and just above the prime
        let two = hex("02") + [UInt8](repeating: 0, count: 31)
        let one = hex("01") + [UInt8](repeating: 0, count: 31)
        let ones = [UInt8](repeating: 0xff, count: 16)
        #expect(
            poly1305(
                ones + hex("f0ffffffffffffffffffffffffffffff") + hex("11") + Array(repeating: 0, count: 15), key: one,
                narrow: narrow)
                == hex("05000000000000000000000000000000"))
        #expect(
            poly1305(
                ones + hex("fbfefefefefefefefefefefefefefefe") + Array(repeating: 1, count: 16), key: one,
                narrow: narrow)
                == [UInt8](repeating: 0, count: 16))
        #expect(
            poly1305(hex("fdffffffffffffffffffffffffffffff"), key: two, narrow: narrow)
                == hex("faffffffffffffffffffffffffffffff"))
        #expect(
            poly1305(
                hex("02") + [UInt8](repeating: 0, count: 15), key: hex("02") + Array(repeating: 0, count: 15) + ones,
                narrow: narrow)
                == hex("03000000000000000000000000000000"))
    }

    @Test(arguments: [false, true])
    func `Poly1305 gives the reference tags`(narrow: Bool) throws {
        struct Row: Decodable { let key, message, tag: String }
        struct File: Decodable { let poly1305: [Row] }
        let rows = try vectors("vl1_primitives.json", as: File.self).poly1305
        #expect(rows.count == 2)
        for row in rows { #expect(poly1305(hex(row.message), key: hex(row.key), narrow: narrow) == hex(row.tag)) }
    }

    @Test func `both forms of Poly1305 agree at all lengths, also for messages and keys of ones`() {
        var random = RandomSource(seed: 1305)
        for length in manyLengths {
            for (message, key) in [
                (random.bytes(length), random.bytes(32)),
                ([UInt8](repeating: 0xff, count: length), [UInt8](repeating: 0xff, count: 32)),
            ] {
                #expect(
                    poly1305(message, key: key, narrow: false) == poly1305(message, key: key, narrow: true),
                    "length \(length)")
            }
        }
    }
}
