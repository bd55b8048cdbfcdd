// Spreads what the window allows over the round trip, in bursts that are worth waking up for.
// Read first: draft-ietf-ccwg-bbr sections 5.6.2 (pacing rate) and 5.6.3 (send quantum).
//
// A bucket of one quantum. It costs nothing where it does not bind: a sender that is slower than its rate never sees it
// empty. A sender that empties it waits until it is half full, so that deadlines are half a millisecond apart, not a
// segment.

/// The departure times of one connection. Nanoseconds.
struct Pacer: Sendable {
    /// When the bucket will be full again.
    private var fullAt = 0
    /// When the next burst may leave, after one was refused; nil: nothing waits for the pace.
    private(set) var deadline: Int?

    /// A burst is what the rate makes of this time.
    static let quantumNanoseconds = 1_000_000.0
    /// No burst is longer.
    static let quantumLimit = 256 << 10

    /// Bytes that may leave at once.
    static func quantum(rate: Double, segment: Int) -> Int {
        let bytes = rate * (quantumNanoseconds * 1e-9)
        return bytes < Double(quantumLimit) ? max(Int(bytes), 2 * segment) : max(quantumLimit, 2 * segment)
    }

    /// How many of the bytes that are wanted may leave now: whole segments, or all. 0: the deadline is set.
    mutating func allowance(_ wanted: Int, rate: Double, segment: Int, time: Int) -> Int {
        let quantum = Pacer.quantum(rate: rate, segment: segment)
        let debt = Double(max(0, fullAt - time)) * rate * 1e-9
        let credit = Double(quantum) - debt
        let worthwhile = min(wanted, max(segment, quantum / 2))
        guard credit >= Double(worthwhile) else {
            let wait = (Double(max(segment, quantum / 2)) - credit) * 1e9 / rate
            deadline = time + max(1, Int(min(wait, 1e12)))
            return 0
        }
        deadline = nil
        if Double(wanted) <= credit { return wanted }
        let whole = Int(credit)
        return max(segment, whole - whole % segment)
    }

    /// Bytes left.
    mutating func sent(_ bytes: Int, rate: Double, time: Int) {
        fullAt = max(fullAt, time) + Int(min(Double(bytes) * 1e9 / rate, 1e12))
    }

    /// The deadline has passed, or nothing waits for it any more.
    mutating func stop() { deadline = nil }
}
