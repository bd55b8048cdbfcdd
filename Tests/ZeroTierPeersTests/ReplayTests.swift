//  Recordings: what was authentic once and is sent again, from where it came or from elsewhere.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct ReplayTests {
    private let elsewhere = Fixture.endpoint(77, 7)

    /// What a node sent to another, in their order.
    private func recording(_ star: Star, from: TestNode, to: TestNode) -> [[UInt8]] {
        star.hub.log.filter { $0.from == from.sockets[0] && $0.to == to.sockets[0] }.map(\.bytes)
    }

    @Test func `a recorded frame is not delivered again, within ten minutes of traffic`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        star.hub.forgetLog()
        star.hub.sendFrame(a, to: b.address, [1, 2, 3])
        star.hub.run(.milliseconds(20))
        let frame = recording(star, from: a, to: b)[0]
        let before = b.received.count
        var sent = 0
        for round in 0..<10 {
            star.hub.receive(b, [frame], from: round % 2 == 0 ? a.sockets[0] : elsewhere)
            for _ in 0..<400 { star.hub.sendFrame(a, to: b.address, [4]) }
            sent += 400
            star.hub.run(.seconds(60))
        }
        #expect(b.received.count - before == sent)
        #expect(b.drops(.replayed) == 10)
        #expect(!star.hub.log.contains { $0.to == elsewhere })
    }

    @Test func `recorded answers count once: the latency stays, and a dead path is noticed`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(80))
        let answers = recording(star, from: b, to: a)
        star.hub.run(.seconds(15))
        for answer in answers { star.hub.receive(a, [answer], from: b.sockets[0]) }
        let latency = try #require(star.hub.snapshot(a, of: b)?.latency)
        #expect(latency < .milliseconds(20))
        // Never sent before, but late: an answer that was held back for 20 s.
        star.hub.passes = { $0.from != b.sockets[0] || $0.to != a.sockets[0] }
        star.hub.forgetLog()
        star.hub.run(.seconds(20))
        for answer in recording(star, from: b, to: a) { star.hub.receive(a, [answer], from: b.sockets[0]) }
        let worst = star.hub.snapshot(a, of: b)?.latency ?? .zero
        #expect(worst <= ProtocolLimits.longestRoundTrip)
        star.hub.run(.milliseconds(2600))
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(.seconds(4))
        #expect(!star.hub.isDirect(a, to: b))
    }

    @Test func `a recorded HELLO of an older release does not lower the cipher`() {
        let star = Star(leaves: 0)
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        let home = Fixture.endpoint(9, 9)
        let old = prober.hello(protocolVersion: 11, timestamp: 10)
        for hello in [old, prober.hello(protocolVersion: 11, timestamp: 20)] {
            star.hub.receive(star.root, [hello], from: home)
            star.hub.run(.milliseconds(50))
        }
        star.hub.receive(star.root, [prober.hello(timestamp: 30)], from: home)
        func version() -> UInt8? {
            star.root.engine.snapshot(of: prober.identity.address, now: star.hub.now)?.protocolVersion
        }
        #expect(version() == 12)
        star.hub.receive(star.root, [old], from: home)
        // One that was held back until now.
        star.hub.receive(star.root, [prober.hello(protocolVersion: 11, timestamp: 25)], from: home)
        star.hub.receive(star.root, [prober.hello(protocolVersion: 11, timestamp: 30)], from: home)
        #expect(version() == 12)
    }

    @Test func `an answer that was kept back does not tell the version after one to a later question`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let known = a.engine.topology.lookUp(b.address)
        let id = try #require(known)
        let asked = star.hub.now.monotonic
        for (version, instant) in [(12, asked + .seconds(1)), (11, asked)] as [(UInt8, MonotonicInstant)] {
            let reply = HelloReply(
                timestampMilliseconds: 1, protocolVersion: version,
                softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1), surfaceAddress: nil)
            a.engine.topology.peers[id].noteVersion(reply, askedAt: instant)
            #expect(star.hub.snapshot(a, of: b)?.protocolVersion == 12)
        }
    }

    @Test func `who has recordings of a peer is not asked whether it is that peer`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.seconds(70))
        let recorded = recording(star, from: b, to: a)
        #expect(recorded.count > 5)
        star.hub.forgetLog()
        for bytes in recorded { star.hub.receive(a, [bytes], from: elsewhere) }
        star.hub.run(.seconds(1))
        // HELLO and ECHO leave from all sockets of a node, so they are answered there; nothing is asked.
        #expect(!star.hub.log.contains { $0.to == elsewhere && $0.isHello })
        #expect(star.hub.log.count { $0.to == elsewhere } <= recorded.count)
        #expect(star.hub.snapshot(a, of: b)?.paths.map(\.path.remote) == [b.sockets[0]])
        // Nor of one that has just been recorded.
        star.hub.forgetLog()
        func hellos() -> [[UInt8]] {
            star.hub.log.filter { $0.from == b.sockets[0] && $0.to == a.sockets[0] && $0.isHello }.map(\.bytes)
        }
        #expect(star.hub.run(until: { !hellos().isEmpty }, within: .seconds(130)))
        star.hub.run(.milliseconds(20))
        star.hub.receive(a, [hellos()[0]], from: elsewhere)
        star.hub.run(.seconds(1))
        let answers = star.hub.log.filter { $0.to == elsewhere }
        let key = Prober(b.identity, to: a.identity)
        #expect(answers.count == 1 && answers.allSatisfy { key.open($0.bytes)?.verb == Verb.ok.rawValue })
    }

    @Test func `forty recordings a second do not keep a peer that moved waiting`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.sendFrame(b, to: a.address)
        // HELLOs that never arrived, newer than what did, in the hands of somebody else.
        star.hub.run(.seconds(1))
        let thief = Prober(b.identity, to: a.identity)
        // Long enough to pay for a question, each of them.
        let held = (0..<200).map { thief.packet(Verb.frame.rawValue, [UInt8](repeating: UInt8($0), count: 200)) }
        func replay(_ number: Int) {
            star.hub.receive(a, [held[number]], from: Fixture.endpoint(78, 1 + number))
            star.hub.run(.milliseconds(25))
        }
        for number in 0..<40 { replay(number) }
        let asked = star.hub.log.count { $0.from == a.sockets[0] && $0.to.address.v4 >> 8 & 255 == 78 }
        #expect(asked >= ProtocolLimits.confirmationBurst, "the recordings use up what there is for them")
        let moved = Fixture.endpoint(5, 5)
        b.sockets = [moved]
        b.engine.localNetworkChanged(closedSockets: [0], now: star.hub.now)
        star.hub.settle(b)
        let start = star.hub.now.monotonic
        var number = 40
        while number < 200, star.hub.snapshot(a, of: b)?.paths.contains(where: { $0.path.remote == moved }) != true {
            // Only its own HELLOs speak for it.
            replay(number)
            number += 1
        }
        #expect(star.hub.now.monotonic - start < .milliseconds(500))
    }

    @Test func `of a peer whose numbers grow no recording passes, however old; reordering does not matter`() {
        var filter = ReplayFilter()
        let now = MonotonicInstant(nanoseconds: 1)
        let start = UInt64(1_750_000_000_000) << 20
        filter.setGrowing(true, at: start)
        var numbers = (1...20_000).map { start + UInt64($0) * 40 }
        // Swapped within 48.
        var random = RandomSource(seed: 5)
        for index in stride(from: 0, to: numbers.count - 48, by: 24) {
            numbers.swapAt(index, index + random.next(below: 48))
        }
        for number in numbers {
            #expect(filter.judge(number, from: nil, now) == .fresh)
        }
        for number in numbers {
            let verdict = filter.judge(number, from: nil, now)
            #expect(verdict == .replayed || verdict == .outdated)
        }
        #expect(filter.judge(start - 1 << 40, from: nil, now) == .outdated)
    }

    @Test func `of growing numbers the late ones are taken once each, the room grows with them and shrinks again`() {
        var filter = ReplayFilter()
        var time = MonotonicInstant(nanoseconds: 1)
        let start = UInt64(1_750_000_000_000) << 20
        filter.setGrowing(true, at: start)
        func judge(_ number: Int) -> ReplayFilter.Verdict { filter.judge(start + UInt64(number) * 8, from: nil, time) }
        // Every second one comes by a path that is 1000 packets slower.
        for number in 1...30_000 {
            if number % 2 == 0 || number <= 1000 { #expect(judge(number) == .fresh) }
            let late = number - 1000
            if late > 1000, late % 2 == 1 {
                #expect(judge(late) == .fresh)
                #expect(judge(late) == .replayed)
                #expect(judge(late - 1) == .replayed)
            }
            time = time + .microseconds(100)
        }
        #expect(filter.placeCount == 4 * ProtocolLimits.replayGenerationMost)
        #expect(judge(1) == .outdated)
        for number in 40_000...70_000 {
            #expect(judge(number) == .fresh)
            time = time + .seconds(14)
        }
        #expect(filter.placeCount == 4 * ProtocolLimits.replayGenerationLeast)
        // A HELLO from two sockets, and the same once more.
        let hello = start + 1_000_000
        #expect(filter.judge(hello, from: 1, time) == .fresh)
        #expect(filter.judge(hello, from: 2, time) == .again)
        #expect(filter.judge(hello, from: 2, time) == .replayed)
        #expect(filter.judge(hello, from: 1, time) == .replayed)
        #expect(filter.judge(hello, from: nil, time) == .replayed)
    }

    @Test func `what came before the promise is not taken again after it`() {
        var filter = ReplayFilter()
        let now = MonotonicInstant(nanoseconds: 1)
        let start = UInt64(1_750_000_000_000) << 20
        for number in start...start + 120 { #expect(filter.judge(number, from: nil, now) == .fresh) }
        filter.setGrowing(true, at: start + 100)
        for number in start...start + 120 {
            let verdict = filter.judge(number, from: nil, now)
            #expect(verdict == .replayed || verdict == .outdated)
        }
        #expect(filter.judge(start + 121, from: nil, now) == .fresh)
        filter.setGrowing(false, at: start + 150)
        #expect(filter.judge(start + 121, from: nil, now) == .replayed)
    }

    @Test func `a packet that was kept back for long is taken, but no sign of life of its path`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(10))
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(20))
        let found = a.engine.topology.lookUp(b.address)
        let id = try #require(found)
        let isGrowing = a.engine.topology.peers[id].replays.isGrowing
        #expect(isGrowing)
        star.hub.run(.seconds(2))
        let heard = a.engine.topology.peers[id].paths.map(\.lastReceive)
        func deliver(sentBefore pause: Duration, from place: SocketEndpoint) {
            let number = UInt64(star.hub.now.unixMilliseconds - pause.milliseconds) << 20 | 77
            let prober = Prober(b.identity, to: a.identity)
            star.hub.receive(a, [prober.packet(Verb.frame.rawValue, [7], id: number)], from: place)
        }
        let taken = a.received.count
        star.hub.forgetLog()
        deliver(sentBefore: .milliseconds(5600), from: b.sockets[0])
        deliver(sentBefore: .milliseconds(5700), from: Fixture.endpoint(99, 9))
        #expect(a.received.count == taken + 2)
        let after = a.engine.topology.peers[id].paths.map(\.lastReceive)
        #expect(after == heard)
        #expect(!star.hub.log.contains { $0.to == Fixture.endpoint(99, 9) })
        deliver(sentBefore: .milliseconds(10), from: b.sockets[0])
        let now = a.engine.topology.peers[id].paths.map(\.lastReceive)
        #expect(now != heard)
    }

    @Test func `members that never meet directly know of each other that recordings are refused`() {
        let star = Star(leaves: 2, leaf: { $0.directPathsEnabled = false })
        #expect(star.start())
        star.hub.run(.seconds(1))
        let (a, b) = (star.leaves[0], star.leaves[1])
        for _ in 0..<3 {
            star.hub.sendFrame(a, to: b.address, [1])
            star.hub.run(.seconds(1))
        }
        let frames = star.hub.log.filter {
            $0.to == b.sockets[0] && $0.source == a.address.value && !$0.isHello && !$0.isFragment
        }
        #expect(frames.count >= 3)
        let before = b.received.count
        for _ in 0..<400 { star.hub.sendFrame(a, to: b.address, [4]) }
        star.hub.run(.seconds(60))
        for _ in 0..<400 { star.hub.sendFrame(a, to: b.address, [4]) }
        star.hub.run(.seconds(1))
        for frame in frames { star.hub.receive(b, [frame.bytes], from: star.root.sockets[0]) }
        #expect(b.received.count - before == 800)
        #expect(star.hub.snapshot(b, of: a)?.protocolVersion == 12)
    }

    @Test func `a busy peer's generations grow, a quiet one's stay small`() {
        var filter = ReplayFilter()
        var time = MonotonicInstant(nanoseconds: 1)
        for number in 1...40_000 as ClosedRange<UInt64> {
            _ = filter.judge(number, from: nil, time)
            time = time + .milliseconds(1)
        }
        #expect(filter.judge(40_000 - 4000, from: nil, time) == .replayed)
        #expect(filter.judge(40_000 - 8192, from: nil, time) == .fresh, "forgotten: without growing numbers it passes")
        #expect(filter.placeCount == 4 * ProtocolLimits.replayGenerationMost)
        for number in 100_000...110_000 as ClosedRange<UInt64> {
            _ = filter.judge(number, from: nil, time)
            time = time + .seconds(14)
        }
        #expect(filter.placeCount == 4 * ProtocolLimits.replayGenerationLeast)
    }

    @Test func `a peer whose clock was set back is asked, and heard from its answer on`() throws {
        let star = Star(leaves: 1)
        #expect(star.start())
        let (root, leaf) = (star.root, star.leaves[0])
        star.hub.run(.seconds(1))
        let prober = Prober(leaf.identity, to: root.identity)
        // A day before.
        let then = (1_750_000_000_000 - 86_400_000 as UInt64) << 20
        func frame(_ number: UInt64) -> [UInt8] { prober.packet(Verb.frame.rawValue, [9], id: then + number) }
        star.hub.forgetLog()
        star.hub.passes = { $0.to != leaf.sockets[0] }
        star.hub.receive(root, [frame(1)], from: leaf.sockets[0])
        #expect(root.received.isEmpty && root.drops(.replayed) == 1)
        let question = try #require(star.hub.log.first { $0.isHello && $0.to == leaf.sockets[0] })
        func answer(_ id: PacketID, number: UInt64) -> [UInt8] {
            let body = HelloReply(
                timestampMilliseconds: 1, protocolVersion: 12,
                softwareVersion: SoftwareVersion(major: 2, minor: 0, revision: 0), surfaceAddress: nil, worlds: [])
            return prober.packet(
                Verb.ok.rawValue, OKHeader(inReplyTo: .hello, packetID: id).payload(body.encoded), id: then + number)
        }
        star.hub.receive(root, [answer(PacketID(1), number: 2)], from: leaf.sockets[0])
        star.hub.receive(root, [frame(3)], from: leaf.sockets[0])
        #expect(root.received.isEmpty)
        star.hub.receive(root, [answer(question.packetID, number: 4)], from: leaf.sockets[0])
        star.hub.receive(root, [frame(5)], from: leaf.sockets[0])
        #expect(root.received.count == 1)
    }

    @Test func `our numbers grow by more than seven, and over a restart`() {
        var random = RandomSource(seed: 3)
        var numbers = PacketNumbers()
        var now = Now(monotonic: .zero, unixMilliseconds: 1_750_000_000_000)
        var last: UInt64 = 0
        for round in 0..<1000 {
            if round % 100 == 0 {
                now = now.advanced(by: .milliseconds(1))
                numbers.note(now)
            }
            let next = numbers.next(using: &random).value
            #expect(next >= last + 8)
            #expect(next >> 20 == UInt64(now.unixMilliseconds))
            last = next
        }
        var restarted = PacketNumbers()
        restarted.note(now.advanced(by: .milliseconds(1)))
        #expect(restarted.next(using: &random).value > last)
    }
}
