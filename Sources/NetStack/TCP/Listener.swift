package import NetPrimitives

/// A SYN-ACK (or other answer) of a listener, with its addresses.
package struct ListenerReply: Sendable {
    package var local: SocketEndpoint
    package var remote: SocketEndpoint
    package var segment: ReplySegment
}

/// What a segment to a listening port means.
package enum ListenerOutcome: Sendable {
    case dropped(SegmentDrop)
    /// Answer with this.
    case reply(ReplySegment)
    /// A SYN-ACK is due: `nextReply`.
    case replyDue
    /// Make a `Connection(accepting:)`, feed it this same segment, then `enqueue` its ID.
    case established(ConnectionParameters, HandshakeResult)
}

package struct Listener: ~Copyable {
    package init(backlog: Int, options: ConnectionOptions) {}
    package mutating func receive(
        _ header: SegmentHeader, packet: RawSpan, local: SocketEndpoint, remote: SocketEndpoint,
        maximumSegmentSize: Int, sequences: InitialSequence, now: Now
    ) -> ListenerOutcome { .dropped(.badFlags) }
    package mutating func nextReply(now: Now) -> ListenerReply? { nil }
    package var nextDeadline: MonotonicInstant? { nil }
    package mutating func handleDeadline(now: Now) {}
    /// A completed connection joins the accept queue (it has room: `established` checked).
    package mutating func enqueue(_ id: SlotID) {}
    package mutating func accept() -> SlotID? { nil }
    package var canAccept: Bool { false }
    package mutating func setBacklog(_ backlog: Int) {}
    package var options: ConnectionOptions { ConnectionOptions() }
}
