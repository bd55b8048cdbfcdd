// Two nodes of ours and their root as separate processes on the loopback interface, through the public API.

import Foundation
import ZeroTier

/// Streams, ping-pong, connections and idle costs of real nodes.
enum NodeBench {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What `run` measures.
    enum Part: String, CaseIterable {
        case idle
        case pingpong
        case stream1
        case stream8
        case async
        case connects
        case restart
        case datagrams
        /// The C library's rows, measured between those of the Swift interface.
        case library
    }

    /// What every part needs.
    private struct Setting {
        let folder: String
        let server: PeerProcess.Child
        let seconds: Double
        var address: IPAddress { server.addresses[0] }

        func endpoint(_ port: UInt16, isIPv4: Bool = false) -> SocketEndpoint {
            SocketEndpoint(server.addresses[isIPv4 ? 1 : 0], port: port)
        }
    }

    /// Start to online with a stored identity, median of some starts.
    static func online(times: Int) async throws -> [String: Double] {
        try await PeerProcess.withRoot { folder in
            let directory = folder + "/node"
            try await Node.start(PeerProcess.configuration(directory)).shutdown()
            var seconds: [Double] = []
            for _ in 0..<times {
                let start = ContinuousClock.now
                let node = try await Node.start(PeerProcess.configuration(directory))
                try await node.waitUntilOnline(timeout: .seconds(20))
                seconds.append(value(ContinuousClock.now - start))
                await node.shutdown()
            }
            return ["ours.online_s": Bench.quantile(seconds, 0.5), "ours.online_max_s": seconds.max() ?? .nan]
        }
    }

    /// Measures some parts, or all; one alone is what a profiler is put on.
    static func run(seconds: Double, parts: [Part] = Part.allCases) async throws -> [String: Double] {
        try await PeerProcess.withRoot { folder in
            let server = try PeerProcess.Child(["peer", "server", folder + "/server"])
            defer { server.end() }
            guard server.addresses.count == 2 else { throw Failure(description: "the server has no addresses") }
            let setting = Setting(folder: folder, server: server, seconds: seconds)
            var node = try await Node.start(PeerProcess.configuration(folder + "/client"))
            _ = try await PeerProcess.join(node)
            try await waitUntilDirect(node, setting.endpoint(PeerProcess.Port.echo))
            var result: [String: Double] = [:]
            for part in parts where part != .library {
                if part == .restart {
                    await node.shutdown()
                    node = try await Node.start(PeerProcess.configuration(folder + "/client"))
                }
                result.merge(try await measure(part, node, setting)) { $1 }
            }
            result["ours.loaded_rss_kb"] = ProcessCosts.residentKilobytes()
            if parts.contains(.library) { result.merge(try await library(setting)) { $1 } }
            await node.shutdown()
            return result
        }
    }

    private static func measure(_ part: Part, _ node: Node, _ setting: Setting) async throws -> [String: Double] {
        let seconds = setting.seconds
        switch part {
        // Not on a thread of the executor: those are not for sleeping.
        case .idle: return try await onThread { idle() }
        case .pingpong:
            var result: [String: Double] = [:]
            for (name, isIPv4) in [("ours.pingpong64", false), ("ours.pingpong64_ipv4", true)] {
                let socket = try await node.connect(to: setting.endpoint(PeerProcess.Port.echo, isIPv4: isIPv4))
                let times = try await pingPong(socket, seconds)
                result[name + "_p50_us"] = Bench.quantile(times, 0.5)
                result[name + "_p99_us"] = Bench.quantile(times, 0.99)
            }
            return result
        case .stream1: return try await StreamBench.one(node, setting.server, seconds)
        case .stream8: return try await StreamBench.eight(node, setting.server, seconds)
        case .async: return try await StreamBench.tasks(node, setting.server, seconds)
        case .connects:
            return [
                "ours.connects_per_s": try await connects(
                    node, setting.endpoint(PeerProcess.Port.accept), Int(seconds * 300)),
                "ours.connects_ipv4_per_s": try await connects(
                    node, setting.endpoint(PeerProcess.Port.accept, isIPv4: true), Int(seconds * 300)),
            ]
        case .restart: return try await restart(node, setting)
        case .datagrams:
            let remote = setting.endpoint(PeerProcess.Port.datagrams)
            return try await onThread { try DatagramBench.run(node, remote, seconds) }
        case .library: return [:]
        }
    }

