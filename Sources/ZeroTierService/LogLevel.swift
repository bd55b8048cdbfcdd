// How grave what a node tells is.

/// How grave a line of the log is, the least first.
package enum LogLevel: String, Sendable, CaseIterable, Comparable {
    /// Something happened that is as it should be.
    case info
    /// Something is not as it should be, and the node goes on.
    case warning
    /// Something failed.
    case error

    /// The number that syslog and the journal have for it: smaller ones are graver.
    package var priority: Int {
        switch self {
        case .info: 6
        case .warning: 4
        case .error: 3
        }
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.priority > right.priority }
}
