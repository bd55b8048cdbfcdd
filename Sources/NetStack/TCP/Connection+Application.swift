// The application's side of a connection. The host pumps `nextBurst` after each of these.

package import NetPrimitives

extension Connection {
    // MARK: Sending

    /// Queues up to `count` bytes and gives how many were taken: 0 when the buffer is full, the handshake is not complete
    /// or the sending half is closed (`isSendClosed`). A call cut short is answered by a `writable` event later.
    package mutating func send(_ bytes: RawSpan, from offset: Int, count: Int, now: Now) -> Int {
        switch state {
        case .established, .closeWait: break
        case .synSent, .synReceived:
            sender.isBlocked = true
            return 0
        default: return 0
        }
        return sender.queue(bytes, from: offset, count: count)
    }

    /// Wants a `writable` event as after a `send` that was cut short.
    package mutating func requestWritableEvent() { sender.isBlocked = true }

    /// Whether a third of the send buffer is free, or a `send` would fail at once.
    package var isWritable: Bool {
        switch state {
        case .synSent, .synReceived: false
        case .established, .closeWait: sender.isWritable
        default: true
        }
    }

    /// No byte will be taken any more: EPIPE.
    package var isSendClosed: Bool {
        switch state {
        case .synSent, .synReceived, .established, .closeWait: sender.finishOffset != nil
        default: true
        }
    }

    /// Bytes queued that the peer has not acknowledged.
    package var unacknowledged: Int { sender.ring.count }

    /// Closes our half after what is queued: FIN.
    package mutating func shutdownWrite(now: Now) {
        guard sender.finishOffset == nil else { return }
        switch state {
        case .synSent: end(nil)
        case .synReceived: sender.finishOffset = sender.ring.end
        case .established:
            sender.finishOffset = sender.ring.end
            state = .finWait1
        case .closeWait:
            sender.finishOffset = sender.ring.end
            state = .lastAck
        default: break
        }
    }

    // MARK: Receiving

    /// Bytes that can be read now.
    package var receiveAvailable: Int { receiver.ring.count }

    /// Everything the peer sent has been read and nothing more will come.
    package var isEndOfStream: Bool { receiver.ring.isEmpty && isReceiveClosed }

    /// Nothing more will come from the peer. Bytes that have come may still be unread.
    package var isReceiveClosed: Bool { receiver.isFinished || state == .closed }

    /// The application will not read any more. Alone that changes nothing on the wire, as on Linux; once our half is closed
    /// too, new bytes are answered with a reset.
    package mutating func shutdownRead() { isReadShut = true }

    /// Moves up to `count` bytes into a span and gives how many. Works after the end as long as bytes are left.
    package mutating func receive(
        into target: inout MutableRawSpan, at offset: Int, count: Int, now: Now
    ) -> Int {
        let length = min(count, receiver.ring.count)
        guard length > 0 else { return 0 }
        receiver.ring.read(receiver.ring.start, count: length, into: &target, at: offset)
        receiver.ring.discard(to: receiver.ring.start + length)
        if isSynchronized {
            receiver.taken(
                length, roundTrip: sender.roundTrip.smoothed, minimumRoundTrip: sender.roundTrip.minimum,
                time: now.nanoseconds)
        }
        return length
    }

    /// Copies up to `count` unread bytes into a span and gives how many; they stay unread.
    package func peek(into target: inout MutableRawSpan, at offset: Int, count: Int) -> Int {
        let length = min(count, receiver.ring.count)
        guard length > 0 else { return 0 }
        receiver.ring.read(receiver.ring.start, count: length, into: &target, at: offset)
        return length
    }

    // MARK: Ending

    /// The application lets go. What is queued is still sent, then FIN; if there are unread bytes, RST instead.
    package mutating func close(now: Now) {
        guard !isOrphan else { return }
        isOrphan = true
        let hasUnread = !receiver.ring.isEmpty
        switch state {
        case .closed, .timeWait: break
        case .synSent: end(nil)
        case .synReceived, .established, .closeWait:
            if hasUnread { endWithReset(nil) } else { shutdownWrite(now: now) }
        case .finWait1, .closing, .lastAck: if hasUnread { endWithReset(nil) }
        case .finWait2: if hasUnread { endWithReset(nil) } else { armFinWait(time: now.nanoseconds) }
        }
        updateTimers(time: now.nanoseconds)
    }

