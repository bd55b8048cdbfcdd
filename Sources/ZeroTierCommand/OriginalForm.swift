// A node's state in the form of the original's tools. Members that have no meaning here have the value of a feature that is
// off.

import JSONValues
import ZeroTier

/// The answers to the original's verbs.
enum OriginalVerb {
    static func answer(_ words: [String], asJSON: Bool, _ node: Node) throws(ZeroTierError) -> String {
        switch words[0] {
        case "info":
            let status = try self.status(try node.status(), try node.planet())
            return asJSON ? status.text : OriginalTable.info(status)
        case "listpeers":
            let peers = JSONValue.array(try node.peers().map(peer))
            return asJSON ? peers.text : OriginalTable.listPeers(rows(peers), now: unixMilliseconds)
        case "listnetworks":
            let networks = JSONValue.array(
                try node.networkDetails().map { (details) throws(ZeroTierError) in
                    JSONValue.object(network(details, try node.settings(of: details.status.id)))
                })
            return asJSON ? networks.text : OriginalTable.listNetworks(rows(networks), now: unixMilliseconds)
        case "listmoons": return JSONValue.array(try node.moons().map(moon)).text
        case "get": return try get(words, node)
        case "set": return try set(words, node)
        case "orbit":
            try node.orbit(try number(words, 1), seed: NodeID(try number(words, 2)))
            return asJSON ? "{}" : "200 orbit OK"
        case "deorbit":
            try node.deorbit(try number(words, 1))
            return asJSON ? #"{"result":true}"# : "200 deorbit OK"
        default: throw ZeroTierError(.invalidArgument, "unknown request \(words[0])")
        }
    }

    private static func rows(_ list: JSONValue) -> [ReplyValue] { ReplyValue(list).elements ?? [] }

    private static func number(_ words: [String], _ index: Int) throws(ZeroTierError) -> UInt64 {
        guard index < words.count, let value = UInt64(words[index], radix: 16), value != 0 else {
            throw ZeroTierError(.invalidArgument, "not a hexadecimal number: \(words)")
        }
        return value
    }

    private static var unixMilliseconds: Int64 { SystemClock.now().unixMilliseconds }

    // MARK: Status

    private static func status(_ status: NodeStatus, _ planet: RootSet?) throws(ZeroTierError) -> JSONValue {
        let settings: [(String, JSONValue)] = [
            ("allowTcpFallbackRelay", .bool(false)), ("forceTcpRelay", .bool(false)),
            ("listeningOn", .array(status.localEndpoints.map { .string(slashed($0)) })),
            ("portMappingEnabled", .bool(false)), ("primaryPort", .integer(Int64(status.port))),
            ("surfaceAddresses", .array(status.surfaceEndpoints.map { .string(slashed($0)) })),
        ]
        var members: [(String, JSONValue)] = [("address", .text(status.id))]
        members.append(("clock", .integer(unixMilliseconds)))
        members.append(("config", .object([("settings", .object(settings))])))
        members.append(("online", .bool(status.isOnline)))
        members.append(("planetWorldId", .integer(Int64(clamping: planet?.id ?? 0))))
        members.append(("planetWorldTimestamp", .integer(Int64(clamping: planet?.timestampMilliseconds ?? 0))))
        members.append(("publicIdentity", .string(status.publicIdentity)))
        members.append(("tcpFallbackActive", .bool(false)))
        members.append(("version", .string(libraryVersionText)))
        members.append(("versionBuild", .integer(0)))
        members.append(("versionMajor", .integer(Int64(libraryVersion.major))))
        members.append(("versionMinor", .integer(Int64(libraryVersion.minor))))
        members.append(("versionRev", .integer(Int64(libraryVersion.revision))))
        return .object(members)
    }

    private static func slashed(_ endpoint: SocketEndpoint) -> String { "\(endpoint.address)/\(endpoint.port)" }

    // MARK: Peers

    private static func milliseconds(_ duration: Duration?) -> Int64 {
        duration.map { Int64(($0.seconds * 1000).rounded()) } ?? -1
    }

