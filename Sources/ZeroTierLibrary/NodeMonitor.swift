// From a node's state at two moments to the events between them.

import NetPrimitives
import ZeroTier

/// What the program was told so far, and what it has to be told now.
struct NodeMonitor {
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

    private struct KnownPath: Hashable {
        var endpoint: SocketEndpoint
        var isAlive: Bool
    }

    private var networks: [NetworkID: KnownNetwork] = [:]
    private var paths: [NodeID: [KnownPath]] = [:]
    // What the program was told last of how a peer is reached.
    private var reach: [NodeID: LibraryEvent.PeerChange] = [:]
    // States of networks and peers are told once a root has answered.
    private var wasOnline = false
    private var rounds = 0

    /// In a stream of events peers' paths are compared only every so often; without events, at every look: nothing announces
    /// them.
    private static let roundsBetweenPaths = 2

    /// What the program is told after these events of the node, or after a while without any.
    mutating func take(_ told: [NodeEvent], of node: Node, info: () -> NodeInfo) -> [LibraryEvent] {
        var result: [LibraryEvent] = []
        for event in told {
            switch event {
            case .online:
                wasOnline = true
                result.append(.node(.online, NodeMonitor.info(info(), isOnline: true)))
            case .offline:
                result.append(.node(.offline, NodeMonitor.info(info(), isOnline: false, why: try? node.status())))
            case .warning(let error) where error.code == .noRootAnswered:
                // Of a node that never was online, every minute: one that was has told so. It may be online by now.
                var now = info()
                now.offlineReason = error.message
                if !now.isOnline, !wasOnline { result.append(.node(.offline, now)) }
            case .identityCollision: result.append(.node(.identityCollision, info()))
            default: break
            }
        }
        // What a stranger sends must not cost a look at everything.
        if !told.isEmpty, told.allSatisfy(\.isMessage) { return result }
        if let current = try? node.networkDetails() { compare(current, &result) }
        result += takePeers(told) { try? node.peers() }
        return result
    }

    // What the event says goes: the state may have changed since.
    private static func info(_ info: NodeInfo, isOnline: Bool, why status: NodeStatus? = nil) -> NodeInfo {
        var result = info
        result.isOnline = isOnline
        result.offlineReason = status?.offlineReason
        return result
    }

    // MARK: Networks

    private mutating func compare(_ current: [NetworkDetails], _ result: inout [LibraryEvent]) {
        for details in current.sorted(by: { $0.status.id < $1.status.id }) { compare(details, &result) }
        let ids = Set(current.map(\.status.id))
        for id in networks.keys.sorted() where !ids.contains(id) {
            if let known = networks.removeValue(forKey: id) { NodeMonitor.takeDown(known, &result) }
        }
    }

    private mutating func compare(_ details: NetworkDetails, _ result: inout [LibraryEvent]) {
        let status = details.status
        var known = networks[status.id] ?? KnownNetwork(details: details)
        compareAddresses(details, &known, &result)
        compareRoutes(details, &known, &result)
        if wasOnline {
            compareReadiness(details, &known, &result)
            if known.state != status.state {
                known.state = status.state
                result.append(.network(LibraryEvent.NetworkChange(status.state), details))
            }
        }
        if NodeMonitor.isUpdate(known.details, details) { result.append(.network(.updated, details)) }
        known.details = details
        networks[status.id] = known
    }

    // Whether a configuration has replaced another; the first one is told of as readiness. What is for this member alone is
    // no new revision of the network.
    private static func isUpdate(_ old: NetworkDetails, _ new: NetworkDetails) -> Bool {
        guard old.revision != 0 else { return false }
        return old.revision != new.revision || old.status.name != new.status.name || old.status.mtu != new.status.mtu
            || old.status.addresses != new.status.addresses || old.status.routes != new.status.routes
            || old.routeAttributes != new.routeAttributes || old.isBridge != new.isBridge
            || old.status.isPrivate != new.status.isPrivate
            || old.status.isBroadcastEnabled != new.status.isBroadcastEnabled
    }

