// Statuses and events as text for people and JSON for programs.

import JSONValues
import ZeroTier
import ZeroTierService

/// Something that can be shown both ways.
struct Report: Sendable {
    let text: String
    let json: JSONValue
    /// How grave it is, in a log.
    var level = LogLevel.info
    /// What else is to be known, a line each: for the standard error beside the text. JSON has it as members of its own.
    var warnings: [String] = []

    func rendered(asJSON: Bool) -> String { asJSON ? json.text : text }
}

extension Report {
    /// The state of a node and what is wrong with it, all in one line.
    static func status(_ status: NodeStatus, _ problems: [ZeroTierError]) -> Report {
        var lines = [
            "node \(status.id), \(status.isOnline ? "online" : "offline"), UDP port \(status.port)"
                + (status.isRoot ? ", root" : ""),
            "version: \(libraryVersionText)", "peers: \(status.peerCount)",
        ]
        if !problems.isEmpty { lines.append("wrong: \(problems.map(\.message).joined(separator: "; "))") }
        if !status.localEndpoints.isEmpty {
            lines.append("local: " + status.localEndpoints.map(\.description).joined(separator: " "))
        }
        if !status.surfaceEndpoints.isEmpty {
            lines.append("seen as: " + status.surfaceEndpoints.map(\.description).joined(separator: " "))
        }
        // One member at a time: the compiler takes minutes for the whole as one expression.
        var members: [(String, JSONValue)] = []
        members.append(("address", .text(status.id)))
        members.append(("version", .string(libraryVersionText)))
        members.append(("online", .bool(status.isOnline)))
        members.append(("offlineReason", .text(status.offlineReason)))
        let wrong = problems.map { problem -> JSONValue in
            .object([("code", .string(problem.code.rawValue)), ("message", .string(problem.message))])
        }
        members.append(("problems", .array(wrong)))
        members.append(("port", .integer(Int64(status.port))))
        members.append(("root", .bool(status.isRoot)))
        members.append(("publicIdentity", .string(status.publicIdentity)))
        members.append(("peers", .integer(Int64(status.peerCount))))
        members.append(("localEndpoints", .array(status.localEndpoints.map { JSONValue.text($0) })))
        members.append(("surfaceEndpoints", .array(status.surfaceEndpoints.map { JSONValue.text($0) })))
        members.append(("datagramsSent", count(status.datagramsSent)))
        members.append(("sendCalls", count(status.sendCalls)))
        members.append(("sendsBlocked", count(status.sendsBlocked)))
        members.append(("relayedPackets", count(status.relayedPackets)))
        let suites: [(String, JSONValue)] = [
            ("authenticatedOnly", count(status.packetsBySuite.authenticatedOnly)),
            ("salsa", count(status.packetsBySuite.salsa)), ("gmacSIV", count(status.packetsBySuite.gmacSIV)),
        ]
        members.append(("packetsBySuite", .object(suites)))
        let drops = status.drops.sorted { $0.key < $1.key }
        members.append(("drops", .object(drops.map { ($0.key.description, count($0.value)) })))
        return Report(text: lines.joined(separator: "\n"), json: .object(members))
    }

    private static func count(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }

    static func peers(_ peers: [PeerStatus]) -> Report {
        let rows = peers.map { peer in
            let path = peer.paths.first { $0.isPreferred }
            let reach = peer.isDirect ? "direct" : peer.isReachable ? "relayed" : "unreachable"
            return [
                peer.id.description, peer.role.rawValue, reach, peer.version ?? "-",
                peer.latency?.inMilliseconds ?? "-", path?.endpoint.description ?? "-",
            ]
        }
        return Report(
            text: rows.isEmpty
                ? "no peers" : table(["PEER", "ROLE", "REACHED", "VERSION", "LATENCY", "ENDPOINT"], rows),
            json: .array(
                peers.map { peer in
                    .object([
                        ("address", .string(peer.id.description)), ("role", .string(peer.role.rawValue)),
                        ("direct", .bool(peer.isDirect)), ("version", .text(peer.version)),
                        ("protocol", .integer(Int64(peer.protocolVersion))),
                        ("latencyMilliseconds", .milliseconds(peer.latency)),
                        ("paths", .array(peer.paths.map(path))),
                    ])
                }))
    }

