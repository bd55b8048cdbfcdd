// Identities against vectors of the reference, and damaged ones.

import NetPrimitives
import Testing
import ZeroTierCrypto

@testable import ZeroTierWire

struct IdentityTests {
    struct Vectors: Decodable {
        struct Entry: Decodable {
            let name: String
            let valid: Bool
            let text_secret: String
            let text_public: String
            let binary_public: String
            let binary_secret: String
            let fingerprint_sha384: String
        }
        let identities: [Entry]
        let invalid_text: [String]
    }

    let vectors: Vectors

    init() throws {
        vectors = try loadVectors("vl1_identity")
    }

    @Test func `text and binary forms are those of the reference`() throws {
        #expect(vectors.identities.count == 7)
        for entry in vectors.identities {
            let identity = try #require(Identity(text: entry.text_secret))
            #expect(identity.text(includeSecret: true) == entry.text_secret)
            #expect(identity.text(includeSecret: false) == entry.text_public)
            #expect(try identity.encoded() == hex(entry.binary_public))
            #expect(try identity.encoded(includeSecret: true) == hex(entry.binary_secret))
            #expect(identity.hasMatchingSecret)
            #expect(try identity.fingerprint == hex(entry.fingerprint_sha384))
            #expect(try Identity(decoding: hex(entry.binary_public)) == identity)
            let secret = try Identity(decoding: hex(entry.binary_secret), keepsSecret: true)
            #expect(secret.text(includeSecret: true) == entry.text_secret)
        }
    }

    @Test func `the address must follow from the keys`() throws {
        for name in ["known_good", "known_bad_address"] {
            let entry = try #require(vectors.identities.first { $0.name == name })
            #expect(try #require(Identity(text: entry.text_public)).validate() == entry.valid)
        }
    }

    @Test func `malformed text is refused`() {
        #expect(vectors.invalid_text.count == 7)
        for text in vectors.invalid_text { #expect(Identity(text: text) == nil) }
    }

    @Test func `whitespace around the text is ignored and digits are read in either case`() throws {
        let text = vectors.identities[0].text_secret
        let identity = try #require(Identity(text: "\t \(text.uppercased())\r\n"))
        #expect(identity.text(includeSecret: true) == text)
        #expect(Identity(text: text.replacing(":0:", with: ": 0:")) == nil)
    }

    @Test func `a secret that comes in a received identity is ignored`() throws {
        let identity = try Identity(decoding: hex(vectors.identities[0].binary_secret))
        #expect(identity.secretKeys == nil)
        #expect(try identity.encoded(includeSecret: true) == hex(vectors.identities[0].binary_public))
    }

    @Test func `a secret of other keys is noticed`() throws {
        let one = try #require(Identity(text: vectors.identities[0].text_secret))
        let other = try #require(Identity(text: vectors.identities[2].text_secret))
        let mixed = Identity(address: one.address, publicKeys: one.publicKeys, secretKeys: other.secretKeys)
        #expect(!mixed.hasMatchingSecret)
        #expect(mixed == one)
        #expect(one != other)
    }

    @Test func `a description never shows keys`() throws {
        let identity = try #require(Identity(text: vectors.identities[0].text_secret))
        #expect("\(identity)" == "8e4df28b72")
        let secret = Hexadecimal.encode(try #require(identity.secretKeys).bytes)
        #expect(!String(reflecting: identity).contains(secret.prefix(16)))
    }

    @Test func `damaged binary identities are refused or read as what they say`() throws {
        for entry in vectors.identities {
            for text in [entry.binary_public, entry.binary_secret] {
                let bytes = try hex(text)
                let refused = try survivesDamage(
                    bytes, .exact, decode: { try Identity(decoding: $0, keepsSecret: true) },
                    encode: { $0.encoded(includeSecret: true) })
                // All truncations; every bit of the type and every bit of the secret's length.
                #expect(refused >= bytes.count + 16)
            }
        }
    }

    @Test func `damaged identities in text form are refused or read as what they say`() throws {
        for entry in vectors.identities {
            for text in [entry.text_public, entry.text_secret] {
                let refused = try survivesDamage(
                    Array(text.utf8),
                    decode: { bytes in
                        let text = String(decoding: bytes, as: UTF8.self)
                        guard let identity = Identity(text: text) else {
                            throw WireError.invalid(field: "identity", expected: "an identity", found: 0)
                        }
                        // Nothing is lost but the case of the digits.
                        if identity.text(includeSecret: true) != text.lowercased() { Issue.record("\(text)") }
                        return identity
                    }, encode: { Array($0.text(includeSecret: true).utf8) })
                // All truncations but the one that takes all of the secret away.
                #expect(refused > text.utf8.count)
            }
        }
    }

    @Test func `reserved addresses are refused in the binary form`() throws {
        var bytes = try hex(vectors.identities[0].binary_public)
        bytes[0] = 0xff
        #expect(throws: WireError.self) { try Identity(decoding: bytes) }
        bytes.replaceSubrange(0..<5, with: [0, 0, 0, 0, 0])
        #expect(throws: WireError.self) { try Identity(decoding: bytes) }
    }
}
