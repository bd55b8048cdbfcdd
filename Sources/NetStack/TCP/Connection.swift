// A TCP connection: states and what joins its two halves.
// Read first: RFC 9293 section 3.10. Then, in the order of a segment's life: `Connection+Receive`, `Receiver`,
// `Sender+Acknowledgment`, `Recovery`, `Connection+Transmit`, `Sender`, `LossTiming`.
//
//   connecting: synSent ──SYN-ACK──> established     (SYN alone: synReceived, simultaneous open)
//   accepting:  synReceived ──ACK──> established     (LISTEN and the half-open queue are `Listener`)
//   we close first:  established > finWait1 > finWait2 > timeWait     (both at once: finWait1 > closing > timeWait)
//   peer closes first:  established > closeWait > lastAck > closed
//
// The host calls `receive` for each segment, `endBatch` after a batch, `handleDeadline` when `nextDeadline` has passed,
// and after any of these and any application call `nextBurst` until nil, and then `takeEvents`.

package import NetPrimitives

/// One connection. Owned by the stack's table; nothing in it is shared.
package struct Connection: ~Copyable {
    private let inPlace = InPlace()
    /// Our end.
    package let local: SocketEndpoint
    /// The other end.
    package let remote: SocketEndpoint
    /// The partial checksum of both addresses and the protocol number.
    package let pseudoHeaderSum: UInt32
    /// Where RFC 9293 has it.
    package internal(set) var state: ConnectionState
    /// What the application set.
    package internal(set) var options: ConnectionOptions

    var sender: Sender
    var receiver: Receiver
    var timers = ConnectionTimers()
    var due: DueSegments = []
    var events: ConnectionEvents = []
    /// The error that waits to be taken.
    package internal(set) var pendingError: ConnectionError?
    /// The last ICMP error. It is told in place of a time-out's.
    var softError: ConnectionError?
    /// The application has let go.
    var isOrphan = false
    /// The application will not read any more.
    var isReadShut = false

    /// Largest payload by our interface, before options.
    var interfaceSegmentSize: Int
    /// Largest payload by the peer's SYN, before options.
    var peerSegmentSize: Int
    /// Window scale of the peer's window fields.
    var peerScale: UInt8 = 0
    /// The options that our SYN offers or our SYN-ACK grants.
    var offersScale = true
    var offersSack = true
    var offersTimestamps = true
    let timestampClock: TimestampClock
    /// The round trip of the handshake begins here; nil once a SYN was repeated.
    var handshakeSentAt: Int?
    /// When the SYN last left or the handshake began.
    var handshakeBase: Int
    /// When anything last came from the peer.
    var lastHeardAt: Int
    var keepAliveProbes = 0
    var lastChallengeAt: Int?
    var lastRepeatedAcknowledgmentAt: Int?
    /// Congestion marks are echoed and answered (RFC 3168): negotiated; and a mark not yet answered by CWR.
    var echoesCongestion = false
    var isCongestionSeen = false
    /// Our last SYN asked for congestion marks.
    var requestedMarks = false

    /// Where the peer waits, if the reset that is due answers text that nobody will read.
    var resetOffset: Int?

    /// Segments that are due besides data and ACKs.
    struct DueSegments: OptionSet, Sendable {
        let rawValue: UInt8
        static let reset = DueSegments(rawValue: 1)
        static let synchronize = DueSegments(rawValue: 2)
        static let challenge = DueSegments(rawValue: 4)
        static let keepAlive = DueSegments(rawValue: 8)
    }

    private init(_ parameters: ConnectionParameters, state: ConnectionState, time: Int) {
        local = parameters.local
        remote = parameters.remote
        pseudoHeaderSum = NetStack.pseudoHeaderSum(parameters.local.address, parameters.remote.address)
        self.state = state
        options = parameters.options
        let limit = parameters.options.maximumSegmentSize
        let own = limit > 0 ? min(limit, parameters.maximumSegmentSize) : parameters.maximumSegmentSize
        interfaceSegmentSize = min(max(own, TCPLimits.minimumSegmentSize), 65_535)
        peerSegmentSize =
            parameters.remote.address.isIPv4
            ? TCPLimits.defaultSegmentSizeIPv4 : TCPLimits.defaultSegmentSizeIPv6
        sender = Sender(
            options: parameters.options, segmentSize: interfaceSegmentSize,
            initialSequence: parameters.initialSequence)
        receiver = Receiver(options: parameters.options)
        receiver.scale = Receiver.windowScale(for: parameters.options)
        timestampClock = TimestampClock(offset: parameters.timestampOffset)
        handshakeBase = time
        lastHeardAt = time
    }

    /// Active open: a SYN is due.
    package init(connecting parameters: ConnectionParameters, now: Now) {
        self.init(parameters, state: .synSent, time: now.nanoseconds)
        due.insert(.synchronize)
    }

    /// Passive open: what `Listener.receive` gave. Feed the same segment to `receive` next: it completes the handshake.
    package init(accepting parameters: ConnectionParameters, handshake: HandshakeResult, now: Now) {
        self.init(parameters, state: .synReceived, time: now.nanoseconds)
        receiver.firstSequence = handshake.peerInitialSequence + 1
        receiver.scale = handshake.ownWindowScale
        sender.next = 0
        var options = SegmentOptions()
        options.maximumSegmentSize = UInt16(clamping: handshake.peerMaximumSegmentSize)
        options.windowScale = handshake.peerWindowScale
        options.sackPermitted = handshake.sackPermitted
        options.timestamp = handshake.timestamp.map { SegmentOptions.Timestamp(value: $0, echo: 0) }
        negotiate(options, time: now.nanoseconds)
        receiver.advertisedEdge = min(receiver.capacity, 65_535)
        handshakeSentAt = handshake.answeredAt.map { Int(truncatingIfNeeded: $0.nanoseconds) }
        agreeOnMarks(handshake.congestionEcho)
        armHandshakeTimer(time: now.nanoseconds)
    }

    /// Takes the options on which both SYNs agree.
    mutating func negotiate(_ peer: SegmentOptions, time: Int) {
        if let size = peer.maximumSegmentSize {
            peerSegmentSize = max(Int(size), TCPLimits.minimumSegmentSize)
        }
        if offersScale, let scale = peer.windowScale {
            peerScale = scale
        } else {
            offersScale = false
            receiver.scale = 0
        }
        offersSack = offersSack && peer.sackPermitted
        sender.usesSack = offersSack
        receiver.usesSack = offersSack
        if offersTimestamps, let timestamp = peer.timestamp {
            sender.clock = timestampClock
            receiver.usesTimestamps = true
            receiver.recentTimestamp = timestamp.value
            receiver.recentTimestampAt = time
        } else {
            offersTimestamps = false
        }
        updateSegmentSize()
        sender.congestion = CongestionControl(
            options.congestionControl ?? .standard, segmentSize: sender.segmentSize, pieces: sender.pieces,
            seed: sender.firstSequence.value)
    }

    /// The bytes that the link carries in one datagram (`InterfaceConfiguration.pieceLength`).
    package mutating func setPieceLength(_ length: Int) { sender.pieceLength = length }

    /// Whether both ends answer congestion marks (RFC 3168).
    mutating func agreeOnMarks(_ isAgreed: Bool) {
        echoesCongestion = isAgreed
        sender.usesMarks = isAgreed
    }

    mutating func updateSegmentSize() {
        let option = sender.clock == nil ? 0 : TCPLimits.timestampOptionLength
        sender.setFullSegmentSize(max(min(interfaceSegmentSize, peerSegmentSize) - option, 16))
    }

    // MARK: Ends

    /// Ends the connection with an error for the application.
    mutating func end(_ error: ConnectionError?) {
        state = .closed
        timers.stopAll()
        due = []
        sender.ring.removeAll()
        sender.scoreboard.removeAll()
        receiver.ranges.removeAll()
        receiver.isAcknowledgmentDue = false
        events.formUnion([.closed, .readable, .writable])
        if let error {
            pendingError = error
            events.insert(.error)
        }
    }

    /// Ends the connection and tells the peer.
    mutating func endWithReset(_ error: ConnectionError?) {
        end(error)
        due.insert(.reset)
    }

    mutating func enterTimeWait(time: Int) {
        state = .timeWait
        timers.stopAll()
        timers[.linger] = time + TCPLimits.timeWaitNanoseconds
        events.insert(.closed)
    }

    /// Whether the host may remove the connection: the application has let go and nothing is left to send. `makeTimeWait`
    /// gives what remains of it.
    package var isReleasable: Bool {
        guard isOrphan, due.isEmpty else { return false }
        return state == .closed || (state == .timeWait && !receiver.isAcknowledgmentDue)
    }

    /// In TIME-WAIT: what the host keeps in place of the connection.
    package func makeTimeWait() -> TimeWait? {
        guard state == .timeWait, let deadline = timers[.linger] else { return nil }
        return TimeWait(
            localPort: local.port, remotePort: remote.port, pseudoHeaderSum: pseudoHeaderSum,
            sendNext: sender.sequence(at: sender.next), receiveNext: receiver.sequence(at: receiver.next),
            recentTimestamp: receiver.usesTimestamps ? receiver.recentTimestamp : nil,
            clock: timestampClock, since: deadline - TCPLimits.timeWaitNanoseconds)
    }

    /// Bytes of memory that the buffers hold.
    package var memoryHeld: Int { sender.ring.memoryHeld + receiver.ring.memoryHeld }
}

extension Now {
    /// The monotonic clock in nanoseconds: what the TCP half counts in.
    var nanoseconds: Int { Int(truncatingIfNeeded: monotonic.nanoseconds & UInt64(Int64.max)) }
}
