// One process of `zerotier demo`.

import Foundation
import Glibc
import Synchronization

/// This program once more, with its output line by line. It ends with its standard input, so it never outlives us.
final class ChildProcess: Sendable {
    private struct State {
        var lines: [String] = []
        var rest: [UInt8] = []
        var hasEnded = false
        var waiting: [(text: String, continuation: CheckedContinuation<String?, Never>)] = []
        var ends: [CheckedContinuation<Void, Never>] = []
    }

    private let process: Process
    private let input = Pipe()
    private let output = Pipe()
    private let state = Mutex(State())

    init(_ arguments: [String], _ show: @escaping @Sendable (String) -> Void) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.executablePath)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        // A thread, not a dispatch source: a source that is cancelled while its descriptor closes can crash the queue's
        // thread.
        Thread.detachNewThread { [self] in
            while true {
                let data = output.fileHandleForReading.availableData
                if data.isEmpty { return finish() }
                take(Array(data), show)
            }
        }
    }

    private func take(_ bytes: [UInt8], _ show: (String) -> Void) {
        let lines = state.withLock { state -> [String] in
            state.rest += bytes
            var lines: [String] = []
            while let end = state.rest.firstIndex(of: 0x0a) {
                lines.append(String(decoding: state.rest[..<end], as: UTF8.self))
                state.rest.removeFirst(end + 1)
            }
            return lines
        }
        for line in lines {
            show(line)
            let resumed = state.withLock { state -> [CheckedContinuation<String?, Never>] in
                state.lines.append(line)
                let found = state.waiting.filter { line.contains($0.text) }.map(\.continuation)
                state.waiting.removeAll { line.contains($0.text) }
                return found
            }
            for continuation in resumed { continuation.resume(returning: line) }
        }
    }

    private func finish() {
        let (waiting, ends) = state.withLock { state in
            state.hasEnded = true
            defer {
                state.waiting = []
                state.ends = []
            }
            return (state.waiting.map(\.continuation), state.ends)
        }
        for continuation in waiting { continuation.resume(returning: nil) }
        for continuation in ends { continuation.resume() }
    }

    /// Waits for a line of output. Throws if the process ends before.
    func line(containing text: String) async throws -> String {
        let line = await withCheckedContinuation { continuation in
            let found = state.withLock { state -> String?? in
                if let line = state.lines.first(where: { $0.contains(text) }) { return line }
                if state.hasEnded { return .some(nil) }
                state.waiting.append((text, continuation))
                return nil
            }
            if let found { continuation.resume(returning: found) }
        }
        guard let line else { throw Failure("failed", "a process ended too early") }
        return line
    }

    /// All lines of a process that ends by itself. Throws if it fails.
    func lines() async throws -> [String] {
        await wait()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure("failed", "a command ended with status \(process.terminationStatus)")
        }
        return state.withLock { $0.lines }
    }

    func stop() { try? input.fileHandleForWriting.close() }

    /// Returns when the process has closed its output. Kills it if it has not after three seconds.
    func wait() async {
        let killer = Task {
            try await Task.sleep(for: .seconds(3))
            process.terminate()
            try await Task.sleep(for: .seconds(1))
            kill(process.processIdentifier, SIGKILL)
        }
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.ends.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
        killer.cancel()
    }
}

extension CommandLine {
    /// The path of this program.
    fileprivate static var executablePath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? arguments[0]
    }
}
