// Which bytes beyond RCV.NXT are in the ring already: the reassembly queue as a sorted set of ranges.
// Read first: RFC 2018 section 4.

/// Sorted, disjoint, not touching ranges of the receive stream.
struct ReceiveRanges: Sendable {
    struct Range: Sendable, Equatable {
        var start: Int
        var end: Int
    }

    // Empty and without storage while nothing is out of order.
    private(set) var ranges: [Range] = []
    // Offsets that arrived last, the latest first: SACK names their ranges. -1: none.
    private var recent = InlineArray<8, Int>(repeating: -1)

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
        // The first range that ends at or after our start may touch us.
        let low = first(endingAfter: start - 1)
        var high = low
        var merged = Range(start: start, end: end)
        while high < ranges.count, ranges[high].start <= end {
            merged.start = min(merged.start, ranges[high].start)
            merged.end = max(merged.end, ranges[high].end)
            high += 1
        }
        if low == high, ranges.count >= TCPLimits.outOfOrderRanges { return false }
        note(start, in: merged)
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
        var given = 0
        for place in 0..<8 where given < limit && recent[place] >= 0 {
            let index = first(endingAfter: recent[place])
            if index < ranges.count, ranges[index].start <= recent[place] {
                body(ranges[index])
                given += 1
            }
        }
    }

    // Puts an offset in front. Older offsets of the same range go: one stands for each range.
    private mutating func note(_ offset: Int, in range: Range) {
        var moved = offset
        for place in 0..<8 {
            let kept = recent[place]
            recent[place] = moved
            if kept < 0 || (kept >= range.start && kept < range.end) { return }
            moved = kept
        }
    }

    mutating func removeAll() {
        ranges = []
        recent = InlineArray(repeating: -1)
    }

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
