// The functions of the network controller, of generation 1 and its further nodes. Read first: Surface+Controller.swift.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier

// MARK: The process's own node

@c @implementation
public func zts_controller_enable(_ enabled: Bool) -> Int32 { Surface.first.enableController(enabled) }

@c @implementation
public func zts_controller_network_create(_ nwid: UnsafeMutablePointer<UInt64>?, _ json: UnsafePointer<CChar>?) -> Int32
{ unsafe Surface.first.createNetwork(nwid, json) }

@c @implementation
public func zts_controller_network_delete(_ nwid: UInt64) -> Int32 { Surface.first.deleteNetwork(nwid) }

@c @implementation
public func zts_controller_network_list(_ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?) -> Int32
{ unsafe Surface.first.listNetworks(TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_controller_network_get(
    _ nwid: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.first.getNetwork(nwid, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_controller_network_set(_ nwid: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
    unsafe Surface.first.setNetwork(nwid, json)
}

@c @implementation
public func zts_controller_member_list(
    _ nwid: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.first.listMembers(of: nwid, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_controller_member_get(
    _ nwid: UInt64, _ nodeId: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.first.getMember(nodeId, of: nwid, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_controller_member_set(_ nwid: UInt64, _ nodeId: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
    unsafe Surface.first.setMember(nodeId, of: nwid, json)
}

@c @implementation
public func zts_controller_member_authorize(_ nwid: UInt64, _ nodeId: UInt64, _ authorized: Bool) -> Int32 {
    Surface.first.authorizeMember(nodeId, of: nwid, authorized)
}

@c @implementation
public func zts_controller_member_delete(_ nwid: UInt64, _ nodeId: UInt64) -> Int32 {
    Surface.first.deleteMember(nodeId, of: nwid)
}

// MARK: Further nodes

@c @implementation
public func zts_instance_controller_enable(_ instance: Int32, _ enabled: Bool) -> Int32 {
    Surface.instance(instance).enableController(enabled)
}

@c @implementation
public func zts_instance_controller_network_create(
    _ instance: Int32, _ nwid: UnsafeMutablePointer<UInt64>?, _ json: UnsafePointer<CChar>?
) -> Int32 { unsafe Surface.instance(instance).createNetwork(nwid, json) }

@c @implementation
public func zts_instance_controller_network_delete(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    Surface.instance(instance).deleteNetwork(nwid)
}

@c @implementation
public func zts_instance_controller_network_list(
    _ instance: Int32, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.instance(instance).listNetworks(TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_instance_controller_network_get(
    _ instance: Int32, _ nwid: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.instance(instance).getNetwork(nwid, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_instance_controller_network_set(_ instance: Int32, _ nwid: UInt64, _ json: UnsafePointer<CChar>?)
    -> Int32
{ unsafe Surface.instance(instance).setNetwork(nwid, json) }

@c @implementation
public func zts_instance_controller_member_list(
    _ instance: Int32, _ nwid: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.instance(instance).listMembers(of: nwid, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_instance_controller_member_get(
    _ instance: Int32, _ nwid: UInt64, _ nodeId: UInt64, _ buf: UnsafeMutablePointer<CChar>?,
    _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe Surface.instance(instance).getMember(nodeId, of: nwid, TextTarget(buffer: buf, length: len)) }

@c @implementation
public func zts_instance_controller_member_set(
    _ instance: Int32, _ nwid: UInt64, _ nodeId: UInt64, _ json: UnsafePointer<CChar>?
) -> Int32 { unsafe Surface.instance(instance).setMember(nodeId, of: nwid, json) }

@c @implementation
public func zts_instance_controller_member_authorize(
    _ instance: Int32, _ nwid: UInt64, _ nodeId: UInt64, _ authorized: Bool
) -> Int32 { Surface.instance(instance).authorizeMember(nodeId, of: nwid, authorized) }

@c @implementation
public func zts_instance_controller_member_delete(_ instance: Int32, _ nwid: UInt64, _ nodeId: UInt64) -> Int32 {
    Surface.instance(instance).deleteMember(nodeId, of: nwid)
}
