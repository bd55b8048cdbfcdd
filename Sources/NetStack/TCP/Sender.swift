// The sending half: which bytes may leave, and when some have to. Read first: RFC 9293 section 3.8, RFC 8985.
// Acknowledgments come in through `Sender+Acknowledgment.swift`.
//
// Positions are offsets in the stream: SYN is at -1, the first byte at 0, FIN at the offset after the last byte.

import NetPrimitives

/// Makes timestamp option values: milliseconds of the monotonic clock plus an offset that strangers do not know.
struct TimestampClock: Sendable {
    var offset: UInt32

    func stamp(_ time: Int) -> UInt32 { UInt32(truncatingIfNeeded: time / 1_000_000) &+ offset }
}

/// The sending half of a connection.
struct Sender: ~Copyable {
    private let inPlace = InPlace()
    /// Bytes from SND.UNA on, sent or not.
    var ring = ByteRing()
    /// SND.UNA.
    var acknowledged = -1
    /// SND.NXT.
    var next = -1
    /// Where the FIN is, once the application has closed its half.
    var finishOffset: Int?
    /// SND.UNA + SND.WND: the first offset that may not be sent.
    var windowEdge = 0
    /// The largest window the peer ever offered.
    var largestWindow = 0
    /// SND.WL1 and SND.WL2 as offsets of the two streams.
    var windowSequence = Int.min
    var windowAcknowledgment = Int.min
    /// Payload of a full segment, and what it is where nothing limits it.
    var segmentSize: Int
    /// What the link carries in one datagram (`InterfaceConfiguration`).
    var pieceLength = Int.max {
        didSet { congestion.setSegmentSize(segmentSize, pieces: pieces) }
    }
    var fullSegmentSize: Int
    var blackHole = BlackHoleDetection()
    /// Bytes the application may have queued.
    var capacity: Int
    var capacityLimit: Int

    var scoreboard = Scoreboard()
    var roundTrip = RoundTrip()
    var congestion: CongestionControl
    var recovery = Recovery()
    var rate = DeliveryRate()
    var pacer = Pacer()
    var timing = LossTiming()
    var usesSack = false
    /// Makes timestamps; nil: not negotiated.
    var clock: TimestampClock?
    /// The sequence number of the stream's first byte.
    let firstSequence: SequenceNumber

    /// Minshall: end of the last segment that was not full.
    var smallSegmentEnd = -1
    /// The peer echoes congestion marks, and data leaves as such that can be marked (RFC 3168).
    var usesMarks = false
    /// An echoed mark was answered: the next new data says so (CWR).
    var isReductionDue = false
    /// SND.NXT at that moment: marks echoed up to there are of the same congestion.
    private var markPoint = Int.min

    /// Whether the congestion window has held data back in this round trip, and the most that was in flight. A round trip
    /// begins with new data that leaves after the one before was acknowledged. What ACKs take away says nothing about
    /// use.
    var isWindowLimited = false
    var mostInFlight = 0
    var roundEnd = 0
    /// When something last left, for the restart after idleness, and after which one it was last done.
    var lastSentAt = 0
    private var restartedFor = 0
    /// The application wanted to queue more than there was room for.
    var isBlocked = false

    init(options: ConnectionOptions, segmentSize: Int, initialSequence: SequenceNumber) {
        firstSequence = initialSequence + 1
        self.segmentSize = segmentSize
        fullSegmentSize = segmentSize
        capacityLimit = min(max(options.sendBufferMaximum, 2048), TCPLimits.bufferLimit)
        congestion = CongestionControl(
            options.congestionControl ?? .standard, segmentSize: segmentSize, pieces: 1, seed: firstSequence.value)
        // On the loop-back one segment is as long as the usual buffer: a sender of small pieces would never have a full
        // one, and wait for each delayed ACK.
        let initial = max(TCPLimits.initialBuffer, 2 * congestion.window)
        capacity = options.autotune ? min(initial, capacityLimit) : capacityLimit
    }

