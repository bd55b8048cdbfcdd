//  WHOIS, relaying, introduction, direct paths: the life of a connection.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct ConnectionTests {
    @Test func `the first frame is relayed, then the pair becomes direct`() {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        star.hub.sendFrame(a, to: b.address)
        #expect(star.hub.run(until: { !b.received.isEmpty }, within: .milliseconds(100)))
        #expect(b.received.first?.packet.verb == .frame)
        #expect(b.received.first?.packet.hops == 1)
        #expect(b.received.first?.packet.source == a.address)
        #expect(b.received.first?.payload == Array(repeating: 7, count: 100))
        #expect(
            star.hub.run(until: { star.hub.isDirect(a, to: b) && star.hub.isDirect(b, to: a) }, within: .seconds(1)))
        let isDirect = star.hub.sendFrame(a, to: b.address)
        #expect(isDirect)
        #expect(star.hub.run(until: { b.received.count == 2 }, within: .milliseconds(6)))
        #expect(b.received.last?.packet.hops == 0)
        #expect(a.events.contains { if case .peerDirect(b.address, _) = $0 { true } else { false } })
        #expect(a.has(.identityLearned(b.address)))
    }

    @Test func `both sides punch with a datagram of time to live 2`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let punches = star.hub.log.filter { $0.timeToLive == 2 }
        #expect(Set(punches.map(\.from)) == Set(star.leaves.map { $0.sockets[0] }))
        #expect(punches.allSatisfy { $0.bytes.count == 4 })
    }

    @Test func `a RENDEZVOUS that comes before the identity is kept and acted on`() {
        // The starter's probes never arrive: only the side whose RENDEZVOUS came too early can open the path.
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.passes = { !($0.from == a.sockets[0] && $0.to == b.sockets[0] && $0.isHello) }
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        star.hub.sendFrame(a, to: b.address)
        #expect(star.hub.run(until: { star.hub.isDirect(b, to: a) }, within: .milliseconds(500)))
        let rendezvous = star.hub.log.filter { $0.from == star.root.sockets[0] && $0.to == b.sockets[0] }
        #expect(!rendezvous.isEmpty)
    }

    @Test func `an early RENDEZVOUS is forgotten after 5 s`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        let node = star.leaves[0]
        let prober = Prober(star.root.identity, to: node.identity)
        let stranger = Fixture.identities[20]
        let payload = Rendezvous(peer: stranger.address, endpoint: Fixture.endpoint(3, 3)).encoded
        star.hub.receive(node, [prober.packet(Verb.rendezvous.rawValue, payload)], from: star.root.sockets[0])
        #expect(node.lookupCount == 1)
        star.hub.run(.seconds(5) - .milliseconds(1))
        #expect(node.lookupCount == 1)
        star.hub.run(.milliseconds(2))
        #expect(node.lookupCount == 0)
    }

    @Test func `RENDEZVOUS from a node that is no root is ignored`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let payload = Rendezvous(peer: star.root.address, endpoint: Fixture.endpoint(3, 3)).encoded
        star.hub.forgetLog()
        star.hub.receive(
            a, [Prober(b.identity, to: a.identity).packet(Verb.rendezvous.rawValue, payload)], from: b.sockets[0])
        #expect(a.drops(.notUpstream) == 1)
        #expect(star.hub.log.allSatisfy { $0.to != Fixture.endpoint(3, 3) })
    }

    @Test func `without direct paths everything stays relayed`() {
        let star = Star(leaves: 2, leaf: { $0.directPathsEnabled = false })
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        for _ in 0..<20 {
            let isDirect = star.hub.sendFrame(a, to: b.address)
            #expect(!isDirect)
            star.hub.run(.seconds(2))
        }
        #expect(b.received.count == 20)
        #expect(b.received.allSatisfy { $0.packet.hops == 1 })
        #expect(!star.hub.isDirect(a, to: b))
    }

    @Test func `loopback paths are refused unless allowed`() {
        for isAllowed in [false, true] {
            let hub = Hub()
            let loopback = { (host: UInt32) in
                SocketEndpoint(IPAddress(v4: 0x7f00_0000 + host), port: 9993)
            }
            let planet = Fixture.planet([(Fixture.identities[0], [loopback(1)])])
            var configuration = PeerConfiguration(planet: planet)
            configuration.allowLoopbackPaths = isAllowed
            let root = hub.add(Fixture.identities[0], [loopback(1)], configuration)
            let node = hub.add(Fixture.identities[1], [loopback(2)], configuration)
            hub.run(.seconds(10))
            #expect(node.isOnline == isAllowed, "a root that cannot be a path cannot be used")
            #expect((hub.snapshot(node, of: root)?.paths.isEmpty == false) == isAllowed)
            // A root that can not be a path is not asked more often than every 5 s.
            #expect(hub.log.filter { $0.isHello && $0.from == loopback(2) }.count < 12)
        }
    }

    @Test func `a restarted peer on a new port is reached within one second`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(30))
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(.milliseconds(100))
        let again = star.restart(b)
        #expect(star.hub.run(until: { again.isOnline }, within: .milliseconds(100)))
        star.hub.run(.milliseconds(20))
        // B speaks first: through the root, which knows it already.
        star.hub.sendFrame(again, to: a.address)
        star.hub.run(.milliseconds(100))
        var isReached = false
        for _ in 0..<10 where !isReached {
            star.hub.sendFrame(a, to: b.address)
            star.hub.run(.milliseconds(100))
            isReached = !again.received.isEmpty
        }
        #expect(isReached)
    }

    @Test func `what a restarted peer says through a root is answered that way, though a direct path is known`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(30))
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(100))
        let again = star.restart(b)
        // Nothing goes from one to the other but through the root.
        star.hub.passes = {
            !(($0.from == a.sockets[0] && $0.to == again.sockets[0])
                || ($0.from == again.sockets[0] && $0.to == a.sockets[0]))
        }
        #expect(star.hub.run(until: { again.isOnline }, within: .milliseconds(100)))
        star.hub.run(.seconds(1))
        // A has not sent anything that could have been missed: only what it hears tells that the path is gone.
        star.hub.sendFrame(again, to: a.address)
        star.hub.run(.seconds(1))
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(.milliseconds(100))
        #expect(again.received.count == 1)
    }

    @Test func `a root reaches a restarted client on its new port at once`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.seconds(20))
        let (a, b) = (star.leaves[0], star.leaves[1])
        let again = star.restart(b)
        star.hub.run(.milliseconds(100))
        star.hub.sendFrame(a, to: b.address)
        #expect(star.hub.run(until: { !again.received.isEmpty }, within: .milliseconds(900)))
    }

    @Test func `a peer whose path dies while in use is relayed within seconds`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.passes = {
            !(($0.from == a.sockets[0] && $0.to == b.sockets[0]) || ($0.from == b.sockets[0] && $0.to == a.sockets[0]))
        }
        b.received = []
        for _ in 0..<40 {
            star.hub.sendFrame(a, to: b.address)
            star.hub.run(.milliseconds(100))
        }
        #expect(!b.received.isEmpty)
        #expect(b.received.allSatisfy { $0.packet.hops == 1 })
        #expect(a.has(.peerRelayed(b.address)))
        // And direct again when the path is back.
        star.hub.passes = { _ in true }
        for _ in 0..<100 {
            star.hub.sendFrame(a, to: b.address)
            star.hub.run(.milliseconds(100))
        }
        #expect(star.hub.isDirect(a, to: b))
    }

    @Test func `pushed addresses are tried and the better path is taken`() {
        let hub = Hub()
        let endpoint = SocketEndpoint(IPAddress(v4: 0x0102_0304), port: 9993)
        let planet = Fixture.planet([(Fixture.identities[0], [endpoint])])
        let configuration = PeerConfiguration(planet: planet)
        hub.add(Fixture.identities[0], [endpoint], configuration)
        // Each leaf has a global and a private address; the root introduces them by the global one.
        func leaf(_ index: Int) -> TestNode {
            let global = SocketEndpoint(IPAddress(v4: 0x0201_0000 + UInt32(index)), port: 9993)
            return hub.add(Fixture.identities[index], [global, Fixture.endpoint(5, index)], configuration)
        }
        let (a, b) = (leaf(1), leaf(2))
        // Private addresses reach private ones only.
        hub.passes = { ($0.from.address.v4 >> 24 == 10) == ($0.to.address.v4 >> 24 == 10) }
        for node in [a, b] { node.engine.setLocalNetwork([node.sockets[1]], now: hub.now) }
        #expect(hub.run(until: { a.isOnline && b.isOnline }, within: .seconds(1)))
        hub.run(.milliseconds(100))
        hub.sendFrame(a, to: b.address)
        #expect(hub.run(until: { hub.isDirect(a, to: b) }, within: .seconds(1)))
        #expect(hub.snapshot(a, of: b)?.paths.first { $0.isPreferred }?.path.remote == b.sockets[0])
        hub.sendFrame(a, to: b.address)
        hub.run(.milliseconds(100))
        // B takes the frame for proof of membership and tells its addresses; A does with the answer.
        if let packet = b.received.last?.packet { b.engine.noteTrust(packet, now: hub.now) }
        hub.settle(b)
        hub.run(.milliseconds(100))
        hub.sendFrame(b, to: a.address)
        hub.run(.milliseconds(100))
        if let packet = a.received.last?.packet { a.engine.noteTrust(packet, now: hub.now) }
        hub.settle(a)
        hub.run(.seconds(2))
        #expect(hub.snapshot(a, of: b)?.paths.first { $0.isPreferred }?.path.remote == b.sockets[1])
    }

    @Test func `packets that wait for an identity are given up after 5 s`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let node = star.leaves[0]
        star.hub.sendFrame(node, to: Fixture.identities[30].address)
        star.hub.forgetLog()
        star.hub.run(.seconds(4))
        let asked = star.hub.log.filter { $0.from == node.sockets[0] && $0.bytes.count == 33 }
        #expect(asked.count == 8, "WHOIS every 500 ms")
        #expect(node.drops(.destinationUnreachable) == 0)
        star.hub.run(.seconds(2))
        #expect(node.drops(.destinationUnreachable) == 1)
        star.hub.forgetLog()
        star.hub.run(.seconds(5))
        #expect(!star.hub.log.contains { $0.from == node.sockets[0] && $0.bytes.count == 33 })
    }

    @Test func `a packet sent before the root answers leaves when it does`() {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.send(a, .userMessage, UserMessage(type: 70_000, data: [1, 2, 3]).encoded, to: b.address)
        #expect(
            star.hub.run(
                until: { b.has(.userMessage(from: a.address, type: 70_000, data: [1, 2, 3])) }, within: .seconds(2)))
    }

    @Test func `a stranger's packet waits until the root has told who that is`() {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let bytes = Prober(a.identity, to: b.identity).packet(Verb.frame.rawValue, Array(repeating: 1, count: 20))
        star.hub.receive(b, [bytes], from: a.sockets[0])
        #expect(b.received.isEmpty)
        star.hub.run(.milliseconds(50))
        #expect(b.received.count == 1)
        #expect(b.received.first?.payload == Array(repeating: 1, count: 20))
    }

    @Test func `made-up sources do not keep a real stranger out`() {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let spoofer = Prober(Fixture.identities[25], to: b.identity)
        for index in 0..<100 {
            let bytes = spoofer.packet(
                Verb.frame.rawValue, [1], id: UInt64(700 + index), source: Address(UInt64(0x10_0000 + index)))
            star.hub.receive(b, [bytes], from: Fixture.endpoint(7, 7))
        }
        #expect(b.lookupCount == ProtocolLimits.waitingInbound, "who gave way is not asked for any more")
        let bytes = Prober(a.identity, to: b.identity).packet(Verb.frame.rawValue, Array(repeating: 1, count: 20))
        star.hub.receive(b, [bytes], from: star.root.sockets[0])
        #expect(b.drops(.noRoomToWait) == UInt64(101 - ProtocolLimits.waitingInbound))
        star.hub.run(.milliseconds(50))
        #expect(b.received.count == 1)
    }

    @Test func `the packets of one stranger give way before those of others`() {
        var lookup = IdentityLookup(limits: PeerLimits())
        let now = MonotonicInstant(nanoseconds: 1)
        let path = PhysicalPath(localSocket: 0, remote: Fixture.endpoint(7, 7))
        func park(_ address: UInt64) -> Int? {
            lookup.park(WaitingPacket(bytes: [1], path: path, since: now), from: Address(address))
        }
        func released(_ address: UInt64) -> Int? { lookup.release(Address(address), now)?.inbound.count }
        for _ in 0..<32 { #expect(park(1) == 0) }
        #expect(park(1) == nil, "half of the room")
        for index in 0..<32 { #expect(park(UInt64(100 + index)) == 0) }
        for index in 0..<31 { #expect(park(UInt64(200 + index)) == 1) }
        #expect(lookup.count == 64)
        #expect(released(1) == 1)
        for index in 0..<32 { #expect(released(UInt64(100 + index)) == 1) }
    }

    @Test func `an identity learned by WHOIS carries nothing before its validation`() {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        star.hub.sendFrame(a, to: b.address)
        // There and back, and the validation up to its last tick.
        star.hub.run(star.hub.latency * 2 + star.hub.validationTime - .nanoseconds(1))
        #expect(a.jobCount == 1)
        #expect(a.identity(of: b.address) == nil)
        #expect(!star.hub.log.contains { $0.destination == b.address.value })
        star.hub.run(.nanoseconds(1))
        #expect(a.identity(of: b.address) == b.identity)
        #expect(star.hub.log.contains { $0.destination == b.address.value })
    }
}

extension Star {
    /// A leaf comes back with the same identity, no memory, and another port.
    fileprivate func restart(_ leaf: TestNode) -> TestNode {
        hub.remove(leaf)
        return hub.add(
            leaf.identity, [Fixture.endpoint(1, 2, port: 40_000)], PeerConfiguration(planet: planet))
    }
}
