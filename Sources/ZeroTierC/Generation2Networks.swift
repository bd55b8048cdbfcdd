// Generation 2: networks, addresses, routes, and queries by index. Read first: ZeroTierSockets.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import ZeroTier
import ZeroTierLibrary

private let addressRoom = Int(ZTS_IP_MAX_STR_LEN)

/// True for IPv4, false for IPv6; nothing else is a family.
private func isIPv4(_ family: UInt32) throws -> Bool {
    switch family {
    case 2: return true
    case 10, 30: return false
    default: throw CallFailure.noFamily
    }
}

extension CallFailure {
    fileprivate static let noTextRoom = because(
        .argument, "there is no buffer of ZTS_IP_MAX_STR_LEN bytes for the address as text")
}

// Throws unless the element exists.
private func check(_ index: UInt32, _ count: Int) throws {
    guard Int(index) < count else { throw CallFailure.because(.argument, "there are \(count), and none at \(index)") }
}

// MARK: Networks

@c @implementation
public func zts_net_join(_ net_id: UInt64) -> Int32 { Surface.second.join(net_id) }

@c @implementation
public func zts_net_leave(_ net_id: UInt64) -> Int32 { Surface.second.leave(net_id) }

@c @implementation
public func zts_net_transport_is_ready(_ net_id: UInt64) -> Int32 {
    Surface.second.value { node in
        guard net_id != 0, let status = try node.detailsIfJoined(net_id)?.status else { return 0 }
        return status.state == .ok && !status.addresses.isEmpty ? 1 : 0
    }
}

@c @implementation
public func zts_net_get_mac(_ net_id: UInt64) -> UInt64 {
    Surface.second.identifier(.network(net_id)) { try $0.details(net_id).status.mac.bits }
}

@c @implementation
public func zts_net_get_mac_str(_ net_id: UInt64, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32) -> Int32 {
    Surface.second.outcome { node in
        let noRoom = CallFailure.because(.argument, "there is no buffer of ZTS_MAC_ADDRSTRLEN bytes")
        guard let target = unsafe dst, len >= UInt32(ZTS_MAC_ADDRSTRLEN) else { throw noRoom }
        if let problem = CallFailure.network(net_id) { throw problem }
        guard unsafe put(try node.details(net_id).status.mac.description, target, room: Int(len)) else { throw noRoom }
    }
}

@c @implementation
public func zts_net_get_broadcast(_ net_id: UInt64) -> Int32 {
    Surface.second.value(.network(net_id)) { try $0.details(net_id).status.isBroadcastEnabled ? 1 : 0 }
}

@c @implementation
public func zts_net_get_mtu(_ net_id: UInt64) -> Int32 {
    Surface.second.value(.network(net_id)) { Int32(clamping: try $0.details(net_id).status.mtu) }
}

@c @implementation
public func zts_net_get_name(_ net_id: UInt64, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32) -> Int32 {
    Surface.second.outcome(needs: .online) { node in
        guard let target = unsafe dst, len == UInt32(ZTS_MAX_NETWORK_SHORT_NAME_LENGTH) else {
            throw CallFailure.because(
                .argument, "there is no buffer of exactly ZTS_MAX_NETWORK_SHORT_NAME_LENGTH bytes")
        }
        if let problem = CallFailure.network(net_id) { throw problem }
        let name = try node.details(net_id).status.name
        let cut = String(decoding: name.utf8.prefix(Int(len) - 1), as: UTF8.self)
        if !(unsafe put(cut, target, room: Int(len))) { _ = unsafe put("", target, room: Int(len)) }
    }
}

@c @implementation
public func zts_net_get_status(_ net_id: UInt64) -> Int32 {
    Surface.second.value(.network(net_id)) { Int32(Details2.status(try $0.details(net_id).status.state).rawValue) }
}

@c @implementation
public func zts_net_get_type(_ net_id: UInt64) -> Int32 {
    Surface.second.value(.network(net_id)) { try $0.details(net_id).status.isPrivate ? 0 : 1 }
}

