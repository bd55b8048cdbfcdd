import Foundation
import Testing

@testable import ZeroTier

extension DriverTests {
    /// A node that is a root by itself.
    @Suite struct RootTests {
        private func endpoint(_ text: String) -> SocketEndpoint { SocketEndpoint(text)! }

        private func start(_ store: MemoryStore, _ endpoints: [String] = [], port: UInt16) async throws -> Node {
            var configuration = Node.Configuration(storage: .store(store))
            configuration.root = Node.Root(endpoints: endpoints.map(endpoint))
            configuration.port = port
            configuration.allowsLoopbackPaths = true
            return try await Node.start(configuration)
        }

        private func endpoints(_ node: Node) throws -> [SocketEndpoint] {
            try #require(try node.planet()).roots.flatMap(\.endpoints)
        }

        @Test func `a root makes a planet of its own, keeps it, and signs another one only when it is told`()
            async throws
        {
            let store = MemoryStore(identity: TestIdentity.root)
            let port = try Node.findFreePort()
            let first = try await start(store, ["192.0.2.7/9993"], port: port)
            let planet = try #require(try first.planet())
            #expect(try first.status().isRoot && planet.roots.map(\.identity.id) == [first.id])
            await first.shutdown()

            // Another port and other addresses of this machine are no reason.
            let second = try await start(store, port: try Node.findFreePort())
            #expect(try second.planet() == planet)
            await second.shutdown()
            #expect(try store.read("planet") == planet.bytes)

            let third = try await start(store, ["192.0.2.8/9993"], port: port)
            let next = try #require(try third.planet())
            #expect(next.roots.flatMap(\.endpoints) == [endpoint("192.0.2.8/9993")])
            #expect(planet.world.canBeReplaced(by: next.world))
            await third.shutdown()
        }

        @Test func `a new version is newer, even if the clock is behind`() async throws {
            let store = MemoryStore(identity: TestIdentity.root)
            let key = RootSet.SigningKey()
            let root = RootSet.Root(
                identity: try Identity(text: Identity(text: TestIdentity.root).publicText),
                endpoints: [endpoint("192.0.2.7/9993")])
            let planet = try RootSet(id: 77, timestampMilliseconds: 1 << 60, roots: [root], key: key)
            try store.write("planet", planet.bytes, isSecret: false)
            try store.write("planet.key", key.bytes, isSecret: true)
            let node = try await start(store, ["192.0.2.8/9993"], port: try Node.findFreePort())
            #expect(planet.world.canBeReplaced(by: try #require(try node.planet()).world))
            await node.shutdown()
        }

        @Test func `a start that fails for its port has neither made nor taken over a planet`() async throws {
            let store = MemoryStore(identity: TestIdentity.root)
            let other = try await start(MemoryStore(identity: TestIdentity.second), port: try Node.findFreePort())
            let error = await #expect(throws: ZeroTierError.self) {
                try await start(store, ["192.0.2.7/9993"], port: other.port)
            }
            #expect(error?.code == .portTaken)
            #expect(try store.read("planet") == nil && store.read("planet.key") == nil)

            let key = RootSet.SigningKey()
            let root = RootSet.Root(
                identity: try Identity(text: Identity(text: TestIdentity.root).publicText),
                endpoints: [endpoint("192.0.2.7/9993")])
            let planet = try RootSet(id: 77, roots: [root], key: key)
            try store.write("planet", planet.bytes, isSecret: false)
            try store.write("planet.key", key.bytes, isSecret: true)
            await #expect(throws: ZeroTierError.self) {
                try await start(store, ["192.0.2.8/9993"], port: other.port)
            }
            var ordinary = Node.Configuration(storage: .store(store))
            ordinary.planet = try Constellation.makePlanet(port: 1)
            ordinary.port = other.port
            await #expect(throws: ZeroTierError.self) { try await Node.start(ordinary) }
            #expect(try store.read("planet") == planet.bytes)
            await other.shutdown()
        }

        @Test func `a root's own planet and another one exclude each other`() async throws {
            var configuration = Node.Configuration()
            configuration.root = Node.Root()
            configuration.planet = try Constellation.makePlanet(port: 1)
            let error = await #expect(throws: ZeroTierError.self) { try await Node.start(configuration) }
            #expect(error?.code == .invalidArgument)
        }

        @Test(arguments: [0, 16 * 1024 - 1, 16 * 1024 * 1024 * 1024 + 1])
        func `a relay budget out of range is refused with the range`(budget: Int) async throws {
            var configuration = Node.Configuration()
            configuration.relayedBytesPerSecond = budget
            let error = await #expect(throws: ZeroTierError.self) { try await Node.start(configuration) }
            #expect(error?.message.contains("16384 to 17179869184, not \(budget)") == true)
        }

        @Test(arguments: [nil, 16 * 1024])
        func `a root relays as many bytes a second as it was told`(budget: Int?) async throws {
            let port = try Node.findFreePort()
            let planet = try Constellation.makePlanet(port: port)
            var settings = Constellation.configuration(TestIdentity.root, planet)
            settings.port = port
            if let budget { settings.relayedBytesPerSecond = budget }
            let root = try await Node.start(settings)
            var nodes: [Node] = []
            for identity in [TestIdentity.first, TestIdentity.second] {
                var configuration = Constellation.configuration(identity, planet)
                configuration.isRelayOnly = true
                nodes.append(try await Node.start(configuration))
            }
            var addresses: [IPAddress] = []
            for node in nodes {
                try await node.waitUntilOnline(timeout: .seconds(20))
                addresses.append(try #require(try await node.join(Constellation.network).addresses.first?.address))
            }
            _ = try await nodes[0].ping(addresses[1], timeout: .seconds(20))
            let socket = try nodes[0].datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 0))
            let datagram = [UInt8](repeating: 0x5a, count: 1000)
            try await socket.send(
                all: Array(repeating: datagram, count: 100), to: SocketEndpoint(addresses[1], port: 7))
            // What was sent later comes later.
            _ = try? await nodes[0].ping(addresses[1], sequence: 1, timeout: .seconds(3))
            let dropped = try root.status().drops[.peers(.relayBudget)] ?? 0
            #expect(budget == nil ? dropped == 0 : dropped > 0, "\(dropped)")
            for node in nodes + [root] { await node.shutdown() }
        }
    }
}
