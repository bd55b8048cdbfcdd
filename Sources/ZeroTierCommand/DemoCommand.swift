// zerotier demo: a root and two nodes as processes on this machine, and a tour of what they can do.

import ArgumentParser
import Foundation
import Glibc
import JSONValues
import Synchronization
import ZeroTier

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show a root and two nodes on this machine: needs neither the Internet nor privileges.",
        discussion: """
            Three processes: a root and two nodes with a planet of their own. The nodes join an ad-hoc network, find each \
            other through the root, turn to a direct path, ping, echo and move 100 MB. Ends by itself.
            """)

    @Option(help: "Bytes to transfer.")
    var size = 100_000_000

    @Option(help: "Seconds after which the demo gives up.")
    var limit = 30

    @Flag(help: "One system call per datagram, as on systems without segmentation offload.")
    var plainUDP = false

    @OptionGroup var report: ReportOptions

    func validate() throws {
        try Limits.check(size, Limits.streamBytes, "--size")
        try Limits.check(limit, 0...86_400, "--limit")
    }

    // The two nodes use ports 7 (echo) to 9 (discard). An ad-hoc network's ID says which ports it lets through.
    private static let network = NetworkID.adHoc(ports: 7...9)

    func run() async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("zerotier-demo-\(UUID().uuidString.prefix(8))").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tour = DemoTour(
            directory: directory, network: DemoCommand.network, size: size, plainUDP: plainUDP, report: report)
        let start = ContinuousClock.now
        tour.say("The three processes use this machine's loopback interface, which real nodes leave alone unless told")
        tour.say("otherwise: each is started with --loopback-paths.")
        let watchdog = Task {
            try await Task.sleep(for: .seconds(limit))
            tour.fail("not done after \(limit) s")
        }
        // In that case too the processes end, and the directory with its secrets is removed.
        let signals = await watchSignals([SIGINT, SIGTERM, SIGHUP]) { number in
            tour.fail("interrupted", status: 128 + number)
        }
        do {
            try await tour.run()
        } catch {
            tour.fail("\(error)")
        }
        watchdog.cancel()
        await tour.end()
        for source in signals { source.cancel() }
        let seconds = ((ContinuousClock.now - start).seconds * 10).rounded() / 10
        if let failure = tour.failure {
            tour.say("FAILED after \(seconds) s: \(failure)")
            throw ExitCode(tour.status)
        }
        tour.say("Everything worked, in \(seconds) s.")
    }
}

/// The demo's course of events.
private final class DemoTour: Sendable {
    private let directory: String
    private let network: NetworkID
    private let size: Int
    private let plainUDP: Bool
    private let report: ReportOptions
    private let state = Mutex(State())

    private struct State {
        var failure: String?
        var status: Int32 = 1
        var children: [ChildProcess] = []
    }

    init(directory: String, network: NetworkID, size: Int, plainUDP: Bool, report: ReportOptions) {
        self.directory = directory
        self.network = network
        self.size = size
        self.plainUDP = plainUDP
        self.report = report
    }

    var failure: String? { state.withLock { $0.failure } }

    /// The demo's status if it failed.
    var status: Int32 { state.withLock { $0.status } }

    /// Shows a line. If nobody reads it any more, the demo ends.
    func say(_ text: String, _ who: String = "demo") {
        do {
            try report.show(
                Report(text: "\(who): \(text)", json: .object([("who", .string(who)), ("text", .string(text))])))
        } catch let error as SystemError where error.number == EPIPE {
            fail("nobody reads", status: 128 + SIGPIPE)
        } catch {
            if failure == nil { Output.complain("Error: cannot \(error)") }
            fail("\(error)")
        }
    }

    /// Notes the first failure and lets everything end.
    func fail(_ text: String, status: Int32 = 1) {
        let children = state.withLock { state in
            if state.failure == nil {
                state.failure = text
                state.status = status
            }
            return state.children
        }
        for child in children { child.stop() }
    }

    func run() async throws {
        let port = try Node.findFreePort()
        let extra = plainUDP ? ["--plain-udp"] : []
        let root = try start(
            "root",
            [
                "root", "--home", "\(directory)/root", "--udp-port", String(port), "--endpoint", "127.0.0.1/\(port)",
                "--loopback-paths", "--end-with-input", "--plain-log",
            ] + extra)
        _ = try await root.line(containing: "state in")
        let common =
            ["--planet", "\(directory)/root/planet", "--network", network.description, "--size", String(size)] + extra
        let server = try start("node B", ["demo-party", "serve"] + common)
        let address = try await server.line(containing: "my address is").split(separator: " ").last ?? ""
        let client = try start("node A", ["demo-party", "send", "--to", String(address)] + common)
        _ = try await client.line(containing: "all done")
        _ = try await server.line(containing: "all done")
    }

    private func start(_ name: String, _ arguments: [String]) throws -> ChildProcess {
        let child = try ChildProcess(arguments) { [self] line in say(line, name) }
        let failure = state.withLock { state in
            state.children.append(child)
            return state.failure
        }
        if let failure {
            child.stop()
            throw Failure("failed", failure)
        }
        return child
    }

    func end() async {
        let children = state.withLock { $0.children }
        for child in children { child.stop() }
        for child in children { await child.wait() }
    }
}

/// This program once more, with its output line by line. It ends with its standard input, so it never outlives us.
private final class ChildProcess: Sendable {
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
