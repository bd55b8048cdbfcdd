//  Memory of peers between runs (`peers.d`). What a record says is believed only after its identity was validated: this node may
//  have done that before it stored the record; of any other record it is done when the address is used or heard of.
//
//      record --validated before--> a peer, its addresses are asked
//          \--not validated--> remembered --looked up--> validation (off the packet path) --valid--> a peer, its addresses are asked
//                                                                                       \--not--> forgotten and told

package import NetPrimitives
package import ZeroTierWire

extension PeerEngine {
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

    /// Takes a record of an earlier run. `isValidated`: this node is known to have stored it, so the peer is known and its
    /// addresses are asked; else it carries nothing until its identity is validated, which takes its first use. Gives its
    /// address; nil when the record is not readable, the peer is known or there is no room.
    @discardableResult
    package mutating func importPeer(_ record: [UInt8], isValidated: Bool, now: Now) -> Address? {
        guard let record = try? PeerRecord(decoding: record) else { return nil }
        let address = record.identity.address
        guard topology.lookUp(address) == nil, address != identity.address, !address.isReserved else { return nil }
        if isValidated {
            guard topology.hasRoom, let id = addPeer(record.identity, role: .leaf, now) else { return nil }
            ask(record.endpoints, of: id, now)
        } else {
            guard remembered.count < ProtocolLimits.storedPeers, remembered[address] == nil else { return nil }
            remembered[address] = record
        }
        return address
    }

    private mutating func ask(_ endpoints: [SocketEndpoint], of id: PeerID, _ now: Now) {
        for endpoint in endpoints.prefix(ProtocolLimits.pathsKept) where isAllowed(endpoint, for: id) {
            let path = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint)
            enqueue(.hello, to: id, .path(path), now: now)
        }
    }

    /// Has the remembered identities validated that are looked up now. No root is asked for them, unless they prove false.
    mutating func recall(_ now: Now) {
        guard !remembered.isEmpty else { return }
        for address in lookup.asked {
            // Told by ourselves, so to speak.
            guard let record = remembered[address],
                validation.wish(record.identity, toldBy: identity.address, now.monotonic)
            else { continue }
            lookup.hold(address)
        }
        serviceValidation(now)
    }

    /// The validated identity of an address is known, from wherever: what was remembered of it is of use now, or never.
    mutating func recall(_ id: PeerID, _ now: Now) {
        guard let record = remembered.removeValue(forKey: topology.peers[id].address) else { return }
        if record.identity == topology.peers[id].identity { ask(record.endpoints, of: id, now) }
    }

    /// An identity proved false: if a record said so, it is told and passed over from here on.
    mutating func forgetRecord(of foreign: Identity) {
        guard let record = remembered[foreign.address], record.identity == foreign else { return }
        remembered[foreign.address] = nil
        emit(event: .falseRecord(foreign.address))
    }
}
