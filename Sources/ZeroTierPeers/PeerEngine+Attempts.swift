//  Trying the endpoints of a peer: those that a path led to before, and those that somebody names.
//
//      PUSH_DIRECT_PATHS, RENDEZVOUS --> probe --paid by who named it--> ECHO or HELLO --its OK--> a path
//
//  Who names an endpoint may name anybody's. So a try at its word is paid from the bytes that came from it: through us nobody sends
//  more than it sends us.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// Tries an endpoint that a peer or a root named, if either has sent enough. False when nothing was sent.
    mutating func attempt(_ path: PhysicalPath, of id: PeerID, toldBy teller: Address, _ now: Now) -> Bool {
        guard pay(topology.peers[id].attemptCost(path, shared), for: id, toldBy: teller) else { return false }
        topology.peers[id].sendAttempt(path, &shared, now)
        return true
    }

    /// Takes bytes from what the one sent that named the endpoint. A root names those of others: what they send through it counts as
    /// well, but not what they send directly.
    mutating func pay(_ byteCount: Int, for id: PeerID, toldBy teller: Address) -> Bool {
        guard let payer = topology.lookUp(teller) else { return false }
        if topology.peers[payer].pay(byteCount) { return true }
        return payer != id && topology.peers[id].payRelayed(byteCount)
    }

    // MARK: Probes

    /// Tries at once what is due of a peer's endpoints, and plans the rest.
    mutating func tryEndpoints(of id: PeerID, _ now: Now) {
        serviceProbes(id, now)
        topology.peers[id].scheduleService(&shared, now.monotonic)
    }

    /// A few tries of each endpoint with growing pauses. One that nobody can pay for yet waits, and the next tries of others with it.
    mutating func serviceProbes(_ id: PeerID, _ now: Now) {
        guard !topology.peers[id].probes.isEmpty else { return }
        let time = now.monotonic
        topology.peers[id].dropSpentProbes(time)
        for isFirst in [true, false] {
            let isShort = !isFirst && topology.peers[id].probes.contains { $0.attempts == 0 }
            for (index, probe) in topology.peers[id].probes.enumerated() {
                guard probe.due <= time, (probe.attempts == 0) == isFirst else { continue }
                var isSent = true
                if let teller = probe.teller {
                    isSent = !isShort && attempt(probe.path, of: id, toldBy: teller, now)
                } else {
                    topology.peers[id].sendProbe(probe.path, isWish: true, &shared, now)
                }
                topology.peers[id].noteTry(index, isSent: isSent, time)
            }
        }
    }
}
