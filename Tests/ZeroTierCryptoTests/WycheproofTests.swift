// Every vector of Project Wycheproof for what is computed here, on every kernel that this processor runs.

import CCipherKernels
import TestSupport
import Testing

@testable import ZeroTierCrypto

@Suite struct WycheproofTests {
    /// One line of the file.
    private struct Row {
        let isValid: Bool
        /// Results that implementations may differ in.
        let isEither: Bool
        let values: [[UInt8]]
    }

    private static let all: [String: [Row]] = {
        var rows: [String: [Row]] = [:]
        for line in VectorFiles.lines("wycheproof.txt") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            rows[String(words[0]), default: []].append(
                Row(
                    isValid: words[1] != "invalid", isEither: words[1] == "acceptable",
                    values: words.dropFirst(2).map { $0 == "-" ? [] : hex(String($0)) }))
        }
        return rows
    }()

    private func rows(_ name: String, count: Int) -> [Row] {
        let rows = WycheproofTests.all[name] ?? []
        #expect(rows.count == count)
        return rows
    }

    @Test func `X25519 agrees on what it should, and on nothing with points of small order`() {
        var refused = 0
        for row in rows("x25519", count: 518) {
            let shared = X25519.agree(row.values[0], with: row.values[1])
            if row.values[2].allSatisfy({ $0 == 0 }) {
                #expect(shared == nil)
                refused += 1
            } else {
                #expect(shared == row.values[2] && row.isValid)
            }
        }
        #expect(refused > 0)
    }

    @Test func `Ed25519 takes the true signatures only`() {
        for row in rows("ed25519", count: 151) {
            #expect(Ed25519.verify(row.values[2], of: row.values[1], publicKey: row.values[0]) == row.isValid)
            #expect(!row.isEither)
        }
    }

    @Test func `HMAC-SHA-384 gives the tags, and their first halves`() {
        for row in rows("hmac384", count: 174) {
            let code = HMACSHA384.code(for: row.values[1], key: row.values[0])
            #expect((Array(code.prefix(row.values[2].count)) == row.values[2]) == row.isValid)
        }
    }

    @Test(arguments: [false, true])
    func `Poly1305 gives the tags, with wide and with narrow arithmetic`(isNarrow: Bool) {
        for row in rows("poly1305", count: 316) {
            var tag = [UInt8](repeating: 0, count: 16)
            let (key, message) = (row.values[0], row.values[1])
            if isNarrow {
                ck_poly1305_narrow(&tag, message, message.count, key)
            } else {
                ck_poly1305(&tag, message, message.count, key)
            }
            #expect((tag == row.values[2]) == row.isValid)
        }
    }

    /// The kernels have GMAC under AES-GMAC-SIV's nonces only, 64 bits and zeros, and its halves added up. A tag is the hash of the
    /// message masked with the nonce's block, so one mask is exchanged for the other. The hash takes a padded block of additional data
    /// and the text: vectors of less than one block have no such form.
    @Test(arguments: tiers)
    func `AES-GMAC hashes as it should`(tier: CipherTier) throws {
        var valid = 0
        var refused = 0
        let sivKey = [UInt8](repeating: 7, count: 32)
        for row in rows("gmac", count: 69) where row.values[2].count >= 16 {
            let (key, nonce, message, tag) = (row.values[0], row.values[1], row.values[2], row.values[3])
            let context = try #require(ck_context_create(key, key, sivKey, tier.rawValue))
            defer { ck_context_destroy(context) }
            let vector = [UInt8](0..<8)
            var text = Array(message.dropFirst(16))
            var sealed = [UInt8](repeating: 0, count: 16)
            ck_gmac_siv_seal_text(context, vector, Array(message.prefix(16)), 16, &text, text.count, &sealed)
            ck_aes256_block(sivKey, &sealed, 1)
            #expect(Array(sealed.prefix(8)) == vector)
            var theirs = nonce + [0, 0, 0, 1]
            var ours = vector + [0, 0, 0, 0, 0, 0, 0, 1]
            ck_aes256_block(key, &theirs, 0)
            ck_aes256_block(key, &ours, 0)
            let whole = (0..<16).map { tag[$0] ^ theirs[$0] ^ ours[$0] }
            let expected = (0..<8).map { whole[$0] ^ whole[$0 + 8] }
            let isSame = Array(sealed.suffix(8)) == expected
            if row.isValid {
                #expect(isSame)
                valid += 1
            } else if !isSame {
                refused += 1
            }
        }
        #expect(valid == 8)
        // The other five false tags have the same bits changed in both halves.
        #expect(refused == 22)
    }
}
