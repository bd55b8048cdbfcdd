// Lines of a log: when, how grave, what. Read first: sd-daemon(3) for the journal's form.

import Glibc
import JSONValues
import ZeroTier

/// How grave a line of the log is.
enum LogLevel: String, Sendable {
    case info
    case warning
    case error

    /// The number that syslog and the journal have for it.
    var priority: Int {
        switch self {
        case .info: 6
        case .warning: 4
        case .error: 3
        }
    }
}

/// Puts time and level before a report.
enum LogLine {
    // systemd names the device and inode of the journal's pipe, if ours is one.
    private static let isJournal: Bool = {
        // Sound: the environment is not changed by this program; the text is copied.
        guard let value = unsafe getenv("JOURNAL_STREAM") else { return false }
        let named = unsafe String(cString: value)
        var status = stat()
        // Sound: the call fills the structure.
        guard unsafe fstat(STDOUT_FILENO, &status) == 0 else { return false }
        return named == "\(status.st_dev):\(status.st_ino)"
    }()

    static func render(_ report: Report, asJSON: Bool, isPlain: Bool) -> String {
        if asJSON {
            guard !isPlain, case .object(let object) = report.json else { return report.json.text }
            return JSONValue.object(
                object.members.map { ($0.key, $0.value) } + [
                    ("time", .string(SystemClock.universalTime())), ("level", .string(report.level.rawValue)),
                ]
            ).text
        }
        if isPlain { return report.text }
        // The journal has the time, and takes the level from the line.
        if isJournal { return "<\(report.level.priority)>\(report.text)" }
        let level = report.level.rawValue
        return "\(SystemClock.universalTime()) \(level)" + String(repeating: " ", count: max(1, 8 - level.count))
            + report.text
    }
}
