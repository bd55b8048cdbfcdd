// Programs that tests start.

import CTestSupport
import Foundation
import Synchronization

/// What a child has for an input or an output: a pipe to this process, or a file.
package protocol ChildStream {
    /// The child's end. The caller keeps it.
    func descriptor(isInput: Bool) -> Int32
    /// Closes what only the child needs, so that an end of the child is an end of the stream.
    func handOver(isInput: Bool)
}

extension Pipe: ChildStream {
    private func end(isInput: Bool) -> FileHandle { isInput ? fileHandleForReading : fileHandleForWriting }
    package func descriptor(isInput: Bool) -> Int32 { end(isInput: isInput).fileDescriptor }
    package func handOver(isInput: Bool) { try? end(isInput: isInput).close() }
}

extension FileHandle: ChildStream {
    package func descriptor(isInput: Bool) -> Int32 { fileDescriptor }
    package func handOver(isInput: Bool) {}
}

/// A program, under the names of Foundation's `Process`. That one reads the list of this process's descriptors beyond its buffer as
/// soon as there are more than 1,365 of them (`findMaximumOpenFD`), as in a run of all tests, and then may end it.
///
/// It is killed with the object.
package final class ChildProcess: Sendable {
    /// How a child ended.
    package enum TerminationReason: Sendable {
        case exit
        case uncaughtSignal
    }

    /// Why there is none.
    package struct StartFailure: Error, CustomStringConvertible, Sendable {
        package let description: String
    }

    private struct Child: Sendable {
        var number: pid_t
        // As waitpid(2) tells it; nil while it runs.
        var status: Int32?
    }

    private let child: Mutex<Child>

    /// Starts a program. What is nil is this process's own.
    /// - Parameters:
    ///   - path: the file.
    ///   - environment: all of it, not only what is new.
    ///   - directory: where it starts.
    ///   - input: its end is closed here.
    ///   - output: its end is closed here.
    ///   - errors: its end is closed here; it may be that of `output`.
    package init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil,
        input: (any ChildStream)? = nil, output: (any ChildStream)? = nil, errors: (any ChildStream)? = nil
    ) throws {
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] =
            unsafe (environment ?? ProcessInfo.processInfo.environment).map { unsafe strdup("\($0)=\($1)") } + [nil]
        defer { unsafe (words + settings).forEach { unsafe free($0) } }
        var number = pid_t()
        let streams = [input, output, errors]
        let descriptors = streams.enumerated().map { $1?.descriptor(isInput: $0 == 0) ?? -1 }
        let error = unsafe ctest_spawn(&number, path, &words, &settings, directory, descriptors)
        for (number, stream) in streams.enumerated() { stream?.handOver(isInput: number == 0) }
        guard error == 0 else { throw StartFailure(description: "\(path): \(unsafe String(cString: strerror(error)))") }
        child = Mutex(Child(number: number))
    }

    deinit {
        guard isRunning else { return }
        kill(processIdentifier, SIGKILL)
        waitUntilExit()
    }

    /// Its number, also when it has ended.
    package var processIdentifier: pid_t { child.withLock { $0.number } }

    /// Whether it has not ended yet.
    package var isRunning: Bool { status(WNOHANG) == nil }

    /// What it gave to exit(3), or the signal that ended it. Asked only when it has ended.
    package var terminationStatus: Int32 {
        guard let status = status(WNOHANG) else { preconditionFailure("the child \(processIdentifier) still runs") }
        return status & 0x7f == 0 ? status >> 8 & 0xff : status & 0x7f
    }

    /// Whether it ended by itself. Asked only when it has ended.
    package var terminationReason: TerminationReason {
        guard let status = status(WNOHANG) else { preconditionFailure("the child \(processIdentifier) still runs") }
        return status & 0x7f == 0 ? .exit : .uncaughtSignal
    }

    /// Waits for its end, on the calling thread.
    package func waitUntilExit() {
        // Without the lock, so that others may ask and send signals; its number stays its own until the status is taken.
        var facts = siginfo_t()
        while child.withLock({ $0.status }) == nil {
            let ended = waitid(P_PID, id_t(processIdentifier), &facts, WEXITED | WNOWAIT)
            if ended == 0 || errno == ECHILD { _ = status(0) }
        }
    }

    private func status(_ options: Int32) -> Int32? {
        child.withLock { child in
            guard child.status == nil else { return child.status }
            var status: Int32 = 0
            if waitpid(child.number, &status, options) == child.number { child.status = status }
            return child.status
        }
    }

    /// Sends a signal, if it still runs.
    package func send(_ signal: Int32) {
        child.withLock { child in
            if child.status == nil { kill(child.number, signal) }
        }
    }

    /// Asks it to end (SIGTERM).
    package func terminate() { send(SIGTERM) }

    /// Interrupts it, as Ctrl-C does (SIGINT).
    package func interrupt() { send(SIGINT) }
}

/// Programs of the machine that a test asks.
package enum MachineProgram {
    /// Whether a program can be found, or this is continuous integration, where it must be.
    package static func isExpected(_ name: String) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        if environment["CI"] != nil { return true }
        return (environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }
}