    // MARK: Quantities

    /// Datagrams of the link that a full segment travels in. Headers and options have about 60 bytes.
    var pieces: Int { pieceLength == .max ? 1 : (segmentSize + 60 + pieceLength - 1) / max(1, pieceLength) }

    /// For losses that are about to be found.
    func makeLossReport() -> LossReport {
        LossReport(before: rate.lost, tolerance: congestion.state.lossTolerance)
    }

    func sequence(at offset: Int) -> SequenceNumber { firstSequence + offset }

    /// The offset that a sequence number from the peer means.
    func offset(of sequence: SequenceNumber) -> Int {
        sequence.offset(near: self.sequence(at: acknowledged), at: acknowledged)
    }

    /// Sequence space between SND.UNA and SND.NXT.
    var outstanding: Int { next - acknowledged }
    /// What is thought to be in the network.
    var inFlight: Int {
        max(0, outstanding - scoreboard.sackedBytes - scoreboard.lostBytes - recovery.duplicateBytes)
    }
    /// Bytes queued and never sent.
    var unsent: Int { max(0, ring.end - max(next, 0)) }
    var isFinishUnsent: Bool { finishOffset.map { next <= $0 } ?? false }
    /// Whether the FIN is acknowledged.
    var isFinishAcknowledged: Bool { finishOffset.map { acknowledged > $0 } ?? false }
    /// Room for the application.
    var room: Int { finishOffset == nil ? max(0, capacity - ring.count) : 0 }
    /// Room is worth a wake-up when a third is free.
    var isWritable: Bool { finishOffset == nil && room * 3 >= capacity }

    // MARK: Application

    /// Queues the bytes that fit, and returns how many.
    mutating func queue(_ bytes: RawSpan, from offset: Int, count: Int) -> Int {
        let accepted = min(count, room)
        noteApplicationLimit()
        if accepted > 0 { ring.append(bytes, from: offset, count: accepted) }
        if accepted < count { isBlocked = true }
        return accepted
    }

    /// Lets the buffer grow with the congestion window, so that a round trip is always queued.
    mutating func tuneCapacity() {
        let ceiling = TCPLimits.bufferCeiling(minimumRoundTrip: roundTrip.minimum)
        let wanted = min(congestion.bufferWanted, capacityLimit, ceiling)
        if wanted > capacity { capacity = wanted }
    }

    /// The peer echoes a congestion mark: reduce once per window (RFC 3168 6.1.2).
    mutating func noteMark() {
        guard usesMarks, acknowledged >= markPoint else { return }
        markPoint = next
        isReductionDue = true
        // Recovery has reduced already.
        guard recovery.phase == .open else { return }
        congestion.reduce(.mark, inFlight: inFlight)
        if congestion.reducesProportionally { congestion.finishRecovery() }
    }

    // MARK: What leaves

    /// A piece of the stream to send: offsets, and whether it was sent before.
    struct Piece {
        var start: Int
        var end: Int
        var isRetransmission: Bool
        /// One segment, longer than the others, to see whether it arrives.
        var isLengthProbe = false
    }

    /// Books the next piece of at most `maximum` segments.
    mutating func nextPiece(maximum: Int, isSmallAllowed: Bool, time: Int) -> Piece? {
        pacer.stop()
        if let piece = nextRetransmission(maximum: maximum, time: time) { return piece }
        // Lost bytes wait for their pace, and nothing overtakes them.
        if pacer.deadline != nil { return nil }
        // An ACK may have come between the probe's deadline and here: then there is nothing to probe, but perhaps more to
        // send, and no timer would ask again.
        if timing.isProbeDue, let piece = probe(time: time) { return piece }
        if let piece = nextLengthProbe(time: time) { return piece }
        return nextNew(maximum: maximum, isSmallAllowed: isSmallAllowed, time: time)
    }

