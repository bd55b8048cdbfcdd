// The effects of an ACK on the sending half. Read first: RFC 9293 section 3.10.7.4 (ACK check), RFC 8985 section 6.2,
// RFC 2883 (D-SACK), RFC 6582.

import NetPrimitives

/// The acknowledgment part of a received segment, in offsets of the two streams.
struct Acknowledgment: Sendable {
    /// SEG.ACK in the send stream.
    var offset: Int
    /// SEG.WND, scaled.
    var window: Int
    /// SEG.SEQ in the receive stream.
    var sequence: Int
    /// No payload, SYN or FIN: may be a duplicate.
    var isPure: Bool
    var echo: UInt32?
    var sackBlocks: SackBlocks
}

extension Sender {
    /// Whether an ACK is for something that was sent, and not older than any window (RFC 5961 5).
    func mayAcknowledge(_ offset: Int) -> Bool {
        offset <= next && acknowledged - offset <= max(largestWindow, 65_535)
    }

    /// Takes an ACK that `mayAcknowledge` allowed. False: it is older than what is acknowledged, and only its SACK blocks count.
    mutating func receive(_ ack: Acknowledgment, time: Int) -> Bool {
        guard ack.offset >= acknowledged else {
            receiveOld(ack, time: time)
            return false
        }
        timing.silentWindowProbes = 0
        noteApplicationLimit()
        let before = acknowledged
        let isWindowMoved = updateWindow(ack)
        var sample = DeliverySample(highest: scoreboard.highestSacked)
        if ack.offset > before { advance(to: ack.offset, sample: &sample, time: time) }
        let isDuplicateReported = usesSack && ack.sackBlocks.count > 0 && apply(ack, sample: &sample)
        if sample.delivered > 0 { measure(sample, ack, time: time) }
        // Nearly every ACK ends here: nothing is missing and nothing was.
        if recovery.phase == .open, scoreboard.sackedBytes == 0, scoreboard.lostBytes == 0, usesSack {
            updateRack(sample, echo: ack.echo, time: time)
            timing.reorderingDeadline = nil
            finishProbe(ack, isDuplicateReported)
            grow(sample.delivered, time: time)
            control(sample, time: time)
            armLossTimer(time: time)
            return true
        }
        let isDuplicate = ack.offset == before && ack.isPure && !isWindowMoved && outstanding > 0
        recover(ack, sample, advanced: ack.offset - before, isDuplicate: isDuplicate, time: time)
        finishProbe(ack, isDuplicateReported)
        control(sample, time: time)
        armLossTimer(time: time)
        return true
    }

    /// Other ACKs have overtaken this one. The ranges that it SACKs have arrived all the same.
    private mutating func receiveOld(_ ack: Acknowledgment, time: Int) {
        guard usesSack, ack.sackBlocks.count > 0 else { return }
        var sample = DeliverySample(highest: scoreboard.highestSacked)
        _ = apply(ack, sample: &sample)
        guard sample.delivered > 0 else { return }
        measure(sample, ack, time: time)
        recover(ack, sample, advanced: 0, isDuplicate: false, time: time)
        control(sample, time: time)
        armLossTimer(time: time)
    }

    /// RFC 9293 3.10.7.4: a window is taken from the newest segment only.
    private mutating func updateWindow(_ ack: Acknowledgment) -> Bool {
        guard
            ack.sequence > windowSequence
                || (ack.sequence == windowSequence && ack.offset >= windowAcknowledgment)
        else { return false }
        windowSequence = ack.sequence
        windowAcknowledgment = ack.offset
        largestWindow = max(largestWindow, ack.window)
        let edge = ack.offset + ack.window
        let isMoved = edge != windowEdge
        windowEdge = edge
        return isMoved
    }

    private mutating func advance(to offset: Int, sample: inout DeliverySample, time: Int) {
        scoreboard.acknowledge(to: offset, sample: &sample)
        acknowledged = offset
        ring.discard(to: min(offset, ring.end))
        timing.roundBase = time
        timing.probeBase = time
        timing.timeouts = 0
        timing.stalledSince = nil
        noteProgress(time: time)
    }

