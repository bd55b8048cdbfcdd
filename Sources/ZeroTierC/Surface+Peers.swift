// What can be asked of a node itself, its roots, peers and counters, by every face of the interface. Read first: Surface.swift.

import CZeroTier
import ZeroTier
import ZeroTierLibrary

extension Node {
    /// A peer by the program's number. The number may be no address.
    fileprivate func peer(number: UInt64) throws -> PeerStatus? {
        let id = NodeID(number)
        return id.value == number ? try peer(id) : nil
    }
}

extension Surface {
    var isStarted: Int32 { (try? library())?.isStarted ?? false ? 1 : 0 }

    func nodeID() -> UInt64 { identifier { $0.id.value } }

    // MARK: Roots

    /// Adds the roots of a moon. Generation 2 takes ID 0 and does nothing.
    func orbit(_ moon: UInt64, seed: UInt64) -> Int32 {
        outcome(moon == 0 && generation == .first ? .because(.argument, "0 is no ID of a moon") : nil) { node in
            if moon != 0 { try node.orbit(moon, seed: NodeID(seed)) }
        }
    }

    /// Drops the roots of a moon. ID 0 is treated as any that is not orbited.
    func deorbit(_ moon: UInt64) -> Int32 { outcome { if moon != 0 { try $0.deorbit(moon) } } }

    // MARK: Peers

    func peerCount() -> Int32 { value { Int32(clamping: try $0.peers().count) } }

    /// The event code that describes a peer.
    func peerCode(_ id: UInt64) -> Int32 {
        value { node in
            guard let peer = try node.peer(number: id), peer.isReachable else { return ZTS_EVENT_PEER_UNREACHABLE }
            return peer.isDirect ? ZTS_EVENT_PEER_P2P : ZTS_EVENT_PEER_RELAY
        }
    }

    /// Writes the details of all peers.
    func describePeers(
        to pds: UnsafeMutablePointer<zts_peer_details>?, count num: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        unsafe outcome(pds == nil || num == nil ? .null("pds or num") : nil) { node in
            let peers = try node.peers()
            guard unsafe Int(num!.pointee) >= peers.count else {
                throw CallFailure.because(
                    .argument, "there are \(peers.count) peers: num says that there is not room for all")
            }
            let now = unixMilliseconds()
            for (index, peer) in peers.enumerated() {
                unsafe memset(pds! + index, 0, MemoryLayout<zts_peer_details>.size)
                unsafe Details.fill(pds! + index, PeerInfo(status: peer, unixMilliseconds: now))
            }
            unsafe num!.pointee = Int32(clamping: peers.count)
        }
    }

    /// Writes the details of one peer.
    func describePeer(_ id: UInt64, to pd: UnsafeMutablePointer<zts_peer_details>?) -> Int32 {
        unsafe outcome(pd == nil ? .null("pd") : id == 0 ? .because(.argument, "0 is no node ID") : nil) { node in
            guard let peer = try node.peer(number: id) else {
                throw CallFailure.because(.noResult, "peer \(NodeID(id)) is unknown")
            }
            unsafe memset(pd!, 0, MemoryLayout<zts_peer_details>.size)
            unsafe Details.fill(pd!, PeerInfo(status: peer, unixMilliseconds: unixMilliseconds()))
        }
    }

    // MARK: Counters

    // Everything is 0 while no node runs.
    private func counters() throws -> StackCounters {
        (try? library().node?.stackCounters()) ?? StackCounters()
    }

    /// Writes all counters of the node's stack.
    func fillStatistics(_ target: UnsafeMutablePointer<zts_stats>?) -> Int32 {
        generation.outcome {
            _ = try library()
            guard let target = unsafe target else { throw CallFailure.null("statsDest") }
            unsafe try counters().fill(target)
        }
    }

    /// The same in generation 2's form.
    func fillStatistics(_ target: UnsafeMutablePointer<zts_stats_counter_t>?) -> Int32 {
        generation.outcome {
            try library().needStarted()
            guard let target = unsafe target else { throw CallFailure.null("dst") }
            unsafe try counters().fill(target)
        }
    }

    /// Writes the counters of one protocol.
    func fillStatistics(_ target: UnsafeMutableRawPointer?, ofProtocol number: Int32) -> Int32 {
        generation.outcome {
            _ = try library()
            guard let target = unsafe target else { throw CallFailure.null("protoStatsDest") }
            guard let chosen = try counters().proto(number) else {
                throw CallFailure.because(
                    .argument, "\(number) is none of ZTS_STATS_PROTOCOL_*, which are 0 to 9")
            }
            // Sound: the interface wants a `struct zts_stats_proto` there.
            unsafe target.storeBytes(of: chosen, as: zts_stats_proto.self)
        }
    }
}
