// The functions of the network controller, of generation 2. Read first: Surface+Controller.swift.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier

@c @implementation
public func zts18_controller_enable(_ enabled: UInt32) -> Int32 { Surface.second.enableController(enabled != 0) }

@c @implementation
public func zts18_controller_network_create(_ net_id: UnsafeMutablePointer<UInt64>?, _ json: UnsafePointer<CChar>?)
    -> Int32
{ unsafe Surface.second.createNetwork(net_id, json) }

@c @implementation
public func zts18_controller_network_delete(_ net_id: UInt64) -> Int32 { Surface.second.deleteNetwork(net_id) }

@c @implementation
public func zts18_controller_network_list(_ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?)
    -> Int32
{ unsafe Surface.second.listNetworks(TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts18_controller_network_get(
    _ net_id: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.second.getNetwork(net_id, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts18_controller_network_set(_ net_id: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
    unsafe Surface.second.setNetwork(net_id, json)
}

@c @implementation
public func zts18_controller_member_list(
    _ net_id: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.second.listMembers(of: net_id, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts18_controller_member_get(
    _ net_id: UInt64, _ node_id: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.second.getMember(node_id, of: net_id, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts18_controller_member_set(_ net_id: UInt64, _ node_id: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
    unsafe Surface.second.setMember(node_id, of: net_id, json)
}

@c @implementation
public func zts18_controller_member_authorize(_ net_id: UInt64, _ node_id: UInt64, _ authorized: UInt32) -> Int32 {
    Surface.second.authorizeMember(node_id, of: net_id, authorized != 0)
}

@c @implementation
public func zts18_controller_member_delete(_ net_id: UInt64, _ node_id: UInt64) -> Int32 {
    Surface.second.deleteMember(node_id, of: net_id)
}
