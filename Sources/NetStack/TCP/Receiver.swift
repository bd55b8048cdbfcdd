// The receiving half: reassembly in place, the advertised window, and when to acknowledge.
// Read first: RFC 9293 sections 3.8.6.2.2 (window) and 3.8.6.3 (delayed ACK), RFC 2018, RFC 2883, RFC 7323.
//
// Positions are offsets in the stream: the peer's SYN is at -1, its first byte at 0.

import NetPrimitives

/// The receiving half of a connection.
struct Receiver: ~Copyable {
    /// Bytes that wait for the application; beyond its end, bytes out of order.
    var ring = ByteRing()
    var ranges = ReceiveRanges()
    /// The sequence number of the stream's first byte.
    var firstSequence = SequenceNumber(0)
    /// Where the peer's FIN is, once one was seen.
    var finishOffset: Int?
    /// Whether it has been reached.
    var isFinished = false

    /// Bytes the application may leave unread.
    var capacity: Int
    var capacityLimit: Int
    private var isTuned: Bool
    /// Window scale that we announced, 0 without.
    var scale: UInt8 = 0
    /// The right edge of the window that the peer knows; it never moves left.
    var advertisedEdge = 0
    /// RCV.NXT of the last ACK that left: Last.ACK.sent of RFC 7323.
    var lastAcknowledged = 0

    /// TS.Recent and when it was taken, in nanoseconds.
    var recentTimestamp: UInt32 = 0
    var recentTimestampAt = 0
    var usesTimestamps = false
    var usesSack = false
    /// The timestamp of a copy of received bytes. The ACK that answers it echoes it once, in place of TS.Recent.
    private(set) var repeatedTimestamp: UInt32?
    /// The timestamp that the next ACK echoes.
    var timestampEcho: UInt32 { repeatedTimestamp ?? recentTimestamp }

    /// The largest payload seen: the size of the peer's full segments.
    private var segmentSize = TCPLimits.defaultSegmentSizeIPv4
    /// Bytes received since the last ACK.
    var unacknowledged = 0
    /// An ACK must leave now.
    var isAcknowledgmentDue = false
    /// Out-of-order segments of this batch: each wants its duplicate ACK.
    var duplicatesDue = 0
    /// The last data came with PSH: the peer has nothing more for now.
    private var isPushed = false
    /// When it came.
    private var lastDataAt = Int.min / 2
    /// The application answers what comes, so ACKs travel with the answers; until a delayed ACK had to leave alone.
    private var isAnswering = false
    /// Bytes at the start of a connection, or after a gap, that are acknowledged at once.
    private var quick = TCPLimits.quickAcknowledgments
    /// A range that arrived twice, for the next ACK.
    private(set) var duplicate: (start: Int, end: Int)?

    // Autotuning: how far, and the gap that the window was last widened for.
    private var ceiling = TCPLimits.shortPathBuffer
    private var widenedFor = -1
    // What the application took since, in nanoseconds.
    private var tuneSince = 0
    private var taken = 0
    private var takenBefore = 0
    /// Round trip as the receiver sees it, by echoed timestamps.
    private(set) var echoRoundTrip: Int?

    init(options: ConnectionOptions) {
        capacityLimit = min(max(options.receiveBufferMaximum, 2048), TCPLimits.bufferLimit)
        isTuned = options.autotune
        capacity = Receiver.initialCapacity(for: options)
    }

    /// Where the buffer begins.
    static func initialCapacity(for options: ConnectionOptions) -> Int {
        let limit = min(max(options.receiveBufferMaximum, 2048), TCPLimits.bufferLimit)
        return options.autotune ? min(TCPLimits.initialBuffer, limit) : limit
    }

    /// The window scale for the largest window that may be wanted.
    static func windowScale(for options: ConnectionOptions) -> UInt8 {
        let limit = min(max(options.receiveBufferMaximum, 2048), TCPLimits.bufferLimit)
        var scale: UInt8 = 0
        while scale < 14, 65_535 << Int(scale) < limit { scale += 1 }
        return scale
    }

    /// RCV.NXT.
    var next: Int { ring.end + (isFinished ? 1 : 0) }
    func sequence(at offset: Int) -> SequenceNumber { firstSequence + offset }
    func offset(of sequence: SequenceNumber) -> Int { sequence.offset(near: self.sequence(at: next), at: next) }

    // MARK: Acceptance

    /// RFC 9293 3.4: whether a segment overlaps the window.
    func isAcceptable(start: Int, length: Int) -> Bool {
        if length == 0 { return start >= next && start <= max(advertisedEdge, next) }
        return start < advertisedEdge && start + length > next
    }

    /// Whether a payload may be copied in while it is summed: free space only, so that a bad sum harms nothing.
    func canPlace(start: Int, length: Int) -> Bool {
        guard start >= next, start + length <= advertisedEdge, !isFinished else { return false }
        if let finishOffset, start + length > finishOffset { return false }
        return ranges.isEmpty || !ranges.overlaps(start, start + length)
    }

