// Key pairs in the wire's shape: an X25519 half for agreement and an Ed25519 half for signatures.
// Read first: RFC 7748, RFC 8032, and for the shapes `zerotier/ZeroTierOne node/C25519.hpp`.

package import NetPrimitives

/// The public half of an identity's keys.
package struct PublicKeys: Hashable, Sendable {
    /// Bytes of the public keys: 32 for X25519, then 32 for Ed25519.
    package static let size = 64
    /// Bytes of a signature: 64 of Ed25519, then the first 32 of the message's SHA-512.
    package static let signatureSize = 96

    /// 64 bytes: X25519 public key, Ed25519 public key.
    package let bytes: [UInt8]

    /// Takes exactly 64 bytes. That they are points of the curves shows only when they are used.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == PublicKeys.size else { return nil }
        self.bytes = bytes
    }

    /// Whether a 96-byte signature was made over a message by the holder of the secret keys. Anything malformed is false.
    package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == PublicKeys.signatureSize else { return false }
        let hash = Array(SHA512.digest(message)[..<32])
        guard ConstantTime.equal(hash, Array(signature[64...])) else { return false }
        return Ed25519.verify(Array(signature[..<64]), of: hash, publicKey: Array(bytes[32...]))
    }
}

/// The secret half of an identity's keys. Never printed.
package struct SecretKeys: Sendable {
    /// Bytes of the secret keys: 32 for X25519, then 32 of Ed25519 seed.
    package static let size = 64

    /// 64 bytes: X25519 secret key as drawn (it is clamped when used), Ed25519 seed.
    package let bytes: [UInt8]

    /// Takes exactly 64 bytes; any value is a secret key.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == SecretKeys.size else { return nil }
        self.bytes = bytes
    }

    private init(drawn bytes: [UInt8]) { self.bytes = bytes }

    /// Draws a pair of secret keys. Its address, if any, is not considered: see `IdentityWork.generate`.
    package static func generate(using random: inout RandomSource) -> SecretKeys {
        SecretKeys(drawn: random.bytes(SecretKeys.size))
    }

    /// The keys that belong to these; computed at each call, about 25 microseconds.
    package var publicKeys: PublicKeys {
        let agreement = X25519.publicKey(of: Array(bytes[..<32]))
        let signing = Ed25519.publicKey(of: Array(bytes[32...]))
        guard let keys = PublicKeys(agreement + signing) else {
            preconditionFailure("public keys have a fixed size")
        }
        return keys
    }

    /// Signs a message: 96 bytes, the Ed25519 signature over the first half of the message's SHA-512, then that half.
    package func sign(_ message: [UInt8]) -> [UInt8] {
        let hash = Array(SHA512.digest(message)[..<32])
        return Ed25519.sign(hash, seed: Array(bytes[32...])) + hash
    }

    /// The key shared with another identity, or nil when their key is a point of small order (all-zero result).
    package func agree(with other: PublicKeys) -> SharedKey? {
        guard var raw = rawAgreement(with: other) else { return nil }
        defer { ConstantTime.wipe(&raw) }
        return SharedKey(Array(SHA512.digest(raw)[..<SharedKey.size]))
    }

    /// What X25519 gives before it is hashed: 32 bytes, secret, to be wiped by the caller. Nil as for `agree`.
    func rawAgreement(with other: PublicKeys) -> [UInt8]? {
        X25519.agree(Array(bytes[..<32]), with: Array(other.bytes[..<32]))
    }
}

extension SecretKeys: Equatable {
    package static func == (left: SecretKeys, right: SecretKeys) -> Bool { ConstantTime.equal(left.bytes, right.bytes) }
}

extension SecretKeys: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SecretKeys(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The symmetric key of a pair of identities. Static: it lives as long as both. Never printed.
package struct SharedKey: Sendable {
    /// Bytes of the key. The first 32 are the classic suites' key; all of them enter `KeyDerivation`.
    package static let size = 48

    /// 48 bytes.
    package let bytes: [UInt8]

    /// Takes exactly 48 bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == SharedKey.size else { return nil }
        self.bytes = bytes
    }
}

extension SharedKey: Equatable {
    package static func == (left: SharedKey, right: SharedKey) -> Bool { ConstantTime.equal(left.bytes, right.bytes) }
}

extension SharedKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SharedKey(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
