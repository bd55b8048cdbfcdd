// Dictionaries: escaping, integers, tolerance.

import NetPrimitives
import Testing

@testable import ZeroTierWire

@Suite struct WireDictionaryTests {
    struct Vectors: Decodable {
        struct Pair: Decodable { let encodedHex, key, valueHex: String }
        struct Integer: Decodable { let encoded, value: String }
        let all: String
        let pairs: [Pair]
        let integers: [Integer]
    }

    @Test func `pairs are escaped as the reference does and read back`() throws {
        let vectors = try loadVectors("dictionary", as: Vectors.self)
        var all = WireDictionary()
        for pair in vectors.pairs {
            let value = try hex(pair.valueHex)
            var one = WireDictionary()
            one.append(pair.key, value)
            #expect(one.encoded == (try hex(pair.encodedHex)))
            #expect(WireDictionary(decoding: one.encoded)[pair.key] == value)
            all.append(pair.key, value)
        }
        #expect(all.encoded == (try hex(vectors.all)))
        #expect(WireDictionary(decoding: all.encoded)["k"] == Array("a=b".utf8))
    }

    @Test func `integers have 16 digits`() throws {
        for row in try loadVectors("dictionary", as: Vectors.self).integers {
            if row.value == "true" {
                var dictionary = WireDictionary()
                dictionary.append("k", boolean: true)
                #expect(dictionary.encoded == Array(row.encoded.utf8))
                continue
            }
            // The reference loses the sign of a negative number; none occurs.
            guard !row.value.hasPrefix("-") else { continue }
            let value = try #require(UInt64(row.value, radix: 16))
            var dictionary = WireDictionary()
            dictionary.append("k", integer: value)
            #expect(dictionary.encoded == Array(row.encoded.utf8))
            #expect(dictionary.integer("k") == value)
        }
    }

    @Test(
        arguments: [
            ("k= \t0x1F", 31), ("k=+a", 10), ("k=1gz", 1), ("k=", 7), ("k=zz", 7), ("x=1", 7), ("k=0x", 0),
            ("k=-1", .max),
            ("k=fffffffffffffffff", .max),
        ] as [(String, UInt64)])
    func `integers are read like the C function does`(text: String, expected: UInt64) {
        #expect(WireDictionary(decoding: Array(text.utf8)).integer("k", default: 7) == expected)
    }

    @Test func `a damaged dictionary is read, and written so that it is read again`() throws {
        let vectors = try loadVectors("dictionary", as: Vectors.self)
        func check(_ bytes: [UInt8], bits: [Int]? = nil) throws {
            let refused = try survivesDamage(
                bytes, bits: bits, decode: { WireDictionary(decoding: $0) }, encode: { $0.encoded })
            #expect(refused == 0)
        }
        try check(hex(vectors.all))
        for pair in vectors.pairs { try check(hex(pair.encodedHex)) }
        for integer in vectors.integers { try check(Array(integer.encoded.utf8)) }
        // Every bit of every line of real dictionaries, between two others: lines are read one by one.
        for bytes in try NetworkConfigTests.dictionaries() {
            for line in bytes.split(separator: 0x0a) { try check(Array("a=1\n".utf8) + line + Array("\nz=2".utf8)) }
            // Every cut of the whole, and a sample of its bits.
            try check(bytes, bits: Damage.bits(of: bytes.count, sample: 800))
        }
    }

    @Test func `the first of equal keys wins, lines end at CR or LF, NUL ends all`() {
        let dictionary = WireDictionary(decoding: Array("no line\rk=one\nk=two\n=x\nq=\\\\\\x\\\r\nz=1\u{0}y=2".utf8))
        #expect(dictionary["k"] == Array("one".utf8))
        #expect(dictionary["q"] == Array("\\x".utf8))
        #expect(dictionary["z"] == Array("1".utf8))
        #expect(dictionary["y"] == nil)
        #expect(dictionary[""] == Array("x".utf8))
        #expect(dictionary.boolean("z") && !dictionary.boolean("k"))
    }
}
