// What many of something cost that do nothing: connections of two nodes, peers of one.

import Foundation
import ZeroTier

/// Memory and wake-ups at rest.
enum ScaleBench {
    /// `count` connections between two nodes, of which nobody writes: bytes each, at both ends, and wake-ups of all.
    static func connections(_ count: Int) async throws -> [String: Double] {
        try await PeerProcess.withRoot { folder in
            let server = try PeerProcess.Child(["peer", "server", folder + "/server"])
            defer { server.end() }
            let node = try await Node.start(PeerProcess.configuration(folder + "/client"))
            _ = try await PeerProcess.join(node)
            try await NodeBench.waitUntilDirect(node, SocketEndpoint(server.addresses[0], port: PeerProcess.Port.echo))
            let remote = SocketEndpoint(server.addresses[0], port: PeerProcess.Port.hold)
            // The first hundred pay for tables and for the threads' stacks.
            var sockets = try await open(node, remote, min(100, count))
            try await Task.sleep(for: .seconds(2))
            let before = (try ProcessCosts.now(node), try server.costs())
            sockets += try await open(node, remote, count - sockets.count)
            // Buffers are given back a second after the last byte.
            try await Task.sleep(for: .seconds(3))
            let after = (try ProcessCosts.now(node), try server.costs())
            let wakes = ProcessCosts.wakesOfNode()
            try await Task.sleep(for: .seconds(10))
            let later = try ProcessCosts.now(node)
            let number = Double(max(1, count - 100))
            func bytes(_ costs: ProcessCosts) -> Double { costs[.residentKilobytes] * 1024 / number }
            let result = [
                "scale.connections": Double(sockets.count),
                "scale.connection_client_bytes": bytes(after.0 - before.0),
                "scale.connection_server_bytes": bytes(after.1 - before.1),
                "scale.connections_idle_wakeups_per_s": (ProcessCosts.wakesOfNode() - wakes) / 10,
                "scale.connections_idle_cpu_percent": (later - after.0)[.processorMicroseconds] / 10e6 * 100,
            ]
            guard server.release() == count else {
                throw NodeBench.Failure(description: "the server does not hold \(count) connections")
            }
            for socket in sockets { socket.abort() }
            await node.shutdown()
            return result
        }
    }

    private static func open(_ node: Node, _ remote: SocketEndpoint, _ count: Int) async throws -> [StreamSocket] {
        try await NodeBench.onThread { try (0..<count).map { _ in try node.connectBlocking(to: remote) } }
    }
}