    /// Takes the SACK blocks; true: the first is a D-SACK (RFC 2883 4).
    private mutating func apply(_ ack: Acknowledgment, sample: inout DeliverySample) -> Bool {
        var isDuplicateReported = false
        for index in 0..<ack.sackBlocks.count {
            let block = ack.sackBlocks[index]
            let start = offset(of: block.start)
            let end = offset(of: block.end)
            guard start < end, end - start <= max(largestWindow, 65_535) else { continue }
            if index == 0, end <= ack.offset || isInside(block, ack.sackBlocks) {
                isDuplicateReported = true
                noteDuplicate()
                continue
            }
            guard end > acknowledged, end <= next else { continue }
            scoreboard.sack(start: max(start, acknowledged), end: end, sample: &sample)
        }
        return isDuplicateReported
    }

    private func isInside(_ block: SackBlock, _ blocks: SackBlocks) -> Bool {
        guard blocks.count > 1 else { return false }
        let outer = blocks[1]
        return !(block.start < outer.start) && !(outer.end < block.end)
    }

    /// RFC 8985 6.2 step 4: reordering beyond what was allowed for; widen once per round trip.
    private mutating func noteDuplicate() {
        // The first copy was not lost but late. Step 3 sees only segments that were sent once; where all that is late is
        // sent again at once, there are none.
        recovery.isReorderingSeen = true
        guard acknowledged >= recovery.duplicateRound else { return }
        recovery.duplicateRound = next
        recovery.reorderingMultiplier = min(recovery.reorderingMultiplier + 1, 64)
        recovery.reorderingPersist = 16
    }

    private mutating func measure(_ sample: DeliverySample, _ ack: Acknowledgment, time: Int) {
        let acknowledged = sample.isRepeatAcknowledged ? nil : sample.oldestAcknowledgedAt
        if let oldest = acknowledged ?? sample.oldestSackedAt {
            roundTrip.add(time - oldest, time: time)
        } else if let echo = ack.echo, let clock {
            // Only what was sent twice: the timestamp says which one arrived, in milliseconds.
            let elapsed = Int(Int32(bitPattern: clock.stamp(time) &- echo))
            if elapsed >= 0, elapsed < 600_000 { roundTrip.add(elapsed * 1_000_000, time: time) }
        }
        if sample.newestSentAt != .min {
            congestion.note(
                roundTrip: time - sample.newestSentAt, acknowledged: self.acknowledged, next: next)
        }
    }

    /// Gives the ACK's news about the path to the congestion control.
    private mutating func control(_ ack: DeliverySample, time: Int) {
        guard ack.delivered > 0 else { return }
        let minimum = roundTrip.minimum == .max ? 0 : roundTrip.minimum
        var sample = rate.sample(ack, minimumRoundTrip: minimum, time: time)
        sample.inFlight = inFlight
        sample.smoothedRoundTrip = roundTrip.smoothed ?? 0
        sample.isWindowLimited = isWindowLimited
        sample.usesSack = usesSack
        sample.isRecovering = recovery.phase == .recovery
        congestion.update(sample, time: time)
        if congestion.limitsItself { rate.limitByApplication(inFlight: inFlight) }
        tuneCapacity()
    }

    private mutating func grow(_ delivered: Int, time: Int) {
        guard delivered > 0 else { return }
        if isWindowLimited || (congestion.isSlowStart && congestion.window < 2 * mostInFlight) {
            congestion.grow(by: delivered, roundTrip: roundTrip.smoothed ?? 0, time: time)
        }
    }

