// Whatever comes from the link, nothing traps, nothing grows without bound and the stack goes on.

import NetPrimitives
import Testing

@testable import NetStack

struct MalformedTests {
    /// Valid frames of every kind that host 2 would get from host 1, taken from real traffic.
    private func corpus() throws -> (TestNetwork, [TestFrame]) {
        let network = TestNetwork()
        for number in UInt64(1)...2 {
            try network.add(number, addresses: ["10.0.0.\(number)/24", "fd00::\(number)/64"])
        }
        network.run(for: .seconds(5))
        let (a, b) = (network.hosts[0], network.hosts[1])
        for (isIPv4, target) in [(true, "10.0.0.2"), (false, "fd00::2")] {
            let now = network.now
            try a.sendEcho(to: address(target), payload: pattern(30), now: now)
            try a.sendEcho(to: address(target), sequence: 2, payload: pattern(5_000), now: now)
            let socket = try a.stack.udpOpen(isIPv4: isIPv4)
            try a.sendTo(socket, pattern(20), to: endpoint(target, 9), now: now)
            let any = isIPv4 ? IPAddress.anyIPv4 : IPAddress.anyIPv6
            let port = UInt16(isIPv4 ? 80 : 81)
            let listener = try b.stack.tcpListen(on: SocketEndpoint(any, port: port), backlog: 4, now: now)
            let client = try a.stack.tcpConnect(to: endpoint(target, port), now: now)
            network.run(for: .milliseconds(50))
            let server = try #require(try b.stack.accept(listener, now: network.now))
            _ = try a.send(client, pattern(100), now: network.now)
            network.run(for: .milliseconds(50))
            _ = try b.receive(server, now: network.now)
            // The other direction gives errors: nobody is at the port.
            let back = try b.stack.udpOpen(isIPv4: isIPv4)
            let source = SocketEndpoint(address(target.replacing("2", with: "1")), port: 9)
            try b.stack.udpConnect(back, to: source, now: network.now)
            try b.sendTo(back, pattern(3), now: network.now)
            a.stack.close(client, now: network.now)
            network.run(for: .milliseconds(50))
        }
        let frames = network.trace.filter { $0.source == a.mac }
        return (network, frames)
    }

    @Test func `no truncation and no flipped bit of a valid frame traps`() throws {
        let (network, frames) = try corpus()
        // One of each shape is enough: kind and length.
        var seen: Set<[Int]> = []
        let chosen = frames.filter { frame in
            let isIPv4 = frame.etherType == EtherType.ipv4
            let kind = frame.etherType == EtherType.arp ? 0 : Int(frame.bytes[isIPv4 ? 9 : 6])
            return seen.insert([Int(frame.etherType), kind, min(frame.bytes.count, 120)]).inserted
        }
        #expect(chosen.count > 12)
        let host = network.hosts[1]
        for frame in chosen {
            let limit = min(frame.bytes.count, 130)
            for count in 0..<limit {
                var short = frame
                short.bytes = Array(frame.bytes[..<count])
                host.feed(short, now: network.now)
            }
            for bit in 0..<(limit * 8) {
                var damaged = frame
                damaged.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                host.feed(damaged, now: network.now)
                network.repairChecksums(&damaged)
                host.feed(damaged, now: network.now)
            }
            _ = host.takeFrames(now: network.now)
            network.clock.advance(by: .milliseconds(50))
            host.stack.handleDeadlines(now: network.now)
        }
        let statistics = host.stack.statistics
        #expect(StackDropReason.allCases.reduce(0) { $0 + statistics.dropped($1) } > 5_000)
        // The stack is alive.
        network.run(for: .seconds(70))
        host.events = []
        try host.sendEcho(to: address("10.0.0.1"), identifier: 999, now: network.now)
        try host.sendEcho(to: address("fd00::1"), identifier: 999, now: network.now)
        network.run(for: .seconds(5))
        #expect(host.echoReplies.count == 2)
        #expect(host.stack.reassembly.count == 0)
    }

