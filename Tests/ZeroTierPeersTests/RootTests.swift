//  What a root does for others, and its limits.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct RootTests {
    @Test func `a root relays with one more hop and drops what was relayed three times`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let (a, b) = (star.leaves[0], star.leaves[1])
        let prober = Prober(a.identity, to: b.identity)
        for hops: UInt8 in 0..<8 {
            var bytes = prober.packet(Verb.frame.rawValue, [1], id: UInt64(5000 + Int(hops)))
            bytes[18] |= hops
            star.hub.forgetLog()
            star.hub.receive(star.root, [bytes], from: a.sockets[0])
            let relayed = star.hub.log.filter { $0.to == b.sockets[0] && $0.source == a.address.value }
            #expect(relayed.map(\.hops) == (hops < 3 ? [hops + 1] : []))
        }
        #expect(star.root.drops(.relayHopLimit) == 5)
    }

    @Test func `a root relays fragments as they are`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let (a, b) = (star.leaves[0], star.leaves[1])
        let payload = Array(repeating: UInt8(5), count: 2500)
        star.hub.sendFrame(a, to: b.address, payload)
        #expect(star.hub.run(until: { b.received.count == 1 }, within: .milliseconds(100)))
        #expect(b.received.first?.payload == payload)
        #expect(b.received.first?.packet.hops == 1)
    }

    @Test func `a node that is no root does not relay for paths without trust`() {
        let star = Star(leaves: 3)
        #expect(star.connect())
        let (a, b, c) = (star.leaves[0], star.leaves[1], star.leaves[2])
        star.hub.sendFrame(a, to: c.address)
        star.hub.run(.seconds(1))
        // B sends to A what is meant for C.
        let bytes = Prober(b.identity, to: c.identity).packet(Verb.frame.rawValue, [1])
        star.hub.receive(a, [bytes], from: b.sockets[0])
        #expect(a.drops(.relayNotAllowed) == 1)
        // With trust it does.
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(20))
        if let packet = a.received.last?.packet { a.engine.noteTrust(packet, now: star.hub.now) }
        star.hub.receive(a, [bytes], from: b.sockets[0])
        #expect(a.drops(.relayNotAllowed) == 1)
        star.hub.run(.milliseconds(50))
        #expect(c.received.contains { $0.packet.source == b.address })
        // And only for ten minutes.
        star.hub.run(.seconds(600))
        star.hub.receive(a, [bytes], from: b.sockets[0])
        #expect(a.drops(.relayNotAllowed) == 2)
    }

    @Test func `a packet of our own that comes back is not relayed`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let bytes = Prober(star.root.identity, to: star.leaves[0].identity).packet(Verb.frame.rawValue, [1])
        star.hub.receive(star.root, [bytes], from: star.leaves[0].sockets[0])
        #expect(star.root.drops(.ownSource) == 1)
    }

    @Test func `an unknown destination is dropped by a lone root`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let bytes = Prober(star.leaves[0].identity, to: Fixture.identities[30]).packet(Verb.frame.rawValue, [1])
        star.hub.receive(star.root, [bytes], from: star.leaves[0].sockets[0])
        #expect(star.root.drops(.relayUnknownDestination) == 1)
    }

    @Test func `two peers are introduced once in 30 s, and again when one has another endpoint`() {
        let star = Star(leaves: 2, leaf: { $0.directPathsEnabled = false })
        #expect(star.start())
        star.hub.run(.seconds(1))
        let (a, b) = (star.leaves[0], star.leaves[1])
        let bytes = Prober(a.identity, to: b.identity).packet(Verb.frame.rawValue, [1])
        func introductions() -> Int {
            star.hub.forgetLog()
            star.hub.receive(star.root, [bytes], from: a.sockets[0])
            return star.hub.log.filter {
                $0.from == star.root.sockets[0] && $0.source == star.root.address.value && !$0.isHello
            }.count
        }
        #expect(introductions() == 2)
        #expect(introductions() == 0)
        star.hub.run(.seconds(30) - .milliseconds(1))
        #expect(introductions() == 0)
        star.hub.run(.milliseconds(1))
        #expect(introductions() == 2)
    }

    @Test func `a root answers WHOIS for all it knows, in order`() throws {
        let star = Star(leaves: 3)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let prober = Prober(star.leaves[0].identity, to: star.root.identity)
        let wanted = [
            star.leaves[2].address, Fixture.identities[30].address, star.root.address, star.leaves[1].address,
        ]
        for index in 0..<5 {
            star.hub.forgetLog()
            let bytes = prober.packet(Verb.whois.rawValue, Whois(wanted).encoded + [1, 2], id: UInt64(100 + index))
            star.hub.receive(star.root, [bytes], from: star.leaves[0].sockets[0])
            let answer = try #require(star.hub.log.compactMap { prober.open($0.bytes) }.first)
            let (header, body) = try OKHeader.split(answer.payload)
            #expect(header.inReplyTo == .whois)
            let reply = try WhoisReply(decoding: body)
            #expect(
                reply.identities.map(\.address) == [star.leaves[2].address, star.root.address, star.leaves[1].address])
        }
    }

    @Test func `WHOIS by an unconfirmed path is answered to the confirmed one only, each address once`() throws {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let (node, elsewhere) = (star.leaves[0], Fixture.endpoint(7, 7))
        let prober = Prober(node.identity, to: star.root.identity)
        let wanted = Array(repeating: star.root.address, count: 128)
        for hops: UInt8 in 0..<2 {
            var datagram = prober.packet(Verb.whois.rawValue, Whois(wanted).encoded)
            datagram[18] |= hops
            star.hub.forgetLog()
            star.hub.receive(star.root, [datagram], from: elsewhere)
            #expect(star.hub.log.allSatisfy { $0.to != elsewhere || $0.isHello })
            let answer = try #require(
                star.hub.log.filter { $0.to == node.sockets[0] }.compactMap { prober.open($0.bytes) }.first)
            let reply = try WhoisReply(decoding: OKHeader.split(answer.payload).body)
            #expect(reply.identities == [star.root.identity.withoutSecret])
        }
    }

    @Test func `the answer to a newcomer's WHOIS leaves when its path is confirmed`() {
        let star = Star(leaves: 0)
        let node = Fixture.identities[20]
        let outside = Fixture.endpoint(9, 9)
        let prober = Prober(node, to: star.root.identity)
        star.hub.receive(star.root, [prober.hello()], from: outside)
        star.hub.run(.milliseconds(50))
        let whois = prober.packet(Verb.whois.rawValue, Whois([star.root.address]).encoded, id: 601)
        star.hub.receive(star.root, [whois], from: outside)
        func answers() -> Int {
            star.hub.log.filter { $0.to == outside }.compactMap { prober.open($0.bytes) }
                .filter { $0.verb == Verb.ok.rawValue && $0.payload.first == Verb.whois.rawValue }.count
        }
        #expect(answers() == 0)
        // The root's own question to the new path is answered.
        let question = star.hub.log.last { $0.to == outside && prober.open($0.bytes)?.verb == Verb.echo.rawValue }
        let id = question?.packetID ?? PacketID(0)
        let payload = OKHeader(inReplyTo: .echo, packetID: id).payload([])
        star.hub.receive(star.root, [prober.packet(Verb.ok.rawValue, payload, id: 602)], from: outside)
        #expect(answers() == 1)
    }

    @Test func `a root answers so many WHOIS of one peer at once`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let prober = Prober(star.leaves[0].identity, to: star.root.identity)
        func ask(_ id: Int) {
            let bytes = prober.packet(Verb.whois.rawValue, Whois([star.root.address]).encoded, id: UInt64(1000 + id))
            star.hub.receive(star.root, [bytes], from: star.leaves[0].sockets[0])
        }
        for index in 0..<ProtocolLimits.rootWhoisBurst + 5 { ask(index) }
        #expect(star.root.drops(.whoisLimit) == 5)
        star.hub.run(.milliseconds(2))
        ask(5000)
        #expect(star.root.drops(.whoisLimit) == 5)
    }

    @Test func `a leaf answers one WHOIS per peer and 100 ms`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let prober = Prober(a.identity, to: b.identity)
        func ask(_ id: UInt64) -> Int {
            star.hub.forgetLog()
            star.hub.receive(
                b, [prober.packet(Verb.whois.rawValue, Whois([b.address]).encoded, id: id)], from: a.sockets[0])
            return star.hub.log.count
        }
        #expect(ask(1) == 1)
        star.hub.run(.milliseconds(100) - .nanoseconds(1))
        #expect(ask(2) == 0)
        #expect(b.drops(.whoisLimit) == 1)
        star.hub.run(.milliseconds(1))
        #expect(ask(3) == 1)
    }

    /// A WHOIS for 128 addresses that nobody has.
    private func unknownAddresses(_ round: Int) -> [UInt8] {
        Whois((0..<128).map { Address(UInt64(0x10_0000 + round * 128 + $0)) }).encoded
    }

    @Test func `a leaf does not look up what others ask it for`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let prober = Prober(a.identity, to: b.identity)
        for round in 0..<2 {
            star.hub.receive(
                b, [prober.packet(Verb.whois.rawValue, unknownAddresses(round), id: UInt64(500 + round))],
                from: a.sockets[0])
            star.hub.run(.milliseconds(100))
        }
        #expect(b.drops(.whoisLimit) == 0)
        #expect(b.lookupCount == 0)
    }

    @Test func `what others ask a root for leaves room for what it looks up itself`() {
        let hub = Hub()
        let endpoints = [Fixture.endpoint(0, 1), Fixture.endpoint(0, 2)]
        let planet = Fixture.planet([
            (Fixture.identities[0], [endpoints[0]]), (Fixture.identities[1], [endpoints[1]]),
        ])
        let root = hub.add(Fixture.identities[0], [endpoints[0]], PeerConfiguration(planet: planet))
        let other = hub.add(Fixture.identities[1], [endpoints[1]], PeerConfiguration(planet: planet))
        let askers = (0..<6).map { Prober(Fixture.identities[20 + $0], to: root.identity) }
        for (index, asker) in askers.enumerated() {
            hub.receive(root, [asker.hello()], from: Fixture.endpoint(6, 1 + index))
        }
        hub.run(.milliseconds(100))
        for (index, asker) in askers.enumerated() {
            for round in 0..<2 {
                let bytes = asker.packet(
                    Verb.whois.rawValue, unknownAddresses(2 * index + round), id: UInt64(500 + round))
                hub.receive(root, [bytes], from: Fixture.endpoint(6, 1 + index))
            }
            #expect(root.lookupCount == min(16 * (index + 1), 64))
        }
        hub.run(.milliseconds(100))
        hub.forgetLog()
        hub.sendFrame(root, to: Fixture.identities[30].address)
        #expect(root.lookupCount == 65)
        #expect(hub.log.contains { $0.to == other.sockets[0] && $0.bytes.count == 33 }, "WHOIS for one address")
    }

    @Test func `OK(WHOIS) counts only from a root, and never replaces a known identity`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.passes = { _ in false }
        star.hub.sendFrame(a, to: Fixture.identities[30].address)
        // The WHOIS is on its way; B answers in the root's place.
        let whois = star.hub.log.last { $0.from == a.sockets[0] && $0.bytes.count == 33 }
        let id = whois.map { $0.bytes[0..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } } ?? 0
        let payload = OKHeader(inReplyTo: .whois, packetID: PacketID(id))
            .payload(WhoisReply([Fixture.identities[30]]).encoded)
        star.hub.receive(
            a, [Prober(b.identity, to: a.identity).packet(Verb.ok.rawValue, payload)], from: b.sockets[0])
        #expect(a.identity(of: Fixture.identities[30].address) == nil)
        #expect(a.drops(.unexpectedReply) == 1)
        // The root itself, with what was not asked and a false B among it.
        let falseB = Identity(address: b.address, publicKeys: Fixture.identities[31].publicKeys)
        let mixed = OKHeader(inReplyTo: .whois, packetID: PacketID(id))
            .payload(WhoisReply([falseB, Fixture.identities[32], Fixture.identities[30]]).encoded)
        star.hub.receive(
            a, [Prober(star.root.identity, to: a.identity).packet(Verb.ok.rawValue, mixed)],
            from: star.root.sockets[0])
        star.hub.run(star.hub.validationTime)
        #expect(a.identity(of: b.address) == b.identity)
        #expect(a.identity(of: Fixture.identities[30].address) == Fixture.identities[30])
        #expect(a.identity(of: Fixture.identities[32].address) == nil, "unasked")
    }

    // MARK: Limits of ProtocolLimits

    private func helloFlood(
        _ count: Int, known: Int = 0, sources: (Int) -> SocketEndpoint = { Fixture.endpoint(6, 1 + $0) },
        _ configure: (inout PeerConfiguration) -> Void
    ) -> Star {
        let star = Star(leaves: 0, root: configure)
        for index in 0..<count {
            let prober = Prober(Fixture.identities[2 + index], to: star.root.identity)
            star.hub.receive(star.root, [prober.hello()], from: sources(index))
        }
        return star
    }

    @Test func `a root holds so many peers and no more`() {
        let star = helloFlood(10) { $0.limits.peers = 6 }
        star.hub.run(.milliseconds(100))
        #expect(star.root.peerCount == 6)
        #expect(star.root.drops(.peerTableFull) == 4)
        // The silent ones give way later.
        star.hub.run(.seconds(61))
        let late = Prober(Fixture.identities[35], to: star.root.identity)
        star.hub.receive(star.root, [late.hello()], from: Fixture.endpoint(6, 100))
        star.hub.run(.milliseconds(100))
        #expect(star.root.peerCount == 6)
        #expect(star.root.identity(of: late.identity.address) != nil)
    }

    @Test func `a table that one prefix fills takes newcomers from others`() {
        let star = Star(leaves: 8, root: { $0.limits.peers = 8 })
        #expect(star.start())
        star.hub.run(.seconds(90))
        #expect(star.root.peerCount == 8)
        let configuration = PeerConfiguration(planet: star.planet)
        let same = star.hub.add(Fixture.identities[20], [Fixture.endpoint(1, 100)], configuration)
        star.hub.run(.seconds(2))
        #expect(!same.isOnline)
        star.hub.remove(same)
        let other = star.hub.add(Fixture.identities[21], [Fixture.endpoint(2, 1)], configuration)
        star.hub.run(.seconds(2))
        #expect(other.isOnline)
        #expect(star.root.identity(of: other.address) != nil)
        #expect(star.root.peerCount == 8)
    }

    @Test func `who speaks but is never found gives way to newcomers`() {
        let star = helloFlood(6) { $0.limits.peers = 6 }
        star.hub.run(.seconds(9))
        let late = Prober(Fixture.identities[35], to: star.root.identity)
        star.hub.receive(star.root, [late.hello(id: 1)], from: Fixture.endpoint(6, 100))
        star.hub.run(.milliseconds(100))
        #expect(star.root.identity(of: late.identity.address) == nil)
        star.hub.run(.seconds(2))
        star.hub.receive(star.root, [late.hello(id: 2)], from: Fixture.endpoint(6, 100))
        star.hub.run(.milliseconds(100))
        #expect(star.root.identity(of: late.identity.address) != nil)
        #expect(star.root.peerCount == 6)
    }

    @Test func `a silent stranger gives way before a silent member`() throws {
        let star = Star(leaves: 2, leaf: { $0.limits.peers = 2 })
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.milliseconds(100))
        let packet = try #require(b.received.last?.packet)
        b.engine.noteTrust(packet, now: star.hub.now)
        star.hub.settle(b)
        star.hub.remove(a)
        star.hub.run(.seconds(5))
        func greet(_ index: Int) {
            let stranger = Prober(Fixture.identities[index], to: b.identity)
            star.hub.receive(b, [stranger.hello()], from: Fixture.endpoint(6, index))
            star.hub.run(.milliseconds(100))
        }
        greet(20)
        #expect(b.peerCount == 3)
        star.hub.run(.seconds(70))
        greet(21)
        #expect(b.identity(of: a.address) != nil, "silent for longer")
        #expect(b.identity(of: Fixture.identities[20].address) == nil)
        #expect(b.identity(of: Fixture.identities[21].address) != nil)
    }

    @Test func `a source prefix that used up its key agreements leaves half of all to the others`() {
        let star = helloFlood(30) { $0.limits.agreementBurst = 40 }
        // 16 of its own, then as long as more than 20 of 40 are there.
        #expect(star.root.drops(.agreementLimit) == 30 - 20)
        // Another prefix has a bucket of its own.
        let other = Prober(Fixture.identities[36], to: star.root.identity)
        star.hub.receive(star.root, [other.hello()], from: Fixture.endpoint(7, 1))
        #expect(star.root.drops(.agreementLimit) == 30 - 20)
    }

    @Test func `key agreements are limited over all prefixes`() {
        let star = helloFlood(20, sources: { Fixture.endpoint(20 + $0, 1) }) {
            $0.limits.agreementBurst = 8
            $0.limits.agreementInterval = .seconds(1)
        }
        #expect(star.root.drops(.agreementLimit) == 12)
        star.hub.run(.seconds(1))
        let other = Prober(Fixture.identities[36], to: star.root.identity)
        star.hub.receive(star.root, [other.hello()], from: Fixture.endpoint(7, 1))
        #expect(star.root.drops(.agreementLimit) == 12)
    }

    @Test func `validations are limited by source prefix, over all, and in number under way`() {
        let hub = helloFlood(10) {
            $0.limits.validationBurstPerPrefix = 4
            $0.limits.validationBurst = 2
            $0.limits.validationInterval = .seconds(1)
            $0.limits.validationIntervalPerPrefix = .seconds(100)
        }
        hub.hub.run(.milliseconds(500))
        #expect(hub.root.jobCount == 4 + 2)
        hub.hub.run(.seconds(2))
        #expect(hub.root.jobCount == 4 + 2 + 2)
        let underWay = helloFlood(10, sources: { Fixture.endpoint(20 + $0, 1) }) { $0.limits.pendingValidations = 3 }
        #expect(underWay.root.jobCount == ProtocolLimits.validationsUnderWay)
        #expect(underWay.root.drops(.validationLimit) == 10 - 3 - UInt64(ProtocolLimits.validationsUnderWay))
    }

    @Test func `a HELLO with a wrong MAC does not use up validations`() {
        let star = Star(leaves: 0, root: { $0.limits.agreementBurstPerPrefix = 100 })
        for index in 0..<20 {
            var bytes = Prober(Fixture.identities[2 + index], to: star.root.identity).hello()
            bytes[20] ^= 1
            star.hub.receive(star.root, [bytes], from: Fixture.endpoint(6, 1))
        }
        #expect(star.root.drops(.badMAC) == 20)
        let honest = Prober(Fixture.identities[30], to: star.root.identity)
        star.hub.receive(star.root, [honest.hello()], from: Fixture.endpoint(6, 1))
        #expect(star.root.jobCount == 1)
    }

    @Test func `relayed bytes are limited for each source`() {
        let star = Star(
            leaves: 2,
            root: {
                $0.limits.relayedBytesPerSecond = 10_000
                $0.limits.relayedBytesBurst = 10_000
            })
        #expect(star.start())
        star.hub.run(.seconds(2))
        let (a, b) = (star.leaves[0], star.leaves[1])
        let bytes = Prober(a.identity, to: b.identity).packet(Verb.frame.rawValue, Array(repeating: 1, count: 972))
        // They say hello through the root.
        star.hub.receive(star.root, [bytes], from: a.sockets[0])
        star.hub.run(.seconds(2))
        for _ in 0..<15 { star.hub.receive(star.root, [bytes], from: a.sockets[0]) }
        #expect(star.root.drops(.relayBudget) == 5)
        star.hub.receive(star.root, [bytes], from: Fixture.endpoint(1, 77))
        #expect(star.root.drops(.relayBudget) == 5, "another source has its own budget")
        star.hub.run(.milliseconds(100))
        star.hub.receive(star.root, [bytes], from: a.sockets[0])
        #expect(star.root.drops(.relayBudget) == 5, "1000 bytes are back after a tenth of a second")
        star.hub.receive(star.root, [bytes], from: a.sockets[0])
        #expect(star.root.drops(.relayBudget) == 6)
        // What leads nowhere costs as much: nothing is looked up beyond the budget.
        let nowhere = Prober(a.identity, to: Fixture.identities[29]).packet(
            Verb.frame.rawValue, Array(repeating: 1, count: 972))
        for _ in 0..<15 { star.hub.receive(star.root, [nowhere], from: Fixture.endpoint(1, 78)) }
        #expect(star.root.drops(.relayUnknownDestination) == 10)
        #expect(star.root.drops(.relayBudget) == 6 + 5)
    }

    @Test func `the ledger of relay sources and the pairs introduced are bounded`() {
        var limits = PeerLimits()
        limits.relaySources = 8
        var ledger = RelayLedger(limits: limits)
        let now = MonotonicInstant(nanoseconds: 1_000_000_000)
        for host in 1...100 {
            let isAllowed = ledger.allow(1000, from: Fixture.endpoint(1, host), now)
            #expect(isAllowed)
        }
        #expect(ledger.count == 8)
        var introductions = Introductions(limit: 4)
        for host in 1...50 {
            _ = introductions.allow(
                (Address(UInt64(host + 1)), Fixture.endpoint(host, 1)), (Address(1), Fixture.endpoint(1, 1)), now)
        }
        #expect(introductions.count == 4)
    }

    @Test func `waiting packets and look-ups are bounded`() {
        let star = Star(
            leaves: 1,
            leaf: {
                $0.limits.waitingInbound = 8
                $0.limits.waitingOutbound = 6
                $0.limits.lookups = 10
            })
        #expect(star.start())
        let node = star.leaves[0]
        for index in 0..<20 {
            let stranger = Prober(Fixture.identities[10 + index], to: node.identity)
            star.hub.receive(node, [stranger.packet(Verb.frame.rawValue, [1])], from: Fixture.endpoint(8, index + 1))
        }
        #expect(node.drops(.noRoomToWait) == 12)
        #expect(node.lookupCount == 8)
        for index in 0..<20 { star.hub.send(node, .frame, [1], to: Fixture.identities[10 + index].address) }
        #expect(node.lookupCount == 10)
        #expect(node.drops(.destinationUnreachable) >= 10)
        star.hub.run(.seconds(6))
        #expect(node.lookupCount == 0)
        #expect(node.drops(.senderUnknown) == 8)
    }

    // MARK: Gates

    @Test func `ECHO is answered in bursts, then every 166 ms`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(5))
        let prober = Prober(a.identity, to: b.identity)
        func ask(_ number: UInt64) -> Bool {
            let id = (1_750_000_020_000 << 20) + number
            star.hub.forgetLog()
            star.hub.receive(b, [prober.packet(Verb.echo.rawValue, [4, 5], id: id)], from: a.sockets[0])
            let answer = star.hub.log.compactMap { prober.open($0.bytes) }.first
            return answer?.payload == OKHeader(inReplyTo: .echo, packetID: PacketID(id)).payload([4, 5])
        }
        let answers = (0..<10).filter { ask(UInt64(200 + $0)) }
        #expect(answers.count == ProtocolLimits.echoBurst)
        #expect(b.drops(.echoLimit) == UInt64(10 - ProtocolLimits.echoBurst))
        star.hub.run(.milliseconds(165))
        #expect(!ask(300))
        star.hub.run(.milliseconds(1))
        #expect(ask(301))
    }

    @Test(arguments: [true, false])
    func `HELLOs of a known peer are answered in bursts only`(_ isNewer: Bool) {
        let star = Star(leaves: 0)
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        func hello(_ index: Int) {
            let bytes = prober.hello(id: UInt64(index + 1), timestamp: UInt64(isNewer ? 1000 + index : 1000 - index))
            star.hub.receive(star.root, [bytes], from: Fixture.endpoint(9, 9))
        }
        hello(0)
        star.hub.run(.seconds(20))
        for index in 1...40 { hello(index) }
        #expect(star.root.drops(.helloLimit) == UInt64(40 - ProtocolLimits.helloBurst))
        star.hub.run(isNewer ? .milliseconds(250) : .milliseconds(500))
        hello(50)
        #expect(star.root.drops(.helloLimit) == UInt64(40 - ProtocolLimits.helloBurst))
        hello(51)
        #expect(star.root.drops(.helloLimit) == UInt64(41 - ProtocolLimits.helloBurst))
    }

    @Test func `a recorded HELLO does not keep its owner from being answered`() {
        let star = Star(leaves: 0)
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        let home = Fixture.endpoint(9, 9)
        star.hub.receive(star.root, [prober.hello(id: 1, timestamp: 10)], from: home)
        star.hub.run(.milliseconds(50))
        let recorded = prober.hello(id: 2, timestamp: 11)
        star.hub.receive(star.root, [recorded], from: home)
        for _ in 0..<105 {
            star.hub.receive(star.root, [recorded], from: Fixture.endpoint(7, 7))
            star.hub.run(.milliseconds(10))
        }
        #expect(star.root.drops(.replayed) == 104, "answered once at each endpoint")
        star.hub.forgetLog()
        star.hub.receive(star.root, [prober.hello(id: 3, timestamp: 12)], from: home)
        #expect(star.hub.log.contains { $0.to == home && prober.open($0.bytes)?.verb == Verb.ok.rawValue })
        // A clock that was set back is no reason to be silent for ever.
        star.hub.run(.seconds(10))
        star.hub.forgetLog()
        star.hub.receive(star.root, [prober.hello(id: 4, timestamp: 3)], from: home)
        #expect(star.hub.log.contains { $0.to == home && prober.open($0.bytes)?.verb == Verb.ok.rawValue })
    }

    @Test func `a push now and then is always followed`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.trust(a, b)
        let prober = Prober(b.identity, to: a.identity)
        let push = PushDirectPaths([PushDirectPaths.Record(endpoint: Fixture.endpoint(30, 1))]).encoded
        for index in 0..<24 {
            star.hub.receive(
                a, [prober.packet(Verb.pushDirectPaths.rawValue, push, id: UInt64(50 + index))], from: b.sockets[0])
            star.hub.run(.seconds(15))
        }
        #expect(a.drops(.pushLimit) == 0)
    }

    @Test func `PUSH_DIRECT_PATHS is followed eight times in a row, with eight attempts per scope`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(5))
        star.hub.forgetLog()
        star.hub.trust(a, b)
        let prober = Prober(b.identity, to: a.identity)
        let many = (1...20).map { PushDirectPaths.Record(endpoint: Fixture.endpoint(30, $0)) }
        let forbidden = PushDirectPaths.Record(endpoint: SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: 9993))
        let forgotten = PushDirectPaths.Record(flags: 1, endpoint: Fixture.endpoint(31, 1))
        let push = PushDirectPaths([forbidden, forgotten] + many).encoded
        // What it names is paid by what it sent.
        for _ in 0..<8 { star.hub.sendFrame(b, to: a.address) }
        star.hub.run(.milliseconds(20))
        star.hub.forgetLog()
        star.hub.receive(a, [prober.packet(Verb.pushDirectPaths.rawValue, push)], from: b.sockets[0])
        let tried = Set(star.hub.log.filter { $0.from == a.sockets[0] }.map(\.to))
        #expect(tried == Set((1...8).map { Fixture.endpoint(30, $0) }))
        for index in 1..<12 {
            star.hub.receive(
                a, [prober.packet(Verb.pushDirectPaths.rawValue, push, id: UInt64(50 + index))], from: b.sockets[0])
        }
        #expect(a.drops(.pushLimit) == 4)
        star.hub.run(.seconds(31))
        star.hub.receive(
            a, [prober.packet(Verb.pushDirectPaths.rawValue, push, id: 99)], from: b.sockets[0])
        #expect(a.drops(.pushLimit) == 4)
    }

    @Test func `addresses are pushed to a trusted peer every 15 s by relay and every 120 s directly`() {
        let star = Star(leaves: 2, leaf: { _ in })
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        a.engine.setLocalNetwork([Fixture.endpoint(40, 1)], now: star.hub.now)
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(20))
        guard var packet = a.received.last?.packet else { return }
        func pushes() -> Bool {
            star.hub.forgetLog()
            a.engine.noteTrust(packet, now: star.hub.now)
            star.hub.settle(a)
            return !star.hub.log.filter { $0.from == a.sockets[0] }.isEmpty
        }
        packet.hops = 0
        #expect(pushes())
        star.hub.run(.seconds(120) - .milliseconds(1))
        #expect(!pushes())
        star.hub.run(.milliseconds(1))
        #expect(pushes())
        packet.hops = 1
        star.hub.run(.seconds(15) - .milliseconds(1))
        #expect(!pushes())
        star.hub.run(.milliseconds(1))
        #expect(pushes())
    }
}
