// Two nodes of ours and their root as separate processes on the loopback interface, through the public API.

import Foundation
import ZeroTier

/// Streams, ping-pong, connections and idle costs of real nodes.
enum NodeBench {
    private static let network = NetworkID.adHoc(ports: 0...65535)
    private static let sinkPort: UInt16 = 7001
    private static let echoPort: UInt16 = 7002
    private static let acceptPort: UInt16 = 7003
    private static let datagramPort: UInt16 = 7004

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    // MARK: The other processes

    /// `peer root|server DIRECTORY [PORT]`: runs until standard input closes.
    static func peer(_ arguments: [String]) async throws {
        guard arguments.count >= 2 else { throw Failure(description: "peer root|server DIRECTORY [PORT]") }
        let node = try await Node.start(
            configuration(arguments[1], port: arguments.count > 2 ? UInt16(arguments[2]) : nil))
        if arguments[0] == "server" {
            let status = try await node.join(network)
            guard let address = status.addresses.first?.address else { throw Failure(description: "no address") }
            let sink = try node.listen(port: sinkPort, backlog: 64)
            let echo = try node.listen(port: echoPort, backlog: 64)
            let accepting = try node.listen(port: acceptPort, backlog: 1024)
            let datagrams = try node.datagramSocket(bind: SocketEndpoint(address, port: datagramPort))
            Thread.detachNewThread { DatagramBench.read(datagrams) }
            Thread.detachNewThread {
                while let socket = try? sink.acceptBlocking() { Thread.detachNewThread { drain(socket) } }
            }
            Thread.detachNewThread {
                while let socket = try? echo.acceptBlocking() { Thread.detachNewThread { answer(socket) } }
            }
            Thread.detachNewThread { while let socket = try? accepting.acceptBlocking() { socket.close() } }
            say("ready \(address)")
        } else {
            say("ready")
        }
        while readLine() != nil {}
        await node.shutdown()
    }

    // Standard output is a pipe here, and would be held back.
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    private static func configuration(_ directory: String, port: UInt16? = nil) throws -> Node.Configuration {
        var configuration = Node.Configuration(storage: .directory(directory))
        let planet = URL(fileURLWithPath: directory).deletingLastPathComponent().appendingPathComponent("planet")
        configuration.planet = try Planet(bytes: [UInt8](Data(contentsOf: planet)))
        configuration.allowsLoopbackPaths = true
        configuration.bindAddresses = [IPAddress(v4: 0x7f00_0001)]
        configuration.port = port ?? 0
        return configuration
    }

    private static func drain(_ socket: StreamSocket) {
        var buffer = [UInt8](repeating: 0, count: 262_144)
        while let count = try? buffer.withMutableBytes({ try socket.readBlocking(into: &$0) }), count > 0 {}
        try? socket.writeBlocking([1])
        socket.close()
    }

    private static func answer(_ socket: StreamSocket) {
        try? socket.setNoDelay(true)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while let count = try? buffer.withMutableBytes({ try socket.readBlocking(into: &$0) }), count > 0 {
            guard (try? socket.writeBlocking(Array(buffer[..<count]))) != nil else { break }
        }
        socket.close()
    }

    /// A child process that is ended with this one.
    private final class Child {
        let process = Process()
        private let input = Pipe()
        private let output = Pipe()
        let firstLine: String

        init(_ arguments: [String]) throws {
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = arguments
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            var line: [UInt8] = []
            while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 0x0a {
                line.append(byte)
            }
            firstLine = String(decoding: line, as: UTF8.self)
            guard firstLine.hasPrefix("ready") else { throw Failure(description: "\(arguments) did not start") }
        }

        func end() {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
    }

