import Foundation
import NetPrimitives
import NetStack
import Synchronization
import Testing

@testable import ZeroTier

/// Three fixed identities, made for these tests alone, so that no test waits for key work.
enum TestIdentity {
    static let root =
        "412c79af4f:0:73512da55ea4a54c7b7fafdcf15e2f03ea37a0d71b9827c501af635abd5f9b10a1118b573c77f"
        + "dc46265f3142e9c7ff0a669f43505e9f33a6b2d8b88fe5392b9:b94c8e0dddcc71e20cc4371890242d3d054233"
        + "cfbb32d7cdb379260d5e3007474e264cf58433a6be4bcef1ba5d5fd9f77a4d51dd44870fdbe088ff295d22df5c"
    static let first =
        "e579b42b36:0:7acd18a7aca2aaca14ce51ab803b8929fcf63760a003ac87eb7ad1e70fb3ad58e535aa14069d2"
        + "9ac420d60a89a762277107478b42aec317d478294505a4353fb:d449b6af95a6c9f563b425fe9d9ff4c06744af"
        + "88a71a0f9acc5826aab8e41f6ebaf7169b1ef2f5b5f0a8acf9ab95c142c2ed7cf28b5db5c736f7040a85e080ba"
    static let second =
        "166176ae31:0:83300697c08f423609326a70946daaea51b4411ca72d06aad910fbb8e1439760ddeabcc71c440"
        + "487f6b0dc2dd244f1a177d89f130c578e98edf9239178161e42:b56563563a9dd84b6c177cb65aece183ba7e68"
        + "be63082d9f19dc722279013160751e65da893b45e0a535d99fff0565d6a85ed1b5b22fdbbb35938a69b5ddeaf9"
}

/// A root and two nodes on this machine's loopback interface, with a planet of their own.
struct Constellation {
    static let network = NetworkID.adHoc(ports: 1...65535)

    let root: Node
    let first: Node
    let second: Node
    let planet: RootSet

    static func configuration(_ identity: String, _ planet: RootSet, usesOffload: Bool = true) -> Node.Configuration {
        var configuration = Node.Configuration(storage: .store(MemoryStore(identity: identity)))
        configuration.planet = planet
        configuration.allowsLoopbackPaths = true
        configuration.usesOffload = usesOffload
        return configuration
    }

    /// The planet whose root is at a port of this machine.
    static func makePlanet(port: UInt16) throws -> RootSet {
        let root = try Identity(text: Identity(text: TestIdentity.root).publicText)
        return try RootSet(
            id: 77, roots: [.init(identity: root, endpoints: [SocketEndpoint(IPAddress("127.0.0.1")!, port: port)])],
            key: RootSet.SigningKey())
    }

    init(usesOffload: Bool = true) async throws {
        let port = try Node.findFreePort()
        planet = try Constellation.makePlanet(port: port)
        var settings = Constellation.configuration(TestIdentity.root, planet, usesOffload: usesOffload)
        settings.port = port
        root = try await Node.start(settings)
        first = try await Node.start(
            Constellation.configuration(TestIdentity.first, planet, usesOffload: usesOffload))
        second = try await Node.start(
            Constellation.configuration(TestIdentity.second, planet, usesOffload: usesOffload))
    }

    /// Both nodes on the network; gives the second one's address.
    func join() async throws -> IPAddress {
        try await first.waitUntilOnline(timeout: .seconds(20))
        try await second.waitUntilOnline(timeout: .seconds(20))
        try await first.join(Constellation.network)
        let network = try await second.join(Constellation.network)
        return try #require(network.addresses.first?.address)
    }

    func shutdown() async {
        await first.shutdown()
        await second.shutdown()
        await root.shutdown()
    }
}

private func entries(_ path: String) throws -> Int { try FileManager.default.contentsOfDirectory(atPath: path).count }

// Threads of nodes, by name.
private func nodeThreads() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter { thread in
        let name = try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8)
        return name?.hasPrefix("zt-") == true
    }.count
}

