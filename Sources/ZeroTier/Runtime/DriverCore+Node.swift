// Events, networks and state of the machine in the words of the public interface.

import NetPrimitives
import NetStack
import ZeroTierController
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

extension DriverCore {
    // MARK: Networks

    var isOnline: Bool { node.peers.isOnline }

    /// What keeps the node from being online; nil if it is.
    var whyOffline: String? { isOnline ? nil : whyNeverOnline ?? whySilent }

    /// What keeps the node from ever being online, as things are.
    var whyNeverOnline: String? {
        if isOnline { return nil }
        if hasCollision { return "another node has this node's address" }
        let roots = (node.peers.planet.map { [$0] } ?? []) + node.peers.moons
        let endpoints = rootEndpoints
        guard !roots.isEmpty else { return "no planet is known: the node has no root to ask" }
        guard !endpoints.isEmpty else { return "the roots of the planet have no endpoints: none can be asked" }
        if localEndpoints.isEmpty { return "this machine has no address that can be used: is its network down?" }
        let families = Set(localEndpoints.map(\.address.isIPv4))
        guard endpoints.contains(where: { families.contains($0.address.isIPv4) }) else {
            return "the roots have endpoints of the one IP version only, and this machine addresses of the other"
        }
        return nil
    }

    /// Where the roots are asked.
    var rootEndpoints: [SocketEndpoint] {
        let worlds = (node.peers.planet.map { [$0] } ?? []) + node.peers.moons
        return worlds.flatMap(\.roots).flatMap(\.endpoints)
    }

    private var whySilent: String {
        let endpoints = rootEndpoints
        let asked = endpoints.prefix(4).map(\.description).joined(separator: ", ")
        return
            "no root answers (\(asked)\(endpoints.count > 4 ? ", ..." : "")): is UDP to them blocked, are they down, "
            + "or is the planet another than theirs?"
    }

    /// Throws if the node can never work again.
    func checkUsable() throws(ZeroTierError) {
        if hasCollision {
            throw ZeroTierError(
                .identityCollision, "another node has the address \(NodeID(node.address)): this identity cannot be used"
            )
        }
    }

    mutating func join(
        _ network: NetworkID, token: String? = nil, settings: NetworkSettings? = nil, now: Now
    ) throws(ZeroTierError) {
        if let reason = network.whyImpossible { throw ZeroTierError(.invalidArgument, reason) }
        if let token {
            let length = token.utf8.count
            guard (1...ProtocolLimits.joinTokenLength).contains(length), !token.utf8.contains(0) else {
                throw ZeroTierError(
                    .invalidArgument,
                    "a token has 1 to \(ProtocolLimits.joinTokenLength) bytes and no NUL; this one has \(length)")
            }
        }
        guard node.join(network.wire, token: token ?? "", now: now) else {
            throw ZeroTierError(.limitReached, "too many networks are joined")
        }
        if let settings { try setSettings(settings, of: network, now: now) }
    }

    mutating func setSettings(
        _ settings: NetworkSettings, of network: NetworkID, now: Now
    ) throws(ZeroTierError) {
        var wire = settings.wire
        wire.joinToken = node.settings(of: network.wire).joinToken
        guard node.setSettings(wire, of: network.wire, now: now) else {
            throw ZeroTierError(.notJoined, "network \(network) is not joined")
        }
    }

    func settings(of network: NetworkID) throws(ZeroTierError) -> NetworkSettings {
        guard node.network(network.wire) != nil else {
            throw ZeroTierError(.notJoined, "network \(network) is not joined")
        }
        return NetworkSettings(node.settings(of: network.wire))
    }

    mutating func leave(_ network: NetworkID, now: Now) {
        _ = node.leave(network.wire, now: now)
    }

    func networks() -> [NetworkStatus] { node.networks.map { NetworkStatus($0) } }

    func network(_ id: NetworkID) -> NetworkStatus? { node.network(id.wire).map { NetworkStatus($0) } }

