// What we call in BoringSSL directly gives what swift-crypto's public interface gives, honest input or not.

import Crypto
import FoundationEssentials
import NetPrimitives
import Testing

@testable import ZeroTierCrypto

/// swift-crypto's answers in the shapes of ours.
private enum Reference {
    static func agreementPublicKey(_ secret: [UInt8]) throws -> [UInt8] {
        Array(try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secret).publicKey.rawRepresentation)
    }

    // The library leaves an agreement of zeros to its caller.
    static func agree(_ secret: [UInt8], _ publicKey: [UInt8]) throws -> [UInt8]? {
        let key = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secret)
        let other = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: publicKey)
        let result = try key.sharedSecretFromKeyAgreement(with: other).withUnsafeBytes { Array($0) }
        return result.contains { $0 != 0 } ? result : nil
    }

    static func verify(_ signature: [UInt8], _ message: [UInt8], _ publicKey: [UInt8]) throws -> Bool {
        try Curve25519.Signing.PublicKey(rawRepresentation: publicKey).isValidSignature(signature, for: message)
    }
}

/// Adds a number to a little-endian one. The sum must fit.
private func adding(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
    var carry: UInt16 = 0
    return zip(left, right).map { a, b in
        carry += UInt16(a) + UInt16(b)
        defer { carry >>= 8 }
        return UInt8(truncatingIfNeeded: carry)
    }
}

@Suite struct ProviderTests {
    /// 2^255 - 19, the field's prime, little-endian.
    private let prime = [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f]
    /// The order of the base point (RFC 8032 section 5.1), little-endian.
    private let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

    private static func small(_ value: UInt8) -> [UInt8] { [value] + [UInt8](repeating: 0, count: 31) }

    /// Every encoding of an X25519 point of small order, with the top bit clear (RFC 7748 section 6.1 and its errata).
    private var smallOrder: [[UInt8]] {
        var primeLessOne = prime
        primeLessOne[0] -= 1
        return [
            Self.small(0), Self.small(1),
            hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
            primeLessOne, prime, adding(prime, Self.small(1)),
        ]
    }

    private func withTopBit(_ bytes: [UInt8]) -> [UInt8] { bytes[..<31] + [bytes[31] | 0x80] }

    @Test func `random keys, agreements and signatures are the library's`() throws {
        var random = RandomSource(seed: 8)
        for _ in 0..<200 {
            let (secret, other) = (random.bytes(32), random.bytes(32))
            let message = random.bytes(random.next(below: 200))
            let theirs = X25519.publicKey(of: other)
            #expect(theirs == (try Reference.agreementPublicKey(other)))
            #expect(X25519.agree(secret, with: theirs) == (try Reference.agree(secret, theirs)))
            // Any 32 bytes are a key: half of these are on the curve's twist.
            let drawn = random.bytes(32)
            #expect(X25519.agree(secret, with: drawn) == (try Reference.agree(secret, drawn)))
            let key = try Curve25519.Signing.PrivateKey(rawRepresentation: secret)
            let publicKey = Ed25519.publicKey(of: secret)
            #expect(publicKey == Array(key.publicKey.rawRepresentation))
            let signature = Ed25519.sign(message, seed: secret)
            #expect(key.publicKey.isValidSignature(signature, for: message))
            #expect(Ed25519.verify(Array(try key.signature(for: message)), of: message, publicKey: publicKey))
            #expect(!Ed25519.verify(signature, of: message + [0], publicKey: publicKey))
            #expect(!Ed25519.verify(signature, of: message, publicKey: drawn))
        }
    }

    @Test func `X25519 refuses every encoding of a point of small order`() throws {
        var random = RandomSource(seed: 9)
        for point in smallOrder + smallOrder.map(withTopBit) {
            for _ in 0..<8 {
                let secret = random.bytes(32)
                #expect(X25519.agree(secret, with: point) == nil)
                #expect(try Reference.agree(secret, point) == nil)
            }
        }
    }

