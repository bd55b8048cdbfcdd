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
            .compactMap { topology.peers[$0].memorability }
            .sorted { left, right in
                if left.isMember != right.isMember { return left.isMember }
                return left.heard != right.heard ? left.heard > right.heard : left.address < right.address
            }
            .prefix(ProtocolLimits.storedPeers)
            .map { ($0.address, topology.peers[$0.id].record.encoded) }
            .sorted { $0.0 < $1.0 }
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

    /// Takes an identity that this node validated in an earlier run, and kept where nobody else can write. It need not be validated
    /// again. It makes no peer.
    package mutating func trust(_ identity: Identity) { validation.trust(identity) }

    private mutating func ask(_ endpoints: [SocketEndpoint], of id: PeerID, _ now: Now) {
        for endpoint in endpoints.prefix(ProtocolLimits.pathsKept)
        where shared.isAllowed(endpoint, for: topology.peers[id].address) {
            let path = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: endpoint)
            topology.peers[id].enqueue(.hello, .path(path), &shared, now)
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
        shared.emit(.falseRecord(foreign.address))
    }
}

extension Peer {
    /// What decides whether the peer is remembered over restarts, and before whom; nil when it is not worth it.
    fileprivate var memorability: (id: PeerID, address: Address, isMember: Bool, heard: MonotonicInstant)? {
        guard !isUpstream, lastTrust != nil || !paths.isEmpty else { return nil }
        return (id, address, lastTrust != nil, lastHeard)
    }

    var record: PeerRecord {
        PeerRecord(
            identity: identity, protocolVersion: UInt16(protocolVersion),
            softwareVersion: softwareVersion ?? SoftwareVersion(major: 0, minor: 0, revision: 0),
            endpoints: paths.map(\.physical.remote))
    }

    /// The record of a peer that is forgotten, if it ever proved to be in a network of ours: everybody else can be made
    /// anew at any number.
    var recordToKeep: [UInt8]? { lastTrust == nil ? nil : record.encoded }
}
