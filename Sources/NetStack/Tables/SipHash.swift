// SipHash-1-3 over 64-bit words: the keyed hash of the stack's tables, ports, identifications and sequence numbers.
// Read first: Aumasson, Bernstein, "SipHash: a fast short-input PRF" (2012).

/// A keyed hash of a sequence of words. The key comes from the stack's seed, so that a peer cannot choose collisions
/// and two runs with one seed agree.
package struct SipHasher: Sendable {
    /// The 128-bit key.
    package struct Key: Sendable {
        let k0: UInt64
        let k1: UInt64

        /// Makes a key of two random words.
        package init(_ k0: UInt64, _ k1: UInt64) {
            self.k0 = k0
            self.k1 = k1
        }
    }

    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var words: UInt64 = 0

    /// Starts a hash.
    @inline(__always)
    package init(_ key: Key) {
        v0 = key.k0 ^ 0x736f_6d65_7073_6575
        v1 = key.k1 ^ 0x646f_7261_6e64_6f6d
        v2 = key.k0 ^ 0x6c79_6765_6e65_7261
        v3 = key.k1 ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = (v1 &<< 13 | v1 &>> 51) ^ v0
        v0 = v0 &<< 32 | v0 &>> 32
        v2 = v2 &+ v3
        v3 = (v3 &<< 16 | v3 &>> 48) ^ v2
        v0 = v0 &+ v3
        v3 = (v3 &<< 21 | v3 &>> 43) ^ v0
        v2 = v2 &+ v1
        v1 = (v1 &<< 17 | v1 &>> 47) ^ v2
        v2 = v2 &<< 32 | v2 &>> 32
    }

    /// Adds eight bytes as a little-endian word.
    @inline(__always)
    package mutating func combine(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
        words &+= 1
    }

    /// Ends the hash.
    @inline(__always)
    package mutating func finish() -> UInt64 {
        // The last block of SipHash holds the length in bytes modulo 256 in its top byte.
        let last = words &<< 59
        v3 ^= last
        round()
        v0 ^= last
        v2 ^= 0xff
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }
}
