// Events in the form of generation 2: `zts_event_msg_t`.

import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary

extension EventSink {
    /// Tells a handler of generation 2.
    static func generation2(_ handler: @escaping (UnsafeMutableRawPointer) -> Void) -> EventSink {
        EventSink(
            deliver: { event in
                guard let code = event.codes.second else { return }
                LastMessage.set(event.explanation)
                unsafe withZeroed(zts_event_msg_t.self) { message in
                    unsafe message.pointee.event_code = code
                    unsafe event.fill(message) { unsafe handler($0) }
                }
            }, wantsStores: true)
    }
}

extension LibraryEvent {
    // Fills what belongs to the event and calls.
    fileprivate func fill(
        _ message: UnsafeMutablePointer<zts_event_msg_t>, then handler: (UnsafeMutablePointer<zts_event_msg_t>) -> Void
    ) {
        switch self {
        case .stackUp, .stackDown: unsafe handler(message)
        case .node(_, let info):
            unsafe withZeroed(zts_node_info_t.self) { target in
                unsafe Details2.fill(target, info)
                unsafe message.pointee.node = target
                unsafe handler(message)
            }
        case .network(_, let network):
            unsafe withZeroed(zts_net_info_t.self) { target in
                unsafe Details2.fill(target, network)
                unsafe message.pointee.network = target
                unsafe handler(message)
            }
        case .interface(_, let network):
            unsafe withZeroed(zts_netif_info_t.self) { target in
                unsafe target.pointee.net_id = network.status.id.value
                unsafe target.pointee.mac = network.status.mac.bits
                unsafe target.pointee.mtu = Int32(clamping: network.status.mtu)
                unsafe message.pointee.netif = target
                unsafe handler(message)
            }
        case .peer(_, let peer), .path(_, _, let peer):
            unsafe withZeroed(zts_peer_info_t.self) { target in
                unsafe Details2.fill(target, peer)
                unsafe message.pointee.peer = target
                unsafe handler(message)
            }
        case .route(_, let route, let attributes):
            unsafe withZeroed(zts_route_info_t.self) { target in
                unsafe Details2.fill(target, route, attributes)
                unsafe message.pointee.route = target
                unsafe handler(message)
            }
        case .address(_, let network, let prefix):
            unsafe withZeroed(zts_addr_info_t.self) { target in
                unsafe target.pointee.net_id = network.value
                unsafe AddressMemory.writeStack(prefix.address, to: elements(target, \.addr, as: UInt8.self))
                unsafe message.pointee.addr = target
                unsafe handler(message)
            }
        case .store(_, let bytes):
            // The length does not count the final zero: handlers print the text.
            var copy = bytes + [0]
            unsafe copy.withUnsafeMutableBytes { buffer in
                unsafe message.pointee.cache = buffer.baseAddress
                unsafe message.pointee.len = Int32(clamping: bytes.count)
                unsafe handler(message)
            }
        case .controller(_, let id, let network, let peer):
            unsafe withZeroed(zts_net_info_t.self) { target in
                unsafe Details2.fill(target, id, network)
                unsafe message.pointee.network = target
                guard let peer else { return unsafe handler(message) }
                unsafe withZeroed(zts_peer_info_t.self) { target in
                    unsafe Details2.fill(target, peer)
                    unsafe message.pointee.peer = target
                    unsafe handler(message)
                }
            }
        }
    }
}

/// Fills the structures of generation 2. Targets are zeroed.
enum Details2 {
    static func fill(_ target: UnsafeMutablePointer<zts_node_info_t>, _ info: NodeInfo) {
        unsafe target.pointee.node_id = info.id
        unsafe target.pointee.port_primary = info.port
        unsafe target.pointee.ver_major = UInt8(libraryVersion.major)
        unsafe target.pointee.ver_minor = UInt8(libraryVersion.minor)
        unsafe target.pointee.ver_rev = UInt8(libraryVersion.revision)
    }

    static func status(_ state: NetworkStatus.State) -> zts_network_status_t {
        switch state {
        case .requestingConfiguration: ZTS_NETWORK_STATUS_REQUESTING_CONFIGURATION
        case .ok: ZTS_NETWORK_STATUS_OK
        case .accessDenied, .authenticationRequired: ZTS_NETWORK_STATUS_ACCESS_DENIED
        case .notFound: ZTS_NETWORK_STATUS_NOT_FOUND
        case .portError: ZTS_NETWORK_STATUS_PORT_ERROR
        case .clientTooOld: ZTS_NETWORK_STATUS_CLIENT_TOO_OLD
        }
    }

    static func fill(_ target: UnsafeMutablePointer<zts_net_info_t>, _ details: NetworkDetails) {
        let status = details.status
        unsafe target.pointee.net_id = status.id.value
        unsafe target.pointee.mac = status.mac.bits
        unsafe fillName(target, status.name)
        unsafe target.pointee.status = Details2.status(status.state)
        unsafe target.pointee.type = status.isPrivate ? ZTS_NETWORK_TYPE_PRIVATE : ZTS_NETWORK_TYPE_PUBLIC
        unsafe target.pointee.mtu = UInt32(clamping: status.mtu)
        unsafe target.pointee.bridge = details.isBridge ? 1 : 0
        unsafe target.pointee.broadcast_enabled = status.isBroadcastEnabled ? 1 : 0
        unsafe target.pointee.port_error = status.state == .portError ? 1 : 0
        unsafe target.pointee.netconf_rev = UInt(details.revision)
        unsafe fillLists(target, details)
    }