    private mutating func nextRetransmission(maximum: Int, time: Int) -> Piece? {
        guard scoreboard.lostBytes > 0, recovery.forward != .sendingNew else { return nil }
        let room = congestion.window - inFlight
        guard room >= min(segmentSize, scoreboard.lostBytes) || inFlight == 0 else {
            isWindowLimited = true
            return nil
        }
        let segments = min(maximum, max(1, room / segmentSize))
        let limit = paced(min(segments * segmentSize, max(segmentSize, scoreboard.lostBytes)), time: time)
        let flight = inFlight
        guard limit > 0, let lost = scoreboard.takeLost(limit: limit) else { return nil }
        redepart(lost.end - lost.start, inFlight: flight, time: time)
        blackHole.sendsAgain(from: lost.start, to: lost.end, time: time)
        recovery.sent(lost.end - lost.start)
        armLossTimer(time: time)
        return Piece(start: lost.start, end: lost.end, isRetransmission: true)
    }

    /// RFC 8985 7.3: the probe is new data if there is any and the window lets it, else the last segment again.
    private mutating func probe(time: Int) -> Piece? {
        timing.isProbeDue = false
        guard outstanding > 0 else { return nil }
        let fresh = min(unsent, segmentSize, windowEdge - next)
        if fresh > 0 {
            timing.probeEnd = next + fresh
            timing.isProbeRepeated = false
            let piece = take(fresh, time: time)
            timing.roundBase = time
            armLossTimer(time: time)
            return piece
        }
        let flight = inFlight
        guard let last = scoreboard.takeLast(limit: segmentSize) else { return nil }
        redepart(last.end - last.start, inFlight: flight, time: time)
        timing.probeEnd = next
        timing.isProbeRepeated = true
        timing.roundBase = time
        armLossTimer(time: time)
        return Piece(start: last.start, end: last.end, isRetransmission: true)
    }

    private mutating func nextNew(maximum: Int, isSmallAllowed: Bool, time: Int) -> Piece? {
        let unsent = self.unsent
        guard unsent > 0 else {
            guard isFinishUnsent, unsent == 0 else { return nil }
            return take(0, time: time)
        }
        if outstanding == 0, windowEdge > next { restartAfterIdle(time: time) }
        let byCongestion = congestion.window - inFlight
        let byPeer = windowEdge - next
        let room = min(byCongestion, byPeer)
        var length = min(unsent, room, maximum * segmentSize)
        let isWholeTail = length == unsent
        if acknowledged >= roundEnd { isWindowLimited = false }
        if length < unsent, byCongestion < byPeer { isWindowLimited = true }
        // Whole segments only, but for the last bytes of the stream so far.
        if !isWholeTail, length >= segmentSize { length -= length % segmentSize }
        guard length > 0 else {
            armLossTimer(time: time)
            return nil
        }
        if length < segmentSize || (isWholeTail && length % segmentSize != 0) {
            length = withoutSmallTail(length, isWholeTail, isSmallAllowed)
        }
        if length > 0 { length = isHeldBack(length, unsent, maximum) ? 0 : paced(length, time: time) }
        guard length > 0 else {
            armLossTimer(time: time)
            return nil
        }
        return take(length, time: time)
    }

    /// How much of what may leave does so now; 0: the pacer has set its deadline.
    private mutating func paced(_ length: Int, time: Int) -> Int {
        guard isPaced else { return length }
        return min(length, pacer.allowance(length, rate: congestion.pacingRate, segment: segmentSize, time: time))
    }

    /// Not for the initial window, and not where the round trip is no longer than a burst: there the window is the pace.
    var isPaced: Bool {
        roundTrip.minimum >= TCPLimits.pacingRoundTripNanoseconds && roundTrip.minimum != .max
            && congestion.pacingRate != .infinity && next >= congestion.initialWindow
    }

