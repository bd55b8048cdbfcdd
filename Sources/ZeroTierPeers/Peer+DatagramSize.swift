//  The search for what a way to a peer carries, at work: who begins it, what it sends, what ends it. The rules are `DatagramSize`'s.

package import NetPrimitives
import ZeroTierWire

extension Peer {
    /// Bytes of UDP payload that a datagram to the peer may have by a way. A packet of `length` bytes that is longer than the base
    /// begins a search when one is due.
    mutating func datagramLimit(_ way: Way, length: Int, _ shared: inout PeerShared, _ now: Now) -> Int {
        let full = shared.configuration.pathMTU
        let isLong = length > ProtocolLimits.basePathMTU
        if way.owner == id {
            if isLong, paths[way.index].datagramSize.isDue(now.monotonic) {
                paths[way.index].datagramSize.begin(now.monotonic)
                serviceDatagramSizes(&shared, now)
                scheduleService(&shared, now.monotonic)
            }
            return paths[way.index].datagramSize.limit(full: full)
        }
        if relay != way.path {
            relay = way.path
            relayedDatagramSize.doubt()
        }
        if isLong, relayedDatagramSize.isDue(now.monotonic) {
            relayedDatagramSize.begin(now.monotonic)
            serviceDatagramSizes(&shared, now)
            scheduleService(&shared, now.monotonic)
        }
        return relayedDatagramSize.limit(full: full)
    }

    /// Sends the probes that are due.
    mutating func serviceDatagramSizes(_ shared: inout PeerShared, _ now: Now) {
        let time = now.monotonic
        for index in paths.indices {
            guard let next = paths[index].datagramSize.nextStep, next <= time else { continue }
            let path = paths[index]
            let step = paths[index].datagramSize.step(
                patience: path.lengthProbePatience, heard: path.lastReceive, time)
            guard case .probe(let hasCompanion) = step else { continue }
            sendLengthProbe(.path(path.physical), &shared, now)
            if hasCompanion { sendProbe(path.physical, &shared, now) }
        }
        guard let next = relayedDatagramSize.nextStep, next <= time else { return }
        let step = relayedDatagramSize.step(patience: ProtocolLimits.pathMTUPatience, heard: lastReceive, time)
        guard case .probe(let hasCompanion) = step else { return }
        sendLengthProbe(.upstream, &shared, now)
        if hasCompanion { enqueue(.hello, .upstream, &shared, now) }
    }

    /// A HELLO filled up to full length: every node answers it, with something short.
    private func sendLengthProbe(_ way: OutgoingPacket.Way, _ shared: inout PeerShared, _ now: Now) {
        var packet = OutgoingPacket(
            verb: .hello, payload: [], destination: address, way: way, queuedAt: now.monotonic)
        packet.isLengthProbe = true
        shared.enqueue(.packet(packet))
    }

    /// A probe of full length was answered: the way by which it went carries such datagrams. By which way the answer came does not
    /// matter.
    mutating func noteLengthProbe(_ request: ExpectedReply, _ time: MonotonicInstant) {
        guard let remote = request.remote else { return relayedDatagramSize.carried(time) }
        for index in paths.indices where paths[index].physical.remote == remote {
            paths[index].datagramSize.carried(time)
        }
    }

    /// The peer's own ways were down until now.
    mutating func resumeSearches(_ time: MonotonicInstant) {
        for index in paths.indices { paths[index].datagramSize.resume(time) }
    }

    /// So was the way through a root.
    mutating func resumeRelayedSearch(_ shared: inout PeerShared, _ time: MonotonicInstant) {
        guard relayedDatagramSize.nextStep != nil else { return }
        relayedDatagramSize.resume(time)
        shared.wake(id, at: time)
    }

    /// Datagrams of full length do not leave by a path.
    mutating func noteTooLong(_ path: PhysicalPath, _ time: MonotonicInstant) {
        for index in paths.indices where paths[index].matches(path) { paths[index].datagramSize.reduce(time) }
        if relay == path { relayedDatagramSize.reduce(time) }
    }
}

extension Path {
    /// How long the answer to a probe of full length may take.
    fileprivate var lengthProbePatience: Duration {
        guard let latency else { return ProtocolLimits.pathMTUPatience }
        return min(max(latency * 2, ProtocolLimits.pathMTUPatienceLeast), ProtocolLimits.pathMTUPatienceMost)
    }
}

extension PeerEngine {
    /// The network interface on the way to an endpoint takes only datagrams shorter than those of a run: they would be cut up by
    /// IP. Known without a probe, so it holds until the raise timer ends.
    package mutating func noteTooLong(_ path: PhysicalPath, now: Now) {
        for id in topology.peers.ids { topology.peers[id].noteTooLong(path, now.monotonic) }
    }
}