    private func compareAddresses(
        _ details: NetworkDetails, _ known: inout KnownNetwork, _ result: inout [LibraryEvent]
    ) {
        let status = details.status
        for old in known.addresses where !status.addresses.contains(old) {
            result.append(.address(isAdded: false, status.id, old))
        }
        if status.addresses.isEmpty, known.isUp {
            known.isUp = false
            result.append(.interface(.linkDown, details))
            result.append(.interface(.down, details))
        }
        for new in status.addresses where !known.addresses.contains(new) {
            known.hasInterface = true
            result.append(.interface(.up, details))
            if !known.isUp {
                known.isUp = true
                result.append(.interface(.linkUp, details))
            }
            result.append(.address(isAdded: true, status.id, new))
        }
        known.addresses = status.addresses
    }

    private func compareRoutes(
        _ details: NetworkDetails, _ known: inout KnownNetwork, _ result: inout [LibraryEvent]
    ) {
        let current = Array(zip(details.status.routes, details.routeAttributes))
        for old in known.routes where !current.contains(where: { $0 == old }) {
            result.append(.route(isAdded: false, old.0, old.1))
        }
        for new in current where !known.routes.contains(where: { $0 == new }) {
            result.append(.route(isAdded: true, new.0, new.1))
        }
        known.routes = current
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
        // One that lost all its addresses is down, and still there.
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
        paths = [:]
        return result
    }

    // MARK: Peers

    /// What these events, and the peers' paths now and then, say of peers. `peers` nil: the node is gone.
    mutating func takePeers(_ told: [NodeEvent], _ peers: () -> [PeerStatus]?) -> [LibraryEvent] {
        var result: [LibraryEvent] = []
        rounds += 1
        var changes: [(NodeID, LibraryEvent.PeerChange)] = []
        for event in told {
            switch event {
            case .peerDirect(let id, _): changes.append((id, .direct))
            case .peerRelayed(let id): changes.append((id, .relayed))
            case .peerUnreachable(let id), .peerExpired(let id): changes.append((id, .unreachable))
            default: break
            }
        }
        guard !changes.isEmpty || told.isEmpty || rounds % NodeMonitor.roundsBetweenPaths == 0,
            let peers = peers()
        else { return [] }
        let now = unixMilliseconds()
        for (id, change) in changes where change != .unreachable || reach[id] != .unreachable {
            reach[id] = change
            let status = peers.first { $0.id == id } ?? PeerStatus.forgotten(id)
            result.append(.peer(change, PeerInfo(status: status, unixMilliseconds: now)))
        }
        compareReach(peers, now, &result)
        comparePaths(peers, now, &result)
        return result
    }

    // A relayed peer falls silent, or a silent one is heard again through a root: no event tells of these.
    private mutating func compareReach(_ peers: [PeerStatus], _ now: UInt64, _ result: inout [LibraryEvent]) {
        var known: [NodeID: LibraryEvent.PeerChange] = [:]
        for peer in peers {
            guard let was = reach[peer.id] else { continue }
            var isNow = was
            if was == .relayed, !peer.isReachable { isNow = .unreachable }
            if was == .unreachable, peer.isReachable { isNow = peer.isDirect ? .direct : .relayed }
            known[peer.id] = isNow
            if isNow != was { result.append(.peer(isNow, PeerInfo(status: peer, unixMilliseconds: now))) }
        }
        reach = known
    }

    private mutating func comparePaths(_ peers: [PeerStatus], _ now: UInt64, _ result: inout [LibraryEvent]) {
        var current: [NodeID: [KnownPath]] = [:]
        for peer in peers.sorted(by: { $0.id < $1.id }) {
            let info = PeerInfo(status: peer, unixMilliseconds: now)
            let former = paths[peer.id] ?? []
            current[peer.id] = peer.paths.map { KnownPath(endpoint: $0.endpoint, isAlive: $0.isAlive) }
            for path in peer.paths {
                guard let old = former.first(where: { $0.endpoint == path.endpoint }) else {
                    result.append(.path(.discovered, path, info))
                    continue
                }
                if old.isAlive != path.isAlive { result.append(.path(path.isAlive ? .alive : .dead, path, info)) }
            }
            for old in former where old.isAlive && !peer.paths.contains(where: { $0.endpoint == old.endpoint }) {
                result.append(.path(.dead, .forgotten(old.endpoint), info))
            }
        }
        paths = current
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
    /// Whether it tells of nothing but bytes that a peer sent.
    fileprivate var isMessage: Bool {
        if case .message = self { true } else { false }
    }
}
