// Routes, gateways, source selection, path MTU, several interfaces. RFC 6724, RFC 1191, RFC 8201.

import NetPrimitives
import Testing

@testable import NetStack

struct RoutingTests {
    private func stack(_ addresses: [String]) throws -> (StackHost, Now) {
        let network = TestNetwork()
        var settings = InterfaceConfiguration(mtu: 2_800)
        settings.makesLinkLocalAddress = false
        let host = try network.add(1, addresses: addresses, settings: settings)
        network.run(for: .seconds(5))
        return (host, network.now)
    }

    @Test(
        arguments: [
            (["10.0.0.1/24", "10.1.0.1/16"], "10.1.5.5", "10.1.0.1"),
            (["10.0.0.1/24", "10.0.0.2/24"], "10.0.0.9", "10.0.0.1"),
            (["fd00::1/64", "fd00:0:0:1::1/64"], "fd00:0:0:1::9", "fd00:0:0:1::1"),
            // Scope: a link-local source for a link-local destination, a wider one for a wider one.
            (["fe80::1/64", "fd00::1/64"], "fe80::9", "fe80::1"), (["fe80::1/64", "fd00::1/64"], "fd00::9", "fd00::1"),
            // Label: a unique local destination prefers a unique local source.
            (["2001:db8::1/32", "fd00::1/8"], "fd99::9", "fd00::1"),
            (["fd00::1/8", "2001:db8::1/32"], "2001:db8:5::9", "2001:db8::1"),
            // Rule 1: oneself.
            (["fd00::1/64", "fd00::2/64"], "fd00::2", "fd00::2"),
        ] as [([String], String, String)])
    func `the source follows RFC 6724`(addresses: [String], target: String, expected: String) throws {
        let (host, now) = try stack(addresses)
        let route = try host.stack.route(to: address(target), from: nil, on: nil, now: now)
        #expect(route.source == address(expected))
    }

    @Test func `gateways are used for what is not on the link, the longest prefix first`() throws {
        let (host, now) = try stack(["10.0.0.1/24", "fd00::1/64"])
        func route(_ prefix: String, _ gateway: String?, source: String? = nil) {
            let added = host.stack.addRoute(
                StackRoute(
                    IPPrefix(prefix) ?? IPPrefix(.anyIPv4, length: 0), interface: host.interface,
                    gateway: gateway.map { address($0) }, preferredSource: source.map { address($0) }))
            #expect(added)
        }
        route("0.0.0.0/0", "10.0.0.254")
        route("192.168.0.0/16", "10.0.0.253")
        route("::/0", "fd00::ff")
        func nextHop(_ text: String) throws -> IPAddress {
            try host.stack.route(to: address(text), from: nil, on: nil, now: now).nextHop
        }
        #expect(try nextHop("8.8.8.8") == address("10.0.0.254"))
        #expect(try nextHop("192.168.1.1") == address("10.0.0.253"))
        #expect(try nextHop("10.0.0.77") == address("10.0.0.77"))
        #expect(try nextHop("2001:db8::1") == address("fd00::ff"))
        host.stack.removeRoutes(on: host.interface)
        #expect(throws: StackError.networkUnreachable) { try nextHop("8.8.8.8") }
        let wrong = StackRoute(
            IPPrefix(.anyIPv4, length: 0), interface: host.interface, gateway: address("fd00::ff"))
        #expect(host.stack.addRoute(wrong) == false)
    }

    @Test func `a packet through a gateway goes to the gateway's MAC`() throws {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let prefix = try #require(IPPrefix("172.16.0.0/12"))
        let route = StackRoute(prefix, interface: a.interface, gateway: address("10.0.0.2"))
        #expect(a.stack.addRoute(route) == true)
        #expect(
            b.stack.addAddress(IPPrefix(address("172.16.0.9"), length: 12), to: b.interface, now: network.now) == true)
        let back = StackRoute(try #require(IPPrefix("10.0.0.1/32")), interface: b.interface)
        #expect(b.stack.addRoute(back) == true)
        try a.sendEcho(to: address("172.16.0.9"), now: network.now)
        network.run(for: .milliseconds(100))
        #expect(a.echoReplies.count == 1)
        #expect(a.stack.neighbour(address("172.16.0.9"), on: a.interface) == nil)
    }