extension DriverCore {
    fileprivate mutating func udpSocket(_ local: SocketEndpoint? = nil) throws(ZeroTierError) -> SocketID {
        do throws(StackError) {
            let id = try node.stack.udpOpen(isIPv4: true)
            if let local { try node.stack.udpBind(id, to: local) }
            return id
        } catch {
            throw ZeroTierError(error)
        }
    }

    fileprivate mutating func connect(
        _ id: SocketID, to remote: SocketEndpoint, _ now: Now
    ) throws(ZeroTierError) {
        do throws(StackError) {
            try node.stack.udpConnect(id, to: remote, now: now)
        } catch {
            throw ZeroTierError(error)
        }
    }

    fileprivate mutating func send(
        _ bytes: [UInt8], from id: SocketID, to remote: SocketEndpoint, _ now: Now
    ) throws(ZeroTierError) {
        #expect(try datagramSend(id, bytes, to: remote, now: now) == true)
    }
}

extension DriverTests {
    @Suite struct NodeTests {
        private func pattern(_ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        }

        @Test(arguments: [true, false])
        func `two nodes meet through a root, ping, and move a stream whole both ways`(usesOffload: Bool) async throws {
            let nodes = try await Constellation(usesOffload: usesOffload)
            let address = try await nodes.join()
            let result = try await nodes.first.ping(address, sequence: 7)
            #expect(result.sequence == 7)
            #expect(result.address == address)

            let listener = try nodes.second.listen(port: 80)
            let bytes = pattern(3_000_000)
            async let served: [UInt8] = {
                let socket = try await listener.accept(timeout: .seconds(20))
                var all: [UInt8] = []
                for try await chunk in socket {
                    all += chunk
                    try await socket.write(chunk)
                }
                try socket.closeWrite()
                return all
            }()
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            async let returned: [UInt8] = {
                var all: [UInt8] = []
                while let chunk = try await socket.read() { all += chunk }
                return all
            }()
            try await socket.write(bytes)
            try socket.closeWrite()
            #expect(try await served == bytes)
            #expect(try await returned == bytes)
            #expect(try nodes.first.status().isOnline)
            await nodes.shutdown()
        }

        @Test func `peers become direct and say so by event`() async throws {
            let nodes = try await Constellation()
            let events = nodes.first.events
            let address = try await nodes.join()
            let peer = nodes.second.id
            _ = try await nodes.first.ping(address)
            for await event in events {
                if case .peerDirect(let id, let endpoint) = event, id == peer {
                    #expect(endpoint.port == nodes.second.port)
                    break
                }
                if event == .stopped { Issue.record("the node stopped") }
            }
            #expect(try nodes.first.peers().contains { $0.id == peer && $0.isDirect && $0.role == .leaf })
            #expect(try nodes.first.peers().contains { $0.id == nodes.root.id && $0.role == .planet })
            await nodes.shutdown()
        }