@c @implementation
public func zts_net_get_settings(_ net_id: UInt64, _ settings: UnsafeMutablePointer<zts_net_settings_t>?) -> Int32 {
    unsafe Surface.second.describeSettings(of: net_id, to: settings)
}

@c @implementation
public func zts_net_set_settings(_ net_id: UInt64, _ settings: UnsafePointer<zts_net_settings_t>?) -> Int32 {
    unsafe Surface.second.setSettings(of: net_id, from: settings)
}

@c @implementation
public func zts_net_compute_adhoc_id(_ start_port: UInt16, _ end_port: UInt16) -> UInt64 {
    adHocID(start_port, end_port)
}

// MARK: Routes and addresses

@c @implementation
public func zts_route_is_assigned(_ net_id: UInt64, _ family: UInt32) -> Int32 {
    Surface.second.value { node in
        let wanted = try isIPv4(family)
        if let problem = CallFailure.network(net_id) { throw problem }
        return try node.details(net_id).status.routes.contains { $0.target.address.isIPv4 == wanted } ? 1 : 0
    }
}

@c @implementation
public func zts_addr_is_assigned(_ net_id: UInt64, _ family: UInt32) -> Int32 {
    Generation.second.result {
        if let problem = CallFailure.network(net_id) { throw problem }
        guard let node = LibraryNode.shared.node else { return 0 }
        let wanted = try isIPv4(family)
        guard let found = try node.detailsIfJoined(net_id) else { return 0 }
        return found.status.addresses.contains { $0.address.isIPv4 == wanted } ? 1 : 0
    }
}

extension Node {
    // The first address of a family.
    fileprivate func address(_ net_id: UInt64, _ family: UInt32) throws -> IPAddress {
        let wanted = try isIPv4(family)
        if let problem = CallFailure.network(net_id) { throw problem }
        guard let prefix = try details(net_id).status.addresses.first(where: { $0.address.isIPv4 == wanted }) else {
            throw CallFailure.noAddress
        }
        return prefix.address
    }
}

@c @implementation
public func zts_addr_get(
    _ net_id: UInt64, _ family: UInt32, _ addr: UnsafeMutablePointer<zts_sockaddr_storage>?
) -> Int32 {
    unsafe Surface.second.outcome(addr == nil ? .null("addr") : nil) { node in
        let found = try node.address(net_id, family)
        unsafe memset(addr!, 0, MemoryLayout<zts_sockaddr_storage>.size)
        unsafe AddressMemory.writeStack(found, to: addr!)
    }
}

@c @implementation
public func zts_addr_get_str(
    _ net_id: UInt64, _ family: UInt32, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32
) -> Int32 {
    Generation.second.outcome {
        if let problem = CallFailure.network(net_id) { throw problem }
        guard let target = unsafe dst, Int(len) >= addressRoom else { throw CallFailure.noTextRoom }
        let node = try LibraryNode.shared.node(.running)
        guard unsafe put(try node.address(net_id, family).description, target, room: Int(len)) else {
            throw CallFailure.noTextRoom
        }
    }
}

@c @implementation
public func zts_addr_get_all(
    _ net_id: UInt64, _ addr: UnsafeMutablePointer<zts_sockaddr_storage>?, _ count: UnsafeMutablePointer<UInt32>?
) -> Int32 {
    Surface.second.outcome { node in
        guard let target = unsafe addr, let count = unsafe count,
            unsafe count.pointee == UInt32(ZTS_MAX_ASSIGNED_ADDRESSES)
        else {
            throw CallFailure.because(.argument, "addr or count is NULL, or count is not ZTS_MAX_ASSIGNED_ADDRESSES")
        }
        if let problem = CallFailure.network(net_id) { throw problem }
        let addresses = try node.details(net_id).status.addresses.prefix(Int(ZTS_MAX_ASSIGNED_ADDRESSES))
        guard !addresses.isEmpty else {
            throw CallFailure.because(.noResult, "this node has no address on the network: see the network's status")
        }
        for (index, prefix) in addresses.enumerated() {
            unsafe memset(target + index, 0, MemoryLayout<zts_sockaddr_storage>.size)
            unsafe AddressMemory.writeStack(prefix.address, to: target + index)
        }
        unsafe count.pointee = UInt32(addresses.count)
    }
}