    private static func peer(_ peer: PeerStatus) -> JSONValue {
        let now = unixMilliseconds
        func instant(_ since: Duration?) -> JSONValue { .integer(since.map { now - milliseconds($0) } ?? 0) }
        let parts = (peer.version ?? "").split(separator: ".").compactMap { Int64($0) }
        let version = parts.count == 3 ? parts : [-1, -1, -1]
        var members: [(String, JSONValue)] = [("address", .text(peer.id)), ("isBonded", .bool(false))]
        members.append(("latency", .integer(milliseconds(peer.latency))))
        members.append(
            (
                "paths",
                .array(
                    peer.paths.filter(\.isAlive).map { path in
                        .object([
                            ("active", .bool(true)), ("address", .string(slashed(path.endpoint))),
                            ("expired", .bool(false)), ("lastReceive", instant(path.sinceReceive)),
                            ("lastSend", instant(path.sinceSend)), ("preferred", .bool(path.isPreferred)),
                            ("trustedPathId", .integer(0)),
                        ])
                    })
            ))
        members.append(("role", .string(peer.role.rawValue.uppercased())))
        members.append(("tunneled", .bool(false)))
        members.append(("version", .string(version.map(String.init).joined(separator: "."))))
        members.append(("versionMajor", .integer(version[0])))
        members.append(("versionMinor", .integer(version[1])))
        members.append(("versionRev", .integer(version[2])))
        return .object(members)
    }

    // MARK: Networks

    private static func name(_ state: NetworkStatus.State) -> String {
        switch state {
        case .requestingConfiguration: "REQUESTING_CONFIGURATION"
        case .ok: "OK"
        case .accessDenied: "ACCESS_DENIED"
        case .notFound: "NOT_FOUND"
        case .portError: "PORT_ERROR"
        case .clientTooOld: "CLIENT_TOO_OLD"
        case .authenticationRequired: "AUTHENTICATION_REQUIRED"
        }
    }

    private static func type(_ network: NetworkStatus) -> String { network.isPrivate ? "PRIVATE" : "PUBLIC" }

    private static func network(_ details: NetworkDetails, _ settings: NetworkSettings) -> [(String, JSONValue)] {
        let network = details.status
        var members: [(String, JSONValue)] = [
            ("allowDNS", .bool(settings.allowsDNS)), ("allowDefault", .bool(settings.allowsDefault)),
            ("allowGlobal", .bool(settings.allowsGlobal)),
        ]
        members.append(("allowManaged", .bool(settings.allowsManaged)))
        members.append(("assignedAddresses", .array(network.addresses.map { .text($0) })))
        members.append(("bridge", .bool(details.isBridge)))
        if let page = network.authenticationURL {
            members.append(("authenticationURL", .string(page)))
            members.append(("ssoEnabled", .bool(true)))
        }
        members.append(("broadcastEnabled", .bool(network.isBroadcastEnabled)))
        members.append(("dhcp", .bool(false)))
        members.append(
            (
                "dns",
                .object([
                    ("domain", .string(network.nameDomain)), ("servers", .array(network.nameServers.map { .text($0) })),
                ])
            ))
        members.append(("id", .text(network.id)))
        members.append(("mac", .text(network.mac)))
        members.append(("mtu", .integer(Int64(network.mtu))))
        members.append(
            (
                "multicastSubscriptions",
                .array(
                    details.groups.map {
                        .object([("adi", .integer(Int64($0.distinguisher))), ("mac", .text($0.mac))])
                    })
            ))
        members.append(("name", .string(network.name)))
        members.append(("netconfRevision", .integer(Int64(clamping: details.revision))))
        members.append(("nwid", .text(network.id)))
        members.append(("portDeviceName", .string("")))
        members.append(("portError", .integer(0)))
        let routes = zip(network.routes, details.routeAttributes).map { route, attributes -> JSONValue in
            .object([
                ("flags", .integer(Int64(attributes.flags))), ("metric", .integer(Int64(attributes.metric))),
                ("target", .text(route.target)), ("via", .text(route.via)),
            ])
        }
        members.append(("routes", .array(routes)))
        members.append(("status", .string(name(network.state))))
        members.append(("type", .string(type(network))))
        return members
    }

