//  What some others cause leaves room for everybody else: addresses looked up, introductions, parts of packets.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct ShareTests {
    private let now = MonotonicInstant(nanoseconds: 1_000_000_000)

    // MARK: Addresses looked up

    // Addresses that nobody has, as a hostile member or root names them.
    private func named(_ number: Int) -> Address { Address(0x77_0000_0000 + UInt64(number)) }

    @Test func `any number of invented subscribers leaves room for an own look-up`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let (a, b) = (star.leaves[0], star.leaves[1])
        for number in 0..<2 * ProtocolLimits.lookups { star.hub.send(a, .error, [1], to: named(number)) }
        #expect(a.lookupCount == ProtocolLimits.waitingOutbound / 2)
        star.hub.sendFrame(a, to: b.address)
        let isConnected = star.hub.run(
            until: { star.hub.isDirect(a, to: b) && !b.received.isEmpty }, within: .seconds(2))
        #expect(isConnected)
    }

    @Test func `packets for invented subscribers leave room for own ones`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let (a, b) = (star.leaves[0], star.leaves[1])
        for number in 0..<2 * ProtocolLimits.waitingOutbound {
            star.hub.send(a, .multicastFrame, [1], to: named(number))
        }
        // As many as one whose sender is unknown may keep.
        let own = ProtocolLimits.waitingInbound / 2
        for number in 0..<own { star.hub.send(a, .frame, [UInt8(number)], to: b.address) }
        star.hub.run(.seconds(1))
        #expect(b.received.map(\.payload) == (0..<own).map { [UInt8($0)] })
    }

    @Test func `identities that others named leave room for those of our own wish`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let node = star.leaves[0]
        for number in 0..<2 * ProtocolLimits.lookups {
            _ = node.engine.requestIdentity(named(number), isNamed: true, now: star.hub.now)
        }
        #expect(node.lookupCount == ProtocolLimits.lookups / 2)
        _ = node.engine.requestIdentity(Address(0x78_0000_0000), now: star.hub.now)
        #expect(node.lookupCount == ProtocolLimits.lookups / 2 + 1)
    }

    @Test func `what others named is an own wish as soon as it is one`() {
        var limits = PeerLimits()
        limits.lookups = 8
        var lookup = IdentityLookup(limits: limits)
        func park(_ verb: Verb, _ number: Int) -> Int? {
            lookup.park(
                OutgoingPacket(
                    verb: verb, payload: [], destination: named(number), queuedAt: now))
        }
        for number in 0..<4 { #expect(park(.error, number) == 0) }
        #expect(park(.error, 4) == nil)
        #expect(park(.error, 3) == 0, "one that is being looked up takes no more room")
        let isAsked = lookup.request(named(0), now)
        #expect(isAsked)
        #expect(park(.error, 4) == 0)
        #expect(park(.error, 5) == nil)
        #expect(park(.error, 0) == 0)
        #expect(park(.frame, 5) == 0)
        #expect(lookup.count == 6)
    }

    // MARK: Introductions

    @Test func `the pairs of one sender, and of one prefix, leave room for those of others`() {
        var introductions = Introductions(limit: 64)
        func introduce(_ sender: UInt64, _ net: Int, _ receiver: UInt64, _ time: Duration = .zero) -> Bool {
            introductions.allow(
                (Address(sender), Fixture.endpoint(net, Int(sender))),
                (Address(1000 + receiver), Fixture.endpoint(200, 1)), now + time)
        }
        #expect((0..<100).count { introduce(1, 1, $0) } == 64 / ProtocolLimits.introductionShare)
        var count = 4
        for sender in 2...40 as ClosedRange<UInt64> {
            count += (0..<4).count { introduce(sender, 1, 10 * sender + $0) }
        }
        #expect(count == 32, "half of the room")
        #expect(introduce(50, 2, 500))
        #expect(!introduce(50, 2, 500))
        // The pairs of the first are old after 30 s, and its share is free again.
        #expect((0..<100).count { introduce(1, 1, 2000 + $0, .seconds(30)) } == 4)
    }

    @Test func `a pair that is told again and again does not keep others in the table`() {
        var introductions = Introductions(limit: 64)
        func introduce(_ port: UInt16, _ sender: UInt64, _ time: Duration) -> Bool {
            introductions.allow(
                (Address(sender), Fixture.endpoint(Int(sender), 1, port: port)),
                (Address(1000), Fixture.endpoint(200, 1)), now + time)
        }
        #expect(introduce(1, 1, .zero))
        for sender in 2...64 as ClosedRange<UInt64> { #expect(introduce(1, sender, .zero)) }
        #expect(!introduce(1, 65, .zero))
        for second in 1..<30 { #expect(introduce(UInt16(second + 1), 1, .seconds(second))) }
        #expect(introduce(1, 65, .seconds(30)))
    }

    // MARK: Our own address

    @Test func `a root that names another address of ours all the time does not void the paths each time`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        let liar = Prober(star.root.identity, to: a.identity)
        star.hub.forgetLog()
        for number in 1...20 as ClosedRange<Int> {
            let hello = liar.hello(
                timestamp: 1_750_000_100_000 + UInt64(number), sentTo: Fixture.endpoint(60, number))
            star.hub.receive(a, [hello], from: star.root.sockets[0])
            star.hub.run(.milliseconds(100))
        }
        let asked = star.hub.log.count { $0.from == a.sockets[0] && $0.to == b.sockets[0] }
        #expect((1...2 * ProtocolLimits.surfaceChangeBurst).contains(asked), "\(asked)")
        #expect(star.hub.isDirect(a, to: b))
    }

    @Test func `a change of our address that comes too soon is acted upon when it may be`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        let root = Prober(star.root.identity, to: a.identity)
        func asked(_ number: Int) -> Int {
            star.hub.forgetLog()
            let hello = root.hello(
                timestamp: 1_750_000_100_000 + UInt64(number), sentTo: Fixture.endpoint(60, number))
            star.hub.receive(a, [hello], from: star.root.sockets[0])
            star.hub.run(.milliseconds(100))
            return star.hub.log.count { $0.from == a.sockets[0] && $0.to == b.sockets[0] }
        }
        var number = 1
        while number < 20, asked(number) > 0 || number < 2 { number += 1 }
        #expect(number > ProtocolLimits.surfaceChangeBurst && number < 20)
        star.hub.forgetLog()
        star.hub.run(ProtocolLimits.surfaceChangeInterval)
        // Once, although the root itself says otherwise meanwhile.
        #expect(star.hub.log.contains { $0.from == a.sockets[0] && $0.to == b.sockets[0] })
        #expect(star.hub.isDirect(a, to: b))
    }

    // MARK: Parts

    @Test func `parts from anywhere do not displace those of roots and members, nor one prefix another`() {
        var limits = PeerLimits()
        limits.incompletePackets = 8
        limits.incompleteBytes = 2000
        var defragmenter = Defragmenter(limits: limits)
        func add(_ id: UInt64, _ source: SocketEndpoint, isTrusted: Bool = false, bytes: Int = 10) -> Bool {
            let header = FragmentHeader(packetID: PacketID(id), destination: Address(1), total: 3, number: 1)
            let outcome = defragmenter.addPart(
                header, data: Array(repeating: 0, count: bytes),
                path: PhysicalPath(localSocket: 0, remote: source), isTrusted: isTrusted, now)
            if case .stored = outcome { return true }
            return false
        }
        func isKept(_ id: UInt64, _ source: SocketEndpoint) -> Bool {
            // A part that is there already is refused.
            !add(id, source)
        }
        let root = Fixture.endpoint(1, 1)
        let honest = Fixture.endpoint(2, 1)
        #expect(add(1, root, isTrusted: true) && add(2, honest))
        for id in 10..<100 as Range<UInt64> { #expect(add(id, Fixture.endpoint(3, Int(id), port: UInt16(id)))) }
        #expect(defragmenter.count == 8)
        for id in 100..<110 as Range<UInt64> { #expect(add(id, Fixture.endpoint(3, Int(id)), bytes: 1500)) }
        #expect(isKept(1, root) && isKept(2, honest))
        // Where all is of roots and members, nothing else has a place.
        for id in 201...208 as ClosedRange<UInt64> { #expect(add(id, Fixture.endpoint(4, Int(id)), isTrusted: true)) }
        #expect(!add(300, honest))
        #expect(defragmenter.count == 8)
        #expect(add(400, Fixture.endpoint(4, 250), isTrusted: true), "the oldest gives way")
    }

    @Test func `parts of strangers do not keep the root's from being joined`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let node = star.leaves[0]
        let prober = Prober(star.root.identity, to: node.identity)
        let packet = prober.packet(
            Verb.frame.rawValue, Array(repeating: 7, count: 3000), suite: .gmacSIV, isFragmented: true)
        let parts = Prober.fragments(packet, sizes: [1000, 1100, 2000])
        star.hub.receive(node, [parts[0]], from: star.root.sockets[0])
        star.hub.receive(node, [parts[1]], from: star.root.sockets[0])
        for number in 0..<2 * ProtocolLimits.incompletePackets {
            let header = FragmentHeader(
                packetID: PacketID(UInt64(5000 + number)), destination: node.address, total: 3, number: 1)
            var bytes = [UInt8](repeating: 0, count: 40)
            bytes.withMutableBytes { header.write(into: &$0, at: 0) }
            star.hub.receive(node, [bytes], from: Fixture.endpoint(9 + number % 50, 1 + number))
        }
        star.hub.receive(node, [parts[2]], from: star.root.sockets[0])
        #expect(node.received.last?.payload.count == 3000)
    }
}
