// Which of the four reasons to wake the sender runs, and until when. They exclude each other, so there is one deadline.
// Read first: RFC 8985 sections 6.3, 7.2 and 8, RFC 9293 section 3.8.6.1.

/// State of the sender's timers and probes. Times in nanoseconds.
struct LossTiming: Sendable {
    /// The task of the deadline.
    enum Kind: Sendable {
        /// Retransmission time-out: all is lost.
        case timeout
        /// Tail loss probe.
        case probe
        /// RACK: a gap has waited long enough for a reordered segment.
        case reordering
        /// The peer's window is closed.
        case window
    }

    var kind: Kind?
    var deadline: Int?

    /// When SND.UNA last moved, or the outstanding data began, or the last time-out was.
    var roundBase = 0
    /// When new data last left or SND.UNA last moved.
    var probeBase = 0
    /// When the window probe was last sent or the window found closed.
    var windowBase: Int?
    var windowBackoff = 0
    /// Window probes since the peer last said anything.
    var silentWindowProbes = 0
    /// Time-outs since SND.UNA last moved.
    var timeouts = 0
    /// When the oldest unacknowledged data was first waited for, for the user's time-out.
    var stalledSince: Int?

    /// The end of what was in flight when a tail loss probe left; nil: no probe is out.
    var probeEnd: Int?
    var isProbeRepeated = false
    var isProbeDue = false
    /// When the reordering window of the oldest gap ends.
    var reorderingDeadline: Int?

    /// The persist timer fired with a window that is open but silly: send what fits.
    var isWindowForced = false
    /// A window probe (a segment without data before SND.UNA) is due.
    var isWindowProbeDue = false
    /// TCP_CORK holds short segments.
    var isCorked = false
}

/// The result of the sender's deadline.
enum LossAction: Sendable {
    case none
    /// Too many time-outs: the connection is over.
    case giveUp
}

extension Sender {
    /// Sets the one deadline from the state. Call after every change.
    mutating func armLossTimer(time: Int) {
        if outstanding > 0, acknowledged >= 0 || next > 0 {
            timing.windowBase = nil
            timing.windowBackoff = 0
            let timeout = timing.roundBase + roundTrip.timeout(backoff: timing.timeouts)
            if let reordering = timing.reorderingDeadline {
                timing.kind = .reordering
                timing.deadline = min(reordering, timeout)
                if reordering > timeout { timing.kind = .timeout }
            } else if isProbeAllowed {
                timing.kind = .probe
                timing.deadline = min(timing.probeBase + probeTimeout, timeout)
            } else {
                timing.kind = .timeout
                timing.deadline = timeout
            }
            return
        }
        if unsent > 0, acknowledged >= 0, windowEdge - next < min(segmentSize, unsent) {
            let base = timing.windowBase ?? time
            timing.windowBase = base
            timing.kind = .window
            timing.deadline = base + roundTrip.timeout(backoff: timing.windowBackoff)
            return
        }
        timing.kind = nil
        timing.deadline = nil
        timing.windowBase = nil
        timing.windowBackoff = 0
        timing.silentWindowProbes = 0
    }

    /// RFC 8985 7.2: a probe is scheduled while nothing suggests a loss and none is out.
    private var isProbeAllowed: Bool {
        usesSack && recovery.phase == .open && scoreboard.sackedBytes == 0 && scoreboard.lostBytes == 0
            && timing.probeEnd == nil && !timing.isProbeDue && timing.timeouts == 0
    }

    private var probeTimeout: Int {
        guard let smoothed = roundTrip.smoothed else { return TCPLimits.initialTimeoutNanoseconds }
        var timeout = max(
            2 * smoothed + TCPLimits.clockResolutionNanoseconds, TCPLimits.minimumProbeTimeoutNanoseconds)
        if outstanding <= segmentSize { timeout += TCPLimits.worstDelayedAcknowledgmentNanoseconds }
        return timeout
    }

    /// The deadline has passed.
    mutating func handleLossDeadline(time: Int, limits: RetryLimits) -> LossAction {
        guard let kind = timing.kind, let deadline = timing.deadline, deadline <= time else { return .none }
        timing.kind = nil
        timing.deadline = nil
        switch kind {
        case .reordering:
            timing.reorderingDeadline = nil
            detectLosses(time: time)
            if scoreboard.lostBytes > 0 { enterRecovery(delivered: 0, time: time) }
        case .probe:
            timing.isProbeDue = true
            timing.roundBase = time
        case .window: return handleWindowDeadline(time: time, limits: limits)
        case .timeout: return handleTimeout(time: time, limits: limits)
        }
        armLossTimer(time: time)
        return .none
    }

    /// The path is there again. If time-outs or probes of a closed window went unanswered, the next one is due now, and their
    /// pauses begin anew. Whether that is so.
    mutating func retryAtOnce(time: Int) -> Bool {
        switch timing.kind {
        case .timeout where timing.timeouts > 0:
            // The one that is due counts as the first.
            timing.timeouts = 0
        case .window where timing.windowBackoff > 0: timing.windowBackoff = 0
        case .timeout, .window, .probe, .reordering, nil: return false
        }
        timing.deadline = time
        return true
    }

    private mutating func handleWindowDeadline(time: Int, limits: RetryLimits) -> LossAction {
        timing.windowBase = time
        timing.windowBackoff = min(timing.windowBackoff + 1, 20)
        if windowEdge > next {
            timing.isWindowForced = true
        } else {
            timing.isWindowProbeDue = true
            timing.silentWindowProbes += 1
            let since = timing.stalledSince ?? time
            timing.stalledSince = since
            if limits.isExceeded(count: timing.silentWindowProbes, since: since, time: time) { return .giveUp }
            // Nobody waits for an orphan: it does not live on a peer that answers and never opens (CVE-2008-4609).
            if limits.isOrphan, timing.windowBackoff > limits.count { return .giveUp }
        }
        armLossTimer(time: time)
        return .none
    }

    private mutating func handleTimeout(time: Int, limits: RetryLimits) -> LossAction {
        timing.timeouts += 1
        let since = timing.stalledSince ?? timing.roundBase
        timing.stalledSince = since
        if limits.isExceeded(count: timing.timeouts, since: since, time: time) { return .giveUp }
        timing.roundBase = time
        timing.probeEnd = nil
        timing.isProbeDue = false
        timing.reorderingDeadline = nil
        noteTimeout(time: time)
        if acknowledged >= 0 || next > 0 { enterLoss(time: time) }
        armLossTimer(time: time)
        return .none
    }
}

/// When to give up.
struct RetryLimits: Sendable {
    /// Retransmissions in a row.
    var count: Int
    /// Nanoseconds of TCP_USER_TIMEOUT; 0: only the count matters.
    var userTimeout: Int
    /// No application holds the connection.
    var isOrphan = false

    func isExceeded(count: Int, since: Int, time: Int) -> Bool {
        if userTimeout > 0 { return time - since >= userTimeout }
        return count > self.count
    }
}
