// The deadlines of one connection, in line: a connection allocates nothing until it holds data.

/// The timers of a connection.
enum ConnectionTimer: Int, CaseIterable, Sendable {
    /// Runs while a SYN, data or a FIN is unacknowledged, or a closed window holds data back. Firing acts by
    /// `Sender.LossTimer`: time-out, tail loss probe, reordering wait or window probe.
    case loss
    /// Runs while received data waits for its ACK. Firing makes the ACK due.
    case delayedAcknowledgment
    /// Runs while keepalive is on and the connection is open. Firing probes or gives up.
    case keepAlive
    /// Runs in TIME-WAIT, and in FIN-WAIT-2 after close. Firing ends the connection.
    case linger
    /// Runs while cork holds a short segment. Firing lets it go.
    case cork
    /// Runs while empty buffers hold memory. Firing frees it.
    case idle
}

/// At most one deadline per timer, in nanoseconds of the monotonic clock.
struct ConnectionTimers: Sendable {
    private var deadlines: InlineArray<6, UInt64> = InlineArray(repeating: .max)

    subscript(_ timer: ConnectionTimer) -> Int? {
        get {
            let deadline = deadlines[timer.rawValue]
            return deadline == .max ? nil : Int(truncatingIfNeeded: deadline)
        }
        set { deadlines[timer.rawValue] = newValue.map { UInt64(max(0, $0)) } ?? .max }
    }

    /// The earliest deadline; `UInt64.max` if nothing runs.
    var next: UInt64 {
        var earliest = UInt64.max
        for index in 0..<6 { earliest = min(earliest, deadlines[index]) }
        return earliest
    }

    /// Stops and names a timer that is due.
    mutating func popDue(_ time: Int) -> ConnectionTimer? {
        for timer in ConnectionTimer.allCases where deadlines[timer.rawValue] <= UInt64(max(0, time)) {
            deadlines[timer.rawValue] = .max
            return timer
        }
        return nil
    }

    mutating func stopAll() { deadlines = InlineArray(repeating: .max) }
}
