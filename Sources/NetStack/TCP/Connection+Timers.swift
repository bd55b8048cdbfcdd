// Deadlines of a connection.
// Read first: `Timers`, `LossTiming`; RFC 9293 sections 3.8.3, 3.8.4, 3.6.1.

package import NetPrimitives

extension Connection {
    /// When `handleDeadline` is to be called; nil: nothing runs.
    package var nextDeadline: MonotonicInstant? {
        var earliest = timers.next
        if isSynchronized {
            if let deadline = sender.timing.deadline { earliest = min(earliest, UInt64(max(0, deadline))) }
            if let deadline = sender.pacer.deadline { earliest = min(earliest, UInt64(max(0, deadline))) }
        }
        return earliest == .max ? nil : MonotonicInstant(nanoseconds: earliest)
    }

    /// Acts on what is due. Calling early or twice does no harm.
    package mutating func handleDeadline(now: Now) {
        let time = now.nanoseconds
        while let timer = timers.popDue(time) {
            switch timer {
            case .loss: handleHandshakeDeadline(time: time)
            case .delayedAcknowledgment: receiver.delayIsOver()
            case .keepAlive: handleKeepAlive(time: time)
            case .linger: end(nil)
            case .cork: sender.timing.isCorked = false
            case .idle: handleIdle(time: time)
            }
        }
        if isSynchronized {
            let action = sender.handleLossDeadline(time: time, limits: retryLimits)
            if case .giveUp = action { end(softError ?? .timedOut) }
            if let deadline = sender.pacer.deadline, deadline <= time { sender.pacer.stop() }
        }
        updateTimers(time: time)
    }

    var isSynchronized: Bool {
        switch state {
        case .closed, .synSent, .synReceived, .timeWait: false
        default: true
        }
    }

    private var retryLimits: RetryLimits {
        RetryLimits(
            count: isOrphan ? TCPLimits.orphanRetries : TCPLimits.dataRetries,
            userTimeout: Int(options.userTimeout.nanoseconds), isOrphan: isOrphan)
    }

    /// After every entry from outside: sets the timers that the state needs.
    mutating func updateTimers(time: Int) {
        if isSynchronized { sender.armLossTimer(time: time) }
        if timers[.idle] == nil, state != .closed, sender.ring.isEmpty, receiver.ring.isEmpty, receiver.ranges.isEmpty,
            memoryHeld > 0
        {
            timers[.idle] = time + TCPLimits.idleReleaseNanoseconds
        }
    }

    // MARK: Handshake

    mutating func armHandshakeTimer(time: Int) {
        timers[.loss] = time + sender.roundTrip.timeout(backoff: sender.timing.timeouts)
    }

    private mutating func handleHandshakeDeadline(time: Int) {
        guard state == .synSent || state == .synReceived else { return }
        sender.timing.timeouts += 1
        let since = sender.timing.stalledSince ?? (handshakeBase - TCPLimits.initialTimeoutNanoseconds)
        if sender.timing.stalledSince == nil { sender.timing.stalledSince = handshakeBase }
        let limit = state == .synSent ? options.synRetries : TCPLimits.synAckRetries
        let userTimeout = Int(options.userTimeout.nanoseconds)
        let isOver = userTimeout > 0 ? time - since >= userTimeout : sender.timing.timeouts > limit
        guard !isOver else {
            end(softError ?? .timedOut)
            return
        }
        due.insert(.synchronize)
    }

    /// The way to the peer has just opened. A SYN or data that was sent while it was closed, and whose time-out has passed, is
    /// sent again at once, not at the next time-out.
    package mutating func linkBecameUsable(now: Now) {
        if state == .synSent, sender.next >= 0 { due.insert(.synchronize) }
        guard isSynchronized, sender.retryAtOnce(time: now.nanoseconds) else { return }
        handleDeadline(now: now)
    }

    // MARK: Keepalive

    mutating func armKeepAlive(time: Int) {
        guard options.keepAlive, isSynchronized else {
            timers[.keepAlive] = nil
            return
        }
        timers[.keepAlive] = lastHeardAt + Int(options.keepAliveIdle.nanoseconds)
    }

    /// RFC 9293 3.8.4. The timer runs from the last time the peer was heard, and is moved only when it fires.
    private mutating func handleKeepAlive(time: Int) {
        guard options.keepAlive, isSynchronized else { return }
        let idle = Int(options.keepAliveIdle.nanoseconds)
        if keepAliveProbes == 0, time - lastHeardAt < idle {
            timers[.keepAlive] = lastHeardAt + idle
            return
        }
        if sender.outstanding > 0 {
            // Retransmissions test the peer already.
            timers[.keepAlive] = time + max(idle, 1_000_000)
            return
        }
        let userTimeout = Int(options.userTimeout.nanoseconds)
        let isOver =
            userTimeout > 0
            ? time - lastHeardAt >= userTimeout && keepAliveProbes > 0 : keepAliveProbes >= options.keepAliveCount
        guard !isOver else {
            endWithReset(softError ?? .timedOut)
            return
        }
        keepAliveProbes += 1
        due.insert(.keepAlive)
        timers[.keepAlive] = time + max(Int(options.keepAliveInterval.nanoseconds), 1_000_000)
    }

    // MARK: The rest

    mutating func armFinWait(time: Int) {
        timers[.linger] = time + max(0, Int(options.finWaitTimeout.nanoseconds))
    }

    mutating func armCork(time: Int) {
        guard options.cork, sender.timing.isCorked, sender.unsent > 0 else { return }
        if timers[.cork] == nil { timers[.cork] = time + 200_000_000 }
    }

    private mutating func handleIdle(time: Int) {
        guard time - max(lastHeardAt, sender.lastSentAt) >= TCPLimits.idleReleaseNanoseconds else {
            if memoryHeld > 0 { timers[.idle] = time + TCPLimits.idleReleaseNanoseconds }
            return
        }
        if sender.ring.isEmpty { sender.ring.releaseIdleChunk() } else { sender.ring.releaseSpareMemory() }
        if receiver.ring.isEmpty, receiver.ranges.isEmpty {
            receiver.ring.releaseIdleChunk()
        } else {
            receiver.ring.releaseSpareMemory()
        }
    }
}
