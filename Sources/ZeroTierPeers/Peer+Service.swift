//  What is due for a peer: its deadlines, keepalive, and the contact with it if it is a root. Read first: PeerEngine+Deadlines.

import NetPrimitives
import ZeroTierWire

extension Peer {
    // MARK: Deadlines

    /// Sees to it that the peer is serviced when it next needs it.
    func scheduleService(_ shared: inout PeerShared, _ time: MonotonicInstant) {
        shared.wake(id, at: nextService(shared, time))
    }

    /// Whether the peer is to be kept alive: it is a root, or took part in a network lately.
    func isWorthKeeping(_ shared: borrowing PeerShared, _ time: MonotonicInstant) -> Bool {
        isUpstream || isActive(time, timeout: shared.configuration.activityTimeout)
    }

    /// When the peer next needs service: the earliest of its deadlines.
    ///
    /// Contact with a root that does not answer, probes and doubts are exact. Everything else waits for the grid of wake-ups:
    /// it may fire late by up to a second, never early.
    func nextService(_ shared: borrowing PeerShared, _ time: MonotonicInstant) -> MonotonicInstant {
        // What may be late, and what may not.
        var due = MonotonicInstant.distantFuture
        var exact = MonotonicInstant.distantFuture
        if isUpstream {
            if isContactNeeded(shared, time) {
                exact = contactDue
            } else if let heard = preferredPathHeard(time) {
                due = heard + ProtocolLimits.rootSilence
            }
        } else {
            due = lastHeard + shared.configuration.activityTimeout
            if let silence = silenceDue, silence > time { due = min(due, silence) }
        }
        let isKept = isWorthKeeping(shared, time)
        if isKept, !paths.isEmpty, let last = lastFullHello {
            due = min(due, last + ProtocolLimits.fullHelloKeepalive)
        }
        let heartbeat = isKept ? heartbeat(shared, time) : nil
        for path in paths {
            due = min(due, path.nextService(heartbeat: heartbeat, time))
            exact = min(exact, path.nextExactService(time))
        }
        for probe in probes { exact = min(exact, probe.due) }
        if let next = relayedDatagramSize.nextStep { exact = min(exact, next) }
        // Whatever was left undone just now is not tried in a tight loop.
        return max(min(exact, shared.wakeGrid.next(atOrAfter: due)), time + ProtocolLimits.timerGranularity)
    }

    /// When something last came by the path that packets take now; nil without a live one.
    private func preferredPathHeard(_ time: MonotonicInstant) -> MonotonicInstant? {
        PathSelection.best(paths, .alive, time).flatMap { paths[$0].lastReceive }
    }

    // MARK: Keepalive

    /// Sends by each path what keeps it open. Whether it was a full round of HELLOs.
    mutating func serviceKeepalive(_ shared: inout PeerShared, _ now: Now) -> Bool {
        let time = now.monotonic
        guard !paths.isEmpty else { return false }
        let isFullRound = lastFullHello.map { time - $0 >= ProtocolLimits.fullHelloKeepalive } ?? true
        if isFullRound { lastFullHello = time }
        let priority = paths.map(\.priority).max() ?? 1
        let pause = heartbeat(shared, time)
        let isEcho = !isFullRound && answersEcho
        for index in paths.indices {
            guard paths[index].priority == priority, paths[index].isUnexpired(time) else { continue }
            guard isFullRound || time - paths[index].lastSend >= pause else { continue }
            paths[index].lastSend = time
            enqueue(isEcho ? .echo : .hello, .path(paths[index].physical), &shared, now)
        }
        return isFullRound
    }

    /// The pause after which a path that nothing was sent by is used.
    private func heartbeat(_ shared: borrowing PeerShared, _ time: MonotonicInstant) -> Duration {
        time < shared.newPlaceUntil && !movesAtOnce
            ? ProtocolLimits.newPlaceHeartbeat : ProtocolLimits.pathHeartbeat
    }

    /// Traffic of a network: the peer's paths are worth keeping alive.
    mutating func noteActivity(_ shared: inout PeerShared, _ time: MonotonicInstant) {
        lastActivity = time
        if !isKeptAlive {
            isKeptAlive = true
            shared.wake(id, at: time)
        }
    }

    // MARK: Contact with a root

    /// Whether a root is to be sent HELLO at its known endpoints: it has no live path, or did not answer the keepalive, or none
    /// answers.
    private func isContactNeeded(_ shared: borrowing PeerShared, _ time: MonotonicInstant) -> Bool {
        guard shared.isOnline, let heard = preferredPathHeard(time) else { return true }
        return time - heard >= ProtocolLimits.rootSilence
    }

