//  HELLO and what guards it: suites, MACs, collisions, validation.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

/// Where a prober's datagrams come from.
private let outside = Fixture.endpoint(9, 9)

@Suite struct HelloTests {
    /// A root alone with a prober, that it knows when `isKnown`.
    private func lone(isKnown: Bool, _ configure: (inout PeerConfiguration) -> Void = { _ in }) -> (Star, Prober) {
        let star = Star(leaves: 0, root: configure)
        let prober = Prober(Fixture.identities[20], to: star.root.identity)
        if isKnown {
            star.hub.receive(star.root, [prober.hello()], from: outside)
            star.hub.run(.milliseconds(100))
        }
        star.hub.forgetLog()
        return (star, prober)
    }

    private func answers(_ star: Star, _ prober: Prober) -> [(verb: UInt8, payload: [UInt8])] {
        star.hub.log.filter { $0.to == outside }.compactMap { prober.open($0.bytes) }
    }

    @Test func `a stranger's HELLO is answered after its validation`() throws {
        let (star, prober) = lone(isKnown: false)
        star.hub.receive(star.root, [prober.hello(id: 0x1112_1314_1516_1718)], from: outside)
        #expect(star.root.identity(of: prober.identity.address) == nil)
        #expect(star.root.jobCount == 1)
        star.hub.run(.milliseconds(30))
        #expect(star.root.identity(of: prober.identity.address) == prober.identity)
        let ok = try #require(answers(star, prober).first { $0.verb == Verb.ok.rawValue })
        let (header, body) = try OKHeader.split(ok.payload)
        #expect(header.inReplyTo == .hello)
        #expect(header.packetID == PacketID(0x1112_1314_1516_1718))
        let reply = try HelloReply(decoding: body)
        #expect(reply.surfaceAddress == outside)
        #expect(reply.protocolVersion == 12)
        #expect(reply.timestampMilliseconds == 5)
    }

    @Test func `a known peer's HELLO is answered at once`() {
        let (star, prober) = lone(isKnown: true)
        star.hub.receive(star.root, [prober.hello(id: 77)], from: outside)
        #expect(answers(star, prober).contains { $0.verb == Verb.ok.rawValue })
        #expect(star.root.jobCount == 1)
    }

    @Test func `a HELLO with a forged MAC is dropped and counted, from strangers and from peers`() {
        for isKnown in [false, true] {
            let (star, prober) = lone(isKnown: isKnown)
            var bytes = prober.hello(id: 78)
            bytes[19] ^= 1
            star.hub.receive(star.root, [bytes], from: outside)
            #expect(star.root.drops(.badMAC) == 1)
            #expect(star.root.jobCount == (isKnown ? 1 : 0), "no validation without a right MAC")
            #expect(star.hub.log.isEmpty)
        }
    }

    @Test func `every single bit of a HELLO that is flipped gets it dropped or leaves the hops`() {
        let (star, prober) = lone(isKnown: true, { $0.limits.agreementBurstPerPrefix = 10_000 })
        let bytes = prober.hello(id: 79)
        for bit in stride(from: 0, to: bytes.count * 8, by: 7) {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            star.hub.receive(star.root, [damaged], from: outside)
            // Hop bits are not authenticated; a flipped destination is relayed or dropped as a relay would.
            let isHop = bit / 8 == 18 && bit % 8 < 3
            if !isHop {
                let isAccepted = if case .handled? = star.root.lastOpened { true } else { false }
                // A head with the fragmented flag, a packet of another suite or source, waits; nothing was believed.
                #expect(!isAccepted || star.hub.log.allSatisfy { $0.to != outside } || answers(star, prober).isEmpty)
            }
            star.hub.forgetLog()
        }
        #expect(star.root.peerCount == 1)
    }

    @Test func `a HELLO of an identity that does not follow from its key is dropped and remembered`() {
        let (star, prober) = lone(isKnown: false)
        star.root.invalidIdentities = [prober.identity.address]
        star.hub.receive(star.root, [prober.hello()], from: outside)
        star.hub.run(.milliseconds(50))
        #expect(star.root.drops(.invalidIdentity) == 1)
        #expect(star.root.peerCount == 0)
        star.hub.receive(star.root, [prober.hello(id: 5)], from: outside)
        #expect(star.root.jobCount == 1, "the result is remembered")
        #expect(star.root.drops(.invalidIdentity) == 2)
    }

    @Test func `a second HELLO waits for the validation under way`() {
        let (star, prober) = lone(isKnown: false)
        star.hub.receive(star.root, [prober.hello(id: 1)], from: outside)
        star.hub.receive(star.root, [prober.hello(id: 2)], from: Fixture.endpoint(9, 10))
        #expect(star.root.jobCount == 1)
        star.hub.run(.milliseconds(50))
        #expect(answers(star, prober).contains { $0.verb == Verb.ok.rawValue })
        #expect(star.hub.log.contains { $0.to == Fixture.endpoint(9, 10) })
    }