    /// The network if it can be used; nil if it may be able later. Throws when it will not.
    func readyNetwork(_ network: NetworkID) throws(ZeroTierError) -> NetworkStatus? {
        guard let snapshot = node.network(network.wire) else {
            throw ZeroTierError(.notJoined, "network \(network) was left")
        }
        if snapshot.status == .notFound { throw networkError(snapshot) }
        return snapshot.status == .ok ? NetworkStatus(snapshot) : nil
    }

    var hasUnreadyNetworks: Bool { node.networks.contains { $0.status != .ok } }

    private func networkError(_ snapshot: NetworkSnapshot) -> ZeroTierError {
        let id = NetworkID(snapshot.id)
        switch snapshot.status {
        case .accessDenied:
            // The protocol has one answer for three: a member waits, it was let out, or its token is no good.
            let advice = "authorise node \(NodeID(node.address)) at its controller"
            return ZeroTierError(
                .notAuthorised,
                node.settings(of: snapshot.id).joinToken.isEmpty
                    ? "network \(id) does not admit this node yet: \(advice)"
                    : "network \(id) does not admit this node by its token, which is wrong or has expired, or its "
                        + "administrator let this node out: join with another token, or \(advice)")
        case .notFound:
            return ZeroTierError(.networkNotFound, "the controller does not know network \(id)")
        case .authenticationRequired:
            return ZeroTierError(
                .notAuthorised,
                "network \(id) wants its user to sign on first" + (snapshot.signOnPage.map { " at \($0)" } ?? ""))
        case .clientTooOld:
            return ZeroTierError(.notAuthorised, "the controller of network \(id) wants a newer protocol")
        case .portError:
            return ZeroTierError(.failed, "the virtual interface of network \(id) could not be made")
        case .ok, .requestingConfiguration:
            return ZeroTierError(
                .controllerUnreachable,
                "the controller \(id.controller?.description ?? "-") of network \(id) has not answered"
                    + (isOnline ? "" : ", and neither has any root"))
        }
    }

    /// Why a joined network cannot be used; nil if it can.
    func problem(of network: NetworkID) -> ZeroTierError? {
        node.network(network.wire).flatMap { $0.status == .ok ? nil : networkError($0) }
    }

    func whyNotReady(_ network: NetworkID) -> ZeroTierError {
        guard let snapshot = node.network(network.wire) else {
            return ZeroTierError(.notJoined, "network \(network) was left")
        }
        return networkError(snapshot)
    }

    /// What may be behind the silence of an address.
    func whyNoAnswer(_ address: IPAddress) -> String? {
        if let whyOffline { return "the node is not online: \(whyOffline)" }
        let networks = node.networks
        // A network that is ready has that address: the others are not to blame.
        let isOfReady = networks.contains { network in
            network.status == .ok
                && (network.addresses.contains { $0.contains(address) }
                    || network.routes.contains { $0.target.contains(address) })
        }
        if !isOfReady, let snapshot = networks.first(where: { $0.status != .ok }) {
            return networkError(snapshot).message
        }
        let refused = drops[.ethernet(.ruleOutbound)] ?? 0
        if refused > 0 {
            return "rules of a network refused \(refused) of this node's frames, perhaps these: do they allow it?"
        }
        return nil
    }

    // MARK: Echo

    mutating func sendEcho(
        to address: IPAddress, sequence: UInt16, _ payload: [UInt8], now: Now
    ) throws(ZeroTierError) -> EchoKey {
        nextEchoIdentifier &+= 1
        let key = EchoKey(identifier: nextEchoIdentifier, sequence: sequence)
        do throws(StackError) {
            try payload.withBytes { (span) throws(StackError) in
                try node.stack.sendEcho(
                    to: address, identifier: key.identifier, sequence: sequence, payload: span, now: now)
            }
            echoes[key] = Echo(outcome: .waiting)
        } catch {
            let failure = ZeroTierError(error, doing: "ping \(address)")
            guard error == .networkUnreachable || error == .hostUnreachable, hasUnreadyNetworks else { throw failure }
            echoes[key] = Echo(outcome: .failed(failure))
        }
        return key
    }

