//  Bounds of the small tables: each is exceeded, and it is looked at what stays, what goes and what is counted.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct LimitTests {
    private let now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private let scopes = PathScopes(allowsLoopback: false)

    private func peer() throws -> Peer {
        let mine = try #require(Fixture.identities[1].secretKeys)
        let theirs = Fixture.identities[2]
        return Peer(
            identity: theirs, cipher: PacketCipher(try #require(mine.agree(with: theirs.publicKeys))), role: .leaf,
            now: now)
    }

    private func path(_ endpoint: SocketEndpoint) -> PhysicalPath { PhysicalPath(localSocket: 0, remote: endpoint) }

    @Test func `events that nobody takes are bounded: the first stay, the others are counted`() {
        #expect(PeerLimits().events == ProtocolLimits.peerEvents)
        let star = Star(leaves: 1, leaf: { $0.limits.events = 4 })
        #expect(star.start())
        let node = star.leaves[0]
        let planets = (0..<7).map {
            Fixture.planet([(Fixture.identities[0], [Fixture.endpoint(0, 1)])], timestamp: 1_700_000_000_001 + $0)
        }
        for planet in planets { node.engine.adoptWorld(planet, now: star.hub.now) }
        #expect(node.drops(.eventOverflow) == 3)
        var kept: [PeerEvent] = []
        while let event = node.engine.nextEvent() { kept.append(event) }
        #expect(kept == planets.prefix(4).map { .planetUpdated(encoded: $0.encoded) })
        #expect(node.planet == planets.last, "what the event tells of happened all the same")
    }

    @Test func `a collision that found no room among the events is told with the next refusal`() {
        let star = Star(leaves: 1, leaf: { $0.limits.events = 4 })
        #expect(star.start())
        let node = star.leaves[0]
        for index in 0..<4 {
            let planet = Fixture.planet(
                [(Fixture.identities[0], [Fixture.endpoint(0, 1)])], timestamp: 1_700_000_000_001 + UInt64(index))
            node.engine.adoptWorld(planet, now: star.hub.now)
        }
        let hello = star.hub.lastHello(of: node, to: star.root.sockets[0])
        let payload = ErrorReply(inReplyTo: .hello, packetID: hello, reason: .identityCollision).encoded
        let prober = Prober(star.root.identity, to: node.identity)
        let refusals = (1...3 as ClosedRange<UInt64>).map { prober.packet(Verb.error.rawValue, payload, id: $0) }
        star.hub.receive(node, [refusals[0]], from: star.root.sockets[0])
        #expect(!node.has(.identityCollision) && node.drops(.eventOverflow) == 1)
        star.hub.receive(node, [refusals[1]], from: star.root.sockets[0])
        star.hub.receive(node, [refusals[2]], from: star.root.sockets[0])
        #expect(node.events.count { $0 == .identityCollision } == 1)
    }

    @Test func `control packets that wait for room are bounded: the oldest give way and are counted`() {
        #expect(PeerLimits().controlPackets == ProtocolLimits.controlPackets)
        let star = Star(leaves: 1, leaf: { $0.limits.controlPackets = 4 })
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let node = star.leaves[0]
        for number in 0..<10 as Range<UInt8> {
            node.engine.send(.frame, [number], to: star.root.address, now: star.hub.now)
        }
        #expect(node.drops(.controlQueueFull) == 6)
        star.hub.settle(node)
        star.hub.run(.milliseconds(20))
        #expect(star.root.received.map(\.payload) == [[6], [7], [8], [9]])
    }

    @Test func `packets that wait to be opened again are bounded: later ones are dropped and counted`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        let node = star.leaves[0]
        let count = ProtocolLimits.readyPackets + 3
        let payload = Array(repeating: UInt8(7), count: 200)
        let block = LZ4Block.encode(payload)
        let prober = Prober(star.root.identity, to: node.identity)
        var batch = ReceiveBatch()
        for number in 0..<count {
            let bytes = prober.packet(
                Verb.frame.rawValue | Verb.compressedFlag, block, id: UInt64(1 << 40 + number))
            _ = batch.append(bytes.span.bytes, path: path(star.root.sockets[0]))
        }
        // An owner who takes none of them out.
        var replies = TransmitBatch()
        var index = 0
        while index < batch.datagrams.count {
            let (_, consumed) = node.engine.open(&batch, at: index, replies: &replies, now: star.hub.now)
            index += consumed
        }
        #expect(index == count)
        #expect(node.drops(.noRoomToWait) == 3)
        var payloads: [[UInt8]] = []
        while let packet = node.engine.nextReady(replies: &replies, now: star.hub.now) {
            payloads.append(Array(packet.bytes[28...]))
        }
        #expect(payloads == Array(repeating: payload, count: ProtocolLimits.readyPackets))
    }

    @Test func `moons that are wanted are bounded: later wishes are passed over`() {
        let limit = UInt64(ProtocolLimits.moonSeeds)
        var roots = Roots(ourselves: Fixture.identities[1], planet: nil, moons: [], seeds: [])
        let wishes = (1...limit + 3).map { MoonSeed(moonID: $0, seed: Address($0)) }
        for wish in wishes { roots.orbit(wish) }
        #expect(roots.seeds == Array(wishes.prefix(Int(limit))))
        #expect(!roots.mayTeachWorlds(Address(limit + 1)))
        _ = roots.deorbit(1)
        roots.orbit(wishes[Int(limit)])
        #expect(roots.seeds == Array(wishes[1...Int(limit)]))
    }

    @Test func `results of validations are remembered in bounds: the oldest is forgotten`() throws {
        var validation = IdentityValidation(limits: PeerLimits(), seed: 1)
        func identity(_ number: Int) -> Identity {
            Identity(address: Address(UInt64(number)), publicKeys: Fixture.identities[2].publicKeys)
        }
        let limit = ProtocolLimits.rememberedIdentities
        for number in 1...limit + 1 {
            let isTaken = validation.wish(identity(number), toldBy: Address(9), now)
            #expect(isTaken)
            guard case .validate(let asked, let ticket) = validation.nextJob() else { break }
            #expect(asked == identity(number))
            #expect(validation.complete(ticket, isValid: number % 2 == 0) != nil)
            validation.start(now)
        }
        #expect(validation.result(for: identity(1)) == nil)
        #expect(validation.result(for: identity(2)) == true)
        #expect(validation.result(for: identity(3)) == false)
        #expect(validation.result(for: identity(limit + 1)) == false)
    }

    @Test func `introductions of unknown peers are bounded: further ones are dropped and counted`() throws {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let node = star.leaves[0]
        let limit = ProtocolLimits.earlyRendezvous
        let prober = Prober(star.root.identity, to: node.identity)
        func introduce(_ number: Int) {
            let rendezvous = Rendezvous(
                peer: Address(UInt64(0x10_0000 + number)), endpoint: Fixture.endpoint(20, number + 1))
            let bytes = prober.packet(Verb.rendezvous.rawValue, rendezvous.encoded)
            star.hub.receive(node, [bytes], from: star.root.sockets[0])
        }
        for number in 0..<limit + 4 { introduce(number) }
        #expect(node.lookupCount == limit)
        #expect(node.drops(.noRoomToWait) == 4)
        introduce(0)
        #expect(node.drops(.noRoomToWait) == 4, "the last word about one that waits replaces the earlier one")
        // What waited too long makes room.
        star.hub.run(.seconds(6))
        #expect(node.lookupCount == 0)
        introduce(limit)
        #expect(node.lookupCount == 1 && node.drops(.noRoomToWait) == 4)
    }

    @Test func `paths of a peer are bounded: the one silent longest gives way`() throws {
        var peer = try peer()
        let limit = ProtocolLimits.pathsKept
        for number in 0..<limit + 2 {
            let instant = now + .seconds(number)
            let physical = path(Fixture.endpoint(30, number + 1))
            let isLearned = peer.learn(Path(physical: physical, scope: .private, now: instant), instant)
            #expect(isLearned)
            // The first is heard of again.
            peer.paths[0].lastReceive = number == 0 ? now + .seconds(100) : peer.paths[0].lastReceive
        }
        let kept = peer.paths.map(\.physical.remote)
        let expected = [1] + Array(4...limit + 2)
        #expect(kept == expected.map { Fixture.endpoint(30, $0) })
    }

    @Test func `a record's endpoints beyond the bound are not asked`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let node = star.leaves[0]
        let record = PeerRecord(
            identity: Fixture.identities[20], protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1),
            endpoints: (1...40).map { Fixture.endpoint(31, $0) })
        star.hub.forgetLog()
        let address = node.engine.importPeer(record.encoded, isValidated: true, now: star.hub.now)
        #expect(address == Fixture.identities[20].address)
        star.hub.settle(node)
        let asked = star.hub.log.filter { $0.isHello && $0.destination == address?.value }.map(\.to)
        #expect(asked == (1...ProtocolLimits.pathsKept).map { Fixture.endpoint(31, $0) })
    }

    @Test func `endpoints being tried are bounded: the oldest gives way`() throws {
        var peer = try peer()
        let limit = ProtocolLimits.probesPerPeer
        for number in 1...limit + 5 { peer.probe(path(Fixture.endpoint(32, number)), now) }
        let tried = peer.probes.map(\.path.remote)
        #expect(tried == (6...limit + 5).map { Fixture.endpoint(32, $0) })
        // One that is among them begins anew in its place.
        peer.probes[0].attempts = 3
        peer.probe(path(Fixture.endpoint(32, 6)), now)
        let first = (count: peer.probes.count, attempts: peer.probes[0].attempts)
        #expect(first == (limit, 0))
    }

    @Test func `questions to unknown paths of a peer are bounded over all paths`() throws {
        var peer = try peer()
        let burst = ProtocolLimits.confirmationBurst
        var allowed: [Bool] = []
        for number in 1...burst + 2 {
            allowed.append(peer.mayConfirm(path(Fixture.endpoint(33, number)), isNewest: false, now))
        }
        #expect(allowed == Array(repeating: true, count: burst) + [false, false])
        let later = now + ProtocolLimits.confirmationInterval
        let again = (1...2).map { number in peer.mayConfirm(path(Fixture.endpoint(34, number)), isNewest: false, later)
        }
        #expect(again == [true, false])
    }

    @Test func `paths that we relay for are bounded: the one whose trust ends first gives way`() {
        var trusted = TrustedPaths()
        let limit = ProtocolLimits.trustedPaths
        func endpoint(_ number: Int) -> SocketEndpoint { Fixture.endpoint(number / 200, number % 200) }
        for number in 0...limit { trusted.add(path(endpoint(number)), until: now + .seconds(1000 - number)) }
        // The last but one ended first.
        #expect(!trusted.contains(path(endpoint(limit - 1)), now))
        #expect((0...limit).filter { trusted.contains(path(endpoint($0)), now) }.count == limit)
        #expect(trusted.contains(path(endpoint(limit)), now))
    }

    @Test func `WHOIS is asked for so many addresses at once, and answered for so many`() throws {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let node = star.leaves[0]
        star.hub.passes = { _ in false }
        star.hub.forgetLog()
        // Packets leave at once until the gate's tokens are used up; then the addresses go together.
        let count = ProtocolLimits.whoisBurst + ProtocolLimits.whoisAddressesPerPacket + 8
        for number in 0..<count {
            _ = node.engine.requestIdentity(Address(UInt64(0x20_0000 + number)), now: star.hub.now)
        }
        star.hub.settle(node)
        func sizes() -> [Int] {
            let prober = Prober(star.root.identity, to: node.identity)
            return star.hub.log.filter { $0.to == star.root.sockets[0] }.compactMap { flight in
                guard let packet = prober.open(flight.bytes), packet.verb == Verb.whois.rawValue else { return nil }
                return packet.payload.count / Address.size
            }
        }
        #expect(sizes() == Array(repeating: 1, count: ProtocolLimits.whoisBurst))
        star.hub.forgetLog()
        star.hub.run(ProtocolLimits.whoisSendInterval * 3)
        #expect(sizes() == [ProtocolLimits.whoisAddressesPerPacket, 8])
        // A root answers for the first addresses of a packet only.
        star.hub.passes = { _ in true }
        let unknown = (0..<ProtocolLimits.whoisAnswers).map { Address(UInt64(0x30_0000 + $0)) }
        let prober = Prober(node.identity, to: star.root.identity)
        func answers(_ wanted: [Address], id: UInt64) throws -> [Address] {
            star.hub.forgetLog()
            let bytes = prober.packet(Verb.whois.rawValue, Whois(wanted).encoded, id: id)
            star.hub.receive(star.root, [bytes], from: node.sockets[0])
            guard let answer = star.hub.log.compactMap({ prober.open($0.bytes) }).first else { return [] }
            return try WhoisReply(decoding: OKHeader.split(answer.payload).body).identities.map(\.address)
        }
        #expect(try answers(unknown.dropLast() + [star.root.address], id: 700) == [star.root.address])
        #expect(try answers(unknown + [star.root.address], id: 701) == [])
    }

    @Test func `records of peers that are exported are bounded`() throws {
        let star = Star(leaves: 0)
        let node = star.hub.add(
            Fixture.identities[1], [Fixture.endpoint(1, 1)], PeerConfiguration(planet: star.planet))
        let limit = ProtocolLimits.storedPeers
        for number in 1...limit + 5 {
            let identity = Identity(
                address: Address(UInt64(0x40_0000 + number)), publicKeys: Fixture.identities[2].publicKeys)
            guard let id = node.engine.addPeer(identity, role: .leaf, star.hub.now) else { continue }
            // The first of them were heard of last.
            node.engine.topology.peers[id].lastTrust = now
            node.engine.topology.peers[id].lastReceive = now + .seconds(10_000 - number)
        }
        let exported = node.engine.exportPeers().map(\.address)
        #expect(exported == (1...limit).map { Address(UInt64(0x40_0000 + $0)) })
    }
}