    @Test func `X25519 reduces keys beyond the prime and ignores the top bit`() throws {
        var random = RandomSource(seed: 10)
        for value: UInt8 in 2..<19 {
            let secret = random.bytes(32)
            let (canonical, beyond) = (Self.small(value), adding(prime, Self.small(value)))
            let expected = try #require(X25519.agree(secret, with: canonical))
            for form in [beyond, withTopBit(canonical), withTopBit(beyond)] {
                #expect(X25519.agree(secret, with: form) == expected)
                #expect(try Reference.agree(secret, form) == expected)
            }
        }
    }

    @Test func `X25519 clamps its secret`() {
        var random = RandomSource(seed: 11)
        let (secret, other) = (random.bytes(32), X25519.publicKey(of: random.bytes(32)))
        var clamped = secret
        clamped[0] &= 0xf8
        clamped[31] = clamped[31] & 0x7f | 0x40
        for flip: [UInt8] in [Self.small(7), [UInt8](repeating: 0, count: 31) + [0xc0]] {
            let form = zip(clamped, flip).map { $0 ^ $1 }
            #expect(X25519.publicKey(of: form) == X25519.publicKey(of: secret))
            #expect(X25519.agree(form, with: other) == X25519.agree(secret, with: other))
        }
    }

    @Test func `Ed25519 refuses a signature whose number is not reduced`() throws {
        var random = RandomSource(seed: 12)
        for _ in 0..<16 {
            let (seed, message) = (random.bytes(32), random.bytes(32))
            let (publicKey, signature) = (Ed25519.publicKey(of: seed), Ed25519.sign(message, seed: seed))
            #expect(Ed25519.verify(signature, of: message, publicKey: publicKey))
            let raised = signature[..<32] + adding(Array(signature[32...]), order)
            #expect(!Ed25519.verify(Array(raised), of: message, publicKey: publicKey))
            #expect(try !Reference.verify(Array(raised), message, publicKey))
        }
    }

    // The equation without the cofactor, no list of forbidden points: as the reference code of the protocol has it.
    @Test func `Ed25519 treats points of small order and their odd encodings as the library does`() throws {
        let identity = Self.small(1)
        let message = Array("any".utf8)
        let accepted = identity + Self.small(0)
        #expect(Ed25519.verify(accepted, of: message, publicKey: identity))
        // One plus the prime is the same point; as a key it is reduced, as half of a signature it is compared as bytes.
        let beyond = adding(prime, identity)
        #expect(Ed25519.verify(accepted, of: message, publicKey: beyond))
        #expect(!Ed25519.verify(beyond + Self.small(0), of: message, publicKey: identity))
        let points =
            smallOrder + [
                hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
                hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            ]
        var (yes, no) = (0, 0)
        for key in points + points.map(withTopBit) {
            for half in points + points.map(withTopBit) {
                for index: UInt8 in 0..<4 {
                    let signature = half + Self.small(0)
                    let answer = Ed25519.verify(signature, of: message + [index], publicKey: key)
                    #expect(answer == (try Reference.verify(signature, message + [index], key)))
                    if answer { yes += 1 } else { no += 1 }
                }
            }
        }
        #expect(yes > 0 && no > 0)
    }

    @Test func `digests and codes of every length up to three blocks are the library's`() {
        var random = RandomSource(seed: 13)
        for count in 0..<385 {
            let message = random.bytes(count)
            #expect(SHA512.digest(message) == Array(Crypto.SHA512.hash(data: message)))
            #expect(SHA384.digest(message) == Array(Crypto.SHA384.hash(data: message)))
            var stream = SHA256Stream()
            stream.update(Array(message[..<(count / 3)]))
            stream.update(Array(message[(count / 3)...]))
            #expect(stream.digest() == Array(Crypto.SHA256.hash(data: message)))
            let key = random.bytes(count)
            let code = HMAC<Crypto.SHA384>.authenticationCode(for: message, using: SymmetricKey(data: key))
            #expect(HMACSHA384.code(for: message, key: key) == Array(code))
            let empty = HMAC<Crypto.SHA384>.authenticationCode(for: [UInt8](), using: SymmetricKey(data: key))
            #expect(HMACSHA384.code(for: [], key: key) == Array(empty))
        }
    }
}
