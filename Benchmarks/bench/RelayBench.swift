// What a root of ours passes on, against a forwarder that looks at nothing: the same source, sink and datagrams, the same
// port and receiver, no cipher. And a stream of two nodes that know each other only through the root.

import Foundation
import NetPrimitives
import Synchronization
import ZeroTier

/// Relaying.
enum RelayBench {
    private static let datagram = 1427
    private static let perBatch = 44
    // A root gives every source a budget of bytes a second, and as many at once. With these many the root itself is what is
    // measured, not the budget.
    private static let sources = 96
    /// Bytes on the way: less than the kernel's buffers hold.
    private static let window = 2 << 20

    static func run(seconds: Double) async throws -> [String: Double] {
        try await PeerProcess.withRoot { folder in
            let first = try await Node.start(PeerProcess.configuration(folder + "/first"))
            let second = try await Node.start(PeerProcess.configuration(folder + "/second"))
            try await first.waitUntilOnline()
            try await second.waitUntilOnline()
            guard let root = try first.peers().first(where: { $0.role != .leaf })?.paths.first?.endpoint else {
                throw NodeBench.Failure(description: "the root has no path")
            }
            let (from, to, port) = (first.id, second.id, second.port)
            await first.shutdown()
            await second.shutdown()
            var result = try await NodeBench.onThread {
                // The second node's place is taken by a bare sink; the root goes on sending there.
                let sink = try UDPPort(addresses: [PeerProcess.loopback], port: port, mode: .automatic)
                let relayed = try pass(through: root, into: sink, header(from, to), seconds)
                let forwarder = try Forwarder(to: SocketEndpoint(PeerProcess.loopback, port: port))
                defer { forwarder.stop() }
                let forwarded = try pass(through: forwarder.endpoint, into: sink, header(from, to), seconds)
                return [
                    "relay.root_mbit": relayed.megabits, "relay.root_loss_percent": relayed.loss,
                    "relay.forwarder_mbit": forwarded.megabits, "relay.forwarder_loss_percent": forwarded.loss,
                ]
            }
            result.merge(try await stream(folder, seconds)) { $1 }
            return result
        }
    }

    /// A relayed stream: its rate is what the root's budget for one source allows, or less.
    private static func stream(_ folder: String, _ seconds: Double) async throws -> [String: Double] {
        let server = try PeerProcess.Child(["peer", "relayed", folder + "/relayed-server"])
        defer { server.end() }
        let node = try await Node.start(PeerProcess.configuration(folder + "/relayed-client", isRelayed: true))
        _ = try await PeerProcess.join(node)
        let echo = try await node.connect(
            to: SocketEndpoint(server.addresses[0], port: PeerProcess.Port.echo), timeout: .seconds(30))
        let times = try await NodeBench.pingPong(echo, 1)
        let outcome = try await StreamBench.one(node, server, seconds)
        guard try !node.peers().contains(where: { $0.role == .leaf && $0.isDirect }) else {
            throw NodeBench.Failure(description: "the relayed nodes found a direct path")
        }
        await node.shutdown()
        return [
            "relay.stream1_mbit": outcome["ours.stream1_mbit"] ?? .nan,
            "relay.pingpong64_p50_us": Bench.quantile(times, 0.5),
        ]
    }

    // Packet number, destination, source, cipher suite and hops, MAC, verb: all that a relay reads is in the first 19 bytes.
    private static func header(_ from: NodeID, _ to: NodeID) -> [UInt8] {
        func address(_ id: NodeID) -> [UInt8] { (0..<5).map { UInt8(truncatingIfNeeded: id.value >> (32 - 8 * $0)) } }
        return [UInt8](repeating: 0x11, count: 8) + address(to) + address(from) + [0x18]
    }

    // MARK: Source and sink

