// Details of a node, its networks and its peers in the C structures of generation 1. Read first: ZeroTier.h.

import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// Runs `body` with zeroed memory for one structure.
func withZeroed<Value, Result>(_ type: Value.Type, _ body: (UnsafeMutablePointer<Value>) -> Result) -> Result {
    // Sound: allocated for exactly this type, whose zeroed bytes are a value as C structures go, and freed at the end.
    let memory = UnsafeMutableRawPointer.allocate(
        byteCount: MemoryLayout<Value>.size, alignment: MemoryLayout<Value>.alignment)
    defer { unsafe memory.deallocate() }
    unsafe memset(memory, 0, MemoryLayout<Value>.size)
    return unsafe body(memory.bindMemory(to: Value.self, capacity: 1))
}

/// The first element of an array inside a structure.
func elements<Base, Field, Element>(
    _ base: UnsafeMutablePointer<Base>, _ field: KeyPath<Base, Field>, as type: Element.Type
) -> UnsafeMutablePointer<Element> {
    // Sound: the field is an array of `Element` by the header, and the pointer stays inside the structure.
    unsafe (UnsafeMutableRawPointer(base) + MemoryLayout<Base>.offset(of: field)!).assumingMemoryBound(to: Element.self)
}

/// Fills the structures of generation 1.
enum Details {
    static func fill(_ target: UnsafeMutablePointer<zts_node_details>, _ info: NodeInfo) {
        unsafe target.pointee.address = info.id
        unsafe target.pointee.clock = info.unixMilliseconds
        unsafe target.pointee.online = info.isOnline
        unsafe target.pointee.primaryPort = info.port
        unsafe target.pointee.planetWorldId = info.planet?.id ?? 0
        unsafe target.pointee.planetWorldTimestamp = info.planet?.timestampMilliseconds ?? 0
        unsafe target.pointee.versionMajor = UInt8(libraryVersion.major)
        unsafe target.pointee.versionMinor = UInt8(libraryVersion.minor)
        unsafe target.pointee.versionRev = UInt8(libraryVersion.revision)
    }

    static func fill(_ target: UnsafeMutablePointer<zts_network_details>, _ details: NetworkDetails) {
        let addresses = details.status.addresses.prefix(Int(ZTS_MAX_ASSIGNED_ADDRESSES))
        let count = min(details.status.routes.count, details.routeAttributes.count, Int(ZTS_MAX_NETWORK_ROUTES))
        unsafe target.pointee.nwid = details.status.id.value
        unsafe target.pointee.mtu = Int32(clamping: details.status.mtu)
        unsafe target.pointee.num_addresses = Int16(addresses.count)
        unsafe target.pointee.num_routes = UInt32(count)
        let slots = unsafe elements(target, \.addr, as: sockaddr_storage.self)
        var index = 0
        for prefix in addresses {
            unsafe AddressMemory.writeHost(prefix.address, port: UInt16(prefix.length), to: slots + index)
            index += 1
        }
        let routes = unsafe elements(target, \.routes, as: zts_virtual_network_route.self)
        for index in 0..<count {
            unsafe fill(routes + index, details.status.routes[index], details.routeAttributes[index])
        }
    }

    /// A network of this node's controller; nil if it is gone.
    static func fill(
        _ target: UnsafeMutablePointer<zts_network_details>, _ id: NetworkID, _ network: ControlledNetwork?
    ) {
        unsafe target.pointee.nwid = id.value
        guard let settings = network?.settings else { return }
        unsafe target.pointee.mtu = Int32(clamping: settings.mtu)
        let shown = settings.routes.prefix(Int(ZTS_MAX_NETWORK_ROUTES))
        unsafe target.pointee.num_routes = UInt32(shown.count)
        let routes = unsafe elements(target, \.routes, as: zts_virtual_network_route.self)
        for (index, route) in shown.enumerated() { unsafe fill(routes + index, route, .none) }
    }

    static func fill(
        _ target: UnsafeMutablePointer<zts_virtual_network_route>, _ route: NetworkStatus.Route,
        _ attributes: NetworkDetails.RouteAttributes
    ) {
        unsafe AddressMemory.writeHost(
            route.target.address, port: UInt16(route.target.length), to: elements(target, \.target, as: UInt8.self))
        if let via = route.via {
            unsafe AddressMemory.writeHost(via, to: elements(target, \.via, as: UInt8.self))
        }
        unsafe target.pointee.flags = attributes.flags
        unsafe target.pointee.metric = attributes.metric
    }

    static func fill(_ target: UnsafeMutablePointer<zts_netif_details>, _ details: NetworkDetails) {
        unsafe target.pointee.nwid = details.status.id.value
        unsafe target.pointee.mac = details.status.mac.bits
        unsafe target.pointee.mtu = Int32(clamping: details.status.mtu)
    }

    static func fill(
        _ target: UnsafeMutablePointer<zts_physical_path>, _ path: PeerStatus.Path, _ now: UInt64
    ) {
        unsafe AddressMemory.writeHost(
            path.endpoint.address, port: path.endpoint.port, to: elements(target, \.address, as: UInt8.self))
        unsafe target.pointee.lastSend = moment(path.sinceSend, now)
        unsafe target.pointee.lastReceive = moment(path.sinceReceive, now)
        unsafe target.pointee.expired = path.isAlive ? 0 : 1
        unsafe target.pointee.preferred = path.isPreferred ? 1 : 0
    }

    static func fill(_ target: UnsafeMutablePointer<zts_peer_details>, _ info: PeerInfo) {
        let peer = info.status
        let version = version(peer.version)
        unsafe target.pointee.address = peer.id.value
        unsafe target.pointee.versionMajor = version.0
        unsafe target.pointee.versionMinor = version.1
        unsafe target.pointee.versionRev = version.2
        unsafe target.pointee.latency = milliseconds(peer.latency)
        unsafe target.pointee.role = role(peer.role)
        let paths = peer.paths.prefix(Int(ZT_MAX_PEER_NETWORK_PATHS))
        unsafe target.pointee.pathCount = UInt32(paths.count)
        let slots = unsafe elements(target, \.paths, as: zts_physical_path.self)
        var index = 0
        for path in paths {
            unsafe fill(slots + index, path, info.unixMilliseconds)
            index += 1
        }
    }

    // MARK: Values

    static func role(_ role: PeerRole) -> zts_peer_role {
        switch role {
        case .leaf: ZTS_PEER_ROLE_LEAF
        case .moon: ZTS_PEER_ROLE_MOON
        case .planet: ZTS_PEER_ROLE_PLANET
        }
    }

    /// Milliseconds since 1970 of something so long ago; 0 for never.
    static func moment(_ since: Duration?, _ now: UInt64) -> UInt64 {
        guard let since else { return 0 }
        return now - min(now, UInt64(max(0, milliseconds(since))))
    }

    /// Milliseconds; -1 for unknown.
    static func milliseconds(_ duration: Duration?) -> Int32 {
        guard let duration else { return -1 }
        let (seconds, attoseconds) = duration.components
        let (product, isTooLarge) = seconds.multipliedReportingOverflow(by: 1000)
        guard !isTooLarge else { return .max }
        return Int32(clamping: product &+ attoseconds / 1_000_000_000_000_000)
    }

    /// "1.14.2" as numbers; -1 for unknown.
    static func version(_ text: String?) -> (Int32, Int32, Int32) {
        let parts = (text ?? "").split(separator: ".").map { Int32($0) ?? -1 }
        return parts.count == 3 ? (parts[0], parts[1], parts[2]) : (-1, -1, -1)
    }
}
