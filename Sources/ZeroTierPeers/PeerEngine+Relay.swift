//  Passing on packets for others. Roots do it for everybody, other nodes for paths of proven members of
//  their networks. A relay cannot check the source, so it is bounded by where datagrams come from.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// A datagram whose destination is not ours. `source` is nil for fragments, which do not say it.
    mutating func relay(
        _ datagram: inout MutableRawSpan, length: Int, from source: Address?, to destination: Address,
        isFragment: Bool, path: PhysicalPath, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let time = now.monotonic
        if let last = lastRelay, last.holds(from: source, to: destination, by: path, time) {
            if let refused = refusal(length, from: path, time) { return refused }
            return passOn(&datagram, length: length, isFragment: isFragment, last, &replies) ?? .handled
        }
        // Ours, sent to an endpoint that has become ours meanwhile: it would come back here.
        guard source != identity.address else { return drop(.ownSource) }
        guard shared.roots.includesUs || trustedPaths.contains(path, time) else { return drop(.relayNotAllowed) }
        // Before anything is looked up: what leads nowhere costs its source as much as what arrives.
        if let refused = refusal(length, from: path, time) { return refused }
        let known = topology.find(destination)
        var way = known.flatMap {
            topology.peers[$0].ownWay(.alive, time) ?? topology.peers[$0].ownWay(.unexpired, time)
        }
        let isDirect = way != nil
        if way == nil, let upstream = bestUpstream(time), topology.peers[upstream].address != source {
            way = topology.peers[upstream].ownWay(.any, time)
        }
        guard let way else {
            if let known { askAgain(known, now) }
            return drop(.relayUnknownDestination)
        }
        // Back to where it came from would only go in circles.
        if way.path.remote == path.remote, !isDirect { return drop(.relayUnknownDestination) }
        let relay = LastRelay(source: source, destination: destination, arrives: path, leaves: way.path, at: time)
        if let dropped = passOn(&datagram, length: length, isFragment: isFragment, relay, &replies) { return dropped }
        lastRelay = relay
        // A path that has been silent is asked whether it lives: nobody else would notice that what is relayed gets lost.
        topology.peers[way.owner].markSent(way.index, &shared, now)
        // Only a root's RENDEZVOUS is listened to.
        // The header's source may be anybody's: the packet has to come from where that peer is, or from another root.
        if shared.roots.includesUs, !isFragment, let source, let sender = topology.lookUp(source), sender != way.owner,
            topology.peers[sender].pathIndex(path) != nil
                || upstreamPeers.contains(where: { topology.peers[$0].paths.contains { $0.matches(path) } })
        {
            introduce(sender, way.owner, now)
        }
        return .handled
    }

    /// Somebody has something for a peer that was asked to confirm its endpoint and did not: the question may have been lost, and a
    /// peer that wants nothing of us sends nothing before its next HELLO. What it sent still pays.
    private mutating func askAgain(_ id: PeerID, _ now: Now) {
        for (path, _) in topology.peers[id].confirmations {
            topology.peers[id].confirm(path, isNewest: false, &shared, now)
        }
    }

    /// Why a packet of a source is not passed on, whoever it is for; nil: its bytes are taken from the source's budget.
    private mutating func refusal(_ length: Int, from path: PhysicalPath, _ time: MonotonicInstant) -> Opened? {
        guard length <= ProtocolLimits.maximumPacketLength else { return drop(.tooLong) }
        guard relays.allow(length, from: path.remote, time) else { return drop(.relayBudget) }
        return nil
    }

    /// Writes a packet to where it leaves. Nil: it is on its way.
    private mutating func passOn(
        _ datagram: inout MutableRawSpan, length: Int, isFragment: Bool, _ relay: LastRelay,
        _ replies: inout TransmitBatch
    ) -> Opened? {
        let isWithinLimit =
            isFragment ? FragmentHeader.incrementHops(in: &datagram) : PacketHeader.incrementHops(in: &datagram)
        guard isWithinLimit else { return drop(.relayHopLimit) }
        let bytes = datagram.bytes
        guard replies.append(length, to: relay.leaves, { $0.copy(from: bytes, sourceOffset: 0, count: length, at: 0) })
        else { return drop(.noRoomToReply) }
        relayedPackets &+= 1
        return nil
    }

    /// Tells two peers of each other's endpoint, of the best scope that both have.
    private mutating func introduce(_ first: PeerID, _ second: PeerID, _ now: Now) {
        guard let (one, other) = commonPaths(first, second, now.monotonic) else { return }
        let firstAddress = topology.peers[first].address
        let secondAddress = topology.peers[second].address
        guard introductions.allow((firstAddress, one.remote), (secondAddress, other.remote), now.monotonic) else {
            return
        }
        let toFirst = Rendezvous(peer: secondAddress, endpoint: other.remote).encoded
        let toSecond = Rendezvous(peer: firstAddress, endpoint: one.remote).encoded
        // In random order, so that neither always has the first word.
        if shared.random.next(below: 2) == 0 {
            topology.peers[first].enqueue(.rendezvous, .path(one), payload: toFirst, isWish: true, &shared, now)
            topology.peers[second].enqueue(.rendezvous, .path(other), payload: toSecond, isWish: true, &shared, now)
        } else {
            topology.peers[second].enqueue(.rendezvous, .path(other), payload: toSecond, isWish: true, &shared, now)
            topology.peers[first].enqueue(.rendezvous, .path(one), payload: toFirst, isWish: true, &shared, now)
        }
    }

    private func commonPaths(
        _ first: PeerID, _ second: PeerID, _ time: MonotonicInstant
    ) -> (PhysicalPath, PhysicalPath)? {
        for scope in AddressScope.allCases.reversed() {
            for isIPv4 in [false, true] {
                guard
                    let one = topology.peers[first].bestPath(scope: scope, isIPv4: isIPv4, time),
                    let other = topology.peers[second].bestPath(scope: scope, isIPv4: isIPv4, time)
                else { continue }
                return (one, other)
            }
        }
        return nil
    }
}