    private static func path(_ path: PeerStatus.Path) -> JSONValue {
        .object([
            ("endpoint", .string(path.endpoint.description)), ("alive", .bool(path.isAlive)),
            ("preferred", .bool(path.isPreferred)), ("latencyMilliseconds", .milliseconds(path.latency)),
            ("sinceReceiveMilliseconds", .milliseconds(path.sinceReceive)),
            ("sinceSendMilliseconds", .milliseconds(path.sinceSend)),
        ])
    }

    static func networks(_ all: [(status: NetworkStatus, problem: ZeroTierError?)]) -> Report {
        let networks = all.map(\.status)
        let rows = networks.map { network in
            let isKept = !network.isUsable && network.state != .requestingConfiguration
            return [
                network.id.description, network.name.isEmpty ? "-" : printable(network.name), network.state.rawValue,
                network.mac.description, String(network.mtu),
                network.addresses.isEmpty || isKept ? "-" : network.addresses.map(\.description).joined(separator: " "),
            ]
        }
        let pages = all.compactMap { network, problem -> String? in
            if let page = network.authenticationURL {
                return "sign on to network \(network.id) at \(printable(page))"
            }
            guard let problem, network.state != .requestingConfiguration else { return nil }
            let kept = network.addresses.map(\.description).joined(separator: " ")
            return problem.message + (kept.isEmpty ? "" : "; until then \(kept) cannot be used")
        }
        return Report(
            text: rows.isEmpty
                ? "no networks"
                : ([table(["NETWORK", "NAME", "STATE", "MAC", "MTU", "ADDRESSES"], rows)] + pages)
                    .joined(separator: "\n"),
            json: .array(networks.map { network($0) }))
    }

