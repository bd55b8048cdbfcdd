// The deadlines of one entity, one per case of an enum.

/// An enum whose cases are the timers of an entity; its raw values count up from 0.
public protocol TimerKind: CaseIterable, RawRepresentable, Sendable where RawValue == Int {}

/// At most one deadline per timer of an entity.
public struct TimerTable<Kind: TimerKind>: Sendable {
    // `distantFuture` stands for "not running", so that the earliest is a plain minimum.
    private var deadlines: [MonotonicInstant]

    /// Makes a table in which nothing runs.
    public init() {
        deadlines = Array(repeating: .distantFuture, count: Kind.allCases.count)
    }

    /// A timer's deadline; nil while it does not run.
    public subscript(_ kind: Kind) -> MonotonicInstant? {
        get {
            let deadline = deadlines[kind.rawValue]
            return deadline == .distantFuture ? nil : deadline
        }
        set { deadlines[kind.rawValue] = newValue ?? .distantFuture }
    }

    /// The earliest deadline.
    public var next: MonotonicInstant? {
        var earliest = MonotonicInstant.distantFuture
        for deadline in deadlines where deadline < earliest { earliest = deadline }
        return earliest == .distantFuture ? nil : earliest
    }

    /// Stops and names the timer that is due first, if one is due.
    public mutating func popDue(_ now: MonotonicInstant) -> Kind? {
        var found: Kind?
        var earliest = now
        for kind in Kind.allCases where deadlines[kind.rawValue] <= earliest {
            if found == nil || deadlines[kind.rawValue] < earliest {
                found = kind
                earliest = deadlines[kind.rawValue]
            }
        }
        if let found { deadlines[found.rawValue] = .distantFuture }
        return found
    }
}
