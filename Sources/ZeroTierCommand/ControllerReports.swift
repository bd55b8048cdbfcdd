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
                settings.routes.map { "\($0.target)" }.joined(separator: ","), settings.name,
            ]
        }
        return Report(
            text: networks.isEmpty
                ? "no networks: make one by `zerotier controller network create`"
                : table(["network", "type", "revision", "routes", "name"], rows),
            json: .array(networks.map(json)))
    }

    static func controlled(_ network: ControlledNetwork) -> Report {
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
        lines.append(
            "rules: " + (settings.rules == NetworkRules() ? "everything is allowed" : "\(settings.rules.count)"))
        return Report(text: lines.joined(separator: "\n"), json: json(network))
    }

    static func created(_ network: ControlledNetwork) -> Report {
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

    // MARK: Rules and tokens

    static func rules(_ network: ControlledNetwork) -> Report {
        let rules = network.settings.rules
        var text = rules.text
        if text.hasSuffix("\n") { text.removeLast() }
        var members: [(String, JSONValue)] = [("nwid", .text(network.id)), ("rulesSource", .string(rules.source))]
        if case .object(let tables)? = try? JSONDocument(Array(rules.json.utf8)).root {
            members += tables.members.map { ($0.key, $0.value) }
        }
        return Report(text: text, json: .object(members))
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

    static func members(_ members: [NetworkMember], waiting: [NodeID]) -> Report {
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
        return .object(members)
    }
}