    /// A network of this node's controller; nil if it is gone.
    static func fill(_ target: UnsafeMutablePointer<zts_net_info_t>, _ id: NetworkID, _ network: ControlledNetwork?) {
        unsafe target.pointee.net_id = id.value
        unsafe target.pointee.status = network == nil ? ZTS_NETWORK_STATUS_NOT_FOUND : ZTS_NETWORK_STATUS_OK
        guard let network else { return }
        let settings = network.settings
        unsafe fillName(target, settings.name)
        unsafe target.pointee.type = settings.isPrivate ? ZTS_NETWORK_TYPE_PRIVATE : ZTS_NETWORK_TYPE_PUBLIC
        unsafe target.pointee.mtu = UInt32(clamping: settings.mtu)
        unsafe target.pointee.broadcast_enabled = settings.isBroadcastEnabled ? 1 : 0
        unsafe target.pointee.netconf_rev = UInt(network.revision)
        let shown = settings.routes.prefix(Int(ZTS_MAX_NETWORK_ROUTES))
        unsafe target.pointee.route_count = UInt32(shown.count)
        let routes = unsafe elements(target, \.routes, as: zts_route_info_t.self)
        for (index, route) in shown.enumerated() { unsafe fill(routes + index, route, .none) }
    }

    private static func fillName(_ target: UnsafeMutablePointer<zts_net_info_t>, _ text: String) {
        let name = unsafe elements(target, \.name, as: CChar.self)
        for (index, byte) in text.utf8.prefix(Int(ZTS_MAX_NETWORK_SHORT_NAME_LENGTH)).enumerated() {
            unsafe name[index] = CChar(bitPattern: byte)
        }
    }

    // The importer leaves out so long an array.
    private static let groupOffset = 2568

    private static func fillLists(_ target: UnsafeMutablePointer<zts_net_info_t>, _ details: NetworkDetails) {
        let addresses = details.status.addresses.prefix(Int(ZTS_MAX_ASSIGNED_ADDRESSES))
        unsafe target.pointee.assigned_addr_count = UInt32(addresses.count)
        let slots = unsafe elements(target, \.assigned_addrs, as: zts_sockaddr_storage.self)
        for (index, prefix) in addresses.enumerated() {
            unsafe AddressMemory.writeStack(prefix.address, port: UInt16(prefix.length), to: slots + index)
        }
        let count = min(details.status.routes.count, details.routeAttributes.count, Int(ZTS_MAX_NETWORK_ROUTES))
        unsafe target.pointee.route_count = UInt32(count)
        let routes = unsafe elements(target, \.routes, as: zts_route_info_t.self)
        for index in 0..<count {
            unsafe fill(routes + index, details.status.routes[index], details.routeAttributes[index])
        }
        let groups = details.groups.prefix(Int(ZTS_MAX_MULTICAST_SUBSCRIPTIONS))
        unsafe target.pointee.multicast_sub_count = UInt32(groups.count)
        // Sound: the array is the last member, of pairs of 16 bytes each, as the layout test asserts.
        let pairs = unsafe UnsafeMutableRawPointer(target) + groupOffset
        for (index, group) in groups.enumerated() {
            unsafe pairs.storeBytes(of: group.mac.bits, toByteOffset: 16 * index, as: UInt64.self)
            unsafe pairs.storeBytes(of: group.distinguisher, toByteOffset: 16 * index + 8, as: UInt32.self)
        }
    }

    static func fill(
        _ target: UnsafeMutablePointer<zts_route_info_t>, _ route: NetworkStatus.Route,
        _ attributes: NetworkDetails.RouteAttributes
    ) {
        unsafe AddressMemory.writeStack(
            route.target.address, port: UInt16(route.target.length), to: elements(target, \.target, as: UInt8.self))
        if let via = route.via {
            unsafe AddressMemory.writeStack(via, to: elements(target, \.via, as: UInt8.self))
        }
        unsafe target.pointee.flags = attributes.flags
        unsafe target.pointee.metric = attributes.metric
    }

    static func fill(_ target: UnsafeMutablePointer<zts_peer_info_t>, _ info: PeerInfo) {
        let peer = info.status
        let version = Details.version(peer.version)
        unsafe target.pointee.peer_id = peer.id.value
        unsafe target.pointee.ver_major = version.0
        unsafe target.pointee.ver_minor = version.1
        unsafe target.pointee.ver_rev = version.2
        unsafe target.pointee.latency = Details.milliseconds(peer.latency)
        unsafe target.pointee.role = Details.role(peer.role)
        let paths = peer.paths.prefix(Int(ZTS_MAX_PEER_NETWORK_PATHS))
        unsafe target.pointee.path_count = UInt32(paths.count)
        let slots = unsafe elements(target, \.paths, as: zts_path_t.self)
        for (index, path) in paths.enumerated() { unsafe fill(slots + index, path, info.unixMilliseconds) }
    }

    private static func fill(_ target: UnsafeMutablePointer<zts_path_t>, _ path: PeerStatus.Path, _ now: UInt64) {
        unsafe AddressMemory.writeStack(
            path.endpoint.address, port: path.endpoint.port, to: elements(target, \.address, as: UInt8.self))
        unsafe target.pointee.last_tx = Details.moment(path.sinceSend, now)
        unsafe target.pointee.last_rx = Details.moment(path.sinceReceive, now)
        unsafe target.pointee.latency = Float(Details.milliseconds(path.latency))
        unsafe target.pointee.expired = path.isAlive ? 0 : 1
        unsafe target.pointee.preferred = path.isPreferred ? 1 : 0
    }
}