    /// Waits until the peer is reached directly, so that no root is measured.
    static func waitUntilDirect(_ node: Node, _ echo: SocketEndpoint) async throws {
        let warm = try await node.connect(to: echo, timeout: .seconds(20))
        for _ in 0..<200 {
            try await warm.write([1])
            _ = try await warm.read(exactly: 1)
            if try node.peers().contains(where: { $0.role == .leaf && $0.isDirect }) { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        warm.close()
    }

    private static func library(_ setting: Setting) async throws -> [String: Double] {
        let directory = setting.folder + "/library"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: setting.folder + "/planet", toPath: directory + "/planet")
        let (address, seconds) = (setting.address, setting.seconds)
        return try await onThread {
            try LibraryBench.start(directory: directory, network: PeerProcess.network)
            // The first moments are relayed and are not measured.
            _ = try LibraryBench.pingPong(address, PeerProcess.Port.echo, 1)
            let times = try LibraryBench.pingPong(address, PeerProcess.Port.echo, seconds)
            let result = [
                "library.pingpong64_p50_us": Bench.quantile(times, 0.5),
                "library.pingpong64_p99_us": Bench.quantile(times, 0.99),
                "library.stream1_mbit": try LibraryBench.stream(address, PeerProcess.Port.sink, seconds),
                "library.connects_per_s": try LibraryBench.connects(
                    address, PeerProcess.Port.accept, Int(seconds * 300)),
            ]
            .merging(try LibraryBench.streams(address, PeerProcess.Port.sink, 8, seconds)) { $1 }
            .merging(try LibraryBench.datagrams(address, PeerProcess.Port.datagrams, seconds)) { $1 }
            try LibraryBench.stop()
            return result
        }
    }

    static func value(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    /// Microseconds of every round trip of 64 bytes.
    static func pingPong(_ socket: StreamSocket, _ seconds: Double) async throws -> [Double] {
        try socket.setNoDelay(true)
        return try await onThread {
            defer { socket.close() }
            let message = [UInt8](repeating: 1, count: 64)
            var buffer = [UInt8](repeating: 0, count: 64)
            var times: [Double] = []
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                let start = ContinuousClock.now
                try socket.writeBlocking(message)
                var got = 0
                while got < 64 {
                    let count = try buffer.withMutableBytes { try socket.readBlocking(into: &$0) }
                    guard count > 0 else { throw Failure(description: "the echo ended") }
                    got += count
                }
                times.append(value(ContinuousClock.now - start) * 1e6)
            }
            return times
        }
    }

    private static func connects(_ node: Node, _ remote: SocketEndpoint, _ count: Int) async throws -> Double {
        try await onThread {
            let start = ContinuousClock.now
            for _ in 0..<count {
                let socket = try node.connectBlocking(to: remote)
                _ = try socket.readBlocking(upTo: 1)
                socket.close()
            }
            return Double(count) / value(ContinuousClock.now - start)
        }
    }

    // The node was just started again, with the state of its first life; the server has not noticed.
    private static func restart(_ node: Node, _ setting: Setting) async throws -> [String: Double] {
        let start = ContinuousClock.now
        try await node.waitUntilOnline(timeout: .seconds(20))
        let online = value(ContinuousClock.now - start)
        _ = try await PeerProcess.join(node)
        let socket = try await node.connect(to: setting.endpoint(PeerProcess.Port.echo), timeout: .seconds(30))
        try await socket.write([1])
        _ = try await socket.read(exactly: 1)
        let firstByte = value(ContinuousClock.now - start)
        socket.close()
        return [
            "ours.restart_online_s": online,
            "ours.restart_first_byte_s": firstByte,
            "ours.restart_connects_per_s": try await connects(
                node, setting.endpoint(PeerProcess.Port.accept), Int(setting.seconds * 300)),
        ]
    }

    private static func idle() -> [String: Double] {
        // What follows from the last packets ends first: acknowledgements, neighbours, addresses that are told.
        Thread.sleep(forTimeInterval: 10)
        let seconds = 20.0
        let (wakes, processor) = (ProcessCosts.wakesOfNode(), ProcessCosts.processorSeconds())
        Thread.sleep(forTimeInterval: seconds)
        return [
            "ours.idle_rss_kb": ProcessCosts.residentKilobytes(),
            "ours.idle_anonymous_kb": ProcessCosts.anonymousKilobytes(),
            "ours.idle_wakeups_per_s": (ProcessCosts.wakesOfNode() - wakes) / seconds,
            "ours.idle_cpu_percent": (ProcessCosts.processorSeconds() - processor) / seconds * 100,
        ]
    }

    static func onThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}