    /// A folder with a planet whose root is the child `root`.
    private static func withRoot<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("zerotier-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let identity = Identity.generate()
        let rootFolder = folder.appendingPathComponent("root")
        try FileManager.default.createDirectory(at: rootFolder, withIntermediateDirectories: true)
        try Data((identity.secretText ?? "").utf8).write(to: rootFolder.appendingPathComponent("identity.secret"))
        let port = UInt16.random(in: 30_000...50_000)
        let planet = try Planet(
            id: 7,
            roots: [.init(identity: identity, endpoints: [SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: port)])],
            key: Planet.SigningKey())
        try Data(planet.bytes).write(to: folder.appendingPathComponent("planet"))
        let root = try Child(["peer", "root", rootFolder.path, "\(port)"])
        defer { root.end() }
        return try await body(folder.path)
    }

    // MARK: Measurements

    /// Start to online with a stored identity, median of some starts.
    static func online(times: Int) async throws -> [String: Double] {
        try await withRoot { folder in
            let directory = folder + "/node"
            try await Node.start(configuration(directory)).shutdown()
            var seconds: [Double] = []
            for _ in 0..<times {
                let start = ContinuousClock.now
                let node = try await Node.start(configuration(directory))
                try await node.waitUntilOnline(timeout: .seconds(20))
                seconds.append(value(ContinuousClock.now - start))
                await node.shutdown()
            }
            return ["ours.online_s": Bench.quantile(seconds, 0.5), "ours.online_max_s": seconds.max() ?? .nan]
        }
    }

    /// What `run` measures.
    enum Part: String, CaseIterable {
        case idle
        case pingpong
        case stream1
        case stream8
        case connects
        case datagrams
        /// The C library's rows, measured between those of the Swift interface.
        case library
    }

    /// Measures some parts, or all; one alone is what a profiler is put on.
    static func run(seconds: Double, parts: [Part] = Part.allCases) async throws -> [String: Double] {
        try await withRoot { folder in
            let server = try Child(["peer", "server", folder + "/server"])
            defer { server.end() }
            guard let address = server.firstLine.split(separator: " ").last.flatMap({ IPAddress(String($0)) }) else {
                throw Failure(description: "no address in: \(server.firstLine)")
            }
            let node = try await Node.start(configuration(folder + "/client"))
            try await node.join(network)
            // Wait until the peer is reached directly, so that no root is measured.
            let warm = try await node.connect(to: SocketEndpoint(address, port: echoPort), timeout: .seconds(20))
            for _ in 0..<200 {
                try await warm.write([1])
                _ = try await warm.read(exactly: 1)
                if try node.peers().contains(where: { $0.role == .leaf && $0.isDirect }) { break }
                try await Task.sleep(for: .milliseconds(20))
            }
            var result: [String: Double] = [:]
            if parts.contains(.idle) { result = try idle(node) }
            if parts.contains(.pingpong) { result.merge(try await pingPong(warm, seconds)) { $1 } }
            warm.close()
            if parts.contains(.stream1) { result["ours.stream1_mbit"] = try await streams(node, address, 1, seconds) }
            if parts.contains(.stream8) { result["ours.stream8_mbit"] = try await streams(node, address, 8, seconds) }
            if parts.contains(.connects) {
                result["ours.connects_per_s"] = try await connects(node, address, Int(seconds * 300))
            }
            if parts.contains(.datagrams) {
                result.merge(
                    try await onThread {
                        try DatagramBench.run(node, SocketEndpoint(address, port: datagramPort), seconds)
                    }
                ) { $1 }
            }
            result["ours.loaded_rss_kb"] = residentKilobytes()
            if parts.contains(.library) { result.merge(try await library(folder, address, seconds)) { $1 } }
            await node.shutdown()
            return result
        }
    }

