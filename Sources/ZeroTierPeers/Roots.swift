//  The worlds held and the roots in them. Read first: zerotier/ZeroTierOne node/Topology.hpp (facts only).
//
//  A planet or moon is replaced only by a newer one of its ID that its own update key signed. A first planet comes from
//  the owner; a first moon from the owner, or from a root in answer to a wish (moon ID, seed) when the seed is one of its
//  roots.

import NetPrimitives
import ZeroTierWire

/// The worlds, and what follows from them.
struct Roots: Sendable {
    /// A node listed as root by at least one world held.
    struct Upstream: Sendable {
        let identity: Identity
        /// Merged over the worlds, without duplicates, in their order.
        var endpoints: [SocketEndpoint]
        var role: PeerRole
    }

    /// What became of a world that was offered.
    enum OnWorld: Equatable {
        case ignored
        case adopted
    }

    private(set) var planet: World?
    /// Moons held, by ascending ID.
    private(set) var moons: [World] = []
    private(set) var seeds: [MoonSeed]
    /// All roots but ourselves, by ascending address.
    private(set) var upstreams: [Upstream] = []
    /// Whether one of the worlds lists us.
    private(set) var includesUs = false
    private let ourselves: Identity

    init(ourselves: Identity, planet: World?, moons: [World], seeds: [MoonSeed]) {
        self.ourselves = ourselves
        if planet?.kind == .planet { self.planet = planet }
        self.seeds = seeds
        for moon in moons where moon.kind == .moon { place(moon) }
        recompute()
    }

    /// The root with an address.
    func upstream(_ address: Address) -> Upstream? {
        upstreams.first { $0.identity.address == address }
    }

    /// Whether worlds are taken from this node: roots, and seeds of moons wanted.
    func mayTeachWorlds(_ address: Address) -> Bool {
        upstream(address) != nil || seeds.contains { $0.seed == address }
    }

    /// A world that a root sent.
    mutating func offer(_ world: World) -> OnWorld {
        switch world.kind {
        case .planet:
            guard let planet, planet.canBeReplaced(by: world) else { return .ignored }
            self.planet = world
        case .moon:
            if let held = moons.first(where: { $0.id == world.id }) {
                guard held.canBeReplaced(by: world) else { return .ignored }
            } else {
                let isWanted = seeds.contains { seed in
                    seed.moonID == world.id && world.roots.contains { $0.identity.address == seed.seed }
                }
                guard isWanted else { return .ignored }
                seeds.removeAll { $0.moonID == world.id }
            }
            place(world)
        }
        recompute()
        return .adopted
    }

    /// A world that the owner decided on: taken unverified, replacing what has its place.
    mutating func adopt(_ world: World) {
        switch world.kind {
        case .planet: planet = world
        case .moon: place(world)
        }
        recompute()
    }

    /// Wants a moon.
    mutating func orbit(_ seed: MoonSeed) {
        guard !seeds.contains(seed), !moons.contains(where: { $0.id == seed.moonID }),
            seeds.count < ProtocolLimits.moonSeeds
        else { return }
        seeds.append(seed)
    }

    /// Forgets a moon and the wish for it. Whether it was held.
    mutating func deorbit(_ moonID: UInt64) -> Bool {
        let wasHeld = moons.contains { $0.id == moonID }
        seeds.removeAll { $0.moonID == moonID }
        moons.removeAll { $0.id == moonID }
        recompute()
        return wasHeld
    }

    /// The worlds that a node with these revisions lacks, for OK(HELLO).
    func updates(planetID: UInt64, planetTimestamp: UInt64, moons known: [(id: UInt64, timestamp: UInt64)]) -> [World] {
        var result: [World] = []
        if let planet, planet.id == planetID, planet.timestampMilliseconds > planetTimestamp { result.append(planet) }
        for moon in moons {
            if let entry = known.first(where: { $0.id == moon.id }), moon.timestampMilliseconds > entry.timestamp {
                result.append(moon)
            }
        }
        return result
    }

    private mutating func place(_ moon: World) {
        moons.removeAll { $0.id == moon.id }
        let index = moons.firstIndex { $0.id > moon.id } ?? moons.count
        moons.insert(moon, at: index)
    }

    private mutating func recompute() {
        upstreams = []
        includesUs = false
        let worlds = (planet.map { [$0] } ?? []) + moons
        for world in worlds {
            for root in world.roots {
                if root.identity.address == ourselves.address {
                    if root.identity == ourselves { includesUs = true }
                    continue
                }
                merge(root, world.kind == .planet ? .planet : .moon)
            }
        }
        upstreams.sort { $0.identity.address < $1.identity.address }
    }

    private mutating func merge(_ root: World.Root, _ role: PeerRole) {
        guard let index = upstreams.firstIndex(where: { $0.identity.address == root.identity.address }) else {
            var endpoints: [SocketEndpoint] = []
            for endpoint in root.endpoints where !endpoints.contains(endpoint) { endpoints.append(endpoint) }
            upstreams.append(Upstream(identity: root.identity, endpoints: endpoints, role: role))
            return
        }
        // Another key under a root's address: the world that came first counts.
        guard upstreams[index].identity == root.identity else { return }
        for endpoint in root.endpoints where !upstreams[index].endpoints.contains(endpoint) {
            upstreams[index].endpoints.append(endpoint)
        }
        if role == .planet { upstreams[index].role = .planet }
    }
}
