// One stream and eight, by threads that block and by tasks, with what they cost per megabyte and how fairly they share.

import Foundation
import ZeroTier

/// Bulk TCP between two nodes in two processes.
enum StreamBench {
    /// How the application calls.
    private enum Style {
        case threads
        case tasks
    }

    /// What some streams did at the same time.
    struct Outcome: Sendable {
        /// Megabits a second of each.
        var rates: [Double]
        /// Of all, from the first start to the last end.
        var megabits: Double
        var megabytes: Double

        /// Jain's index of fairness: 1 when all are equal, 1/n when one has everything.
        var fairness: Double {
            let sum = rates.reduce(0, +)
            let squares = rates.reduce(0) { $0 + $1 * $1 }
            return squares > 0 ? sum * sum / (Double(rates.count) * squares) : 0
        }
    }

    static func one(_ node: Node, _ server: PeerProcess.Child, _ seconds: Double) async throws -> [String: Double] {
        let before = (try ProcessCosts.now(node), try server.costs())
        let outcome = try await run(node, server, 1, seconds, .threads)
        let after = (try ProcessCosts.now(node), try server.costs())
        return ProcessCosts.rows(
            "work", sender: after.0 - before.0, receiver: after.1 - before.1, megabytes: outcome.megabytes
        ).merging(["ours.stream1_mbit": outcome.megabits]) { $1 }
    }

    static func eight(_ node: Node, _ server: PeerProcess.Child, _ seconds: Double) async throws -> [String: Double] {
        let before = (try ProcessCosts.now(node), try server.costs())
        let outcome = try await run(node, server, 8, seconds, .threads)
        let after = (try ProcessCosts.now(node), try server.costs())
        return ProcessCosts.rows(
            "work8", sender: after.0 - before.0, receiver: after.1 - before.1, megabytes: outcome.megabytes
        ).merging(["ours.stream8_mbit": outcome.megabits, "ours.stream8_jain": outcome.fairness]) { $1 }
    }

    /// One and eight streams whose both ends are tasks.
    static func tasks(_ node: Node, _ server: PeerProcess.Child, _ seconds: Double) async throws -> [String: Double] {
        let before = (try ProcessCosts.now(node), try server.costs())
        let one = try await run(node, server, 1, seconds, .tasks)
        let after = (try ProcessCosts.now(node), try server.costs())
        let eight = try await run(node, server, 8, seconds, .tasks)
        return ProcessCosts.rows(
            "work_async", sender: after.0 - before.0, receiver: after.1 - before.1, megabytes: one.megabytes
        ).merging([
            "ours.async1_mbit": one.megabits, "ours.async8_mbit": eight.megabits,
            "ours.async8_jain": eight.fairness,
        ]) { $1 }
    }

    private static func run(
        _ node: Node, _ server: PeerProcess.Child, _ count: Int, _ seconds: Double, _ style: Style
    ) async throws -> Outcome {
        let port = style == .threads ? PeerProcess.Port.sink : PeerProcess.Port.taskSink
        let remote = SocketEndpoint(server.addresses[0], port: port)
        var sockets: [StreamSocket] = []
        for _ in 0..<count { sockets.append(try await node.connect(to: remote)) }
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        return try await withThrowingTaskGroup(of: (sent: Int, seconds: Double).self) { group in
            for socket in sockets {
                group.addTask {
                    let sent =
                        style == .threads
                        ? try await NodeBench.onThread { try write(socket, until: end) }
                        : try await writeAsync(socket, until: end)
                    return (sent, NodeBench.value(ContinuousClock.now - start))
                }
            }
            var outcome = Outcome(rates: [], megabits: 0, megabytes: 0)
            for try await one in group {
                outcome.rates.append(Double(one.sent) * 8e-6 / one.seconds)
                outcome.megabytes += Double(one.sent) * 1e-6
            }
            outcome.megabits = outcome.megabytes * 8 / NodeBench.value(ContinuousClock.now - start)
            return outcome
        }
    }

    // The sink answers when it has seen the end: all was delivered.
    private static func write(_ socket: StreamSocket, until end: ContinuousClock.Instant) throws -> Int {
        let chunk = [UInt8](repeating: 0x5a, count: 131_072)
        var sent = 0
        while ContinuousClock.now < end {
            try socket.writeBlocking(chunk)
            sent += chunk.count
        }
        try socket.closeWrite()
        _ = try socket.readBlocking(upTo: 1, timeout: .seconds(30))
        socket.close()
        return sent
    }

    private static func writeAsync(_ socket: StreamSocket, until end: ContinuousClock.Instant) async throws -> Int {
        let chunk = [UInt8](repeating: 0x5a, count: 131_072)
        var sent = 0
        while ContinuousClock.now < end {
            try await socket.write(chunk)
            sent += chunk.count
        }
        try socket.closeWrite()
        _ = try await socket.read(upTo: 1)
        socket.close()
        return sent
    }
}
