//  Time: contact with roots, keepalive, expiry, WHOIS repeats. One deadline per peer; no sweep over all of them.

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// Does what is due: call it when `nextDeadline` is reached. Work is bounded by what was scheduled.
    package mutating func handleDeadlines(now: Now) {
        // What fires schedules itself later than now, so this ends.
        while let timer = timers.popDue(now.monotonic) {
            switch timer {
            case .peer(let id): servicePeer(id, now)
            case .lookup: serviceLookup(now)
            case .defragmenter:
                for _ in 0..<defragmenter.expire(now.monotonic) { drops.count(.fragmentsTimedOut) }
                if let next = defragmenter.nextDeadline { timers.schedule(.defragmenter, at: next) }
            case .stalled: retryStalled(now)
            case .online: checkOnline(now)
            case .seeds: serviceSeeds(now)
            case .localNetwork: askAnew(now)
            case .validation: serviceValidation(now)
            }
        }
    }

    // MARK: One peer

    /// Sees to it that a peer is serviced at an instant, or earlier.
    mutating func wake(_ id: PeerID, at instant: MonotonicInstant) {
        if let planned = timers.deadline(of: .peer(id)), planned <= instant { return }
        timers.schedule(.peer(id), at: instant)
    }

    private mutating func servicePeer(_ id: PeerID, _ now: Now) {
        guard topology.peers.contains(id) else { return }
        let time = now.monotonic
        topology.peers[id].dropExpiredPaths(time)
        if topology.peers[id].isUpstream {
            serviceContact(id, now)
        } else if time - topology.peers[id].lastHeard >= configuration.activityTimeout {
            forget(id, now)
            return
        }
        if topology.peers[id].isUpstream || topology.peers[id].isActive(time, timeout: configuration.activityTimeout) {
            serviceKeepalive(id, now)
        } else {
            topology.peers[id].isKeptAlive = false
        }
        serviceDoubts(id, now)
        serviceProbes(id, now)
        serviceDatagramSizes(id, now)
        updateLinkIfKnown(id, time)
        wake(id, at: nextService(of: id, time))
    }

    /// A peer of which nothing was told yet is told of with its first packet, not by time passing.
    private mutating func updateLinkIfKnown(_ id: PeerID, _ time: MonotonicInstant) {
        if topology.peers[id].reported != nil { updateLink(id, time) }
    }

    /// When a peer next needs service: the earliest of its deadlines.
    ///
    /// Contact with a root that does not answer, probes and doubts are exact. Everything else waits for the grid of wake-ups:
    /// it may fire late by up to a second, never early.
    func nextService(of id: PeerID, _ time: MonotonicInstant) -> MonotonicInstant {
        let isUpstream = topology.peers[id].isUpstream
        // What may be late, and what may not.
        var due = MonotonicInstant.distantFuture
        var exact = MonotonicInstant.distantFuture
        if isUpstream {
            if isContactNeeded(id, time) {
                exact = topology.peers[id].contactDue
            } else if let index = PathSelection.best(topology.peers[id].paths, .alive, time),
                let heard = topology.peers[id].paths[index].lastReceive
            {
                due = heard + ProtocolLimits.rootSilence
            }
        } else {
            due = topology.peers[id].lastHeard + configuration.activityTimeout
            if let silence = silenceDue(of: id), silence > time { due = min(due, silence) }
        }
        let isKeptAlive =
            isUpstream || topology.peers[id].isActive(time, timeout: configuration.activityTimeout)
        if isKeptAlive, !topology.peers[id].paths.isEmpty, let last = topology.peers[id].lastFullHello {
            due = min(due, last + ProtocolLimits.fullHelloKeepalive)
        }
        for path in topology.peers[id].paths {
            due = min(due, nextService(of: path, heartbeat: isKeptAlive ? heartbeat(of: id, time) : nil, time))
            exact = min(exact, PeerEngine.nextExactService(of: path, time))
        }
        for probe in topology.peers[id].probes { exact = min(exact, probe.due) }
        if let next = topology.peers[id].relayedDatagramSize.nextStep { exact = min(exact, next) }
        // Whatever was left undone just now is not tried in a tight loop.
        return max(min(exact, wakeGrid.next(atOrAfter: due)), time + ProtocolLimits.timerGranularity)
    }

    private func nextService(
        of path: Path, heartbeat: Duration?, _ time: MonotonicInstant
    ) -> MonotonicInstant {
        var due = heartbeat.map { path.lastSend + $0 } ?? MonotonicInstant.distantFuture
        guard let heard = path.lastReceive else { return min(due, path.lastSend + ProtocolLimits.resetPathPatience) }
        due = min(due, heard + ProtocolLimits.pathExpiration)
        let silent = heard + ProtocolLimits.pathAlive
        if silent > time { due = min(due, silent) }
        return due
    }

    // Doubts and the search for a datagram size: traffic waits for their outcome.
    private static func nextExactService(of path: Path, _ time: MonotonicInstant) -> MonotonicInstant {
        let step = path.datagramSize.nextStep ?? .distantFuture
        guard path.lastReceive != nil, let since = path.doubtedSince else { return step }
        let end = since + path.doubtPatience
        if end > time { return min(step, end, path.lastDoubtProbe + ProtocolLimits.pathDoubtInterval) }
        guard time - since < ProtocolLimits.deadPathWatch else { return step }
        return min(step, path.lastDoubtProbe + ProtocolLimits.deadPathProbe)
    }

    private mutating func forget(_ id: PeerID, _ now: Now) {
        let address = topology.peers[id].address
        emit(event: .peerExpired(address, record: recordToKeep(of: id)))
        topology.remove(id)
        timers.cancel(.peer(id))
    }

    /// Removes a peer that has to go for another reason than silence.
    mutating func discard(_ id: PeerID) {
        topology.remove(id)
        timers.cancel(.peer(id))
    }

    // MARK: Keepalive

    private mutating func serviceKeepalive(_ id: PeerID, _ now: Now) {
        let time = now.monotonic
        guard !topology.peers[id].paths.isEmpty else { return }
        let isFullRound =
            topology.peers[id].lastFullHello.map { time - $0 >= ProtocolLimits.fullHelloKeepalive } ?? true
        if isFullRound { topology.peers[id].lastFullHello = time }
        let priority = topology.peers[id].paths.map(\.priority).max() ?? 1
        for index in topology.peers[id].paths.indices {
            let path = topology.peers[id].paths[index]
            guard path.priority == priority, path.isUnexpired(time) else { continue }
            guard isFullRound || time - path.lastSend >= heartbeat(of: id, time) else { continue }
            let isEcho = !isFullRound && topology.peers[id].answersEcho
            topology.peers[id].paths[index].lastSend = time
            enqueue(isEcho ? .echo : .hello, to: id, .path(path.physical), expectsReply: true, now: now)
        }
        if isFullRound, topology.peers[id].isUpstream { contactByOtherWays(id, now) }
    }

    /// The pause after which a path that nothing was sent by is used.
    private func heartbeat(of id: PeerID, _ time: MonotonicInstant) -> Duration {
        time < newPlaceUntil && !topology.peers[id].movesAtOnce
            ? ProtocolLimits.newPlaceHeartbeat : ProtocolLimits.pathHeartbeat
    }

    // MARK: Contact with roots

    /// Whether a root is to be sent HELLO at its known endpoints: it has no live path, or did not answer the keepalive, or none
    /// answers.
    private func isContactNeeded(_ id: PeerID, _ time: MonotonicInstant) -> Bool {
        guard isOnline, let index = PathSelection.best(topology.peers[id].paths, .alive, time),
            let heard = topology.peers[id].paths[index].lastReceive
        else { return true }
        return time - heard >= ProtocolLimits.rootSilence
    }

    private mutating func serviceContact(_ id: PeerID, _ now: Now) {
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
            enqueue(.hello, to: id, .path(path), expectsReply: true, now: now)
            isSent = true
        }
        if !isSent, families.count == 2 {
            enqueue(.hello, to: id, .upstream, expectsReply: true, now: now)
        }
    }

    /// Once a minute a root is asked in the family that it is not reached in, and the one that is used from all our sockets: it tells
    /// how each is seen. What left by the others may have been lost at the start, and their translators forget.
    private mutating func contactByOtherWays(_ id: PeerID, _ now: Now) {
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
            enqueue(.hello, to: id, .path(all), expectsReply: true, now: now)
        }
    }

    // MARK: Worlds

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
    private mutating func serviceSeeds(_ now: Now) {
        guard !roots.seeds.isEmpty else { return }
        for seed in roots.seeds where seed.seed != identity.address {
            guard let id = topology.lookUp(seed.seed) else {
                _ = requestIdentity(seed.seed, now: now)
                continue
            }
            guard !topology.peers[id].isUpstream else {
                enqueue(.hello, to: id, .best, expectsReply: true, now: now)
                continue
            }
            let isDirect = topology.peers[id].isDirect(now.monotonic)
            enqueue(.hello, to: id, isDirect ? .best : .upstream, expectsReply: true, now: now)
        }
        timers.schedule(.seeds, at: now.monotonic + ProtocolLimits.pingCheck)
    }

    // MARK: Online

    mutating func becomeOnline(_ now: Now) {
        guard !isOnline else { return }
        isOnline = true
        emit(event: .online)
        if !roots.includesUs { timers.schedule(.online, at: now.monotonic + configuration.onlineTimeout) }
        if !stalled.isEmpty { retryStalled(now) }
    }

    private mutating func checkOnline(_ now: Now) {
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

    // MARK: Validation

    /// Gives out what may be validated now, and comes back when the budget allows more.
    mutating func serviceValidation(_ now: Now) {
        validation.start(now.monotonic)
        if let next = validation.nextDeadline(now.monotonic) {
            timers.schedule(.validation, at: next)
        } else {
            timers.cancel(.validation)
        }
    }

    // MARK: WHOIS

    /// Asks what is due, gives up what waited too long.
    mutating func serviceLookup(_ now: Now) {
        let expired = lookup.expire(now.monotonic)
        for _ in 0..<expired.inbound { drops.count(.senderUnknown) }
        for _ in 0..<expired.outbound { drops.count(.destinationUnreachable) }
        recall(now)
        // What the gate holds back stays due, and goes together in the next packet.
        if let upstream = bestUpstream(now.monotonic), lookup.hasDue(now.monotonic), whoisGate.allow(now.monotonic) {
            let other = bestUpstream(except: upstream, now.monotonic)
            ask(
                upstream,
                for: lookup.due(
                    now.monotonic, of: topology.peers[upstream].address, refused: other == nil ? nil : false), now)
            if let other {
                // Of whom the best root told something false, another one is asked.
                ask(other, for: lookup.due(now.monotonic, of: topology.peers[upstream].address, refused: true), now)
            }
        }
        scheduleLookup(now)
    }

    private mutating func ask(_ root: PeerID, for addresses: [Address], _ now: Now) {
        guard !addresses.isEmpty else { return }
        enqueue(.whois, Whois(addresses).encoded, to: root, .best, expectsReply: true, now: now)
    }

    private mutating func scheduleLookup(_ now: Now) {
        guard let next = lookup.nextDeadline else {
            timers.cancel(.lookup)
            return
        }
        // Without a root nothing can be asked; the ends of waits still count.
        let earliest =
            bestUpstream(now.monotonic) == nil
            ? now.monotonic + ProtocolLimits.retryTick
            : max(now.monotonic + .milliseconds(1), whoisGate.nextAllowed(now.monotonic))
        timers.schedule(.lookup, at: max(next, earliest))
    }
}