    /// Ends at once: RST. Queued bytes are lost (SO_LINGER with time 0).
    package mutating func abort(now: Now) {
        isOrphan = true
        switch state {
        case .closed, .timeWait, .synSent: end(nil)
        default: endWithReset(nil)
        }
    }

    /// The interface or address went away: ends with the error, nothing is sent.
    package mutating func fail(_ error: ConnectionError) {
        guard state != .closed else { return }
        end(error)
    }

    // MARK: Edges and options

    /// Gives the error once.
    package mutating func takeError() -> ConnectionError? {
        let error = pendingError
        pendingError = nil
        return error
    }

    /// Gives the edges since the last call.
    package mutating func takeEvents() -> ConnectionEvents {
        let taken = events
        events = []
        return taken
    }

    /// Changes options. Buffer ceilings apply at once; the window scale stays as negotiated.
    package mutating func setOptions(_ new: ConnectionOptions, now: Now) {
        let old = options
        options = new
        sender.timing.isCorked = new.cork
        if !new.cork { timers[.cork] = nil }
        if new.sendBufferMaximum != old.sendBufferMaximum || new.autotune != old.autotune {
            sender.capacityLimit = min(max(new.sendBufferMaximum, 2048), TCPLimits.bufferLimit)
            sender.capacity = new.autotune ? min(sender.capacity, sender.capacityLimit) : sender.capacityLimit
        }
        if new.receiveBufferMaximum != old.receiveBufferMaximum || new.autotune != old.autotune {
            receiver.setLimit(new.receiveBufferMaximum, isTuned: new.autotune)
        }
        if let algorithm = new.congestionControl, algorithm != old.congestionControl ?? .standard {
            sender.congestion.change(
                to: algorithm, roundTrip: sender.roundTrip.smoothed, seed: sender.firstSequence.value)
        }
        armKeepAlive(time: now.nanoseconds)
        updateTimers(time: now.nanoseconds)
    }

    /// Sends what a cork holds back. The cork stays for bytes queued later.
    package mutating func releaseCorked() {
        guard sender.unsent > 0 else { return }
        sender.timing.isCorked = false
        timers[.cork] = nil
    }

    /// Largest payload of a segment.
    package var segmentSize: Int { sender.segmentSize }
    /// Smoothed round trip; nil before the first sample.
    package var roundTripTime: Duration? { sender.roundTrip.smoothed.map { .nanoseconds(Int64($0)) } }
    /// Congestion window in bytes.
    package var congestionWindow: Int { sender.congestion.window }
    /// Bytes thought to be in the network.
    package var bytesInFlight: Int { sender.inFlight }
}

/// The facts from which a host tells what can be done with a connection.
package struct ConnectionFacts: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The handshake is under way.
    package static let opening = ConnectionFacts(rawValue: 1)
    /// Both directions have ended.
    package static let ended = ConnectionFacts(rawValue: 2)
    /// Nothing more will come.
    package static let receiveClosed = ConnectionFacts(rawValue: 4)
    /// Nothing more may be sent.
    package static let sendClosed = ConnectionFacts(rawValue: 8)
    /// Received bytes wait to be read.
    package static let hasBytes = ConnectionFacts(rawValue: 16)
    /// A write would take bytes.
    package static let writable = ConnectionFacts(rawValue: 32)
}

extension Connection {
    /// All of it in one access: the compiler's checker of noncopyable values takes minutes over a caller that asks this
    /// connection, nested in another noncopyable struct, ten single questions.
    package var facts: ConnectionFacts {
        var result: ConnectionFacts = []
        switch state {
        case .synSent, .synReceived: result.insert(.opening)
        case .closed, .timeWait: result.insert(.ended)
        default: break
        }
        if isReceiveClosed { result.insert(.receiveClosed) }
        if isSendClosed { result.insert(.sendClosed) }
        if receiveAvailable > 0 { result.insert(.hasBytes) }
        if isWritable { result.insert(.writable) }
        return result
    }
}
