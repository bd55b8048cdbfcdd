import NetPrimitives
import NetStack
import Testing
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

@Suite struct FirstLightTests {
    private let anyPort = NetworkID(0xff00_00ff_ff00_0000)

    private func online(_ lab: Lab, _ network: NetworkID) {
        #expect(lab.run(for: .seconds(10)) { (0..<lab.hosts.count).allSatisfy { lab.isOnline($0) } })
        for index in 1..<lab.hosts.count {
            let joined = lab.act(index) { node, now in node.join(network, now: now) }
            #expect(joined)
        }
    }

    /// Sends `size` bytes from host 1 to host 2 by TCP and returns what arrived, with the time that it took.
    private func transfer(_ lab: Lab, to address: IPAddress, size: Int) throws -> (bytes: [UInt8], time: Duration) {
        let sent = RandomSourceBytes.make(size)
        let listener = try lab.act(2) { node, now in
            try node.stack.tcpListen(
                on: SocketEndpoint(address.isIPv4 ? .anyIPv4 : .anyIPv6, port: 7777), backlog: 5, now: now)
        }
        let start = lab.now.monotonic
        let client = try lab.act(1) { node, now in
            try node.stack.tcpConnect(to: SocketEndpoint(address, port: 7777), now: now)
        }
        var server: SocketID?
        var offset = 0
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        lab.run(for: .seconds(120)) {
            if server == nil { server = try? lab.act(2) { node, now in try node.stack.accept(listener, now: now) } }
            if offset < sent.count {
                let chunk = Array(sent[offset..<min(sent.count, offset + 65_536)])
                let count = try? lab.act(1) { node, now in
                    try chunk.withBytes { bytes in try node.stack.send(client, bytes, now: now) }
                }
                offset += count ?? 0
            }
            if let server {
                while true {
                    let count = try? lab.act(2) { node, now in
                        try buffer.withMutableBytes { try node.stack.receive(server, into: &$0, now: now) }
                    }
                    guard let count, count > 0 else { break }
                    received += buffer[..<count]
                }
            }
            return received.count >= size
        }
        #expect(received == sent)
        return (received, lab.now.monotonic - start)
    }

    @Test func `a node is online one round trip after its start`() {
        let lab = Lab(nodes: 1)
        let start = lab.now.monotonic
        #expect(lab.run(for: .seconds(5)) { lab.isOnline(1) })
        #expect(lab.now.monotonic - start <= .milliseconds(10))
    }

    @Test func `two members of an ad-hoc network exchange a stream, relayed first and then direct`() throws {
        let lab = Lab(nodes: 2)
        online(lab, anyPort)
        let address = try #require(lab.address(2, on: anyPort))
        let result = try transfer(lab, to: address, size: 300_000)
        #expect(result.time < .seconds(5))
        let isDirect = lab.hosts[1].events.contains {
            if case .peerDirect(let peer, _) = $0 { peer == lab.hosts[2].node.address } else { false }
        }
        #expect(isDirect)
        #expect(lab.directDatagrams > 100)
    }

    /// Its address is greater or smaller than that of the root that is there. By IPv4, neighbours are asked for through roots.
    @Test(arguments: 1...12)
    func `a root that is not there delays no first connection`(_ seed: UInt64) throws {
        let others = Fixture.identities.dropFirst(3).sorted { $0.address < $1.address }
        let dead = try #require(seed % 2 == 0 ? others.first : others.last)
        #expect((dead.address < Fixture.identities[0].address) == (seed % 2 == 0))
        let network = NetworkID(0xff1c_0000_0000_0001)
        let lab = Lab(nodes: 2, deadRoot: dead, seed: seed)
        #expect(lab.run(for: .seconds(10)) { (0...2).allSatisfy { lab.isOnline($0) } })
        for index in 1...2 {
            _ = lab.act(index) { node, now in node.join(network, now: now) }
            if seed % 3 == 0 { lab.run(for: .milliseconds(Int64(seed) * 40)) }
        }
        let address = try #require(lab.address(2, on: network, ipv4: true))
        let result = try transfer(lab, to: address, size: 10_000)
        #expect(result.time < .milliseconds(1500))
    }

    @Test func `a stream comes through when every packet must be relayed`() throws {
        let lab = Lab(nodes: 2)
        for host in lab.hosts.dropFirst() { host.acceptsDirect = false }
        online(lab, anyPort)
        let address = try #require(lab.address(2, on: anyPort))
        _ = try transfer(lab, to: address, size: 200_000)
        #expect(lab.directDatagrams == 0)
        #expect(lab.hosts[0].node.peers.relayedPackets > 50)
    }

    @Test func `an old protocol version makes the pair speak Salsa20`() throws {
        let lab = Lab(nodes: 2, protocolVersion: 11)
        online(lab, anyPort)
        let address = try #require(lab.address(2, on: anyPort))
        _ = try transfer(lab, to: address, size: 100_000)
        // Host 2 sends to host 1, which announced 11: acknowledgements in suite 1.
        #expect(lab.hosts[1].node.statistics.suites.salsa > 10)
    }

