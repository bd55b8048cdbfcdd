// A running SHA-256, for tools that check transfers.

import ZeroTierCrypto

/// The SHA-256 of a stream of bytes.
package struct StreamDigest: ~Copyable {
    private var hash = SHA256Stream()

    package init() {}

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) { hash.update(bytes) }

    /// The digest of everything that was added, as 64 hexadecimal digits.
    package consuming func finish() -> String {
        hash.digest().map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
