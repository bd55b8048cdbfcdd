//  Doubting the paths of a peer, and what becomes of them when the network under us changes.
//
//      in the list --silence while used, or the peer relays--> in doubt --answer--> fine
//                                                                   \--500 ms--> relayed until something comes

import NetPrimitives
import ZeroTierWire

extension Peer {
    // MARK: Doubt

    /// A path is used: nothing else needs to keep it alive; if it has been silent for long, it is asked whether it lives.
    mutating func markSent(_ index: Int, _ shared: inout PeerShared, _ now: Now) {
        paths[index].lastSend = now.monotonic
        guard let heard = paths[index].lastReceive, now.monotonic - heard >= ProtocolLimits.pathDoubtSilence
        else { return }
        doubt(index, &shared, now)
    }

    /// The peer relays its traffic although we know a direct path: it may have lost it, by a restart for example.
    mutating func doubtDirectPath(_ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        guard let index = PathSelection.best(paths, .alive, time), let heard = paths[index].lastReceive,
            time - heard >= ProtocolLimits.pathDoubtInterval
        else { return }
        doubt(index, &shared, now)
    }

    /// Asks a path for a sign of life. If none comes within half a second, packets are relayed.
    private mutating func doubt(_ index: Int, _ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        let path = paths[index]
        if path.doubtedSince == nil {
            // A path that was found fine is not asked again at once.
            guard time - path.lastDoubtProbe >= ProtocolLimits.pathDoubtInterval else { return }
            paths[index].doubtedSince = time
        } else {
            guard time - path.lastDoubtProbe >= ProtocolLimits.pathDoubtSilence else { return }
        }
        paths[index].lastDoubtProbe = time
        // What is lost may be only what is long.
        paths[index].datagramSize.doubt()
        sendProbe(path.physical, &shared, now)
        shared.wake(id, at: time + ProtocolLimits.pathDoubtInterval)
    }

    /// Doubts that need a second question, and those that came true: traffic may wait for such a path.
    mutating func serviceDoubts(_ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        for index in paths.indices {
            let path = paths[index]
            guard let since = path.doubtedSince, time - since < ProtocolLimits.deadPathWatch else { continue }
            let pause =
                time - since < path.doubtPatience ? ProtocolLimits.pathDoubtInterval : ProtocolLimits.deadPathProbe
            guard time - path.lastDoubtProbe >= pause else { continue }
            paths[index].lastDoubtProbe = time
            sendProbe(path.physical, &shared, now)
        }
        // A dead path says nothing of the peer: whether a root reaches it shows by its answer.
        if isAskedThroughRoot(time), !isDirect(time), relayedHelloGate.allow(time) {
            enqueue(.hello, .upstream, &shared, now)
        }
    }

    /// While a peer is relayed, its paths that may still work are asked now and then.
    mutating func reviveStalePaths(_ shared: inout PeerShared, _ time: MonotonicInstant) {
        for index in paths.indices {
            guard paths[index].isUnexpired(time), time - paths[index].lastDoubtProbe >= ProtocolLimits.pingCheck
            else { continue }
            paths[index].lastDoubtProbe = time
            probe(paths[index].physical, time)
            shared.wake(id, at: time)
        }
    }

    // MARK: The network under us

    /// Our address as seen from outside changed: what was confirmed with the old one is void until it answers again.
    mutating func resetPaths(scope: AddressScope, isIPv4: Bool, _ shared: inout PeerShared, _ now: Now) {
        var isReset = false
        for index in paths.indices {
            let path = paths[index]
            guard path.scope == scope, path.physical.remote.address.isIPv4 == isIPv4 else { continue }
            paths[index].lastReceive = nil
            paths[index].lastSend = now.monotonic
            paths[index].datagramSize.doubt()
            sendProbe(path.physical, &shared, now)
            isReset = true
        }
        guard isReset else { return }
        updateLink(&shared, now.monotonic)
        scheduleService(&shared, now.monotonic)
    }

    /// Local sockets are gone, and the paths with them: their far ends are tried from what is left.
    mutating func leaveSockets(_ closed: [Int32], _ shared: inout PeerShared, _ time: MonotonicInstant) {
        let gone = paths.filter { closed.contains($0.physical.localSocket) }
        guard !gone.isEmpty else { return }
        for path in gone {
            probe(PhysicalPath(localSocket: PhysicalPath.anySocket, remote: path.physical.remote), time)
        }
        removePaths { closed.contains($0.physical.localSocket) }
        updateLink(&shared, time)
        shared.wake(id, at: time)
    }

    /// Asks every path for a sign of life, and a root that has none at its endpoints.
    mutating func askAnew(_ shared: inout PeerShared, _ now: Now) {
        contactAnew(now.monotonic)
        relayedDatagramSize.doubt()
        for index in paths.indices {
            // What was found fine a moment ago was so by the old network.
            paths[index].lastDoubtProbe = .zero
            doubt(index, &shared, now)
        }
        updateLink(&shared, now.monotonic)
        shared.wake(id, at: now.monotonic)
    }
}
