import Foundation
import NetPrimitives
import Synchronization
import Testing

@testable import ZeroTier

/// Scopes that end what they lend, networks as handles, lines, and the peer of a connection.
extension DriverTests {
    @Suite struct ScopeTests {
        private struct Stop: Error {}

        private func code(_ body: () async throws -> Void) async -> ZeroTierError.Code? {
            do {
                try await body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }

        @Test func `a node ends with its scope: by return, by throw and by cancellation`() async throws {
            let configuration = Constellation.configuration(
                TestIdentity.first, try Constellation.makePlanet(port: 1))
            let kept = Mutex<Node?>(nil)
            let id = try await Node.with(configuration) { node in
                kept.withLock { $0 = node }
                return node.id
            }
            #expect(id.description == "e579b42b36")
            #expect(await code { _ = try kept.withLock { $0 }?.status() } == .nodeStopped)

            await #expect(throws: Stop.self) {
                try await Node.with(configuration) { node in
                    kept.withLock { $0 = node }
                    throw Stop()
                }
            }
            #expect(await code { _ = try kept.withLock { $0 }?.status() } == .nodeStopped)

            let (started, begin) = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                try await Node.with(configuration) { node in
                    kept.withLock { $0 = node }
                    begin.yield()
                    try await node.waitUntilOnline(timeout: nil)
                }
            }
            for await _ in started { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(await code { _ = try kept.withLock { $0 }?.status() } == .nodeStopped)
            // In a task that is cancelled already, none is made.
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await Node.with(configuration) { _ -> Void in Issue.record("the body runs") }
            }
            await #expect(throws: CancellationError.self) { try await late.value }
        }