    private mutating func finishEcho(_ key: EchoKey, _ outcome: EchoOutcome) {
        guard let waiters = echoes[key]?.waiters else { return }
        echoes[key]?.outcome = outcome
        room.signal(waiters)
    }

    // MARK: Addresses of this machine

    /// Prefixes of our own networks, through which no packet of VL1 may travel.
    mutating func virtualPrefixes() -> [IPPrefix] { node.forbiddenPrefixes }

    mutating func setLocalNetwork(_ local: LocalNetwork, now: Now) {
        let (endpoints, gone) = port.use(local)
        localEndpoints = endpoints
        if node.setLocalNetwork(endpoints, gone: gone, now: now) { outbox.append(.localAddressesChanged(endpoints)) }
    }

    // MARK: Shutdown

    /// Closes what is open and hands out what is to be remembered.
    mutating func prepareToStop(keepingStack: Bool, now: Now) {
        storePeers(now: now)
        for id in openSockets { end(id, now) }
        openSockets = []
        guard !keepingStack else { return }
        // What is left is the socket layer's.
        for id in room.sockets { end(id, now) }
    }

    // Peers learn that the connections are over instead of waiting in vain. A stream that ended here counts as closed: it is
    // delivered.
    private mutating func end(_ id: SocketID, _ now: Now) {
        if node.stack.isUndelivered(id) { node.stack.close(id, now: now) } else { node.stack.abort(id, now: now) }
        room.end(id)
    }

    // MARK: Events

    /// Something that the machine tells.
    mutating func take(_ event: ZeroTierNode.NodeEvent, _ now: Now) {
        if let traces { traces.note(event, node.stack) }
        switch event {
        case .socket(let id, _): room.note(id)
        case .online:
            complaintDue = nil
            publish(.online)
        case .offline:
            complaintDue = now.monotonic
            publish(.offline)
        case .identityCollision:
            hasCollision = true
            publish(.identityCollision)
        case .peerDirect(let address, let endpoint):
            notePeers(now: now)
            outbox.append(.peerDirect(NodeID(address), endpoint))
        case .peerRelayed(let address): outbox.append(.peerRelayed(NodeID(address)))
        case .peerUnreachable(let address): outbox.append(.peerUnreachable(NodeID(address)))
        case .path(let address, let endpoint, let change):
            outbox.append(.path(NodeID(address), endpoint, NodeEvent.PathChange(change)))
        case .peerExpired(let address): outbox.append(.peerExpired(NodeID(address)))
        case .networkStatus(let id, let status): takeStatus(NetworkID(id), status)
        case .networkChanged(let id): publish(.networkChanged(NetworkID(id)))
        case .address(let id, let prefix, let isAdded): publish(.address(NetworkID(id), prefix, isAdded: isAdded))
        case .route(let id, let route, let isAdded):
            publish(.route(NetworkID(id), NetworkStatus.Route(route), isAdded: isAdded))
        case .networkLeft(let id): publish(.networkLeft(NetworkID(id)))
        case .addressReady: room.signal(room.node)
        case .addressConflict(let id, let address, _): publish(.addressConflict(NetworkID(id), address))
        case .echoReply(let reply):
            finishEcho(
                EchoKey(identifier: reply.identifier, sequence: reply.sequence),
                .reply(reply.roundTrip, hopLimit: Int(reply.hopLimit)))
        case .echoFailed(let destination, let identifier, let sequence, _, let error):
            finishEcho(
                EchoKey(identifier: identifier, sequence: sequence),
                .failed(ZeroTierError(error, doing: "ping \(destination)")))
        case .echoTimedOut(let destination, let identifier, let sequence):
            finishEcho(
                EchoKey(identifier: identifier, sequence: sequence),
                .failed(ZeroTierError(.timedOut, "\(destination) did not answer")))
        case .userMessage(let address, let type, let data):
            outbox.append(.message(from: NodeID(address), type: type, data: data))
        case .falseRecord(let object):
            outbox.append(
                .warning(
                    ZeroTierError(
                        .invalidIdentity,
                        "\(object.name) in the state directory holds an identity whose address does not follow from its "
                            + "keys; it was left as it is and not used. Remove it.")))
        case .controller(.memberWaiting(let id, let member)):
            outbox.append(.memberWaiting(NetworkID(id), NodeID(member)))
        case .controller(.networkChanged(let id)): outbox.append(.controlledNetworkChanged(NetworkID(id)))
        case .controller(.memberChanged(let id, let member)):
            outbox.append(.networkMemberChanged(NetworkID(id), NodeID(member)))
        case .controller(.addressMissing(let id, let member)):
            outbox.append(.memberAddressMissing(NetworkID(id), NodeID(member)))
        case .administered(let ticket, let error): finishAdministration(ticket, error)
        case .store(let object, let bytes):
            work.append(.store(name: object.name, bytes: bytes, isSecret: object.isSecret))
        case .delete(let object): work.append(.remove(name: object.name))
        }
    }

