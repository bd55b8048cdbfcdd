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
            isDirect: preferred != nil, sinceReceive: topology.peers[id].lastReceive.map { time - $0 },
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

    // MARK: Memory between runs (peers.d)

    /// What is worth remembering of leaf peers, by ascending address, for the state directory: of members of our networks,
    /// then of those reached directly, the last heard first, and only so many.
    package func exportPeers() -> [(address: Address, record: [UInt8])] {
        topology.peers.ids
            .filter { id in
                !topology.peers[id].isUpstream
                    && (topology.peers[id].lastTrust != nil || !topology.peers[id].paths.isEmpty)
            }
            .map { id in
                (
                    id: id, address: topology.peers[id].address, isMember: topology.peers[id].lastTrust != nil,
                    heard: topology.peers[id].lastHeard
                )
            }
            .sorted { left, right in
                if left.isMember != right.isMember { return left.isMember }
                return left.heard != right.heard ? left.heard > right.heard : left.address < right.address
            }
            .prefix(ProtocolLimits.storedPeers)
            .map { ($0.address, record(of: $0.id).encoded) }
            .sorted { $0.0 < $1.0 }
    }

    /// The record of a peer that is forgotten, if it ever proved to be in a network of ours: everybody else can be made
    /// anew at any number.
    func recordToKeep(of id: PeerID) -> [UInt8]? {
        topology.peers[id].lastTrust == nil ? nil : record(of: id).encoded
    }

    func record(of id: PeerID) -> PeerRecord {
        PeerRecord(
            identity: topology.peers[id].identity, protocolVersion: UInt16(topology.peers[id].protocolVersion),
            softwareVersion: topology.peers[id].softwareVersion
                ?? SoftwareVersion(major: 0, minor: 0, revision: 0),
            endpoints: topology.peers[id].paths.map(\.physical.remote))
    }

    /// Takes a record of an earlier run: the peer is known, its addresses are asked. Gives its address; nil when
    /// the record is not readable, the peer is known or there is no room.
    @discardableResult
    package mutating func importPeer(_ record: [UInt8], now: Now) -> Address? {
        guard let record = try? PeerRecord(decoding: record), topology.lookUp(record.identity.address) == nil,
            topology.hasRoom, let id = addPeer(record.identity, role: .leaf, now)
        else { return nil }
        for endpoint in record.endpoints.prefix(ProtocolLimits.pathsKept) where isAllowed(endpoint, for: id) {
            let path = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint)
            enqueue(.hello, to: id, .path(path), expectsReply: true, now: now)
        }
        return record.identity.address
    }
}
