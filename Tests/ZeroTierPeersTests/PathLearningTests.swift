//  The two-step rule: nothing that can be replayed or spoofed moves a path.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct PathLearningTests {
    @Test func `a new address is asked back once a second, with no more bytes than came, and learned by its OK`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(2))
        let elsewhere = Fixture.endpoint(7, 7)
        let prober = Prober(b.identity, to: a.identity)
        star.hub.forgetLog()
        for index in 0..<30 {
            star.hub.receive(a, [prober.packet(0, [], id: UInt64(100 + index))], from: elsewhere)
            star.hub.run(.milliseconds(100))
        }
        let questions = star.hub.log.filter { $0.to == elsewhere }
        #expect((3...4).contains(questions.count))
        #expect(questions.reduce(0) { $0 + $1.bytes.count } <= 30 * 28)
        // Nobody answered there, so nothing moved.
        #expect(star.hub.snapshot(a, of: b)?.paths.map(\.path.remote) == [b.sockets[0]])
    }

    @Test func `a datagram replayed from elsewhere does not move the path`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        star.hub.forgetLog()
        star.hub.sendFrame(b, to: a.address)
        let captured = star.hub.log.filter { $0.to == a.sockets[0] }.map(\.bytes)
        star.hub.run(.milliseconds(100))
        for _ in 0..<3 {
            star.hub.receive(a, captured, from: Fixture.endpoint(7, 7))
            star.hub.run(.seconds(2))
        }
        #expect(star.hub.snapshot(a, of: b)?.paths.map(\.path.remote) == [b.sockets[0]])
    }

    @Test func `a captured OK replayed from elsewhere does not confirm that place`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let oks = star.hub.log.filter { $0.from == b.sockets[0] && $0.to == a.sockets[0] }.map(\.bytes)
        #expect(!oks.isEmpty)
        star.hub.run(.seconds(1))
        star.hub.receive(a, oks, from: Fixture.endpoint(7, 7))
        star.hub.run(.seconds(3))
        #expect(star.hub.snapshot(a, of: b)?.paths.map(\.path.remote) == [b.sockets[0]])
    }

    @Test func `a spoofed source with a wrong MAC does nothing at all`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.forgetLog()
        let spoofer = Prober(Fixture.identities[25], to: a.identity)
        let bytes = spoofer.packet(Verb.frame.rawValue, [1, 2, 3], source: b.address)
        star.hub.receive(a, [bytes], from: Fixture.endpoint(7, 7))
        #expect(a.drops(.badMAC) == 1)
        #expect(star.hub.log.isEmpty)
    }

    @Test func `OK that answers nothing is dropped, also when it is authentic`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let node = star.leaves[0]
        let payload = OKHeader(inReplyTo: .echo, packetID: PacketID(424_242)).payload([])
        let bytes = Prober(star.root.identity, to: node.identity).packet(Verb.ok.rawValue, payload)
        star.hub.receive(node, [bytes], from: star.root.sockets[0])
        #expect(node.drops(.unexpectedReply) == 1)
    }

    @Test func `an OK to a configuration that was passed on quotes ECHO and is told as what it answers`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        b.received = []
        star.hub.send(a, .networkConfig, [1, 2, 3], to: b.address)
        star.hub.run(.seconds(1))
        let id = try #require(b.received.last { $0.packet.verb == .networkConfig }).packet.packetID
        let payload = OKHeader(inReplyTo: .echo, packetID: id).payload([])
        let bytes = Prober(b.identity, to: a.identity).packet(Verb.ok.rawValue, payload)
        star.hub.receive(a, [bytes], from: b.sockets[0])
        let verbs = a.events.compactMap { event -> Verb? in
            if case .okReceived(let reply) = event { reply.inReVerb } else { nil }
        }
        #expect(verbs == [.networkConfig])
    }

    @Test func `a question is answered once from each endpoint, whichever packets say so`() throws {
        var replies = ExpectedReplies(limit: 8)
        let (now, peer) = (MonotonicInstant(nanoseconds: 5_000_000_000), Address(1))
        let (asked, other) = (Fixture.endpoint(1, 1), Fixture.endpoint(2, 2))
        replies.add(PacketID(1), ExpectedReply(peer: peer, verb: .hello, sentAt: now, remote: asked))
        func take(_ remote: SocketEndpoint, by socket: Int32 = 0, isDirect: Bool = true) -> Bool {
            let path = PhysicalPath(localSocket: socket, remote: remote)
            return replies.take(PacketID(1), from: peer, path, isDirect: isDirect, now) != nil
        }
        #expect(take(asked) && !take(asked))
        // It left from each of our sockets.
        #expect(take(asked, by: 1) && !take(asked, by: 1))
        #expect(take(other) && !take(other) && !take(asked, isDirect: false))

        // A peer that goes on answering moves nothing.
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        let id = star.hub.lastHello(of: a, to: b.sockets[0])
        let latency = try #require(star.hub.snapshot(a, of: b)?.latency)
        star.hub.run(.seconds(5))
        let body = HelloReply(
            timestampMilliseconds: 1, protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1), surfaceAddress: nil)
        let answer = OKHeader(inReplyTo: .hello, packetID: id).payload(body.encoded)
        let before = a.drops(.unexpectedReply)
        for _ in 0..<3 {
            star.hub.receive(
                a, [Prober(b.identity, to: a.identity).packet(Verb.ok.rawValue, answer)], from: b.sockets[0])
        }
        #expect(a.drops(.unexpectedReply) == before + 3)
        #expect(star.hub.snapshot(a, of: b)?.latency == latency)
    }

    @Test func `an expected reply is forgotten after 30 s and the table is bounded`() {
        var replies = ExpectedReplies(limit: 3)
        let start = MonotonicInstant(nanoseconds: 5_000_000_000)
        let peer = Address(1)
        func add(_ id: UInt64, _ time: MonotonicInstant) {
            replies.add(
                PacketID(id), ExpectedReply(peer: peer, verb: .echo, sentAt: time, remote: nil))
        }
        add(1, start)
        #expect(replies.find(PacketID(1), from: peer, start + (.seconds(30) - .nanoseconds(1))) != nil)
        #expect(replies.find(PacketID(1), from: peer, start + .seconds(30)) == nil)
        #expect(replies.find(PacketID(1), from: Address(2), start) == nil, "another peer cannot answer for it")
        for id: UInt64 in 2...4 { add(id, start) }
        #expect(replies.count == 3)
        #expect(replies.find(PacketID(1), from: peer, start) == nil)
        #expect(replies.find(PacketID(4), from: peer, start) != nil)
    }

    @Test func `upstream paths are limited to the endpoints of the world`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let node = star.leaves[0]
        star.hub.forgetLog()
        let bytes = Prober(star.root.identity, to: node.identity).packet(0, [])
        star.hub.receive(node, [bytes], from: Fixture.endpoint(8, 8))
        #expect(star.hub.log.isEmpty, "no HELLO to an address that no world lists")
    }

    @Test func `no path leads into a virtual network`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        let (a, b) = (star.leaves[0], star.leaves[1])
        if let prefix = IPPrefix("10.0.1.0/24") { a.engine.setForbiddenPrefixes([prefix]) }
        star.hub.run(.milliseconds(100))
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(.seconds(3))
        #expect(!star.hub.isDirect(a, to: b))
        #expect(!b.received.isEmpty)
    }

    @Test func `a second change of the network within a moment of the first is asked about as well`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(3))
        a.engine.localNetworkChanged(closedSockets: [], now: star.hub.now)
        star.hub.settle(a)
        star.hub.run(.milliseconds(100))
        // The first question is answered; the second change makes the answer worthless.
        star.hub.forgetLog()
        a.engine.localNetworkChanged(closedSockets: [], now: star.hub.now)
        star.hub.settle(a)
        star.hub.run(.milliseconds(160))
        let asked = Set(star.hub.log.filter { $0.from == a.sockets[0] }.map(\.to))
        #expect(asked.isSuperset(of: [b.sockets[0], star.root.sockets[0]]))
    }

    @Test func `a path whose own address is gone is tried from what is left`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(3))
        star.hub.forgetLog()
        a.engine.localNetworkChanged(closedSockets: [0], now: star.hub.now)
        #expect(!star.hub.isDirect(a, to: b))
        star.hub.settle(a)
        star.hub.run(.milliseconds(100))
        #expect(star.hub.log.contains { $0.from == a.sockets[0] && $0.to == b.sockets[0] })
        #expect(star.hub.isDirect(a, to: b))
    }

    @Test func `a change of our own address voids the paths until they answer again`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(70))
        // The NAT in front of A gives it another address: the old one is dead, and B cannot be reached at first.
        let moved = Fixture.endpoint(1, 200)
        a.sockets = [moved]
        star.hub.run(.seconds(80))
        #expect(star.hub.isDirect(a, to: star.root))
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(.seconds(1))
        #expect(star.hub.isDirect(a, to: b))
        #expect(star.hub.snapshot(b, of: a)?.paths.contains { $0.path.remote == moved && $0.isAlive } == true)
    }

    @Test func `surface addresses are reported by roots, and a change resets paths of its scope`() {
        var surfaces = SurfaceAddresses()
        let scopes = PathScopes(allowsLoopback: false)
        let path = PhysicalPath(localSocket: 0, remote: SocketEndpoint(IPAddress(v4: 0x0808_0808), port: 9993))
        let start = MonotonicInstant(nanoseconds: 1)
        func global(_ last: UInt32, port: UInt16 = 9993) -> SocketEndpoint {
            SocketEndpoint(IPAddress(v4: 0x0909_0900 + last), port: port)
        }
        func report(_ surface: SocketEndpoint, isTrusted: Bool = true, at time: MonotonicInstant = start)
            -> SurfaceAddresses.OnReport
        {
            surfaces.report(surface, reporter: Address(5), path: path, scopes: scopes, isTrusted: isTrusted, time)
        }
        #expect(report(global(1)) == .nothing)
        #expect(report(global(1, port: 7)) == .nothing, "another port is no change")
        #expect(report(global(2), isTrusted: false) == .nothing)
        #expect(report(global(3)) == .addressChanged(.init(scope: .global, isIPv4: true)))
        #expect(report(Fixture.endpoint(1, 1)) == .nothing, "a private address seen by a global one says nothing")
        #expect(surfaces.all(start) == [global(3)])
        #expect(surfaces.all(start + (.seconds(600) - .nanoseconds(1))) == [global(3)])
        #expect(surfaces.all(start + .seconds(600)).isEmpty)
    }

    @Test func `strangers do not tell us our address, members and roots do by confirmed paths`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        star.hub.run(.milliseconds(100))
        let (a, b) = (star.leaves[0], star.leaves[1])
        func surfaces() -> [SocketEndpoint] { b.engine.surfaceAddresses(now: star.hub.now) }
        #expect(surfaces() == [b.sockets[0]], "the root's word")
        var timestamp: UInt64 = 1_800_000_000_000
        func report(_ surface: Int, from: SocketEndpoint) {
            timestamp += 1
            let hello = Prober(a.identity, to: b.identity).hello(
                id: timestamp, timestamp: timestamp, sentTo: Fixture.endpoint(50, surface))
            star.hub.receive(b, [hello], from: from)
        }
        report(1, from: a.sockets[0])
        #expect(surfaces() == [b.sockets[0]])
        let packet = try #require(b.received.last?.packet)
        b.engine.noteTrust(packet, now: star.hub.now)
        star.hub.settle(b)
        report(2, from: Fixture.endpoint(7, 7))
        #expect(surfaces() == [b.sockets[0]], "nobody confirmed that path")
        report(3, from: a.sockets[0])
        #expect(surfaces() == [b.sockets[0], Fixture.endpoint(50, 3)])
        // A recording says what was true once.
        timestamp -= 2
        report(4, from: a.sockets[0])
        #expect(surfaces() == [b.sockets[0], Fixture.endpoint(50, 3)])
    }

    @Test func `what roots report outlives any number of others' reports and is told first`() {
        var surfaces = SurfaceAddresses()
        let scopes = PathScopes(allowsLoopback: false)
        let now = MonotonicInstant(nanoseconds: 1)
        func report(_ surface: Int, reporter: Int, isTrusted: Bool) {
            _ = surfaces.report(
                Fixture.endpoint(60, surface), reporter: Address(UInt64(reporter)),
                path: PhysicalPath(localSocket: 0, remote: Fixture.endpoint(61, reporter % 200)), scopes: scopes,
                isTrusted: isTrusted, now)
        }
        report(250, reporter: 1000, isTrusted: true)
        for index in 1...400 { report(index % 200, reporter: index, isTrusted: false) }
        report(251, reporter: 1001, isTrusted: true)
        let all = surfaces.all(now)
        #expect(all.contains(Fixture.endpoint(60, 250)))
        #expect(all.contains(Fixture.endpoint(60, 251)))
        #expect(
            surfaces.preferred(now) == [251, 250, 0, 199].map { Fixture.endpoint(60, $0) })
    }

    @Test func `the best path is alive, private and quick, and a superseded one the last choice`() {
        let now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
        func path(_ scope: AddressScope, latency: Int, age: Int = 0, host: Int = 1) -> Path {
            var path = Path(
                physical: PhysicalPath(localSocket: 0, remote: Fixture.endpoint(1, host)), scope: scope,
                now: now + .seconds(-age))
            path.latency = .milliseconds(latency)
            return path
        }
        let global = path(.global, latency: 10)
        let near = path(.private, latency: 30)
        #expect(PathSelection.best([global, near], .alive, now) == 1, "private counts four times")
        #expect(PathSelection.best([global, path(.private, latency: 50)], .alive, now) == 0)
        #expect(PathSelection.best([path(.private, latency: 1, age: 19), global], .alive, now) == 1)
        #expect(PathSelection.best([path(.private, latency: 1, age: 19)], .alive, now) == nil)
        #expect(PathSelection.best([path(.private, latency: 1, age: 242)], .unexpired, now) == 0)
        #expect(PathSelection.best([path(.private, latency: 1, age: 243)], .unexpired, now) == nil)
        #expect(PathSelection.best([path(.private, latency: 1, age: 243)], .any, now) == 0)
        #expect(ProtocolLimits.pathAlive.nanoseconds == Int64(ProtocolLimits.pathAliveNanoseconds))
        #expect(ProtocolLimits.trust.nanoseconds == Int64(ProtocolLimits.trustNanoseconds))
        #expect(ProtocolLimits.housekeeping.nanoseconds == Int64(ProtocolLimits.housekeepingNanoseconds))
        var old = near
        old.isSuperseded = true
        #expect(PathSelection.best([old, global], .alive, now) == 1)
        #expect(PathSelection.best([old], .alive, now) == 0)
        var doubted = near
        doubted.doubtedSince = now + .milliseconds(-500)
        #expect(PathSelection.best([doubted], .alive, now) == nil)
        doubted.doubtedSince = now + .milliseconds(-499)
        #expect(PathSelection.best([doubted], .alive, now) == 0)
    }
}
