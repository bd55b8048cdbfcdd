// The node's end of `zerotier controller`.
//
// network list | create WORD... | show ID | set ID WORD... | delete ID
// member list ID | set ID NODE WORD... | delete ID NODE
// A word is key=value, encoded by `RequestWord`.

import JSONValues
import ZeroTier

enum ControllerVerb {
    static func answer(_ request: [String], asJSON: Bool, _ node: Node) async throws -> String {
        let words = try request.dropFirst().map { (word) throws(ZeroTierError) -> String in
            guard let decoded = RequestWord.decode(word) else { throw malformed(request) }
            return decoded
        }
        guard words.count >= 2 else { throw malformed(request) }
        let controller = node.controller
        let rest = Array(words.dropFirst(2))
        let report: Report
        switch (words[0], words[1]) {
        case ("network", "list"): report = Report.controlled(try controller.networks())
        case ("network", "create"):
            let changes = try rest.map(NetworkChange.init)
            report = Report.created(try await controller.create { NetworkChange.apply(changes, to: &$0) })
        case ("network", "show"): report = Report.controlled(try found(controller, try network(rest)))
        case ("network", "set"):
            let id = try network(rest)
            let changes = try rest.dropFirst().map(NetworkChange.init)
            report = Report.controlled(try await controller.change(id) { NetworkChange.apply(changes, to: &$0) })
        case ("network", "delete"):
            let id = try network(rest)
            try await controller.delete(id)
            report = Report(text: "deleted network \(id)", json: .object([("deleted", .text(id))]))
        case ("member", "list"):
            let id = try network(rest)
            report = Report.members(try controller.members(of: id), waiting: try controller.waitingNodes(of: id))
        case ("member", "set"):
            let (id, member) = try place(rest)
            let changes = try rest.dropFirst(2).map(MemberChange.init)
            report = Report.members(
                [try await controller.change(member, of: id) { MemberChange.apply(changes, to: &$0) }], waiting: [])
        case ("member", "delete"):
            let (id, member) = try place(rest)
            try await controller.remove(member, from: id)
            report = Report(
                text: "forgot member \(member) of network \(id)",
                json: .object([("network", .text(id)), ("deleted", .text(member))]))
        default: throw malformed(request)
        }
        return report.rendered(asJSON: asJSON)
    }

    private static func malformed(_ request: [String]) -> ZeroTierError {
        ZeroTierError(.invalidArgument, "unknown request \(request.joined(separator: " "))")
    }

    private static func network(_ words: [String]) throws(ZeroTierError) -> NetworkID {
        try ControlServer.parse(words.first ?? "")
    }

    private static func place(_ words: [String]) throws(ZeroTierError) -> (NetworkID, NodeID) {
        guard words.count >= 2, let node = NodeID(words[1]) else {
            throw ZeroTierError(.invalidArgument, "a node's address has exactly 10 hexadecimal digits")
        }
        return (try network(words), node)
    }

    private static func found(
        _ controller: NetworkController, _ id: NetworkID
    ) throws(ZeroTierError) -> ControlledNetwork {
        guard let network = try controller.network(id) else {
            throw ZeroTierError(.networkNotFound, "this controller has no network \(id)")
        }
        return network
    }

    fileprivate static func split(_ word: String) throws(ZeroTierError) -> (key: String, value: String) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw ZeroTierError(.invalidArgument, "not key=value: \(word)") }
        return (String(parts[0]), String(parts[1]))
    }

    fileprivate static func yes(_ value: String, _ key: String) throws(ZeroTierError) -> Bool {
        guard let value = Switch(rawValue: value) else {
            throw ZeroTierError(.invalidArgument, "\(key): yes or no, not \(value)")
        }
        return value == .yes
    }
}

/// One change of a network, read and not yet made.
private enum NetworkChange: Sendable {
    case set(@Sendable (inout ControlledNetwork.Settings) -> Void)
    case route(NetworkStatus.Route)
    case pool(ControlledNetwork.Pool)
    case server(IPAddress)
    case token(String)