    /// Columns under their headers, two spaces apart. The last one has any length.
    static func table(_ headers: [String], _ rows: [[String]]) -> String {
        let all = [headers] + rows
        let widths = headers.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.indices.map { column in
                let padding = column == row.count - 1 ? 0 : widths[column] + 2 - row[column].count
                return row[column] + String(repeating: " ", count: padding)
            }.joined()
        }.joined(separator: "\n")
    }

    // The text is the controller's: make it one line, without anything that a terminal obeys.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator: "\u{fffd}"
                    default: scalar
                    }
                }))
    }

    static func network(_ network: NetworkStatus) -> JSONValue {
        let names: JSONValue = .object([
            ("domain", .string(network.nameDomain)), ("servers", .array(network.nameServers.map { .text($0) })),
        ])
        return .object([
            ("id", .string(network.id.description)), ("name", .string(network.name)),
            ("state", .string(network.state.rawValue)), ("usable", .bool(network.isUsable)),
            ("mac", .string(network.mac.description)),
            ("mtu", .integer(Int64(network.mtu))), ("private", .bool(network.isPrivate)),
            ("broadcast", .bool(network.isBroadcastEnabled)),
            ("addresses", .array(network.addresses.map { .string($0.description) })),
            (
                "routes",
                .array(
                    network.routes.map {
                        .object([("target", .string($0.target.description)), ("via", .text($0.via))])
                    })
            ), ("dns", names), ("authenticationURL", .text(network.authenticationURL)),
        ])
    }

    private static func level(of event: NodeEvent) -> LogLevel {
        switch event {
        case .offline, .networkFailed, .addressConflict, .missed, .warning, .peerUnreachable: .warning
        case .identityCollision, .storageFailed: .error
        default: .info
        }
    }

    private static func waiting(_ node: NodeID, _ network: NetworkID) -> Report {
        Report(
            text: "network \(network): node \(node) waits to be let in",
            json: .object([("event", .string("memberWaiting")), ("network", .text(network)), ("node", .text(node))]))
    }

    private static func controllerChanged(_ network: NetworkID, member: NodeID? = nil) -> Report {
        let name = member == nil ? "controlledNetworkChanged" : "networkMemberChanged"
        let subject = member.map { "member \($0) of network \(network)" } ?? "network \(network)"
        return Report(
            text: "controller: \(subject) changed",
            json: .object([("event", .string(name)), ("network", .text(network)), ("node", .text(member))]))
    }

    private static func unserved(_ node: NodeID, _ network: NetworkID) -> Report {
        Report(
            text: "network \(network): no address is left in the pools for member \(node)",
            json: .object([
                ("event", .string("memberAddressMissing")), ("network", .text(network)), ("node", .text(node)),
            ]), level: .warning)
    }

    private static func list(_ endpoints: [SocketEndpoint]) -> String {
        endpoints.map(\.description).joined(separator: " ")
    }

    private static func members(_ endpoints: [SocketEndpoint]) -> [(String, JSONValue)] {
        [("endpoints", .array(endpoints.map { .text($0) }))]
    }

    static func event(_ event: NodeEvent) -> Report {
        func report(_ name: String, _ text: String, _ members: [(String, JSONValue)] = []) -> Report {
            Report(text: text, json: .object([("event", .string(name))] + members), level: level(of: event))
        }
        switch event {
        case .rootsAsked(let endpoints):
            return report("rootsAsked", "asks the roots at \(list(endpoints))", members(endpoints))
        case .online: return report("online", "online")
        case .offline: return report("offline", "offline: no root answers")
        case .peerDirect(let peer, let endpoint):
            return report(
                "peerDirect", "peer \(peer) direct at \(endpoint)",
                [("peer", .text(peer)), ("endpoint", .text(endpoint))])
        case .warning(let error):
            return report("warning", error.message, [("code", .string(error.code.rawValue))])
        case .peerUnreachable(let peer):
            return report("peerUnreachable", "peer \(peer) does not answer any more", [("peer", .text(peer))])
        case .peerRelayed(let peer): return report("peerRelayed", "peer \(peer) relayed", [("peer", .text(peer))])
        case .path(let peer, let endpoint, let change):
            return report(
                "path", "path of \(peer) at \(endpoint): \(change.rawValue)",
                [("peer", .text(peer)), ("endpoint", .text(endpoint)), ("change", .string(change.rawValue))])
        case .peerExpired(let peer): return report("peerExpired", "peer \(peer) expired", [("peer", .text(peer))])
        case .networkReady(let network, let addresses):
            return report(
                "networkReady",
                "network \(network) ready: \(addresses.map(\.description).joined(separator: " "))",
                [("network", .text(network)), ("addresses", .array(addresses.map { .text($0) }))])
        case .networkChanged(let network):
            return report("networkChanged", "network \(network) changed", [("network", .text(network))])
        case .address(let network, let prefix, let isAdded):
            return report(
                isAdded ? "addressAdded" : "addressRemoved",
                "network \(network): \(isAdded ? "got" : "lost") the address \(prefix)",
                [("network", .text(network)), ("address", .text(prefix))])
        case .route(let network, let route, let isAdded):
            return report(
                isAdded ? "routeAdded" : "routeRemoved",
                "network \(network): \(isAdded ? "got" : "lost") the route to \(route.target)",
                [("network", .text(network)), ("target", .text(route.target))])
        case .networkFailed(let network, let error):
            return report(
                "networkFailed", "network \(network): \(error.message)",
                [("network", .text(network)), ("code", .text(error.code)), ("message", .string(error.message))])
        case .networkLeft(let network):
            return report("networkLeft", "network \(network) left", [("network", .text(network))])
        case .memberWaiting(let network, let node): return waiting(node, network)
        case .controlledNetworkChanged(let network): return controllerChanged(network)
        case .networkMemberChanged(let network, let node): return controllerChanged(network, member: node)
        case .memberAddressMissing(let network, let node): return unserved(node, network)
        case .addressConflict(let network, let address):
            return report(
                "addressConflict", "network \(network): another machine uses \(address)",
                [("network", .text(network)), ("address", .text(address))])
        case .localAddressesChanged(let endpoints):
            return report("localAddressesChanged", "local \(list(endpoints))", members(endpoints))
        case .identityCollision:
            return report("identityCollision", "another node has this node's address: this identity cannot be used")
        case .storageFailed(let error):
            return report("storageFailed", error.message, [("message", .string(error.message))])
        case .message(let peer, let type, let data):
            return report(
                "message", "message of type \(type) from \(peer): \(data.count) bytes",
                [("peer", .text(peer)), ("type", .string(String(type))), ("bytes", .integer(Int64(data.count)))])
        case .missed(let count):
            return report("missed", "\(count) events missed", [("count", .integer(Int64(count)))])
        case .stopped: return report("stopped", "stopped")
        }
    }
}
