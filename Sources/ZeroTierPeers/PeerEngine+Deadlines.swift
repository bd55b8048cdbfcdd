//  Time: what is due, and the service of one peer. One deadline per peer; no sweep over all of them.

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// Does what is due: call it when `nextDeadline` is reached. Work is bounded by what was scheduled.
    package mutating func handleDeadlines(now: Now) {
        // What fires schedules itself later than now, so this ends.
        while let timer = shared.timers.popDue(now.monotonic) {
            switch timer {
            case .peer(let id): servicePeer(id, now)
            case .lookup: serviceLookup(now)
            case .defragmenter:
                for _ in 0..<defragmenter.expire(now.monotonic) { shared.drops.count(.fragmentsTimedOut) }
                if let next = defragmenter.nextDeadline { shared.timers.schedule(.defragmenter, at: next) }
            case .stalled: retryStalled(now)
            case .online: checkOnline(now)
            case .seeds: serviceSeeds(now)
            case .localNetwork: askAnew(now)
            case .surfaceChange: resetLatePaths(now)
            case .validation: serviceValidation(now)
            }
        }
    }

    private mutating func servicePeer(_ id: PeerID, _ now: Now) {
        guard topology.peers.contains(id) else { return }
        let time = now.monotonic
        topology.peers[id].dropExpiredPaths(time)
        if topology.peers[id].isUpstream {
            topology.peers[id].serviceContact(&shared, now)
        } else if time - topology.peers[id].lastHeard >= shared.configuration.activityTimeout {
            forget(id)
            return
        }
        if topology.peers[id].isWorthKeeping(shared, time) {
            let isFullRound = topology.peers[id].serviceKeepalive(&shared, now)
            if isFullRound, topology.peers[id].isUpstream {
                let isInUse = bestUpstream(time) == id
                topology.peers[id].contactByOtherWays(isInUse: isInUse, &shared, now)
            }
        } else {
            topology.peers[id].isKeptAlive = false
        }
        topology.peers[id].serviceDoubts(&shared, now)
        serviceProbes(id, now)
        topology.peers[id].serviceDatagramSizes(&shared, now)
        // A peer of which nothing was told yet is told of with its first packet, not by time passing.
        if topology.peers[id].reported != nil { topology.peers[id].updateLink(&shared, time) }
        topology.peers[id].scheduleService(&shared, time)
    }
}
