//  The roots: who they are, whether they answer, and which of them is asked or relays.

package import NetPrimitives
package import ZeroTierWire

extension PeerEngine {
    // MARK: Worlds

    /// Takes a world that the owner decided on, unverified: a planet at setup, or a moon read from a file.
    package mutating func adoptWorld(_ world: World, now: Now) {
        roots.adopt(world)
        emitWorld(world)
        applyRoots(now)
    }

    /// Offers a world by the update rule, such as the built-in planet. Whether it was taken.
    @discardableResult
    package mutating func offerWorld(_ world: World, now: Now) -> Bool {
        guard roots.offer(world) == .adopted else { return false }
        emitWorld(world)
        applyRoots(now)
        return true
    }

    /// Wants a moon that `seed.seed` can give: upstream `orbit`.
    package mutating func orbit(_ seed: MoonSeed, now: Now) {
        roots.orbit(seed)
        applyRoots(now)
    }

    /// Forgets a moon. Whether it was held.
    package mutating func deorbit(_ moonID: UInt64, now: Now) -> Bool {
        let wasHeld = roots.deorbit(moonID)
        applyRoots(now)
        return wasHeld
    }

    private mutating func emitWorld(_ world: World) {
        switch world.kind {
        case .planet: emit(event: .planetUpdated(encoded: world.encoded))
        case .moon: emit(event: .moonUpdated(id: world.id, encoded: world.encoded))
        }
    }

    /// Makes peers of all roots, and leaves of those that no world lists any more.
    mutating func applyRoots(_ now: Now) {
        for id in topology.peers.ids where topology.peers[id].isUpstream {
            let upstream = roots.upstream(topology.peers[id].address)
            if upstream?.identity != topology.peers[id].identity { topology.setRole(.leaf, of: id) }
        }
        upstreamPeers = []
        for upstream in roots.upstreams {
            if let id = topology.lookUp(upstream.identity.address) {
                if topology.peers[id].identity == upstream.identity {
                    topology.setRole(upstream.role, of: id)
                    upstreamPeers.append(id)
                    wake(id, at: now.monotonic)
                    continue
                }
                // The world's word counts more than what a HELLO once said.
                discard(id)
            }
            if let id = addPeer(upstream.identity, role: upstream.role, now) { upstreamPeers.append(id) }
        }
        if !roots.seeds.isEmpty { timers.schedule(.seeds, at: now.monotonic) }
        checkOnline(now)
    }

    /// Seeds of wanted moons are asked who they are, and then for their moon.
    mutating func serviceSeeds(_ now: Now) {
        guard !roots.seeds.isEmpty else { return }
        for seed in roots.seeds where seed.seed != identity.address {
            guard let id = topology.lookUp(seed.seed) else {
                _ = requestIdentity(seed.seed, now: now)
                continue
            }
            guard !topology.peers[id].isUpstream else {
                enqueue(.hello, to: id, .best, now: now)
                continue
            }
            let isDirect = topology.peers[id].isDirect(now.monotonic)
            enqueue(.hello, to: id, isDirect ? .best : .upstream, now: now)
        }
        timers.schedule(.seeds, at: now.monotonic + ProtocolLimits.pingCheck)
    }

    // MARK: Contact

    /// Whether a root is to be sent HELLO at its known endpoints: it has no live path, or did not answer the keepalive, or none
    /// answers.
    func isContactNeeded(_ id: PeerID, _ time: MonotonicInstant) -> Bool {
        guard isOnline, let index = PathSelection.best(topology.peers[id].paths, .alive, time),
            let heard = topology.peers[id].paths[index].lastReceive
        else { return true }
        return time - heard >= ProtocolLimits.rootSilence
    }

    mutating func serviceContact(_ id: PeerID, _ now: Now) {
        let time = now.monotonic
        guard isContactNeeded(id, time) else {
            topology.peers[id].contactAttempts = 0
            topology.peers[id].contactDue = time
            return
        }
        guard topology.peers[id].contactDue <= time else { return }
        contact(id, families: [true, false], now)
        topology.peers[id].lastFullHello = time
        let attempt = topology.peers[id].contactAttempts
        topology.peers[id].contactAttempts = min(attempt + 1, ProtocolLimits.contactPauses.count)
        topology.peers[id].contactDue =
            time + ProtocolLimits.contactPauses[min(attempt, ProtocolLimits.contactPauses.count - 1)]
    }

