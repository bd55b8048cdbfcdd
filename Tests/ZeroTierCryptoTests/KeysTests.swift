import NetPrimitives
import Testing

@testable import ZeroTierCrypto

@Suite struct KeysTests {
    // RFC 7748 6.1 and RFC 8032 7.1 (tests 1 and 2), joined to pairs in the wire's shape.
    private let alice = hex(
        """
        77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a
        9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
        """)
    private let alicePublic = hex(
        """
        8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a
        d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a
        """)
    private let bob = hex(
        """
        5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb
        4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb
        """)
    private let bobPublic = hex(
        """
        de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f
        3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c
        """)
    private let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")

    @Test func `public keys are those of RFC 7748 and RFC 8032`() throws {
        #expect(try #require(SecretKeys(alice)).publicKeys.bytes == alicePublic)
        #expect(try #require(SecretKeys(bob)).publicKeys.bytes == bobPublic)
    }

    @Test func `agreement is the hashed secret of RFC 7748 from both sides`() throws {
        let expected = SharedKey(Array(SHA512.digest(shared)[..<48]))
        #expect(expected != nil)
        #expect(try #require(SecretKeys(alice)).agree(with: #require(PublicKeys(bobPublic))) == expected)
        #expect(try #require(SecretKeys(bob)).agree(with: #require(PublicKeys(alicePublic))) == expected)
    }

    @Test func `agreement is the reference code's`() throws {
        struct Armor: Decodable { let identitySenderA, identityReceiverB, agreedKey48: String }
        let armor = try vectors("vl1_armor.json", as: Armor.self)
        let a = try keys(ofIdentity: armor.identitySenderA)
        let b = try keys(ofIdentity: armor.identityReceiverB)
        #expect(a.agree(with: b.publicKeys)?.bytes == hex(armor.agreedKey48))
        #expect(b.agree(with: a.publicKeys)?.bytes == hex(armor.agreedKey48))
    }

    private func keys(ofIdentity text: String) throws -> SecretKeys {
        let fields = text.split(separator: ":")
        let keys = try #require(SecretKeys(hex(String(fields[3]))))
        #expect(keys.publicKeys.bytes == hex(String(fields[2])))
        return keys
    }

    @Test func `agreement with a point of small order is refused`() throws {
        let mine = try #require(SecretKeys(alice))
        let zero = [UInt8](repeating: 0, count: 32)
        let one = [1] + [UInt8](repeating: 0, count: 31)
        for point in [zero, one] {
            #expect(mine.agree(with: try #require(PublicKeys(point + alicePublic[32...]))) == nil)
        }
    }

    @Test func `the reference code's signature verifies and is what we sign`() throws {
        struct Row: Decodable {
            let identity, messageAscii: String
            let signature96: String
        }
        struct File: Decodable { let signature: [Row] }
        let identities = try vectors("vl1_identity.json", as: IdentityVectors.self).identities
        for row in try vectors("vl1_primitives.json", as: File.self).signature {
            let identity = try #require(identities.first { $0.name == row.identity })
            let secret = try keys(ofIdentity: identity.textSecret)
            let message = Array(row.messageAscii.utf8)
            #expect(secret.publicKeys.verify(hex(row.signature96), of: message))
            #if os(Linux)
                // Elsewhere the platform's library draws its nonces at random.
                #expect(secret.sign(message) == hex(row.signature96))
            #endif
        }
    }

    @Test func `public keys, agreement and signatures of pairs are the reference code's`() throws {
        struct Pair: Decodable {
            let public1, secret1, public2, secret2: String
            let rawX25519, agreementSha51264: String
            let signatureBy1OverAgreement, signatureBy2OverAgreement: String
        }
        struct File: Decodable { let vectors: [Pair] }
        let pairs = try vectors("vl1_c25519.json", as: File.self).vectors
        #expect(pairs.count == 32)
        for pair in pairs {
            let one = try #require(SecretKeys(hex(pair.secret1)))
            let other = try #require(SecretKeys(hex(pair.secret2)))
            #expect(one.publicKeys.bytes == hex(pair.public1) && other.publicKeys.bytes == hex(pair.public2))
            let message = hex(pair.agreementSha51264)
            for (mine, theirs, signature) in [
                (one, other, hex(pair.signatureBy1OverAgreement)), (other, one, hex(pair.signatureBy2OverAgreement)),
            ] {
                #expect(mine.rawAgreement(with: theirs.publicKeys) == hex(pair.rawX25519))
                #expect(SHA512.digest(hex(pair.rawX25519)) == message)
                #expect(mine.agree(with: theirs.publicKeys)?.bytes == Array(message[..<48]))
                #expect(mine.publicKeys.verify(signature, of: message))
                #expect(!theirs.publicKeys.verify(signature, of: message))
                #if os(Linux)
                    #expect(mine.sign(message) == signature)
                #endif
            }
        }
    }

