// The bytes in flight: one record per burst, split where an ACK or SACK block cuts it. Read first: RFC 6675 section 3,
// RFC 8985 section 5.
//
// Records tile SND.UNA..<SND.NXT without gaps, in stream order; sacked neighbours are one record. So their number is
// about twice the number of holes, whatever the window, and every search is binary.

/// The bytes that one ACK newly delivered, gathered while records change.
struct DeliverySample: Sendable {
    /// Bytes newly acknowledged, cumulatively or by SACK.
    var delivered = 0
    /// When the oldest left among those acknowledged cumulatively, and among those SACKed, that were sent only once.
    var oldestAcknowledgedAt: Int?
    var oldestSackedAt: Int?
    /// Something sent more than once was acknowledged cumulatively. The ACK may have waited for it, so the age of bytes
    /// acknowledged along with it is no round trip.
    var isRepeatAcknowledged = false
    /// The latest to leave among those sent once, and its end.
    var newestSentAt = Int.min
    var newestEnd = Int.min
    /// The same among those sent more than once, for which the sample may be ambiguous.
    var repeatedSentAt = Int.min
    var repeatedEnd = Int.min
    /// The least end of bytes that were sent only once.
    private(set) var firstSingleEnd = Int.max
    /// The departure of the bytes that left latest of all, and their end.
    private(set) var latest = Departure.none
    private var latestEnd = Int.min
    /// Something sent once was delivered after data behind it.
    var isReordered = false
    /// The highest SACKed end before this ACK: its blocks come in any order.
    private let highest: Int

    init(highest: Int) { self.highest = highest }

    mutating func note(_ record: Scoreboard.Record, to end: Int, isSack: Bool) {
        delivered += end - record.start
        if latestEnd == .min || (record.sentAt, end) > (latest.sentAt, latestEnd) {
            latest = record.departure
            latestEnd = end
        }
        if record.isRetransmitted {
            if !isSack { isRepeatAcknowledged = true }
            if (record.sentAt, end) > (repeatedSentAt, repeatedEnd) {
                repeatedSentAt = record.sentAt
                repeatedEnd = end
            }
            return
        }
        firstSingleEnd = min(firstSingleEnd, end)
        if isSack {
            oldestSackedAt = min(oldestSackedAt ?? .max, record.sentAt)
        } else {
            oldestAcknowledgedAt = min(oldestAcknowledgedAt ?? .max, record.sentAt)
        }
        if (record.sentAt, end) > (newestSentAt, newestEnd) {
            newestSentAt = record.sentAt
            newestEnd = end
        }
        if end < highest { isReordered = true }
    }
}

/// The retransmission scoreboard of one connection.
struct Scoreboard: Sendable {
    /// A run of the stream that shares its fate.
    struct Record: Sendable {
        var start: Int
        var end: Int
        /// When it last left, and what had been delivered until then.
        var departure: Departure
        var isSacked = false
        /// Thought lost and not yet sent again: not in flight.
        var isLost = false
        /// Has left more than once.
        var isRetransmitted = false

        var length: Int { end - start }
        var sentAt: Int { departure.sentAt }
    }

    // A ring: record i is at `(head + i) & (storage.count - 1)`.
    private var storage: [Record] = []
    private var head = 0
    private(set) var count = 0
    private(set) var sackedBytes = 0
    private(set) var lostBytes = 0
    /// End of the highest SACKed record ever.
    private(set) var highestSacked = Int.min
    // No record that ends at or before this offset is lost.
    private var lostHint = Int.min
    // The record that was taken last to be sent again.
    private var lastTaken = 0

    private(set) subscript(index: Int) -> Record {
        get { storage[(head &+ index) & (storage.count &- 1)] }
        _modify { yield &storage[(head &+ index) & (storage.count &- 1)] }
    }

    /// Books a burst that leaves now, right behind what is in flight.
    mutating func append(start: Int, end: Int, departure: Departure) {
        if count >= TCPLimits.scoreboardRecords, !self[count - 1].isSacked, !self[count - 1].isLost {
            // Too many small records: the later time errs on the side of patience.
            self[count - 1].end = end
            self[count - 1].departure = departure
            return
        }
        insert(Record(start: start, end: end, departure: departure), at: count)
    }

    /// Forgets the bytes that are acknowledged up to an offset.
    mutating func acknowledge(to offset: Int, sample: inout DeliverySample) {
        while count > 0 {
            let record = self[0]
            guard record.start < offset else { return }
            let end = min(record.end, offset)
            let length = end - record.start
            if record.isSacked {
                sackedBytes -= length
            } else {
                if record.isLost { lostBytes -= length }
                sample.note(record, to: end, isSack: false)
            }
            if end < record.end {
                self[0].start = end
                return
            }
            head = (head &+ 1) & (storage.count &- 1)
            count -= 1
        }
    }

    /// Marks a range as received out of order. The caller has clamped it to what is in flight.
    mutating func sack(start: Int, end: Int, sample: inout DeliverySample) {
        guard start < end, count > 0 else { return }
        var index = self.index(of: start)
        if index < count, self[index].start < start, !self[index].isSacked {
            guard split(index, at: start) else { return }
            index += 1
        }
        while index < count, self[index].start < end {
            if self[index].isSacked {
                index += 1
                continue
            }
            if self[index].end > end, !split(index, at: end) { break }
            let record = self[index]
            if record.isLost { lostBytes -= record.length }
            sackedBytes += record.length
            sample.note(record, to: record.end, isSack: true)
            highestSacked = max(highestSacked, record.end)
            self[index].isSacked = true
            self[index].isLost = false
            if index > 0, self[index - 1].isSacked {
                self[index - 1].end = record.end
                remove(at: index)
            } else {
                index += 1
            }
        }
        if index > 0, index < count, self[index].isSacked, self[index - 1].isSacked {
            self[index - 1].end = self[index].end
            remove(at: index)
        }
    }

