// Generation 1: roots, peers and states. Read first: ZeroTier.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import ZeroTier

private let library = LibraryNode.shared

private func first(_ body: () throws(CallFailure) -> Int32) -> Int32 { Generation.first.result(body) }

private func first(_ body: () throws(CallFailure) -> Void) -> Int32 { Generation.first.outcome(body) }

@c @implementation
public func zts_orbit(_ moonWorldId: UInt64, _ moonSeed: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        guard moonWorldId != 0 else { throw .argument }
        let node = try library.needOnline()
        try asking { () throws(ZeroTierError) in try node.orbit(moonWorldId, seed: NodeID(moonSeed)) }
    }
}

@c @implementation
public func zts_deorbit(_ moonWorldId: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        let node = try library.needOnline()
        // As for any moon that is not orbited.
        guard moonWorldId != 0 else { return }
        try asking { () throws(ZeroTierError) in try node.deorbit(moonWorldId) }
    }
}

@c @implementation
public func zts_get_peer_count() -> Int32 {
    first { () throws(CallFailure) -> Int32 in
        let node = try library.needOnline()
        return Int32(clamping: try asking { () throws(ZeroTierError) in try node.peers() }.count)
    }
}

@c @implementation
public func zts_get_peers(_ pds: UnsafeMutablePointer<zts_peer_details>?, _ num: UnsafeMutablePointer<Int32>?) -> Int32
{
    first { () throws(CallFailure) -> Void in
        guard let target = unsafe pds, let count = unsafe num else { throw .argument }
        let node = try library.needOnline()
        let peers = try asking { () throws(ZeroTierError) in try node.peers() }
        guard unsafe Int(count.pointee) >= peers.count else {
            throw .because(.argument, "there are \(peers.count) peers")
        }
        let now = unixMilliseconds()
        for (index, peer) in peers.enumerated() {
            unsafe memset(target + index, 0, MemoryLayout<zts_peer_details>.size)
            unsafe Details.fill(target + index, PeerInfo(status: peer, unixMilliseconds: now))
        }
        unsafe count.pointee = Int32(clamping: peers.count)
    }
}

@c @implementation
public func zts_get_peer(_ pd: UnsafeMutablePointer<zts_peer_details>?, _ peerId: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        guard let target = unsafe pd, peerId != 0 else { throw .argument }
        let node = try library.needOnline()
        let peers = try asking { () throws(ZeroTierError) in try node.peers() }
        guard let peer = peers.first(where: { $0.id.value == peerId }) else {
            throw .because(.noResult, "peer \(NodeID(peerId)) is unknown")
        }
        unsafe memset(target, 0, MemoryLayout<zts_peer_details>.size)
        unsafe Details.fill(target, PeerInfo(status: peer, unixMilliseconds: unixMilliseconds()))
    }
}

@c @implementation
public func zts_get_node_status() -> Int32 { library.isOnline ? ZTS_EVENT_NODE_ONLINE : ZTS_EVENT_NODE_OFFLINE }

/// The event code that describes a network's state.
func statusCode(_ status: NetworkStatus) -> Int32 {
    switch status.state {
    case .requestingConfiguration: return ZTS_EVENT_NETWORK_REQUESTING_CONFIG
    case .accessDenied, .authenticationRequired: return ZTS_EVENT_NETWORK_ACCESS_DENIED
    case .notFound: return ZTS_EVENT_NETWORK_NOT_FOUND
    case .clientTooOld: return ZTS_EVENT_NETWORK_CLIENT_TOO_OLD
    case .portError: return ZTS_EVENT_NETWORK_DOWN
    case .ok: break
    }
    let hasIPv4 = status.addresses.contains { $0.address.isIPv4 }
    let hasIPv6 = status.addresses.contains { $0.address.isIPv6 }
    switch (hasIPv4, hasIPv6) {
    case (true, true): return ZTS_EVENT_NETWORK_READY_IP4_IP6
    case (true, false): return ZTS_EVENT_NETWORK_READY_IP4
    case (false, true): return ZTS_EVENT_NETWORK_READY_IP6
    case (false, false): return ZTS_EVENT_NETWORK_OK
    }
}

@c @implementation
public func zts_get_network_status(_ nwid: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Int32 in
        guard nwid != 0 else { throw .argument }
        return statusCode(try details(nwid, of: try library.needOnline()).status)
    }
}

@c @implementation
public func zts_get_peer_status(_ peerId: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Int32 in
        let node = try library.needOnline()
        let peers = try asking { () throws(ZeroTierError) in try node.peers() }
        guard let peer = peers.first(where: { $0.id.value == peerId }) else { return ZTS_EVENT_PEER_UNREACHABLE }
        return peer.isDirect ? ZTS_EVENT_PEER_P2P : ZTS_EVENT_PEER_RELAY
    }
}
