//  The roots: who they are, whether they answer, and which of them is asked or relays.

package import NetPrimitives
package import ZeroTierWire

extension PeerEngine {
    // MARK: Worlds

    /// Takes a world that the owner decided on, unverified: a planet at setup, or a moon read from a file.
    package mutating func adoptWorld(_ world: World, now: Now) {
        shared.roots.adopt(world)
        emitWorld(world)
        applyRoots(now)
    }

    /// Offers a world by the update rule, such as the built-in planet. Whether it was taken.
    @discardableResult
    package mutating func offerWorld(_ world: World, now: Now) -> Bool {
        guard shared.roots.offer(world) == .adopted else { return false }
        emitWorld(world)
        applyRoots(now)
        return true
    }

    /// Wants a moon that `seed.seed` can give: the original's `orbit`.
    package mutating func orbit(_ seed: MoonSeed, now: Now) {
        shared.roots.orbit(seed)
        applyRoots(now)
    }

    /// Forgets a moon. Whether it was held.
    package mutating func deorbit(_ moonID: UInt64, now: Now) -> Bool {
        let wasHeld = shared.roots.deorbit(moonID)
        applyRoots(now)
        return wasHeld
    }

    private mutating func emitWorld(_ world: World) {
        switch world.kind {
        case .planet: shared.emit(.planetUpdated(encoded: world.encoded))
        case .moon: shared.emit(.moonUpdated(id: world.id, encoded: world.encoded))
        }
    }

    /// Makes peers of all roots, and leaves of those that no world lists any more.
    mutating func applyRoots(_ now: Now) {
        for id in topology.peers.ids where topology.peers[id].isUpstream {
            let upstream = shared.roots.upstream(topology.peers[id].address)
            if upstream?.identity != topology.peers[id].identity { topology.setRole(.leaf, of: id) }
        }
        upstreamPeers = []
        for upstream in shared.roots.upstreams {
            if let id = topology.lookUp(upstream.identity.address) {
                if topology.peers[id].identity == upstream.identity {
                    topology.setRole(upstream.role, of: id)
                    upstreamPeers.append(id)
                    shared.wake(id, at: now.monotonic)
                    continue
                }
                // The world's word counts more than what a HELLO once said.
                discard(id)
            }
            if let id = addPeer(upstream.identity, role: upstream.role, now) { upstreamPeers.append(id) }
        }
        if !shared.roots.seeds.isEmpty { shared.timers.schedule(.seeds, at: now.monotonic) }
        checkOnline(now)
    }

    /// Seeds of wanted moons are asked who they are, and then for their moon.
    mutating func serviceSeeds(_ now: Now) {
        guard !shared.roots.seeds.isEmpty else { return }
        for seed in shared.roots.seeds where seed.seed != identity.address {
            guard let id = topology.lookUp(seed.seed) else {
                _ = requestIdentity(seed.seed, now: now)
                continue
            }
            guard !topology.peers[id].isUpstream else {
                topology.peers[id].enqueue(.hello, .best, &shared, now)
                continue
            }
            let isDirect = topology.peers[id].isDirect(now.monotonic)
            topology.peers[id].enqueue(.hello, isDirect ? .best : .upstream, &shared, now)
        }
        shared.timers.schedule(.seeds, at: now.monotonic + ProtocolLimits.pingCheck)
    }

    // MARK: Online

    mutating func becomeOnline(_ now: Now) {
        guard !shared.isOnline else { return }
        shared.isOnline = true
        shared.emit(.online)
        if !shared.roots.includesUs {
            shared.timers.schedule(.online, at: now.monotonic + shared.configuration.onlineTimeout)
        }
        if !stalled.isEmpty { retryStalled(now) }
    }

    mutating func checkOnline(_ now: Now) {
        if shared.roots.includesUs {
            becomeOnline(now)
            return
        }
        guard shared.isOnline else { return }
        // What comes from elsewhere than a confirmed path says nothing about whether we can send there.
        var heard: MonotonicInstant?
        for id in upstreamPeers {
            for path in topology.peers[id].paths {
                // One that has to answer anew since our own address changed gets time for it.
                let last = path.lastReceive ?? path.lastSend
                heard = max(heard ?? last, last)
            }
        }
        if let heard, now.monotonic - heard < shared.configuration.onlineTimeout {
            // May fire late by up to a second.
            shared.timers.schedule(
                .online, at: shared.wakeGrid.next(atOrAfter: heard + shared.configuration.onlineTimeout))
        } else {
            shared.isOnline = false
            shared.emit(.offline)
            for id in upstreamPeers { shared.wake(id, at: now.monotonic) }
        }
    }

    // MARK: Choice

    /// The root to relay through: the least latency, weighed by how long it has been silent. Roots without any
    /// path do not count.
    func bestUpstream(except excluded: PeerID? = nil, _ time: MonotonicInstant) -> PeerID? {
        var choice: PeerID?
        var best = Int64.max
        for id in upstreamPeers where id != excluded && !topology.peers[id].paths.isEmpty {
            let quality = topology.peers[id].relayQuality(shared, time)
            if quality <= best {
                best = quality
                choice = id
            }
        }
        return choice
    }

}
