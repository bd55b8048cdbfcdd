import NetPrimitives
import Testing

@testable import ZeroTier

extension DriverTests {
    /// What is told of a network's addresses.
    @Suite struct NetworkEventTests {
        @Test func `addresses are told of as they come and go`() async throws {
            let node = try await Node.start(
                Constellation.configuration(TestIdentity.first, try Constellation.makePlanet(port: 1)))
            let id = NetworkID.adHoc(ports: 7...9)
            var events = node.events.makeAsyncIterator()
            // What is told of addresses until the network was told of as changed.
            func told() async -> [NodeEvent] {
                var result: [NodeEvent] = []
                while let event = await events.next() {
                    switch event {
                    case .address: result.append(event)
                    case .networkChanged where !result.isEmpty: return result
                    default: break
                    }
                }
                return result
            }
            try node.startJoining(id)
            let network = try #require(try node.networks().first)
            let address = try #require(network.addresses.first)
            let added = await told()
            #expect(added == [.address(id, address, isAdded: true)])
            try node.setSettings(NetworkSettings(allowsManaged: false), of: id)
            let removed = await told()
            #expect(removed == [.address(id, address, isAdded: false)])
            await node.shutdown()
        }
    }
}
