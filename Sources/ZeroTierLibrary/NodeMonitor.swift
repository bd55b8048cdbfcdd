// Turns events of the node into events of the program, one by one. Nothing is polled.

import NetPrimitives
import ZeroTier

/// What the program knows so far.
struct NodeMonitor {
    /// Details that events do not carry: the present state of their subject. Nil if it is gone.
    struct Source {
        var info: () -> NodeInfo
        var offlineReason: () -> String?
        var network: (NetworkID) -> NetworkDetails?
        var peer: (NodeID) -> PeerStatus?
        var controlled: (NetworkID) -> ControlledNetwork?
    }

    private struct KnownNetwork {
        var details: NetworkDetails
        var addresses: [IPPrefix] = []
        var routes: [(NetworkStatus.Route, NetworkDetails.RouteAttributes)] = []
        var hasInterface = false
        var isUp = false
        var isReadyIPv4 = false
        var isReadyIPv6 = false
        var state: NetworkStatus.State?
    }

    private var networks: [NetworkID: KnownNetwork] = [:]
    // Peers of which the program heard last that they are out of reach.
    private var unreachable: Set<NodeID> = []
    // States of networks are told once a root has answered.
    private var wasOnline = false

    /// The events for the program after an event of the node.
    mutating func take(_ event: NodeEvent, _ source: Source) -> [LibraryEvent] {
        var result: [LibraryEvent] = []
        switch event {
        case .online:
            wasOnline = true
            result.append(.node(.online, NodeMonitor.info(source, isOnline: true)))
            for id in networks.keys.sorted() { look(at: id, source, &result) }
        case .offline: result.append(.node(.offline, NodeMonitor.info(source, isOnline: false)))
        case .warning(let error) where error.code == .noRootAnswered:
            // Every minute, for a node that was never online. A node that was online has told its end. It may be online
            // by now.
            var now = source.info()
            now.offlineReason = error.message
            if !now.isOnline, !wasOnline { result.append(.node(.offline, now)) }
        case .identityCollision: result.append(.node(.identityCollision, source.info()))
        case .networkReady(let id, _), .networkChanged(let id), .networkFailed(let id, _): look(at: id, source, &result)
        case .address(let id, let prefix, let isAdded): take(prefix, isAdded: isAdded, of: id, source, &result)
        case .route(let id, let route, let isAdded): take(route, isAdded: isAdded, of: id, source, &result)
        case .networkLeft(let id):
            if let known = networks.removeValue(forKey: id) { NodeMonitor.takeDown(known, &result) }
        case .peerDirect(let id, _): tell(id, .direct, source, &result)
        case .peerRelayed(let id): tell(id, .relayed, source, &result)
        case .peerUnreachable(let id): tell(id, .unreachable, source, &result)
        case .peerExpired(let id):
            if !unreachable.contains(id) { tell(id, .unreachable, source, &result) }
            unreachable.remove(id)
        case .path(let id, let endpoint, let change): take(change, endpoint, of: id, source, &result)
        case .controlledNetworkChanged(let id):
            result.append(.controller(.networkChanged, id, source.controlled(id), nil))
        case .memberWaiting(let id, let node):
            result.append(.controller(.memberWaiting, id, source.controlled(id), NodeMonitor.peer(node, source)))
        case .networkMemberChanged(let id, let node):
            result.append(.controller(.memberChanged, id, source.controlled(id), NodeMonitor.peer(node, source)))
        default: break
        }
        return result
    }

    // The event counts, not the state, which may have changed since.
    private static func info(_ source: Source, isOnline: Bool) -> NodeInfo {
        var result = source.info()
        result.isOnline = isOnline
        result.offlineReason = isOnline ? nil : source.offlineReason()
        return result
    }

    // MARK: Networks

    // The network's state and configuration changed, or may be told now.
    private mutating func look(at id: NetworkID, _ source: Source, _ result: inout [LibraryEvent]) {
        // If it was left meanwhile, that is the next event.
        guard let details = source.network(id) else { return }
        var known = networks[id] ?? KnownNetwork(details: details)
        defer { networks[id] = known }
        // The node may be ahead of its events. Addresses that the program does not know yet come first, then the state that
        // goes with them.
        let isBehind = details.status.state == .ok && Set(known.addresses) != Set(details.status.addresses)
        if isBehind { return }
        if wasOnline {
            compareReadiness(details, &known, &result)
            if known.state != details.status.state {
                known.state = details.status.state
                result.append(.network(LibraryEvent.NetworkChange(details.status.state), details))
            }
        }
        if NodeMonitor.isUpdate(known.details, details) { result.append(.network(.updated, details)) }
        known.details = details
    }

    // Whether a configuration has replaced another. The first one shows as readiness. A change for this member alone is no
    // new revision of the network.
    private static func isUpdate(_ old: NetworkDetails, _ new: NetworkDetails) -> Bool {
        guard old.revision != 0 else { return false }
        return old.revision != new.revision || old.status.name != new.status.name || old.status.mtu != new.status.mtu
            || old.status.addresses != new.status.addresses || old.status.routes != new.status.routes
            || old.routeAttributes != new.routeAttributes || old.isBridge != new.isBridge
            || old.status.isPrivate != new.status.isPrivate
            || old.status.isBroadcastEnabled != new.status.isBroadcastEnabled
    }

