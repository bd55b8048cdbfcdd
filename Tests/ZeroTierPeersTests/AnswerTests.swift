//  What a node sends because others want it: never more to an endpoint that proved nothing than came from it.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct AnswerTests {
    private let victim = Fixture.endpoint(77, 7)

    /// Bytes that the victim was sent, per byte that came in its name.
    private func bytes(to endpoint: SocketEndpoint, _ star: Star) -> Int {
        star.hub.log.filter { $0.to == endpoint }.reduce(0) { $0 + $1.bytes.count }
    }

    private func connected() -> (star: Star, a: TestNode, b: TestNode, prober: Prober) {
        let star = Star(leaves: 2)
        #expect(star.connect())
        star.hub.run(.seconds(2))
        star.hub.forgetLog()
        let (a, b) = (star.leaves[0], star.leaves[1])
        return (star, a, b, Prober(b.identity, to: a.identity))
    }

    @Test func `questions in a victim's name get it no more bytes than they had`() {
        let (star, a, _, prober) = connected()
        let big = LZ4Block.encode(Array(repeating: 7, count: 9000))
        let packets: [(UInt8, [UInt8])] = [
            (Verb.echo.rawValue, []), (Verb.echo.rawValue | Verb.compressedFlag, big),
            (Verb.whois.rawValue, Whois([star.root.address, a.address]).encoded), (Verb.nop.rawValue, []),
        ]
        var sent = 0
        for (verb, payload) in packets {
            for _ in 0..<20 {
                let packet = prober.packet(verb, payload)
                sent += packet.count
                star.hub.receive(a, [packet], from: victim)
                #expect(bytes(to: victim, star) <= sent)
            }
            star.hub.run(.seconds(1))
        }
        #expect(bytes(to: victim, star) <= sent)
        #expect(a.drops(.unconfirmedEndpoint) > 0)
    }

    @Test func `a copy of a HELLO that waits for its validation pays once`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.seconds(2))
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        let hello = prober.hello()
        star.hub.forgetLog()
        star.hub.receive(star.root, [hello], from: Fixture.endpoint(9, 9))
        star.hub.receive(star.root, [hello], from: victim)
        star.hub.run(.seconds(1))
        let spent = bytes(to: victim, star)
        #expect(spent > 0)
        // What was sent and what may still be sent is no more than came.
        #expect(star.root.engine.shared.answers.credit(of: victim, star.hub.now.monotonic) + spent <= hello.count)
    }

    @Test func `addresses told from an unproven endpoint are tried with what came, by one socket, and asked once`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let node = star.hub.add(
            Fixture.identities[21], [Fixture.endpoint(9, 1), Fixture.endpoint(9, 2)],
            PeerConfiguration(planet: star.planet))
        star.hub.run(.seconds(2))
        let prober = Prober(Fixture.identities[20], to: node.identity)
        var sent = 0
        func send(_ bytes: [UInt8]) {
            sent += bytes.count
            star.hub.receive(node, [bytes], from: victim)
            star.hub.run(.seconds(1))
        }
        let others = (0..<8).map { Fixture.endpoint(88, 1 + $0) }
        star.hub.forgetLog()
        send(prober.hello())
        for _ in 0..<20 {
            let push = PushDirectPaths(others.map { PushDirectPaths.Record(endpoint: $0) }).encoded
            send(prober.packet(Verb.pushDirectPaths.rawValue, push))
        }
        let out = star.hub.log.filter { $0.to == victim || others.contains($0.to) }
        #expect(out.contains { others.contains($0.to) })
        #expect(out.reduce(0) { $0 + $1.bytes.count } <= sent)
    }

    @Test func `a newcomer's HELLO is answered without worlds, which come once its path is confirmed`() throws {
        let star = Star(leaves: 0)
        let newer = Fixture.planet([(Fixture.identities[0], [Fixture.endpoint(0, 1)])], timestamp: 1_700_000_000_005)
        star.root.engine.adoptWorld(newer, now: star.hub.now)
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        let hello = prober.hello(planet: star.planet)
        star.hub.receive(star.root, [hello], from: victim)
        star.hub.run(.milliseconds(100))
        #expect(star.hub.log.contains { $0.to == victim })
        #expect(bytes(to: victim, star) <= hello.count)
        // A node that is really there has it within a second.
        let node = star.hub.add(
            Fixture.identities[1], [Fixture.endpoint(1, 1)], PeerConfiguration(planet: star.planet))
        star.hub.run(.seconds(1))
        #expect(node.planet == newer)
    }

    @Test func `addresses that a stranger pushes are tried once each, with no more bytes than it ever sent`() {
        let (star, a, b, prober) = connected()
        let records = (1...8).map { PushDirectPaths.Record(endpoint: Fixture.endpoint(80, $0)) }
        let redirects = (1...60).map { PushDirectPaths.Record(flags: 2, endpoint: Fixture.endpoint(81, $0)) }
        // What it sent before is in its account.
        a.engine.spendCredit(of: b.address)
        var sent = 0
        func out() -> Int {
            star.hub.log.filter { [80, 81].contains($0.to.address.v4 >> 8 & 255) }.reduce(0) { $0 + $1.bytes.count }
        }
        for payload in [PushDirectPaths(records).encoded, PushDirectPaths(redirects).encoded] {
            let packet = prober.packet(Verb.pushDirectPaths.rawValue, payload)
            sent += packet.count
            star.hub.receive(a, [packet], from: b.sockets[0])
            star.hub.run(.seconds(10))
            #expect(out() > 0 && out() <= sent)
        }
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(50))
        if let packet = a.received.last?.packet { a.engine.noteTrust(packet, now: star.hub.now) }
        star.hub.settle(a)
        star.hub.forgetLog()
        star.hub.receive(
            a, [prober.packet(Verb.pushDirectPaths.rawValue, PushDirectPaths(redirects).encoded)], from: b.sockets[0])
        #expect(Set(star.hub.log.map(\.to)).count { $0.address.v4 >> 8 & 255 == 81 } == 1, "one way to redirect")
    }

    @Test(arguments: [UInt8(0), PushDirectPaths.Record.clusterRedirectFlag])
    func `what a member names gets no more bytes than the member sent, and is tried when it has sent enough`(
        _ flags: UInt8
    ) {
        let (star, a, b, prober) = connected()
        star.hub.trust(a, b)
        a.engine.spendCredit(of: b.address)
        var sent = 0
        var named = Set<SocketEndpoint>()
        func out() -> Int { star.hub.log.filter { named.contains($0.to) }.reduce(0) { $0 + $1.bytes.count } }
        for round in 0..<20 {
            let records = (1...8).map {
                PushDirectPaths.Record(flags: flags, endpoint: Fixture.endpoint(80 + round, $0))
            }
            named.formUnion(records.map(\.endpoint))
            let push = prober.packet(Verb.pushDirectPaths.rawValue, PushDirectPaths(records).encoded)
            sent += push.count
            star.hub.receive(a, [push], from: b.sockets[0])
            star.hub.run(.milliseconds(500))
            #expect(out() <= sent)
        }
        #expect(out() > sent / 4)
        guard flags == 0 else { return }
        // The last ones wait for bytes; any will do.
        star.hub.run(ProtocolLimits.directPathsWindow + .seconds(1))
        star.hub.forgetLog()
        named = Set((1...8).map { Fixture.endpoint(120, $0) })
        let push = PushDirectPaths(named.map { PushDirectPaths.Record(endpoint: $0) }).encoded
        star.hub.receive(a, [prober.packet(Verb.pushDirectPaths.rawValue, push)], from: b.sockets[0])
        #expect(Set(star.hub.log.map(\.to)).intersection(named).count < named.count)
        for _ in 0..<8 {
            star.hub.sendFrame(b, to: a.address)
            star.hub.run(.milliseconds(100))
        }
        star.hub.run(.seconds(1))
        #expect(Set(star.hub.log.map(\.to)).isSuperset(of: named))
    }

    @Test func `a redirect is an attempt as every other, within their limit`() throws {
        let (star, a, b, prober) = connected()
        star.hub.trust(a, b)
        let known = a.engine.topology.lookUp(b.address)
        let id = try #require(known)
        while a.engine.topology.peers[id].attemptGate.allow(star.hub.now.monotonic) {}
        let elsewhere = Fixture.endpoint(80, 1)
        let redirect = PushDirectPaths.Record(flags: PushDirectPaths.Record.clusterRedirectFlag, endpoint: elsewhere)
        func isTried() -> Bool {
            let push = prober.packet(Verb.pushDirectPaths.rawValue, PushDirectPaths([redirect]).encoded)
            star.hub.receive(a, [push], from: b.sockets[0])
            return star.hub.log.contains { $0.to == elsewhere }
        }
        #expect(!isTried())
        star.hub.run(ProtocolLimits.attemptInterval)
        #expect(isTried())
    }

    @Test func `an ECHO from an endpoint that proved nothing is answered with what it has, and confirms both ways`() {
        let (star, a, b, _) = connected()
        // Nothing is left of what came before paths were confirmed.
        star.hub.run(ProtocolLimits.answerCreditLife + .seconds(1))
        // The same node at a new place: neither side has the other's path there.
        let place = Fixture.endpoint(90, 1)
        b.sockets.append(place)
        star.hub.forgetLog()
        let push = PushDirectPaths([PushDirectPaths.Record(endpoint: place)]).encoded
        star.hub.trust(a, b)
        star.hub.receive(
            a, [Prober(b.identity, to: a.identity).packet(Verb.pushDirectPaths.rawValue, push)], from: b.sockets[0])
        star.hub.run(.seconds(1))
        let out = star.hub.log.filter { $0.to == place }.map(\.bytes.count)
        let back = star.hub.log.filter { $0.from == place }.map(\.bytes.count)
        #expect(out.first == ProtocolLimits.echoReplyLength * 2, "one question that pays for both answers")
        #expect(back.prefix(2).reduce(0, +) <= ProtocolLimits.echoReplyLength * 2)
        #expect(a.engine.snapshot(of: b.address, now: star.hub.now)?.paths.contains { $0.path.remote == place } == true)
        #expect(
            b.engine.snapshot(of: a.address, now: star.hub.now)?.paths.contains {
                $0.path.localSocket == Int32(b.sockets.count - 1)
            } == true)
    }

    @Test func `an OK to HELLO says what a restarted node has to know of its peer: that its numbers grow`() {
        let (star, a, b, _) = connected()
        let record = a.engine.topology.lookUp(b.address).map { a.engine.topology.peers[$0].record.encoded } ?? []
        // Nothing of b's comes by itself: only what answers.
        star.hub.passes = { !($0.isHello && $0.source == b.address.value) }
        star.hub.remove(a)
        let again = star.hub.add(a.identity, a.sockets, PeerConfiguration(planet: star.planet))
        again.engine.importPeer(record, isValidated: true, now: star.hub.now)
        star.hub.settle(again)
        star.hub.run(.seconds(1))
        let id = again.engine.topology.lookUp(b.address)
        #expect(id.map { again.engine.topology.peers[$0].replays.isGrowing } == true)
    }

    @Test func `a full table of introduced pairs says no, until the oldest may be introduced again`() {
        var introductions = Introductions(limit: 2)
        let now = MonotonicInstant(nanoseconds: 1)
        func allow(_ number: Int, _ now: MonotonicInstant) -> Bool {
            introductions.allow(
                (Address(UInt64(number)), Fixture.endpoint(number, 1)), (Address(1), Fixture.endpoint(1, 1)), now)
        }
        #expect(allow(2, now) && allow(3, now))
        #expect(!allow(4, now))
        let later = now + ProtocolLimits.unite
        #expect(!allow(4, now + (ProtocolLimits.unite - .nanoseconds(1))))
        #expect(allow(4, later))
    }

    @Test func `a relayed packet introduces nobody unless it comes from where its source is`() {
        let star = Star(leaves: 3)
        #expect(star.start())
        star.hub.run(.milliseconds(200))
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.forgetLog()
        let forged = Prober(a.identity, to: b.identity).packet(Verb.frame.rawValue, [1])
        let rendezvous: () -> Int = {
            let reader = Prober(a.identity, to: star.root.identity)
            return star.hub.log.count { reader.open($0.bytes)?.verb == Verb.rendezvous.rawValue }
        }
        star.hub.receive(star.root, [forged], from: victim)
        #expect(star.root.engine.relayedPackets == 1 && rendezvous() == 0)
        star.hub.receive(star.root, [forged], from: a.sockets[0])
        #expect(rendezvous() == 1)
    }

    @Test
    func `endpoints that a hostile root introduces get no more bytes than it sent, and it is followed within a limit`()
    {
        let (star, a, b, _) = connected()
        let root = Prober(star.root.identity, to: a.identity)
        for address in [star.root.address, b.address] { a.engine.spendCredit(of: address) }
        let named = (0..<400).map { Fixture.endpoint(80 + $0 / 100, 1 + $0 % 100) }
        var sent = 0
        func out() -> Int { star.hub.log.filter { named.contains($0.to) }.reduce(0) { $0 + $1.bytes.count } }
        // What really comes from the two pays as well.
        func paid() -> Int { sent + star.hub.log.filter { $0.to == a.sockets[0] }.reduce(0) { $0 + $1.bytes.count } }
        for (number, endpoint) in named.enumerated() {
            // Every second one of a peer that is not known: that introduction waits for the identity.
            let peer = number % 2 == 0 ? b.address : Fixture.identities[30].address
            let packet = root.packet(
                Verb.rendezvous.rawValue, Rendezvous(peer: peer, endpoint: endpoint).encoded)
            sent += packet.count
            star.hub.receive(a, [packet], from: star.root.sockets[0])
            #expect(out() <= paid())
        }
        for _ in 0..<30 {
            star.hub.run(.seconds(1))
            #expect(out() <= paid())
        }
        #expect(out() > sent / 8, "they are tried")
        #expect(a.drops(.rendezvousLimit) == UInt64(named.count - ProtocolLimits.rendezvousBurst))
        // Not for ever.
        star.hub.forgetLog()
        star.hub.run(.seconds(60))
        #expect(out() == 0)
    }

    @Test func `what others wish does not take the place of a node's own packets`() {
        let (star, a, b, prober) = connected()
        star.hub.trust(a, b)
        // It has sent enough to pay for all that it names.
        for _ in 0..<12 { star.hub.sendFrame(b, to: a.address) }
        star.hub.run(.milliseconds(20))
        let own = (0..<10).map { UInt8($0) }
        for number in own { a.engine.send(.frame, [number], to: b.address, now: star.hub.now) }
        let records = (1...8).map { PushDirectPaths.Record(endpoint: Fixture.endpoint(80, $0)) }
        let push = prober.packet(Verb.pushDirectPaths.rawValue, PushDirectPaths(records).encoded)
        // In the same turn, before anything could leave.
        var batch = ReceiveBatch()
        _ = batch.append(push.span.bytes, path: PhysicalPath(localSocket: 0, remote: b.sockets[0]))
        var replies = TransmitBatch()
        _ = a.engine.open(&batch, at: 0, replies: &replies, now: star.hub.now)
        #expect(a.engine.shared.control.count == own.count)
        #expect(a.engine.shared.wishes.count == records.count)
        for _ in 0..<2 * ProtocolLimits.wishes {
            a.engine.shared.enqueue(.datagram([1], PhysicalPath(localSocket: 0, remote: victim)), isWish: true)
        }
        #expect(a.engine.shared.control.count == own.count && a.engine.shared.wishes.count == ProtocolLimits.wishes)
        #expect(a.drops(.wishesFull) > 0 && a.drops(.controlQueueFull) == 0)
        star.hub.settle(a)
        star.hub.run(.milliseconds(50))
        #expect(b.received.suffix(own.count).map(\.payload) == own.map { [$0] })
    }

    @Test func `messages to the application are limited for each peer`() {
        let (star, a, b, prober) = connected()
        for number in 0..<500 as Range<UInt64> {
            let message = UserMessage(type: 70_000 + number, data: [1])
            star.hub.receive(a, [prober.packet(Verb.userMessage.rawValue, message.encoded)], from: b.sockets[0])
        }
        let told = a.events.count { if case .userMessage = $0 { true } else { false } }
        #expect(told == ProtocolLimits.userMessageBurst)
        #expect(a.drops(.userMessageLimit) == 500 - UInt64(told))
        star.hub.run(ProtocolLimits.userMessageInterval)
        star.hub.receive(
            a, [prober.packet(Verb.userMessage.rawValue, UserMessage(type: 1, data: [2]).encoded)],
            from: b.sockets[0])
        #expect(a.has(.userMessage(from: b.address, type: 1, data: [2])))
    }
}

extension PeerEngine {
    /// Leaves a peer nothing to pay with.
    fileprivate mutating func spendCredit(of address: Address) {
        guard let id = topology.lookUp(address) else { return }
        while topology.peers[id].pay(1) {}
    }
}
