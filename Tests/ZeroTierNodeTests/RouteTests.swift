// What a member makes of routes by gateways, and of replicators, that its controller names.

import NetPrimitives
import NetStack
import Testing
import ZeroTierEthernet
import ZeroTierWire

@testable import ZeroTierNode

/// Host 0 is the root, hosts 1 to 3 have 10.1.0.N.
@Suite struct RouteTests {
    private let lab = Lab(nodes: 3)
    private let id = NetworkID(0x1122_3344_5500_0001)
    private let gateway = IPAddress(v4: 0x0a01_0002)
    private let beyond = IPAddress(v4: 0x0a63_0007)

    private func join(_ index: Int, _ change: (inout NetworkConfig) -> Void = { _ in }) throws {
        var config = NetworkConfig(
            network: id, issuedTo: lab.hosts[index].node.address, timestamp: UInt64(lab.now.unixMilliseconds))
        config.isPublic = true
        config.flags |= NetworkConfig.broadcastFlag
        config.multicastLimit = 32
        config.rules = [Rule(.accept)]
        config.addresses = [IPPrefix(IPAddress(v4: 0x0a01_0000 + UInt32(index)), length: 16)]
        config.routes = [
            NetworkRoute(target: try #require(IPPrefix("10.1.0.0/16")), via: nil),
            NetworkRoute(target: try #require(IPPrefix("10.99.0.0/24")), via: gateway),
            NetworkRoute(target: try #require(IPPrefix("fd00::/16")), via: IPAddress("fd01::1")),
        ]
        change(&config)
        let saved = config.encoded
        let isJoined = lab.act(index) { node, now in node.join(id, saved: saved, now: now) }
        #expect(isJoined)
    }

    private func routes(_ index: Int) -> Set<String> {
        Set(lab.hosts[index].node.network(id)?.routes.map(\.target.description) ?? [])
    }

    private func reaches(_ from: Int, _ address: IPAddress, _ sequence: UInt16, within time: Duration) throws -> Bool {
        try lab.act(from) { node, now in
            try [UInt8](repeating: 1, count: 8).withBytes { bytes in
                try node.stack.sendEcho(to: address, identifier: 7, sequence: sequence, payload: bytes, now: now)
            }
        }
        return lab.run(for: time) {
            lab.hosts[from].events.contains {
                guard case .echoReply(let reply) = $0 else { return false }
                return reply.sequence == sequence && reply.source == address
            }
        }
    }

    @Test func `a packet for what is beyond a gateway goes to that member, and its answer comes back`() throws {
        lab.run(for: .seconds(10)) { (0...3).allSatisfy { lab.isOnline($0) } }
        for index in 1...3 { try join(index) }
        // One in whose family it has no address leads nowhere.
        #expect(routes(1) == ["10.1.0.0/16", "10.99.0.0/24"])
        #expect(routes(2) == ["10.1.0.0/16"], "it is the gateway itself")
        // What lies beyond is on the same host.
        let isAdded = lab.act(2) { node, now in
            guard let interface = node.interface(of: id) else { return false }
            return node.stack.addAddress(IPPrefix(beyond, length: 24), to: interface, now: now)
        }
        #expect(isAdded)
        lab.run(for: .seconds(3))
        #expect(try reaches(1, beyond, 1, within: .seconds(5)))
        #expect(try reaches(3, beyond, 2, within: .seconds(5)))
        // Without the route there is no way.
        var settings = NetworkSettings()
        settings.managedPrefixes = [try #require(IPPrefix("10.1.0.0/16"))]
        let narrow = settings
        _ = lab.act(1) { node, now in node.setSettings(narrow, of: id, now: now) }
        #expect(routes(1) == ["10.1.0.0/16"])
        #expect(throws: StackError.self) { _ = try reaches(1, beyond, 3, within: .seconds(1)) }
    }

    @Test(arguments: [true, false])
    func `multicasts go to a replicator that has a path, and to nobody else`(isBridge: Bool) throws {
        lab.run(for: .seconds(10)) { (0...3).allSatisfy { lab.isOnline($0) } }
        let replicator = Specialist(
            lab.hosts[2].node.address,
            roles: Specialist.multicastReplicator | (isBridge ? Specialist.activeBridge : 0))
        for index in 1...3 { try join(index) { $0.specialists = [replicator] } }
        lab.run(for: .seconds(10))
        // The question for the neighbour is a broadcast. Members take what is passed on from a bridge alone.
        #expect(try reaches(1, IPAddress(v4: 0x0a01_0003), 1, within: .seconds(5)) == isBridge)
    }
}
