// SHA-256 of a stream, for tools that check transfers. No protocol of ours uses it.

import Crypto

/// A running SHA-256.
package struct SHA256Stream: ~Copyable {
    private var hash = SHA256()

    package init() {}

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) { hash.update(data: bytes) }

    /// The digest of everything that was added: 32 bytes.
    package consuming func digest() -> [UInt8] { Array(hash.finalize()) }
}