    private mutating func recover(
        _ ack: Acknowledgment, _ sample: DeliverySample, advanced: Int, isDuplicate: Bool, time: Int
    ) {
        if advanced > 0, let prior = recovery.undo(echo: ack.echo) {
            // Bytes that were thought lost came late: from here on a gap is given time.
            recovery.isReorderingSeen = true
            scoreboard.unmarkLost()
            congestion.undo(window: prior.window, threshold: prior.threshold)
            recovery.end()
        }
        updateRack(sample, echo: ack.echo, time: time)
        var delivered = sample.delivered
        var lost = detectLosses(time: time)
        if !usesSack { lost += countDuplicate(isDuplicate, advanced: advanced, delivered: &delivered, time: time) }
        switch recovery.phase {
        case .open:
            if scoreboard.lostBytes > 0 {
                enterRecovery(delivered: delivered, time: time)
            } else if advanced > 0 || recovery.isReorderingSeen {
                // A delivery by SACK alone may be the first sign of a loss: no growth for it.
                grow(delivered, time: time)
            }
        case .recovery:
            if acknowledged >= recovery.point {
                congestion.finishRecovery()
                recovery.end()
            } else if delivered > 0, congestion.reducesProportionally {
                congestion.window = recovery.proportionalWindow(
                    delivered: delivered, inFlight: inFlight, threshold: congestion.threshold,
                    segment: segmentSize, isSafe: advanced > 0 && lost == 0)
            }
        case .loss:
            if recoverForward(sample, advanced: advanced) { return }
            // Slow start from one segment: the ACK that ends it counts as well, or two segments never leave together.
            if delivered > 0 { congestion.grow(by: delivered, roundTrip: roundTrip.smoothed ?? 0, time: time) }
            if acknowledged >= recovery.point {
                if !congestion.reducesProportionally { congestion.finishRecovery() }
                recovery.end()
            }
        }
    }

    /// RFC 6582: without SACK, each duplicate ACK stands for one segment that arrived, and a partial ACK names the next
    /// loss. Gives the bytes newly lost.
    private mutating func countDuplicate(
        _ isDuplicate: Bool, advanced: Int, delivered: inout Int, time: Int
    ) -> Int {
        if isDuplicate, recovery.phase != .loss {
            recovery.duplicates += 1
            let room = max(0, outstanding - scoreboard.lostBytes - segmentSize)
            recovery.duplicateBytes = min(recovery.duplicateBytes + segmentSize, room)
            delivered += segmentSize
            guard recovery.duplicates == 3, recovery.phase == .open else { return 0 }
            return loseFirst(time: time)
        }
        guard advanced > 0 else { return 0 }
        // RFC 9937 5: bytes that duplicate ACKs have counted are not delivered again; the missing segment is.
        let counted = recovery.duplicateBytes
        let isPartial = recovery.phase == .recovery && acknowledged < recovery.point
        recovery.duplicateBytes = isPartial ? max(0, counted - max(0, advanced - segmentSize)) : 0
        delivered = max(delivered - (counted - recovery.duplicateBytes), min(delivered, segmentSize))
        if isPartial { return loseFirst(time: time) }
        recovery.duplicates = 0
        return 0
    }

    /// RFC 8985 7.4: the ACK's news about a tail loss probe.
    private mutating func finishProbe(_ ack: Acknowledgment, _ isDuplicateReported: Bool) {
        guard let end = timing.probeEnd else { return }
        if !timing.isProbeRepeated {
            if ack.offset >= end { timing.probeEnd = nil }
        } else if isDuplicateReported {
            // Both copies arrived: nothing was lost.
            timing.probeEnd = nil
        } else if ack.offset > end {
            // Later data is acknowledged and no duplicate was reported: the probe repaired a loss.
            timing.probeEnd = nil
            if recovery.phase == .open {
                congestion.reduce(.loss, inFlight: inFlight)
                congestion.finishRecovery()
            }
        }
    }

    private mutating func loseFirst(time: Int) -> Int {
        var report = makeLossReport()
        scoreboard.markFirstLost(segmentSize, report: &report)
        note(report, time: time)
        return report.bytes
    }
}