    @Test func `a HELLO with a forged MAC does not take the place of one that waits`() {
        let (star, prober) = lone(isKnown: false)
        let second = Fixture.endpoint(9, 10)
        star.hub.receive(star.root, [prober.hello(id: 1)], from: outside)
        star.hub.receive(star.root, [prober.hello(id: 2)], from: second)
        var junk = prober.hello(id: 3)
        junk[19] ^= 1
        star.hub.receive(star.root, [junk], from: Fixture.endpoint(7, 7))
        #expect(star.root.drops(.badMAC) == 1)
        star.hub.run(.milliseconds(50))
        #expect(star.root.drops(.badMAC) == 1)
        let answers = star.hub.log.filter { $0.to == second }.compactMap { prober.open($0.bytes) }
        #expect(answers.contains { $0.verb == Verb.ok.rawValue })
    }

    @Test func `a validated identity that was forgotten is not validated again`() {
        let (star, prober) = lone(isKnown: true, { $0.activityTimeout = .seconds(20) })
        star.hub.run(.seconds(25))
        #expect(star.root.peerCount == 0)
        star.hub.receive(star.root, [prober.hello(id: 9)], from: outside)
        #expect(star.root.peerCount == 1)
        #expect(star.root.jobCount == 1)
    }

    @Test func `old protocols and foreign source addresses are dropped`() {
        let (star, prober) = lone(isKnown: false)
        star.hub.receive(star.root, [prober.hello(protocolVersion: 3)], from: outside)
        #expect(star.root.drops(.oldProtocol) == 1)
        star.hub.receive(star.root, [prober.hello(identity: Fixture.identities[21])], from: outside)
        #expect(star.root.drops(.identityMismatch) == 1)
        star.hub.receive(star.root, [prober.hello(protocolVersion: 4)], from: outside)
        star.hub.run(.milliseconds(50))
        #expect(star.root.peerCount == 1)
    }

    @Test func `every truncation of a HELLO is survived`() {
        let (star, prober) = lone(isKnown: false, { $0.limits.agreementBurstPerPrefix = 10_000 })
        let bytes = prober.hello()
        for length in 0..<bytes.count { star.hub.receive(star.root, [Array(bytes[..<length])], from: outside) }
        #expect(star.root.peerCount == 0)
        #expect(star.root.jobCount == 0)
    }

    // MARK: Suites

    @Test(arguments: [(UInt8(11), CipherSuite.salsa), (UInt8(12), CipherSuite.gmacSIV)])
    func `peers are sent the suite of their protocol version`(_ version: UInt8, _ suite: CipherSuite) {
        let star = Star(
            leaves: 2, root: { $0.announcedProtocolVersion = version }, leaf: { $0.announcedProtocolVersion = version })
        #expect(star.connect())
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        star.hub.sendFrame(star.leaves[0], to: star.leaves[1].address)
        #expect(star.hub.log.map(\.suite) == [suite.rawValue])
        star.hub.run(.milliseconds(10))
        #expect(star.leaves[1].received.last?.packet.verb == .frame)
    }

    @Test func `a node that announces an old protocol version speaks the old suite to new nodes too`() {
        // The root stays at version 12, and the leaves' version is what they send with.
        let star = Star(leaves: 1, leaf: { $0.announcedProtocolVersion = 11 })
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        star.hub.sendFrame(star.leaves[0], to: star.root.address)
        star.hub.sendFrame(star.root, to: star.leaves[0].address)
        #expect(star.hub.log.map(\.suite) == [CipherSuite.salsa.rawValue, CipherSuite.salsa.rawValue])
    }

