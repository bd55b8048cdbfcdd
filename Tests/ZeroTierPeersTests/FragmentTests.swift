//  Cutting and joining packets.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

private let outside = Fixture.endpoint(9, 9)

@Suite struct FragmentTests {
    private func known() -> (Star, Prober) {
        let star = Star(leaves: 0)
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        star.hub.receive(star.root, [prober.hello()], from: outside)
        star.hub.run(.milliseconds(100))
        return (star, prober)
    }

    private let payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    @Test func `packets are cut into equal datagrams`() throws {
        for length in [28, 1432, 1433, 2838, 2848, 2849, 5000, 9928] {
            let plan = try #require(PacketCut(length: length, mtu: 1432))
            #expect(plan.count == (length <= 1432 ? 1 : (length - 16 + 1415) / 1416), "\(length)")
            #expect(plan.stride <= 1432)
            #expect(plan.lastLength <= plan.stride && plan.lastLength > (plan.count > 1 ? 16 : 0))
            #expect(plan.stride * (plan.count - 1) + plan.lastLength == length + 16 * (plan.count - 1))
            #expect(plan.stride - plan.lastLength < plan.count)
        }
        #expect(PacketCut(length: 2838, mtu: 1432)?.stride == 1427)
        #expect(PacketCut(length: 9929, mtu: 1432) == nil)
    }