    @Test(arguments: UInt64(1)...4)
    func `random bytes behind valid headers do no harm`(seed: UInt64) throws {
        let (network, frames) = try corpus()
        let host = network.hosts[1]
        var random = RandomSource(seed: seed)
        for _ in 0..<4_000 {
            var frame = frames[random.next(below: frames.count)]
            for _ in 0..<(1 + random.next(below: 6)) {
                let place = random.next(below: min(frame.bytes.count, 100))
                frame.bytes[place] = UInt8(truncatingIfNeeded: random.nextUInt32())
            }
            if random.next(below: 4) == 0 { frame.bytes.removeLast(random.next(below: frame.bytes.count)) }
            if random.next(below: 4) != 0 { network.repairChecksums(&frame) }
            if random.next(below: 20) == 0 { frame.destination = .broadcast }
            host.feed(frame, now: network.now)
            if random.next(below: 16) == 0 {
                _ = host.takeFrames(now: network.now)
                network.clock.advance(by: .milliseconds(Int64(random.next(below: 400))))
                host.stack.handleDeadlines(now: network.now)
            }
        }
        _ = host.takeFrames(now: network.now)
        #expect(host.stack.neighbourCount <= 4_096)
        #expect(host.stack.reassembly.bytesHeld <= 4 << 20)
    }

