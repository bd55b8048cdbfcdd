//  What others tell of identities, and what they ask for before they proved anything.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct UnprovenTests {
    /// An identity with real keys under an address that does not follow from them.
    private static func invented(_ number: Int) -> Identity {
        let keys = Fixture.identities[24]
        return Identity(
            address: Address(UInt64(0x50_0000_0000 + number)), publicKeys: keys.publicKeys, secretKeys: keys.secretKeys)
    }

    /// An identity of a real node, for a network of more nodes than the fixture has.
    private static func honest(_ number: Int) -> Identity {
        let keys = Fixture.identities[number % 20]
        return Identity(
            address: Address(UInt64(0x60_0000_0000 + number)), publicKeys: keys.publicKeys, secretKeys: keys.secretKeys)
    }

    // MARK: Identities that others tell of

    @Test func `a false identity that a root tells carries nothing, and the true one is taken afterwards`() throws {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        a.invalidIdentities = [b.address]
        let imposter = Identity(
            address: b.address, publicKeys: Fixture.identities[25].publicKeys,
            secretKeys: Fixture.identities[25].secretKeys)
        star.hub.forgetLog()
        star.hub.passes = { $0.source != a.address.value }
        star.hub.sendFrame(a, to: b.address)
        let root = Prober(star.root.identity, to: a.identity)
        let whois = try #require(star.hub.log.first { root.open($0.bytes)?.verb == Verb.whois.rawValue })
        let answer = OKHeader(inReplyTo: .whois, packetID: whois.packetID).payload(WhoisReply([imposter]).encoded)
        star.hub.receive(
            a, [root.packet(Verb.ok.rawValue, answer, id: 21)], from: star.root.sockets[0])
        #expect(a.jobCount == 1)
        star.hub.run(.milliseconds(10))
        // A question of the false key's holder is not read, and nothing leaves for it.
        let echo = Prober(imposter, to: a.identity).packet(Verb.echo.rawValue, [], id: 22)
        star.hub.receive(a, [echo], from: Fixture.endpoint(9, 9))
        star.hub.run(.milliseconds(15))
        #expect(a.drops(.invalidIdentity) == 1)
        #expect(a.identity(of: b.address) == nil)
        #expect(!a.has(.identityLearned(b.address)))
        #expect(!star.hub.log.contains { $0.destination == b.address.value })
        a.invalidIdentities = []
        star.hub.passes = { _ in true }
        star.hub.run(.seconds(1))
        #expect(a.identity(of: b.address) == b.identity)
        #expect(b.received.count == 1, "what waited leaves under the true key")
    }

    @Test func `after a false answer another root is asked`() throws {
        var lookup = IdentityLookup(limits: PeerLimits())
        let now = MonotonicInstant(nanoseconds: 1)
        let (one, other) = (Address(1), Address(2))
        let isAsking = lookup.request(Address(7), now)
        #expect(isAsking)
        #expect(lookup.due(now, of: one, refused: false) == [Address(7)])
        lookup.hold(Address(7))
        let later = now + .seconds(20)
        #expect(lookup.expire(later).outbound == 0 && lookup.count == 1 && !lookup.hasDue(later))
        lookup.refuse(Address(7), by: one, later)
        #expect(lookup.due(later, of: one, refused: false) == [])
        #expect(lookup.due(later, of: one, refused: true) == [Address(7)])
        #expect(lookup.due(later + .seconds(1), of: other, refused: false) == [Address(7)])
    }

    @Test func `no validation is left out, however many identities a root tells at once`() {
        var validation = IdentityValidation(limits: PeerLimits(), seed: 1)
        let now = MonotonicInstant(nanoseconds: 1)
        for number in 0..<PeerLimits().lookups {
            let isTaken = validation.wish(UnprovenTests.honest(number), toldBy: Address(1), now)
            #expect(isTaken)
        }
        var asked: [Identity] = []
        while case .validate(let identity, let ticket)? = validation.nextJob() {
            asked.append(identity)
            _ = validation.complete(ticket, isValid: true)
            validation.start(now)
        }
        #expect(asked == (0..<PeerLimits().lookups).map(UnprovenTests.honest))
        // Beyond the room nothing is believed unseen: it is told so, and asked again.
        for number in 0..<PeerLimits().lookups + ProtocolLimits.validationsUnderWay {
            _ = validation.wish(UnprovenTests.honest(1000 + number), toldBy: Address(1), now)
        }
        let isTaken = validation.wish(UnprovenTests.honest(5000), toldBy: Address(1), now)
        #expect(!isTaken)
    }

    // MARK: Expensive work

    /// A root under a flood for five seconds; then 80 honest nodes come, of one prefix and of many. How many of them are
    /// online two seconds later.
    private func newcomers(_ flood: (Star, _ tick: Int) -> Void) -> Int {
        let star = Star(leaves: 0)
        // The worker does one after the other, and up to four are given to it.
        star.hub.validationTime = .milliseconds(17 * ProtocolLimits.validationsUnderWay)
        star.root.invalidIdentities = Set((0..<2000).map { UnprovenTests.invented($0).address })
        for tick in 0..<200 {
            flood(star, tick)
            star.hub.run(.milliseconds(25))
        }
        let nodes = (0..<80).map { number in
            star.hub.add(
                UnprovenTests.honest(number),
                [number < 40 ? Fixture.endpoint(100, number + 1) : Fixture.endpoint(100 + number, 1)],
                PeerConfiguration(planet: star.planet))
        }
        for tick in 200..<280 {
            flood(star, tick)
            star.hub.run(.milliseconds(25))
        }
        return nodes.count(where: \.isOnline)
    }

    @Test func `40 HELLOs a second with invented identities keep no newcomer out`() {
        func hello(_ tick: Int, to star: Star) -> [UInt8] {
            Prober(UnprovenTests.invented(tick), to: star.root.identity).hello(id: UInt64(1 << 40 + tick))
        }
        // From one host that exists and does not answer.
        #expect(
            newcomers { star, tick in
                star.hub.receive(star.root, [hello(tick, to: star)], from: Fixture.endpoint(50, 1))
            } == 80)
        // With invented sources.
        #expect(
            newcomers { star, tick in
                star.hub.receive(
                    star.root, [hello(tick, to: star)], from: Fixture.endpoint(200 + tick % 50, 1 + tick / 50))
            } == 80)
    }

    @Test func `40 HELLOs a second with invented identities keep nobody from speaking to a leaf`() {
        let star = Star(leaves: 1)
        let leaf = star.leaves[0]
        let nodes = (0..<80).map { number in
            star.hub.add(
                UnprovenTests.honest(number), [Fixture.endpoint(100 + number, 1)],
                PeerConfiguration(planet: star.planet))
        }
        #expect(star.start())
        star.hub.run(.seconds(2))
        #expect(nodes.allSatisfy { $0.isOnline })
        // The worker does one after the other, and up to four are given to it.
        star.hub.validationTime = .milliseconds(17 * ProtocolLimits.validationsUnderWay)
        leaf.invalidIdentities = Set((0..<2000).map { UnprovenTests.invented($0).address })
        func flood(_ ticks: Range<Int>) {
            for tick in ticks {
                let hello = Prober(UnprovenTests.invented(tick), to: leaf.identity).hello(id: UInt64(1 << 40 + tick))
                star.hub.receive(leaf, [hello], from: Fixture.endpoint(200 + tick % 50, 1 + tick / 50))
                star.hub.run(.milliseconds(25))
            }
        }
        flood(0..<200)
        // The first wish asks who the leaf is: a frame leaves only once that is known.
        for node in nodes { star.hub.sendFrame(node, to: leaf.address) }
        flood(200..<220)
        for node in nodes { star.hub.sendFrame(node, to: leaf.address) }
        flood(220..<340)
        #expect(Set(leaf.received.map(\.packet.source)) == Set(nodes.map(\.address)))
    }

    @Test func `the prefix that was served least is served first`() throws {
        var validation = IdentityValidation(limits: PeerLimits(), seed: 1)
        let now = MonotonicInstant(nanoseconds: 1)
        let key = try #require(Fixture.identities[24].secretKeys?.agree(with: Fixture.identities[20].publicKeys))
        func admit(_ number: Int, from net: Int) {
            let hello = Hello(
                softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 0), timestampMilliseconds: 1,
                identity: UnprovenTests.honest(number), sentTo: nil, planet: nil)
            let path = PhysicalPath(localSocket: 0, remote: Fixture.endpoint(net, 1 + number))
            let admission = validation.admit(
                AuthenticHello(hello: hello, packetID: PacketID(UInt64(number + 1)), path: path, hops: 0),
                key: key, now)
            #expect(admission == .waits)
        }
        var order: [Address] = []
        func work() -> [JobTicket] {
            var tickets: [JobTicket] = []
            while case .validate(let identity, let ticket)? = validation.nextJob() {
                order.append(identity.address)
                tickets.append(ticket)
            }
            return tickets
        }
        // Ten of one prefix come first; four of them are under way when two of another and one of a third come.
        for number in 0..<10 { admit(number, from: 50) }
        for number in 10..<12 { admit(number, from: 51) }
        admit(12, from: 52)
        var underWay = work()
        while let ticket = underWay.first {
            underWay.removeFirst()
            _ = validation.complete(ticket, isValid: true)
            validation.start(now)
            underWay += work()
        }
        let expected = [0, 1, 2, 3, 10, 12, 11, 4, 5, 6, 7, 8, 9]
        #expect(order == expected.map { UnprovenTests.honest($0).address })
    }

    @Test func `2000 HELLOs a second with false MACs keep no newcomer out`() {
        #expect(
            newcomers { star, tick in
                guard tick >= 180 else { return }
                var junk = Prober(UnprovenTests.invented(tick), to: star.root.identity).hello(id: UInt64(tick))
                junk[60] ^= 1
                for number in 0..<50 {
                    star.hub.receive(star.root, [junk], from: Fixture.endpoint(200 + number, 1 + tick % 200))
                }
            } == 80)
    }

    @Test func `under pressure a newcomer is asked back, and validated when it answers from there`() throws {
        let star = Star(leaves: 0)
        star.hub.validationTime = .seconds(100)
        func stranger(_ number: Int) -> Prober { Prober(UnprovenTests.invented(number), to: star.root.identity) }
        let pressure = ProtocolLimits.validationPressure
        for number in 0..<pressure {
            star.hub.receive(star.root, [stranger(number).hello()], from: Fixture.endpoint(60 + number, 1))
        }
        #expect(star.hub.log.isEmpty)
        let late = stranger(pressure)
        let home = Fixture.endpoint(9, 9)
        let hello = late.hello()
        star.hub.receive(star.root, [hello], from: home)
        let question = try #require(star.hub.log.first)
        #expect(question.to == home && question.isHello && question.bytes.count <= hello.count)
        let body = HelloReply(
            timestampMilliseconds: 1, protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 0),
            surfaceAddress: nil, worlds: [])
        func answer(_ id: PacketID) -> [UInt8] {
            late.packet(
                Verb.ok.rawValue, OKHeader(inReplyTo: .hello, packetID: id).payload(body.encoded), id: id.value ^ 1)
        }
        #expect(star.root.provenWaiting == pressure)
        star.hub.receive(star.root, [answer(question.packetID)], from: Fixture.endpoint(9, 10))
        star.hub.receive(star.root, [answer(PacketID(7))], from: home)
        #expect(star.root.provenWaiting == pressure, "from elsewhere, or about something else")
        star.hub.receive(star.root, [answer(question.packetID)], from: home)
        #expect(star.root.provenWaiting == pressure + 1)
    }

    @Test
    func `recordings of a newcomer's HELLO from elsewhere do not keep it from proving its endpoint, however far it is`()
        throws
    {
        let star = Star(leaves: 0)
        star.hub.validationTime = .seconds(100)
        func stranger(_ number: Int) -> Prober { Prober(UnprovenTests.invented(number), to: star.root.identity) }
        let pressure = ProtocolLimits.validationPressure
        for number in 0..<pressure {
            star.hub.receive(star.root, [stranger(number).hello()], from: Fixture.endpoint(60 + number, 1))
        }
        let late = stranger(pressure)
        let home = Fixture.endpoint(9, 9)
        let hello = late.hello()
        star.hub.receive(star.root, [hello], from: home)
        let question = try #require(star.hub.log.first)
        // Its answer takes 700 ms; meanwhile others repeat what they recorded.
        for number in 0..<70 {
            star.hub.run(.milliseconds(10))
            star.hub.receive(star.root, [hello], from: Fixture.endpoint(10 + number, 1))
        }
        // A further HELLO of the newcomer itself is answered as well.
        star.hub.forgetLog()
        star.hub.receive(star.root, [hello], from: home)
        #expect(star.hub.log.contains { $0.to == home })
        let body = HelloReply(
            timestampMilliseconds: 1, protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 0), surfaceAddress: nil, worlds: [])
        let answer = late.packet(
            Verb.ok.rawValue, OKHeader(inReplyTo: .hello, packetID: question.packetID).payload(body.encoded),
            id: question.packetID.value ^ 1)
        star.hub.receive(star.root, [answer], from: home)
        #expect(star.root.provenWaiting == pressure + 1)
    }
}