    mutating func serviceContact(_ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        guard isContactNeeded(shared, time) else { return contactAnew(time) }
        guard contactDue <= time else { return }
        contact(families: [true, false], &shared, now)
        lastFullHello = time
        contactDue = time + ProtocolLimits.contactPauses[min(contactAttempts, ProtocolLimits.contactPauses.count - 1)]
        contactAttempts = min(contactAttempts + 1, ProtocolLimits.contactPauses.count)
    }

    /// The next contact begins with the shortest pause.
    mutating func contactAnew(_ time: MonotonicInstant) {
        contactAttempts = 0
        contactDue = time
    }

    /// HELLO to one endpoint of each family, from all sockets; without endpoints through another root. Which one is first is random,
    /// and every other has its turn: one where nobody is any more costs one try.
    private mutating func contact(families: [Bool], _ shared: inout PeerShared, _ now: Now) {
        let endpoints = shared.roots.upstream(address)?.endpoints ?? []
        var isSent = false
        for isIPv4 in families {
            let candidates = endpoints.filter { $0.address.isIPv4 == isIPv4 }
            guard !candidates.isEmpty else { continue }
            let turn = contactTurns[isIPv4] ?? shared.random.next(below: candidates.count)
            contactTurns[isIPv4] = turn &+ 1
            let endpoint = candidates[turn % candidates.count]
            let path = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint)
            enqueue(.hello, .path(path), &shared, now)
            isSent = true
        }
        if !isSent, families.count == 2 { enqueue(.hello, .upstream, &shared, now) }
    }

    /// Once a minute a root is asked in the family that it is not reached in, and the one that is used (`isInUse`) from all our
    /// sockets: it tells how each is seen. What left by the others may have been lost at the start, and their translators forget.
    mutating func contactByOtherWays(isInUse: Bool, _ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        for isIPv4 in [true, false] {
            let path = paths.first { $0.physical.remote.address.isIPv4 == isIPv4 && $0.isUnexpired(time) }
            guard let path else {
                contact(families: [isIPv4], &shared, now)
                continue
            }
            guard isInUse, shared.localAddressCount(isIPv4: isIPv4) > 1 else { continue }
            let all = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: path.physical.remote)
            enqueue(.hello, .path(all), &shared, now)
        }
    }

    // MARK: Choice among roots

    /// How good a root is to ask something, lower is better: one without a live path comes last.
    func relayPreference(_ shared: borrowing PeerShared, _ time: MonotonicInstant) -> (Int64, Address) {
        (isDirect(time) ? relayQuality(shared, time) : .max, address)
    }

    /// How good a root is to relay through, lower is better.
    func relayQuality(_ shared: borrowing PeerShared, _ time: MonotonicInstant) -> Int64 {
        guard let heard = lastReceive, time - heard < shared.configuration.activityTimeout else {
            return Int64(UInt32.max)
        }
        var latency: Int64 = 65_535
        if let index = PathSelection.best(paths, .unexpired, time), let measured = paths[index].latency {
            // Microseconds would be finer than the reference, which only matters between two roots on one LAN.
            latency = max(1, measured.milliseconds)
        }
        return (isDirect(time) ? 0 : 65_535) + latency * ((time - heard).milliseconds / 61_000 + 1)
    }
}

extension Path {
    /// When the path next needs something that may be late: its heartbeat, its end, the time from which it counts as silent.
    fileprivate func nextService(heartbeat: Duration?, _ time: MonotonicInstant) -> MonotonicInstant {
        var due = heartbeat.map { lastSend + $0 } ?? MonotonicInstant.distantFuture
        guard let heard = lastReceive else { return min(due, lastSend + ProtocolLimits.resetPathPatience) }
        due = min(due, heard + ProtocolLimits.pathExpiration)
        let silent = heard + ProtocolLimits.pathAlive
        if silent > time { due = min(due, silent) }
        return due
    }

    /// When a doubt or the search for a datagram size goes on: traffic waits for their outcome.
    fileprivate func nextExactService(_ time: MonotonicInstant) -> MonotonicInstant {
        let step = datagramSize.nextStep ?? .distantFuture
        guard lastReceive != nil, let since = doubtedSince else { return step }
        let end = since + doubtPatience
        if end > time { return min(step, end, lastDoubtProbe + ProtocolLimits.pathDoubtInterval) }
        guard time - since < ProtocolLimits.deadPathWatch else { return step }
        return min(step, lastDoubtProbe + ProtocolLimits.deadPathProbe)
    }
}