    /// RFC 7323 4.3: the timestamp that will be echoed.
    mutating func note(timestamp: UInt32, start: Int, time: Int) {
        guard start <= lastAcknowledged, !isOlder(timestamp, than: recentTimestamp) else { return }
        recentTimestamp = timestamp
        recentTimestampAt = time
    }

    /// RFC 7323 5.3: whether a timestamp says that the segment is from long ago. A little older is a segment that another
    /// overtook: something sent again fills a gap and moves TS.Recent on, while segments sent just before it are late.
    /// Refused, they would be lost indeed. Sequence numbers do not come round in so short a time.
    func isOutdated(timestamp: UInt32, time: Int) -> Bool {
        isOlder(timestamp, than: recentTimestamp &- TCPLimits.timestampTolerance)
            && time - recentTimestampAt < TCPLimits.timestampAgeNanoseconds
    }

    // MARK: Data

    /// Takes a payload whose sum was right. `isPlaced`: its bytes are in the ring already. False: no room for the range.
    mutating func store(start: Int, length: Int, _ packet: RawSpan, at offset: Int, isPlaced: Bool) -> Bool {
        let end = start + length
        segmentSize = max(segmentSize, min(length, 65_535))
        let limit = finishOffset.map { min($0, advertisedEdge) } ?? advertisedEdge
        let from = max(start, ring.end)
        let to = min(end, limit)
        guard from < to, !isFinished else {
            noteDuplicate(start, end)
            return true
        }
        if start < ring.end { noteDuplicate(start, min(end, ring.end)) }
        if from == ring.end {
            if !isPlaced { ring.write(packet, from: offset + (from - start), count: to - from, at: from) }
            if ranges.isEmpty {
                ring.publish(to: to)
            } else {
                // A gap is filled, at least in part: the sender waits to hear that.
                isAcknowledgmentDue = true
                quick = max(quick, TCPLimits.quickAcknowledgments / 4)
                ring.publish(to: ranges.absorb(to))
            }
            unacknowledged += to - from
            return true
        }
        isAcknowledgmentDue = true
        duplicatesDue += 1
        if ranges.contains(from, to) {
            duplicate = (from, to)
            return true
        }
        // Refused ranges must not leave bytes that a later publication would take for data: they are rewritten then.
        guard ranges.insert(from, to) else { return false }
        if !isPlaced { ring.write(packet, from: offset + (from - start), count: to - from, at: from) }
        widen(reached: to)
        return true
    }

    /// A gap keeps everything behind it from the application, so reading says nothing about the need. A sender that fills
    /// the window meanwhile gets twice of it, once per gap.
    private mutating func widen(reached end: Int) {
        guard isTuned, widenedFor != ring.end, advertisedEdge - end < capacity / 2 else { return }
        widenedFor = ring.end
        capacity = max(capacity, min(2 * capacity, capacityLimit, ceiling))
    }

    /// Whether the next `length` bytes fit and nothing is out of order or at its end.
    @inline(__always)
    func isPlain(length: Int) -> Bool {
        finishOffset == nil && ranges.isEmpty && ring.end + length <= advertisedEdge
    }

    /// The next bytes of the stream are in the ring, and their sum was right.
    @inline(__always)
    mutating func storeExpected(_ length: Int) {
        segmentSize = max(segmentSize, length)
        ring.publish(to: ring.end + length)
        unacknowledged += length
    }

    private mutating func noteDuplicate(_ start: Int, _ end: Int) {
        isAcknowledgmentDue = true
        if start < end { duplicate = (start, end) }
    }

    /// The peer's FIN is at an offset. True: everything before has arrived and the stream ends now.
    mutating func finish(at offset: Int) -> Bool {
        guard !isFinished else { return false }
        if finishOffset == nil, offset >= ring.end, offset <= max(advertisedEdge, ring.end) { finishOffset = offset }
        return checkFinish()
    }

    /// Whether the stream has just reached the FIN.
    mutating func checkFinish() -> Bool {
        guard let finishOffset, !isFinished, ring.end >= finishOffset else { return false }
        isFinished = true
        isAcknowledgmentDue = true
        ranges.removeAll()
        return true
    }

    // MARK: Acknowledging

    /// The one ACK decision of a receive batch. Gives whether a delayed ACK is to be waited for.
    mutating func decide() -> Bool {
        guard unacknowledged > 0, !isAcknowledgmentDue else { return false }
        if unacknowledged >= 2 * segmentSize || quick > 0 {
            isAcknowledgmentDue = true
            return false
        }
        return true
    }

    /// The start of the connection is over: ACKs may be delayed.
    mutating func noteQuickOver() { quick = 0 }

    /// Data left right after data came: the application answers, so ACKs can travel with the answers.
    mutating func noteAnswer(time: Int) {
        if unacknowledged > 0 { quick = 0 }
        if time - lastDataAt < TCPLimits.delayedAcknowledgmentNanoseconds { isAnswering = true }
    }

    /// Data came.
    mutating func noteData(isPushed: Bool, time: Int) {
        self.isPushed = isPushed
        lastDataAt = time
    }

