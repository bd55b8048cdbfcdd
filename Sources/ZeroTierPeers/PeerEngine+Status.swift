//  What is shown and stored of peers.

package import NetPrimitives
package import ZeroTierWire

extension PeerEngine {
    /// A peer as it is now.
    package func snapshot(of address: Address, now: Now) -> PeerSnapshot? {
        topology.lookUp(address).map { topology.peers[$0].snapshot(now.monotonic) }
    }

    /// All peers, by ascending address.
    package func snapshots(now: Now) -> [PeerSnapshot] {
        topology.peers.ids.map { topology.peers[$0].snapshot(now.monotonic) }.sorted { $0.address < $1.address }
    }

    /// What unknown nodes have cost.
    package var strangerWork: StrangerWork {
        StrangerWork(
            agreements: validation.agreementCount, validations: validation.validationCount,
            identitiesWaiting: validation.count, lookups: lookup.count,
            packetsWaiting: lookup.packetsWaiting, incompletePackets: defragmenter.count,
            incompleteBytes: defragmenter.byteCount, introducedPairs: introductions.count)
    }
}

extension Peer {
    fileprivate func snapshot(_ time: MonotonicInstant) -> PeerSnapshot {
        let paths = paths
        let preferred = PathSelection.best(paths, .alive, time)
        return PeerSnapshot(
            address: address, identity: identity, role: role, protocolVersion: protocolVersion,
            softwareVersion: softwareVersion, latency: preferred.flatMap { paths[$0].latency },
            isDirect: preferred != nil, isReachable: isReachable(time), sinceReceive: lastReceive.map { time - $0 },
            traffic: traffic,
            paths: paths.indices.map { index in
                PeerSnapshot.PathSnapshot(
                    path: paths[index].physical, isAlive: paths[index].isAlive(time),
                    isPreferred: index == preferred, sinceReceive: paths[index].lastReceive.map { time - $0 },
                    sinceSend: time - paths[index].lastSend, latency: paths[index].latency)
            })
    }
}
