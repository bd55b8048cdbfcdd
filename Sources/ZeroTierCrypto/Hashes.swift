// SHA-2 over byte arrays. Read first: FIPS 180-4, RFC 2104. Computed by BoringSSL, which stays in this file and in
// `Curve25519.swift`: decision 8.

import CCryptoBoringSSL

/// SHA-512.
package enum SHA512 {
    /// Bytes of a digest.
    package static let size = 64

    /// The 64-byte digest of a message.
    package static func digest(_ message: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: size)
        // Sound: reads `count` bytes and writes 64.
        _ = unsafe CCryptoBoringSSL_SHA512(message, message.count, &result)
        return result
    }
}

/// SHA-384.
package enum SHA384 {
    /// Bytes of a digest.
    package static let size = 48

    /// The 48-byte digest of a message.
    package static func digest(_ message: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: size)
        // Sound: reads `count` bytes and writes 48.
        _ = unsafe CCryptoBoringSSL_SHA384(message, message.count, &result)
        return result
    }
}

/// HMAC with SHA-384.
package enum HMACSHA384 {
    /// The 48-byte code of a message under a key of any length.
    package static func code(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: SHA384.size)
        // Sound: reads `count` bytes of key and message and writes the digest's 48.
        let done = unsafe CCryptoBoringSSL_HMAC(
            CCryptoBoringSSL_EVP_sha384(), key, key.count, message, message.count, &result, nil)
        precondition(unsafe done != nil, "no memory for a message authentication code")
        return result
    }
}

/// A running SHA-256, for tools that check transfers. No protocol of ours uses it.
package struct SHA256Stream: ~Copyable {
    private var context = SHA256_CTX()

    package init() {
        // Sound: writes the context alone.
        _ = unsafe CCryptoBoringSSL_SHA256_Init(&context)
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) {
        // Sound: reads `count` bytes.
        _ = unsafe CCryptoBoringSSL_SHA256_Update(&context, bytes, bytes.count)
    }

    /// The digest of everything that was added: 32 bytes.
    package consuming func digest() -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        // Sound: writes 32 bytes.
        _ = unsafe CCryptoBoringSSL_SHA256_Final(&result, &context)
        return result
    }
}