    private mutating func take(
        _ prefix: IPPrefix, isAdded: Bool, of id: NetworkID, _ source: Source, _ result: inout [LibraryEvent]
    ) {
        let current = source.network(id)
        guard var known = networks[id] ?? current.map({ KnownNetwork(details: $0) }) else { return }
        defer { networks[id] = known }
        let details = current ?? known.details
        let index = known.addresses.firstIndex(of: prefix)
        if isAdded {
            guard index == nil else { return }
            known.addresses.append(prefix)
            known.hasInterface = true
            result.append(.interface(.up, details))
            if !known.isUp {
                known.isUp = true
                result.append(.interface(.linkUp, details))
            }
            result.append(.address(isAdded: true, id, prefix))
            return
        }
        guard let index else { return }
        known.addresses.remove(at: index)
        result.append(.address(isAdded: false, id, prefix))
        // Another may take its place with the next event. A network that was left goes down as a whole.
        guard known.addresses.isEmpty, let current, current.status.addresses.isEmpty else { return }
        known.isUp = false
        result.append(.interface(.linkDown, details))
        result.append(.interface(.down, details))
    }

    private mutating func take(
        _ route: NetworkStatus.Route, isAdded: Bool, of id: NetworkID, _ source: Source, _ result: inout [LibraryEvent]
    ) {
        let current = source.network(id)
        guard var known = networks[id] ?? current.map({ KnownNetwork(details: $0) }) else { return }
        defer { networks[id] = known }
        if isAdded {
            let all = current.map { Array(zip($0.status.routes, $0.routeAttributes)) } ?? []
            // A path that is gone again is not told at all.
            guard let new = all.first(where: { pair in pair.0 == route && !known.routes.contains { $0 == pair } })
            else { return }
            known.routes.append(new)
            result.append(.route(isAdded: true, new.0, new.1))
        } else if let index = known.routes.firstIndex(where: { $0.0 == route }) {
            let old = known.routes.remove(at: index)
            result.append(.route(isAdded: false, old.0, old.1))
        }
    }

    private func compareReadiness(
        _ details: NetworkDetails, _ known: inout KnownNetwork, _ result: inout [LibraryEvent]
    ) {
        let isUsable = details.status.state == .ok
        let hasIPv4 = isUsable && details.status.addresses.contains { $0.address.isIPv4 }
        let hasIPv6 = isUsable && details.status.addresses.contains { $0.address.isIPv6 }
        let isNewIPv4 = hasIPv4 && !known.isReadyIPv4
        let isNewIPv6 = hasIPv6 && !known.isReadyIPv6
        if isNewIPv4 { result.append(.network(.readyIPv4, details)) }
        if isNewIPv6 { result.append(.network(.readyIPv6, details)) }
        if isNewIPv4, isNewIPv6 { result.append(.network(.readyBoth, details)) }
        known.isReadyIPv4 = hasIPv4
        known.isReadyIPv6 = hasIPv6
    }

    private static func takeDown(_ known: KnownNetwork, _ result: inout [LibraryEvent]) {
        let details = known.details
        for address in known.addresses { result.append(.address(isAdded: false, details.status.id, address)) }
        for (route, attributes) in known.routes { result.append(.route(isAdded: false, route, attributes)) }
        if known.isUp {
            result.append(.interface(.linkDown, details))
            result.append(.interface(.down, details))
        }
        // A network that lost all its addresses is down, and still there.
        if known.hasInterface { result.append(.interface(.removed, details)) }
        result.append(.network(.down, details))
    }

    /// All networks go down: the node stops.
    mutating func leaveAll() -> [LibraryEvent] {
        var result: [LibraryEvent] = []
        for id in networks.keys.sorted() {
            if let known = networks[id] { NodeMonitor.takeDown(known, &result) }
        }
        networks = [:]
        unreachable = []
        return result
    }

    // MARK: Peers

    private mutating func tell(
        _ id: NodeID, _ change: LibraryEvent.PeerChange, _ source: Source, _ result: inout [LibraryEvent]
    ) {
        if change == .unreachable { unreachable.insert(id) } else { unreachable.remove(id) }
        result.append(.peer(change, NodeMonitor.peer(id, source)))
    }

    private func take(
        _ change: NodeEvent.PathChange, _ endpoint: SocketEndpoint, of id: NodeID, _ source: Source,
        _ result: inout [LibraryEvent]
    ) {
        let info = NodeMonitor.peer(id, source)
        let path = info.status.paths.first { $0.endpoint == endpoint } ?? .forgotten(endpoint)
        switch change {
        case .learned: result.append(.path(.discovered, path, info))
        case .revived: result.append(.path(.alive, path, info))
        case .silent: result.append(.path(.dead, path, info))
        // It was dead before.
        case .lost: break
        }
    }

    private static func peer(_ id: NodeID, _ source: Source) -> PeerInfo {
        PeerInfo(status: source.peer(id) ?? .forgotten(id), unixMilliseconds: unixMilliseconds())
    }
}

extension LibraryEvent.NetworkChange {
    init(_ state: NetworkStatus.State) {
        switch state {
        case .requestingConfiguration: self = .requestingConfiguration
        case .ok: self = .ok
        case .accessDenied, .authenticationRequired: self = .accessDenied
        case .notFound: self = .notFound
        case .portError: self = .down
        case .clientTooOld: self = .clientTooOld
        }
    }
}

extension NodeEvent {
    /// How easily an event is lost to a program that is behind: never those of rank 0, first those of the highest. Nil: of no
    /// interest.
    var rank: Int? {
        switch self {
        // A program that misses one does the wrong thing from then on.
        case .online, .offline, .identityCollision, .stopped: 0
        case .networkReady, .networkChanged, .networkFailed, .networkLeft, .address, .route, .warning, .memberWaiting,
            .controlledNetworkChanged, .networkMemberChanged:
            1
        case .peerDirect, .peerRelayed, .peerUnreachable, .peerExpired, .path: 2
        case .rootsAsked, .message, .missed, .addressConflict, .localAddressesChanged, .storageFailed,
            .memberAddressMissing:
            nil
        }
    }
}