    /// RACK: marks bytes as lost that left before the most recently delivered segment and had `wait` more time than a
    /// round trip. Returns how long until the next would be (RFC 8985 6.2 step 5).
    mutating func detectLosses(
        sentAt: Int, end: Int, wait: Int, time: Int, report: inout LossReport
    ) -> Int? {
        var remaining: Int?
        var index = 0
        while index < count {
            let record = self[index]
            // Bytes behind a first transmission left after it: nothing further on is older than the delivered one.
            if !record.isSacked, !record.isRetransmitted, record.sentAt > sentAt { break }
            if !record.isSacked, !record.isLost, (record.sentAt, record.end) <= (sentAt, end) {
                let left = record.sentAt + wait - time
                if left <= 0 {
                    report.note(record)
                    markLost(index)
                } else {
                    remaining = max(remaining ?? 0, left)
                }
            }
            index += 1
        }
        return remaining
    }

    /// After a time-out: everything that is not SACKed is lost. If even the first byte is SACKed, the receiver has
    /// reneged and no SACK is believed.
    mutating func markAllLost(report: inout LossReport) {
        if count > 0, self[0].isSacked {
            for index in 0..<count { self[index].isSacked = false }
            sackedBytes = 0
            highestSacked = Int.min
        }
        for index in 0..<count where !self[index].isSacked && !self[index].isLost {
            report.note(self[index])
            markLost(index)
        }
    }

    /// Without SACK: the first `length` bytes are lost, unless they are known to be already.
    mutating func markFirstLost(_ length: Int, report: inout LossReport) {
        guard count > 0, !self[0].isLost, !self[0].isSacked, !self[0].isRetransmitted else { return }
        if self[0].length > length { _ = split(0, at: self[0].start + length) }
        report.note(self[0])
        markLost(0)
    }

    /// Bytes that are marked lost and were not sent again yet count as in flight again: the marks were wrong.
    mutating func unmarkLost() {
        for index in 0..<count where self[index].isLost { self[index].isLost = false }
        lostBytes = 0
    }

    /// The bytes just taken leave again. Must be called after each `takeLost` and `takeLast`.
    mutating func redepart(_ departure: Departure) { self[lastTaken].departure = departure }

    /// Takes up to `limit` bytes of the first lost data to be sent again now.
    mutating func takeLost(limit: Int) -> (start: Int, end: Int)? {
        guard lostBytes > 0, limit > 0, count > 0 else { return nil }
        var index = lostHint <= self[0].start ? 0 : self.index(of: lostHint)
        while index < count, !self[index].isLost { index += 1 }
        if index == count {
            // The hint was too far: look again from the start.
            index = 0
            while index < count, !self[index].isLost { index += 1 }
            guard index < count else { return nil }
        }
        if self[index].length > limit { guard split(index, at: self[index].start + limit) else { return nil } }
        while self[index].length < limit, index + 1 < count, self[index + 1].isLost {
            let following = self[index + 1]
            let part = min(limit - self[index].length, following.length)
            self[index].end += part
            if part == following.length {
                remove(at: index + 1)
            } else {
                self[index + 1].start += part
            }
        }
        lostBytes -= self[index].length
        self[index].isLost = false
        self[index].isRetransmitted = true
        lostHint = self[index].end
        lastTaken = index
        return (self[index].start, self[index].end)
    }

    /// Takes the last up to `limit` bytes in flight to be sent again as a probe.
    mutating func takeLast(limit: Int) -> (start: Int, end: Int)? {
        var index = count - 1
        while index >= 0, self[index].isSacked { index -= 1 }
        guard index >= 0 else { return nil }
        if self[index].length > limit {
            guard split(index, at: self[index].end - limit) else { return nil }
            index += 1
        }
        if self[index].isLost { lostBytes -= self[index].length }
        self[index].isLost = false
        self[index].isRetransmitted = true
        lastTaken = index
        return (self[index].start, self[index].end)
    }

    mutating func removeAll() {
        head = 0
        count = 0
        sackedBytes = 0
        lostBytes = 0
        storage = []
    }

    // MARK: Records

    private mutating func markLost(_ index: Int) {
        self[index].isLost = true
        lostBytes += self[index].length
        lostHint = min(lostHint, self[index].start)
    }

    /// The record that holds an offset; `count` if it is behind everything.
    private func index(of offset: Int) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if self[middle].end <= offset { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    private mutating func split(_ index: Int, at offset: Int) -> Bool {
        guard count < TCPLimits.scoreboardRecords + 8 else { return false }
        var tail = self[index]
        tail.start = offset
        self[index].end = offset
        insert(tail, at: index + 1)
        return true
    }

    private mutating func insert(_ record: Record, at index: Int) {
        if count == storage.count { grow() }
        count += 1
        var position = count - 1
        while position > index {
            self[position] = self[position - 1]
            position -= 1
        }
        self[index] = record
    }

    private mutating func remove(at index: Int) {
        var position = index
        while position < count - 1 {
            self[position] = self[position + 1]
            position += 1
        }
        count -= 1
    }

    private mutating func grow() {
        let size = max(8, storage.count * 2)
        var larger: [Record] = []
        larger.reserveCapacity(size)
        for index in 0..<count { larger.append(self[index]) }
        let empty = Record(start: 0, end: 0, departure: .none)
        while larger.count < size { larger.append(empty) }
        storage = larger
        head = 0
    }
}