    @Test func `frames that are not for us are counted and dropped`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        let peer = network.hosts[0].mac
        let packet = makeBytes(28) {
            IPv4Header(
                payloadLength: 8, protocolNumber: 17, source: address("10.0.0.1"), destination: address("10.0.0.2"),
                hopLimit: 64
            ).write(into: &$0, at: 0)
        }
        func feed(
            _ bytes: [UInt8], to mac: MACAddress? = nil, from source: MACAddress? = nil, type: UInt16 = 0x0800
        ) {
            host.feed(
                TestFrame(source: source ?? peer, destination: mac ?? host.mac, etherType: type, bytes: bytes),
                now: network.now)
        }
        let before = host.stack.statistics
        func dropped(_ reason: StackDropReason) -> UInt64 {
            host.stack.statistics.dropped(reason) - before.dropped(reason)
        }
        feed(packet, to: MACAddress(0x0200_0000_0077))
        feed(packet, to: MACAddress(0x0100_5e7f_0001))
        #expect(dropped(.foreignMAC) == 2)
        feed(packet, from: host.mac)
        #expect(dropped(.ownMAC) == 1)
        feed(packet, type: 0x8100)
        #expect(dropped(.unknownEtherType) == 1)
        host.stack.receive(
            RawSpan(), etherType: 0x0800, source: peer, destination: host.mac,
            on: InterfaceID(SlotID(index: 99, generation: 1)), now: network.now)
        #expect(dropped(.noInterface) == 1)
    }

    @Test(arguments: [
        ("127.0.0.1", "10.0.0.2"), ("10.0.0.1", "127.0.0.1"), ("10.0.0.2", "10.0.0.2"), ("224.0.0.1", "10.0.0.2"),
        ("255.255.255.255", "10.0.0.2"), ("10.0.0.255", "10.0.0.2"), ("0.0.0.0", "10.0.0.2"), ("240.0.0.1", "10.0.0.2"),
        ("::1", "fd00::2"), ("fd00::1", "::1"), ("fd00::2", "fd00::2"), ("ff02::1", "fd00::2"), ("::", "fd00::2"),
        ("::ffff:127.0.0.1", "fd00::2"), ("::ffff:10.0.0.1", "fd00::2"), ("::10.0.0.1", "fd00::2"),
    ])
    func `impossible addresses never come from the link`(source: String, destination: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        let isIPv4 = address(source).isIPv4
        let bytes = makeBytes(60) {
            if isIPv4 {
                IPv4Header(
                    payloadLength: 20, protocolNumber: 17, source: address(source), destination: address(destination),
                    hopLimit: 64
                ).write(into: &$0, at: 0)
            } else {
                IPv6Header(
                    payloadLength: 20, nextHeader: 17, source: address(source), destination: address(destination),
                    hopLimit: 64
                ).write(into: &$0, at: 0)
            }
        }
        host.feed(
            TestFrame(
                source: network.hosts[0].mac, destination: host.mac,
                etherType: isIPv4 ? EtherType.ipv4 : EtherType.ipv6, bytes: bytes), now: network.now)
        #expect(host.stack.statistics.dropped(.martian) == 1)
        #expect(host.takeFrames(now: network.now).isEmpty)
    }

    @Test func `a group membership query is counted and not answered`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        let query = makeBytes(28) {
            IPv4Header(
                payloadLength: 8, protocolNumber: 2, source: address("10.0.0.1"), destination: address("10.0.0.2"),
                hopLimit: 1
            ).write(into: &$0, at: 0)
            $0.storeBytes(of: 0x11, toByteOffset: 20, as: UInt8.self)
        }
        // The other host's reports are passed over as well.
        let reports = host.stack.statistics.dropped(.ignoredControl)
        let received = host.stack.statistics.igmp.received
        host.feed(
            TestFrame(source: network.hosts[0].mac, destination: host.mac, etherType: EtherType.ipv4, bytes: query),
            now: network.now)
        #expect(host.stack.statistics.igmp.received == received + 1)
        #expect(host.stack.statistics.dropped(.ignoredControl) == reports + 1)
        #expect(host.takeFrames(now: network.now).isEmpty)
    }

    @Test func `a datagram from our own address of another network is dropped`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        let added = host.stack.addInterface(
            mac: MACAddress(0x0200_0000_0055), configuration: InterfaceConfiguration(mtu: 2_800), now: network.now)
        let other = try #require(added)
        let hasAddress = host.stack.addAddress(IPPrefix("172.16.0.1/16")!, to: other, now: network.now)
        #expect(hasAddress)
        let socket = try host.stack.udpOpen(isIPv4: true)
        try host.stack.udpBind(socket, to: endpoint("0.0.0.0", 7))
        let bytes = makeBytes(28) {
            IPv4Header(
                payloadLength: 8, protocolNumber: 17, source: address("172.16.0.1"), destination: address("10.0.0.2"),
                hopLimit: 64
            ).write(into: &$0, at: 0)
            UDPHeader(sourcePort: 7, destinationPort: 7, length: 8).write(into: &$0, at: 20, checksum: 0)
        }
        host.feed(
            TestFrame(source: network.hosts[0].mac, destination: host.mac, etherType: EtherType.ipv4, bytes: bytes),
            now: network.now)
        #expect(host.stack.statistics.dropped(.martian) == 1)
    }

    @Test(arguments: [(0, 8, true), (8, 24, false), (16, 24, false), (0, 16, true)])
    func `a fragment that splits the TCP header is dropped`(start: Int, size: Int, more: Bool) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        var header = IPv4Header(
            payloadLength: size, protocolNumber: 6, source: address("10.0.0.1"), destination: address("10.0.0.2"),
            hopLimit: 64)
        header.fragmentOffset = start
        header.moreFragments = more
        let bytes = makeBytes(20 + size) { header.write(into: &$0, at: 0) }
        host.feed(
            TestFrame(source: network.hosts[0].mac, destination: host.mac, etherType: EtherType.ipv4, bytes: bytes),
            now: network.now)
        #expect(host.stack.statistics.dropped(.fragmentMalformed) == 1)
    }

    @Test func `TCP to a group is dropped silently, a LAND packet too`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        _ = try host.stack.tcpListen(on: endpoint("0.0.0.0", 80), backlog: 1, now: network.now)
        let bytes = makeBytes(40) {
            IPv4Header(
                payloadLength: 20, protocolNumber: 6, source: address("10.0.0.1"), destination: address("224.0.0.1"),
                hopLimit: 64
            ).write(into: &$0, at: 0)
        }
        host.feed(
            TestFrame(
                source: network.hosts[0].mac, destination: IPAddress.allHosts.multicastMAC,
                etherType: EtherType.ipv4, bytes: bytes), now: network.now)
        #expect(host.stack.statistics.dropped(.groupTransport) == 1)
        #expect(host.takeFrames(now: network.now).isEmpty)
    }

    @Test func `a flood of SYNs to a closed port is answered at a bounded pace`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        try host.sendEcho(to: address("10.0.0.1"), now: network.now)
        network.run(for: .milliseconds(50))
        for port in UInt16(1)...3_000 {
            var segment = ReplySegment(
                sourcePort: port, destinationPort: 99, sequence: SequenceNumber(5), acknowledgment: SequenceNumber(0),
                flags: .synchronize)
            segment.maximumSegmentSize = 1_460
            let bytes = makeBytes(20 + segment.length) {
                writeIPHeader(
                    into: &$0, at: 0, payloadLength: segment.length, source: address("10.0.0.1"),
                    destination: address("10.0.0.2"), hopLimit: 64, trafficClass: 0)
                _ = segment.write(
                    into: &$0, at: 20, pseudoHeaderSum: pseudoHeaderSum(address("10.0.0.1"), address("10.0.0.2")))
            }
            host.feed(
                TestFrame(
                    source: network.hosts[0].mac, destination: host.mac, etherType: EtherType.ipv4, bytes: bytes),
                now: network.now)
        }
        let answers = host.takeFrames(now: network.now)
        #expect(answers.count >= 40 && answers.count <= 50)
        #expect(host.stack.statistics.dropped(.rateLimited) == UInt64(3_000 - answers.count))
    }

    @Test func `the queue to the link is bounded when the link takes nothing`() throws {
        var configuration = StackConfiguration()
        configuration.limits.controlPackets = 20
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[1]
        for number in UInt32(3)..<250 {
            let mac = MACAddress(0x0200_0000_0000 | UInt64(number))
            let packet = ARPPacket(
                operation: ARPPacket.request, senderMAC: mac, sender: IPAddress(v4: 0x0a00_0000 | number),
                targetMAC: .zero, target: address("10.0.0.2"))
            host.feed(
                TestFrame(source: mac, destination: .broadcast, etherType: EtherType.arp, bytes: packet.bytes),
                now: network.now)
        }
        #expect(host.stack.statistics.dropped(.controlQueueFull) == 227)
        #expect(host.takeFrames(now: network.now).count == 20)
    }
}