private typealias Scheme = (NetworkID, NodeID) -> IPAddress

private func computed(
    _ net_id: UInt64, _ node_id: UInt64, _ addr: UnsafeMutablePointer<zts_sockaddr_storage>?, _ scheme: Scheme
) -> Int32 {
    guard let target = unsafe addr else { return Generation.second.refuse("addr is NULL") }
    guard net_id != 0, node_id != 0 else { return Generation.second.refuse("0 is no network ID and no node ID") }
    unsafe memset(target, 0, MemoryLayout<zts_sockaddr_storage>.size)
    unsafe AddressMemory.writeStack(scheme(NetworkID(net_id), NodeID(node_id)), to: target)
    return 0
}

private func computed(
    _ net_id: UInt64, _ node_id: UInt64, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32, _ scheme: Scheme
) -> Int32 {
    guard net_id != 0, node_id != 0 else { return Generation.second.refuse("0 is no network ID and no node ID") }
    guard let target = unsafe dst, Int(len) == addressRoom,
        unsafe put(scheme(NetworkID(net_id), NodeID(node_id)).description, target, room: Int(len))
    else { return Generation.second.fail(.noTextRoom) }
    return 0
}

@c @implementation
public func zts_addr_compute_6plane(
    _ net_id: UInt64, _ node_id: UInt64, _ addr: UnsafeMutablePointer<zts_sockaddr_storage>?
) -> Int32 { unsafe computed(net_id, node_id, addr) { $0.sixPlaneAddress(of: $1) } }

@c @implementation
public func zts_addr_compute_rfc4193(
    _ net_id: UInt64, _ node_id: UInt64, _ addr: UnsafeMutablePointer<zts_sockaddr_storage>?
) -> Int32 { unsafe computed(net_id, node_id, addr) { $0.rfc4193Address(of: $1) } }

@c @implementation
public func zts_addr_compute_6plane_str(
    _ net_id: UInt64, _ node_id: UInt64, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32
) -> Int32 { unsafe computed(net_id, node_id, dst, len) { $0.sixPlaneAddress(of: $1) } }

@c @implementation
public func zts_addr_compute_rfc4193_str(
    _ net_id: UInt64, _ node_id: UInt64, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32
) -> Int32 { unsafe computed(net_id, node_id, dst, len) { $0.rfc4193Address(of: $1) } }

// MARK: Queries by index

// Queries read a snapshot between obtain and release, and the present state without the lock.

@c @implementation
public func zts_core_lock_obtain() -> Int32 {
    Surface.second.outcome { _ in
        guard try LibraryNode.shared.obtainQueries(by: pthread_self()) else {
            throw CallFailure.because(.service, "the node was stopped while this thread waited for the lock")
        }
    }
}

@c @implementation
public func zts_core_lock_release() -> Int32 {
    Generation.second.outcome {
        guard LibraryNode.shared.releaseQueries(by: pthread_self()) else {
            throw CallFailure.because(.service, "this thread does not hold the lock")
        }
    }
}

private func queried(_ net_id: UInt64, _ node: Node) throws -> NetworkDetails {
    let held = LibraryNode.shared.queriesHeld(by: pthread_self(), of: node)?.networks
    guard let held else { return try node.details(net_id) }
    guard let found = held.first(where: { $0.status.id.value == net_id }) else {
        throw CallFailure.because(.noResult, "network \(NetworkID(net_id)) was not joined when the lock was obtained")
    }
    return found
}

