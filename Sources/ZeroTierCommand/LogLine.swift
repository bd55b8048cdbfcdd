// Lines of a log: when, how grave, what. Read first: sd-daemon(3) for the journal's form.

import Glibc
import JSONValues
import Synchronization
import ZeroTier
import ZeroTierService

/// Puts time and level before a report.
enum LogLine {
    // The settings of a node's service are read again while other threads tell something: the priority of its level.
    private static let leastPriority = Atomic<Int>(LogLevel.info.priority)

    /// The least grave level that this process writes, unless an option says another.
    static var least: LogLevel {
        get {
            let priority = leastPriority.load(ordering: .relaxed)
            return LogLevel.allCases.first { $0.priority == priority } ?? .info
        }
        set { leastPriority.store(newValue.priority, ordering: .relaxed) }
    }

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
