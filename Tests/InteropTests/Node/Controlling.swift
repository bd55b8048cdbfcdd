// The commands of a controller: its networks and their members.

import ZeroTier

extension Host {
    /// The answer's words after `ok`; nil if it is no command of a controller.
    func performControl(_ command: Command) async throws -> String? {
        switch command.name {
        case "network-create":
            let changes = try NetworkChanges(command)
            let network = try await node().controller.create { changes.apply(to: &$0) }
            return "network=\(network.id)"
        case "network-set":
            let changes = try NetworkChanges(command)
            let network = try await node().controller.change(try command.network()) { changes.apply(to: &$0) }
            return "revision=\(network.revision)"
        case "network-delete":
            try await node().controller.delete(try command.network())
            return ""
        case "member-set": return try await setMember(command)
        case "member-delete":
            try await node().controller.remove(try command.member(), from: try command.network())
            return ""
        case "members": return try members(command)
        default: return nil
        }
    }

    private func setMember(_ command: Command) async throws -> String {
        let addresses = try command.list("addresses") { IPAddress($0) }
        let authorized = command.text("authorized").map { $0 == "1" }
        let tags = try command.list("tags") { text -> (id: UInt32, value: UInt32)? in
            let parts = text.split(separator: ":").compactMap { UInt32($0) }
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
        let member = try await node().controller.change(try command.member(), of: try command.network()) { settings in
            if let authorized { settings.isAuthorized = authorized }
            if let addresses { settings.addresses = addresses }
            for tag in tags ?? [] { settings.tags[tag.id] = tag.value }
        }
        return "revision=\(member.revision)"
    }

    private func members(_ command: Command) throws -> String {
        let network = try command.network()
        let members = try node().controller.members(of: network)
        func list(_ nodes: [NodeID]) -> String { nodes.isEmpty ? "-" : nodes.map(\.description).joined(separator: ",") }
        return "authorized=\(list(members.filter(\.settings.isAuthorized).map(\.id)))"
            + " refused=\(list(members.filter { !$0.settings.isAuthorized }.map(\.id)))"
            + " waiting=\(list(try node().controller.waitingNodes(of: network)))"
    }
}

/// What a command says of a network. What it does not name stays.
private struct NetworkChanges: Sendable {
    private let mtu: Int?
    private let subnet: IPPrefix?
    private let routes: [NetworkStatus.Route]?
    private let rfc4193: Bool?
    private let sixPlane: Bool?
    private let rules: NetworkRules?

    init(_ command: Command) throws {
        mtu = command.text("mtu") == nil ? nil : command.count("mtu", 0)
        subnet = try command.list("subnet") { IPPrefix($0) }?.first
        routes = try command.list("routes") { text in
            let parts = text.split(separator: "@").map(String.init)
            guard let target = parts.first.flatMap({ IPPrefix($0) }) else { return nil }
            guard parts.count > 1 else { return NetworkStatus.Route(target: target, via: nil) }
            return IPAddress(parts[1]).map { NetworkStatus.Route(target: target, via: $0) }
        }
        rfc4193 = command.text("rfc4193").map { $0 == "1" }
        sixPlane = command.text("6plane").map { $0 == "1" }
        // Words of a command hold no spaces.
        do {
            rules = try command.text("rules").map { text in
                try NetworkRules(String(text.map { $0 == "_" ? " " : $0 }))
            }
        } catch {
            throw CommandError(what: "rules", details: "\(error)")
        }
    }

    func apply(to settings: inout ControlledNetwork.Settings) {
        if let mtu { settings.mtu = mtu }
        if let routes { settings.routes = routes }
        if let subnet { settings.assign(subnet) }
        if let rfc4193 { settings.assignsRFC4193 = rfc4193 }
        if let sixPlane { settings.assigns6PLANE = sixPlane }
        if let rules { settings.rules = rules }
    }
}

extension Command {
    fileprivate func member() throws -> NodeID {
        guard let id = NodeID(try required("member")) else { throw CommandError(what: "member") }
        return id
    }

    /// Values between commas; nil if the command does not name the key.
    fileprivate func list<Element>(_ key: String, _ read: (String) -> Element?) throws -> [Element]? {
        try text(key)?.split(separator: ",").map { word in
            guard let element = read(String(word)) else { throw CommandError(what: key) }
            return element
        }
    }
}
