// Which bytes beyond RCV.NXT are in the ring already: the reassembly queue as a sorted set of ranges.
// Read first: RFC 2018 section 4.

/// Sorted, disjoint, not touching ranges of the receive stream.
struct ReceiveRanges: Sendable {
    struct Range: Sendable, Equatable {
        var start: Int
        var end: Int
        /// Grows with each change: SACK names the latest first.
        var stamp: UInt32
    }

    // Empty and without storage while nothing is out of order.
    private(set) var ranges: [Range] = []
    private var clock: UInt32 = 0

    var isEmpty: Bool { ranges.isEmpty }
    var count: Int { ranges.count }

    /// Whether any byte of a range is here.
    func overlaps(_ start: Int, _ end: Int) -> Bool {
        let index = first(endingAfter: start)
        return index < ranges.count && ranges[index].start < end
    }

    /// Whether every byte of a range is here.
    func contains(_ start: Int, _ end: Int) -> Bool {
        let index = first(endingAfter: start)
        return index < ranges.count && ranges[index].start <= start && end <= ranges[index].end
    }

    /// Adds a range; false: there are too many and it touches none.
    mutating func insert(_ start: Int, _ end: Int) -> Bool {
        clock &+= 1
        // The first range that ends at or after our start may touch us.
        let low = first(endingAfter: start - 1)
        var high = low
        var merged = Range(start: start, end: end, stamp: clock)
        while high < ranges.count, ranges[high].start <= end {
            merged.start = min(merged.start, ranges[high].start)
            merged.end = max(merged.end, ranges[high].end)
            high += 1
        }
        if low == high, ranges.count >= TCPLimits.outOfOrderRanges { return false }
        if low == high {
            ranges.insert(merged, at: low)
        } else {
            ranges[low] = merged
            if high > low + 1 { ranges.removeSubrange(low + 1..<high) }
        }
        return true
    }

    /// In-order data reached an offset: gives how far it goes on with what was stored, and forgets that.
    mutating func absorb(_ offset: Int) -> Int {
        var offset = offset
        var used = 0
        while used < ranges.count, ranges[used].start <= offset {
            offset = max(offset, ranges[used].end)
            used += 1
        }
        if used > 0 { ranges.removeFirst(used) }
        return offset
    }

    /// The ranges for SACK blocks, latest first, at most `limit`.
    func latest(_ limit: Int, _ body: (Range) -> Void) {
        var below = UInt32.max
        for _ in 0..<min(limit, ranges.count) {
            var best: Range?
            for range in ranges where range.stamp < below && range.stamp > (best?.stamp ?? 0) { best = range }
            guard let found = best else { return }
            body(found)
            below = found.stamp
        }
    }

    mutating func removeAll() { ranges = [] }

    private func first(endingAfter offset: Int) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].end <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
