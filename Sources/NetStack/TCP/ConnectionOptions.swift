// A connection's parameters, its options, and its outcomes.

package import NetPrimitives

/// The states of RFC 9293 section 3.3.2, without LISTEN, which is a `Listener`.
package enum ConnectionState: Sendable, Hashable {
    case closed, synSent, synReceived, established, finWait1, finWait2, closeWait, closing, lastAck, timeWait
}

/// Why a connection ended. Delivered once by `takeError`.
package enum ConnectionError: Error, Hashable, Sendable {
    /// RST in answer to our SYN: ECONNREFUSED.
    case refused
    /// RST of an open connection: ECONNRESET.
    case reset
    /// RST after the peer had closed its half: EPIPE.
    case brokenPipe
    /// Retransmissions, keepalives or the user's time-out ran out: ETIMEDOUT.
    case timedOut
    /// ICMP: EHOSTUNREACH.
    case hostUnreachable
    /// ICMP: ENETUNREACH.
    case networkUnreachable
    /// The interface or the address went away: ENETDOWN.
    case networkDown
}

/// Edges that the host drains once per batch with `takeEvents`.
package struct ConnectionEvents: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The handshake is complete.
    package static let connected = ConnectionEvents(rawValue: 1)
    /// Bytes came while none were readable, or the stream ended.
    package static let readable = ConnectionEvents(rawValue: 2)
    /// A third of the send buffer is free after a `send` that was cut short.
    package static let writable = ConnectionEvents(rawValue: 4)
    /// There is an error to take.
    package static let error = ConnectionEvents(rawValue: 8)
    /// State `closed` or `timeWait` was reached: both directions are done and acknowledged.
    package static let closed = ConnectionEvents(rawValue: 16)
}

/// The options of an application. Times are durations. Zero switches a feature off if its comment says so.
package struct ConnectionOptions: Sendable {
    /// TCP_NODELAY.
    package var noDelay = false
    /// TCP_CORK: only full segments leave while it is set, for at most 200 ms.
    package var cork = false
    /// SO_KEEPALIVE.
    package var keepAlive = false
    /// TCP_KEEPIDLE.
    package var keepAliveIdle = Duration.seconds(7200)
    /// TCP_KEEPINTVL.
    package var keepAliveInterval = Duration.seconds(75)
    /// TCP_KEEPCNT.
    package var keepAliveCount = 9
    /// TCP_USER_TIMEOUT; zero: by number of retransmissions.
    package var userTimeout = Duration.zero
    /// TCP_LINGER2: how long FIN-WAIT-2 waits after close.
    package var finWaitTimeout = Duration.nanoseconds(Int64(TCPLimits.timeWaitNanoseconds))
    /// TCP_SYNCNT.
    package var synRetries = TCPLimits.synRetries
    /// TCP_MAXSEG; zero: by the interface's MTU.
    package var maximumSegmentSize = 0
    /// Ceiling of the send buffer.
    package var sendBufferMaximum = TCPLimits.sendBufferMaximum
    /// Ceiling of the receive buffer. Only values set before the handshake move the window scale.
    package var receiveBufferMaximum = TCPLimits.receiveBufferMaximum
    /// Whether the buffers begin small and grow by need; false: they have their ceiling at once (SO_SNDBUF, SO_RCVBUF).
    package var autotune = true
    /// Which controller governs the congestion window; nil: the stack's.
    package var congestionControl: CongestionAlgorithm?
    /// Whether our SYN asks for congestion marks (RFC 3168). A peer's SYN that asks for them is granted in any case.
    package var requestsCongestionMarks = false

    package init() {}
}

/// The congestion controllers that can be chosen.
package enum CongestionAlgorithm: String, Sendable, Hashable, CaseIterable {
    /// RFC 9438 with HyStart++ (RFC 9406).
    case cubic
    /// RFC 5681.
    case reno
    /// draft-ietf-ccwg-bbr: BBR version 3.
    case bbr

    /// Decided by measurement: Docs/decisions/0006-congestion-control.md.
    package static let standard = CongestionAlgorithm.bbr
}

/// The parameters of a connection.
package struct ConnectionParameters: Sendable {
    /// Our end.
    package var local: SocketEndpoint
    /// The other end.
    package var remote: SocketEndpoint
    /// The largest segment payload that the interface takes: MTU minus 40 (IPv4) or 60 (IPv6), before TCP options.
    package var maximumSegmentSize: Int
    /// Our initial sequence number, from `InitialSequence`.
    package var initialSequence: SequenceNumber
    /// Added to milliseconds of the monotonic clock to make timestamp values, from `InitialSequence`.
    package var timestampOffset: UInt32
    package var options: ConnectionOptions

    package init(
        local: SocketEndpoint, remote: SocketEndpoint, maximumSegmentSize: Int, initialSequence: SequenceNumber,
        timestampOffset: UInt32, options: ConnectionOptions
    ) {
        self.local = local
        self.remote = remote
        self.maximumSegmentSize = maximumSegmentSize
        self.initialSequence = initialSequence
        self.timestampOffset = timestampOffset
        self.options = options
    }
}

/// The options of both SYNs, for a connection that a listener made.
package struct HandshakeResult: Sendable {
    package var peerInitialSequence: SequenceNumber
    package var peerMaximumSegmentSize: Int
    /// nil: no window scaling in either direction.
    package var peerWindowScale: UInt8?
    package var sackPermitted: Bool
    /// The peer's timestamp, nil: not negotiated.
    package var timestamp: UInt32?
    /// When our SYN-ACK left, nil if it was sent more than once: for the first round-trip sample.
    package var answeredAt: MonotonicInstant?
    /// The window scale that our SYN-ACK announced.
    package var ownWindowScale: UInt8
    /// RFC 3168 was asked for and granted.
    package var congestionEcho: Bool
}

/// The outcome of a received segment.
package enum SegmentOutcome: Sendable {
    /// Processed.
    case accepted
    /// Ignored, with the reason to count.
    case dropped(SegmentDrop)
    /// Answer with this RST and forget the segment.
    case reply(ReplySegment)
}

/// Ways a segment dies.
package enum SegmentDrop: Sendable, Hashable, CaseIterable {
    case badChecksum
    /// The connection is closed.
    case closed
    /// Flags that make no sense in the state.
    case badFlags
    /// Outside the receive window.
    case outOfWindow
    /// PAWS: an old timestamp.
    case oldTimestamp
    /// Acknowledges bytes that were never sent, or were sent too long ago.
    case badAcknowledgment
    /// A SYN or RST that must prove itself first: a challenge ACK is due.
    case challenged
    /// Too many out-of-order ranges.
    case tooManyRanges
    /// Accept or SYN queue full.
    case queueFull
}
