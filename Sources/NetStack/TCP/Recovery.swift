// Loss recovery: RACK detection, proportional rate reduction, undo.
// Read first: RFC 8985 section 6, RFC 9937, RFC 6582 (without SACK), RFC 4015 (undo).

/// State of loss recovery. Offsets in the send stream, times in nanoseconds.
struct Recovery: Sendable {
    /// Linux calls them Open/Disorder, Recovery and Loss.
    enum Phase: Sendable {
        case open
        /// After detection by ACKs: the window is being reduced proportionally.
        case recovery
        /// After a time-out: slow start over what is lost.
        case loss
    }

    private(set) var phase = Phase.open
    /// SND.NXT when the phase began; it ends when all up to here is acknowledged.
    private(set) var point = 0
    /// RFC 6937.
    private var delivered = 0
    private var sentOut = 0
    private var flightAtStart = 1

    /// Without SACK: duplicate ACKs in a row, and the bytes they say have left the network.
    var duplicates = 0
    var duplicateBytes = 0

    // Undo: what the window was, and the first retransmission's timestamp.
    private var priorWindow = 0
    private var priorThreshold = 0
    private var undoTimestamp: UInt32?

    /// Forward RTO-recovery (RFC 5682 3, with SACK): was the time-out none? Only for connections without timestamps, which
    /// say so at once.
    enum Forward: Sendable {
        case off
        /// The first segment was sent again; nothing else until something is acknowledged.
        case repeated
        /// Something was: new data leave, and what is lost waits for what they bring.
        case sendingNew
    }
    var forward = Forward.off

    // RACK.
    /// Departure, end and round trip of the segment that left last among the delivered.
    var rackSentAt = Int.min
    var rackEnd = Int.min
    var rackRoundTrip = 0
    var isReorderingSeen = false
    /// Quarter round trips of the reordering window.
    var reorderingMultiplier = 1
    /// Recoveries until the multiplier falls back.
    var reorderingPersist = 0
    /// SND.NXT at the last D-SACK: the multiplier grows once per round trip.
    var duplicateRound = Int.min

    /// A piece left.
    mutating func sent(_ bytes: Int) { if phase == .recovery { sentOut += bytes } }

    mutating func begin(_ phase: Phase, point: Int, flight: Int, window: Int, threshold: Int, timestamp: UInt32?) {
        if self.phase == .open {
            priorWindow = window
            priorThreshold = threshold
            undoTimestamp = timestamp
        }
        self.phase = phase
        self.point = point
        delivered = 0
        sentOut = 0
        flightAtStart = max(1, flight)
    }

    mutating func end() {
        phase = .open
        forward = .off
        duplicates = 0
        duplicateBytes = 0
        undoTimestamp = nil
        if reorderingPersist > 0 {
            reorderingPersist -= 1
            if reorderingPersist == 0 { reorderingMultiplier = 1 }
        }
    }

    /// RFC 9937 6.2: the congestion window for this ACK.
    mutating func proportionalWindow(
        delivered new: Int, inFlight: Int, threshold: Int, segment: Int, isSafe: Bool
    ) -> Int {
        delivered += new
        var allowed: Int
        if inFlight > threshold {
            // Rounded up; in floating point because the product of two windows may not fit.
            let quota = Double(delivered) * Double(threshold) / Double(flightAtStart)
            allowed = Int(min(quota, Double(TCPLimits.bufferLimit))) + 1 - sentOut
        } else {
            var limit = max(delivered - sentOut, new)
            if isSafe { limit += segment }
            allowed = min(threshold - inFlight, limit)
        }
        // The first retransmission leaves in any case.
        if sentOut == 0 { allowed = max(allowed, segment) }
        return max(inFlight + max(0, allowed), segment)
    }

    /// The window to restore if data that was not sent again is acknowledged after a time-out.
    var prior: (window: Int, threshold: Int) { (priorWindow, priorThreshold) }

    /// The window to restore if an ACK shows that the retransmission was not needed (RFC 3522: the echo is older than
    /// it).
    func undo(echo: UInt32?) -> (window: Int, threshold: Int)? {
        guard phase != .open, let undoTimestamp, let echo, isOlder(echo, than: undoTimestamp) else { return nil }
        return (priorWindow, priorThreshold)
    }
}

extension Sender {
    /// RFC 8985 6.2 step 4: how long a gap may wait for a segment that took another way.
    private var reorderingWindow: Int {
        if !recovery.isReorderingSeen,
            recovery.phase != .open || scoreboard.sackedBytes >= 3 * segmentSize
        {
            return 0
        }
        let minimum = roundTrip.minimum == .max ? 0 : roundTrip.minimum
        return min(recovery.reorderingMultiplier * minimum / 4, roundTrip.smoothed ?? 0)
    }

