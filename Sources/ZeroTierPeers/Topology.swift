//  All peers: by address, with a bound on those that are not roots.

import NetPrimitives
import ZeroTierWire

/// The table of peers. Look-ups by address use a dictionary only when the last peer asked for is another.
struct Topology: ~Copyable {
    var peers = SlotTable<Peer>()
    private var byAddress: [Address: PeerID] = [:]
    // All peers in an order that does not depend on hashing, for picking at random.
    private var order: [PeerID] = []
    private var recentAddress = Address(0)
    private var recentID = PeerID.none
    /// The most peers that are not roots.
    private let limit: Int
    private(set) var upstreamCount = 0

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { order.count }

    /// The peer with an address.
    @inline(__always)
    mutating func find(_ address: Address) -> PeerID? {
        if address.value == recentAddress.value, recentID.generation != 0 { return recentID }
        return findInTable(address)
    }

    private mutating func findInTable(_ address: Address) -> PeerID? {
        guard let id = byAddress[address] else { return nil }
        recentAddress = address
        recentID = id
        return id
    }

    /// The peer with an address, without moving the cache.
    func lookUp(_ address: Address) -> PeerID? { byAddress[address] }

    /// Adds a peer. Its address must not be in the table.
    mutating func insert(_ peer: consuming Peer) -> PeerID {
        let address = peer.address
        precondition(byAddress[address] == nil, "the address has a peer")
        if peer.isUpstream { upstreamCount += 1 }
        peer.orderIndex = order.count
        let id = peers.insert(peer)
        order.append(id)
        byAddress[address] = id
        return id
    }

    /// Takes a peer out.
    mutating func remove(_ id: PeerID) {
        guard let peer = peers.remove(id) else { return }
        let index = peer.orderIndex
        if peer.isUpstream { upstreamCount -= 1 }
        byAddress[peer.address] = nil
        if recentID == id { recentID = PeerID.none }
        order.swapAt(index, order.count - 1)
        order.removeLast()
        if index < order.count { peers[order[index]].orderIndex = index }
    }

    /// Changes a peer's role, and the count of roots with it.
    mutating func setRole(_ role: PeerRole, of id: PeerID) {
        let wasUpstream = peers[id].isUpstream
        peers[id].role = role
        let isUpstream = peers[id].isUpstream
        if isUpstream, !wasUpstream { upstreamCount += 1 }
        if wasUpstream, !isUpstream { upstreamCount -= 1 }
    }

    /// Whether another leaf fits without anybody giving way.
    var hasRoom: Bool { order.count - upstreamCount < limit }

    /// A leaf that may give way to a new one: the most silent of a few picked at random, if it has been silent for long
    /// enough that a live node would have spoken.
    func candidateForEviction(using random: inout RandomSource, _ now: MonotonicInstant) -> PeerID? {
        guard !order.isEmpty else { return nil }
        var choice: PeerID?
        var oldest = now
        for _ in 0..<ProtocolLimits.evictionSamples {
            let id = order[random.next(below: order.count)]
            guard !peers[id].isUpstream else { continue }
            let heard = peers[id].lastHeard
            if now - heard >= ProtocolLimits.evictionSilence, heard < oldest {
                oldest = heard
                choice = id
            }
        }
        return choice
    }
}
