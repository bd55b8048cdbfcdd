//  All peers: by address, with a bound on those that are not roots.

import NetPrimitives
import ZeroTierWire

/// The table of peers. Look-ups by address use a dictionary only when the last peer asked for is another.
struct Topology: ~Copyable {
    var peers = SlotTable<Peer>()
    private var byAddress: [Address: PeerID] = [:]
    // All peers in an order that does not depend on hashing, for picking at random.
    private var order: [PeerID] = []
    // Peers by the source prefix of their first path.
    private var origins: [IPAddress: Int] = [:]
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
        peers[id].id = id
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
        if let origin = peer.origin {
            let rest = (origins[origin] ?? 1) - 1
            origins[origin] = rest > 0 ? rest : nil
        }
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

    /// A peer's first path was confirmed: from now on the peer counts for that source prefix.
    mutating func noteOrigin(_ address: IPAddress, of id: PeerID) {
        guard peers[id].origin == nil else { return }
        let origin = address.sourcePrefix
        peers[id].origin = origin
        origins[origin, default: 0] += 1
    }

    /// How gladly a peer is given up, the first the most.
    private enum Dispensability: Int {
        /// A stranger that has been silent for so long that a live node would have spoken.
        case silentStranger
        /// A stranger that speaks, but was never found where it says it is.
        case unconfirmed
        /// A stranger from a prefix that holds more places than the newcomer's.
        case crowded
        /// A silent member of a network of ours.
        case silentMember
    }

    /// A leaf that may give way to a new one whose HELLO came from `source`: the most dispensable of a few picked at random.
    func candidateForEviction(
        for source: IPAddress?, using random: inout RandomSource, _ now: MonotonicInstant
    ) -> PeerID? {
        guard !order.isEmpty else { return nil }
        let share = source.flatMap { origins[$0.sourcePrefix] } ?? 0
        var choice: PeerID?
        var best = (rank: Int.max, crowd: 0, heard: now)
        for _ in 0..<ProtocolLimits.evictionSamples {
            let id = order[random.next(below: order.count)]
            guard !peers[id].isUpstream, let rank = dispensability(of: id, share: share, now)?.rawValue else {
                continue
            }
            let crowd = rank == Dispensability.crowded.rawValue ? places(of: id) : 0
            let heard = peers[id].lastHeard
            let isBetter =
                rank != best.rank ? rank < best.rank : crowd != best.crowd ? crowd > best.crowd : heard < best.heard
            guard isBetter else { continue }
            best = (rank, crowd, heard)
            choice = id
        }
        return choice
    }

    private func places(of id: PeerID) -> Int { peers[id].origin.flatMap { origins[$0] } ?? 0 }

    private func dispensability(of id: PeerID, share: Int, _ now: MonotonicInstant) -> Dispensability? {
        let isSilent = now - peers[id].lastHeard >= ProtocolLimits.evictionSilence
        if peers[id].isTrusted(now) { return isSilent ? .silentMember : nil }
        if isSilent { return .silentStranger }
        if peers[id].paths.isEmpty, now - peers[id].createdAt >= ProtocolLimits.evictionConfirmation {
            return .unconfirmed
        }
        // One more than the newcomer's after it has come: else two prefixes would displace each other for ever.
        return places(of: id) > share + 1 ? .crowded : nil
    }
}
