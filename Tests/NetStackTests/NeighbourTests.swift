// ARP, neighbour discovery, conflicts, and the cache: RFC 826, RFC 4861, RFC 4862, RFC 5227.

import NetPrimitives
import Testing

@testable import NetStack

struct NeighbourTests {
    @Test func `a new address is announced, checked and joined`() throws {
        let network = TestNetwork()
        let host = try network.add(1, addresses: ["10.0.0.1/24", "fd00::1/64"])
        let id = host.interface
        let linkLocal = IPAddress.linkLocal(host.mac)
        func joined(_ mac: UInt64, _ distinguisher: UInt32 = 0) -> Bool {
            let group = LinkGroup(MACAddress(mac), distinguisher: distinguisher)
            return host.groupChanges.contains(GroupChange(id, group, isJoined: true))
        }
        #expect(joined(0x3333_0000_0001))
        #expect(joined(0xffff_ffff_ffff, 0x0a00_0001))
        #expect(joined(0x0100_5e00_0001))
        #expect(joined(0x3333_ff00_0001))
        #expect(joined(IPAddress.linkLocal(host.mac).solicitedNode.multicastMAC.bits))
        // IPv4 needs no check, IPv6 one solicitation and a second of silence.
        #expect(host.events.contains(.addressReady(id, address("10.0.0.1"))))
        #expect(!host.events.contains(.addressReady(id, address("fd00::1"))))
        network.run(for: .milliseconds(999))
        #expect(!host.events.contains(.addressReady(id, address("fd00::1"))))
        network.run(for: .milliseconds(2))
        #expect(host.events.contains(.addressReady(id, address("fd00::1"))))
        #expect(host.events.contains(.addressReady(id, linkLocal)))
        network.run(for: .seconds(10))
        let announcements = network.trace.filter { $0.etherType == EtherType.arp }
        #expect(announcements.count == 2)
        for frame in announcements {
            let packet = try frame.bytes.withBytes { (span) throws(StackDropReason) in try ARPPacket(parsing: span) }
            #expect(frame.destination == .broadcast)
            #expect(packet.sender == address("10.0.0.1") && packet.target == address("10.0.0.1"))
            #expect(packet.senderMAC == host.mac && packet.operation == ARPPacket.request)
        }
        // Two addresses: a solicitation and an unsolicited advertisement each.
        #expect(network.trace.filter { $0.etherType == EtherType.ipv6 }.count == 4)
        // After that the link is quiet.
        #expect(host.stack.nextDeadline == nil)
    }

    @Test func `removing an address and an interface leaves its groups`() throws {
        let network = TestNetwork()
        let host = try network.add(1, addresses: ["10.0.0.1/24", "fd00::1/64"])
        let before = host.stack.groups(of: host.interface)
        // The link-local address and fd00::1 have one solicited-node group.
        #expect(before.count == 4)
        host.stack.removeAddress(address("10.0.0.1"), from: host.interface, now: network.now)
        host.drainEvents()
        let arp = LinkGroup(.broadcast, distinguisher: 0x0a00_0001)
        #expect(host.groupChanges.contains(GroupChange(host.interface, arp, isJoined: false)))
        host.stack.removeInterface(host.interface, now: network.now)
        host.drainEvents()
        for group in before { #expect(host.groupChanges.contains(GroupChange(host.interface, group, isJoined: false))) }
        #expect(host.stack.interfaces.ids.map { InterfaceID($0) } == [host.stack.loopback])
        #expect(host.stack.nextDeadline == nil)
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `the first packet asks for the neighbour, waits and then goes`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        #expect(host.stack.neighbour(address(target), on: host.interface) == nil)
        try host.sendEcho(to: address(target), payload: pattern(20), now: network.now)
        network.run(for: .milliseconds(20))
        #expect(host.echoReplies.count == 1)
        #expect(host.stack.neighbour(address(target), on: host.interface) == network.hosts[1].mac)
        // Request, answer, echo, reply; the other side learned from the request.
        #expect(network.trace.count == 4)
        network.trace = []
        try host.sendEcho(to: address(target), sequence: 2, now: network.now)
        network.run(for: .milliseconds(20))
        #expect(network.trace.count == 2)
    }

    @Test(arguments: ["10.0.0.9", "fd00::9"])
    func `a neighbour that does not answer is given up after three requests`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        try host.sendEcho(to: address(target), now: network.now)
        network.run(for: .milliseconds(2_999))
        #expect(network.trace.count == 3)
        #expect(host.events.isEmpty)
        network.run(for: .milliseconds(2))
        #expect(network.trace.count == 3)
        guard case .echoFailed(address(target), identifier: 1, sequence: 1, _, .hostUnreachable)? = host.events.last
        else {
            Issue.record("expected a failure, got \(host.events)")
            return
        }
        #expect(host.stack.statistics.dropped(.neighbourUnresolved) == 1)
    }

