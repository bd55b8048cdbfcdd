//  Learning, doubting and probing the paths of peers.
//
//      unknown path --authentic packet--> HELLO to it --its OK--> in the list
//      in the list --silence while used, or the peer relays--> in doubt --answer--> fine
//                                                                   \--500 ms--> relayed until something comes

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    // MARK: Check

    /// Whether a physical address may be used for a peer.
    func isAllowed(_ endpoint: SocketEndpoint, for id: PeerID) -> Bool {
        guard endpoint.port != 0, scopes.isUsable(endpoint.address) else { return false }
        let isForbidden = forbiddenPrefixes.contains { $0.contains(endpoint.address) }
        guard let upstream = roots.upstream(topology.peers[id].address) else {
            return configuration.directPathsEnabled && !isForbidden
        }
        // Where the world says that a root is, it is: no controller's addresses may hide it.
        if upstream.endpoints.isEmpty { return !isForbidden }
        return upstream.endpoints.contains { $0.address == endpoint.address }
    }

    // MARK: Learning

    /// An authentic packet came directly by a path that is not in the list.
    /// `isNewest`: it was a HELLO newer than all before.
    mutating func considerPath(
        _ path: PhysicalPath, for id: PeerID, confirms: Bool, isNewest: Bool = false, now: Now
    ) {
        let time = now.monotonic
        guard isAllowed(path.remote, for: id) else { return }
        guard confirms else {
            // Anybody can send a packet from elsewhere: only an answer to our own question moves a path.
            confirm(path, of: id, isNewest: isNewest, now: now)
            return
        }
        let learned = Path(physical: path, scope: scopes.scope(of: path.remote.address), now: time)
        guard topology.peers[id].learn(learned, time) else { return }
        topology.noteOrigin(path.remote.address, of: id)
        pathCameAlive(id, now)
        if !isOnline, topology.peers[id].isUpstream { becomeOnline(now) }
        if topology.peers[id].isOwedWorlds {
            // Our HELLO says which worlds there are; who wants them says hello again.
            topology.peers[id].isOwedWorlds = false
            enqueue(.hello, to: id, .path(path), isWish: true, now: now)
        }
    }

    /// A peer has one more live path.
    mutating func pathCameAlive(_ id: PeerID, _ now: Now) {
        resumeSearches(by: id, now.monotonic)
        updateLink(id, now.monotonic)
        wake(id, at: nextService(of: id, now.monotonic))
        if topology.peers[id].isUpstream, !lookup.isEmpty { serviceLookup(now) }
        if !stalled.isEmpty { retryStalled(now) }
    }

    private mutating func resumeSearches(by id: PeerID, _ time: MonotonicInstant) {
        for index in topology.peers[id].paths.indices { topology.peers[id].paths[index].datagramSize.resume(time) }
        guard topology.peers[id].isUpstream else { return }
        for other in topology.peers.ids where topology.peers[other].relayedDatagramSize.nextStep != nil {
            topology.peers[other].relayedDatagramSize.resume(time)
            wake(other, at: time)
        }
    }

    // MARK: Doubt

    /// The peer relays its traffic although we know a direct path: it may have lost it, by a restart for example.
    mutating func doubtDirectPath(of id: PeerID, now: Now) {
        let time = now.monotonic
        guard let index = PathSelection.best(topology.peers[id].paths, .alive, time),
            let heard = topology.peers[id].paths[index].lastReceive,
            time - heard >= ProtocolLimits.pathDoubtInterval
        else { return }
        doubt(index, of: id, now)
    }

    /// Asks a path for a sign of life. If none comes within half a second, packets are relayed.
    mutating func doubt(_ index: Int, of id: PeerID, _ now: Now) {
        let time = now.monotonic
        let path = topology.peers[id].paths[index]
        if path.doubtedSince == nil {
            // A path that was found fine is not asked again at once.
            guard time - path.lastDoubtProbe >= ProtocolLimits.pathDoubtInterval else { return }
            topology.peers[id].paths[index].doubtedSince = time
        } else {
            guard time - path.lastDoubtProbe >= ProtocolLimits.pathDoubtSilence else { return }
        }
        topology.peers[id].paths[index].lastDoubtProbe = time
        // What is lost may be only what is long.
        topology.peers[id].paths[index].datagramSize.doubt()
        sendProbe(to: id, path.physical, now)
        wake(id, at: time + ProtocolLimits.pathDoubtInterval)
    }

    /// Doubts that need a second question, and those that came true: traffic may wait for such a path.
    mutating func serviceDoubts(_ id: PeerID, _ now: Now) {
        let time = now.monotonic
        for index in topology.peers[id].paths.indices {
            let path = topology.peers[id].paths[index]
            guard let since = path.doubtedSince, time - since < ProtocolLimits.deadPathWatch else { continue }
            let pause =
                time - since < path.doubtPatience ? ProtocolLimits.pathDoubtInterval : ProtocolLimits.deadPathProbe
            guard time - path.lastDoubtProbe >= pause else { continue }
            topology.peers[id].paths[index].lastDoubtProbe = time
            sendProbe(to: id, path.physical, now)
        }
        // A dead path says nothing of the peer: whether a root reaches it shows by its answer.
        if topology.peers[id].isAskedThroughRoot(time), !topology.peers[id].isDirect(time),
            topology.peers[id].relayedHelloGate.allow(time)
        {
            enqueue(.hello, to: id, .upstream, now: now)
        }
    }

    /// While a peer is relayed, its paths that may still work are asked now and then.
    mutating func reviveStalePaths(of id: PeerID, _ time: MonotonicInstant) {
        for index in topology.peers[id].paths.indices {
            let path = topology.peers[id].paths[index]
            guard path.isUnexpired(time), time - path.lastDoubtProbe >= ProtocolLimits.pingCheck else { continue }
            topology.peers[id].paths[index].lastDoubtProbe = time
            topology.peers[id].probe(path.physical, time)
            wake(id, at: time)
        }
    }

    // MARK: Trust

    /// A packet proved that its sender and we belong to one network: the path may relay for ten minutes, and our addresses
    /// are told to the peer now and then.
    package mutating func noteTrust(_ packet: OpenedPacket, now: Now) {
        noteTrust(peer: packet.peer, path: packet.path, hops: packet.hops, now: now)
    }

    /// The same for a reply that was reported as an event.
    package mutating func noteTrust(_ reply: ReplyReceived, now: Now) {
        noteTrust(peer: reply.peer, path: reply.path, hops: reply.hops, now: now)
    }

    private mutating func noteTrust(peer id: PeerID, path: PhysicalPath, hops: Int, now: Now) {
        let time = now.monotonic
        guard topology.peers.contains(id) else { return }
        topology.peers[id].lastTrust = time
        if !topology.peers[id].heldEndpoints.isEmpty { followHeldPush(of: id, now) }
        if hops == 0, let index = topology.peers[id].pathIndex(path) {
            // In plain numbers, since every frame comes by here.
            let until = MonotonicInstant(nanoseconds: time.nanoseconds &+ ProtocolLimits.trustNanoseconds)
            let written = topology.peers[id].paths[index].trustedUntil.nanoseconds
            // Written down twice a minute, not with every packet.
            if until.nanoseconds >= written &+ ProtocolLimits.housekeepingNanoseconds {
                topology.peers[id].paths[index].trustedUntil = until
                trustedPaths.add(path, until: until)
            }
        }
        let interval =
            hops == 0
            ? ProtocolLimits.directPathPushDirectNanoseconds : ProtocolLimits.directPathPushRelayedNanoseconds
        if let last = topology.peers[id].lastPathPush, time.nanoseconds < last.nanoseconds &+ interval { return }
        pushDirectPaths(to: id, path, hops: hops, now)
    }

    /// The peer told its endpoints before it was trusted.
    private mutating func followHeldPush(of id: PeerID, _ now: Now) {
        let time = now.monotonic
        for endpoint in topology.peers[id].heldEndpoints
        where isAllowed(endpoint, for: id) && !topology.peers[id].hasPath(to: endpoint, time) {
            guard topology.peers[id].attemptGate.allow(time) else { break }
            let path = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint)
            topology.peers[id].probe(path, toldBy: topology.peers[id].address, time)
        }
        topology.peers[id].heldEndpoints = []
        serviceProbes(id, now)
        wake(id, at: nextService(of: id, time))
    }

    private mutating func pushDirectPaths(to id: PeerID, _ path: PhysicalPath, hops: Int, _ now: Now) {
        guard configuration.directPathsEnabled, !topology.peers[id].isUpstream else { return }
        var endpoints: [SocketEndpoint] = []
        for endpoint in localEndpoints + surfaces.preferred(now.monotonic)
        where scopes.isUsable(endpoint.address) && endpoint.port != 0 && !endpoints.contains(endpoint)
            && !forbiddenPrefixes.contains(where: { $0.contains(endpoint.address) })
        {
            endpoints.append(endpoint)
        }
        // An empty push does not count as done: addresses may become known in the next moment.
        guard !endpoints.isEmpty else { return }
        topology.peers[id].lastPathPush = now.monotonic
        // Not to an endpoint that proved nothing: a relayed packet came from a root, or only says so.
        let isConfirmed = isConfirmed(path, of: id, hops: hops)
        for packet in PushDirectPaths.packets(for: endpoints) {
            enqueue(
                .pushDirectPaths, packet.encoded, to: id, isConfirmed ? .path(path) : .best,
                now: now)
        }
    }

    // MARK: Our own address

    /// Our address as seen from outside changed: what was confirmed with the old one is void until it answers again.
    mutating func resetPaths(scope: AddressScope, isIPv4: Bool, now: Now) {
        newPlaceUntil = now.monotonic + ProtocolLimits.newPlace
        for id in topology.peers.ids {
            var isReset = false
            for index in topology.peers[id].paths.indices {
                let path = topology.peers[id].paths[index]
                guard path.scope == scope, path.physical.remote.address.isIPv4 == isIPv4 else { continue }
                topology.peers[id].paths[index].lastReceive = nil
                topology.peers[id].paths[index].lastSend = now.monotonic
                topology.peers[id].paths[index].datagramSize.doubt()
                sendProbe(to: id, path.physical, now)
                isReset = true
            }
            if isReset {
                updateLink(id, now.monotonic)
                wake(id, at: nextService(of: id, now.monotonic))
            }
        }
    }

    /// The network under us changed (interface up or down, sleep): everything is asked anew. `closedSockets` are gone, and
    /// the paths with them: their far ends are tried from what is left. A change that follows another one closely is acted upon
    /// a little later, since questions of the first may have left by an address that is gone already.
    mutating func localNetworkChanged(closedSockets: [Int32], now: Now) {
        for id in topology.peers.ids { leaveSockets(closedSockets, id, now) }
        let next = lastNetworkChange.map { $0 + ProtocolLimits.pathDoubtInterval } ?? now.monotonic
        if next <= now.monotonic { askAnew(now) } else { timers.schedule(.localNetwork, at: next) }
    }

    /// Whether a peer has a path by one of these sockets.
    func hasPaths(from sockets: [Int32]) -> Bool {
        !sockets.isEmpty
            && topology.peers.ids.contains { id in
                topology.peers[id].paths.contains { sockets.contains($0.physical.localSocket) }
            }
    }

    private mutating func leaveSockets(_ closed: [Int32], _ id: PeerID, _ now: Now) {
        guard topology.peers[id].paths.contains(where: { closed.contains($0.physical.localSocket) }) else { return }
        for path in topology.peers[id].paths where closed.contains(path.physical.localSocket) {
            let remote = path.physical.remote
            topology.peers[id].probe(PhysicalPath(localSocket: PhysicalPath.anySocket, remote: remote), now.monotonic)
        }
        topology.peers[id].removePaths { closed.contains($0.physical.localSocket) }
        updateLink(id, now.monotonic)
        wake(id, at: now.monotonic)
    }

    /// Asks every path for a sign of life, and every root that has none.
    mutating func askAnew(_ now: Now) {
        lastNetworkChange = now.monotonic
        newPlaceUntil = now.monotonic + ProtocolLimits.newPlace
        for id in topology.peers.ids {
            topology.peers[id].contactAttempts = 0
            topology.peers[id].contactDue = now.monotonic
            topology.peers[id].relayedDatagramSize.doubt()
            for index in topology.peers[id].paths.indices {
                // What was found fine a moment ago was so by the old network.
                topology.peers[id].paths[index].lastDoubtProbe = .zero
                doubt(index, of: id, now)
            }
            updateLink(id, now.monotonic)
            wake(id, at: now.monotonic)
        }
    }
}