    /// RFC 8985 6.2 step 1 and 2: the most recently sent segment among the delivered.
    mutating func updateRack(_ sample: DeliverySample, echo: UInt32?, time: Int) {
        if sample.newestSentAt != .min {
            advanceRack(sentAt: sample.newestSentAt, end: sample.newestEnd, time: time)
        }
        if sample.repeatedSentAt != .min {
            // Was it the first transmission that arrived? By its timestamp, else by a round trip that cannot be.
            let elapsed = time - sample.repeatedSentAt
            let isFirst =
                if let echo, let clock { isOlder(echo, than: clock.stamp(sample.repeatedSentAt)) } else {
                    elapsed < (roundTrip.minimum == .max ? 0 : roundTrip.minimum)
                }
            if !isFirst { advanceRack(sentAt: sample.repeatedSentAt, end: sample.repeatedEnd, time: time) }
        }
        if sample.isReordered { recovery.isReorderingSeen = true }
        // RACK.rtt is that of the segment delivered last (RFC 8985 5.2). If segments overtake each other, it need not be the
        // one that left last: the slower one tells how long others may still take.
        if recovery.isReorderingSeen, recovery.phase != .open {
            let oldest = min(sample.oldestSackedAt ?? time, sample.oldestAcknowledgedAt ?? time)
            recovery.rackRoundTrip = max(recovery.rackRoundTrip, time - oldest)
        }
    }

    private mutating func advanceRack(sentAt: Int, end: Int, time: Int) {
        guard (sentAt, end) > (recovery.rackSentAt, recovery.rackEnd) else { return }
        recovery.rackSentAt = sentAt
        recovery.rackEnd = end
        recovery.rackRoundTrip = max(0, time - sentAt)
    }

    /// RFC 8985 6.2 step 5. Gives the bytes that are newly lost.
    @discardableResult
    mutating func detectLosses(time: Int) -> Int {
        guard usesSack, recovery.rackSentAt != .min else { return 0 }
        timing.reorderingDeadline = nil
        let window = reorderingWindow
        let wait = recovery.rackRoundTrip + window + (window > 0 ? TCPLimits.clockResolutionNanoseconds : 0)
        var report = makeLossReport()
        let remaining = scoreboard.detectLosses(
            sentAt: recovery.rackSentAt, end: recovery.rackEnd, wait: wait, time: time, report: &report)
        if let remaining { timing.reorderingDeadline = time + max(remaining, 1) }
        note(report, time: time)
        return report.bytes
    }

    /// Something was marked lost.
    mutating func note(_ report: LossReport, time: Int) {
        guard report.bytes > 0 else { return }
        rate.lose(report)
        congestion.note(report, delivered: rate.delivered, time: time)
    }

    /// Something is lost: reduce once per window. `delivered`: bytes that the ACK at hand delivered.
    mutating func enterRecovery(delivered: Int, time: Int) {
        guard recovery.phase == .open else { return }
        let window = congestion.window
        let threshold = congestion.threshold
        let flight = max(outstanding - scoreboard.sackedBytes + delivered, 1)
        congestion.reduce(.loss, inFlight: inFlight)
        recovery.begin(
            .recovery, point: next, flight: flight, window: window, threshold: threshold,
            timestamp: clock?.stamp(time))
        timing.probeEnd = nil
        timing.isProbeDue = false
        guard congestion.reducesProportionally else { return }
        congestion.window = recovery.proportionalWindow(
            delivered: delivered, inFlight: inFlight, threshold: congestion.threshold, segment: segmentSize,
            isSafe: false)
    }

    /// A time-out: all is lost, begin again with one segment (RFC 5681 3.1).
    mutating func enterLoss(time: Int) {
        let isFirst = recovery.phase != .loss
        let window = congestion.window
        let threshold = congestion.threshold
        if isFirst { congestion.reduce(.timeout, inFlight: inFlight) }
        recovery.duplicates = 0
        recovery.duplicateBytes = 0
        var report = makeLossReport()
        scoreboard.markAllLost(report: &report)
        note(report, time: time)
        recovery.begin(
            .loss, point: next, flight: outstanding, window: window, threshold: threshold,
            timestamp: clock?.stamp(time))
        recovery.forward = isFirst && usesSack && clock == nil ? .repeated : .off
        congestion.collapse()
    }

    /// Whether a time-out was spurious (RFC 5682 section 3). If so, the window from before it is restored.
    mutating func recoverForward(_ sample: DeliverySample, advanced: Int) -> Bool {
        guard recovery.forward != .off else { return false }
        if sample.firstSingleEnd <= recovery.point {
            // Step 3.b: something arrived that had left before the time-out, and only then.
            let prior = recovery.prior
            scoreboard.unmarkLost()
            congestion.undo(window: prior.window, threshold: prior.threshold)
            recovery.end()
            return true
        }
        if recovery.forward == .sendingNew {
            // Step 3.a: the new data arrived, and what was before did not.
            recovery.forward = .off
        } else if advanced > 0 {
            // Step 2.b, unless there is nothing new to send: then the losses are repaired.
            recovery.forward = unsent > 0 && windowEdge > next ? .sendingNew : .off
        } else if sample.delivered > 0 {
            recovery.forward = .off
        }
        return false
    }
}