        @Test func `a connection that its scope returns from is whole, one that it throws from is reset`() async throws
        {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            try await nodes.second.withListener(port: 80) { listener in
                let remote = SocketEndpoint(address, port: 80)
                let count = try await nodes.first.withConnection(to: remote) { socket in
                    try await socket.write([UInt8](repeating: 7, count: 100_000))
                    return 100_000
                }
                let whole = try await listener.accept(timeout: .seconds(20))
                var received = 0
                for try await chunk in whole { received += chunk.count }
                #expect(received == count)

                let kept = Mutex<StreamSocket?>(nil)
                await #expect(throws: Stop.self) {
                    try await nodes.first.withConnection(to: remote) { socket in
                        try await socket.write([1, 2, 3])
                        let peer = try await listener.accept(timeout: .seconds(20))
                        kept.withLock { $0 = peer }
                        throw Stop()
                    }
                }
                let cut = try #require(kept.withLock { $0 })
                let error = await #expect(throws: ZeroTierError.self) { for try await _ in cut {} }
                #expect(error?.code == .connectionReset)
            }
            // The listener is closed.
            let refused = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.connect(to: SocketEndpoint(address, port: 80), timeout: .seconds(20))
            }
            #expect(refused?.code == .connectionRefused)
            let port = try await nodes.first.withDatagramSocket { socket in socket.localEndpoint.port }
            // The port is free again.
            #expect(try nodes.first.datagramSocket(port: port).localEndpoint.port == port)
            await nodes.shutdown()
        }

        @Test func `a server serves so many at a time, hears of failures and ends when its listener is closed`()
            async throws
        {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let counts = Mutex<(now: Int, most: Int, all: Int)>((0, 0, 0))
            let failures = Mutex(0)
            let serving = Task {
                try await listener.serve(
                    atMost: 2,
                    onError: { error, socket in
                        #expect(error is Stop && socket.localEndpoint.port == 80)
                        failures.withLock { $0 += 1 }
                    },
                    { socket in
                        counts.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.all + 1) }
                        defer { counts.withLock { $0.now -= 1 } }
                        let byte = try await socket.read(exactly: 1)
                        if byte == [0] { throw Stop() }
                        try await socket.write(byte)
                    })
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        let socket = try await nodes.first.connect(
                            to: SocketEndpoint(address, port: 80), timeout: .seconds(20))
                        try await socket.write([UInt8(number % 4)])
                        if number % 4 == 0 {
                            #expect(await code { _ = try await socket.read() } == .connectionReset)
                        } else {
                            #expect(try await socket.read(exactly: 1) == [UInt8(number % 4)])
                            #expect(try await socket.read() == nil)
                        }
                    }
                }
                try await group.waitForAll()
            }
            listener.close()
            try await serving.value
            #expect(counts.withLock { $0.now == 0 && $0.most <= 2 && $0.all == 12 })
            #expect(failures.withLock { $0 } == 3)
            await nodes.shutdown()
        }

        @Test func `lines are cut out of a stream however it comes, and none is too long`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            try socket.setNoDelay(true)
            let peer = try await listener.accept(timeout: .seconds(20))
            async let lines = {
                var lines: [String] = []
                for try await line in peer.lines(longest: 20, timeout: .seconds(20)) { lines.append(line) }
                return lines
            }()
            for part in ["one\ntw", "o\r\n\n", "thr", "ee", "\n12345678901234567890\nGr\u{fc}\u{df}e"] {
                try await socket.write(part)
                try await Task.sleep(for: .milliseconds(5))
            }
            try socket.closeWrite()
            #expect(try await lines == ["one", "two", "", "three", "12345678901234567890", "Gr\u{fc}\u{df}e"])

            // Without an end of line, and with one that comes too late.
            for text in ["123456789012345678901", "123456789012345678901\n"] {
                try await nodes.first.withConnection(to: SocketEndpoint(address, port: 80)) { socket in
                    try await socket.write(text)
                    let peer = try await listener.accept(timeout: .seconds(20))
                    let error = await #expect(throws: ZeroTierError.self) {
                        for try await _ in peer.lines(longest: 20, timeout: .seconds(20)) {}
                    }
                    #expect(error?.code == .limitReached)
                }
            }
            await nodes.shutdown()
        }

        @Test func `a network is a handle: it tells its changes until it is left`() async throws {
            let nodes = try await Constellation()
            try await nodes.first.waitUntilOnline(timeout: .seconds(20))
            #expect(try nodes.first.network(Constellation.network) == nil)
            let unknown = Network(driver: nodes.first.driver, id: Constellation.network)
            #expect(await code { _ = try unknown.status } == .notJoined)
            #expect(unknown.addresses.isEmpty)
            for await _ in unknown.changes { Issue.record("a network that is not joined has no state") }

            let network = try await nodes.first.join(Constellation.network)
            #expect(try nodes.first.network(network.id)?.id == network.id)
            #expect(try network.status.state == .ok && network.addresses == network.status.addresses)
            var changes = network.changes.makeAsyncIterator()
            #expect(await changes.next()?.state == .ok)
            // Address and routes of the controller go.
            try network.setSettings(NetworkSettings(allowsManaged: false))
            #expect(try !network.settings.allowsManaged)
            #expect(await changes.next()?.addresses.isEmpty == true)
            try network.leave()
            #expect(await changes.next() == nil)
            #expect(network.addresses.isEmpty)
            try network.leave()
            // A consumer that waits is ended by a shutdown.
            let other = try nodes.second.startJoining(Constellation.network)
            let waiting = Task { for await _ in other.changes {} }
            await nodes.second.shutdown()
            await waiting.value
            await nodes.shutdown()
        }

        @Test func `a connection knows the node at its other end`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let accepted = try await listener.accept(timeout: .seconds(20))
            for (end, other) in [(socket, nodes.second), (accepted, nodes.first)] {
                let peer = try end.peer()
                #expect(peer.endpoint == end.remoteEndpoint && peer.network == Constellation.network)
                #expect(peer.node == other.id && peer.identity == other.identity && peer.status?.id == other.id)
            }
            // With itself.
            let mirror = try await nodes.second.connect(to: SocketEndpoint(address, port: 80))
            #expect(try mirror.peer().node == nodes.second.id && mirror.peer().network == nil)
            socket.abort()
            #expect(try socket.peer().node == nodes.second.id)
            await nodes.shutdown()
        }

        @Test func `neighbours of IPv4 are known by their station`() async throws {
            let nodes = try await Constellation()
            _ = try await nodes.join()
            let network = NetworkID(0xff0a_0000_0000_0001)
            try await nodes.first.join(network)
            let addresses = try await nodes.second.join(network).addresses.map(\.address)
            let address = try #require(addresses.first { $0.isIPv4 })
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let accepted = try await listener.accept(timeout: .seconds(20))
            #expect(try socket.peer().node == nodes.second.id && socket.peer().network == network)
            #expect(try accepted.peer().node == nodes.first.id)
            await nodes.shutdown()
        }

        @Test func `a group that was joined can be left, once`() async throws {
            let nodes = try await Constellation()
            _ = try await nodes.join()
            let group = IPAddress("ff05::1234")!
            let socket = try nodes.first.datagramSocket()
            try socket.join(group: group)
            try socket.leave(group: group)
            let error = #expect(throws: ZeroTierError.self) { try socket.leave(group: group) }
            #expect(error?.code == .invalidArgument && error?.message.contains("ff05::1234") == true)
            try socket.join(group: group)
            await nodes.shutdown()
        }

        @Test func `a user time-out is set and taken back`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            for (timeout, expected) in [(Duration.seconds(7), Duration.seconds(7)), (nil, .zero)] {
                try socket.setUserTimeout(timeout)
                let set = try nodes.first.driver.call { (core, _) throws(ZeroTierError) in
                    (try? core.node.stack.connectionOptions(socket.id))?.userTimeout
                }
                #expect(set == expected)
            }
            listener.close()
            await nodes.shutdown()
        }
    }
}
