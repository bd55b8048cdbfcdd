// The memory-hard function that derives an address from public keys, and the search for keys that satisfy it.
// Read first: `zerotier/ZeroTierOne node/Identity.cpp` for the fact; the function itself is in `CCipherKernels`.

import CCipherKernels
package import NetPrimitives

/// The work that makes an address expensive: about 15 ms and 2 MiB a try, 15 tries for a new identity on average.
package enum IdentityWork {
    // First byte of a valid digest is below this.
    private static let firstByteBound: UInt8 = 17
    // Addresses that begin with this byte are reserved.
    private static let reservedPrefix: UInt64 = 0xff

    /// The 64-byte digest of public keys.
    package static func digest(of keys: PublicKeys) -> [UInt8] { digest(of: keys.bytes, tier: .best) }

    static func digest(of publicBytes: [UInt8], tier: CipherTier) -> [UInt8] {
        var digest = SHA512.digest(publicBytes)
        // Sound: the function reads and writes 64 bytes, which is what SHA-512 gives.
        let done = unsafe ck_identity_digest(&digest, tier.rawValue)
        precondition(done != 0, "no memory for an identity digest")
        return digest
    }

    /// The 40-bit address that public keys have earned; nil when the digest does not satisfy the bound or the address is
    /// reserved (zero, or first byte 0xff).
    package static func address(of keys: PublicKeys) -> UInt64? { address(from: digest(of: keys)) }

    private static func address(from digest: [UInt8]) -> UInt64? {
        guard digest[0] < firstByteBound else { return nil }
        let address = digest[59...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard address != 0, address >> 32 != reservedPrefix else { return nil }
        return address
    }

    /// Whether public keys have earned just this address.
    package static func isValid(_ keys: PublicKeys, address: UInt64) -> Bool { self.address(of: keys) == address }

    /// Searches for keys with a valid address: 0.2 s on average, without bound in theory.
    ///
    /// Only the X25519 half varies during a search, by a step that cannot repeat; all random bytes come from `random`.
    package static func generate(using random: inout RandomSource) -> (SecretKeys, UInt64) {
        while true {
            var secret = random.bytes(SecretKeys.size)
            let signing = Ed25519.publicKey(of: Array(secret[32...]))
            while true {
                let candidate = X25519.publicKey(of: Array(secret[..<32])) + signing
                let digest = digest(of: candidate, tier: .best)
                if let address = address(from: digest), let keys = SecretKeys(secret) { return (keys, address) }
                // A digest that satisfies the bound with a reserved address: start again with another secret.
                if digest[0] < firstByteBound { break }
                step(&secret, at: 8, by: 1)
                step(&secret, at: 16, by: UInt64.max)
            }
        }
    }

    // Adds to the little-endian 64-bit number at an offset.
    private static func step(_ bytes: inout [UInt8], at offset: Int, by addend: UInt64) {
        var word = (0..<8).reduce(0 as UInt64) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        word &+= addend
        for index in 0..<8 { bytes[offset + index] = UInt8(truncatingIfNeeded: word >> UInt64(8 * index)) }
    }
}
