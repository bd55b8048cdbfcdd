package import NetPrimitives

package struct Connection: ~Copyable {
    package let local: SocketEndpoint
    package let remote: SocketEndpoint
    package private(set) var state = ConnectionState.closed
    package let pseudoHeaderSum: UInt32

    /// Active open: a SYN is due.
    package init(connecting parameters: ConnectionParameters, now: Now) {
        local = parameters.local
        remote = parameters.remote
        pseudoHeaderSum = 0
    }
    /// Passive open: what `Listener.receive` gave; feed the same segment to `receive` next.
    package init(accepting parameters: ConnectionParameters, handshake: HandshakeResult, now: Now) {
        local = parameters.local
        remote = parameters.remote
        pseudoHeaderSum = 0
    }

    // From the network
    package mutating func receive(_ header: SegmentHeader, packet: RawSpan, congestionMarked: Bool, now: Now)
        -> SegmentOutcome
    { .accepted }
    /// Once after the last segment of a receive batch.
    package mutating func endBatch(now: Now) {}
    /// ICMP about one of our segments. `sequence`: of the quoted header.
    package mutating func receive(unreachable error: ConnectionError, isHard: Bool, sequence: SequenceNumber, now: Now)
    {}
    /// ICMP packet too big / interface MTU change: the new MTU minus IP and TCP headers (40 or 60).
    package mutating func limitSegmentSize(to size: Int, sequence: SequenceNumber?, now: Now) {}

    // To the network: call until nil after endBatch, handleDeadline and every application call
    package mutating func nextBurst(maximumSegments: Int, now: Now) -> TCPBurst? { nil }
    package func write(_ burst: TCPBurst, segment: Int, into packet: inout MutableRawSpan, at offset: Int) -> Int { 0 }

    // Time
    package var nextDeadline: MonotonicInstant? { nil }
    package mutating func handleDeadline(now: Now) {}

    // Application
    package mutating func send(_ bytes: RawSpan, from offset: Int, count: Int, now: Now) -> Int { 0 }
    package mutating func receive(into target: inout MutableRawSpan, at offset: Int, count: Int, now: Now) -> Int { 0 }
    package func peek(into target: inout MutableRawSpan, at offset: Int, count: Int) -> Int { 0 }
    package var sendCapacity: Int { 0 }
    package var isWritable: Bool { false }
    package var receiveAvailable: Int { 0 }
    /// The peer closed and everything has been read.
    package var isEndOfStream: Bool { false }
    package var isReceiveClosed: Bool { false }
    package var isSendClosed: Bool { false }
    package var unacknowledged: Int { 0 }
    package mutating func shutdownWrite(now: Now) {}
    /// The application lets go: FIN, or RST if unread bytes are left.
    package mutating func close(now: Now) {}
    package mutating func abort(now: Now) {}
    /// The interface went: ends with the error, nothing is sent.
    package mutating func fail(_ error: ConnectionError) {}
    package var pendingError: ConnectionError? { nil }
    package mutating func takeError() -> ConnectionError? { nil }
    package mutating func takeEvents() -> ConnectionEvents { [] }
    package var options: ConnectionOptions { ConnectionOptions() }
    package mutating func setOptions(_ options: ConnectionOptions, now: Now) {}
    /// The application has let go, nothing is due: the host removes it, keeping `timeWait` if there is one.
    package var isReleasable: Bool { false }
    package func makeTimeWait() -> TimeWait? { nil }
    package var memoryHeld: Int { 0 }
}