    // An event after which those who wait for the node or a network look again.
    private mutating func publish(_ event: NodeEvent) {
        outbox.append(event)
        room.signal(room.node)
    }

    private mutating func takeStatus(_ id: NetworkID, _ status: ZeroTierEthernet.NetworkStatus) {
        guard let snapshot = node.network(id.wire) else { return publish(.networkLeft(id)) }
        switch status {
        case .ok: publish(.networkReady(id, addresses: snapshot.addresses))
        case .requestingConfiguration: publish(.networkChanged(id))
        default: publish(.networkFailed(id, networkError(snapshot)))
        }
    }

    // MARK: State

    mutating func status(now: Now) -> NodeStatus {
        NodeStatus(
            id: NodeID(node.address), isOnline: isOnline, port: port.port, localEndpoints: localEndpoints,
            surfaceEndpoints: node.surfaceAddresses(now: now), publicIdentity: node.identity.text(includeSecret: false),
            peerCount: node.peers.peerCount, offlineReason: whyOffline, datagramsSent: port.statistics.datagramsSent,
            sendCalls: port.statistics.sendCalls, sendsBlocked: port.statistics.sendsBlocked,
            relayedPackets: node.peers.relayedPackets, isRoot: node.peers.isRoot,
            packetsBySuite: suiteCounts, drops: drops)
    }

    private var suiteCounts: NodeStatus.SuiteCounts {
        let suites = node.statistics.suites
        return NodeStatus.SuiteCounts(
            authenticatedOnly: suites.authenticatedOnly, salsa: suites.salsa, gmacSIV: suites.gmacSIV)
    }

    private var drops: [DropReason: UInt64] {
        let statistics = node.statistics
        var result: [DropReason: UInt64] = [:]
        for (reason, count) in statistics.peerDrops.nonZero {
            if let reason = DropReason.Peers(named: reason) { result[.peers(reason)] = count }
        }
        for (reason, count) in statistics.ethernetDrops where count > 0 {
            if let reason = DropReason.Ethernet(named: reason) { result[.ethernet(reason)] = count }
        }
        for (reason, count) in statistics.controllerDrops {
            if let reason = DropReason.Controller(named: reason) { result[.controller(reason)] = count }
        }
        for reason in StackDropReason.allCases where statistics.stack.dropped(reason) > 0 {
            if let shown = DropReason.Stack(named: reason) { result[.stack(shown)] = statistics.stack.dropped(reason) }
        }
        let others: [(DropReason, UInt64)] = [
            (.ethernet(.frameUnwritten), statistics.framesUnwritten),
            (.kernel(.sendRefused), port.statistics.sendFailures), (.kernel(.sendBufferFull), droppedReplies),
            (.kernel(.receiveTruncated), port.truncated), (.kernel(.interfaceNotUsed), port.refused),
        ]
        for (reason, count) in others where count > 0 { result[reason] = count }
        return result
    }