    init(_ word: String) throws {
        let (key, value) = try ControllerVerb.split(word)
        func number(_ range: ClosedRange<Int>) throws -> Int {
            guard let number = Int(value), range.contains(number) else {
                throw ZeroTierError(
                    .invalidArgument, "\(key): \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
            return number
        }
        func flag(_ path: any (WritableKeyPath<ControlledNetwork.Settings, Bool> & Sendable)) throws -> NetworkChange {
            let isOn = try ControllerVerb.yes(value, key)
            return .set { $0[keyPath: path] = isOn }
        }
        switch key {
        case "name": self = .set { $0.name = value }
        case "private": self = try flag(\.isPrivate)
        case "ipv4": self = try flag(\.assignsIPv4)
        case "ipv6": self = try flag(\.assignsIPv6)
        case "6plane": self = try flag(\.assigns6PLANE)
        case "rfc4193": self = try flag(\.assignsRFC4193)
        case "broadcast": self = try flag(\.isBroadcastEnabled)
        case "multicastLimit":
            let limit = try number(0...65_536)
            self = .set { $0.multicastLimit = limit }
        case "mtu":
            let mtu = try number(1280...10_000)
            self = .set { $0.mtu = mtu }
        case "dnsDomain": self = .set { $0.nameDomain = value }
        case "subnet":
            let subnet = try Prefixes.read(value)
            self = .set { $0.assign(subnet) }
        case "route":
            let parts = value.split(separator: ",").map(String.init)
            let via = parts.count == 2 ? IPAddress(parts[1]) : nil
            guard (1...2).contains(parts.count), let target = IPPrefix(parts[0]), parts.count == 1 || via != nil else {
                throw ZeroTierError(
                    .invalidArgument, "routes: a target and perhaps a gateway, as 10.0.0.0/8,10.1.1.1, not \(value)")
            }
            self = .route(NetworkStatus.Route(target: target, via: via))
        case "pool":
            let parts = value.split(separator: "-").map(String.init)
            guard parts.count == 2, let first = IPAddress(parts[0]), let last = IPAddress(parts[1]) else {
                throw ZeroTierError(
                    .invalidArgument, "pools: two addresses, as 10.147.17.1-10.147.17.99, not \(value)")
            }
            self = .pool(ControlledNetwork.Pool(first, last))
        case "dnsServer":
            guard let address = IPAddress(value) else {
                throw ZeroTierError(.invalidArgument, "dnsServer: an address, not \(value)")
            }
            self = .server(address)
        case "token": self = .token(value)
        default: throw ZeroTierError(.invalidArgument, "a network has no \(key)")
        }
    }

    // Lists are replaced by what is given of them.
    static func apply(_ changes: [NetworkChange], to settings: inout ControlledNetwork.Settings) {
        var routes: [NetworkStatus.Route] = []
        var pools: [ControlledNetwork.Pool] = []
        var servers: [IPAddress] = []
        var tokens: [ControlledNetwork.Token] = []
        for change in changes {
            switch change {
            case .set: break
            case .route(let route): routes.append(route)
            case .pool(let pool): pools.append(pool)
            case .server(let server): servers.append(server)
            case .token(let token): tokens.append(ControlledNetwork.Token(token))
            }
        }
        if !routes.isEmpty { settings.routes = routes }
        if !pools.isEmpty { settings.pools = pools }
        if !servers.isEmpty { settings.nameServers = servers }
        if !tokens.isEmpty { settings.tokens = tokens }
        for case .set(let change) in changes { change(&settings) }
    }
}

/// One change of a member.
private enum MemberChange: Sendable {
    case set(@Sendable (inout NetworkMember.Settings) -> Void)
    case address(IPAddress)

    init(_ word: String) throws {
        let (key, value) = try ControllerVerb.split(word)
        switch key {
        case "name": self = .set { $0.name = value }
        case "authorized":
            let isOn = try ControllerVerb.yes(value, key)
            self = .set { $0.isAuthorized = isOn }
        case "bridge":
            let isOn = try ControllerVerb.yes(value, key)
            self = .set { $0.isActiveBridge = isOn }
        case "assign":
            let isOn = try ControllerVerb.yes(value, key)
            self = .set { $0.takesNoAssignment = !isOn }
        case "address":
            guard let address = IPAddress(value) else {
                throw ZeroTierError(.invalidArgument, "address: an address, not \(value)")
            }
            self = .address(address)
        default: throw ZeroTierError(.invalidArgument, "a member has no \(key)")
        }
    }

    static func apply(_ changes: [MemberChange], to settings: inout NetworkMember.Settings) {
        let addresses = changes.compactMap { if case .address(let address) = $0 { address } else { nil } }
        if !addresses.isEmpty { settings.addresses = addresses }
        for case .set(let change) in changes { change(&settings) }
    }
}

// MARK: Reports

extension Report {
    fileprivate static func controlled(_ networks: [ControlledNetwork]) -> Report {
        let rows = networks.map { network in
            let settings = network.settings
            return [
                "\(network.id)", settings.isPrivate ? "private" : "public", "\(network.revision)",
                settings.routes.map { "\($0.target)" }.joined(separator: ","), settings.name,
            ]
        }
        return Report(
            text: networks.isEmpty
                ? "no networks: make one by `zerotier controller network create`"
                : table(["network", "type", "revision", "routes", "name"], rows),
            json: .array(networks.map(json)))
    }

    fileprivate static func controlled(_ network: ControlledNetwork) -> Report {
        let settings = network.settings
        var lines = [
            "network \(network.id) \(settings.name)", "type: \(settings.isPrivate ? "private" : "public")",
            "revision: \(network.revision)", "MTU: \(settings.mtu)", "multicast limit: \(settings.multicastLimit)",
            "broadcast: \(settings.isBroadcastEnabled ? "yes" : "no")",
        ]
        let given = [
            settings.assignsIPv4 ? "IPv4 of the pools" : nil, settings.assignsIPv6 ? "IPv6 of the pools" : nil,
            settings.assigns6PLANE ? "6PLANE" : nil, settings.assignsRFC4193 ? "RFC 4193" : nil,
        ].compactMap(\.self)
        lines.append("addresses: \(given.isEmpty ? "none" : given.joined(separator: ", "))")
        for pool in settings.pools { lines.append("pool: \(pool.first)-\(pool.last)") }
        for route in settings.routes {
            lines.append("route: \(route.target)" + (route.via.map { " by \($0)" } ?? ""))
        }
        if !settings.nameDomain.isEmpty { lines.append("domain: \(settings.nameDomain)") }
        for server in settings.nameServers { lines.append("name server: \(server)") }
        if !settings.tokens.isEmpty { lines.append("tokens: \(settings.tokens.count)") }
        return Report(text: lines.joined(separator: "\n"), json: json(network))
    }

    fileprivate static func created(_ network: ControlledNetwork) -> Report {
        let shown = controlled(network)
        let advice =
            network.settings.isPrivate
            ? "members join it by: zerotier join \(network.id)\nand are let in by: zerotier controller member authorize "
                + "\(network.id) NODE"
            : "members join it by: zerotier join \(network.id)"
        return Report(text: shown.text + "\n" + advice, json: shown.json)
    }

    private static func json(_ network: ControlledNetwork) -> JSONValue {
        let settings = network.settings
        // One member at a time, as above.
        var members: [(String, JSONValue)] = []
        members.append(("id", .text(network.id)))
        members.append(("name", .string(settings.name)))
        members.append(("private", .bool(settings.isPrivate)))
        members.append(("revision", .integer(Int64(clamping: network.revision))))
        members.append(("creationTime", .integer(Int64(clamping: network.creationTime))))
        members.append(("mtu", .integer(Int64(settings.mtu))))
        members.append(("multicastLimit", .integer(Int64(settings.multicastLimit))))
        members.append(("enableBroadcast", .bool(settings.isBroadcastEnabled)))
        members.append(("v4AssignMode", .object([("zt", .bool(settings.assignsIPv4))])))
        let modes: [(String, JSONValue)] = [
            ("6plane", .bool(settings.assigns6PLANE)), ("rfc4193", .bool(settings.assignsRFC4193)),
            ("zt", .bool(settings.assignsIPv6)),
        ]
        members.append(("v6AssignMode", .object(modes)))
        let pools = settings.pools.map { pool -> JSONValue in
            .object([("ipRangeStart", .text(pool.first)), ("ipRangeEnd", .text(pool.last))])
        }
        members.append(("ipAssignmentPools", .array(pools)))
        let routes = settings.routes.map { route -> JSONValue in
            .object([("target", .text(route.target)), ("via", .text(route.via))])
        }
        members.append(("routes", .array(routes)))
        let servers = settings.nameServers.map { JSONValue.text($0) }
        members.append(("dns", .object([("domain", .string(settings.nameDomain)), ("servers", .array(servers))])))
        return .object(members)
    }

    fileprivate static func members(_ members: [NetworkMember], waiting: [NodeID]) -> Report {
        var rows = members.map { member in
            [
                "\(member.id)", member.settings.isAuthorized ? "authorized" : "not authorized",
                member.isOnline ? "online" : "-",
                member.settings.addresses.map(\.description).joined(separator: ","), member.version ?? "-",
                member.settings.name,
            ]
        }
        rows += waiting.map { ["\($0)", "waiting", "online", "", "-", ""] }
        return Report(
            text: rows.isEmpty
                ? "no members, and nobody waits" : table(["node", "state", "", "addresses", "version", "name"], rows),
            json: .array(
                members.map(json)
                    + waiting.map { node -> JSONValue in .object([("id", .text(node)), ("waiting", .bool(true))]) }))
    }

    private static func json(_ member: NetworkMember) -> JSONValue {
        let settings = member.settings
        var members: [(String, JSONValue)] = []
        members.append(("id", .text(member.id)))
        members.append(("nwid", .text(member.network)))
        members.append(("name", .string(settings.name)))
        members.append(("authorized", .bool(settings.isAuthorized)))
        members.append(("online", .bool(member.isOnline)))
        members.append(("activeBridge", .bool(settings.isActiveBridge)))
        members.append(("noAutoAssignIps", .bool(settings.takesNoAssignment)))
        members.append(("ipAssignments", .array(settings.addresses.map { JSONValue.text($0) })))
        members.append(("revision", .integer(Int64(clamping: member.revision))))
        members.append(("creationTime", .integer(Int64(clamping: member.creationTime))))
        members.append(("lastAuthorizedTime", .integer(Int64(clamping: member.lastAuthorizedTime))))
        members.append(("lastDeauthorizedTime", .integer(Int64(clamping: member.lastDeauthorizedTime))))
        members.append(("version", .text(member.version)))
        return .object(members)
    }
}
