//  Planets, moons, and more than one root.

import NetPrimitives
import TestSupport
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

/// Worlds of `Tests/Vectors/vl1_worlds.json`.
private struct Recorded: Decodable {
    struct Entry: Decodable { let name, binary: String }
    let worlds: [Entry]

    static func world(_ name: String) throws -> World {
        let recorded: Recorded = try VectorFiles.decode("vl1_worlds.json")
        let entry = try #require(recorded.worlds.first { $0.name == name })
        return try World(decoding: try #require(Hexadecimal.decode(entry.binary)))
    }
}

@Suite struct WorldTests {
    private let rootEndpoint = Fixture.endpoint(0, 1)

    @Test func `a newer planet spreads from the root and is reported for storing`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let newer = Fixture.planet(
            [(Fixture.identities[0], [rootEndpoint, Fixture.endpoint(0, 2)])], timestamp: 1_700_000_000_001)
        let isTaken = star.root.engine.offerWorld(newer, now: star.hub.now)
        #expect(isTaken)
        star.hub.run(.seconds(61))
        for leaf in star.leaves {
            #expect(leaf.planet == newer)
            #expect(leaf.has(.planetUpdated(encoded: newer.encoded)))
        }
    }

    @Test func `a node with the public planet of 1.8.4 takes the built-in one, and none goes back`() throws {
        let older = try Recorded.world("default_planet_1.8.4")
        let node = Hub().add(
            Fixture.identities[1], [Fixture.endpoint(1, 1)], PeerConfiguration(planet: older))
        let now = Hub().now
        let isTaken = node.engine.offerWorld(.defaultPlanet, now: now)
        #expect(isTaken && node.planet == .defaultPlanet)
        #expect(node.engine.nextEvent() == .planetUpdated(encoded: World.defaultPlanet.encoded))
        #expect(Set(node.rootAddresses) == Set(World.defaultPlanet.roots.map(\.identity.address)))
        let goesBack = node.engine.offerWorld(older, now: now)
        #expect(!goesBack && node.planet == .defaultPlanet)
    }

    @Test func `a planet that is older, of another ID or signed by another is refused`() {
        let star = Star(leaves: 1)
        let roots = [(Fixture.identities[0], [rootEndpoint])]
        let older = Fixture.planet(roots, timestamp: 1_600_000_000_000)
        let other = Fixture.planet(roots, id: 78, timestamp: 1_800_000_000_000)
        let forged = Fixture.world(
            .planet, roots, id: 77, timestamp: 1_800_000_000_000, signer: Fixture.identities[38])
        for world in [older, other, forged, star.planet] {
            let isTaken = star.root.engine.offerWorld(world, now: star.hub.now)
            #expect(!isTaken)
        }
        #expect(star.root.planet == star.planet)
    }