    private static func library(
        _ folder: String, _ address: IPAddress, _ seconds: Double
    ) async throws -> [String: Double] {
        let directory = folder + "/library"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: folder + "/planet", toPath: directory + "/planet")
        return try await onThread {
            try LibraryBench.start(directory: directory, network: network)
            // The first moments are relayed and are not measured.
            _ = try LibraryBench.pingPong(address, echoPort, 1)
            let times = try LibraryBench.pingPong(address, echoPort, seconds)
            let result = [
                "library.pingpong64_p50_us": Bench.quantile(times, 0.5),
                "library.pingpong64_p99_us": Bench.quantile(times, 0.99),
                "library.stream1_mbit": try LibraryBench.stream(address, sinkPort, seconds),
                "library.connects_per_s": try LibraryBench.connects(address, acceptPort, Int(seconds * 300)),
            ].merging(try LibraryBench.datagrams(address, datagramPort, seconds)) { $1 }
            try LibraryBench.stop()
            return result
        }
    }

    static func value(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    private static func streams(
        _ node: Node, _ address: IPAddress, _ count: Int, _ seconds: Double
    ) async throws -> Double {
        var sockets: [StreamSocket] = []
        for _ in 0..<count { sockets.append(try await node.connect(to: SocketEndpoint(address, port: sinkPort))) }
        let chunk = [UInt8](repeating: 0x5a, count: 131_072)
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for socket in sockets {
                group.addTask {
                    try await onThread {
                        var sent = 0
                        while ContinuousClock.now < end {
                            try socket.writeBlocking(chunk)
                            sent += chunk.count
                        }
                        try socket.closeWrite()
                        // The sink answers when it has seen the end: all was delivered.
                        _ = try socket.readBlocking(upTo: 1, timeout: .seconds(30))
                        socket.close()
                        return sent
                    }
                }
            }
            let total = try await group.reduce(0, +)
            return Double(total) * 8 / value(ContinuousClock.now - start) / 1e6
        }
    }

    private static func pingPong(_ socket: StreamSocket, _ seconds: Double) async throws -> [String: Double] {
        try socket.setNoDelay(true)
        let microseconds = try await onThread {
            let message = [UInt8](repeating: 1, count: 64)
            var buffer = [UInt8](repeating: 0, count: 64)
            var times: [Double] = []
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                let start = ContinuousClock.now
                try socket.writeBlocking(message)
                var got = 0
                while got < 64 { got += try buffer.withMutableBytes { try socket.readBlocking(into: &$0) } }
                times.append(value(ContinuousClock.now - start) * 1e6)
            }
            return times
        }
        return [
            "ours.pingpong64_p50_us": Bench.quantile(microseconds, 0.5),
            "ours.pingpong64_p99_us": Bench.quantile(microseconds, 0.99),
        ]
    }

    private static func connects(_ node: Node, _ address: IPAddress, _ count: Int) async throws -> Double {
        try await onThread {
            let start = ContinuousClock.now
            for _ in 0..<count {
                let socket = try node.connectBlocking(to: SocketEndpoint(address, port: acceptPort))
                _ = try socket.readBlocking(upTo: 1)
                socket.close()
            }
            return Double(count) / value(ContinuousClock.now - start)
        }
    }

    private static func idle(_ node: Node) throws -> [String: Double] {
        // What follows from the last packets ends first: acknowledgements, neighbours, addresses that are told.
        Thread.sleep(forTimeInterval: 10)
        let seconds = 20.0
        let (switches, processor) = (contextSwitches(), processorSeconds())
        Thread.sleep(forTimeInterval: seconds)
        return [
            "ours.idle_rss_kb": residentKilobytes(),
            "ours.idle_wakeups_per_s": Double(contextSwitches() - switches) / seconds,
            "ours.idle_cpu_percent": (processorSeconds() - processor) / seconds * 100,
        ]
    }

    private static func onThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    // MARK: This process

    private static func residentKilobytes() -> Double {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Double(line.split(separator: " ").dropLast().last ?? "") ?? .nan
    }

    private static func contextSwitches() -> Int {
        let folder = "/proc/self/task"
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return tasks.reduce(0) { sum, task in
            let text = (try? String(contentsOfFile: "\(folder)/\(task)/status", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") } ?? ""
            return sum + (Int(line.split(whereSeparator: { $0 == "\t" || $0 == " " }).last ?? "") ?? 0)
        }
    }

    private static func processorSeconds() -> Double {
        var usage = rusage()
        guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return .nan }
        func value(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        return value(usage.ru_utime) + value(usage.ru_stime)
    }
}
