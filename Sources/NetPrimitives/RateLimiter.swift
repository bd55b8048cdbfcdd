// A token bucket by the machines' own time.

/// Allows `burst` uses at once and one more per `interval`.
public struct RateLimiter: Sendable {
    private let burst: UInt64
    private let interval: UInt64
    // The instant at which the bucket would be full again ("theoretical arrival time"): one number is the whole state.
    private var fullAt: UInt64 = 0

    /// Makes a full bucket. `burst` is at least 1 and `interval` positive.
    public init(burst: Int, interval: Duration) {
        precondition(burst > 0 && interval > .zero, "a rate limiter needs a burst and an interval")
        self.burst = UInt64(burst)
        self.interval = UInt64(interval.nanoseconds)
    }

    /// Takes one token, or says no.
    public mutating func allow(_ now: MonotonicInstant) -> Bool {
        let time = max(fullAt, now.nanoseconds)
        guard time - now.nanoseconds <= (burst - 1) * interval else { return false }
        fullAt = time + interval
        return true
    }

    /// When the next token is there.
    public func nextAllowed(_ now: MonotonicInstant) -> MonotonicInstant {
        let slack = (burst - 1) * interval
        let earliest = fullAt > slack ? fullAt - slack : 0
        return MonotonicInstant(nanoseconds: max(earliest, now.nanoseconds))
    }

    /// Tokens that could be taken now, one after the other.
    public func tokens(_ now: MonotonicInstant) -> Int {
        let ahead = max(fullAt, now.nanoseconds) - now.nanoseconds
        let used = (ahead + interval - 1) / interval
        return used >= burst ? 0 : Int(burst - used)
    }

    /// How long it takes until the bucket is full again: how much was taken lately.
    public func debt(_ now: MonotonicInstant) -> Duration {
        .nanoseconds(Int64(max(fullAt, now.nanoseconds) - now.nanoseconds))
    }

    /// Whether the bucket is full, so that forgetting it changes nothing.
    public func isFull(_ now: MonotonicInstant) -> Bool { fullAt <= now.nanoseconds }
}
