import Testing

@testable import ZeroTierCrypto

@Suite struct HashTests {
    @Test func `SHA-512 and SHA-384 give the digests of FIPS 180-4's examples`() {
        #expect(
            SHA512.digest(Array("abc".utf8))
                == hex(
                    """
                    ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
                    2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
                    """))
        #expect(
            SHA384.digest(Array("abc".utf8))
                == hex(
                    """
                    cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed
                    8086072ba1e7cc2358baeca134c825a7
                    """))
        #expect(
            SHA512.digest([])
                == hex(
                    """
                    cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce
                    47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e
                    """))
    }

    @Test func `SHA-512 gives the reference digest`() throws {
        struct Row: Decodable { let messageAscii, digest: String }
        struct File: Decodable { let sha512: [Row] }
        let rows = try vectors("vl1_primitives.json", as: File.self).sha512
        #expect(rows.count == 1)
        for row in rows { #expect(SHA512.digest(Array(row.messageAscii.utf8)) == hex(row.digest)) }
    }

    @Test func `HMAC-SHA-384 gives the codes of RFC 4231`() {
        // RFC 4231 4.3 (short key) and 4.7 (key longer than a block)
        #expect(
            HMACSHA384.code(for: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
                == hex(
                    """
                    af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e
                    8e2240ca5e69e2c78b3239ecfab21649
                    """))
        #expect(
            HMACSHA384.code(
                for: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                key: [UInt8](repeating: 0xaa, count: 131))
                == hex(
                    """
                    4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6
                    0c2ef6ab4030fe8296248df163f44952
                    """))
    }

    @Test func `key derivation gives the reference outputs and every input matters`() throws {
        struct Row: Decodable {
            let key, label, output: String
            let context: UInt8
            let iteration: UInt32
        }
        struct File: Decodable { let kbkdfHmacSha384: [Row] }
        let rows = try vectors("vl1_primitives.json", as: File.self).kbkdfHmacSha384
        #expect(rows.count == 2)
        for row in rows {
            let label = try #require(row.label.utf8.first)
            let derived = KeyDerivation.derive(
                hex(row.key), label: label, context: row.context, iteration: row.iteration)
            #expect(derived == hex(row.output))
        }
        let key = hex(rows[0].key)
        let outputs = [
            KeyDerivation.derive(key, label: 0x30, context: 0, iteration: 0),
            KeyDerivation.derive(key, label: 0x30, context: 1, iteration: 0),
            KeyDerivation.derive(key, label: 0x30, context: 0, iteration: 1),
            KeyDerivation.derive(key, label: 0x30, context: 0, iteration: 0x0100_0000),
        ]
        #expect(Set(outputs).count == outputs.count)
    }

    @Test func `comparison tells any differing byte and wiping clears all`() {
        let bytes = (0..<64).map { UInt8($0) }
        #expect(ConstantTime.equal(bytes, bytes))
        #expect(ConstantTime.equal([], []))
        #expect(!ConstantTime.equal(bytes, Array(bytes.dropLast())))
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(!ConstantTime.equal(bytes, other))
        }
        var secret = bytes
        ConstantTime.wipe(&secret)
        #expect(secret == [UInt8](repeating: 0, count: 64))
        #expect(bytes[63] == 63)
    }
}