    @Test func `the first frame to a peer of unknown version goes in suite 1`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        star.hub.sendFrame(star.leaves[0], to: star.leaves[1].address)
        #expect(star.hub.run(until: { !star.leaves[1].received.isEmpty }, within: .milliseconds(100)))
        let frame = star.hub.log.first { $0.destination == star.leaves[1].address.value && $0.bytes.count == 128 }
        #expect(frame?.suite == CipherSuite.salsa.rawValue)
    }

    @Test func `suite 0 is taken for HELLO and the verbs of bonded nodes only`() {
        let (star, prober) = lone(isKnown: true)
        for verb: UInt8 in 0..<32 where verb != 1 {
            let isBonding = [0x12, 0x13, 0x16].contains(verb)
            let before = star.root.drops(.clearVerb)
            let bytes = prober.packet(verb, [0, 0], suite: .authenticatedOnly, id: 1000 + UInt64(verb))
            star.hub.receive(star.root, [bytes], from: outside)
            #expect(star.root.drops(.clearVerb) == before + (isBonding ? 0 : 1), "verb \(verb)")
        }
        #expect(star.root.drops(.badMAC) == 0)
    }

    @Test func `packets of the networks' verbs are handed out, all others are the transport's own`() {
        let (star, prober) = lone(isKnown: true)
        for verb: UInt8 in 0..<32 where verb != 1 {
            let isOfNetworks = [0x06, 0x07, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e].contains(verb)
            let before = star.root.received.count
            star.hub.receive(star.root, [prober.packet(verb, [0, 0], id: 2000 + UInt64(verb))], from: outside)
            #expect(star.root.received.count == before + (isOfNetworks ? 1 : 0), "verb \(verb)")
        }
        #expect(star.root.drops(.badMAC) == 0 && star.root.drops(.replayed) == 0)
    }

    @Test func `suite 2, suites 4 to 7 and the extended armor are dropped`() {
        let (star, prober) = lone(isKnown: true)
        var bytes = prober.packet(Verb.echo.rawValue, [])
        bytes[18] = 0x10
        star.hub.receive(star.root, [bytes], from: outside)
        #expect(star.root.drops(.untrustedPath) == 1)
        for suite: UInt8 in 4...7 {
            bytes[18] = suite << 3
            star.hub.receive(star.root, [bytes], from: outside)
        }
        bytes = prober.hello()
        bytes[18] |= 0x80
        star.hub.receive(star.root, [bytes], from: outside)
        #expect(star.root.drops(.unknownSuite) == 5)
    }

    // MARK: Collision

    @Test func `another key under a known address is answered with a collision, and the known one stays`() throws {
        let (star, prober) = lone(isKnown: true)
        // The same address with somebody else's keys.
        let imposter = Identity(
            address: prober.identity.address, publicKeys: Fixture.identities[22].publicKeys,
            secretKeys: Fixture.identities[22].secretKeys)
        let collider = Prober(imposter, to: star.root.identity)
        star.hub.receive(star.root, [collider.hello()], from: outside)
        #expect(star.root.drops(.identityCollision) == 1)
        let error = try #require(star.hub.log.compactMap { collider.open($0.bytes) }.first)
        #expect(error.verb == Verb.error.rawValue)
        let reply = try ErrorReply(decoding: error.payload)
        #expect(reply.reason == .identityCollision)
        #expect(star.hub.log.first?.suite == CipherSuite.salsa.rawValue)
        #expect(star.root.identity(of: prober.identity.address) == prober.identity)
        #expect(star.root.jobCount == 1, "a collision is not validated")
        // With a wrong MAC nothing is said.
        star.hub.forgetLog()
        var forged = collider.hello(id: 4)
        forged[40] ^= 1
        star.hub.receive(star.root, [forged], from: outside)
        #expect(star.root.drops(.badMAC) == 1)
        #expect(star.hub.log.isEmpty)
    }

    @Test func `a collision is fatal when a planet's root says so about a HELLO of ours, else ignored`() {
        let star = Star(leaves: 3)
        let moonRoot = star.leaves[2]
        let moon = Fixture.world(
            .moon, [(moonRoot.identity, [moonRoot.sockets[0]])], id: 5, timestamp: 1_700_000_000_000)
        star.leaves[0].engine.adoptWorld(moon, now: star.hub.now)
        star.hub.settle(star.leaves[0])
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        func refuse(_ sender: TestNode, quoting id: PacketID) {
            let payload = ErrorReply(inReplyTo: .hello, packetID: id, reason: .identityCollision).encoded
            let prober = Prober(sender.identity, to: a.identity)
            // A number of now.
            let number = UInt64(star.hub.now.unixMilliseconds) << 20 | id.value & 0xfffff
            star.hub.receive(
                a, [prober.packet(Verb.error.rawValue, payload, id: number)], from: sender.sockets[0])
        }
        // One to the root itself, not through it.
        let hello = star.hub.lastHello(of: a, to: star.root.sockets[0], for: star.root)
        refuse(b, quoting: hello)
        refuse(b, quoting: star.hub.lastHello(of: a, to: b.sockets[0]))
        refuse(moonRoot, quoting: star.hub.lastHello(of: a, to: moonRoot.sockets[0]))
        refuse(star.root, quoting: PacketID(9))
        #expect(!a.has(.identityCollision))
        refuse(star.root, quoting: hello)
        #expect(a.has(.identityCollision))
    }

    @Test func `a node whose address another one holds at the root learns of it`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let double = Identity(
            address: star.leaves[0].address, publicKeys: Fixture.identities[23].publicKeys,
            secretKeys: Fixture.identities[23].secretKeys)
        let node = star.hub.add(double, [Fixture.endpoint(4, 4)], PeerConfiguration(planet: star.planet))
        #expect(star.hub.run(until: { node.has(.identityCollision) }, within: .seconds(1)))
        // It asks again and is told again; its owner hears it once, and never that it is online.
        star.hub.run(.seconds(5))
        #expect(star.hub.log.count { $0.to == node.sockets[0] } > 1)
        #expect(node.events.count { $0 == .identityCollision } == 1)
        #expect(!node.has(.online))
    }

    @Test func `our own address as source is dropped`() {
        let (star, prober) = lone(isKnown: false)
        let bytes = prober.packet(Verb.echo.rawValue, [], source: star.root.address)
        star.hub.receive(star.root, [bytes], from: outside)
        #expect(star.root.drops(.ownSource) == 1)
    }

    @Test func `a source that nobody can have does not make the table stumble`() {
        let (star, prober) = lone(isKnown: false)
        let bytes = prober.packet(Verb.echo.rawValue, [], source: Address(0))
        star.hub.receive(star.root, [bytes], from: outside)
        #expect(star.root.drops(.reservedSource) == 1)
    }
}