    @Test func `networks with the same addresses are told apart by their interface`() throws {
        let network = TestNetwork()
        var stack = NetworkStack(random: RandomSource(seed: 1))
        var interfaces: [InterfaceID] = []
        for number in UInt64(1)...2 {
            let mac = MACAddress(0x0200_0000_0000 | number)
            let added = stack.addInterface(
                mac: mac, configuration: InterfaceConfiguration(mtu: 2_800), now: network.now)
            let id = try #require(added)
            interfaces.append(id)
            let isAdded = stack.addAddress(IPPrefix(address("10.0.0.1"), length: 24), to: id, now: network.now)
            #expect(isAdded)
            stack.setPermanentNeighbour(
                address("10.0.0.2"), mac: MACAddress(0x0200_0000_0020 | number), on: id, now: network.now)
        }
        while stack.nextBurst(room: 9, now: network.now) != nil {}
        var ids: [SocketID] = []
        for id in interfaces {
            var options = SocketOptions()
            options.interface = id
            let socket = try stack.udpOpen(isIPv4: true, options: options)
            try stack.udpBind(socket, to: endpoint("10.0.0.1", 53))
            try [7].withBytes { try stack.sendTo(socket, $0, to: endpoint("10.0.0.2", 53), now: network.now) }
            ids.append(socket)
        }
        var sent: [(InterfaceID, MACAddress)] = []
        while let burst = stack.nextBurst(room: 9, now: network.now) {
            sent.append((burst.interface, burst.destination))
        }
        #expect(sent.map(\.0) == interfaces)
        #expect(sent.map(\.1.bits) == [0x0200_0000_0021, 0x0200_0000_0022])
        // Without a choice the first network that fits is taken.
        let route = try stack.route(to: address("10.0.0.2"), from: nil, on: nil, now: network.now)
        #expect(route.interface == interfaces[0])
        stack.removeInterface(interfaces[0], now: network.now)
        let second = try stack.route(to: address("10.0.0.2"), from: nil, on: nil, now: network.now)
        #expect(second.interface == interfaces[1])
        #expect(try stack.takeError(ids[0]) == .networkDown)
        #expect(try stack.takeError(ids[1]) == nil)
    }

    /// An ICMP packet-too-big about a packet that a host sent, as a router would send it.
    private func tooBig(_ packet: [UInt8], mtu: Int) -> [UInt8] {
        let isIPv4 = packet[0] >> 4 == 4
        let quoted = Array(packet.prefix(isIPv4 ? 28 : 200))
        let source = packet.withBytes { isIPv4 ? $0.loadIPv4(at: 16) : $0.loadIPv6(at: 24) }
        let target = packet.withBytes { isIPv4 ? $0.loadIPv4(at: 12) : $0.loadIPv6(at: 8) }
        let header = ICMPHeader(type: isIPv4 ? 3 : 2, code: isIPv4 ? 4 : 0, rest: UInt32(mtu))
        let body = quoted.withBytes {
            header.message(payload: $0, pseudoSum: isIPv4 ? 0 : pseudoHeaderSum(source, target, 58))
        }
        let offset = isIPv4 ? 20 : 40
        return makeBytes(offset + body.count) {
            if isIPv4 {
                IPv4Header(
                    payloadLength: body.count, protocolNumber: 1, source: source, destination: target, hopLimit: 64
                ).write(into: &$0, at: 0)
            } else {
                IPv6Header(
                    payloadLength: body.count, nextHeader: 58, source: source, destination: target, hopLimit: 64
                ).write(into: &$0, at: 0)
            }
            $0.copy(from: body, at: offset)
        }
    }

