//  Coming online, staying so, going quiet.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct OnlineTests {
    @Test func `a node is online within one round trip of its root`() {
        let star = Star(leaves: 1)
        let node = star.leaves[0]
        #expect(!node.isOnline)
        // HELLO there, validation of the stranger at the root, OK back.
        star.hub.run(star.hub.latency * 2 + star.hub.validationTime)
        #expect(node.isOnline)
        #expect(node.has(.online))
        #expect(star.root.isOnline, "a root is online by itself")
    }

    @Test func `a root that is only heard makes nobody online`() {
        let star = Star(leaves: 1)
        let node = star.leaves[0]
        star.hub.passes = { $0.from != node.sockets[0] }
        for second in 0..<10 as Range<UInt64> {
            let prober = Prober(star.root.identity, to: node.identity)
            star.hub.receive(node, [prober.hello(timestamp: 10 + second)], from: star.root.sockets[0])
            star.hub.receive(node, [prober.packet(Verb.nop.rawValue, [])], from: star.root.sockets[0])
            star.hub.run(.seconds(1))
        }
        #expect(!node.isOnline)
        star.hub.passes = { _ in true }
        #expect(star.hub.run(until: { node.isOnline }, within: .seconds(6)))
    }

    @Test func `a root that knows another port of ours hears from us all the time until it gives that up`() {
        // A root of a real release.
        let star = Star(
            leaves: 1, root: { $0.softwareVersion = SoftwareVersion(major: 1, minor: 14, revision: 2) })
        let node = star.leaves[0]
        star.hub.passes = { !($0.isHello && $0.from == star.root.sockets[0]) }
        #expect(star.start())
        func longestPause(_ duration: Duration) -> Duration {
            star.hub.forgetLog()
            let start = star.hub.now.monotonic
            star.hub.run(duration)
            let times = star.hub.log.filter { $0.from == node.sockets[0] }.map(\.at)
            let all = [start] + times + [star.hub.now.monotonic]
            return zip(all, all.dropFirst()).map { $1 - $0 }.max() ?? duration
        }
        #expect(longestPause(.seconds(20)) <= .milliseconds(2600))
        #expect(longestPause(.seconds(60)) > .seconds(10))
        node.engine.localNetworkChanged(closedSockets: [], now: star.hub.now)
        star.hub.settle(node)
        #expect(longestPause(.seconds(20)) <= .milliseconds(2600))
    }

    @Test func `a root's question that is faster than its answer is answered`() {
        let star = Star(leaves: 1)
        let node = star.leaves[0]
        let (here, there) = (star.root.sockets[0], node.sockets[0])
        star.hub.passes = { !($0.from == here && $0.to == there && $0.bytes.count > 50) }
        star.hub.run(.milliseconds(200))
        #expect(!node.isOnline)
        #expect(star.hub.isDirect(star.root, to: node))
    }

    @Test func `a root's question that got lost is repeated when somebody has something for the node`() {
        let star = Star(leaves: 2)
        let (idle, other) = (star.leaves[0], star.leaves[1])
        let (here, there) = (star.root.sockets[0], idle.sockets[0])
        star.hub.passes = { !($0.from == here && $0.to == there && $0.bytes.count < 50) }
        #expect(star.start())
        star.hub.run(.milliseconds(1500))
        #expect(!star.hub.isDirect(star.root, to: idle))
        star.hub.passes = { _ in true }
        star.hub.sendFrame(other, to: idle.address)
        star.hub.run(.milliseconds(200))
        #expect(star.hub.isDirect(star.root, to: idle))
    }

    @Test(arguments: 1...16)
    func `an endpoint of a root where nobody is costs one try, whichever is first`(_ seed: UInt64) {
        let hub = Hub(seed: seed)
        let endpoints = (1...4).map { Fixture.endpoint(0, $0) }
        let planet = Fixture.planet([(Fixture.identities[0], endpoints)])
        hub.add(Fixture.identities[0], [endpoints[Int(seed) % 4]], PeerConfiguration(planet: planet))
        let node = hub.add(Fixture.identities[1], [Fixture.endpoint(1, 1)], PeerConfiguration(planet: planet))
        // Three pauses, and the round trip of one who has to be validated first.
        #expect(hub.run(until: { node.isOnline }, within: .milliseconds(1900)))
    }

    @Test func `a known node is online after exactly one round trip`() {
        let hub = Hub()
        let endpoint = Fixture.endpoint(0, 1)
        let planet = Fixture.planet([(Fixture.identities[0], [endpoint])])
        let root = hub.add(Fixture.identities[0], [endpoint], PeerConfiguration(planet: planet))
        let record = PeerRecord(
            identity: Fixture.identities[1], protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1), endpoints: [])
        let taken = root.engine.importPeer(record.encoded, isValidated: true, now: hub.now)
        #expect(taken == record.identity.address)
        let node = hub.add(Fixture.identities[1], [Fixture.endpoint(1, 1)], PeerConfiguration(planet: planet))
        hub.run(.milliseconds(10) - .nanoseconds(1))
        #expect(!node.isOnline)
        hub.run(.nanoseconds(1))
        #expect(node.isOnline)
    }

    @Test func `an unanswered HELLO is repeated after 250 ms, 500 ms, 1 s and on to every 5 s`() {
        let star = Star(leaves: 1)
        star.hub.passes = { _ in false }
        star.hub.forgetLog()
        let start = star.hub.now.monotonic
        star.hub.run(.seconds(30))
        let times = star.hub.log.filter { $0.isHello }.map { ($0.at - start - star.hub.latency).milliseconds }
        #expect(times == [0, 250, 750, 1750, 3750, 7750, 12_750, 17_750, 22_750, 27_750])
    }

    @Test func `a node goes offline 30 s after the last packet of a root, not earlier`() {
        let star = Star(leaves: 1)
        #expect(star.start())
        star.hub.run(.seconds(5))
        let node = star.leaves[0]
        star.hub.passes = { _ in false }
        let silentFor = star.hub.snapshot(node, of: star.root)?.sinceReceive ?? .zero
        star.hub.run(.seconds(30) - silentFor - .milliseconds(1))
        #expect(node.isOnline)
        star.hub.run(.milliseconds(2))
        #expect(!node.isOnline)
        #expect(node.events.last == .offline || node.has(.offline))
        star.hub.passes = { _ in true }
        #expect(star.hub.run(until: { node.isOnline }, within: .seconds(6)))
    }

    @Test func `with a root that answers a node stays online for an hour`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.seconds(3600))
        for leaf in star.leaves {
            #expect(leaf.isOnline)
            #expect(leaf.events.filter { $0 == .offline }.isEmpty)
        }
    }

    @Test func `an idle network is quiet, and its root sends leaves nothing but answers`() {
        let star = Star(leaves: 3)
        #expect(star.start())
        star.hub.run(.seconds(60))
        star.hub.forgetLog()
        star.hub.run(.seconds(600))
        let rootEndpoint = star.root.sockets[0]
        let asked = star.hub.log.filter { $0.to == rootEndpoint }
        let answered = star.hub.log.filter { $0.from == rootEndpoint }
        #expect(asked.count == star.hub.log.count - answered.count)
        // Per leaf and minute: one HELLO, four heartbeats at most.
        #expect(asked.count <= 3 * 10 * 6)
        #expect(asked.count >= 3 * 10 * 3, "the NAT's mapping must stay open")
        #expect(answered.count <= asked.count + 3 * 12)
    }

    @Test func `strangers leave no records behind`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        for index in 0..<10 {
            let stranger = Prober(Fixture.identities[20 + index], to: star.root.identity)
            star.hub.receive(star.root, [stranger.hello()], from: Fixture.endpoint(6, 1 + index))
        }
        star.hub.run(.milliseconds(100))
        #expect(star.root.peerCount == 12)
        let exported = star.root.engine.exportPeers().map(\.address)
        #expect(exported == star.leaves.map(\.address).sorted(), "only who was found directly")
        star.hub.run(.seconds(600))
        let expired = star.root.events.compactMap { event -> [UInt8]?? in
            guard case .peerExpired(_, let record) = event else { return nil }
            return .some(record)
        }
        #expect(expired.count == 10)
        #expect(expired.allSatisfy { $0 == nil })
    }

    @Test func `a member that is silent for the activity timeout is forgotten, and its record kept`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(20))
        let packet = try #require(a.received.last?.packet)
        a.engine.noteTrust(packet, now: star.hub.now)
        star.hub.settle(a)
        star.hub.remove(b)
        star.hub.run(.seconds(490))
        #expect(star.hub.snapshot(a, of: b) != nil)
        star.hub.run(.seconds(20))
        #expect(star.hub.snapshot(a, of: b) == nil)
        let record = a.events.compactMap { event -> [UInt8]? in
            guard case .peerExpired(b.address, let record) = event else { return nil }
            return record
        }
        #expect(record.count == 1)
        let parsed = record.first.flatMap { try? PeerRecord(decoding: $0) }
        #expect(parsed?.identity == b.identity)
        #expect(parsed?.protocolVersion == 12)
        #expect(star.hub.snapshot(a, of: star.root) != nil, "a root is never forgotten")
    }

    @Test func `active peers are kept alive, inactive ones are not`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(200))
        #expect(star.hub.isDirect(a, to: b), "within the activity timeout the path is kept")
        star.hub.run(.seconds(400))
        star.hub.forgetLog()
        star.hub.run(.seconds(200))
        let between = star.hub.log.filter { $0.from == a.sockets[0] && $0.to == b.sockets[0] }
        #expect(between.isEmpty)
    }

    @Test func `a peer of an earlier run is greeted at its last address`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let records = a.engine.exportPeers()
        #expect(records.map(\.address) == [b.address])
        let other = star.hub.add(
            Fixture.identities[9], [Fixture.endpoint(2, 1)], PeerConfiguration(planet: star.planet))
        for record in records { other.engine.importPeer(record.record, isValidated: true, now: star.hub.now) }
        star.hub.settle(other)
        #expect(star.hub.run(until: { star.hub.isDirect(other, to: b) }, within: .seconds(1)))
        let taken = other.engine.importPeer([9, 9, 9], isValidated: true, now: star.hub.now)
        #expect(taken == nil)
    }
}