extension TestNetwork {
    /// Makes the checksums of a damaged frame right again, as far as its headers can still be read: so that damage
    /// reaches the parsers behind them.
    func repairChecksums(_ frame: inout TestFrame) {
        var bytes = frame.bytes
        let isIPv4 = frame.etherType == EtherType.ipv4
        guard frame.etherType != EtherType.arp, bytes.count >= (isIPv4 ? 20 : 40) else { return }
        var offset = 40
        var number = bytes[isIPv4 ? 9 : 6]
        var sum: UInt32 = 0
        if isIPv4 {
            offset = Int(bytes[0] & 15) * 4
            guard offset >= 20, bytes.count >= offset else { return }
            bytes[10] = 0
            bytes[11] = 0
            let checksum = bytes.withBytes { Checksum.finish(Checksum.sum($0, from: 0, count: offset)) }
            bytes[10] = UInt8(checksum >> 8)
            bytes[11] = UInt8(truncatingIfNeeded: checksum)
            sum = bytes.withBytes { pseudoHeaderSum($0.loadIPv4(at: 12), $0.loadIPv4(at: 16), number) }
        } else {
            sum = bytes.withBytes { pseudoHeaderSum($0.loadIPv6(at: 8), $0.loadIPv6(at: 24), number) }
        }
        frame.bytes = bytes
        let places: [UInt8: Int] = [1: 2, 58: 2, 6: 16, 17: 6]
        guard let place = places[number], bytes.count >= offset + place + 2 else { return }
        if number == 1 { sum = 0 } else { sum = Checksum.combine(sum, UInt32(bytes.count - offset)) }
        number = 0
        bytes[offset + place] = 0
        bytes[offset + place + 1] = 0
        let count = bytes.count - offset
        let checksum = bytes.withBytes {
            Checksum.finish(Checksum.combine(sum, Checksum.sum($0, from: offset, count: count)))
        }
        bytes[offset + place] = UInt8(checksum >> 8)
        bytes[offset + place + 1] = UInt8(truncatingIfNeeded: checksum)
        frame.bytes = bytes
    }
}