        @Test func `who is refused by the rules of a network is told so`() async throws {
            let nodes = try await Constellation()
            let network = NetworkID.adHoc(ports: 7...9)
            try await nodes.first.waitUntilOnline(timeout: .seconds(20))
            try await nodes.second.waitUntilOnline(timeout: .seconds(20))
            try await nodes.first.join(network)
            let joined = try await nodes.second.join(network)
            let address = try #require(joined.addresses.first?.address)
            let listener = try nodes.second.listen(port: 7)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 7))
            let error = await #expect(throws: ZeroTierError.self) {
                _ = try await nodes.first.connect(to: SocketEndpoint(address, port: 80), timeout: .seconds(2))
            }
            #expect(error?.code == .timedOut && error?.message.contains("rules of a network") == true)
            // A ping in vain as well: nobody has this address.
            let nobody = try #require(IPAddress(address.bytes.dropLast() + [9]))
            let silence = await #expect(throws: ZeroTierError.self) {
                _ = try await nodes.first.ping(nobody, timeout: .seconds(1))
            }
            #expect(silence?.code == .timedOut && silence?.message.contains("rules of a network") == true)
            withExtendedLifetime((listener, socket)) {}
            await nodes.shutdown()
        }

        @Test func `datagrams keep their boundaries and their source`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let server = try nodes.second.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 53))
            let client = try nodes.first.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 0))
            #expect(client.localEndpoint.port != 0)
            _ = try await nodes.first.ping(address)
            for size in [0, 1, 1000, 5000] {
                try await client.send(pattern(size), to: SocketEndpoint(address, port: 53))
                let datagram = try await server.receive(timeout: .seconds(10))
                #expect(datagram.bytes == pattern(size))
                #expect(datagram.source.port == client.localEndpoint.port)
                try await server.send(datagram.bytes, to: datagram.source)
                #expect(try await client.receive(timeout: .seconds(10)).bytes == pattern(size))
            }
            await nodes.shutdown()
        }

        @Test func `threads outside of tasks can read and write a stream`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let bytes = pattern(500_000)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            let received = try await withCheckedThrowingContinuation { continuation in
                let writer = Thread {
                    do {
                        try socket.writeBlocking(bytes)
                        try socket.closeWrite()
                    } catch {
                        Issue.record(error)
                    }
                }
                let reader = Thread {
                    continuation.resume(
                        with: Result {
                            var all: [UInt8] = []
                            while let chunk = try peer.readBlocking(timeout: .seconds(20)) { all += chunk }
                            return all
                        })
                }
                writer.start()
                reader.start()
            }
            #expect(received == bytes)
            await nodes.shutdown()
        }

        @Test func `a port on which nothing listens refuses, one that nobody answers for times out and says why`()
            async throws
        {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let refused = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.connect(to: SocketEndpoint(address, port: 4), timeout: .seconds(10))
            }
            #expect(refused?.code == .connectionRefused)
            let nobody = IPAddress(v6High: address.high, low: address.low ^ 0xff0000)
            let late = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.connect(to: SocketEndpoint(nobody, port: 4), timeout: .milliseconds(300))
            }
            #expect(late?.code == .timedOut)
            let nowhere = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.connect(
                    to: SocketEndpoint(IPAddress("192.0.2.1")!, port: 4), timeout: .seconds(10))
            }
            #expect(nowhere?.code == .networkUnreachable)
            await nodes.shutdown()
        }

        @Test func `a thread connects, and fails, as a task does`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let first = nodes.first
            let listener = try nodes.second.listen(port: 80)
            func connect(_ address: IPAddress, _ port: UInt16, _ timeout: Duration) async -> Result<UInt16, any Error> {
                await withCheckedContinuation { continuation in
                    Thread.detachNewThread {
                        continuation.resume(
                            returning: Result {
                                try first.connectBlocking(
                                    to: SocketEndpoint(address, port: port), timeout: timeout
                                ).localEndpoint.port
                            })
                    }
                }
            }
            func code(_ result: Result<UInt16, any Error>) -> ZeroTierError.Code? {
                if case .failure(let error) = result { return (error as? ZeroTierError)?.code }
                return nil
            }
            let port = try await connect(address, 80, .seconds(20)).get()
            #expect(try await listener.accept(timeout: .seconds(10)).remoteEndpoint.port == port)
            #expect(code(await connect(address, 4, .seconds(10))) == .connectionRefused)
            let nobody = IPAddress(v6High: address.high, low: address.low ^ 0xff0000)
            #expect(code(await connect(nobody, 4, .milliseconds(300))) == .timedOut)
            #expect(code(await connect(IPAddress("192.0.2.1")!, 4, .seconds(10))) == .networkUnreachable)
            async let waiting = connect(nobody, 4, .seconds(60))
            try await Task.sleep(for: .milliseconds(50))
            await first.shutdown()
            #expect(code(await waiting) == .nodeStopped)
            await nodes.shutdown()
        }

        @Test func `cancelling ends a connect, an accept, a read and a receive`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let nobody = IPAddress(v6High: address.high, low: address.low ^ 0xff0000)
            let listener = try nodes.first.listen(port: 99)
            let datagrams = try nodes.first.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 99))
            let server = try nodes.second.listen(port: 98)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 98))
            let node = nodes.first
            let tasks: [Task<Bool, Never>] = [
                Task { await isCancelled { _ = try await node.connect(to: SocketEndpoint(nobody, port: 4)) } },
                Task { await isCancelled { _ = try await listener.accept() } },
                Task { await isCancelled { _ = try await datagrams.receive() } },
                Task { await isCancelled { _ = try await socket.read() } },
                Task { await isCancelled { for try await _ in listener {} } },
                Task { await isCancelled { for try await _ in datagrams {} } },
                Task { await isCancelled { for try await _ in socket {} } },
                Task { await isCancelled { for try await _ in socket.lines() {} } },
                Task { await isCancelled { try await listener.serve { _ in } } },
                Task { await isCancelled { _ = try await node.ping(nobody) } },
                Task { await isCancelled { try await node.join(NetworkID("8056c2e21c000001")!) } },
            ]
            try await Task.sleep(for: .milliseconds(50))
            for task in tasks { task.cancel() }
            for task in tasks { #expect(await task.value) }
            // The attempt to connect is taken back.
            #expect(try node.driver.call { (core, _) throws(ZeroTierError) in core.openSockets.count } == 3)
            // A task that is cancelled already does not wait, and does nothing either: its loops end.
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                let places = SocketEndpoint(IPAddress("::1")!, port: 99)
                return [
                    await isCancelled { _ = try await socket.read() },
                    await isCancelled { try await socket.write([1]) },
                    await isCancelled { try await datagrams.send([1], to: places) },
                    await isCancelled { try await datagrams.send(all: [[1]], to: places) },
                    await isCancelled { try await node.waitUntilOnline() },
                    await isCancelled { try await node.drain() },
                ]
            }
            #expect(await late.value == [true, true, true, true, true, true])
            server.close()
            await nodes.shutdown()
        }

        @Test func `shutdown ends everything that waits, may be repeated, and later calls say so`() async throws {
            let nodes = try await Constellation()
            _ = try await nodes.join()
            let listener = try nodes.first.listen(port: 99)
            let waiting = Task { await code { _ = try await listener.accept() } }
            try await Task.sleep(for: .milliseconds(50))
            async let first: Void = nodes.first.shutdown()
            async let second: Void = nodes.first.shutdown()
            _ = await (first, second)
            #expect(await waiting.value == .nodeStopped)
            #expect(await code { _ = try nodes.first.status() } == .nodeStopped)
            #expect(await code { _ = try await nodes.first.join(Constellation.network) } == .nodeStopped)
            nodes.first.shutdownBlocking()
            listener.close()
            await nodes.shutdown()
        }

        @Test func `a node without roots says that none answered`() async throws {
            let planet = try Constellation.makePlanet(port: 1)
            let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
            let error = await #expect(throws: ZeroTierError.self) {
                try await node.waitUntilOnline(timeout: .milliseconds(200))
            }
            #expect(error?.code == .noRootAnswered)
            await node.shutdown()
        }

        @Test func `a network without a controller in reach is an error that names both`() async throws {
            let nodes = try await Constellation()
            try await nodes.first.waitUntilOnline(timeout: .seconds(20))
            let network = NetworkID("8056c2e21c000001")!
            let error = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.join(network, timeout: .milliseconds(200))
            }
            #expect(error?.code == .controllerUnreachable)
            #expect(error?.message.contains("8056c2e21c") == true)
            #expect(try nodes.first.networks().map(\.id) == [network])
            try nodes.first.leave(network)
            #expect(try nodes.first.networks().isEmpty)
            await nodes.shutdown()
        }

        @Test func `a silent address of a network that is ready is not blamed on another network`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            try nodes.first.startJoining(NetworkID("8056c2e21c000001")!)
            // Another one of the 2^48 behind the same node.
            var bytes = address.bytes
            bytes[15] = 0x77
            let silent = try #require(IPAddress(bytes))
            let error = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.ping(silent, timeout: .milliseconds(300))
            }
            #expect(error?.code == .timedOut && error?.message.contains("8056c2e21c") == false, "\(error!)")
            let other = await #expect(throws: ZeroTierError.self) {
                try await nodes.first.ping(IPAddress("10.1.1.1")!, timeout: .milliseconds(300))
            }
            #expect(other?.message.contains("8056c2e21c000001") == true, "\(other!)")
            await nodes.shutdown()
        }

        @Test(arguments: [
            ("0000000000000000", "controller"), ("0000000000000001", "controller"), ("ffffff0000000000", "from 65535"),
            ("ff00000000ffff00", "ad-hoc"),
        ])
        func `an ID that no network can have is refused, with the reason`(text: String, word: String) async throws {
            let node = try await Node.start(
                Constellation.configuration(TestIdentity.first, Constellation.makePlanet(port: 1)))
            let error = #expect(throws: ZeroTierError.self) { try node.startJoining(NetworkID(text)!) }
            #expect(error?.code == .invalidArgument && error?.message.contains(word) == true, "\(error!)")
            #expect(try node.networks().isEmpty)
            await node.shutdown()
        }

        @Test func `who shuts down in the log does not wait for itself`() async throws {
            let shared = Mutex<Node?>(nil)
            let calls = Mutex(0)
            var configuration = Constellation.configuration(TestIdentity.first, try Constellation.makePlanet(port: 1))
            configuration.log = { _ in
                guard let node = shared.withLock({ $0 }) else { return }
                node.shutdownBlocking()
                calls.withLock { $0 += 1 }
            }
            let node = try await Node.start(configuration)
            shared.withLock { $0 = node }
            try node.startJoining(Constellation.network)
            for await event in node.events where event == .stopped { break }
            await node.shutdown()
            node.shutdownBlocking()
            #expect(calls.withLock { $0 } > 0)
            #expect(throws: ZeroTierError.self) { try node.status() }
            shared.withLock { $0 = nil }
        }

        @Test func `reading no bytes is an error, not the end of the stream`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 0)
            async let accepted = listener.accept(timeout: .seconds(20))
            let client = try await nodes.first.connect(
                to: SocketEndpoint(address, port: listener.localEndpoint.port), timeout: .seconds(20))
            let server = try await accepted
            try await client.write([1, 2, 3])
            for count in [0, -1] {
                let error = await #expect(throws: ZeroTierError.self) { try await server.read(upTo: count) }
                #expect(error?.code == .invalidArgument)
            }
            #expect(try await server.read(exactly: 3) == [1, 2, 3])
            await nodes.shutdown()
        }

        @Test func `drops of the kernel and of the stack are in the status`() async throws {
            let identity = try Identity(text: Identity(text: TestIdentity.root).publicText)
            // A root that none of the node's sockets can send to.
            let root = RootSet.Root(identity: identity, endpoints: [SocketEndpoint(IPAddress("::1")!, port: 9)])
            let planet = try RootSet(id: 77, roots: [root], key: RootSet.SigningKey())
            var configuration = Constellation.configuration(TestIdentity.first, planet)
            configuration.bindAddresses = [IPAddress("127.0.0.1")!]
            let node = try await Node.start(configuration)
            try node.driver.call { (core, now) throws(ZeroTierError) in
                let socket = try core.udpSocket()
                try core.send([1], from: socket, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 9), now)
            }
            var drops = try node.status().drops
            for _ in 0..<2000 where drops[.kernel(.sendRefused)] == nil || drops[.stack(.noSocket)] == nil {
                try await Task.sleep(for: .milliseconds(10))
                drops = try node.status().drops
            }
            #expect(drops[.kernel(.sendRefused), default: 0] > 0)
            #expect(drops[.stack(.noSocket)] == 1)
            #expect(drops[.kernel(.sendBufferFull)] == nil, "only what happened")
            await node.shutdown()
        }

        @Test func `a group that a socket joins is told to the roots by the call itself`() async throws {
            let nodes = try await Constellation()
            _ = try await nodes.join()
            let driver = nodes.first.driver
            // Under one hold of the lock: nothing but the call can have sent.
            var turns: [NodeDriver.Next] = []
            let (sent, left) = driver.state.withLock { state -> (UInt64, Int?) in
                guard state.core != nil else { return (0, nil) }
                let now = SystemClock.now()
                repeat { turns.append(driver.settle(&state.core!, now)) } while turns.last?.hasMore == true
                let before = state.core!.port.statistics.datagramsSent
                guard let socket = try? state.core!.node.stack.udpOpen(isIPv4: false),
                    (try? state.core!.joinGroup(socket, IPAddress("ff05::1234")!, now: now)) != nil
                else { return (0, nil) }
                turns.append(driver.settle(&state.core!, now))
                let after = state.core!.port.statistics.datagramsSent
                return (after - before, state.core!.node.ethernet.packetCount)
            }
            for next in turns { driver.carryOn(next, slabs: .max) }
            #expect(sent >= 1)
            #expect(left == 0)
            await nodes.shutdown()
        }

        @Test func `a datagram behind an error is received by the same call`() async throws {
            let planet = try Constellation.makePlanet(port: 1)
            let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
            let loopback = IPAddress("127.0.0.1")!
            let local = SocketEndpoint(loopback, port: 7001)
            let remote = SocketEndpoint(loopback, port: 7002)
            let socket = try node.driver.call { (core, now) throws(ZeroTierError) in
                let socket = try core.udpSocket(local)
                try core.connect(socket, to: remote, now)
                // Nobody listens there yet: the answer is an error.
                try core.send([1], from: socket, to: remote, now)
                return socket
            }
            try node.driver.call { (core, now) throws(ZeroTierError) in
                #expect((try? core.node.stack.readiness(of: socket))?.contains(.error) == true)
                try core.send([2], from: try core.udpSocket(remote), to: local, now)
            }
            let datagram = try node.driver.call { (core, now) throws(ZeroTierError) in
                try core.datagramReceive(socket, now: now)
            }
            #expect(datagram?.bytes == [2])
            await node.shutdown()
        }

        // In a process of their own: the other suites' nodes come and go in this one.
        @Test func `twenty nodes started and stopped leave no thread and no descriptor`() async {
            await #expect(processExitsWith: .success) {
                let planet = try Constellation.makePlanet(port: 1)
                let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
                await node.shutdown()
                let threads = try nodeThreads()
                let descriptors = try entries("/proc/self/fd")
                for cycle in 0..<20 {
                    let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
                    try node.startJoining(Constellation.network)
                    _ = try node.listen(port: 80)
                    if cycle % 2 == 0 { await node.shutdown() } else { node.shutdownBlocking() }
                }
                #expect(try nodeThreads() == threads)
                #expect(try entries("/proc/self/fd") == descriptors)
            }
        }

        @Test func `a node that nobody refers to any more ends by itself`() async {
            await #expect(processExitsWith: .success) {
                let planet = try Constellation.makePlanet(port: 1)
                let before = try nodeThreads()
                do {
                    let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
                    #expect(try nodeThreads() == before + 2)
                    #expect(node.port != 0)
                }
                for _ in 0..<500 where try nodeThreads() != before { try await Task.sleep(for: .milliseconds(10)) }
                #expect(try nodeThreads() == before)
            }
        }

        private func isCancelled(_ body: () async throws -> Void) async -> Bool {
            do {
                try await body()
                return false
            } catch {
                return error is CancellationError
            }
        }

        private func code(_ body: () async throws -> Void) async -> ZeroTierError.Code? {
            do {
                try await body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }
    }
}
