// TIME-WAIT without the connection: an entry for a 4-tuple stays for a minute, so that old segments find no new
// connection. Read first: RFC 9293 section 3.10.7.4, RFC 1337 (RST is ignored), RFC 6191 (reopening by timestamp).

package import NetPrimitives

/// The entry of a 4-tuple, kept after `Connection.isReleasable`.
package struct TimeWait: Sendable {
    let localPort: UInt16
    let remotePort: UInt16
    let pseudoHeaderSum: UInt32
    let sendNext: SequenceNumber
    let receiveNext: SequenceNumber
    let recentTimestamp: UInt32?
    let clock: TimestampClock
    private var since: Int
    private var lastReply = Int.min / 2

    init(
        localPort: UInt16, remotePort: UInt16, pseudoHeaderSum: UInt32, sendNext: SequenceNumber,
        receiveNext: SequenceNumber, recentTimestamp: UInt32?, clock: TimestampClock, since: Int
    ) {
        self.localPort = localPort
        self.remotePort = remotePort
        self.pseudoHeaderSum = pseudoHeaderSum
        self.sendNext = sendNext
        self.receiveNext = receiveNext
        self.recentTimestamp = recentTimestamp
        self.clock = clock
        self.since = since
    }

    /// When the entry is to be forgotten. It moves when a FIN comes again.
    package var deadline: MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(max(0, since + TCPLimits.timeWaitNanoseconds)))
    }

    /// The meaning of a segment.
    package enum Outcome: Sendable {
        case ignore
        case reply(ReplySegment)
        /// A SYN that may open a new connection: forget this entry, hand the segment to the listener.
        case reopen
    }

    /// Takes a segment of the 4-tuple. A wrong checksum is ignored.
    package mutating func receive(_ header: SegmentHeader, packet: RawSpan, now: Now) -> Outcome {
        guard header.isChecksumValid(in: packet, pseudoHeaderSum: pseudoHeaderSum) else { return .ignore }
        guard !header.flags.contains(.reset) else { return .ignore }
        let time = now.nanoseconds
        let isNewer: Bool
        if let recent = recentTimestamp, let timestamp = header.options.timestamp {
            isNewer = isOlder(recent, than: timestamp.value)
        } else {
            isNewer = receiveNext < header.sequence
        }
        if header.flags.contains(.synchronize), !header.flags.contains(.acknowledge), isNewer { return .reopen }
        // The peer's FIN again: our last ACK was lost. Anything else is not the peer's, and prolongs nothing.
        if header.flags.contains([.finish, .acknowledge]), header.sequence + header.sequenceLength == receiveNext,
            header.acknowledgment == sendNext
        {
            since = time
        }
        // Answer segments that take sequence space; the others at most twice a second.
        guard header.sequenceLength > 0 || time - lastReply >= TCPLimits.challengeIntervalNanoseconds else {
            return .ignore
        }
        lastReply = time
        return .reply(acknowledgment(time: time))
    }

    private func acknowledgment(time: Int) -> ReplySegment {
        var reply = ReplySegment(
            sourcePort: localPort, destinationPort: remotePort, sequence: sendNext, acknowledgment: receiveNext,
            flags: .acknowledge)
        if let recentTimestamp {
            reply.timestamp = SegmentOptions.Timestamp(value: clock.stamp(time), echo: recentTimestamp)
        }
        return reply
    }

    /// Whether an active open may take the 4-tuple over: after a second, with timestamps to tell old from new.
    package func canReuse(now: Now) -> Bool {
        recentTimestamp != nil && now.nanoseconds - since >= 1_000_000_000
    }

    /// A first sequence number for a new connection of the same 4-tuple: beyond everything the old one used.
    package var successorSequence: SequenceNumber { sendNext + 65_536 + 2 }
}
