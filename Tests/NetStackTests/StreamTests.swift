// TCP sockets through the whole stack: demultiplexing, listeners, ends, streams over a bad link. The machine itself is
// tested in TCP/.

import NetPrimitives
import Testing

@testable import NetStack

/// Moves bytes from a socket to its peer as fast as both allow.
final class Transfer {
    let payload: [UInt8]
    private var sent = 0
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false

    init(_ payload: [UInt8]) { self.payload = payload }

    /// One round of writing and reading.
    func work(from sender: StackHost, _ out: SocketID, to receiver: StackHost, _ into: SocketID, now: Now) {
        while sent < payload.count {
            let chunk = Array(payload[sent..<min(payload.count, sent + 40_000)])
            guard let count = try? sender.send(out, chunk, now: now) else { break }
            sent += count
            if sent == payload.count { try? sender.stack.shutdown(out, .write, now: now) }
        }
        while !isEnded {
            guard let bytes = try? receiver.receive(into, now: now) else { break }
            if bytes.isEmpty { isEnded = true }
            received += bytes
        }
    }

    var isWhole: Bool { isEnded && received == payload }
}

struct StreamTests {
    private func connect(
        _ network: TestNetwork, _ target: String, port: UInt16 = 80
    ) throws -> (client: SocketID, server: SocketID, listener: SocketID) {
        let isIPv4 = address(target).isIPv4
        let now = network.now
        let listener = try network.hosts[1].stack.tcpListen(
            on: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: port), backlog: 8, now: now)
        let client = try network.hosts[0].stack.tcpConnect(to: endpoint(target, port), now: now)
        var server: SocketID?
        network.run(for: .seconds(30)) {
            if server == nil { server = try? network.hosts[1].stack.accept(listener, now: network.now) }
            return server != nil && network.hosts[0].saw(client, .connected)
        }
        return (client, try #require(server), listener)
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `connect, accept, names, echo and close leave nothing behind`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let (client, server, listener) = try connect(network, target)
        let (a, b) = (network.hosts[0], network.hosts[1])
        #expect(b.saw(listener, .acceptable))
        let local = try a.stack.localEndpoint(client)
        #expect(try b.stack.remoteEndpoint(server) == local)
        #expect(try a.stack.remoteEndpoint(client) == endpoint(target, 80))
        #expect(try b.stack.localEndpoint(server) == endpoint(target, 80))
        #expect(try a.stack.readiness(of: client) == .writable)
        #expect(throws: StackError.wouldBlock) { try a.receive(client, now: network.now) }
        #expect(try a.send(client, pattern(100), now: network.now) == 100)
        network.run(for: .milliseconds(10))
        #expect(b.saw(server, .readable))
        #expect(try b.receive(server, now: network.now) == pattern(100))
        a.stack.close(client, now: network.now)
        network.run(for: .milliseconds(10))
        #expect(try b.receive(server, now: network.now) == [])
        b.stack.close(server, now: network.now)
        b.stack.close(listener, now: network.now)
        network.run(for: .milliseconds(100))
        #expect(b.stack.socketCount == 0 && a.stack.socketCount == 0)
        #expect(a.stack.timeWaitCount == 1 && b.stack.timeWaitCount == 0)
        #expect(a.stack.statistics.retransmitted == 0 && b.stack.statistics.retransmitted == 0)
        network.run(for: .seconds(61))
        #expect(a.stack.timeWaitCount == 0)
        #expect(a.stack.bindings.count == 0 && a.stack.flows.count == 0)
        #expect(b.stack.bindings.count == 0 && b.stack.flows.count == 0)
        #expect(throws: StackError.badSocket) { try a.receive(client, now: network.now) }
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `nobody listens: refused`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let client = try host.stack.tcpConnect(to: endpoint(target, 81), now: network.now)
        #expect(try host.stack.readiness(of: client) == [])
        network.run(for: .milliseconds(50))
        #expect(host.saw(client, .error))
        let readiness = try host.stack.readiness(of: client)
        #expect(readiness == [.readable, .writable, .error, .hangUp, .readHangUp])
        #expect(try host.stack.takeError(client) == .refused)
        #expect(try host.stack.takeError(client) == nil)
        #expect(network.hosts[1].stack.statistics.resetsSent == 1)
    }

