// zerotier demo: a root, a controller and nodes as processes on this machine, and a tour of what they can do.

import ArgumentParser
import Foundation
import Glibc
import JSONValues
import Synchronization
import ZeroTier

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show nodes and a private network on this machine: needs neither the Internet nor privileges.",
        discussion: """
            A root and two nodes, each a process, with a planet of their own. The nodes join an ad-hoc network, find each \
            other through the root, turn to a direct path, ping, echo and move 100 MB. Then a controller makes a private \
            network: of two members one is refused, let in, talks, and is let out again. Ends by itself.
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
        tour.say("The processes use this machine's loopback interface, which real nodes leave alone unless told")
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
            try await tour.showPrivateNetwork()
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
final class DemoTour: Sendable {
    let directory: String
    private let network: NetworkID
    private let size: Int
    private let plainUDP: Bool
    /// Options of all processes with a node.
    var options: [String] { plainUDP ? ["--plain-udp"] : [] }
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
        let root = try start(
            "root",
            [
                "root", "--home", "\(directory)/root", "--udp-port", String(port), "--endpoint", "127.0.0.1/\(port)",
                "--loopback-paths", "--end-with-input", "--plain-log",
            ] + options)
        _ = try await root.line(containing: "state in")
        let common =
            ["--planet", "\(directory)/root/planet", "--network", network.description, "--size", String(size)] + options
        let server = try start("node B", ["demo-party", "serve"] + common)
        let address = try await server.line(containing: "my address is").split(separator: " ").last ?? ""
        let client = try start("node A", ["demo-party", "send", "--to", String(address)] + common)
        _ = try await client.line(containing: "all done")
        _ = try await server.line(containing: "all done")
    }

    /// Starts a process, whose lines are shown as those of `name`.
    func start(_ name: String, _ arguments: [String]) throws -> ChildProcess {
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