    /// The pair, where the second also has addresses that the first reaches by way of it alone.
    private func routedPair() throws -> TestNetwork {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        for (far, gateway) in [("10.9.0.2/32", "10.0.0.2"), ("fd09::2/128", "fd00::2")] {
            let prefix = try #require(IPPrefix(far))
            let isAdded = b.stack.addAddress(prefix, to: b.interface, now: network.now)
            let isRouted = a.stack.addRoute(StackRoute(prefix, interface: a.interface, gateway: address(gateway)))
            #expect(isAdded && isRouted)
        }
        network.run(for: .seconds(5))
        network.trace = []
        return network
    }

    @Test(arguments: ["10.9.0.2", "fd09::2"])
    func `a connection survives a path that takes less than the interface`(_ target: String) throws {
        let network = try routedPair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let isIPv4 = address(target).isIPv4
        let limit = 1_400
        network.model.filter = { frame in
            guard frame.source == a.mac, frame.bytes.count > limit else { return false }
            a.feed(
                TestFrame(
                    source: b.mac, destination: a.mac, etherType: frame.etherType,
                    bytes: self.tooBig(frame.bytes, mtu: limit)), now: network.now)
            return true
        }
        let listener = try b.stack.tcpListen(
            on: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 80), backlog: 1, now: network.now)
        let client = try a.stack.tcpConnect(to: endpoint(target, 80), now: network.now)
        network.run(for: .milliseconds(50))
        let server = try #require(try b.stack.accept(listener, now: network.now))
        let transfer = Transfer(pattern(200_000))
        let isDone = network.run(for: .seconds(60)) {
            transfer.work(from: a, client, to: b, server, now: network.now)
            return transfer.isEnded
        }
        #expect(isDone && transfer.isWhole)
        #expect(a.stack.statistics.pathMTUChanges == 1)
        #expect(a.stack.pathMTUs.count == 1)
        // The next datagram is cut here, not lost there.
        let route = try a.stack.route(to: address(target), from: nil, on: nil, now: network.now)
        #expect(route.mtu == limit)
        network.run(for: .seconds(601))
        #expect(try a.stack.route(to: address(target), from: nil, on: nil, now: network.now).mtu == 2_800)
    }

    @Test func `a packet too big that is about nothing of ours, or makes no sense, is not believed`() throws {
        let network = try routedPair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("::", 80), backlog: 1, now: network.now)
        let client = try a.stack.tcpConnect(to: endpoint("10.9.0.2", 80), now: network.now)
        network.run(for: .milliseconds(50))
        _ = try b.stack.accept(listener, now: network.now)
        _ = try a.send(client, pattern(100), now: network.now)
        let packet = try #require(a.takeFrames(now: network.now).last).bytes
        func feed(_ bytes: [UInt8]) {
            a.feed(
                TestFrame(source: b.mac, destination: a.mac, etherType: EtherType.ipv4, bytes: bytes), now: network.now)
        }
        var otherPort = packet
        otherPort[21] ^= 1
        feed(tooBig(otherPort, mtu: 1_000))
        var otherSequence = packet
        otherSequence[24] ^= 0x40
        feed(tooBig(otherSequence, mtu: 1_000))
        feed(tooBig(packet, mtu: 2_800))
        feed(tooBig(packet, mtu: 60_000))
        #expect(a.stack.pathMTUs.isEmpty)
        #expect(a.stack.statistics.pathMTUChanges == 0)
        // Below the floor the floor is believed.
        feed(tooBig(packet, mtu: 0))
        #expect(try a.stack.route(to: address("10.9.0.2"), from: nil, on: nil, now: network.now).mtu == 552)
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `on the link nobody makes a path smaller, nor a connection end, by naming what we sent`(_ target: String)
        throws
    {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let isIPv4 = address(target).isIPv4
        let socket = try a.stack.udpOpen(isIPv4: isIPv4)
        try a.stack.udpBind(socket, to: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 9_000))
        try a.stack.udpConnect(socket, to: endpoint(target, 53), now: network.now)
        let sink = try b.stack.udpOpen(isIPv4: isIPv4)
        try b.stack.udpBind(sink, to: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 53))
        try a.sendTo(socket, pattern(900), now: network.now)
        network.run(for: .milliseconds(50))
        let packet = try #require(network.trace.last { $0.source == a.mac && $0.bytes.count > 900 }).bytes
        func feed(_ bytes: [UInt8], from station: MACAddress) {
            a.feed(
                TestFrame(
                    source: station, destination: a.mac, etherType: isIPv4 ? EtherType.ipv4 : EtherType.ipv6,
                    bytes: bytes), now: network.now)
        }
        let stranger = MACAddress(0x0200_0000_0066)
        for station in [stranger, b.mac] { feed(tooBig(packet, mtu: 1_300), from: station) }
        #expect(a.stack.pathMTUs.isEmpty)
        // Port unreachable: from a stranger it is nobody's word, from the neighbour itself it counts.
        var refused = tooBig(packet, mtu: 0)
        let offset = isIPv4 ? 20 : 40
        let isForSocket = { try a.stack.takeError(socket) }
        refused[offset] = isIPv4 ? 3 : 1
        refused[offset + 1] = isIPv4 ? 3 : 4
        refused[offset + 2] = 0
        refused[offset + 3] = 0
        let sum = refused.withBytes { span in
            let part = Checksum.sum(span, from: offset, count: span.byteCount - offset)
            guard !isIPv4 else { return part }
            let pseudo = pseudoHeaderSum(address(target), address("fd00::1"), 58, length: span.byteCount - offset)
            return Checksum.combine(pseudo, part)
        }
        let field = Checksum.finish(sum)
        refused[offset + 2] = UInt8(field >> 8)
        refused[offset + 3] = UInt8(field & 0xff)
        feed(refused, from: stranger)
        #expect(try isForSocket() == nil)
        feed(refused, from: b.mac)
        #expect(try isForSocket() == .refused)
    }

    @Test func `connections follow the interface's MTU`() throws {
        let network = try TestNetwork.pair()
        let (a, b) = (network.hosts[0], network.hosts[1])
        let listener = try b.stack.tcpListen(on: endpoint("::", 80), backlog: 1, now: network.now)
        let client = try a.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try a.stack.information(client).segmentSize == 2_748)
        for host in [a, b] { host.stack.setMTU(1_280, of: host.interface, now: network.now) }
        #expect(try a.stack.information(client).segmentSize == 1_228)
        let server = try #require(try b.stack.accept(listener, now: network.now))
        let transfer = Transfer(pattern(100_000))
        network.run(for: .seconds(10)) {
            transfer.work(from: a, client, to: b, server, now: network.now)
            return transfer.isEnded
        }
        #expect(transfer.isWhole)
    }

    @Test func `routes, addresses, groups and interfaces are bounded`() throws {
        var configuration = StackConfiguration()
        configuration.limits.routes = 3
        configuration.limits.addressesPerInterface = 4
        configuration.limits.groupsPerInterface = 12
        configuration.limits.interfaces = 2
        let network = TestNetwork()
        let host = try network.add(1, addresses: ["10.0.0.1/24"], configuration: configuration)
        let now = network.now
        let results = (2...5).map {
            host.stack.addAddress(
                IPPrefix(IPAddress(v4: 0x0a00_0000 | UInt32($0)), length: 24), to: host.interface, now: now)
        }
        #expect(results == [true, true, false, false])
        let routes = (1...4).map {
            host.stack.addRoute(
                StackRoute(IPPrefix(IPAddress(v4: UInt32($0) << 24), length: 8), interface: host.interface))
        }
        #expect(routes == [true, true, true, false])
        let other = host.stack.addInterface(
            mac: MACAddress(5), configuration: InterfaceConfiguration(mtu: 1_500), now: now)
        #expect(other == nil)
        let socket = try host.stack.udpOpen(isIPv4: true)
        #expect(throws: StackError.noBuffers) {
            for number in 0..<20 {
                try host.stack.joinGroup(socket, IPAddress(v4: 0xef00_0000 | UInt32(number)), now: now)
            }
        }
        for bad in ["0.0.0.0/0", "224.0.0.1/4", "127.0.0.1/8", "255.255.255.255/32", "ff02::1/8", "::/0"] {
            let prefix = try #require(IPPrefix(bad))
            #expect(host.stack.addAddress(prefix, to: host.interface, now: now) == false)
        }
    }
}
