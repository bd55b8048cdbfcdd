import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ZeroTier

/// Runs the programs that were built beside the tests.
enum Command {
    static let path = find("zerotier")
    static let controller = find("test-controller")

    static func find(_ name: String) -> String? {
        let folder = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
        // The tests' own program lies beside it, or a few folders further down in a bundle.
        var candidate = folder
        for _ in 0..<5 {
            let path = candidate.appendingPathComponent(name).path
            if FileManager.default.isExecutableFile(atPath: path), !isDirectory(path) { return path }
            candidate = candidate.deletingLastPathComponent()
        }
        return nil
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    static func start(_ arguments: [String], output: Pipe = Pipe()) throws -> ChildProcess {
        try ChildProcess(try #require(path), arguments, output: output, errors: output)
    }

    static func run(_ arguments: String...) async throws -> (status: Int32, output: String) {
        let output = Pipe()
        return await end(of: try start(arguments, output: output), output: output)
    }

    /// Waits on a thread of its own: the tests share two, and whoever holds one stops the clocks of all others.
    static func end(of process: ChildProcess, output: Pipe) async -> (status: Int32, output: String) {
        await withCheckedContinuation { continuation in
            Foundation.Thread.detachNewThread {
                let data = output.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(returning: (process.terminationStatus, String(decoding: data, as: UTF8.self)))
            }
        }
    }

    /// Runs it with an end of the command line that the shell reads, such as `> /dev/full`.
    static func shell(_ redirection: String, _ arguments: String...) async throws -> (status: Int32, output: String) {
        let output = Pipe()
        let process = try ChildProcess(
            "/bin/sh", ["-c", "exec \"$0\" \"$@\" \(redirection)", #require(path)] + arguments, output: output,
            errors: output)
        return await end(of: process, output: output)
    }

    static func json(_ text: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
}

/// A program that goes on, and its output line by line. It ends with the object.
final class Program: Sendable {
    private let process: ChildProcess
    private let lines = Mutex<(whole: [String], rest: [UInt8], isComplete: Bool)>(([], [], false))
    private let interruptedBy: String?

    /// With `interruptedBy` it is interrupted by the first line with that text, as soon as that is read.
    init(
        _ path: String?, _ arguments: [String], input: Pipe? = nil, environment: [String: String] = [:],
        directory: String? = nil, interruptedBy: String? = nil
    ) throws {
        self.interruptedBy = interruptedBy
        // A program that ends by an error is to end: the runtime's search for a backtrace hangs under AddressSanitizer.
        let ends = ["SWIFT_BACKTRACE": "enable=no"]
        let output = Pipe()
        process = try ChildProcess(
            try #require(path), arguments,
            environment: ProcessInfo.processInfo.environment.merging(ends) { $1 }.merging(environment) { $1 },
            directory: directory, input: input, output: output, errors: output)
        // No handler of the file handle: one that is taken away while the descriptor closes can crash the process.
        Foundation.Thread.detachNewThread { [weak self] in
            while true {
                let data = output.fileHandleForReading.availableData
                self?.take(data)
                if data.isEmpty { return }
            }
        }
    }

    private func take(_ data: Data) {
        lines.withLock { lines in
            lines.rest += data
            lines.isComplete = data.isEmpty
            while let end = lines.rest.firstIndex(of: 0x0a) {
                lines.whole.append(String(decoding: lines.rest[..<end], as: UTF8.self))
                lines.rest.removeFirst(end + 1)
                if let interruptedBy, lines.whole[lines.whole.count - 1].contains(interruptedBy) { interrupt() }
            }
        }
    }

    deinit { if process.isRunning { process.terminate() } }

    var output: [String] { lines.withLock { $0.whole } }

    /// Waits for a line of output, a minute at most.
    func line(containing text: String) async throws -> String {
        for _ in 0..<3000 {
            if let line = output.first(where: { $0.contains(text) }) { return line }
            if !process.isRunning {
                await waitForRest()
                break
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try #require(output.first { $0.contains(text) }, "no line with \(text): \(output)")
    }

    /// Waits for its end; its status.
    func end() async throws -> Int32 {
        for _ in 0..<6000 where process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        try #require(!process.isRunning, "it goes on: \(output)")
        await waitForRest()
        return process.terminationStatus
    }

    // The last of the output. A program that was started at the same moment may have got the pipe too, and keep it open.
    private func waitForRest() async {
        for _ in 0..<100 where !lines.withLock({ $0.isComplete }) { try? await Task.sleep(for: .milliseconds(20)) }
    }

    /// The process's number.
    var number: pid_t { process.processIdentifier }
    func interrupt() { process.interrupt() }
    func send(_ signal: Int32) { process.send(signal) }
}

/// A root as a process, and how nodes find it.
struct RootProgram {
    let directory: TemporaryDirectory
    let program: Program
    /// The options of a node on the root's network.
    var options: [String] { ["--planet", "\(directory.path)/planet", "--loopback-paths"] }

    init() async throws {
        directory = TemporaryDirectory()
        let port = try Node.findFreePort()
        program = try Program(
            Command.path,
            [
                "root", "--home", directory.path, "--udp-port", "\(port)", "--endpoint", "127.0.0.1/\(port)",
                "--loopback-paths",
            ])
        _ = try await program.line(containing: "state in")
    }
}

@Suite struct CommandTests {
    @Test func `identities are made, shown and checked`() async throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let file = "\(directory.path)/one.secret"
        #expect(try await Command.run("identity", "new", "--output", file).status == 0)
        #expect(FileSystem.facts(of: file)?.mode == 0o600)
        let shown = try await Command.run("identity", "show", file)
        let identity = try Identity(text: shown.output)
        #expect(!identity.hasSecret && identity.isValid)
        #expect(try await Command.run("identity", "validate", file).status == 0)
        let forged = "0123456789" + shown.output.dropFirst(10)
        try forged.write(toFile: file, atomically: false, encoding: .utf8)
        let verdict = try await Command.run("identity", "validate", file)
        #expect(verdict.status == 1)
        #expect(verdict.output.contains("NOT valid"))
    }

    @Test func `a planet is made, shown and extended with the same key`() async throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let identity = try Identity(text: TestIdentity.root)
        let file = "\(directory.path)/root.public"
        try identity.publicText.write(toFile: file, atomically: false, encoding: .utf8)
        func make(_ endpoints: String) async throws -> RootSet {
            let result = try await Command.run(
                "world", "make", "--root", "\(file)=\(endpoints)", "--key", "\(directory.path)/key", "--output",
                "\(directory.path)/planet")
            #expect(result.status == 0)
            return try RootSet(
                bytes: Array(#require(FileManager.default.contents(atPath: "\(directory.path)/planet"))))
        }
        let first = try await make("192.0.2.7/9993,[2001:db8::7]:9993")
        #expect(first.isSelfSigned)
        #expect(first.roots.map(\.identity.id) == [identity.id])
        #expect(first.roots[0].endpoints.count == 2)
        let second = try await make("192.0.2.8/9993")
        #expect(first.world.canBeReplaced(by: second.world))
        let shown = try Command.json(
            try await Command.run("world", "show", "\(directory.path)/planet", "--json").output)
        #expect(((shown as? [String: Any])?["roots"] as? [Any])?.count == 1)
        #expect(FileSystem.facts(of: "\(directory.path)/key")?.mode == 0o600)
        // A version that is newer than the one before, even if the clock is behind.
        let key = try RootSet.SigningKey(bytes: try #require(try FileSystem.read("\(directory.path)/key")))
        let ahead = try RootSet(id: 1, timestampMilliseconds: 1 << 60, roots: first.roots, key: key)
        try Data(ahead.bytes).write(to: URL(fileURLWithPath: "\(directory.path)/planet"))
        let after = try await make("192.0.2.9/9993")
        #expect(ahead.world.canBeReplaced(by: after.world))
    }

    @Test func `tools say so when no node runs`() async throws {
        let directory = TemporaryDirectory()
        for command in [
            ["status"], ["peers"], ["networks"], ["join", "8056c2e21c000001"], ["leave", "8056c2e21c000001"],
        ] {
            let output = Pipe()
            let process = try Command.start(command + ["--home", directory.path], output: output)
            let ended = await Command.end(of: process, output: output)
            #expect(ended.status != 0)
            #expect(ended.output.contains("no node runs in \(directory.path)"))
        }
    }

    @Test func `a running node is spoken to by its directory, keeps others out, and ends by a signal`() async throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        try TestIdentity.second.write(
            toFile: "\(directory.path)/identity.secret", atomically: false, encoding: .utf8)
        let planet = "\(directory.path)/planet"
        try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: planet))
        let log = Pipe()
        let node = try Command.start(["run", "--home", directory.path, "--planet", planet], output: log)
        defer { if node.isRunning { node.terminate() } }
        var status = try await Command.run("status", "--home", directory.path, "--json")
        for _ in 0..<500 where status.status != 0 {
            try await Task.sleep(for: .milliseconds(20))
            status = try await Command.run("status", "--home", directory.path, "--json")
        }
        let members = try #require(try Command.json(status.output) as? [String: Any])
        #expect(members["address"] as? String == String(TestIdentity.second.prefix(10)))
        #expect(members["online"] as? Bool == false)
        #expect(FileSystem.facts(of: "\(directory.path)/control.socket")?.mode == 0o600)

        let network = Constellation.network.description
        #expect(try await Command.run("join", "--home", directory.path, network).status == 0)
        let networks = try Command.json(try await Command.run("networks", "--home", directory.path, "--json").output)
        #expect((networks as? [[String: Any]])?.first?["id"] as? String == network)
        #expect(try Command.json(try await Command.run("peers", "--home", directory.path, "--json").output) is [Any])
        #expect(try await Command.run("leave", "--home", directory.path, network).status == 0)
        #expect(try await Command.run("networks", "--home", directory.path).output == "no networks\n")
        // What the node has against a request is told, with its code.
        let again = try await Command.run("leave", "--home", directory.path, network, "--json")
        #expect(again.status == 1)
        let error = try #require(try Command.json(again.output) as? [String: String])
        #expect(error["code"] == "notJoined" && error["error"]?.contains(network) == true, "\(again.output)")

        let other = try await Command.run("run", "--home", directory.path)
        #expect(other.status != 0)
        #expect(other.output.contains("another node is running there"))

        kill(node.processIdentifier, SIGTERM)
        #expect(await Command.end(of: node, output: log).status == 0)
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/control.socket"))
    }

    @Test func `requests through a running node have their numbers, their time, and fail one by one`() async throws {
        let root = try await RootProgram()
        let network = Constellation.network.description
        let homes = [TemporaryDirectory(), TemporaryDirectory()]
        var addresses: [String] = []
        var nodes: [Program] = []
        for home in homes {
            nodes.append(
                try Program(Command.path, ["run", "--home", home.path, "--join", network] + root.options))
            let line = try await nodes[nodes.count - 1].line(containing: "network \(network) ready")
            addresses.append(String(try #require(line.split(separator: " ").last).prefix { $0 != "/" }))
        }
        for node in nodes { _ = try await node.line(containing: "online") }
        let ping = try await Command.run("ping", addresses[1], "--home", homes[0].path, "--count", "2")
        #expect(ping.status == 0)
        #expect(ping.output.contains("sequence 0, ") && ping.output.contains("sequence 1, "), "\(ping.output)")
        // Another address of the same node: it says nothing.
        let silent = addresses[1].dropLast() + "2"
        let failed = try await Command.run(
            "ping", String(silent), "--home", homes[0].path, "--count", "2", "--timeout", "1", "--json")
        #expect(failed.status == 1)
        let reports = try failed.output.split(separator: "\n").map {
            try #require(try Command.json(String($0)) as? [String: Any])
        }
        #expect(reports.count == 2)
        for report in reports {
            #expect((report["error"] as? String)?.contains("within 1.0 seconds") == true, "\(report)")
        }
        #expect(try await Command.run("ping", "nonsense", "--home", homes[0].path).status != 0)
        for program in nodes + [root.program] {
            program.interrupt()
            #expect(try await program.end() == 0)
        }
    }

    @Test(arguments: [[], ["--udp"], ["--discard"]])
    func `an echo is served and asked by nodes of their own`(kind: [String]) async throws {
        let root = try await RootProgram()
        let common = ["--network", Constellation.network.description] + kind + root.options
        // One datagram: on a busy machine a question is asked twice, and of several the server would answer one less.
        let server = try Program(Command.path, ["echo", "serve", "--count", "1"] + common)
        let ready = try await server.line(containing: "ready: ")
        _ = try await server.line(containing: "listening")
        let address = String(try #require(ready.split(separator: " ").last).prefix { $0 != "/" })
        // What --udp sends unless told otherwise goes through.
        let size = kind == ["--udp"] ? ["--count", "1"] : ["--size", "300000"]
        let client = try Program(Command.path, ["echo", "send", "--to", address, "--json"] + size + common)
        #expect(try await client.end() == 0, "\(client.output)")
        for line in client.output { #expect(try Command.json(line) is [String: Any], "\(line)") }
        #expect(try await server.end() == 0, "\(server.output)")
        let line = try await client.line(containing: "\"bytes\"")
        let result = try #require(try Command.json(line) as? [String: Any])
        #expect(result["bytes"] as? Int == (kind == ["--udp"] ? 1000 : 300_000), "\(result)")
        #expect(kind != ["--udp"] || result["answered"] as? Int == 1)
    }

    @Test func `the demo shows its tour and ends, and says that it failed when the time is over`() async throws {
        let demo = try Program(Command.path, ["demo", "--size", "1000000", "--limit", "100"])
        #expect(try await demo.end() == 0, "\(demo.output)")
        for text in [
            "relayed", "is reached directly", "sequence 7", "came back as they were sent", "waits to be let in",
            "does not let this node in", "member D: my address is 10.147.17.", "member D: cut off",
            "is not reached any more", "Everything worked",
        ] {
            #expect(demo.output.contains { $0.contains(text) }, "no \(text): \(demo.output)")
        }
        let late = try Program(Command.path, ["demo", "--size", "1000000", "--limit", "0"])
        #expect(try await late.end() == 1)
        #expect(late.output.contains { $0.contains("FAILED") })
    }

    @Test func `a root of the demo ends with its input`() async throws {
        let directory = TemporaryDirectory()
        let input = Pipe()
        let port = try Node.findFreePort()
        let root = try Program(
            Command.path,
            [
                "root", "--home", directory.path, "--udp-port", "\(port)", "--endpoint", "127.0.0.1/\(port)",
                "--loopback-paths", "--end-with-input",
            ], input: input)
        _ = try await root.line(containing: "state in")
        try input.fileHandleForWriting.close()
        #expect(try await root.end() == 0)
    }

    @Test func `who is not let in is told so by the join, and by the events`() async throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let port = try Node.findFreePort()
        let controller = try Program(
            Command.controller,
            [directory.path, "\(port)", "\(try Node.findFreePort())", "900", "-", "127.0.0.1/\(port)"])
        let file = "\(directory.path)/planet"
        for _ in 0..<3000 where !FileManager.default.fileExists(atPath: file) {
            try await Task.sleep(for: .milliseconds(20))
        }
        let planet = try RootSet(bytes: Array(#require(FileManager.default.contents(atPath: file))))
        let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
        let owner = try #require(planet.roots.first).identity.id
        for (number, code) in [
            ("000002", ZeroTierError.Code.notAuthorised), ("000003", .networkNotFound), ("000007", .notAuthorised),
        ] {
            let network = try #require(NetworkID("\(owner)\(number)"))
            let events = node.events
            try node.startJoining(network)
            for await case .networkFailed(network, let error) in events {
                #expect(error.code == code, "\(error)")
                break
            }
            // It may be let in later: who waits is told at the end of the time.
            let error = await #expect(throws: ZeroTierError.self) {
                try await node.join(network, timeout: .milliseconds(100))
            }
            #expect(error?.code == code, "\(String(describing: error))")
            #expect(error?.message.contains("\(network)") == true, "\(String(describing: error))")
        }
        // Who has to sign on is told where.
        let signOn = try #require(try node.networks().first { "\($0.id)".hasSuffix("000007") })
        #expect(signOn.state == .authenticationRequired && signOn.authenticationURL == "https://sign.on.test/")
        let refused = await #expect(throws: ZeroTierError.self) {
            try await node.join(signOn.id, timeout: .milliseconds(100))
        }
        #expect(refused?.message.contains("https://sign.on.test/") == true)
        let admitted = try #require(NetworkID("\(owner)000001"))
        let status = try await node.join(admitted, timeout: .seconds(60)).status
        #expect(status.name == "everything" && status.addresses.count == 2)
        await node.shutdown()
        withExtendedLifetime(controller) {}
    }
}
