//  What a peer is asked, and the endpoints at which it is looked for. Who pays for a try: PeerEngine+Attempts.

import NetPrimitives
import ZeroTierWire

extension Peer {
    // MARK: Questions

    /// Queues a packet that goes one given way.
    func enqueue(
        _ verb: Verb, _ way: OutgoingPacket.Way, payload: [UInt8] = [], isWish: Bool = false,
        _ shared: inout PeerShared, _ now: Now
    ) {
        let packet = OutgoingPacket(
            verb: verb, payload: payload, destination: address, way: way, queuedAt: now.monotonic)
        shared.enqueue(.packet(packet), isWish: isWish)
    }

    /// One ECHO to an address, or a HELLO to peers that would not answer it.
    func sendProbe(_ path: PhysicalPath, isWish: Bool = false, _ shared: inout PeerShared, _ now: Now) {
        enqueue(answersEchoPerPath ? .echo : .hello, .path(path), isWish: isWish, &shared, now)
    }

    /// The shortest question that the peer answers from an endpoint which has proved nothing. One of this implementation sends no more
    /// there than came from there, so its question pays for the answer and for a question back.
    func sendAttempt(_ path: PhysicalPath, _ shared: inout PeerShared, _ now: Now) {
        guard answersPaidEcho else { return sendProbe(path, isWish: true, &shared, now) }
        let filling = [UInt8](repeating: 0, count: ProtocolLimits.paidEchoFilling)
        enqueue(.echo, .path(path), payload: filling, isWish: true, &shared, now)
    }

    /// Bytes that go out for such a question, with their headers.
    func attemptCost(_ path: PhysicalPath, _ shared: borrowing PeerShared) -> Int {
        var length = shared.helloLength(to: path.remote)
        if answersPaidEcho {
            length = PacketHeader.payloadOffset + ProtocolLimits.paidEchoFilling
        } else if answersEchoPerPath {
            length = PacketHeader.payloadOffset
        }
        let isIPv4 = path.remote.address.isIPv4
        // Of what came only the payload counts: so it is less that goes out, however it is measured.
        length += isIPv4 ? ProtocolLimits.datagramOverheadIPv4 : ProtocolLimits.datagramOverheadIPv6
        guard path.localSocket == PhysicalPath.anySocket else { return length }
        // One leaves from each address of ours.
        return length * max(1, shared.localAddressCount(isIPv4: isIPv4))
    }

    /// Asks an endpoint that proved nothing to answer, with no more bytes than came from it. `isNewest`: a HELLO newer than all
    /// before came from there.
    mutating func confirm(_ path: PhysicalPath, isNewest: Bool, _ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        // A HELLO also asks for the version; ECHO is shorter than any packet that may ask for it.
        let helloLength = shared.helloLength(to: path.remote)
        let credit = shared.answers.credit(of: path.remote, time)
        let isHello = !answersEchoPerPath && credit >= helloLength
        // One of this implementation can answer an ECHO from an endpoint that proved nothing only if it pays for the answer: also
        // a newcomer, whom the ECHO may reach before the answer to its HELLO.
        let filling = !isHello && paysForEcho ? OKHeader.size : 0
        let length = isHello ? helloLength : PacketHeader.payloadOffset + filling
        guard credit >= length, mayConfirm(path, isNewest: isNewest, time),
            shared.answers.allow(length, to: path.remote, time)
        else { return }
        enqueue(
            isHello ? .hello : .echo, .path(path), payload: [UInt8](repeating: 0, count: filling), isWish: true,
            &shared, now)
    }

    /// Who never met directly says hello through a root until that is answered: each has to know which ciphers the other one speaks,
    /// and that its numbers grow, or recordings of its packets would pass after a while.
    mutating func greetThroughRoot(_ shared: inout PeerShared, _ now: Now) {
        guard versionAskedAt == .zero, relayedHelloGate.allow(now.monotonic) else { return }
        enqueue(.hello, .best, isWish: true, &shared, now)
    }