    /// An ACK was delayed for as long as it may be, and nothing came to carry it.
    mutating func delayIsOver() {
        guard unacknowledged > 0 else { return }
        isAcknowledgmentDue = true
        isAnswering = false
    }

    /// An ACK is leaving.
    mutating func acknowledgmentSent(withRanges: Bool) {
        if unacknowledged > 0, quick > 0 {
            quick = max(0, quick - max(1, unacknowledged / max(segmentSize, 1)))
        }
        unacknowledged = 0
        lastAcknowledged = next
        repeatedTimestamp = nil
        if withRanges || (ranges.isEmpty && duplicate == nil) {
            isAcknowledgmentDue = false
            duplicatesDue = 0
            duplicate = nil
        }
    }

    /// SACK blocks for an ACK that leaves now: a D-SACK first, then the latest ranges.
    func sackBlocks(limit: Int) -> SackBlocks {
        var blocks = SackBlocks()
        guard usesSack, !ranges.isEmpty || duplicate != nil else { return blocks }
        var left = limit
        if let duplicate {
            blocks.append(SackBlock(start: sequence(at: duplicate.start), end: sequence(at: duplicate.end)))
            left -= 1
        }
        ranges.latest(left) { range in
            blocks.append(SackBlock(start: sequence(at: range.start), end: sequence(at: range.end)))
        }
        return blocks
    }

    /// The window field of a segment that leaves now. It is a promise.
    mutating func takeWindow() -> UInt16 {
        let base = next
        var edge = max(base, ring.start + capacity)
        // RFC 9293 3.8.6.2.2: the edge moves in steps that are worth sending.
        if edge - advertisedEdge < min(capacity / 2, segmentSize) { edge = advertisedEdge }
        var field = max(0, edge - base) >> Int(scale)
        if base + field << Int(scale) < advertisedEdge {
            field = (advertisedEdge - base + (1 << Int(scale)) - 1) >> Int(scale)
        }
        field = min(field, 65_535)
        advertisedEdge = max(advertisedEdge, base + field << Int(scale))
        return UInt16(field)
    }

    // MARK: Application

    /// The application took bytes away: the window may open, the buffer may grow.
    /// `minimumRoundTrip`: `Int.max` if nothing was measured.
    mutating func taken(_ count: Int, roundTrip: Int?, minimumRoundTrip: Int, time: Int) {
        // The peer decides the round trip. Nothing else bounds the bytes taken in it.
        taken = min(taken + count, 2 * TCPLimits.bufferLimit)
        let trip = max(min(echoRoundTrip ?? .max, roundTrip ?? 100_000_000), 1)
        if time - tuneSince >= trip {
            // Twice of what was used in a round trip, so that a sender in slow start is never held.
            if isTuned, tuneSince > 0 {
                var wanted = 2 * taken + 16 * segmentSize
                // More than in the round trip before: ahead of the sender's slow start by as much again (as Linux).
                if takenBefore > 0, taken > takenBefore {
                    wanted += min(2 * wanted * (taken - takenBefore) / takenBefore, 4 * wanted)
                }
                takenBefore = max(taken, 1)
                ceiling = TCPLimits.bufferCeiling(minimumRoundTrip: minimumRoundTrip)
                capacity = max(capacity, min(wanted, capacityLimit, ceiling))
            }
            tuneSince = time
            taken = 0
        }
        guard !isFinished else { return }
        // All was read and no answer is to be expected: the peer's next small write may wait for this ACK (as Linux).
        if isPushed, unacknowledged > 0, ring.isEmpty, !isAnswering { isAcknowledgmentDue = true }
        // A window update is due when a quarter of the buffer opened, or a closed window opens by two segments.
        let opened = ring.start + capacity - advertisedEdge
        let isClosed = advertisedEdge - next < segmentSize
        let step = isClosed ? min(capacity / 4, 2 * segmentSize) : capacity / 4
        if opened >= max(step, 1), lastAcknowledged >= 0 { isAcknowledgmentDue = true }
    }

    /// A round trip of the peer's echo, for autotuning; in nanoseconds.
    mutating func note(echoRoundTrip sample: Int) {
        echoRoundTrip = echoRoundTrip.map { $0 + (sample - $0) / 8 } ?? sample
    }

    mutating func setLimit(_ limit: Int, isTuned: Bool) {
        capacityLimit = min(max(limit, 2048), TCPLimits.bufferLimit)
        self.isTuned = isTuned
        capacity = isTuned ? min(capacity, capacityLimit) : capacityLimit
    }
}

extension Receiver {
    /// A segment outside the window repeats what was received: the next ACK reports it.
    mutating func noteRepeated(start: Int, end: Int) {
        if start < end, end <= next { duplicate = (start, end) }
    }

    /// The time of such a segment, if it is no older than what came before.
    mutating func noteRepeated(timestamp: UInt32) {
        if !isOlder(timestamp, than: timestampEcho) { repeatedTimestamp = timestamp }
    }
}
