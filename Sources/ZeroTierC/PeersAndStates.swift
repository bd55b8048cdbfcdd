// Generation 1: roots, peers and states. Read first: ZeroTier.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import ZeroTierLibrary

@c @implementation
public func zts_orbit(_ moonWorldId: UInt64, _ moonSeed: UInt64) -> Int32 {
    Surface.first.orbit(moonWorldId, seed: moonSeed)
}

@c @implementation
public func zts_deorbit(_ moonWorldId: UInt64) -> Int32 { Surface.first.deorbit(moonWorldId) }

@c @implementation
public func zts_get_peer_count() -> Int32 { Surface.first.peerCount() }

@c @implementation
public func zts_get_peers(_ pds: UnsafeMutablePointer<zts_peer_details>?, _ num: UnsafeMutablePointer<Int32>?) -> Int32
{
    unsafe Surface.first.describePeers(to: pds, count: num)
}

@c @implementation
public func zts_get_peer(_ pd: UnsafeMutablePointer<zts_peer_details>?, _ peerId: UInt64) -> Int32 {
    unsafe Surface.first.describePeer(peerId, to: pd)
}

@c @implementation
public func zts_get_node_status() -> Int32 {
    LibraryNode.shared.isOnline ? ZTS_EVENT_NODE_ONLINE : ZTS_EVENT_NODE_OFFLINE
}

@c @implementation
public func zts_get_network_status(_ nwid: UInt64) -> Int32 { Surface.first.networkCode(nwid) }

@c @implementation
public func zts_get_network_settings(_ nwid: UInt64, _ settings: UnsafeMutablePointer<zts_network_settings>?) -> Int32 {
    unsafe Surface.first.describeSettings(of: nwid, to: settings)
}

@c @implementation
public func zts_set_network_settings(_ nwid: UInt64, _ settings: UnsafePointer<zts_network_settings>?) -> Int32 {
    unsafe Surface.first.setSettings(of: nwid, from: settings)
}

@c @implementation
public func zts_get_peer_status(_ peerId: UInt64) -> Int32 { Surface.first.peerCode(peerId) }