    // MARK: Probes

    /// Adds an endpoint to those being tried, unless it is among them. `toldBy`: who pays for that; nil for our own wish.
    mutating func probe(
        _ path: PhysicalPath, toldBy teller: Address? = nil, isSingle: Bool = false, _ now: MonotonicInstant
    ) {
        if let index = probes.firstIndex(where: { $0.path == path }) {
            if isSingle { return }
            probes[index].attempts = 0
            probes[index].due = now
            probes[index].since = now
            probes[index].isSingle = false
            // What we wish ourselves needs nobody's bytes.
            if teller == nil { probes[index].teller = nil }
            return
        }
        if probes.count >= ProtocolLimits.probesPerPeer { probes.removeFirst() }
        probes.append(PathProbe(path: path, due: now, isSingle: isSingle, teller: teller, since: now))
    }

    /// A probe was due: its next try comes after a pause, which grows with those made. One that nobody could pay for waits.
    mutating func noteTry(_ index: Int, isSent: Bool, _ time: MonotonicInstant) {
        guard isSent else {
            probes[index].due = time + ProtocolLimits.unpaidProbePause
            return
        }
        let pause = min(probes[index].attempts + 1, ProtocolLimits.probePauses.count - 1)
        probes[index].attempts += 1
        probes[index].due = time + ProtocolLimits.probePauses[pause]
    }

    /// Forgets what is due and was tried often enough, answered meanwhile, or was paid by nobody for long.
    mutating func dropSpentProbes(_ now: MonotonicInstant) {
        let alive = paths.filter { $0.isAlive(now) }
        probes.removeAll { probe in
            guard probe.due <= now else { return false }
            return probe.attempts > (probe.isSingle ? 0 : ProtocolLimits.probePauses.count)
                || now - probe.since >= ProtocolLimits.probeLife
                || alive.contains { $0.physical.remote == probe.path.remote }
        }
    }

    // MARK: What the peer says of its endpoints

    /// Keeps an endpoint until the peer is trusted.
    mutating func hold(_ endpoint: SocketEndpoint) {
        guard heldEndpoints.count < ProtocolLimits.heldEndpoints, !heldEndpoints.contains(endpoint) else { return }
        heldEndpoints.append(endpoint)
    }

    /// The peer is trusted now: what it told before that is to be tried.
    mutating func probeHeldEndpoints(_ shared: borrowing PeerShared, _ time: MonotonicInstant) {
        for endpoint in heldEndpoints
        where shared.isAllowed(endpoint, for: address) && !hasPath(to: endpoint, time) {
            guard attemptGate.allow(time) else { break }
            probe(PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint), toldBy: address, time)
        }
        heldEndpoints = []
    }

    /// So many pushes (`limit`) of the peer are followed in 30 s. The reference counts on until 30 s pass without any:
    /// then one packet replayed now and then would keep the peer's own out for ever.
    mutating func mayFollowPush(limit: Int, _ time: MonotonicInstant) -> Bool {
        if pathPushesSince.map({ time - $0 > ProtocolLimits.directPathsWindow }) ?? true {
            pathPushesSince = time
            pathPushCount = 0
        }
        guard pathPushCount < limit else { return false }
        pathPushCount += 1
        return true
    }

    /// The peer wants to be reached at another address than the one it sent from. Unlike the reference the new
    /// path counts only when it answers: the old ones stay until then.
    mutating func follow(redirect endpoint: SocketEndpoint, from path: PhysicalPath, _ time: MonotonicInstant) {
        let priority = pathIndex(path).map { paths[$0].priority } ?? 1
        redirect = (endpoint, priority + 2)
        let target = PhysicalPath(localSocket: path.socket(for: endpoint), remote: endpoint)
        probe(target, toldBy: address, isSingle: true, time)
    }
}