    /// Nagle after Minshall, and the sender's half of silly window avoidance (RFC 9293 3.8.6.2.1). Gives what may leave.
    private mutating func withoutSmallTail(_ length: Int, _ isWholeTail: Bool, _ isSmallAllowed: Bool) -> Int {
        let whole = length - length % segmentSize
        if isWholeTail {
            let isFree = isSmallAllowed || smallSegmentEnd <= acknowledged || finishOffset != nil
            return isFree && !timing.isCorked ? length : whole
        }
        // The window cuts below a segment: only if it is at least half of what the peer ever had, or by force.
        if outstanding == 0, 2 * length >= largestWindow || timing.isWindowForced { return length }
        return whole
    }

    /// Short bursts wait while more than a full one is in flight, because an ACK will come.
    private func isHeldBack(_ length: Int, _ unsent: Int, _ maximum: Int) -> Bool {
        var full = min(maximum, max(2, congestion.window / (8 * segmentSize))) * segmentSize
        if isPaced {
            let quantum = Pacer.quantum(rate: congestion.pacingRate, segment: segmentSize)
            full = min(full, max(2 * segmentSize, quantum / 2))
        }
        guard length < full, finishOffset == nil, recovery.phase == .open, inFlight > full else { return false }
        // RFC 3042: the first signs of a loss let one segment each out, so that the next signs come.
        if scoreboard.sackedBytes > 0 || recovery.duplicates > 0 { return false }
        if length < unsent { return true }
        // Nothing more to send: the tail waits only where the wait is too short to notice.
        let burst = maximum * segmentSize
        return inFlight > burst && roundTrip.smoothed ?? .max <= TCPLimits.tailHoldRoundTripNanoseconds
    }

    /// Books new data, with the FIN if it is next.
    mutating func take(_ length: Int, time: Int) -> Piece {
        let start = next
        var end = start + length
        if let finishOffset, end == finishOffset { end += 1 }
        if outstanding == 0 { timing.roundBase = time }
        if length % segmentSize != 0 { smallSegmentEnd = end }
        let departure = depart(end - start, inFlight: inFlight, time: time)
        scoreboard.append(start: start, end: end, departure: departure)
        next = end
        timing.probeBase = time
        timing.isWindowForced = false
        recovery.sent(end - start)
        if acknowledged >= roundEnd {
            roundEnd = end
            mostInFlight = 0
        }
        mostInFlight = max(mostInFlight, inFlight)
        armLossTimer(time: time)
        return Piece(start: start, end: end, isRetransmission: false)
    }

    /// Something leaves: the counters for its record. `inFlight`: without it.
    private mutating func depart(_ bytes: Int, inFlight: Int, time: Int) -> Departure {
        congestion.willSend(inFlight: inFlight, isApplicationLimited: rate.isApplicationLimited, time: time)
        if isPaced { pacer.sent(bytes, rate: congestion.pacingRate, time: time) }
        lastSentAt = time
        return rate.depart(bytes: bytes, inFlight: inFlight, time: time)
    }

    private mutating func redepart(_ bytes: Int, inFlight: Int, time: Int) {
        let departure = depart(bytes, inFlight: inFlight, time: time)
        scoreboard.redepart(departure)
    }

    /// Call before anything is acknowledged or queued: there was nothing to send though there was room for it.
    mutating func noteApplicationLimit() {
        guard unsent == 0, scoreboard.lostBytes == 0 else { return }
        let flight = inFlight
        if flight < congestion.window { rate.limitByApplication(inFlight: flight) }
    }

    private mutating func restartAfterIdle(time: Int) {
        let idle = time - lastSentAt
        let timeout = roundTrip.timeout
        // Once for one silence, however often somebody looks whether something may leave.
        guard idle > timeout, lastSentAt > 0, lastSentAt != restartedFor, recovery.phase == .open else { return }
        restartedFor = lastSentAt
        congestion.restart(afterTimeouts: idle / max(timeout, 1))
    }
}