    /// HELLO to one endpoint of each family, from all sockets; without endpoints through another root. Which one is first is random,
    /// and every other has its turn: one where nobody is any more costs one try.
    private mutating func contact(_ id: PeerID, families: [Bool], _ now: Now) {
        let endpoints = roots.upstream(topology.peers[id].address)?.endpoints ?? []
        var isSent = false
        for isIPv4 in families {
            let candidates = endpoints.filter { $0.address.isIPv4 == isIPv4 }
            guard !candidates.isEmpty else { continue }
            let turn = topology.peers[id].contactTurns[isIPv4] ?? random.next(below: candidates.count)
            topology.peers[id].contactTurns[isIPv4] = turn &+ 1
            let endpoint = candidates[turn % candidates.count]
            let path = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint)
            enqueue(.hello, to: id, .path(path), now: now)
            isSent = true
        }
        if !isSent, families.count == 2 {
            enqueue(.hello, to: id, .upstream, now: now)
        }
    }

    /// Once a minute a root is asked in the family that it is not reached in, and the one that is used from all our sockets: it tells
    /// how each is seen. What left by the others may have been lost at the start, and their translators forget.
    mutating func contactByOtherWays(_ id: PeerID, _ now: Now) {
        let time = now.monotonic
        for isIPv4 in [true, false] {
            let path = topology.peers[id].paths.first {
                $0.physical.remote.address.isIPv4 == isIPv4 && $0.isUnexpired(time)
            }
            guard let path else {
                contact(id, families: [isIPv4], now)
                continue
            }
            guard bestUpstream(time) == id, localEndpoints.count(where: { $0.address.isIPv4 == isIPv4 }) > 1 else {
                continue
            }
            let all = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: path.physical.remote)
            enqueue(.hello, to: id, .path(all), now: now)
        }
    }

    // MARK: Online

    mutating func becomeOnline(_ now: Now) {
        guard !isOnline else { return }
        isOnline = true
        emit(event: .online)
        if !roots.includesUs { timers.schedule(.online, at: now.monotonic + configuration.onlineTimeout) }
        if !stalled.isEmpty { retryStalled(now) }
    }

    mutating func checkOnline(_ now: Now) {
        if roots.includesUs {
            becomeOnline(now)
            return
        }
        guard isOnline else { return }
        // What comes from elsewhere than a confirmed path says nothing about whether we can send there.
        var heard: MonotonicInstant?
        for id in upstreamPeers {
            for path in topology.peers[id].paths {
                // One that has to answer anew since our own address changed gets time for it.
                let last = path.lastReceive ?? path.lastSend
                heard = max(heard ?? last, last)
            }
        }
        if let heard, now.monotonic - heard < configuration.onlineTimeout {
            // May fire late by up to a second.
            timers.schedule(.online, at: wakeGrid.next(atOrAfter: heard + configuration.onlineTimeout))
        } else {
            isOnline = false
            emit(event: .offline)
            for id in upstreamPeers { wake(id, at: now.monotonic) }
        }
    }

    // MARK: Choice

    /// The root to relay through: the least latency, weighed by how long it has been silent. Roots without any
    /// path do not count.
    func bestUpstream(except excluded: PeerID? = nil, _ time: MonotonicInstant) -> PeerID? {
        var choice: PeerID?
        var best = Int64.max
        for id in upstreamPeers where id != excluded && !topology.peers[id].paths.isEmpty {
            let quality = relayQuality(id, time)
            if quality <= best {
                best = quality
                choice = id
            }
        }
        return choice
    }

    /// How good a root is to ask something, lower is better: one without a live path comes last.
    func relayPreference(_ id: PeerID, _ time: MonotonicInstant) -> (Int64, Address) {
        let isReached = !topology.peers[id].paths.isEmpty && topology.peers[id].isDirect(time)
        return (isReached ? relayQuality(id, time) : .max, topology.peers[id].address)
    }

    private func relayQuality(_ id: PeerID, _ time: MonotonicInstant) -> Int64 {
        guard let heard = topology.peers[id].lastReceive, time - heard < configuration.activityTimeout else {
            return Int64(UInt32.max)
        }
        var latency: Int64 = 65_535
        if let index = PathSelection.best(topology.peers[id].paths, .unexpired, time),
            let measured = topology.peers[id].paths[index].latency
        {
            // Microseconds would be finer than the reference, which only matters between two roots on one LAN.
            latency = max(1, measured.milliseconds)
        }
        let isAlive = topology.peers[id].isDirect(time)
        return (isAlive ? 0 : 65_535) + latency * ((time - heard).milliseconds / 61_000 + 1)
    }
}
