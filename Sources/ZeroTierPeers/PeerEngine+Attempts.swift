//  Trying the endpoints of a peer: those that a path led to before, and those that somebody names.
//
//      PUSH_DIRECT_PATHS, RENDEZVOUS --> probe --paid by who named it--> ECHO or HELLO --its OK--> a path
//
//  Who names an endpoint may name anybody's. So a try at its word is paid from the bytes that came from it: through us nobody sends
//  more than it sends us.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    // MARK: Questions

    /// One ECHO to an address, or a HELLO to peers that would not answer it.
    mutating func sendProbe(to id: PeerID, _ path: PhysicalPath, isWish: Bool = false, _ now: Now) {
        let isEcho = topology.peers[id].answersEchoPerPath
        enqueue(isEcho ? .echo : .hello, to: id, .path(path), isWish: isWish, now: now)
    }

    /// The shortest question that a peer answers from an endpoint which has proved nothing. One of this implementation sends no more
    /// there than came from there, so its question pays for the answer and for a question back.
    private mutating func sendAttempt(to id: PeerID, _ path: PhysicalPath, _ now: Now) {
        guard topology.peers[id].answersPaidEcho else { return sendProbe(to: id, path, isWish: true, now) }
        let filling = [UInt8](repeating: 0, count: ProtocolLimits.paidEchoFilling)
        enqueue(.echo, filling, to: id, .path(path), isWish: true, now: now)
    }

    /// Bytes that go out for such a question, with their headers.
    private func attemptCost(of id: PeerID, _ path: PhysicalPath) -> Int {
        var length = helloLength(to: path.remote)
        if topology.peers[id].answersPaidEcho {
            length = PacketHeader.payloadOffset + ProtocolLimits.paidEchoFilling
        } else if topology.peers[id].answersEchoPerPath {
            length = PacketHeader.payloadOffset
        }
        let isIPv4 = path.remote.address.isIPv4
        // Of what came only the payload counts: so it is less that goes out, however it is measured.
        length += isIPv4 ? ProtocolLimits.datagramOverheadIPv4 : ProtocolLimits.datagramOverheadIPv6
        guard path.localSocket == PhysicalPath.anySocket else { return length }
        // One leaves from each address of ours.
        return length * max(1, localEndpoints.count { $0.address.isIPv4 == isIPv4 })
    }

    // MARK: Payment

    /// Tries an endpoint that a peer or a root named, if either has sent enough. False when nothing was sent.
    mutating func attempt(_ path: PhysicalPath, of id: PeerID, toldBy teller: Address, _ now: Now) -> Bool {
        guard pay(attemptCost(of: id, path), for: id, toldBy: teller) else { return false }
        sendAttempt(to: id, path, now)
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

    /// A few tries of each endpoint with growing pauses. One that nobody can pay for yet waits, and the next tries of others with it.
    mutating func serviceProbes(_ id: PeerID, _ now: Now) {
        guard !topology.peers[id].probes.isEmpty else { return }
        let time = now.monotonic
        topology.peers[id].dropSpentProbes(time)
        for isFirst in [true, false] {
            let isShort = !isFirst && topology.peers[id].probes.contains { $0.attempts == 0 }
            for index in topology.peers[id].probes.indices {
                let probe = topology.peers[id].probes[index]
                guard probe.due <= time, (probe.attempts == 0) == isFirst else { continue }
                if let teller = probe.teller {
                    guard !isShort, attempt(probe.path, of: id, toldBy: teller, now) else {
                        topology.peers[id].probes[index].due = time + ProtocolLimits.unpaidProbePause
                        continue
                    }
                } else {
                    sendProbe(to: id, probe.path, isWish: true, now)
                }
                let pause = min(probe.attempts + 1, ProtocolLimits.probePauses.count - 1)
                topology.peers[id].probes[index].attempts += 1
                topology.peers[id].probes[index].due = time + ProtocolLimits.probePauses[pause]
            }
        }
    }
}

extension Peer {
    /// Forgets what is due and was tried often enough, answered meanwhile, or was paid by nobody for long.
    fileprivate mutating func dropSpentProbes(_ now: MonotonicInstant) {
        let alive = paths.filter { $0.isAlive(now) }
        probes.removeAll { probe in
            guard probe.due <= now else { return false }
            return probe.attempts > (probe.isSingle ? 0 : ProtocolLimits.probePauses.count)
                || now - probe.since >= ProtocolLimits.probeLife
                || alive.contains { $0.physical.remote == probe.path.remote }
        }
    }
}