    private static func joined(
        _ id: NetworkID, _ node: Node
    ) throws(ZeroTierError) -> (NetworkDetails, NetworkSettings) {
        guard let details = try node.networkDetails().first(where: { $0.status.id == id }) else {
            throw ZeroTierError(.notJoined, "the node has not joined network \(id)")
        }
        return (details, try node.settings(of: id))
    }

    // The network after the change.
    private static func set(_ words: [String], _ node: Node) throws(ZeroTierError) -> String {
        guard words.count == 4 else { throw ZeroTierError(.invalidArgument, "not a network and a setting: \(words)") }
        let id = try ControlServer.parse(words[1])
        var (_, settings) = try joined(id, node)
        try change(&settings, words[2], words[3])
        try node.setSettings(settings, of: id)
        let (details, changed) = try joined(id, node)
        return JSONValue.object(network(details, changed)).text
    }

    /// Changes one setting as it is written. Throws for a value that is none: the original takes it for "no".
    static func change(_ settings: inout NetworkSettings, _ name: String, _ value: String) throws(ZeroTierError) {
        let isAllowed: Bool? =
            switch value {
            case "1", "true": true
            case "0", "false": false
            default: nil
            }
        switch (name, isAllowed) {
        case ("allowManaged", let isAllowed?):
            settings.allowsManaged = isAllowed
            settings.managedPrefixes = []
        case ("allowManaged", nil):
            let prefixes = value.split(separator: ",", omittingEmptySubsequences: false).map { IPPrefix(String($0)) }
            guard prefixes.allSatisfy({ $0 != nil }) else {
                throw ZeroTierError(
                    .invalidArgument, "allowManaged is 1, 0, or prefixes such as 10.0.0.0/8,fd00::/8, not \(value)")
            }
            settings.allowsManaged = true
            settings.managedPrefixes = prefixes.compactMap { $0 }
        case ("allowGlobal", let isAllowed?): settings.allowsGlobal = isAllowed
        case ("allowDefault", let isAllowed?): settings.allowsDefault = isAllowed
        case ("allowDNS", let isAllowed?): settings.allowsDNS = isAllowed
        case ("allowGlobal", nil), ("allowDefault", nil), ("allowDNS", nil):
            throw ZeroTierError(.invalidArgument, "\(name) is 1 or 0, not \(value)")
        default:
            throw ZeroTierError(
                .invalidArgument,
                "there is no setting \(name): allowManaged, allowGlobal, allowDefault and allowDNS can be set")
        }
    }

    // One member of a network as text.
    private static func get(_ words: [String], _ node: Node) throws(ZeroTierError) -> String {
        guard words.count == 3 else { throw ZeroTierError(.invalidArgument, "not a network and a member: \(words)") }
        let (details, settings) = try joined(try ControlServer.parse(words[1]), node)
        guard let text = OriginalTable.property(words[2], of: .object(network(details, settings))) else {
            throw ZeroTierError(
                .invalidArgument, "a network has no member \(words[2]) of one value: see `listnetworks --json`")
        }
        return text
    }

    // MARK: Moons

    private static func moon(_ moon: RootSet) -> JSONValue {
        let digits = String(moon.id, radix: 16)
        return .object([
            ("id", .string(String(repeating: "0", count: 16 - digits.count) + digits)),
            (
                "roots",
                .array(
                    moon.roots.map { root in
                        .object([
                            ("identity", .string(root.identity.publicText)),
                            ("stableEndpoints", .array(root.endpoints.map { .string(slashed($0)) })),
                        ])
                    })
            ), ("timestamp", .integer(Int64(clamping: moon.timestampMilliseconds))), ("waiting", .bool(false)),
        ])
    }
}
