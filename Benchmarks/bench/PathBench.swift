// One flow of bulk TCP over a wire that somebody else shapes: `Benchmarks/lab/run` puts the ends into two network namespaces, and
// measures the kernel's TCP on the same wire.

import Foundation
import ZeroTier

/// The two ends of a flow, each a program of its own.
enum PathBench {
    private static let port: UInt16 = 7001
    private static let sampleSeconds = 0.1

    /// `path serve|send PLANET BIND [ADDRESS SECONDS bbr|cubic|reno]`. The server says its address, and of each flow how many
    /// bytes came in each tenth of a second, until its standard input ends.
    static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 3, let local = IPAddress(arguments[2]) else {
            throw NodeBench.Failure(
                description: "path serve|send PLANET BIND [ADDRESS SECONDS bbr|cubic|reno]")
        }
        var configuration = Node.Configuration(storage: .memory)
        configuration.planet = try RootSet(bytes: [UInt8](Data(contentsOf: URL(fileURLWithPath: arguments[1]))))
        configuration.bindAddresses = [local]
        if arguments[0] == "send" {
            guard arguments.count == 6, let remote = IPAddress(arguments[3]), let seconds = Double(arguments[4]),
                let algorithm = algorithm(arguments[5])
            else { throw NodeBench.Failure(description: "path send PLANET BIND ADDRESS SECONDS bbr|cubic|reno") }
            configuration.congestionControl = algorithm
            let node = try await Node.start(configuration)
            try await node.join(PeerProcess.network)
            try await send(node, SocketEndpoint(remote, port: port), seconds)
            await node.shutdown()
        } else {
            let node = try await Node.start(configuration)
            let status = try await node.join(PeerProcess.network)
            guard let address = status.addresses.first?.address else {
                throw NodeBench.Failure(description: "no address")
            }
            let listener = try node.listen(port: port)
            PeerProcess.say("ready \(address)")
            Thread.detachNewThread {
                while let socket = try? listener.acceptBlocking() { Thread.detachNewThread { count(socket) } }
            }
            while readLine() != nil {}
            await node.shutdown()
        }
    }

    private static func algorithm(_ name: String) -> Node.CongestionControl? {
        switch name {
        case "bbr": .bbr
        case "cubic": .cubic
        case "reno": .reno
        default: nil
        }
    }

    // The flow begins when the peers have their direct path.
    private static func send(_ node: Node, _ remote: SocketEndpoint, _ seconds: Double) async throws {
        let first = try await node.connect(to: remote)
        first.close()
        for _ in 0..<100 where !(try node.peers().contains { $0.role == .leaf && $0.isDirect }) {
            try await Task.sleep(for: .milliseconds(100))
        }
        guard try node.peers().contains(where: { $0.role == .leaf && $0.isDirect }) else {
            throw NodeBench.Failure(description: "the peers found no direct path")
        }
        let socket = try await node.connect(to: remote)
        try await NodeBench.onThread {
            let chunk = [UInt8](repeating: 0x5a, count: 65_536)
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end { try socket.writeBlocking(chunk) }
            // What is in flight is not what is measured.
            socket.abort()
        }
    }

    private static func count(_ socket: StreamSocket) {
        var buffer = [UInt8](repeating: 0, count: 262_144)
        var samples: [Int] = []
        var start: ContinuousClock.Instant?
        while let count = try? buffer.withMutableBytes({ try socket.readBlocking(into: &$0) }), count > 0 {
            let now = ContinuousClock.now
            start = start ?? now
            let index = Int(NodeBench.value(now - (start ?? now)) / sampleSeconds)
            while samples.count <= index { samples.append(0) }
            samples[index] += count
        }
        socket.close()
        if !samples.isEmpty { PeerProcess.say("flow " + samples.map(String.init).joined(separator: " ")) }
    }
}
