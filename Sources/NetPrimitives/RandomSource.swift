// Randomness as the machines see it: passed in, seedable, repeatable. ChaCha20 block function after RFC 8439 section 2.3.

/// A deterministic generator seeded by the driver from the system, or by the simulator from its seed.
///
/// Cryptographic strength comes from the 256-bit seed; the same seed gives the same sequence on every machine.
public struct RandomSource: Sendable {
    private var key: SIMD8<UInt32>
    private var counter: UInt64 = 0
    private var block = SIMD16<UInt32>()
    // Words of `block` that have been given out.
    private var position = 16

    /// Makes a source from 32 bytes of seed; shorter seeds are padded with zeros, longer ones are folded in.
    public init(seed: [UInt8]) {
        var words = SIMD8<UInt32>()
        for (index, byte) in seed.enumerated() {
            let word = (index / 4) % 8
            words[word] ^= UInt32(byte) &<< UInt32((index % 4) * 8)
        }
        key = words
    }

    /// Makes a source from a simulation seed.
    public init(seed: UInt64) {
        key = SIMD8<UInt32>(
            UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32), 0x5eed, 1, 2, 3, 4, 5)
    }

    private mutating func refill() {
        let initial = SIMD16<UInt32>(
            0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574,
            key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
            UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), 0, 0)
        var s = initial
        for _ in 0..<10 {
            RandomSource.quarter(&s, 0, 4, 8, 12)
            RandomSource.quarter(&s, 1, 5, 9, 13)
            RandomSource.quarter(&s, 2, 6, 10, 14)
            RandomSource.quarter(&s, 3, 7, 11, 15)
            RandomSource.quarter(&s, 0, 5, 10, 15)
            RandomSource.quarter(&s, 1, 6, 11, 12)
            RandomSource.quarter(&s, 2, 7, 8, 13)
            RandomSource.quarter(&s, 3, 4, 9, 14)
        }
        block = s &+ initial
        counter &+= 1
        position = 0
    }

    private static func quarter(_ s: inout SIMD16<UInt32>, _ a: Int, _ b: Int, _ c: Int, _ d: Int) {
        func rotated(_ value: UInt32, _ by: UInt32) -> UInt32 { (value &<< by) | (value &>> (32 &- by)) }
        s[a] = s[a] &+ s[b]
        s[d] = rotated(s[d] ^ s[a], 16)
        s[c] = s[c] &+ s[d]
        s[b] = rotated(s[b] ^ s[c], 12)
        s[a] = s[a] &+ s[b]
        s[d] = rotated(s[d] ^ s[a], 8)
        s[c] = s[c] &+ s[d]
        s[b] = rotated(s[b] ^ s[c], 7)
    }

    /// The next 32 random bits.
    public mutating func nextUInt32() -> UInt32 {
        if position == 16 { refill() }
        let word = block[position]
        position += 1
        return word
    }

    /// The next 64 random bits.
    public mutating func nextUInt64() -> UInt64 {
        let low = UInt64(nextUInt32())
        return UInt64(nextUInt32()) << 32 | low
    }

    /// A number in `0..<bound`, unbiased. `bound` must be positive.
    public mutating func next(below bound: Int) -> Int {
        precondition(bound > 0, "an empty range has no random member")
        let range = UInt64(bound)
        // Reject the part of the 64-bit range that does not divide evenly.
        let limit = UInt64.max - (UInt64.max % range)
        while true {
            let value = nextUInt64()
            if value < limit { return Int(value % range) }
        }
    }

    /// A number in `0..<1`.
    public mutating func nextUnit() -> Double { Double(nextUInt64() >> 11) * 0x1p-53 }

    /// Random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            let word = nextUInt32()
            for shift in stride(from: UInt32(0), to: 32, by: 8) where result.count < count {
                result.append(UInt8(truncatingIfNeeded: word &>> shift))
            }
        }
        return result
    }

    /// An independent source for a part of the system, so that one part's use does not shift another's.
    public mutating func fork() -> RandomSource { RandomSource(seed: bytes(32)) }
}
