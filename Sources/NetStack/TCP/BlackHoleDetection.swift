// Paths that lose long packets and say nothing: the sender notices, cuts shorter, and now and then tries a full segment.
// Read first: RFC 4821 sections 7.4 to 7.7, RFC 8899 section 4.2 (facts only); Docs/decisions/0007-small-paths.md.
//
//   no limit ──two time-outs in a row of full segments──> 1024 ──one more──> 512
//   limited ──a segment of full size is acknowledged──> no limit

/// A sender's knowledge of the longest segment that arrives. Offsets in the send stream, times in nanoseconds.
struct BlackHoleDetection: Sendable {
    /// No segment but a probe has more payload, in bytes. `Int.max`: the full size is thought to arrive.
    private(set) var limit = Int.max
    /// When the next probe may leave; `Int.max`: not before data passes again.
    private var probeAt = Int.max
    /// The pause until the next probe, if this one is lost.
    private var pause = TCPLimits.firstLengthProbeNanoseconds
    /// The segment of full size that is out.
    private var probeStart = 0
    private var probeEnd: Int?

    /// The retransmission time-out fired for the `count`th time in a row; `length`: payload of the first segment that was lost.
    /// True if shorter segments are to be tried.
    mutating func timedOut(count: Int, length: Int, time: Int) -> Bool {
        if probeEnd != nil { probeLost(time: time) }
        guard count >= 2,
            let shorter = TCPLimits.blackHoleSegmentSizes.first(where: { $0 < length })
        else { return false }
        limit = shorter
        probeAt = .max
        return true
    }

    /// Everything up to an offset is acknowledged. True if the limit is gone.
    mutating func acknowledged(to offset: Int, time: Int) -> Bool {
        guard limit != .max else { return false }
        if let probeEnd, offset >= probeEnd {
            self = BlackHoleDetection()
            return true
        }
        if probeAt == .max { probeAt = time + pause }
        return false
    }

    /// Data is sent again because it was lost.
    @inline(__always)
    mutating func sendsAgain(from start: Int, to end: Int, time: Int) {
        guard let probeEnd, start < probeEnd, end > probeStart else { return }
        probeLost(time: time)
    }

    /// Whether a segment of full size may be tried.
    @inline(__always)
    func isProbeDue(_ time: Int) -> Bool { time >= probeAt && probeEnd == nil && limit != .max }

    mutating func sentProbe(from start: Int, to end: Int) {
        probeStart = start
        probeEnd = end
    }

    private mutating func probeLost(time: Int) {
        probeEnd = nil
        pause = min(4 * pause, TCPLimits.lastLengthProbeNanoseconds)
        probeAt = time + pause
    }
}

extension Sender {
    /// The payload of a segment that the peer, the interface and the options allow.
    mutating func setFullSegmentSize(_ size: Int) {
        fullSegmentSize = size
        segmentSize = min(size, blackHole.limit)
        congestion.setSegmentSize(segmentSize, pieces: pieces)
    }

    /// A time-out, before anything is marked: perhaps only short segments arrive.
    mutating func noteTimeout(time: Int) {
        let length = min(segmentSize, outstanding)
        if blackHole.timedOut(count: timing.timeouts, length: length, time: time) {
            setFullSegmentSize(fullSegmentSize)
        }
    }

    /// SND.UNA moved.
    @inline(__always)
    mutating func noteProgress(time: Int) {
        guard blackHole.limit != .max else { return }
        if blackHole.acknowledged(to: acknowledged, time: time) { setFullSegmentSize(fullSegmentSize) }
    }

    /// One segment of full size, made of new data, to find out whether it arrives. If it is lost, short segments repair that
    /// like any loss.
    mutating func nextLengthProbe(time: Int) -> Piece? {
        let size = fullSegmentSize
        guard blackHole.isProbeDue(time), recovery.phase == .open, scoreboard.lostBytes == 0, size > segmentSize,
            // More behind it: then its loss shows by acknowledgments, not by a time-out.
            unsent > size, min(congestion.window - inFlight, windowEdge - next) >= size
        else { return nil }
        var piece = take(size, time: time)
        piece.isLengthProbe = true
        blackHole.sentProbe(from: piece.start, to: piece.end)
        return piece
    }
}
