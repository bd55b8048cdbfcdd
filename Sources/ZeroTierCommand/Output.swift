// The standard output and error, line by line. Read first: write(2), signal(7).
//
// What cannot be written:
// - A subcommand that answers and ends (`status`, `world show`, `echo send`'s result...) says why on the standard error and
//   fails; if its reader has gone (`| head -1`), it ends without a word, as other tools do.
// - A node or root goes on: its log is not what it is for. It says so once on the standard error.

import Glibc
import Synchronization
import ZeroTier

/// Writing to the standard output and error.
enum Output {
    private struct State {
        var hasLostLog = false
    }

    // One line at a time, whoever writes.
    private static let state = Mutex(State())

    /// To be called before anything else. A descriptor that was closed by whoever started us must not become a socket or
    /// a state file's: it is taken by one that cannot be written. A reader that goes away is an error, not a signal.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 {
            // Sound: a literal's C string. The lowest free number is this one.
            _ = unsafe open("/dev/null", O_RDONLY)
        }
    }

    /// Writes a line at once, also into a pipe.
    static func write(_ text: String) throws(SystemError) {
        try state.withLock { (_) throws(SystemError) in
            try put(text + "\n", STDOUT_FILENO, "write the standard output")
        }
    }

    /// Writes a line of a log. That it cannot be written is told once and changes nothing.
    static func log(_ text: String) {
        let problem = state.withLock { state -> SystemError? in
            do throws(SystemError) {
                try put(text + "\n", STDOUT_FILENO, "write the log")
                return nil
            } catch {
                defer { state.hasLostLog = true }
                return state.hasLostLog ? nil : error
            }
        }
        if let problem { complain("cannot \(problem); the node goes on without") }
    }

    /// Writes a line to the standard error, if that is possible.
    static func complain(_ text: String) { try? put(text + "\n", STDERR_FILENO, "write the standard error") }

    /// Writes everything; waits where a terminal or pipe was set not to block.
    static func put(_ bytes: [UInt8], _ descriptor: Int32, _ operation: String) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            // Sound: the rest of the array, from an offset within it.
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(descriptor, raw.baseAddress.map { unsafe $0 + offset }, raw.count - offset)
            }
            if count >= 0 {
                offset += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // Sound: one entry, as said.
                _ = unsafe poll(&waiting, 1, -1)
            case let number: throw SystemError(number, operation)
            }
        }
    }

    private static func put(_ text: String, _ descriptor: Int32, _ operation: String) throws(SystemError) {
        try put(Array(text.utf8), descriptor, operation)
    }
}