    @Test func `the neighbour does not answer: unreachable after three seconds`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let client = try host.stack.tcpConnect(to: endpoint("10.0.0.9", 80), now: network.now)
        network.run(for: .milliseconds(2_999))
        #expect(host.events.isEmpty)
        network.run(for: .milliseconds(2))
        #expect(host.saw(client, .error))
        #expect(try host.stack.takeError(client) == .hostUnreachable)
        #expect(throws: StackError.networkUnreachable) {
            try host.stack.tcpConnect(to: endpoint("192.0.2.1", 80), now: network.now)
        }
        #expect(throws: StackError.networkUnreachable) {
            try host.stack.tcpConnect(to: endpoint("224.0.0.5", 80), now: network.now)
        }
    }

    @Test func `SYNs are repeated while the path is being made, and at once when it opens`() throws {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        try a.sendEcho(to: address("10.0.0.2"), now: network.now)
        network.run(for: .milliseconds(50))
        let listener = try b.stack.tcpListen(on: endpoint("10.0.0.2", 80), backlog: 1, now: network.now)
        network.model.filter = { $0.etherType == EtherType.ipv4 }
        let client = try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        network.run(for: .milliseconds(4_000))
        network.model.filter = nil
        #expect(!a.saw(client, .connected))
        a.stack.linkBecameUsable(a.interface, now: network.now)
        network.run(for: .milliseconds(20))
        #expect(a.saw(client, .connected))
        #expect(try b.stack.accept(listener, now: network.now) != nil)
    }

    @Test func `data whose time-outs passed is repeated at once when the way to its station opens, and to no other`()
        throws
    {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("10.0.0.2", 80), backlog: 1, now: network.now)
        let client = try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        network.run(for: .milliseconds(500))
        let server = try #require(try b.stack.accept(listener, now: network.now))
        network.model.filter = { _ in true }
        _ = try a.send(client, [1, 2, 3], now: network.now)
        network.run(for: .milliseconds(4_500))
        network.model.filter = nil
        a.stack.linkBecameUsable(a.interface, station: MACAddress(0x0200_0000_9999), now: network.now)
        network.run(for: .milliseconds(20))
        #expect(throws: StackError.wouldBlock) { try b.receive(server, now: network.now) }
        a.stack.linkBecameUsable(a.interface, station: b.mac, now: network.now)
        network.run(for: .milliseconds(20))
        #expect(try b.receive(server, now: network.now) == [1, 2, 3])
    }

    @Test func `the backlog holds one more than asked, the rest wait outside`() throws {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("0.0.0.0", 80), backlog: 1, now: network.now)
        let clients = try (0..<4).map { _ in try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now) }
        network.run(for: .milliseconds(500))
        var accepted = 0
        while try b.stack.accept(listener, now: network.now) != nil { accepted += 1 }
        #expect(accepted == 2)
        network.run(for: .seconds(20))
        while try b.stack.accept(listener, now: network.now) != nil { accepted += 1 }
        #expect(accepted == 4)
        #expect(clients.allSatisfy { a.saw($0, .connected) })
    }

    @Test func `the more specific listener gets the connection`() throws {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        #expect(
            b.stack.addAddress(IPPrefix(address("10.0.0.22"), length: 24), to: b.interface, now: network.now) == true)
        let specific = try b.stack.tcpListen(on: endpoint("10.0.0.2", 80), backlog: 1, now: network.now)
        #expect(throws: StackError.addressInUse) {
            try b.stack.tcpListen(on: endpoint("0.0.0.0", 80), backlog: 1, now: network.now)
        }
        var options = SocketOptions()
        options.reusePort = true
        let shared = try b.stack.tcpListen(
            on: endpoint("10.0.0.22", 81), backlog: 1, options: options, now: network.now)
        let wild = try b.stack.tcpListen(on: endpoint("::", 81), backlog: 1, options: options, now: network.now)
        for (target, port, expected) in [("10.0.0.2", 80, specific), ("10.0.0.22", 81, shared), ("10.0.0.2", 81, wild)]
        {
            _ = try a.stack.tcpConnect(to: endpoint(target, UInt16(port)), now: network.now)
            network.run(for: .milliseconds(50))
            #expect(try b.stack.accept(expected, now: network.now) != nil)
        }
    }

    @Test func `closing a listener resets who waits, accepted connections live on`() throws {
        let network = try TestNetwork.pair()
        let (client, server, listener) = try connect(network, "10.0.0.2")
        let (a, b) = (network.hosts[0], network.hosts[1])
        let waiting = try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        network.run(for: .milliseconds(50))
        b.stack.close(listener, now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try a.stack.takeError(waiting) == .reset)
        #expect(try b.send(server, [1], now: network.now) == 1)
        network.run(for: .milliseconds(50))
        #expect(try a.receive(client, now: network.now) == [1])
    }

    @Test func `small pieces over the loop-back do not wait for delayed ACKs`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let listener = try host.stack.tcpListen(on: endpoint("127.0.0.1", 80), backlog: 1, now: network.now)
        let client = try host.stack.tcpConnect(to: endpoint("127.0.0.1", 80), now: network.now)
        network.run(for: .milliseconds(1))
        let server = try #require(try host.stack.accept(listener, now: network.now))
        var (sent, received) = (0, 0)
        let (begin, piece) = (network.now, pattern(4_000))
        // Seven delayed ACKs would be 280 ms.
        while received < 500_000, network.now.monotonic - begin.monotonic < .milliseconds(150) {
            if sent < 500_000, let count = try? host.send(client, piece, now: network.now) { sent += count }
            network.run(for: .microseconds(100))
            if let bytes = try? host.receive(server, now: network.now) { received += bytes.count }
        }
        #expect(received >= 500_000)
    }

    @Test func `data for an end that is shut both ways is answered with a reset`() throws {
        let network = try TestNetwork.pair()
        let (client, server, _) = try connect(network, "10.0.0.2")
        let (a, b) = (network.hosts[0], network.hosts[1])
        try a.stack.shutdown(client, .both, now: network.now)
        network.run(for: .milliseconds(50))
        _ = try b.send(server, [1], now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try b.stack.takeError(server) == .brokenPipe)
        #expect(try a.stack.takeError(client) == .reset)
        // One way alone: what comes is still taken.
        let (other, peer, _) = try connect(network, "10.0.0.2", port: 81)
        try a.stack.shutdown(other, .read, now: network.now)
        _ = try b.send(peer, [2], now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try a.receive(other, now: network.now) == [2])
        #expect(try b.stack.takeError(peer) == nil)
    }

    @Test func `the same two ends twice`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        var options = SocketOptions()
        options.reuseAddress = true
        let first = try host.stack.tcpBind(endpoint("10.0.0.1", 4_000), options: options)
        let second = try host.stack.tcpBind(endpoint("10.0.0.1", 4_000), options: options)
        _ = try host.stack.tcpConnect(first, to: endpoint("10.0.0.2", 80), now: network.now)
        #expect(throws: StackError.addressNotAvailable) {
            try host.stack.tcpConnect(second, to: endpoint("10.0.0.2", 80), now: network.now)
        }
    }

    @Test func `unread data at close resets the peer`() throws {
        let network = try TestNetwork.pair()
        let (client, server, _) = try connect(network, "fd00::2")
        let (a, b) = (network.hosts[0], network.hosts[1])
        _ = try a.send(client, pattern(500), now: network.now)
        network.run(for: .milliseconds(50))
        b.stack.close(server, now: network.now)
        network.run(for: .milliseconds(50))
        #expect(throws: StackError.reset) { try a.receive(client, now: network.now) }
        #expect(try a.receive(client, now: network.now) == [])
        #expect(throws: StackError.brokenPipe) { try a.send(client, [1], now: network.now) }
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"], UInt64(1)...3)
    func `two megabytes cross a bad link whole, both ways at once`(_ target: String, seed: UInt64) throws {
        var model = LinkConditions()
        model.loss = 0.01
        model.duplication = 0.01
        model.jitter = .microseconds(1_500)
        let network = try TestNetwork.pair(model: model, seed: seed)
        network.keepsTrace = false
        let (client, server, _) = try connect(network, target)
        let (a, b) = (network.hosts[0], network.hosts[1])
        let up = Transfer(pattern(1_000_000, seed: seed))
        let down = Transfer(pattern(1_000_000, seed: seed + 100))
        let isDone = network.run(for: .seconds(300)) {
            up.work(from: a, client, to: b, server, now: network.now)
            down.work(from: b, server, to: a, client, now: network.now)
            return up.isEnded && down.isEnded
        }
        #expect(isDone && up.isWhole && down.isWhole)
        #expect(a.stack.statistics.retransmitted > 0 && b.stack.statistics.retransmitted > 0)
        a.stack.close(client, now: network.now)
        b.stack.close(server, now: network.now)
        network.run(for: .seconds(200))
        #expect(a.stack.streams.count == 0 && b.stack.streams.count == 0)
    }

    @Test(arguments: ["10.0.0.1", "127.0.0.1", "::1", "fd00::1"])
    func `a connection with oneself stays inside`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let isIPv4 = address(target).isIPv4
        let listener = try host.stack.tcpListen(
            on: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 80), backlog: 1, now: network.now)
        let client = try host.stack.tcpConnect(to: endpoint(target, 80), now: network.now)
        network.run(for: .milliseconds(10))
        let server = try #require(try host.stack.accept(listener, now: network.now))
        #expect(try host.stack.localEndpoint(client).address == address(target))
        let transfer = Transfer(pattern(500_000))
        let isDone = network.run(for: .seconds(10)) {
            transfer.work(from: host, client, to: host, server, now: network.now)
            return transfer.isEnded
        }
        #expect(isDone && transfer.isWhole)
        #expect(network.trace.isEmpty)
        let refused = try host.stack.tcpConnect(to: endpoint(target, 81), now: network.now)
        network.run(for: .milliseconds(10))
        #expect(try host.stack.takeError(refused) == .refused)
        #expect(network.trace.isEmpty)
    }

    @Test func `a socket can connect to itself`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let bound = try host.stack.tcpBind(endpoint("10.0.0.1", 4_000))
        let socket = try host.stack.tcpConnect(bound, to: endpoint("10.0.0.1", 4_000), now: network.now)
        network.run(for: .seconds(5))
        #expect(host.saw(socket, .connected))
        #expect(try host.send(socket, [1, 2, 3], now: network.now) == 3)
        network.run(for: .seconds(1))
        #expect(try host.receive(socket, now: network.now) == [1, 2, 3])
    }

    @Test func `ports: bound twice, exhausted, reused to another destination`() throws {
        var configuration = StackConfiguration()
        configuration.ephemeralPorts = 40_000...40_003
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[0]
        let held = try host.stack.tcpBind(endpoint("10.0.0.1", 4_000))
        #expect(throws: StackError.addressInUse) { try host.stack.tcpBind(endpoint("0.0.0.0", 4_000)) }
        host.stack.close(held, now: network.now)
        _ = try host.stack.tcpBind(endpoint("0.0.0.0", 4_000))
        for _ in 0..<4 { _ = try host.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now) }
        #expect(throws: StackError.addressNotAvailable) {
            try host.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        }
        // The 4-tuple must be free, not the port.
        _ = try host.stack.tcpConnect(to: endpoint("10.0.0.2", 81), now: network.now)
        for _ in 0..<4 { _ = try? host.stack.tcpBind(endpoint("127.0.0.1", 0)) }
        #expect(throws: StackError.addressInUse) { try host.stack.tcpBind(endpoint("127.0.0.1", 0)) }
    }

    @Test func `losing the address ends its connections`() throws {
        let network = try TestNetwork.pair()
        let (client, server, listener) = try connect(network, "10.0.0.2")
        let host = network.hosts[0]
        host.stack.removeAddress(address("10.0.0.1"), from: host.interface, now: network.now)
        host.drainEvents()
        #expect(host.saw(client, .error))
        #expect(throws: StackError.networkDown) { try host.send(client, [1], now: network.now) }
        let other = network.hosts[1]
        other.stack.removeInterface(other.interface, now: network.now)
        other.drainEvents()
        #expect(throws: StackError.networkDown) { try other.receive(server, now: network.now) }
        other.stack.close(server, now: network.now)
        other.stack.close(listener, now: network.now)
        host.stack.close(client, now: network.now)
        #expect(host.takeFrames(now: network.now).allSatisfy { $0.etherType != EtherType.ipv4 })
        #expect(host.stack.socketCount == 0 && other.stack.socketCount == 0)
    }

    @Test func `many connections at once`() throws {
        let network = try TestNetwork.pair()
        network.keepsTrace = false
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("::", 80), backlog: 400, now: network.now)
        var clients: [SocketID] = []
        for number in 0..<300 {
            let target = number % 2 == 0 ? "10.0.0.2" : "fd00::2"
            clients.append(try a.stack.tcpConnect(to: endpoint(target, 80), now: network.now))
        }
        network.run(for: .seconds(5))
        for (number, client) in clients.enumerated() {
            #expect(try a.send(client, [UInt8(truncatingIfNeeded: number)], now: network.now) == 1)
        }
        network.run(for: .milliseconds(100))
        var seen: [UInt8] = []
        while let server = try b.stack.accept(listener, now: network.now) {
            seen += try b.receive(server, now: network.now)
            b.stack.close(server, now: network.now)
        }
        #expect(seen.sorted() == (0..<300).map { UInt8(truncatingIfNeeded: $0) }.sorted())
        for client in clients { a.stack.close(client, now: network.now) }
        network.run(for: .seconds(70))
        #expect(a.stack.streams.count == 0 && b.stack.streams.count == 0)
        #expect(a.stack.timeWaitCount + b.stack.timeWaitCount == 0)
    }

    @Test func `the memory of all connections is bounded, and free again when they are gone`() throws {
        var configuration = StackConfiguration()
        configuration.limits.streamBytes = 1 << 20
        let network = try TestNetwork.pair(configuration: configuration)
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("::", 80), backlog: 50, now: network.now)
        let clients = try (0..<40).map { _ in try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now) }
        network.run(for: .milliseconds(100))
        var failures: Set<StackError> = []
        let payload = [UInt8](repeating: 7, count: 30_000)
        // Nobody reads at the other end.
        for _ in 0..<10 {
            for client in clients {
                do { _ = try a.send(client, payload, now: network.now) } catch { failures.insert(error) }
                #expect(a.stack.streamBytes <= (1 << 20) + 65_536)
            }
            network.run(for: .milliseconds(20))
        }
        #expect(failures.contains(.noBuffers) && failures.isSubset(of: [.noBuffers, .wouldBlock]))
        #expect(throws: StackError.noBuffers) {
            try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        }
        for client in clients { a.stack.abort(client, now: network.now) }
        network.run(for: .seconds(1))
        b.stack.close(listener, now: network.now)
        network.run(for: .seconds(1))
        #expect(a.stack.streamBytes == 0 && b.stack.streamBytes == 0)
        #expect(a.stack.socketCount == 0 && b.stack.socketCount == 0)
    }

    @Test func `the same seed gives the same frames`() throws {
        func run() throws -> [[UInt8]] {
            var model = LinkConditions()
            model.loss = 0.02
            model.jitter = .milliseconds(2)
            let network = try TestNetwork.pair(model: model, seed: 42)
            let (client, server, _) = try connect(network, "fd00::2")
            let transfer = Transfer(pattern(100_000))
            network.run(for: .seconds(60)) {
                transfer.work(from: network.hosts[0], client, to: network.hosts[1], server, now: network.now)
                return transfer.isEnded
            }
            #expect(transfer.isWhole)
            return network.trace.map(\.bytes)
        }
        let first = try run()
        let second = try run()
        #expect(first.count > 40)
        #expect(first == second)
    }

    @Test func `connections are bounded`() throws {
        var configuration = StackConfiguration()
        configuration.limits.streams = 5
        configuration.limits.listeners = 1
        configuration.limits.reservations = 1
        configuration.limits.timeWaits = 3
        let network = try TestNetwork.pair(configuration: configuration)
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("0.0.0.0", 80), backlog: 50, now: network.now)
        _ = try b.stack.tcpBind(endpoint("0.0.0.0", 81))
        #expect(throws: StackError.tooManySockets) { try b.stack.tcpBind(endpoint("0.0.0.0", 82)) }
        #expect(throws: StackError.tooManySockets) {
            try b.stack.tcpListen(on: endpoint("0.0.0.0", 83), backlog: 1, now: network.now)
        }
        for _ in 0..<3 {
            var clients: [SocketID] = []
            for _ in 0..<5 { clients.append(try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)) }
            #expect(throws: StackError.tooManySockets) {
                try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
            }
            network.run(for: .milliseconds(100))
            for client in clients { a.stack.close(client, now: network.now) }
            network.run(for: .milliseconds(100))
            while let server = try b.stack.accept(listener, now: network.now) {
                b.stack.close(server, now: network.now)
            }
            network.run(for: .milliseconds(100))
        }
        #expect(a.stack.timeWaitCount == 3)
    }
}