    var planet: RootSet? { node.peers.planet.map { RootSet($0) } }

    func peer(_ id: NodeID, now: Now) -> PeerStatus? {
        node.peers.snapshot(of: id.address, now: now).map { PeerStatus($0) }
    }

    func peers(now: Now) -> [PeerStatus] { node.peers.snapshots(now: now).map { PeerStatus($0) } }
}

extension StateObject {
    /// The name under which the object is kept.
    var name: String {
        switch self {
        case .planet: StateName.planet
        case .moon(let id): "\(StateName.moonFolder)/\(hexadecimal(id, digits: 16)).moon"
        case .peer(let address): "\(StateName.peerFolder)/\(address).peer"
        case .network(let id): "\(StateName.networkFolder)/\(id).conf"
        case .networkSettings(let id): StateName.settings(of: id)
        }
    }

    // A network's configuration holds credentials, and its settings may have a token.
    var isSecret: Bool {
        switch self {
        case .network, .networkSettings: true
        case .planet, .moon, .peer: false
        }
    }
}

extension NetworkStatus {
    init(_ snapshot: NetworkSnapshot) {
        self.init(
            id: NetworkID(snapshot.id), name: snapshot.name, state: State(snapshot.status), mac: snapshot.mac,
            mtu: snapshot.mtu, addresses: snapshot.addresses,
            routes: snapshot.routes.map { Route($0) }, isPrivate: snapshot.isPrivate,
            isBroadcastEnabled: snapshot.broadcastEnabled, nameServers: snapshot.dns.servers,
            nameDomain: snapshot.dns.domain, authenticationURL: snapshot.signOnPage)
    }
}

extension NetworkSnapshot {
    // Version 0 of single sign-on gives the whole address, later ones that of the issuer.
    fileprivate var signOnPage: String? {
        [singleSignOn?.authenticationURL, singleSignOn?.issuerURL].compactMap(\.self).first { !$0.isEmpty }
    }
}

extension NetworkStatus.Route {
    init(_ route: NetworkRoute) { self.init(target: route.target, via: route.via) }
}

extension NodeEvent.PathChange {
    init(_ change: ZeroTierPeers.PathChange) {
        self =
            switch change {
            case .learned: .learned
            case .silent: .silent
            case .revived: .revived
            case .lost: .lost
            }
    }
}

extension NetworkStatus.State {
    init(_ status: ZeroTierEthernet.NetworkStatus) {
        switch status {
        case .requestingConfiguration: self = .requestingConfiguration
        case .ok: self = .ok
        case .accessDenied: self = .accessDenied
        case .notFound: self = .notFound
        case .portError: self = .portError
        case .clientTooOld: self = .clientTooOld
        case .authenticationRequired: self = .authenticationRequired
        }
    }
}

extension PeerStatus {
    init(_ snapshot: PeerSnapshot) {
        let role: PeerRole =
            switch snapshot.role {
            case .leaf: .leaf
            case .moon: .moon
            case .planet: .planet
            }
        self.init(
            id: NodeID(snapshot.address), role: role, protocolVersion: Int(snapshot.protocolVersion),
            version: snapshot.softwareVersion?.description, latency: snapshot.latency, isDirect: snapshot.isDirect,
            isReachable: snapshot.isReachable, sinceReceive: snapshot.sinceReceive,
            traffic: Traffic(
                packetsReceived: snapshot.traffic.packetsReceived, bytesReceived: snapshot.traffic.bytesReceived,
                packetsSent: snapshot.traffic.packetsSent, bytesSent: snapshot.traffic.bytesSent,
                packetsRefused: snapshot.traffic.packetsRefused),
            paths: snapshot.paths.map { path in
                Path(
                    endpoint: path.path.remote, isAlive: path.isAlive, isPreferred: path.isPreferred,
                    sinceReceive: path.sinceReceive, sinceSend: path.sinceSend, latency: path.latency)
            })
    }
}
