//  Time: what is due, and the service of one peer. One deadline per peer; no sweep over all of them.

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
            forget(id)
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
            enqueue(isEcho ? .echo : .hello, to: id, .path(path.physical), now: now)
        }
        if isFullRound, topology.peers[id].isUpstream { contactByOtherWays(id, now) }
    }

    /// The pause after which a path that nothing was sent by is used.
    private func heartbeat(of id: PeerID, _ time: MonotonicInstant) -> Duration {
        time < newPlaceUntil && !topology.peers[id].movesAtOnce
            ? ProtocolLimits.newPlaceHeartbeat : ProtocolLimits.pathHeartbeat
    }
}