private func paths(_ peer_id: UInt64, _ node: Node) throws -> [PeerStatus.Path] {
    let held = LibraryNode.shared.queriesHeld(by: pthread_self(), of: node)?.peers
    let peers = if let held { held } else { try node.peers() }
    guard let peer = peers.first(where: { $0.id.value == peer_id }) else {
        throw CallFailure.because(.noResult, "peer \(NodeID(peer_id)) is unknown")
    }
    return peer.paths
}

@c @implementation
public func zts_core_query_addr_count(_ net_id: UInt64) -> Int32 {
    Surface.second.value { node in Int32(clamping: try queried(net_id, node).status.addresses.count) }
}

@c @implementation
public func zts_core_query_addr(
    _ net_id: UInt64, _ idx: UInt32, _ addr: UnsafeMutablePointer<CChar>?, _ len: UInt32
) -> Int32 {
    Surface.second.outcome { node in
        let addresses = try queried(net_id, node).status.addresses
        try check(idx, addresses.count)
        guard let target = unsafe addr,
            unsafe put(addresses[Int(idx)].address.description, target, room: Int(len))
        else { throw CallFailure.noTextRoom }
    }
}

@c @implementation
public func zts_core_query_route_count(_ net_id: UInt64) -> Int32 {
    Surface.second.value { node in Int32(clamping: try queried(net_id, node).status.routes.count) }
}

@c @implementation
public func zts_core_query_route(
    _ net_id: UInt64, _ idx: UInt32, _ target: UnsafeMutablePointer<CChar>?, _ via: UnsafeMutablePointer<CChar>?,
    _ len: UInt32, _ flags: UnsafeMutablePointer<UInt16>?, _ metric: UnsafeMutablePointer<UInt16>?
) -> Int32 {
    Surface.second.outcome { node in
        let found = try queried(net_id, node)
        try check(idx, min(found.status.routes.count, found.routeAttributes.count))
        guard let target = unsafe target, let via = unsafe via else {
            throw CallFailure.because(.argument, "target or via is NULL")
        }
        let route = found.status.routes[Int(idx)]
        guard unsafe put(route.target.address.description, target, room: Int(len)),
            unsafe put(route.via?.description ?? "0.0.0.0", via, room: Int(len))
        else { throw CallFailure.noTextRoom }
        unsafe flags?.pointee = found.routeAttributes[Int(idx)].flags
        unsafe metric?.pointee = found.routeAttributes[Int(idx)].metric
    }
}

@c @implementation
public func zts_core_query_path_count(_ peer_id: UInt64) -> Int32 {
    Surface.second.value { node in Int32(clamping: try paths(peer_id, node).count) }
}

@c @implementation
public func zts_core_query_path(
    _ peer_id: UInt64, _ idx: UInt32, _ dst: UnsafeMutablePointer<CChar>?, _ len: UInt32
) -> Int32 {
    Surface.second.outcome { node in
        let all = try paths(peer_id, node)
        try check(idx, all.count)
        let endpoint = all[Int(idx)].endpoint
        guard let target = unsafe dst, unsafe put("\(endpoint.address)/\(endpoint.port)", target, room: Int(len)) else {
            throw CallFailure.because(
                .argument, "there is no buffer with room for the address, a slash, the port and a 0")
        }
    }
}

@c @implementation
public func zts_core_query_mc_count(_ net_id: UInt64) -> Int32 {
    Surface.second.value { node in Int32(clamping: try queried(net_id, node).groups.count) }
}

@c @implementation
public func zts_core_query_mc(
    _ net_id: UInt64, _ idx: UInt32, _ mac: UnsafeMutablePointer<UInt64>?, _ adi: UnsafeMutablePointer<UInt32>?
) -> Int32 {
    Surface.second.outcome { node in
        let groups = try queried(net_id, node).groups
        try check(idx, groups.count)
        guard let mac = unsafe mac, let adi = unsafe adi else {
            throw CallFailure.because(.argument, "mac or adi is NULL")
        }
        unsafe mac.pointee = groups[Int(idx)].mac.bits
        unsafe adi.pointee = groups[Int(idx)].distinguisher
    }
}
