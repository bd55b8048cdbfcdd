// The functions of the network controller. This library has none yet: they check their arguments and then say so.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier

private func refused(if isInvalid: Bool = false) -> Int32 {
    if isInvalid { return Generation.first.refuse("an argument is NULL or 0") }
    return Generation.first.fail(.because(.service, "this library has no network controller"))
}

@c @implementation
public func zts_controller_enable(_ enabled: Bool) -> Int32 { refused() }

@c @implementation
public func zts_controller_network_create(_ nwid: UnsafeMutablePointer<UInt64>?, _ json: UnsafePointer<CChar>?) -> Int32
{
    unsafe refused(if: nwid == nil || json == nil)
}

@c @implementation
public func zts_controller_network_delete(_ nwid: UInt64) -> Int32 { refused(if: nwid == 0) }

@c @implementation
public func zts_controller_network_list(_ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?) -> Int32
{
    unsafe refused(if: buf == nil || len == nil)
}

@c @implementation
public func zts_controller_network_get(
    _ nwid: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe refused(if: nwid == 0 || buf == nil || len == nil) }

@c @implementation
public func zts_controller_network_set(_ nwid: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
    unsafe refused(if: nwid == 0 || json == nil)
}

@c @implementation
public func zts_controller_member_list(
    _ nwid: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe refused(if: nwid == 0 || buf == nil || len == nil) }

@c @implementation
public func zts_controller_member_get(
    _ nwid: UInt64, _ nodeId: UInt64, _ buf: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?
) -> Int32 { unsafe refused(if: nwid == 0 || nodeId == 0 || buf == nil || len == nil) }

@c @implementation
public func zts_controller_member_set(_ nwid: UInt64, _ nodeId: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
    unsafe refused(if: nwid == 0 || nodeId == 0 || json == nil)
}

@c @implementation
public func zts_controller_member_authorize(_ nwid: UInt64, _ nodeId: UInt64, _ authorized: Bool) -> Int32 {
    refused(if: nwid == 0 || nodeId == 0)
}

@c @implementation
public func zts_controller_member_delete(_ nwid: UInt64, _ nodeId: UInt64) -> Int32 {
    refused(if: nwid == 0 || nodeId == 0)
}
