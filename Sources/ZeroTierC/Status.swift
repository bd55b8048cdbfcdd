// Generation 1: roots, peers and states. Read first: ZeroTier.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import ZeroTier
import ZeroTierLibrary

private let library = LibraryNode.shared

private func first(_ body: () throws(CallFailure) -> Int32) -> Int32 { Generation.first.result(body) }

private func first(_ body: () throws(CallFailure) -> Void) -> Int32 { Generation.first.outcome(body) }

@c @implementation
public func zts_orbit(_ moonWorldId: UInt64, _ moonSeed: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        guard moonWorldId != 0 else { throw .noMoonID }
        try orbit(moonWorldId, seed: moonSeed, on: try library.needOnline())
    }
}

@c @implementation
public func zts_deorbit(_ moonWorldId: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in try deorbit(moonWorldId, on: try library.needOnline()) }
}

extension CallFailure {
    static let noMoonID = because(.argument, "0 is no ID of a moon")
}

/// Adds the roots of a moon.
func orbit(_ moon: UInt64, seed: UInt64, on node: Node) throws(CallFailure) {
    try asking { () throws(ZeroTierError) in try node.orbit(moon, seed: NodeID(seed)) }
}

/// Drops the roots of a moon.
func deorbit(_ moon: UInt64, on node: Node) throws(CallFailure) {
    // As for any moon that is not orbited.
    guard moon != 0 else { return }
    try asking { () throws(ZeroTierError) in try node.deorbit(moon) }
}

@c @implementation
public func zts_get_peer_count() -> Int32 {
    first { () throws(CallFailure) -> Int32 in try peerCount(of: try library.needOnline()) }
}

@c @implementation
public func zts_get_peers(_ pds: UnsafeMutablePointer<zts_peer_details>?, _ num: UnsafeMutablePointer<Int32>?) -> Int32
{
    first { () throws(CallFailure) -> Void in
        unsafe try describePeers(to: pds, count: num) { () throws(CallFailure) in try library.needOnline() }
    }
}

@c @implementation
public func zts_get_peer(_ pd: UnsafeMutablePointer<zts_peer_details>?, _ peerId: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        unsafe try describePeer(peerId, to: pd) { () throws(CallFailure) in try library.needOnline() }
    }
}

/// The peers that a node knows.
func peerCount(of node: Node) throws(CallFailure) -> Int32 {
    Int32(clamping: try asking { () throws(ZeroTierError) in try node.peers() }.count)
}

/// Writes the details of all peers. `node` is asked for after the arguments were looked at.
func describePeers(
    to pds: UnsafeMutablePointer<zts_peer_details>?, count num: UnsafeMutablePointer<Int32>?,
    of node: () throws(CallFailure) -> Node
) throws(CallFailure) {
    guard let target = unsafe pds, let count = unsafe num else { throw .because(.argument, "pds or num is NULL") }
    let node = try node()
    let peers = try asking { () throws(ZeroTierError) in try node.peers() }
    guard unsafe Int(count.pointee) >= peers.count else {
        throw .because(.argument, "there are \(peers.count) peers: num says that there is not room for all")
    }
    let now = unixMilliseconds()
    for (index, peer) in peers.enumerated() {
        unsafe memset(target + index, 0, MemoryLayout<zts_peer_details>.size)
        unsafe Details.fill(target + index, PeerInfo(status: peer, unixMilliseconds: now))
    }
    unsafe count.pointee = Int32(clamping: peers.count)
}

/// Writes the details of one peer. `node` is asked for after the arguments were looked at.
func describePeer(
    _ id: UInt64, to pd: UnsafeMutablePointer<zts_peer_details>?, of node: () throws(CallFailure) -> Node
) throws(CallFailure) {
    guard let target = unsafe pd else { throw .because(.argument, "pd is NULL") }
    guard id != 0 else { throw .because(.argument, "0 is no node ID") }
    let node = try node()
    let peers = try asking { () throws(ZeroTierError) in try node.peers() }
    guard let peer = peers.first(where: { $0.id.value == id }) else {
        throw .because(.noResult, "peer \(NodeID(id)) is unknown")
    }
    unsafe memset(target, 0, MemoryLayout<zts_peer_details>.size)
    unsafe Details.fill(target, PeerInfo(status: peer, unixMilliseconds: unixMilliseconds()))
}

/// The event code that describes a peer.
func peerCode(_ id: UInt64, of node: Node) throws(CallFailure) -> Int32 {
    let peers = try asking { () throws(ZeroTierError) in try node.peers() }
    guard let peer = peers.first(where: { $0.id.value == id }) else { return ZTS_EVENT_PEER_UNREACHABLE }
    guard peer.isReachable else { return ZTS_EVENT_PEER_UNREACHABLE }
    return peer.isDirect ? ZTS_EVENT_PEER_P2P : ZTS_EVENT_PEER_RELAY
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
        guard nwid != 0 else { throw .noNetworkID }
        return statusCode(try details(nwid, of: try library.needOnline()).status)
    }
}

@c @implementation
public func zts_get_peer_status(_ peerId: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Int32 in try peerCode(peerId, of: try library.needOnline()) }
}
