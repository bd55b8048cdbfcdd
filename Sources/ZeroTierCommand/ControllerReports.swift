// What `zerotier controller` shows: networks, their rules and tokens, and members.

import Foundation
import JSONValues
import ZeroTier

extension Report {
    static func controlled(_ networks: [ControlledNetwork]) -> Report {
        let rows = networks.map { network in
            let settings = network.settings
            return [
                "\(network.id)", settings.isPrivate ? "private" : "public", "\(network.revision)",
                settings.routes.map { "\($0.target)" }.joined(separator: ","),
                network.warnings.isEmpty ? "-" : "\(network.warnings.count)", printable(settings.name),
            ]
        }
        return Report(
            text: networks.isEmpty
                ? "no networks: make one by `zerotier controller network create`"
                : table(["network", "type", "revision", "routes", "warnings", "name"], rows),
            json: .array(networks.map(json)))
    }

    static func controlled(_ network: ControlledNetwork) -> Report {
        let settings = network.settings
        var lines = [
            "network \(network.id) \(printable(settings.name))", "type: \(settings.isPrivate ? "private" : "public")",
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
        lines.append(
            "rules: " + (settings.rules == NetworkRules() ? "everything is allowed" : "\(settings.rules.count)"))
        for tag in settings.rules.tags {
            let value = tag.defaultValue.map { "default \(tag.word(of: $0))" } ?? "no default"
            lines.append("tag: \(tag.word) (\(tag.id)), \(value)")
        }
        for capability in settings.rules.capabilities {
            lines.append(
                "capability: \(capability.word) (\(capability.id)), \(capability.count) rules"
                    + (capability.isDefault ? ", given to new members" : ""))
        }
        return Report(
            text: lines.joined(separator: "\n"), json: json(network), warnings: network.warnings.map(\.description))
    }

    static func created(_ network: ControlledNetwork) -> Report {
        let shown = controlled(network)
        let advice =
            network.settings.isPrivate
            ? "members join it by: zerotier join \(network.id)\nand are let in by: zerotier controller member authorize "
                + "\(network.id) NODE"
            : "members join it by: zerotier join \(network.id)"
        return Report(text: shown.text + "\n" + advice, json: shown.json, warnings: shown.warnings)
    }

    private static func json(_ warning: ControllerWarning) -> JSONValue {
        .object([
            ("kind", .string(warning.kind)), ("field", .string(warning.field)), ("problem", .string(warning.problem)),
            ("remedy", .string(warning.remedy)),
        ])
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
        let tokens = settings.tokens.map { ($0.text, JSONValue.integer(Int64(clamping: $0.expires))) }
        members.append(("authTokens", .object(tokens)))
        members += ruleMembers(settings.rules)
        members.append(("warnings", .array(network.warnings.map(json))))
        return .object(members)
    }

    // MARK: Rules and tokens

    static func rules(_ network: ControlledNetwork) -> Report {
        let rules = network.settings.rules
        var text = rules.text
        if text.hasSuffix("\n") { text.removeLast() }
        var members: [(String, JSONValue)] = [("nwid", .text(network.id)), ("rulesSource", .string(rules.source))]
        members += tables(rules)
        return Report(text: text, json: .object(members), warnings: network.warnings.map(\.description))
    }

    private static func tables(_ rules: NetworkRules) -> [(String, JSONValue)] {
        guard case .object(let tables)? = try? JSONDocument(Array(rules.json.utf8)).root else { return [] }
        return tables.members.map { ($0.key, $0.value) }
    }

    // As a record has them: the tables beside everything else.
    private static func ruleMembers(_ rules: NetworkRules) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = []
        for (key, value) in tables(rules) {
            if key == "config", case .object(let config) = value {
                members += config.members.map { ($0.key, $0.value) }
            } else {
                members.append((key, value))
            }
        }
        return members + [("rulesSource", .string(rules.source))]
    }

    static func tokens(of network: ControlledNetwork) -> Report {
        let tokens = network.settings.tokens
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let rows = tokens.map { [$0.text, lifetime($0, now)] }
        return Report(
            text: tokens.isEmpty
                ? "no tokens: add one by `zerotier controller token add \(network.id)`"
                : table(["token", "lets in"], rows), json: .array(tokens.map(json)))
    }

    static func added(_ token: ControlledNetwork.Token, to network: NetworkID) -> Report {
        Report(
            text: "\(token.text)\nwho has it joins by: zerotier join \(network) --token \(token.text)",
            json: json(token))
    }

    private static func lifetime(_ token: ControlledNetwork.Token, _ now: Int64) -> String {
        guard token.expires > 0 else { return "for ever" }
        let left = Int64(clamping: token.expires) - now
        if left <= 0 { return "nobody any more" }
        return left < 7_200_000 ? "for \((left + 59_999) / 60_000) minutes" : "for \(left / 3_600_000) hours"
    }

    private static func json(_ token: ControlledNetwork.Token) -> JSONValue {
        .object([("token", .string(token.text)), ("expires", .integer(Int64(clamping: token.expires)))])
    }

    // MARK: Members

    static func members(
        _ members: [NetworkMember], waiting: [NodeID], _ rules: NetworkRules
    ) -> Report {
        let names = RuleNames(rules)
        var rows = members.map { member in
            [
                "\(member.id)", member.settings.isAuthorized ? "authorized" : "not authorized",
                member.isOnline ? "online" : "-", addresses(member), names.tags(of: member),
                names.capabilities(of: member), member.version ?? "-", printable(member.settings.name),
            ]
        }
        rows += waiting.map { ["\($0)", "waiting", "online", "-", "-", "-", "-", ""] }
        let headers = ["node", "state", "", "addresses", "tags", "capabilities", "version", "name"]
        return Report(
            text: rows.isEmpty ? "no members, and nobody waits" : table(headers, rows),
            json: .array(
                members.map(json)
                    + waiting.map { node -> JSONValue in .object([("id", .text(node)), ("waiting", .bool(true))]) }),
            warnings: members.flatMap { member in member.warnings.map { "member \(member.id): \($0)" } })
    }

