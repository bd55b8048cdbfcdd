// SYN cookies: the options of a SYN, in the sequence number and timestamp of the SYN-ACK, so that nothing need be kept.
// Read first: RFC 4987 section 3.6 and appendix A.
//
// Sequence number: 5 bits of the minute, 3 bits of the segment size, 24 bits of a keyed hash. Timestamp, low 6 bits:
// window scale (15: none), SACK, ECN.

import NetPrimitives

/// A cookie to send.
struct SynCookie {
    let sequence: SequenceNumber
    private let bits: UInt32

    /// How long a cookie is honoured, at least; at most one slot more.
    static let lifetimeNanoseconds = 2 * slotNanoseconds
    private static let slotNanoseconds = 64_000_000_000
    private static let segmentSizes: [UInt16] = [48, 536, 1220, 1380, 1460, 2748, 4312, 8960]

    /// Puts the low bits into a timestamp without making it later.
    func timestamp(_ stamp: UInt32) -> UInt32 {
        let marked = (stamp & ~63) | bits
        return isOlder(stamp, than: marked) ? marked &- 64 : marked
    }

    static func make(
        _ handshake: HandshakeResult, _ local: SocketEndpoint, _ remote: SocketEndpoint,
        _ sequences: InitialSequence, time: Int
    ) -> SynCookie {
        let slot = time / slotNanoseconds
        let size = segmentSizes.lastIndex { Int($0) <= handshake.peerMaximumSegmentSize } ?? 0
        let mark = sequences.cookie(
            local: local, remote: remote, peer: handshake.peerInitialSequence, slot: slot, size: size)
        let value = UInt32(truncatingIfNeeded: slot & 31) << 27 | UInt32(size) << 24 | mark
        let bits =
            UInt32(handshake.peerWindowScale ?? 15) | (handshake.sackPermitted ? 16 : 0)
            | (handshake.congestionEcho ? 32 : 0)
        return SynCookie(sequence: SequenceNumber(value), bits: bits)
    }

    /// Reads a cookie back from the ACK that completes the handshake; nil: it is none of ours or too old.
    static func open(
        _ header: SegmentHeader, _ local: SocketEndpoint, _ remote: SocketEndpoint, _ sequences: InitialSequence,
        time: Int
    ) -> HandshakeResult? {
        let value = header.acknowledgment.value &- 1
        let now = time / slotNanoseconds
        let age = (now - Int(value >> 27)) & 31
        let size = Int(value >> 24) & 7
        guard age <= 2, now >= age else { return nil }
        let peer = header.sequence + -1
        let mark = sequences.cookie(local: local, remote: remote, peer: peer, slot: now - age, size: size)
        guard value & 0xFF_FFFF == mark else { return nil }
        let bits = header.options.timestamp.map { $0.echo & 63 } ?? 15
        let scale = UInt8(bits & 15)
        return HandshakeResult(
            peerInitialSequence: peer, peerMaximumSegmentSize: Int(segmentSizes[size]),
            peerWindowScale: scale > 14 ? nil : scale, sackPermitted: bits & 16 != 0,
            timestamp: header.options.timestamp?.value, answeredAt: nil, ownWindowScale: 0,
            congestionEcho: bits & 32 != 0)
    }
}
