//  What is told of a peer: how it is reached, and what becomes of its paths. Looked at wherever a path or the time changes
//  something, never with every packet.

import NetPrimitives
import ZeroTierWire

/// What became of a path.
package enum PathChange: Hashable, Sendable {
    /// The peer answered on it: packets may take it.
    case learned
    /// Nothing came by it lately.
    case silent
    /// Something came by it again.
    case revived
    /// It is forgotten.
    case lost
}

/// How a peer is reached.
enum Reach: Sendable {
    case direct
    case relayed
    /// Neither directly nor, as far as its silence tells, through a root.
    case unreachable
}

extension Peer {
    /// Takes paths away; those that were told of are told of as lost.
    mutating func removePaths(where isGone: (Path) -> Bool) {
        for path in paths where isGone(path) { noteLost(path) }
        paths.removeAll(where: isGone)
    }

    /// A path is no more.
    mutating func noteLost(_ path: Path) {
        if path.toldAlive != nil, lostPaths.count < ProtocolLimits.pathsKept { lostPaths.append(path) }
    }

    /// Silence after which the peer counts as gone: its paths were asked meanwhile. One that was always relayed is not asked.
    var patience: Duration { paths.isEmpty ? ProtocolLimits.relayedSilence : ProtocolLimits.pathAlive }

    /// Whether a packet to it finds a root that reaches it, as far as its silence tells. Roots are never behind others.
    func isBehindRoot(_ time: MonotonicInstant) -> Bool {
        guard role == .leaf, let lastReceive else { return false }
        return time - lastReceive < patience && !isSilentSinceDoubt
    }

    /// Whether nothing came from it, by any way, since the last of its paths was doubted.
    var isSilentSinceDoubt: Bool {
        guard let lastReceive, let since = paths.lazy.compactMap(\.doubtedSince).max() else { return false }
        return lastReceive < since
    }

    /// Whether a packet to it has a way, or the answer that would tell is not due yet.
    func isReachable(_ time: MonotonicInstant) -> Bool {
        isDirect(time) || isBehindRoot(time) || isAskedThroughRoot(time)
    }

    /// Whether a path in use died just now: the peer is asked through a root, and its answer may still come.
    func isAskedThroughRoot(_ time: MonotonicInstant) -> Bool {
        guard role == .leaf, reported == .direct, isSilentSinceDoubt else { return false }
        return paths.contains { path in
            guard let since = path.doubtedSince else { return false }
            return time - since < path.doubtPatience + ProtocolLimits.relayedDoubtPatience
        }
    }

    /// When the peer's silence becomes worth telling; nil if it is not waited for.
    var silenceDue: MonotonicInstant? {
        guard reported == .relayed, let heard = lastReceive else { return nil }
        return heard + patience
    }

    /// Tells when it changed how the peer is reached, and what became of its paths.
    mutating func updateLink(_ shared: inout PeerShared, _ time: MonotonicInstant) {
        let way = ownWay(.alive, time)
        let reach: Reach = way != nil ? .direct : isBehindRoot(time) ? .relayed : .unreachable
        // Until its answer is due, nobody knows which of the two it is.
        let isKnown = way != nil || !isAskedThroughRoot(time)
        if isKnown, reported != reach {
            reported = reach
            switch reach {
            case .direct: if let way { shared.emit(.peerDirect(address, way.path)) }
            case .relayed: shared.emit(.peerRelayed(address))
            case .unreachable: shared.emit(.peerUnreachable(address))
            }
            scheduleService(&shared, time)
        }
        tellPaths(&shared, time)
    }

    // What there is no room for is told at the next look: other events go first.
    private mutating func tellPaths(_ shared: inout PeerShared, _ time: MonotonicInstant) {
        while shared.hasRoomForPaths, !lostPaths.isEmpty {
            let path = lostPaths.removeFirst()
            if path.toldAlive == true { shared.emit(.path(address, path.physical.remote, .silent)) }
            shared.emit(.path(address, path.physical.remote, .lost))
        }
        for index in paths.indices {
            let isAlive = paths[index].isAlive(time)
            let told = paths[index].toldAlive
            guard told != isAlive, shared.hasRoomForPaths else { continue }
            // One that was never alive as far as anybody was told is not worth telling.
            guard isAlive || told != nil else { continue }
            paths[index].toldAlive = isAlive
            let change: PathChange = told == nil ? .learned : isAlive ? .revived : .silent
            shared.emit(.path(address, paths[index].physical.remote, change))
        }
    }
}

extension PeerShared {
    /// Half of the room for events is kept from what becomes of paths.
    fileprivate var hasRoomForPaths: Bool { events.count < events.capacity / 2 }
}