    /// One member, with everything that is known of it.
    static func member(_ member: NetworkMember, _ rules: NetworkRules) -> Report {
        let (settings, names) = (member.settings, RuleNames(rules))
        var lines = [
            "member \(member.id) \(printable(settings.name))", "network: \(member.network)",
            "state: \(settings.isAuthorized ? "authorized" : "not authorized")\(member.isOnline ? ", online" : "")",
        ]
        switch member.admission {
        case .administrator: lines.append("let in by: an administrator")
        case .publicNetwork: lines.append("let in by: the network, which was public")
        case .token(let token): lines.append("let in by: token \(printable(token))")
        default: break
        }
        if member.lastAuthorizedTime > 0 { lines.append("last let in: \(time(member.lastAuthorizedTime))") }
        if member.lastDeauthorizedTime > 0 { lines.append("last let out: \(time(member.lastDeauthorizedTime))") }
        lines.append("addresses: \(addresses(member))")
        if settings.isRefused { lines.append("no token lets it in: an administrator let it out") }
        if settings.takesNoAssignment { lines.append("gets no addresses of the pools") }
        if settings.isActiveBridge { lines.append("bridge: yes") }
        lines.append("tags: \(names.tags(of: member))")
        lines.append("capabilities: \(names.capabilities(of: member))")
        lines.append("version: \(member.version ?? "-")")
        return Report(
            text: lines.joined(separator: "\n"), json: json(member), warnings: member.warnings.map(\.description))
    }

    /// A node that nobody let in and that has no record.
    static func waiting(_ node: NodeID, of network: NetworkID) -> Report {
        Report(
            text: "member \(node)\nnetwork: \(network)\nstate: waiting, online",
            json: .object([("id", .text(node)), ("nwid", .text(network)), ("waiting", .bool(true))]))
    }

    // What it has, and what it should have and has not.
    private static func addresses(_ member: NetworkMember) -> String {
        let missing = member.warnings.compactMap { warning -> String? in
            guard case .addressMissing(let isIPv4) = warning else { return nil }
            return "no \(isIPv4 ? "IPv4" : "IPv6") left"
        }
        let all = member.settings.addresses.map(\.description) + missing
        return all.isEmpty ? "-" : all.joined(separator: ",")
    }

    private static func time(_ milliseconds: UInt64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
    }

    private static func json(_ member: NetworkMember) -> JSONValue {
        let settings = member.settings
        var members: [(String, JSONValue)] = []
        members.append(("id", .text(member.id)))
        members.append(("nwid", .text(member.network)))
        members.append(("name", .string(settings.name)))
        members.append(("authorized", .bool(settings.isAuthorized)))
        members.append(("refused", .bool(settings.isRefused)))
        members.append(("online", .bool(member.isOnline)))
        members.append(("activeBridge", .bool(settings.isActiveBridge)))
        members.append(("noAutoAssignIps", .bool(settings.takesNoAssignment)))
        members.append(("ipAssignments", .array(settings.addresses.map { JSONValue.text($0) })))
        let tags = settings.tags.sorted { $0.key < $1.key }.map {
            JSONValue.array([JSONValue($0.key), JSONValue($0.value)])
        }
        members.append(("tags", .array(tags)))
        members.append(("capabilities", .array(settings.capabilities.map { JSONValue($0) })))
        members.append(("revision", .integer(Int64(clamping: member.revision))))
        members.append(("creationTime", .integer(Int64(clamping: member.creationTime))))
        members.append(("lastAuthorizedTime", .integer(Int64(clamping: member.lastAuthorizedTime))))
        members.append(("lastDeauthorizedTime", .integer(Int64(clamping: member.lastDeauthorizedTime))))
        members.append(("version", .text(member.version)))
        members.append(("warnings", .array(member.warnings.map(json))))
        return .object(members)
    }
}

/// What a network's rules call their tags and capabilities; those that they do not know have numbers.
private struct RuleNames {
    private let tags: [UInt32: NetworkRules.Tag]
    private let capabilities: [UInt32: NetworkRules.Capability]

    init(_ rules: NetworkRules) {
        tags = Dictionary(rules.tags.map { ($0.id, $0) }) { first, _ in first }
        capabilities = Dictionary(rules.capabilities.map { ($0.id, $0) }) { first, _ in first }
    }

    func tags(of member: NetworkMember) -> String {
        let all = member.settings.tags.sorted { $0.key < $1.key }.map { id, value in
            tags[id].map { "\($0.word)=\($0.word(of: value))" } ?? "\(id)=\(value)"
        }
        return all.isEmpty ? "-" : all.joined(separator: ",")
    }

    func capabilities(of member: NetworkMember) -> String {
        let all = member.settings.capabilities.map { capabilities[$0]?.word ?? "\($0)" }
        return all.isEmpty ? "-" : all.joined(separator: ",")
    }
}

extension NetworkRules.Tag {
    fileprivate var word: String { name ?? "\(id)" }

    fileprivate func word(of value: UInt32) -> String {
        values.filter { $0.value == value }.keys.min() ?? "\(value)"
    }
}

extension NetworkRules.Capability {
    fileprivate var word: String { name ?? "\(id)" }
}