    private final class Shared: Sendable {
        let received = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)
    }

    private static func pass(
        through relay: SocketEndpoint, into sink: borrowing UDPPort, _ header: [UInt8], _ seconds: Double
    ) throws -> (megabits: Double, loss: Double) {
        let shared = Shared()
        let done = DispatchSemaphore(value: 0)
        let socket = sink.sockets[0]
        Thread.detachNewThread {
            receive(socket, shared)
            done.signal()
        }
        let start = ContinuousClock.now
        let sent = try send(to: relay, header, seconds, shared)
        Thread.sleep(forTimeInterval: 0.1)
        shared.isDone.store(true, ordering: .releasing)
        let duration = NodeBench.value(ContinuousClock.now - start) - 0.1
        done.wait()
        let received = shared.received.load(ordering: .relaxed)
        guard sent > 0, received > 0 else { throw NodeBench.Failure(description: "nothing came through \(relay)") }
        return (Double(received) * 8e-6 / duration, (1 - Double(received) / Double(sent)) * 100)
    }

    // As much as fits into the window; the bytes sent.
    private static func send(
        to relay: SocketEndpoint, _ header: [UInt8], _ seconds: Double, _ shared: Shared
    ) throws -> Int {
        let target = PhysicalPath(localSocket: 0, remote: relay)
        var ports = SlotTable<UDPPort>()
        var ids: [SlotID] = []
        for _ in 0..<sources {
            ids.append(ports.insert(try UDPPort(addresses: [PeerProcess.loopback], port: 0, mode: .automatic)))
        }
        var batch = TransmitBatch()
        for _ in 0..<perBatch {
            _ = batch.append(datagram, to: target) { span in
                header.withBytes { span.copy(from: $0, sourceOffset: 0, count: $0.byteCount, at: 0) }
            }
        }
        var sent = 0
        var lost = 0
        var turn = 0
        var lastMove = ContinuousClock.now
        var lastReceived = 0
        let end = lastMove + .seconds(seconds)
        while ContinuousClock.now < end {
            let received = shared.received.load(ordering: .relaxed)
            if received != lastReceived { (lastReceived, lastMove) = (received, .now) }
            if sent - lost - received >= window {
                // What does not come within 20 ms was lost.
                if ContinuousClock.now - lastMove > .milliseconds(20) { lost = sent - received }
                usleep(20)
                continue
            }
            var cursor = UDPPort.Cursor()
            while case .blocked = ports[ids[turn]].send(batch, from: &cursor) { usleep(20) }
            turn = (turn + 1) % ids.count
            sent += perBatch * datagram
        }
        return sent
    }

    private static func receive(_ socket: UDPPort.Socket, _ shared: Shared) {
        var receiver = UDPReceiver()
        while !shared.isDone.load(ordering: .acquiring) {
            var poll = pollfd(fd: socket.descriptor.number, events: Int16(POLLIN), revents: 0)
            guard unsafe Glibc.poll(&poll, 1, 50) > 0 else { continue }
            _ = receiver.receive(from: socket) { batch, _ in
                let bytes = batch.datagrams.reduce(0) { $1.length == datagram ? $0 + datagram : $0 }
                shared.received.add(bytes, ordering: .relaxed)
            }
        }
    }

    // MARK: The forwarder

    /// A thread that passes on every datagram as it is: what the kernel alone allows.
    private final class Forwarder: Sendable {
        let endpoint: SocketEndpoint
        private let isDone = Atomic<Bool>(false)
        private let done = DispatchSemaphore(value: 0)

        init(to target: SocketEndpoint) throws {
            let port = try Node.findFreePort()
            endpoint = SocketEndpoint(PeerProcess.loopback, port: port)
            let bound = DispatchSemaphore(value: 0)
            Thread.detachNewThread { [self] in
                if let port = try? UDPPort(addresses: [PeerProcess.loopback], port: port, mode: .automatic) {
                    bound.signal()
                    forward(port, PhysicalPath(localSocket: 0, remote: target))
                } else {
                    bound.signal()
                }
                done.signal()
            }
            bound.wait()
        }

        private func forward(_ bound: consuming UDPPort, _ path: PhysicalPath) {
            var port = bound
            let socket = port.sockets[0]
            var receiver = UDPReceiver()
            var out = TransmitBatch()
            while !isDone.load(ordering: .acquiring) {
                var poll = pollfd(fd: socket.descriptor.number, events: Int16(POLLIN), revents: 0)
                guard unsafe Glibc.poll(&poll, 1, 50) > 0 else { continue }
                _ = receiver.receive(from: socket) { batch, _ in
                    out.clear()
                    for index in batch.datagrams.indices {
                        batch.withDatagram(index) { span in
                            let bytes = span.bytes
                            let count = bytes.byteCount
                            _ = out.append(count, to: path) {
                                $0.copy(from: bytes, sourceOffset: 0, count: count, at: 0)
                            }
                        }
                    }
                    var cursor = UDPPort.Cursor()
                    while case .blocked = port.send(out, from: &cursor) { sched_yield() }
                }
            }
        }

        func stop() {
            isDone.store(true, ordering: .releasing)
            done.wait()
        }
    }
}
