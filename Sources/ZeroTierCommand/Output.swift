// The standard output and error, line by line. Read first: write(2), signal(7).
//
// If a line cannot be written:
// - A subcommand that answers and ends (`status`, `world show`, `echo send`'s result...) says why on the standard error and
//   fails; if its reader has gone (`| head -1`), it ends without a word, as other tools do.
// - A node or root goes on: its log is not what it is for. It says so once on the standard error. A reader that takes
//   nothing for a moment (a stopped terminal, `| less`) loses lines: who logs is the thread that serves the network.

import Glibc
import Synchronization
import ZeroTier

/// Writing to the standard output and error.
enum Output {
    private struct State {
        var hasLostLog = false
        // Whether the last line of the log found no room.
        var isStalled = false
    }

    /// How long a line of the log waits for room, in milliseconds. After a line that found none the next do not wait.
    private static let logPatience: Int32 = 200
    // A pipe that is writable takes this much without waiting: PIPE_BUF of pipe(7).
    private static let sureSize = 4096

    // One line at a time, from all threads.
    private static let state = Mutex(State())

    /// Must be called before anything else. If a standard descriptor is closed, it must not become a socket or a state
    /// file: it gets one that cannot be written. A reader that goes away is an error, not a signal.
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

    /// Writes a line of a log. If that fails, it is told once and changes nothing.
    static func log(_ text: String) {
        let problem = state.withLock { state -> SystemError? in
            do throws(SystemError) {
                let patience = state.isStalled ? 0 : logPatience
                state.isStalled = true
                try put(Array((text + "\n").utf8), STDOUT_FILENO, "write the log", patience: patience)
                state.isStalled = false
                return nil
            } catch {
                state.isStalled = error.number == ETIMEDOUT
                defer { state.hasLostLog = true }
                return state.hasLostLog ? nil : error
            }
        }
        if let problem {
            let text = "cannot \(problem); the node goes on without\n"
            try? put(Array(text.utf8), STDERR_FILENO, "write the standard error", patience: logPatience)
        }
    }

    /// Writes a line to the standard error, if that is possible.
    static func complain(_ text: String) { try? put(text + "\n", STDERR_FILENO, "write the standard error") }

    /// Writes everything. Waits if a terminal or pipe was set not to block. With `patience`, in milliseconds, no part
    /// may take longer: then it throws ETIMEDOUT.
    static func put(
        _ bytes: [UInt8], _ descriptor: Int32, _ operation: String, patience: Int32? = nil
    ) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            if let patience {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // Sound: one entry, as said.
                if unsafe poll(&waiting, 1, patience) == 0 { throw SystemError(ETIMEDOUT, operation) }
            }
            // Sound: a part of the array, from an offset within it.
            let count = unsafe bytes.withUnsafeBytes { raw in
                let length = patience == nil ? raw.count - offset : min(sureSize, raw.count - offset)
                return unsafe Glibc.write(descriptor, raw.baseAddress.map { unsafe $0 + offset }, length)
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
