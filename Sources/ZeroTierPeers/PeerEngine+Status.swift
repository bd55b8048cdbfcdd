//  What is shown and stored of peers.

package import NetPrimitives
package import ZeroTierWire

extension PeerEngine {
    /// A peer as it is now.
    package func snapshot(of address: Address, now: Now) -> PeerSnapshot? {
        topology.lookUp(address).map { snapshot($0, now.monotonic) }
    }

    /// All peers, by ascending address.
    package func snapshots(now: Now) -> [PeerSnapshot] {
        topology.peers.ids.map { snapshot($0, now.monotonic) }.sorted { $0.address < $1.address }
    }

    private func snapshot(_ id: PeerID, _ time: MonotonicInstant) -> PeerSnapshot {
        let paths = topology.peers[id].paths
        let preferred = PathSelection.best(paths, .alive, time)
        return PeerSnapshot(
            address: topology.peers[id].address, identity: topology.peers[id].identity,
            role: topology.peers[id].role, protocolVersion: topology.peers[id].protocolVersion,
            softwareVersion: topology.peers[id].softwareVersion, latency: preferred.flatMap { paths[$0].latency },
            isDirect: preferred != nil, isReachable: topology.peers[id].isReachable(time), sinceReceive: topology.peers[id].lastReceive.map { time - $0 },
            paths: paths.indices.map { index in
                PeerSnapshot.PathSnapshot(
                    path: paths[index].physical, isAlive: paths[index].isAlive(time),
                    isPreferred: index == preferred, sinceReceive: paths[index].lastReceive.map { time - $0 },
                    sinceSend: time - paths[index].lastSend, latency: paths[index].latency)
            })
    }

    /// What unknown nodes have cost.
    package var strangerWork: StrangerWork {
        StrangerWork(
            agreements: validation.agreementCount, validations: validation.validationCount,
            identitiesWaiting: validation.count, lookups: lookup.count)
    }
}
