//  Learning the paths of peers, telling them ours, and what a change of our own addresses does to all of them.
//
//      unknown path --authentic packet--> HELLO to it --its OK--> in the list

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    // MARK: Learning

    /// An authentic packet came directly by a path that is not in the list.
    /// `isNewest`: it was a HELLO newer than all before.
    mutating func considerPath(
        _ path: PhysicalPath, for id: PeerID, confirms: Bool, isNewest: Bool = false, now: Now
    ) {
        let time = now.monotonic
        guard shared.isAllowed(path.remote, for: topology.peers[id].address) else { return }
        guard confirms else {
            // Anybody can send a packet from elsewhere: only an answer to our own question moves a path.
            topology.peers[id].confirm(path, isNewest: isNewest, &shared, now)
            return
        }
        let learned = Path(physical: path, scope: shared.scopes.scope(of: path.remote.address), now: time)
        guard topology.peers[id].learn(learned, time) else { return }
        topology.noteOrigin(path.remote.address, of: id)
        pathCameAlive(id, now)
        if !shared.isOnline, topology.peers[id].isUpstream { becomeOnline(now) }
        if topology.peers[id].isOwedWorlds {
            // Our HELLO says which worlds there are; who wants them says hello again.
            topology.peers[id].isOwedWorlds = false
            topology.peers[id].enqueue(.hello, .path(path), isWish: true, &shared, now)
        }
    }

    /// A peer has one more live path.
    mutating func pathCameAlive(_ id: PeerID, _ now: Now) {
        resumeSearches(by: id, now.monotonic)
        topology.peers[id].updateLink(&shared, now.monotonic)
        topology.peers[id].scheduleService(&shared, now.monotonic)
        if topology.peers[id].isUpstream, !lookup.isEmpty { serviceLookup(now) }
        if !stalled.isEmpty { retryStalled(now) }
    }

    private mutating func resumeSearches(by id: PeerID, _ time: MonotonicInstant) {
        topology.peers[id].resumeSearches(time)
        guard topology.peers[id].isUpstream else { return }
        for other in topology.peers.ids {
            topology.peers[other].resumeRelayedSearch(&shared, time)
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
        if !topology.peers[id].heldEndpoints.isEmpty {
            topology.peers[id].probeHeldEndpoints(shared, time)
            tryEndpoints(of: id, now)
        }
        if hops == 0, let until = topology.peers[id].extendTrust(in: path, time) {
            trustedPaths.add(path, until: until)
        }
        if topology.peers[id].isPathPushDue(isDirect: hops == 0, time) {
            pushDirectPaths(to: id, path, hops: hops, now)
        }
    }

    private mutating func pushDirectPaths(to id: PeerID, _ path: PhysicalPath, hops: Int, _ now: Now) {
        guard shared.configuration.directPathsEnabled, !topology.peers[id].isUpstream else { return }
        var endpoints: [SocketEndpoint] = []
        for endpoint in shared.localEndpoints + surfaces.preferred(now.monotonic)
        where shared.scopes.isUsable(endpoint.address) && endpoint.port != 0 && !endpoints.contains(endpoint)
            && !shared.forbiddenPrefixes.contains(where: { $0.contains(endpoint.address) })
        {
            endpoints.append(endpoint)
        }
        // An empty push does not count as done: addresses may become known in the next moment.
        guard !endpoints.isEmpty else { return }
        topology.peers[id].lastPathPush = now.monotonic
        // Not to an endpoint that proved nothing: a relayed packet came from a root, or only says so.
        let isConfirmed = isConfirmed(path, of: id, hops: hops)
        for packet in PushDirectPaths.packets(for: endpoints) {
            topology.peers[id].enqueue(
                .pushDirectPaths, isConfirmed ? .path(path) : .best, payload: packet.encoded, &shared, now)
        }
    }

    // MARK: Our own address

    /// Our address as seen from outside changed: what was confirmed with the old one is void until it answers again.
    mutating func resetPaths(_ kind: SurfaceAddresses.Kind, now: Now) {
        shared.newPlaceUntil = now.monotonic + ProtocolLimits.newPlace
        for id in topology.peers.ids {
            topology.peers[id].resetPaths(scope: kind.scope, isIPv4: kind.isIPv4, &shared, now)
        }
    }

    /// Changes of our address that had to wait. All of them count as one.
    mutating func resetLatePaths(_ now: Now) {
        guard !lateSurfaceChanges.isEmpty else { return }
        guard surfaceChanges.allow(now.monotonic) else {
            return shared.timers.schedule(.surfaceChange, at: surfaceChanges.nextAllowed(now.monotonic))
        }
        for kind in lateSurfaceChanges { resetPaths(kind, now: now) }
        lateSurfaceChanges = []
    }

    /// The network under us changed (interface up or down, sleep): everything is asked anew. `closedSockets` are gone, and
    /// the paths with them: their far ends are tried from what is left. A change that follows another one closely is acted upon
    /// a little later, since questions of the first may have left by an address that is gone already.
    mutating func localNetworkChanged(closedSockets: [Int32], now: Now) {
        for id in topology.peers.ids {
            topology.peers[id].leaveSockets(closedSockets, &shared, now.monotonic)
        }
        let next = lastNetworkChange.map { $0 + ProtocolLimits.pathDoubtInterval } ?? now.monotonic
        if next <= now.monotonic {
            askAnew(now)
        } else {
            shared.timers.schedule(.localNetwork, at: next)
        }
    }

    /// Whether a peer has a path by one of these sockets.
    func hasPaths(from sockets: [Int32]) -> Bool {
        !sockets.isEmpty
            && topology.peers.ids.contains { id in
                topology.peers[id].paths.contains { sockets.contains($0.physical.localSocket) }
            }
    }

    /// Asks every path for a sign of life, and every root that has none.
    mutating func askAnew(_ now: Now) {
        lastNetworkChange = now.monotonic
        shared.newPlaceUntil = now.monotonic + ProtocolLimits.newPlace
        for id in topology.peers.ids {
            topology.peers[id].askAnew(&shared, now)
        }
    }
}
