import CCipherKernels
import NetPrimitives
import Testing

@testable import ZeroTierCrypto

@Suite struct AESTests {
    @Test func `the portable block cipher gives the AES-256 example of FIPS 197 and undoes it`() {
        let key = (0..<32).map { UInt8($0) }
        let plain = hex("00112233445566778899aabbccddeeff")
        var block = plain
        ck_aes256_block(key, &block, 0)
        #expect(block == hex("8ea2b7ca516745bfeafc49904b496089"))
        ck_aes256_block(key, &block, 1)
        #expect(block == plain)
    }

    @Test func `the portable block cipher undoes itself for every byte value at every place`() {
        var random = RandomSource(seed: 197)
        let key = random.bytes(32)
        for value in 0..<256 {
            let plain = (0..<16).map { UInt8(truncatingIfNeeded: value &+ 16 &* $0) }
            var block = plain
            ck_aes256_block(key, &block, 0)
            #expect(block != plain)
            ck_aes256_block(key, &block, 1)
            #expect(block == plain)
        }
    }

    private func sealText(
        _ text: [UInt8], additional: [UInt8], iv: UInt64, keys: ([UInt8], [UInt8]), tier: CipherTier
    ) -> (tag: [UInt8], text: [UInt8])? {
        guard let context = ck_context_create(keys.0, keys.0, keys.1, tier.rawValue) else { return nil }
        defer { ck_context_destroy(context) }
        var tag = [UInt8](repeating: 0, count: 16)
        var text = text
        let ivBytes = (0..<8).map { UInt8(truncatingIfNeeded: iv >> UInt64(8 * $0)) }
        ck_gmac_siv_seal_text(context, ivBytes, additional, additional.count, &text, text.count, &tag)
        return (tag, text)
    }

    @Test(arguments: tiers)
    func `GMAC-SIV gives the reference tags and ciphertexts`(tier: CipherTier) throws {
        struct Row: Decodable {
            let len: Int
            let ciphertextSha384, tag: String
        }
        struct Rows: Decodable {
            let k0Ascii, k1Ascii: String
            let rows: [Row]
        }
        struct File: Decodable { let aesGmacSiv: Rows }
        let reference = try vectors("vl1_primitives.json", as: File.self).aesGmacSiv
        #expect(reference.rows.count == 18)
        let keys = (Array(reference.k0Ascii.utf8), Array(reference.k1Ascii.utf8))
        // The long rows only add repetition, which debug builds pay dearly for.
        for row in reference.rows where row.len < 10000 || tier != .portable {
            let bytes = (0..<row.len).map { UInt8(truncatingIfNeeded: $0) }
            let sealed = try #require(
                sealText(bytes, additional: bytes, iv: UInt64(row.len), keys: keys, tier: tier))
            #expect(sealed.tag == hex(row.tag), "length \(row.len)")
            #expect(SHA384.digest(sealed.text) == hex(row.ciphertextSha384), "length \(row.len)")
        }
    }
}