    @Test func `any flipped bit of signature, message or key fails to verify`() throws {
        let secret = try #require(SecretKeys(alice))
        let publicKeys = secret.publicKeys
        let message = Array("hello".utf8)
        let signature = secret.sign(message)
        #expect(signature.count == 96)
        #expect(publicKeys.verify(signature, of: message))
        for bit in 0..<96 * 8 {
            var forged = signature
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!publicKeys.verify(forged, of: message), "bit \(bit)")
        }
        #expect(!publicKeys.verify(signature, of: Array("hellp".utf8)))
        #expect(!publicKeys.verify(signature, of: []))
        #expect(!(try #require(SecretKeys(bob))).publicKeys.verify(signature, of: message))
        for count in [0, 63, 64, 95] { #expect(!publicKeys.verify(Array(signature[..<count]), of: message)) }
        #expect(!publicKeys.verify(signature + [0], of: message))
    }

    @Test func `keys of a wrong size are refused`() {
        for count in [0, 32, 63, 65, 96] {
            #expect(PublicKeys([UInt8](repeating: 1, count: count)) == nil)
            #expect(SecretKeys([UInt8](repeating: 1, count: count)) == nil)
            #expect(SharedKey([UInt8](repeating: 1, count: count)) == nil)
        }
    }

    @Test func `secrets do not print themselves`() throws {
        var random = RandomSource(seed: 3)
        let secret = SecretKeys.generate(using: &random)
        let key = try #require(SharedKey(random.bytes(48)))
        for text in [
            "\(secret)", String(reflecting: secret), "\(key)", String(reflecting: key), "\(Optional(key) as Any)",
        ] {
            #expect(text.contains("redacted") && !text.contains("["))
        }
        var dumped = ""
        dump(secret, to: &dumped)
        dump(key, to: &dumped)
        #expect(dumped.split(separator: "\n").count == 2 && dumped.contains("redacted"))
    }

    @Test func `drawn keys depend on the random source only`() {
        var first = RandomSource(seed: 1)
        var second = RandomSource(seed: 1)
        let keys = SecretKeys.generate(using: &first)
        #expect(keys == SecretKeys.generate(using: &second))
        #expect(keys != SecretKeys.generate(using: &second))
    }
}

struct IdentityVectors: Decodable {
    /// Steps of the derivation of the address.
    struct Derivation: Decodable { let sha512Public, finalDigest: String }
    struct Identity: Decodable {
        let name, textSecret: String
        let valid: Bool
        let derivation: Derivation
        var address: UInt64? { UInt64(textSecret.prefix(10), radix: 16) }
        var publicBytes: [UInt8] { hex(String(textSecret.split(separator: ":")[2])) }
    }
    let identities: [Identity]
}

@Suite struct IdentityWorkTests {
    @Test func `the digest and address of real identities are derived`() throws {
        let identities = try vectors("vl1_identity.json", as: IdentityVectors.self).identities
        #expect(identities.count == 7 && identities.count { $0.valid } == 6)
        for identity in identities {
            let keys = try #require(PublicKeys(identity.publicBytes))
            #expect(SHA512.digest(keys.bytes) == hex(identity.derivation.sha512Public))
            #expect(IdentityWork.digest(of: keys) == hex(identity.derivation.finalDigest))
            #expect((IdentityWork.address(of: keys) == identity.address) == identity.valid)
        }
    }

    @Test(arguments: tiers)
    func `every tier gives the same digest`(tier: CipherTier) throws {
        let identity = try #require(vectors("vl1_identity.json", as: IdentityVectors.self).identities.last)
        #expect(IdentityWork.digest(of: identity.publicBytes, tier: tier) == hex(identity.derivation.finalDigest))
    }

    @Test func `another address or another key is not valid`() throws {
        let identity = try #require(vectors("vl1_identity.json", as: IdentityVectors.self).identities.first)
        let address = try #require(identity.address)
        let keys = try #require(PublicKeys(identity.publicBytes))
        #expect(IdentityWork.isValid(keys, address: address))
        #expect(!IdentityWork.isValid(keys, address: address ^ 1))
        var other = keys.bytes
        other[0] ^= 1
        #expect(!IdentityWork.isValid(try #require(PublicKeys(other)), address: address))
    }

    @Test func `a generated identity is valid, and repeatable from its seed`() {
        var random = RandomSource(seed: 1)
        let (keys, address) = IdentityWork.generate(using: &random)
        #expect(IdentityWork.isValid(keys.publicKeys, address: address))
        #expect(address != 0 && address >> 32 < 0xff)
        var again = RandomSource(seed: 1)
        let (sameKeys, sameAddress) = IdentityWork.generate(using: &again)
        #expect(sameKeys == keys && sameAddress == address)
    }
}