    @Test func `the IPv4 ad-hoc form resolves by ARP over multicast`() throws {
        let lab = Lab(nodes: 2)
        let network = NetworkID(0xff1c_0000_0000_0001)
        online(lab, network)
        lab.run(for: .seconds(1))
        let address = try #require(lab.address(2, on: network, ipv4: true))
        _ = try transfer(lab, to: address, size: 50_000)
    }

    @Test(arguments: [true, false])
    func `a datagram in pieces arrives between nodes, judged as a whole`(_ isIPv4: Bool) throws {
        let lab = Lab(nodes: 2)
        let network = isIPv4 ? NetworkID(0xff1c_0000_0000_0001) : anyPort
        online(lab, network)
        lab.run(for: .seconds(1))
        let address = try #require(lab.address(2, on: network, ipv4: isIPv4))
        let sent = RandomSourceBytes.make(9_000)
        let receiver = try lab.act(2) { node, now in
            let id = try node.stack.udpOpen(isIPv4: isIPv4)
            try node.stack.udpBind(id, to: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 7))
            return id
        }
        try lab.act(1) { node, now in
            let id = try node.stack.udpOpen(isIPv4: isIPv4)
            try sent.withBytes {
                try node.stack.sendTo(id, $0, to: SocketEndpoint(address, port: 7), now: now)
            }
        }
        var received: [UInt8] = []
        lab.run(for: .seconds(5)) {
            var buffer = [UInt8](repeating: 0, count: 10_000)
            let datagram = try? lab.act(2) { node, now in
                try buffer.withMutableBytes { try node.stack.receiveFrom(receiver, into: &$0, peek: false, now: now) }
            }
            if let datagram { received = Array(buffer[..<datagram.count]) }
            return !received.isEmpty
        }
        #expect(received == sent)
        #expect(lab.hosts[2].node.statistics.stack.reassembled == 1)
    }

    @Test(arguments: [true, false])
    func `a datagram in pieces that the rules refuse as a whole does not arrive`(_ isIPv4: Bool) throws {
        let lab = Lab(nodes: 2)
        let network = NetworkID(0x1122_3344_5500_0001)
        // No piece reaches as far as the byte that the rules look at.
        let rules = [
            Rule(.integerRange(start: 0x2a, end: 0x2a, index: 5000, format: 7)), Rule(.drop), Rule(.accept),
        ]
        let addresses = (1...2 as ClosedRange<UInt32>).map { IPAddress(v4: 0x0a01_0000 + $0) }
        let pairs = isIPv4 ? addresses : lab.hosts.dropFirst().map { network.sixPlaneAddress(of: $0.node.address) }
        for index in 1...2 {
            var config = NetworkConfig(
                network: network, issuedTo: lab.hosts[index].node.address,
                timestamp: UInt64(lab.now.unixMilliseconds))
            config.isPublic = true
            config.flags |= NetworkConfig.broadcastFlag | NetworkConfig.neighbourEmulationFlag
            config.multicastLimit = 32
            config.rules = rules
            config.addresses = [
                IPPrefix(pairs[index - 1], length: isIPv4 ? 24 : NetworkID.sixPlanePrefixLength)
            ]
            let saved = config.encoded
            let isJoined = lab.act(index) { node, now in node.join(network, saved: saved, now: now) }
            #expect(isJoined)
        }
        #expect(lab.run(for: .seconds(10)) { lab.isOnline(1) && lab.isOnline(2) })
        lab.run(for: .seconds(2))
        let receiver = try lab.act(2) { node, now in
            let id = try node.stack.udpOpen(isIPv4: isIPv4)
            try node.stack.udpBind(id, to: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 7))
            return id
        }
        let sender = try lab.act(1) { node, now in try node.stack.udpOpen(isIPv4: isIPv4) }
        for length in [9_000, 4_000] {
            let sent = [UInt8](repeating: 0x2a, count: length)
            try lab.act(1) { node, now in
                try sent.withBytes {
                    try node.stack.sendTo(sender, $0, to: SocketEndpoint(pairs[1], port: 7), now: now)
                }
            }
            lab.run(for: .seconds(5))
        }
        var buffer = [UInt8](repeating: 0, count: 10_000)
        let datagram = try lab.act(2) { node, now in
            try buffer.withMutableBytes { try node.stack.receiveFrom(receiver, into: &$0, peek: false, now: now) }
        }
        #expect(datagram.count == 4_000, "the short one came, the long one did not")
        #expect(lab.hosts[2].node.statistics.stack.reassembled == 2)
    }

    @Test func `an echo request is answered on both families`() throws {
        let lab = Lab(nodes: 2)
        let network = NetworkID(0xff1c_0000_0000_0001)
        online(lab, network)
        lab.run(for: .seconds(1))
        for ipv4 in [true, false] {
            let address = try #require(lab.address(2, on: network, ipv4: ipv4))
            let sequence: UInt16 = ipv4 ? 4 : 6
            try lab.act(1) { node, now in
                try [UInt8](repeating: 7, count: 56).withBytes { payload in
                    try node.stack.sendEcho(to: address, identifier: 1, sequence: sequence, payload: payload, now: now)
                }
            }
            let isAnswered = lab.run(for: .seconds(5)) {
                lab.hosts[1].events.contains {
                    if case .echoReply(let reply) = $0 { reply.sequence == sequence } else { false }
                }
            }
            #expect(isAnswered)
        }
    }

    @Test func `a port outside the ad-hoc range is refused by the sender's own rules`() throws {
        let lab = Lab(nodes: 2)
        let network = NetworkID(0xff00_5000_5000_0000)
        online(lab, network)
        let address = try #require(lab.address(2, on: network))
        let client = try lab.act(1) { node, now in
            try node.stack.tcpConnect(to: SocketEndpoint(address, port: 81), now: now)
        }
        lab.run(for: .seconds(3))
        #expect(try lab.hosts[1].node.stack.state(client) != .established)
        #expect((lab.hosts[1].node.statistics.ethernetDrops[.ruleOutbound] ?? 0) > 0)
    }

    @Test func `leaving a network ends its sockets`() throws {
        let lab = Lab(nodes: 2)
        online(lab, anyPort)
        let address = try #require(lab.address(2, on: anyPort))
        let listener = try lab.act(2) { node, now in
            try node.stack.tcpListen(on: SocketEndpoint(.anyIPv6, port: 7), backlog: 5, now: now)
        }
        let client = try lab.act(1) { node, now in
            try node.stack.tcpConnect(to: SocketEndpoint(address, port: 7), now: now)
        }
        #expect(lab.run(for: .seconds(10)) { (try? lab.hosts[1].node.stack.state(client)) == .established })
        let wasJoined = lab.act(1) { node, now in node.leave(anyPort, now: now) }
        #expect(wasJoined)
        #expect(throws: StackError.self) {
            try lab.act(1) { node, now in _ = try [1].withBytes { try node.stack.send(client, $0, now: now) } }
        }
        #expect(lab.hosts[1].node.networks.isEmpty)
        lab.act(2) { node, now in node.stack.close(listener, now: now) }
    }

    @Test func `a network that is left before a restarted node was admitted again takes its interface with it`() throws
    {
        let (identity, controller) = (Fixture.identities[1], Fixture.identities[2])
        let network = NetworkID(controller.address.value << 24 | 7)
        let now = Now(monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 1_790_000_000_000)
        func configuration() -> NodeConfiguration { NodeConfiguration(planet: Lab(nodes: 1).world) }
        var saved = NetworkConfig(network: network, issuedTo: identity.address, timestamp: 1_790_000_000_000)
        let prefix = try #require(IPPrefix("10.7.0.9/24"))
        saved.addresses = [prefix]
        saved.rules = [Rule(.accept)]
        saved.membership = Membership(
            network: network, issuedTo: identity, timestamp: 1_790_000_000_000, window: 1_800_000, signedBy: controller)
        var first = Node(
            identity: identity, configuration: configuration(), random: RandomSource(seed: 1), now: now)
        let isJoined = first.join(network, saved: saved.encoded, now: now)
        #expect(isJoined)
        let member = SocketEndpoint(IPAddress(v4: 0x0a07_0001), port: 7)
        _ = try first.stack.tcpConnect(to: member, now: now)

        var second = Node(
            identity: identity, configuration: configuration(), random: RandomSource(seed: 2),
            keeping: first.handOver(), now: now)
        let isJoinedAgain = second.join(network, now: now)
        #expect(isJoinedAgain)
        // Kept for when it is admitted.
        _ = try second.stack.tcpConnect(to: member, now: now)
        let isLeft = second.leave(network, now: now)
        #expect(isLeft)
        var error: StackError?
        do { _ = try second.stack.tcpConnect(to: member, now: now) } catch let thrown { error = thrown }
        #expect(error == .networkUnreachable)
    }

    @Test func `an idle network goes quiet`() throws {
        let lab = Lab(nodes: 2)
        online(lab, anyPort)
        let address = try #require(lab.address(2, on: anyPort))
        _ = try transfer(lab, to: address, size: 10_000)
        lab.run(for: .seconds(900))
        let before = lab.datagrams
        lab.run(for: .seconds(600))
        // Two nodes keep in touch with one root: at most one exchange per 5 s and node.
        #expect(lab.datagrams - before <= 2 * 2 * 600 / 5)
    }
}

enum RandomSourceBytes {
    static func make(_ count: Int) -> [UInt8] {
        var random = RandomSource(seed: 77)
        return random.bytes(count)
    }
}
