// The two uses of Curve25519. Read first: RFC 7748 (X25519), RFC 8032 (Ed25519). Computed by BoringSSL, which stays in this
// file and in `Hashes.swift`: decision 8.

import CCryptoBoringSSL

/// X25519 over 32-byte arrays. The top bit of a public key is ignored, and any 32 bytes are a key (RFC 7748 section 5).
enum X25519 {
    /// Bytes of a secret, of a public key and of what they agree on.
    static let size = 32

    /// The public key of a 32-byte secret, which is clamped here.
    static func publicKey(of secret: [UInt8]) -> [UInt8] {
        precondition(secret.count == size, "an X25519 secret has 32 bytes")
        var result = [UInt8](repeating: 0, count: size)
        // Sound: reads and writes 32 bytes, which is what both arrays have.
        unsafe CCryptoBoringSSL_X25519_public_from_private(&result, secret)
        return result
    }

    /// What a secret and another's public key agree on: 32 bytes, secret, to be wiped by the caller. Nil when all of them are
    /// zero, as a point of small order makes them.
    static func agree(_ secret: [UInt8], with publicKey: [UInt8]) -> [UInt8]? {
        precondition(secret.count == size && publicKey.count == size, "X25519 keys have 32 bytes")
        var result = [UInt8](repeating: 0, count: size)
        // Sound: reads and writes 32 bytes, which is what all three arrays have.
        guard unsafe CCryptoBoringSSL_X25519(&result, secret, publicKey) == 1 else { return nil }
        return result
    }
}

/// Ed25519 without a prefix or a context (RFC 8032 section 5.1). A signature is a function of seed and message.
enum Ed25519 {
    /// Bytes of a public key and of a seed.
    static let keySize = 32
    /// Bytes of a signature.
    static let signatureSize = 64

    /// The public key of a 32-byte seed.
    static func publicKey(of seed: [UInt8]) -> [UInt8] {
        var (publicKey, expanded) = expand(seed)
        ConstantTime.wipe(&expanded)
        return publicKey
    }

    /// The 64-byte signature over a message under a 32-byte seed.
    static func sign(_ message: [UInt8], seed: [UInt8]) -> [UInt8] {
        var (_, expanded) = expand(seed)
        defer { ConstantTime.wipe(&expanded) }
        var signature = [UInt8](repeating: 0, count: signatureSize)
        // Sound: writes the 64 bytes of the signature, reads `count` bytes of the message and the 64 of the expanded key.
        let done = unsafe CCryptoBoringSSL_ED25519_sign(&signature, message, message.count, expanded)
        precondition(done == 1, "signing with a valid key does not fail")
        return signature
    }

    /// Whether a 64-byte signature over a message was made by the holder of a 32-byte public key's seed.
    static func verify(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureSize, publicKey.count == keySize else { return false }
        // Sound: reads `count` bytes of the message, the 64 of the signature and the 32 of the key.
        return unsafe CCryptoBoringSSL_ED25519_verify(message, message.count, signature, publicKey) == 1
    }

    // The public key, and the 64-byte form in which BoringSSL wants the secret: the seed, then the public key.
    private static func expand(_ seed: [UInt8]) -> (publicKey: [UInt8], expanded: [UInt8]) {
        precondition(seed.count == keySize, "an Ed25519 seed has 32 bytes")
        var publicKey = [UInt8](repeating: 0, count: keySize)
        var expanded = [UInt8](repeating: 0, count: 2 * keySize)
        // Sound: writes 32 and 64 bytes and reads 32, which is what the arrays have.
        unsafe CCryptoBoringSSL_ED25519_keypair_from_seed(&publicKey, &expanded, seed)
        return (publicKey, expanded)
    }
}