    @Test func `a planet offered by a node that is no root is passed over`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let newer = Fixture.planet([(Fixture.identities[0], [rootEndpoint])], timestamp: 1_800_000_000_000)
        let isTaken = b.engine.offerWorld(newer, now: star.hub.now)
        #expect(isTaken)
        star.hub.forgetLog()
        // A's minute of HELLO to B passes, and B's answer carries the planet.
        star.hub.run(.seconds(70))
        #expect(star.hub.log.contains { $0.from == b.sockets[0] && $0.to == a.sockets[0] && $0.bytes.count > 200 })
        #expect(a.planet == star.planet)
    }

    @Test func `a wanted moon is adopted from its seed, and its roots become roots`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.seconds(1))
        let (node, seed) = (star.leaves[0], star.leaves[1])
        let moon = Fixture.world(
            .moon, [(seed.identity, [seed.sockets[0]])], id: seed.address.value, timestamp: 1_700_000_000_000)
        seed.engine.adoptWorld(moon, now: star.hub.now)
        star.hub.settle(seed)
        #expect(seed.isRoot)
        node.engine.orbit(MoonSeed(moonID: moon.id, seed: seed.address), now: star.hub.now)
        star.hub.settle(node)
        #expect(star.hub.run(until: { node.moons == [moon] }, within: .seconds(20)))
        #expect(node.has(.moonUpdated(id: moon.id, encoded: moon.encoded)))
        #expect(node.rootAddresses.contains(seed.address))
        #expect(star.hub.run(until: { star.hub.isDirect(node, to: seed) }, within: .seconds(5)))
        #expect(star.hub.snapshot(node, of: seed)?.role == .moon)
        #expect(star.hub.snapshot(node, of: star.root)?.role == .planet)
        let wasHeld = node.engine.deorbit(moon.id, now: star.hub.now)
        #expect(wasHeld)
        #expect(star.hub.snapshot(node, of: seed)?.role == .leaf)
    }

    @Test func `a moon without the seed among its roots is ignored`() {
        let seed = MoonSeed(moonID: 9, seed: Fixture.identities[5].address)
        var roots = Roots(ourselves: Fixture.identities[1], planet: nil, moons: [], seeds: [seed])
        let stranger = Fixture.world(.moon, [(Fixture.identities[6], [])], id: 9, timestamp: 1)
        #expect(roots.offer(stranger) == .ignored)
        let unwanted = Fixture.world(.moon, [(Fixture.identities[5], [])], id: 10, timestamp: 1)
        #expect(roots.offer(unwanted) == .ignored)
        let wanted = Fixture.world(.moon, [(Fixture.identities[5], [])], id: 9, timestamp: 1)
        #expect(roots.offer(wanted) == .adopted)
        #expect(roots.seeds.isEmpty)
        let update = Fixture.world(.moon, [(Fixture.identities[7], [])], id: 9, timestamp: 2)
        #expect(roots.offer(update) == .adopted)
        #expect(roots.upstreams.map(\.identity) == [Fixture.identities[7]])
    }

    @Test func `endpoints of a root in several worlds are merged`() {
        let planet = Fixture.planet([(Fixture.identities[0], [rootEndpoint])])
        let moon = Fixture.world(
            .moon, [(Fixture.identities[0], [rootEndpoint, Fixture.endpoint(0, 9)])], id: 4, timestamp: 1)
        let roots = Roots(ourselves: Fixture.identities[1], planet: planet, moons: [moon], seeds: [])
        #expect(roots.upstreams.count == 1)
        #expect(roots.upstreams.first?.endpoints == [rootEndpoint, Fixture.endpoint(0, 9)])
        #expect(roots.upstreams.first?.role == .planet)
    }

    @Test func `with two roots the loss of one goes unnoticed`() {
        let hub = Hub()
        let ends = [Fixture.endpoint(0, 1), Fixture.endpoint(0, 2)]
        let planet = Fixture.planet([(Fixture.identities[0], [ends[0]]), (Fixture.identities[1], [ends[1]])])
        var configuration = PeerConfiguration(planet: planet)
        let roots = (0..<2).map { hub.add(Fixture.identities[$0], [ends[$0]], configuration) }
        configuration.directPathsEnabled = false
        let leaves = (2..<4).map {
            hub.add(Fixture.identities[$0], [Fixture.endpoint(1, $0)], configuration)
        }
        hub.run(.seconds(2))
        #expect((roots + leaves).allSatisfy { $0.isOnline })
        for victim in 0..<2 {
            leaves[1].received = []
            hub.passes = { $0.from != ends[victim] && $0.to != ends[victim] }
            for _ in 0..<60 {
                hub.sendFrame(leaves[0], to: leaves[1].address)
                hub.run(.milliseconds(100))
            }
            #expect(leaves[1].received.count > 10)
            hub.passes = { _ in true }
            hub.run(.seconds(30))
            #expect(leaves.allSatisfy { $0.isOnline && !$0.events.contains(.offline) })
        }
    }

    @Test func `the same seed gives the same traffic`() {
        func digest() -> [Int] {
            let star = Star(leaves: 3, seed: 42)
            _ = star.connect()
            star.hub.run(.seconds(100))
            return star.hub.log.map { $0.bytes.reduce($0.bytes.count) { ($0 &* 31) &+ Int($1) } }
        }
        let first = digest()
        #expect(!first.isEmpty)
        #expect(first == digest())
    }
}
