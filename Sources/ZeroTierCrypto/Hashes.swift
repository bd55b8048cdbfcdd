// SHA-2 over byte arrays. Read first: FIPS 180-4, RFC 2104. Computed by swift-crypto, whose types stay in this file.

import Crypto

/// SHA-512.
package enum SHA512 {
    /// The 64-byte digest of a message.
    package static func digest(_ message: [UInt8]) -> [UInt8] {
        [UInt8](Crypto.SHA512.hash(data: message))
    }
}

/// SHA-384.
package enum SHA384 {
    /// The 48-byte digest of a message.
    package static func digest(_ message: [UInt8]) -> [UInt8] {
        [UInt8](Crypto.SHA384.hash(data: message))
    }
}

/// HMAC with SHA-384.
package enum HMACSHA384 {
    /// The 48-byte code of a message under a key of any length.
    package static func code(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        [UInt8](HMAC<Crypto.SHA384>.authenticationCode(for: message, using: SymmetricKey(data: key)))
    }
}
