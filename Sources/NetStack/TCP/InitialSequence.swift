// Initial sequence numbers and timestamp offsets that strangers cannot guess.
// Read first: RFC 6528 section 3, RFC 7323 section 5.4 and appendix B.

package import NetPrimitives

/// Makes initial sequence numbers: a keyed hash of the 4-tuple plus a clock that ticks every 4 microseconds.
package struct InitialSequence: Sendable {
    private let hash: KeyedHash

    /// Draws a secret.
    package init(random: inout RandomSource) {
        hash = KeyedHash(random.nextUInt64(), random.nextUInt64())
    }

    /// The initial sequence number of a connection that opens now.
    package func sequence(local: SocketEndpoint, remote: SocketEndpoint, now: Now) -> SequenceNumber {
        sequence(local: local, remote: remote, time: now.nanoseconds)
    }

    func sequence(local: SocketEndpoint, remote: SocketEndpoint, time: Int) -> SequenceNumber {
        let ticks = UInt32(truncatingIfNeeded: time / 4_000)
        return SequenceNumber(UInt32(truncatingIfNeeded: tuple(local, remote, 1)) &+ ticks)
    }

    /// The 24 bits that prove a SYN cookie.
    func cookie(
        local: SocketEndpoint, remote: SocketEndpoint, peer: SequenceNumber, slot: Int, size: Int
    ) -> UInt32 {
        let purpose = tuple(local, remote, 3)
        let proof = hash.hash(purpose, UInt64(peer.value), UInt64(truncatingIfNeeded: slot), UInt64(size), 0)
        return UInt32(truncatingIfNeeded: proof) & 0xFF_FFFF
    }

    /// The offset between milliseconds of the monotonic clock and timestamp values, for this pair of addresses.
    package func timestampOffset(local: SocketEndpoint, remote: SocketEndpoint) -> UInt32 {
        UInt32(truncatingIfNeeded: tuple(local, remote, 2))
    }

    private func tuple(_ local: SocketEndpoint, _ remote: SocketEndpoint, _ purpose: UInt64) -> UInt64 {
        hash.hash(
            local.address.high, local.address.low, remote.address.high, remote.address.low,
            purpose << 32 | UInt64(local.port) << 16 | UInt64(remote.port))
    }
}

/// SipHash-2-4 over whole 64-bit words (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
package struct KeyedHash: Sendable {
    private let first: UInt64
    private let second: UInt64

    /// Makes a hash from a 128-bit key.
    package init(_ first: UInt64, _ second: UInt64) {
        self.first = first
        self.second = second
    }

    /// The hash of five words.
    package func hash(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64) -> UInt64 {
        var state = SipState(first, second)
        state.absorb(a)
        state.absorb(b)
        state.absorb(c)
        state.absorb(d)
        state.absorb(e)
        return state.finish(byteCount: 40)
    }
}

private struct SipState {
    var a: UInt64
    var b: UInt64
    var c: UInt64
    var d: UInt64

    init(_ first: UInt64, _ second: UInt64) {
        a = first ^ 0x736f_6d65_7073_6575
        b = second ^ 0x646f_7261_6e64_6f6d
        c = first ^ 0x6c79_6765_6e65_7261
        d = second ^ 0x7465_6462_7974_6573
    }

    mutating func round() {
        a = a &+ b
        b = (b &<< 13 | b &>> 51) ^ a
        a = a &<< 32 | a &>> 32
        c = c &+ d
        d = (d &<< 16 | d &>> 48) ^ c
        a = a &+ d
        d = (d &<< 21 | d &>> 43) ^ a
        c = c &+ b
        b = (b &<< 17 | b &>> 47) ^ c
        c = c &<< 32 | c &>> 32
    }

    mutating func absorb(_ word: UInt64) {
        d ^= word
        round()
        round()
        a ^= word
    }

    mutating func finish(byteCount: UInt64) -> UInt64 {
        absorb(byteCount << 56)
        c ^= 0xff
        for _ in 0..<4 { round() }
        return a ^ b ^ c ^ d
    }
}