    @Test func `a large frame leaves in two equal datagrams and is joined in place`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        let large = Array(payload[0..<2810])
        star.hub.sendFrame(a, to: b.address, large)
        #expect(star.hub.log.filter { !$0.isHello }.map(\.bytes.count) == [1427, 1427])
        star.hub.run(.milliseconds(10))
        #expect(b.received.last?.payload == large)
        #expect(b.engine.defragmenter.count == 0)
    }

    @Test func `parts are joined in any order, with duplicates, one by one`() {
        let orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1], [1, 2, 0]]
        for suite in [CipherSuite.salsa, .gmacSIV] {
            let (star, prober) = known()
            for (index, order) in orders.enumerated() {
                let packet = prober.packet(
                    Verb.frame.rawValue, payload, suite: suite, id: UInt64(7000 + index), isFragmented: true)
                let parts = Prober.fragments(packet, sizes: [1000, 1100, 2000])
                for part in order {
                    star.hub.receive(star.root, [parts[part]], from: outside)
                    star.hub.receive(star.root, [parts[part]], from: outside)
                }
                #expect(star.root.received.count == index + 1)
                #expect(star.root.received.last?.payload == payload)
                // The duplicate of the last part began a packet that is never completed.
                star.hub.run(.seconds(6))
            }
        }
    }

    @Test func `parts of odd sizes and several paths are joined`() {
        let (star, prober) = known()
        for (index, sizes) in [[28, 3000], [3011, 17], [600, 2500], [1432, 1416, 200]].enumerated() {
            let packet = prober.packet(Verb.frame.rawValue, payload, id: UInt64(8000 + index), isFragmented: true)
            let parts = Prober.fragments(packet, sizes: sizes)
            for (number, part) in parts.enumerated() {
                star.hub.receive(star.root, [part], from: number == 0 ? outside : Fixture.endpoint(9, 10 + number))
            }
            #expect(star.root.received.count == index + 1, "\(sizes)")
            #expect(star.root.received.last?.payload == payload)
        }
    }

    @Test func `seven parts are taken, eight are not`() {
        let (star, prober) = known()
        let packet = prober.packet(Verb.frame.rawValue, payload, id: 8100, isFragmented: true)
        star.hub.receive(
            star.root, Prober.fragments(packet, sizes: [400, 500, 500, 500, 500, 500, 500]), from: outside)
        #expect(star.root.received.count == 1)
        let other = prober.packet(Verb.frame.rawValue, payload, id: 8200, isFragmented: true)
        let parts = Prober.fragments(other, sizes: [400, 400, 400, 400, 400, 400, 400, 400])
        star.hub.receive(star.root, parts, from: outside)
        #expect(star.root.received.count == 1)
        #expect(star.root.drops(.badFragment) >= 7)
    }

    @Test func `impossible numbers, short parts and too much data are dropped`() {
        let (star, prober) = known()
        let packet = prober.packet(Verb.frame.rawValue, payload, id: 8300, isFragmented: true)
        var parts = Prober.fragments(packet, sizes: [1000, 1000, 1100])
        parts[1][14] = 0x33
        star.hub.receive(star.root, [parts[1]], from: outside)
        parts[1][14] = 0x11
        star.hub.receive(star.root, [parts[1]], from: outside)
        parts[1][14] = 0x30
        star.hub.receive(star.root, [parts[1]], from: outside)
        #expect(star.root.drops(.badFragment) == 3)
        star.hub.receive(star.root, [Array(parts[1][..<16])], from: outside)
        #expect(star.root.drops(.tooShort) == 1)
        // Another total than before.
        parts[1][14] = 0x31
        star.hub.receive(star.root, [parts[1]], from: outside)
        parts[2][14] = 0x42
        star.hub.receive(star.root, [parts[2]], from: outside)
        #expect(star.root.drops(.badFragment) == 4)
        // Parts that together are longer than a packet.
        let long = Array(repeating: UInt8(1), count: 6000)
        var one = Array(packet[0..<13]) + [0xff, 0x31, 0] + long
        one[0] ^= 1
        var two = one
        two[14] = 0x32
        star.hub.receive(star.root, [one], from: outside)
        star.hub.receive(star.root, [two], from: outside)
        #expect(star.root.drops(.fragmentsTooLong) == 1)
    }

    @Test func `incomplete packets are forgotten after 5 s`() {
        let (star, prober) = known()
        let packet = prober.packet(Verb.frame.rawValue, payload, id: 8400, isFragmented: true)
        let parts = Prober.fragments(packet, sizes: [1000, 1000, 1100])
        star.hub.receive(star.root, [parts[0]], from: outside)
        star.hub.receive(star.root, [parts[2]], from: outside)
        star.hub.run(.seconds(5) - .nanoseconds(1))
        #expect(star.root.drops(.fragmentsTimedOut) == 0)
        star.hub.run(.nanoseconds(1))
        #expect(star.root.drops(.fragmentsTimedOut) == 1)
        star.hub.receive(star.root, [parts[1]], from: outside)
        #expect(star.root.received.isEmpty)
    }

    @Test func `incomplete packets are bounded in number, per source and in bytes`() {
        var limits = PeerLimits()
        limits.incompletePackets = 6
        limits.incompletePacketsPerSource = 4
        limits.incompleteBytes = 5000
        var defragmenter = Defragmenter(limits: limits)
        let now = MonotonicInstant(nanoseconds: 1)
        func add(_ id: UInt64, source: Int, bytes: Int = 10) {
            let header = FragmentHeader(packetID: PacketID(id), destination: Address(1), total: 3, number: 1)
            _ = defragmenter.addPart(
                header, data: Array(repeating: 0, count: bytes),
                path: PhysicalPath(localSocket: 0, remote: Fixture.endpoint(1, source)), now)
        }
        for id: UInt64 in 1...10 { add(id, source: 1) }
        #expect(defragmenter.count == 4)
        #expect(defragmenter.takeDisplaced() == 6)
        for id: UInt64 in 11...20 { add(id, source: Int(id)) }
        #expect(defragmenter.count == 6)
        for id: UInt64 in 21...26 { add(id, source: Int(id), bytes: 1000) }
        #expect(defragmenter.byteCount <= 5000)
        #expect(defragmenter.count <= 5)
    }

    @Test func `a large ECHO is answered in parts`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let leaf = star.leaves[0]
        star.hub.forgetLog()
        star.hub.send(leaf, .echo, Array(payload.prefix(2900)), to: star.root.address)
        star.hub.run(.seconds(1))
        let sizes = { (from: TestNode, to: TestNode) in
            star.hub.log.filter {
                $0.from == from.sockets[0] && $0.to == to.sockets[0] && $0.bytes.count > 900 && !$0.isHello
            }
            .map(\.bytes.count)
        }
        // OK quotes the verb and the packet's ID: nine bytes more.
        #expect(sizes(leaf, star.root).count == 3)
        #expect(sizes(star.root, leaf).reduce(0, +) == sizes(leaf, star.root).reduce(0, +) + 9)
        #expect(leaf.drops(.unexpectedReply) == 0 && leaf.drops(.fragmentsTimedOut) == 0)
    }

    @Test func `the path MTU is brought into its bounds`() {
        var configuration = PeerConfiguration(planet: nil)
        let bounds = ProtocolLimits.physicalMTUs
        for (wanted, used) in [(1, bounds.lowerBound), (1432, 1432), (100_000, bounds.upperBound)] {
            configuration.pathMTU = wanted
            let engine = PeerEngine(
                identity: Fixture.identities[0], configuration: configuration, random: RandomSource(seed: 1),
                now: Hub().now)
            #expect(engine.shared.configuration.pathMTU == used)
        }
    }

    @Test func `what is too long for seven parts is not sent`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        star.hub.send(star.leaves[0], .userMessage, Array(repeating: 1, count: 9950), to: star.leaves[1].address)
        #expect(star.leaves[0].drops(.packetTooLong) == 1)
    }

    @Test func `compressed packets are expanded, damaged ones dropped`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        let likes = Array(repeating: UInt8(3), count: 900)
        star.hub.send(a, .multicastLike, likes, to: b.address, compress: true)
        #expect(star.hub.log.first.map { $0.bytes.count < 200 } == true)
        star.hub.run(.milliseconds(10))
        #expect(b.received.last?.packet.verb == .multicastLike)
        #expect(b.received.last?.payload == likes)
        let garbage = Prober(a.identity, to: b.identity).packet(Verb.frame.rawValue | 0x80, [0xff, 0xff, 0xff])
        star.hub.receive(b, [garbage], from: a.sockets[0])
        #expect(b.drops(.badCompression) == 1)
    }
}
