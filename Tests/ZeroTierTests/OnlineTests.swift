import Foundation
import NetPrimitives
import Testing

@testable import ZeroTier

/// What a node says of the reasons for which it is not online.
extension DriverTests {
    @Suite struct OnlineTests {
        @Test func `a planet with roots on the loopback interface needs no switch`() async throws {
            let port = try Node.findFreePort()
            let planet = try Constellation.makePlanet(port: port)
            var nodes: [Node] = []
            for (identity, port) in [(TestIdentity.root, port), (TestIdentity.first, 0)] {
                var configuration = Node.Configuration(storage: .store(MemoryStore(identity: identity)))
                configuration.planet = planet
                configuration.port = port
                nodes.append(try await Node.start(configuration))
            }
            try await nodes[1].waitUntilOnline(timeout: .seconds(20))
            #expect(try nodes[1].status().offlineReason == nil)
            for node in nodes { await node.shutdown() }
        }

        @Test func `who waits, connects or pings in vain is told the roots that do not answer`() async throws {
            let planet = try Constellation.makePlanet(port: 1)
            let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
            try node.startJoining(Constellation.network)
            #expect(try node.status().offlineReason?.contains("127.0.0.1:1") == true)
            let online = await #expect(throws: ZeroTierError.self) {
                try await node.waitUntilOnline(timeout: .milliseconds(20))
            }
            #expect(online?.code == .noRootAnswered && online?.message.contains("127.0.0.1:1") == true)
            let address = try #require(try await node.join(Constellation.network).addresses.first?.address)
            let nobody = IPAddress(v6High: address.high, low: address.low ^ 0xff)
            let connect = await #expect(throws: ZeroTierError.self) {
                try await node.connect(to: SocketEndpoint(nobody, port: 1), timeout: .milliseconds(20))
            }
            #expect(connect?.message.contains("not online") == true)
            let ping = await #expect(throws: ZeroTierError.self) {
                try await node.ping(nobody, timeout: .milliseconds(20))
            }
            #expect(ping?.message.contains("not online") == true)
            await node.shutdown()
        }

        @Test func `what no patience mends is told at once`() async throws {
            let root = try Identity(text: Identity(text: TestIdentity.root).publicText)
            var configuration = Node.Configuration(storage: .store(MemoryStore(identity: TestIdentity.first)))
            configuration.planet = try RootSet(
                id: 77, roots: [.init(identity: root, endpoints: [])], key: RootSet.SigningKey())
            let (warnings, told) = AsyncStream.makeStream(of: ZeroTierError.self)
            configuration.log = { event in
                if case .warning(let error) = event { told.yield(error) }
            }
            let node = try await Node.start(configuration)
            for await warning in warnings {
                #expect(warning.code == .noRootAnswered && warning.message.contains("no endpoints"))
                break
            }
            await node.shutdown()
        }
    }
}