    @Test func `a stale neighbour is used, then asked directly, then dropped`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        try host.sendEcho(to: address("fd00::2"), now: network.now)
        network.run(for: .seconds(60))
        network.trace = []
        // The peer goes away. The next packet still goes, to the known MAC.
        network.model.filter = { $0.source == network.hosts[1].mac }
        try host.sendEcho(to: address("fd00::2"), sequence: 2, now: network.now)
        network.run(for: .milliseconds(4_900))
        #expect(network.trace.filter { $0.source == host.mac }.count == 1)
        network.run(for: .seconds(4))
        let solicitations = network.trace.filter { $0.source == host.mac }.dropFirst()
        #expect(solicitations.count == 3)
        #expect(solicitations.allSatisfy { $0.destination == network.hosts[1].mac })
        #expect(host.stack.neighbour(address("fd00::2"), on: host.interface) == nil)
        network.hosts[1].stack.setPermanentNeighbour(
            address("fd00::1"), mac: host.mac, on: network.hosts[1].interface, now: network.now)
        #expect(network.hosts[1].stack.neighbour(address("fd00::1"), on: network.hosts[1].interface) == host.mac)
    }

    @Test func `the queue of one neighbour is bounded, oldest first out`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let socket = try host.stack.udpOpen(isIPv4: true)
        for number in 0..<200 {
            try host.sendTo(socket, [UInt8(number)], to: endpoint("10.0.0.2", 9), now: network.now)
            _ = host.takeFrames(now: network.now)
        }
        #expect(host.stack.statistics.dropped(.neighbourUnresolved) == 136)
        let receiver = network.hosts[1]
        let sink = try receiver.stack.udpOpen(isIPv4: true)
        try receiver.stack.udpBind(sink, to: endpoint("0.0.0.0", 9))
        network.run(for: .seconds(2))
        // 64 of 200 remain: the newest.
        #expect(try receiver.receiveFrom(sink, now: network.now).1 == [136])
    }

    @Test func `duplicate address detection finds a holder and gives the address up`() throws {
        let network = TestNetwork()
        let holder = try network.add(1, addresses: ["fd00::7/64"])
        network.run(for: .seconds(5))
        let late = try network.add(2, addresses: ["fd00::7/64"])
        network.run(for: .seconds(5))
        let lost = StackEvent.addressConflict(late.interface, address("fd00::7"), holder.mac, lost: true)
        #expect(late.events.contains(lost))
        #expect(!late.events.contains(.addressReady(late.interface, address("fd00::7"))))
        #expect(!late.stack.addresses(of: late.interface).contains { $0.address == address("fd00::7") })
        #expect(holder.stack.addresses(of: holder.interface).contains { $0.address == address("fd00::7") })
    }

    @Test func `two that check the same address at once both give it up`() throws {
        let network = TestNetwork()
        let first = try network.add(1, addresses: ["fd00::7/64"])
        let second = try network.add(2, addresses: ["fd00::7/64"])
        network.run(for: .seconds(5))
        for host in [first, second] {
            #expect(!host.stack.addresses(of: host.interface).contains { $0.address == address("fd00::7") })
        }
    }

    @Test func `an address that somebody claims once, or for a while, is asked for again`() throws {
        let network = TestNetwork()
        let host = try network.add(1, addresses: ["fd00::7/64"])
        let thief = Self.thief
        let holds = { host.stack.addresses(of: host.interface).contains { $0.address == address("fd00::7") } }
        func claim() {
            let packet = discovery(
                ICMPHeader(type: 136, code: 0, rest: NeighbourMessage.flagOverride),
                NeighbourMessage(target: address("fd00::7"), linkAddress: thief).payload(linkOption: 2),
                address("fd00::7"), .allNodes)
            host.feed(
                TestFrame(
                    source: thief, destination: IPAddress.allNodes.multicastMAC, etherType: EtherType.ipv6,
                    bytes: packet),
                now: network.now)
        }
        claim()
        #expect(!holds())
        // Asked for again after one to two minutes, and claimed again: the next time is later.
        for _ in 0..<1250 {
            network.run(for: .milliseconds(100))
            claim()
        }
        #expect(!holds())
        network.run(for: .seconds(245))
        #expect(holds())
        #expect(host.events.count { $0 == .addressReady(host.interface, address("fd00::7")) } == 1)
        #expect(host.events.count { if case .addressConflict(_, _, _, lost: true) = $0 { true } else { false } } == 1)
    }

    @Test func `of two that lost an address to each other one has it in the end`() throws {
        let network = TestNetwork()
        let first = try network.add(1, addresses: ["fd00::7/64"])
        let second = try network.add(2, addresses: ["fd00::7/64"])
        network.run(for: .seconds(130))
        let holders = [first, second].count { host in
            host.stack.addresses(of: host.interface).contains { $0.address == address("fd00::7") }
        }
        #expect(holders == 1)
    }

    @Test func `our own reflected solicitation is no conflict`() throws {
        let network = TestNetwork()
        let host = try network.add(1, addresses: ["fd00::7/64"])
        // A link that brings multicast back, with another source MAC as a broken bridge would.
        for var frame in host.takeFrames(now: network.now) where frame.etherType == EtherType.ipv6 {
            frame.source = MACAddress(0x0200_0000_0099)
            host.feed(frame, now: network.now)
        }
        network.run(for: .seconds(3))
        #expect(host.events.contains(.addressReady(host.interface, address("fd00::7"))))
    }

    @Test func `a claim on our IPv4 address is reported and answered once in ten seconds`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let thief = MACAddress(0x0200_0000_0066)
        let claim = ARPPacket(
            operation: ARPPacket.request, senderMAC: thief, sender: address("10.0.0.1"), targetMAC: .zero,
            target: address("10.0.0.1"))
        let frame = TestFrame(source: thief, destination: .broadcast, etherType: EtherType.arp, bytes: claim.bytes)
        for _ in 0..<5 { host.feed(frame, now: network.now) }
        #expect(
            host.events == [
                .addressConflict(host.interface, address("10.0.0.1"), thief, lost: false)
            ])
        #expect(host.takeFrames(now: network.now).count == 1)
        network.run(for: .seconds(10))
        host.feed(frame, now: network.now)
        #expect(host.takeFrames(now: network.now).count == 1)
        // It stays ours.
        #expect(host.stack.addresses(of: host.interface).contains { $0.address == address("10.0.0.1") })
    }

    @Test func `IPv4 probes, when asked for, find a holder`() throws {
        var configuration = StackConfiguration()
        configuration.addressConflictProbes = 3
        let network = TestNetwork()
        let holder = try network.add(1, addresses: ["10.0.0.7/24"])
        network.run(for: .seconds(10))
        let late = try network.add(2, addresses: ["10.0.0.7/24"], configuration: configuration)
        network.run(for: .seconds(10))
        #expect(
            late.events.contains(.addressConflict(late.interface, address("10.0.0.7"), holder.mac, lost: true)))
        #expect(late.stack.addresses(of: late.interface).allSatisfy { !$0.address.isIPv4 })
    }

    @Test func `ARP makes no entry for who does not speak to us`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let other = MACAddress(0x0200_0000_0033)
        func feed(_ operation: UInt16, target: String) {
            let packet = ARPPacket(
                operation: operation, senderMAC: other, sender: address("10.0.0.33"), targetMAC: host.mac,
                target: address(target))
            host.feed(
                TestFrame(source: other, destination: host.mac, etherType: EtherType.arp, bytes: packet.bytes),
                now: network.now)
        }
        feed(ARPPacket.request, target: "10.0.0.44")
        feed(ARPPacket.reply, target: "10.0.0.1")
        #expect(host.stack.neighbour(address("10.0.0.33"), on: host.interface) == nil)
        feed(ARPPacket.request, target: "10.0.0.1")
        #expect(host.stack.neighbour(address("10.0.0.33"), on: host.interface) == other)
    }

    @Test func `nothing overrides a permanent neighbour`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let fixed = MACAddress(0x0200_0000_0055)
        host.stack.setPermanentNeighbour(address("10.0.0.2"), mac: fixed, on: host.interface, now: network.now)
        try network.hosts[1].sendEcho(to: address("10.0.0.1"), now: network.now)
        network.run(for: .seconds(1))
        #expect(host.stack.neighbour(address("10.0.0.2"), on: host.interface) == fixed)
    }

    private static let thief = MACAddress(0x0200_0000_0044)

    /// Claims of an address by another station, in every form.
    private func claims(_ target: String, to host: StackHost, _ network: TestNetwork) -> [TestFrame] {
        let thief = Self.thief
        if address(target).isIPv4 {
            return [ARPPacket.request, ARPPacket.reply].flatMap { operation in
                ["10.0.0.1", target].map { asked in
                    let packet = ARPPacket(
                        operation: operation, senderMAC: thief, sender: address(target), targetMAC: host.mac,
                        target: address(asked))
                    return TestFrame(
                        source: thief, destination: host.mac, etherType: EtherType.arp, bytes: packet.bytes)
                }
            }
        }
        let advertisements = [
            NeighbourMessage.flagOverride, NeighbourMessage.flagOverride | NeighbourMessage.flagSolicited,
        ].map { flags in
            discovery(
                ICMPHeader(type: 136, code: 0, rest: flags),
                NeighbourMessage(target: address(target), linkAddress: thief).payload(linkOption: 2),
                address(target), address("fd00::1"))
        }
        let solicitation = discovery(
            ICMPHeader(type: 135, code: 0),
            NeighbourMessage(target: address("fd00::1"), linkAddress: thief).payload(linkOption: 1), address(target),
            address("fd00::1"))
        return (advertisements + [solicitation]).map {
            TestFrame(source: thief, destination: host.mac, etherType: EtherType.ipv6, bytes: $0)
        }
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"], [0, 40])
    func `no claim replaces a neighbour that answers, new or stale`(_ target: String, _ age: Int) throws {
        for index in 0..<4 {
            let network = try TestNetwork.pair()
            let host = network.hosts[0]
            try host.sendEcho(to: address(target), now: network.now)
            network.run(for: .milliseconds(50) + .seconds(age))
            let forms = claims(target, to: host, network)
            guard index < forms.count else { continue }
            for _ in 0..<200 { host.feed(forms[index], now: network.now) }
            #expect(host.stack.neighbour(address(target), on: host.interface) == network.hosts[1].mac, "form \(index)")
            network.trace = []
            network.run(for: .seconds(5))
            #expect(host.stack.neighbour(address(target), on: host.interface) == network.hosts[1].mac, "form \(index)")
            #expect(host.stack.statistics.dropped(.contestedNeighbour) == 200)
            // 200 claims, one question.
            let questions = network.trace.filter { $0.source == host.mac && $0.destination == network.hosts[1].mac }
            #expect(questions.count <= 2)
            // And packets still go where they went.
            try host.sendEcho(to: address(target), sequence: 2, now: network.now)
            network.run(for: .milliseconds(50))
            #expect(host.echoReplies.count == 2)
        }
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `a neighbour that has answered is not asked again because of claims for a while`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        try host.sendEcho(to: address(target), now: network.now)
        network.run(for: .milliseconds(50))
        let claim = try #require(claims(target, to: host, network).first)
        func questions(_ times: Int) -> Int {
            network.trace = []
            for _ in 0..<times {
                host.feed(claim, now: network.now)
                network.run(for: .seconds(1))
            }
            return network.trace.count { $0.source == host.mac && $0.destination == network.hosts[1].mac }
        }
        #expect(questions(1) == 1)
        #expect(questions(8) == 0)
        network.run(for: StackConstants.defendInterval)
        #expect(questions(1) == 1)
        #expect(host.stack.neighbour(address(target), on: host.interface) == network.hosts[1].mac)
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `a claim is believed once the station known is silent`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        try host.sendEcho(to: address(target), now: network.now)
        network.run(for: .milliseconds(50))
        let old = network.hosts[1].mac
        network.model.filter = { $0.source == old }
        host.feed(try #require(claims(target, to: host, network).first), now: network.now)
        network.run(for: .milliseconds(2_900))
        #expect(host.stack.neighbour(address(target), on: host.interface) == old)
        network.run(for: .milliseconds(200))
        #expect(host.stack.neighbour(address(target), on: host.interface) == Self.thief)
    }

    @Test func `an advertisement without override replaces nothing, nor makes a router of a stranger's word`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        try host.sendEcho(to: address("fd00::2"), now: network.now)
        network.run(for: .milliseconds(50))
        func feed(_ flags: UInt32, _ link: MACAddress?) {
            let source = address("fd00::2")
            let message = NeighbourMessage(target: source, linkAddress: link).payload(linkOption: 2)
            let bytes = discovery(
                ICMPHeader(type: 136, code: 0, rest: flags), message, source, address("fd00::1"))
            host.feed(
                TestFrame(source: Self.thief, destination: host.mac, etherType: EtherType.ipv6, bytes: bytes),
                now: network.now)
        }
        feed(0, Self.thief)
        feed(NeighbourMessage.flagRouter, nil)
        feed(NeighbourMessage.flagRouter, network.hosts[1].mac)
        #expect(host.stack.neighbour(address("fd00::2"), on: host.interface) == network.hosts[1].mac)
        let slot = try needed(host.stack.neighbours.find(ScopedAddress(host.interface, address("fd00::2"))))
        #expect(!host.stack.neighbours.entries[slot].isRouter)
    }

    @Test func `answers go to the station that asked, and ask nobody`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        _ = try host.stack.tcpListen(on: endpoint("0.0.0.0", 80), backlog: 8, now: network.now)
        network.trace = []
        // 1,200 SYNs of invented neighbours, to an open port and to a closed one.
        for number in UInt32(0)..<1_200 {
            let source = IPAddress(v4: 0x0a00_0014 + number % 230)
            var segment = ReplySegment(
                sourcePort: UInt16(2_000 + number), destinationPort: number % 2 == 0 ? 80 : 81,
                sequence: SequenceNumber(5), acknowledgment: SequenceNumber(0), flags: .synchronize)
            segment.maximumSegmentSize = 1_460
            let bytes = makeBytes(20 + segment.length) {
                writeIPHeader(
                    into: &$0, at: 0, payloadLength: segment.length, source: source, destination: address("10.0.0.1"),
                    hopLimit: 64, trafficClass: 0)
                _ = segment.write(
                    into: &$0, at: 20, pseudoHeaderSum: pseudoHeaderSum(source, address("10.0.0.1")))
            }
            host.feed(
                TestFrame(source: Self.thief, destination: host.mac, etherType: EtherType.ipv4, bytes: bytes),
                now: network.now)
            for frame in host.takeFrames(now: network.now) {
                #expect(frame.etherType == EtherType.ipv4 && frame.destination == Self.thief)
            }
        }
        #expect(host.stack.neighbourCount == 0 && host.stack.statistics.arp.sent == 2)
        try host.sendEcho(to: address("10.0.0.2"), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(host.echoReplies.count == 1)
    }

    @Test func `neighbours that others want take nothing from those that we want`() throws {
        var configuration = StackConfiguration()
        configuration.limits.incompleteNeighboursForOthers = 16
        configuration.limits.incompleteNeighbours = 16
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[0]
        let socket = try host.stack.udpOpen(isIPv4: true)
        for number in 20..<200 {
            try host.sendTo(socket, [1], to: endpoint("10.0.0.\(number)", 9), now: network.now)
            _ = host.takeFrames(now: network.now)
        }
        #expect(host.stack.neighbours.incompleteForOthers == 16 && host.stack.neighbours.incompleteCount == 0)
        #expect(host.stack.statistics.dropped(.neighbourTableFull) == 164)
        let listener = try network.hosts[1].stack.tcpListen(on: endpoint("::", 80), backlog: 1, now: network.now)
        let client = try host.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try network.hosts[1].stack.accept(listener, now: network.now) != nil)
        #expect(host.saw(client, .connected))
        network.run(for: .seconds(10))
        #expect(host.stack.neighbours.incompleteForOthers == 0)
    }

    @Test func `until a connection is accepted its neighbour is looked for in the room of others`() throws {
        let network = try TestNetwork.pair()
        let (server, peer) = (network.hosts[0], network.hosts[1])
        let listener = try server.stack.tcpListen(on: endpoint("::", 80), backlog: 1, now: network.now)
        let client = try peer.stack.tcpConnect(to: endpoint("10.0.0.1", 80), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(peer.saw(client, .connected))

        // It is evicted, and asking for it again gets no answer for a while.
        let known = server.stack.neighbours.find(ScopedAddress(server.interface, address("10.0.0.2")))
        server.stack.removeNeighbour(try #require(known))
        network.model.filter = { $0.etherType == EtherType.arp }
        _ = try peer.send(client, [1], now: network.now)
        network.run(for: .milliseconds(50))
        #expect(server.stack.neighbours.incompleteForOthers == 1 && server.stack.neighbours.incompleteCount == 0)

        // The program wants it now.
        let accepted = try #require(try server.stack.accept(listener, now: network.now))
        network.model.filter = nil
        #expect(try server.send(accepted, [2], now: network.now) == 1)
        network.run(for: .seconds(2))
        #expect(server.stack.neighbours.incompleteForOthers == 0)
        #expect(try peer.receive(client, now: network.now) == [2])
    }

    /// A neighbour discovery packet as it is on the wire.
    private func discovery(
        _ header: ICMPHeader, _ payload: [UInt8], _ source: IPAddress, _ destination: IPAddress, hopLimit: UInt8 = 255
    ) -> [UInt8] {
        let body = payload.withBytes {
            header.message(payload: $0, pseudoSum: pseudoHeaderSum(source, destination, 58))
        }
        return makeBytes(40 + body.count) {
            IPv6Header(
                payloadLength: body.count, nextHeader: 58, source: source, destination: destination,
                hopLimit: hopLimit
            ).write(into: &$0, at: 0)
            $0.copy(from: body, at: 40)
        }
    }

    @Test func `discovery from beyond the link is refused`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let message = NeighbourMessage(target: address("fd00::1"), linkAddress: MACAddress(0x0200_0000_0077))
        let bytes = discovery(
            ICMPHeader(type: 135, code: 0), message.payload(linkOption: 1), address("fd00::77"), address("fd00::1"),
            hopLimit: 254)
        host.feed(
            TestFrame(
                source: MACAddress(0x0200_0000_0077), destination: host.mac, etherType: EtherType.ipv6, bytes: bytes),
            now: network.now)
        #expect(host.stack.statistics.dropped(.neighbourDiscovery) == 1)
        #expect(host.stack.neighbour(address("fd00::77"), on: host.interface) == nil)
        #expect(host.takeFrames(now: network.now).isEmpty)
    }

    @Test func `discovery behind an extension header is refused`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let message = NeighbourMessage(target: address("fd00::1"), linkAddress: MACAddress(0x0200_0000_0077))
        var bytes = discovery(
            ICMPHeader(type: 135, code: 0), message.payload(linkOption: 1), address("fd00::77"), address("fd00::1"))
        // Destination options of 8 bytes: nothing but padding.
        bytes.insert(contentsOf: [58, 0, 1, 4, 0, 0, 0, 0], at: 40)
        bytes[5] += 8
        bytes[6] = 60
        host.feed(
            TestFrame(
                source: MACAddress(0x0200_0000_0077), destination: host.mac, etherType: EtherType.ipv6, bytes: bytes),
            now: network.now)
        #expect(host.stack.statistics.dropped(.neighbourDiscovery) == 1)
        #expect(host.stack.neighbour(address("fd00::77"), on: host.interface) == nil)
    }

    @Test func `invented neighbours give way to one that is wanted`() throws {
        var configuration = StackConfiguration()
        configuration.limits.neighbours = 16
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[0]
        let mac = MACAddress(0x0200_0000_0077)
        for number in UInt64(0x100)..<0x180 {
            let source = IPAddress(v6High: 0xfd00_0000_0000_0000, low: number)
            let message = NeighbourMessage(target: address("fd00::1"), linkAddress: mac)
            let solicitation = discovery(
                ICMPHeader(type: 135, code: 0), message.payload(linkOption: 1), source, address("fd00::1"))
            let echo = discovery(ICMPHeader(type: 128, code: 0), [], source, address("fd00::1"), hopLimit: 64)
            for bytes in [solicitation, echo] {
                host.feed(
                    TestFrame(source: mac, destination: host.mac, etherType: EtherType.ipv6, bytes: bytes),
                    now: network.now)
            }
            _ = host.takeFrames(now: network.now)
        }
        #expect(host.stack.neighbourCount == 16)
        try host.sendEcho(to: address("fd00::2"), now: network.now)
        network.run(for: .milliseconds(100))
        #expect(host.stack.neighbour(address("fd00::2"), on: host.interface) != nil)
        // What is not on the link is no neighbour.
        let message = NeighbourMessage(target: address("fd00::1"), linkAddress: mac)
        let bytes = discovery(
            ICMPHeader(type: 135, code: 0), message.payload(linkOption: 1), address("2001:db8::1"), address("fd00::1"))
        host.feed(
            TestFrame(source: mac, destination: host.mac, etherType: EtherType.ipv6, bytes: bytes), now: network.now)
        #expect(host.stack.neighbour(address("2001:db8::1"), on: host.interface) == nil)
    }

    @Test func `an assigned address is used at once, and nobody's claim takes it away`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let hasAddress = host.stack.addAddress(
            IPPrefix("fd00::5/64")!, to: host.interface, isAssigned: true, now: network.now)
        #expect(hasAddress)
        let message = NeighbourMessage(target: address("fd00::5"), linkAddress: MACAddress(0x0200_0000_0077))
        let claim = discovery(
            ICMPHeader(type: 136, code: 0, rest: 0x2000_0000), message.payload(linkOption: 2), address("fd00::5"),
            .allNodes)
        host.feed(
            TestFrame(
                source: MACAddress(0x0200_0000_0077), destination: MACAddress(0x3333_0000_0001),
                etherType: EtherType.ipv6, bytes: claim), now: network.now)
        network.run(for: .seconds(3))
        try network.hosts[1].sendEcho(to: address("fd00::5"), now: network.now)
        let before = network.hosts[1].stack.statistics.icmp6.received
        network.run(for: .seconds(1))
        #expect(network.hosts[1].stack.statistics.icmp6.received > before)
    }

    @Test func `router advertisements are heard only where the owner wants them`() throws {
        for accepts in [false, true] {
            var settings = InterfaceConfiguration(mtu: 2_800)
            settings.acceptsRouterAdvertisements = accepts
            let network = TestNetwork()
            let host = try network.add(1, addresses: ["fd00::1/64"], settings: settings)
            network.run(for: .seconds(20))
            let solicitations = network.trace.filter {
                $0.etherType == EtherType.ipv6 && $0.bytes.count > 40 && $0.bytes[40] == 133
            }
            #expect(solicitations.count == (accepts ? 3 : 0))
            let router = address("fe80::99")
            // Reserved fields, then a prefix that is on the link for 100 s.
            var payload = [UInt8](repeating: 0, count: 8)
            payload += [3, 4, 48, 0x80, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0]
            payload += address("2001:db8:5::").bytes
            let bytes = discovery(ICMPHeader(type: 134, code: 0, rest: 50), payload, router, .allNodes)
            host.feed(
                TestFrame(
                    source: MACAddress(0x0200_0000_0099), destination: MACAddress(0x3333_0000_0001),
                    etherType: EtherType.ipv6, bytes: bytes), now: network.now)
            #expect(host.stack.allRoutes.count == (accepts ? 2 : 0))
            #expect(host.stack.statistics.dropped(.routerMessage) == (accepts ? 0 : 1))
            network.run(for: .milliseconds(50_001))
            #expect(host.stack.allRoutes.count == (accepts ? 1 : 0))
            network.run(for: .seconds(51))
            #expect(host.stack.allRoutes.isEmpty)
        }
    }

    @Test func `the neighbour table is bounded and forgets who is not used`() throws {
        var configuration = StackConfiguration()
        configuration.limits.neighbours = 16
        configuration.limits.incompleteNeighboursForOthers = 8
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[0]
        for number in UInt64(10)..<200 {
            let mac = MACAddress(0x0200_0000_0000 | number)
            let packet = ARPPacket(
                operation: ARPPacket.request, senderMAC: mac, sender: IPAddress(v4: 0x0a00_0000 | UInt32(number)),
                targetMAC: .zero, target: address("10.0.0.1"))
            host.feed(
                TestFrame(source: mac, destination: .broadcast, etherType: EtherType.arp, bytes: packet.bytes),
                now: network.now)
        }
        #expect(host.stack.neighbourCount == 16)
        // Asking for many at once is bounded too.
        let socket = try host.stack.udpOpen(isIPv4: true)
        for number in UInt32(201)..<250 {
            let target = SocketEndpoint(IPAddress(v4: 0x0a00_0000 | number), port: 9)
            try host.sendTo(socket, [1], to: target, now: network.now)
        }
        _ = host.takeFrames(now: network.now)
        #expect(host.stack.neighbourCount <= 16)
        #expect(host.stack.statistics.dropped(.neighbourTableFull) == 41)
    }
}
