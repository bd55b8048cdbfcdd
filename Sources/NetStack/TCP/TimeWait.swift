package import NetPrimitives

/// TIME-WAIT without the connection: what the host keeps per 4-tuple when `Connection.isReleasable`.
package struct TimeWait: Sendable {
    package let deadline: MonotonicInstant
    package enum Outcome: Sendable {
        case ignore
        case reply(ReplySegment)
        /// A SYN that may open a new connection: forget this entry, hand the segment to the listener.
        case reopen
    }
    package mutating func receive(_ header: SegmentHeader, packet: RawSpan, now: Now) -> Outcome { .ignore }
    /// Whether an active open may take the 4-tuple over (after 1 s, with timestamps).
    package func canReuse(now: Now) -> Bool { false }
    /// A sequence number for a new connection of the same 4-tuple: beyond every old one.
    package var successorSequence: SequenceNumber { SequenceNumber(0) }
}
