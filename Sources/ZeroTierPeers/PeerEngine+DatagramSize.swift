//  The search for what a way carries, at work: who begins it, what it sends, what ends it. The rules are `DatagramSize`'s.

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// Bytes of UDP payload that a datagram to a peer may have by a way. A packet of `length` bytes that is longer than the base
    /// begins a search when one is due.
    mutating func datagramLimit(_ way: Way, to id: PeerID, length: Int, _ now: Now) -> Int {
        let full = configuration.pathMTU
        if way.owner == id {
            if length > ProtocolLimits.basePathMTU,
                topology.peers[id].paths[way.index].datagramSize.isDue(now.monotonic)
            {
                topology.peers[id].paths[way.index].datagramSize.begin(now.monotonic)
                serviceDatagramSizes(id, now)
                wake(id, at: nextService(of: id, now.monotonic))
            }
            return topology.peers[id].paths[way.index].datagramSize.limit(full: full)
        }
        if topology.peers[id].relay != way.path {
            topology.peers[id].relay = way.path
            topology.peers[id].relayedDatagramSize.doubt()
        }
        if length > ProtocolLimits.basePathMTU, topology.peers[id].relayedDatagramSize.isDue(now.monotonic) {
            topology.peers[id].relayedDatagramSize.begin(now.monotonic)
            serviceDatagramSizes(id, now)
            wake(id, at: nextService(of: id, now.monotonic))
        }
        return topology.peers[id].relayedDatagramSize.limit(full: full)
    }

    /// Sends the probes that are due.
    mutating func serviceDatagramSizes(_ id: PeerID, _ now: Now) {
        let time = now.monotonic
        for index in topology.peers[id].paths.indices {
            guard let next = topology.peers[id].paths[index].datagramSize.nextStep, next <= time else { continue }
            let path = topology.peers[id].paths[index]
            let step = topology.peers[id].paths[index].datagramSize.step(
                patience: probePatience(path.latency), heard: path.lastReceive, time)
            guard case .probe(let hasCompanion) = step else { continue }
            sendLengthProbe(to: id, .path(path.physical), now)
            if hasCompanion { sendProbe(to: id, path.physical, now) }
        }
        guard let next = topology.peers[id].relayedDatagramSize.nextStep, next <= time else { return }
        let heard = topology.peers[id].lastReceive
        let step = topology.peers[id].relayedDatagramSize.step(patience: probePatience(nil), heard: heard, time)
        guard case .probe(let hasCompanion) = step else { return }
        sendLengthProbe(to: id, .upstream, now)
        if hasCompanion { enqueue(.hello, to: id, .upstream, now: now) }
    }

    private func probePatience(_ latency: Duration?) -> Duration {
        guard let latency else { return ProtocolLimits.pathMTUPatience }
        return min(max(latency * 2, ProtocolLimits.pathMTUPatienceLeast), ProtocolLimits.pathMTUPatienceMost)
    }

    /// A HELLO filled up to full length: every node answers it, with something short.
    private mutating func sendLengthProbe(to id: PeerID, _ way: OutgoingPacket.Way, _ now: Now) {
        var packet = OutgoingPacket(
            verb: .hello, payload: [], destination: topology.peers[id].address, way: way,
            queuedAt: now.monotonic)
        packet.isLengthProbe = true
        enqueue(.packet(packet))
    }

    /// A probe of full length was answered: the way by which it went carries such datagrams. By which way the answer came does not
    /// matter.
    mutating func noteLengthProbe(_ request: ExpectedReply, of id: PeerID, _ time: MonotonicInstant) {
        guard let remote = request.remote else { return topology.peers[id].relayedDatagramSize.carried(time) }
        for index in topology.peers[id].paths.indices where topology.peers[id].paths[index].physical.remote == remote {
            topology.peers[id].paths[index].datagramSize.carried(time)
        }
    }

    /// The network interface on the way to an endpoint takes only datagrams shorter than those of a run: they would be cut up by
    /// IP. Known without a probe, so it holds until the raise timer ends.
    package mutating func noteTooLong(_ path: PhysicalPath, now: Now) {
        for id in topology.peers.ids {
            for index in topology.peers[id].paths.indices where topology.peers[id].paths[index].matches(path) {
                topology.peers[id].paths[index].datagramSize.reduce(now.monotonic)
            }
            if topology.peers[id].relay == path { topology.peers[id].relayedDatagramSize.reduce(now.monotonic) }
        }
    }
}
