// Common instants for work that may be late, so that the deadlines of many owners meet in few wake-ups.

/// The instants `phase`, `phase + period`, `phase + 2 * period`, and so on.
///
/// Work on a grid fires late by less than a period, never early, and all of it together at most once a period. The phase
/// differs from node to node, so that those of one machine do not all speak at one moment.
public struct WakeGrid: Hashable, Sendable {
    private let period: UInt64
    private let phase: UInt64

    /// Makes a grid. The period must be positive; the phase is taken modulo the period.
    public init(period: Duration, phase: Duration) {
        precondition(period > .zero && phase >= .zero, "a grid has a positive period and phase")
        self.period = UInt64(period.nanoseconds)
        self.phase = UInt64(phase.nanoseconds) % self.period
    }

    /// The grid's first instant at or after this one. The distant future stays what it is.
    public func next(atOrAfter instant: MonotonicInstant) -> MonotonicInstant {
        guard instant != .distantFuture else { return instant }
        guard instant.nanoseconds > phase else { return MonotonicInstant(nanoseconds: phase) }
        let beyond = (instant.nanoseconds - phase) % period
        guard beyond > 0 else { return instant }
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(period - beyond)
        return overflow ? .distantFuture : MonotonicInstant(nanoseconds: sum)
    }
}
