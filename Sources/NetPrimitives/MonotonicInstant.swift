// Time as the machines see it: a parameter, never a clock read.

/// A point on a monotonic clock, in nanoseconds since a start that only the driver knows.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's start.
    public let nanoseconds: UInt64

    /// Makes an instant from nanoseconds since the clock's start.
    @inlinable
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// The clock's start.
    public static let zero = MonotonicInstant(nanoseconds: 0)
    /// Later than any instant a clock shows.
    public static let distantFuture = MonotonicInstant(nanoseconds: .max)

    /// Orders by time.
    @inlinable
    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant a duration later; saturates at both ends of the range.
    @inlinable
    public static func + (instant: MonotonicInstant, duration: Duration) -> MonotonicInstant {
        let delta = duration.nanoseconds
        if delta >= 0 {
            let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(UInt64(delta))
            return overflow ? .distantFuture : MonotonicInstant(nanoseconds: sum)
        }
        let (difference, overflow) = instant.nanoseconds.subtractingReportingOverflow(delta.magnitude)
        return overflow ? .zero : MonotonicInstant(nanoseconds: difference)
    }

    /// How much later the left instant is; negative if it is earlier.
    @inlinable
    public static func - (left: MonotonicInstant, right: MonotonicInstant) -> Duration {
        if left >= right {
            return .nanoseconds(Int64(clamping: left.nanoseconds &- right.nanoseconds))
        }
        return .zero - .nanoseconds(Int64(clamping: right.nanoseconds &- left.nanoseconds))
    }
}

extension Duration {
    /// The duration in whole nanoseconds, saturated to what 64 bits hold (292 years).
    @inlinable
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in whole milliseconds, towards zero.
    @inlinable
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

/// One reading of both clocks, stamped once per batch by the driver.
public struct Now: Hashable, Sendable {
    /// What drives timers.
    public let monotonic: MonotonicInstant
    /// Milliseconds since 1970-01-01 UTC: only goes into, or is compared with, packets and credentials.
    public let unixMilliseconds: Int64

    /// Makes a reading from its two halves.
    @inlinable
    public init(monotonic: MonotonicInstant, unixMilliseconds: Int64) {
        self.monotonic = monotonic
        self.unixMilliseconds = unixMilliseconds
    }

    /// Both clocks a duration later.
    public func advanced(by duration: Duration) -> Now {
        Now(monotonic: monotonic + duration, unixMilliseconds: unixMilliseconds + duration.milliseconds)
    }
}
