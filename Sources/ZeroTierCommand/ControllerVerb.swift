// The node's end of `zerotier controller`.
//
// network list | create WORD... | show ID | set ID WORD... | delete ID
// member list ID | show ID NODE | set ID NODE WORD... | delete ID NODE
// rules show ID | set ID TEXT | clear ID
// token list ID | add ID TOKEN EXPIRES | remove ID TOKEN
// import PATH refuse|keep|replace | export PATH
// A word is key=value, or a path, encoded by `RequestWord`.

import JSONValues
import ZeroTier
import ZeroTierController

enum ControllerVerb {
    static func answer(_ request: [String], _ node: Node) async throws -> Report {
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
            let network = try found(controller, try network(rest))
            report = Report.members(
                try controller.members(of: network.id), waiting: try controller.waitingNodes(of: network.id),
                network.settings.rules)
        case ("member", "show"):
            let (id, member) = try place(rest)
            let network = try found(controller, id)
            report = try show(member, of: network, controller)
        case ("member", "set"):
            let (id, member) = try place(rest)
            let network = try found(controller, id)
            // It would be let in again the moment it asks.
            if !network.settings.isPrivate, rest.dropFirst(2).contains("authorized=no") {
                throw ZeroTierError(
                    .invalidArgument,
                    "network \(id) is public, everybody is let in: `zerotier controller network set \(id) --private yes` first"
                )
            }
            let known = try controller.member(member, of: id)?.settings
            let others = known == nil ? controller.nodes(of: id) : []
            let changes = try rest.dropFirst(2).map { try MemberChange($0, network.settings.rules, known) }
            let changed = try await controller.change(member, of: id) { MemberChange.apply(changes, to: &$0) }
            var shown = Report.members([changed], waiting: [], network.settings.rules)
            if !others.contains("\(member)"), let near = Spelling.nearest(to: "\(member)", of: others) {
                shown.warnings.append("\(member) is new here, and \(near) is not. Did you mean \(near)?")
            }
            report = shown
        case ("member", "delete"):
            let (id, member) = try place(rest)
            try await controller.remove(member, from: id)
            report = Report(
                text: "forgot member \(member) of network \(id)",
                json: .object([("network", .text(id)), ("deleted", .text(member))]))
        case ("rules", _): report = try await rules(words[1], rest, controller)
        case ("token", _): report = try await token(words[1], rest, controller)
        case ("import", let path):
            guard rest.count == 1, let existing = ExistingRecords(rawValue: rest[0]) else { throw malformed(request) }
            report = try ControllerFiles.take(path, existing: existing, controller)
        case ("export", let path): report = try ControllerFiles.export(to: path, controller)
        default: throw malformed(request)
        }
        return report
    }

    private static func show(
        _ member: NodeID, of network: ControlledNetwork, _ controller: NetworkController
    ) throws -> Report {
        if let known = try controller.member(member, of: network.id) { return .member(known, network.settings.rules) }
        guard try controller.waitingNodes(of: network.id).contains(member) else {
            throw ZeroTierError(.memberNotFound, "network \(network.id) has no member \(member), and it does not wait")
        }
        return .waiting(member, of: network.id)
    }

    private static func rules(
        _ verb: String, _ words: [String], _ controller: NetworkController
    ) async throws -> Report {
        let id = try network(words)
        switch (verb, words.count) {
        case ("show", 1): return .rules(try found(controller, id))
        case ("set", 2):
            let rules: NetworkRules
            do throws(NetworkRules.SourceError) {
                rules = try NetworkRules(words[1])
            } catch {
                throw ZeroTierError(.invalidArgument, "\(error)")
            }
            guard rules.count > 0 else {
                throw ZeroTierError(
                    .invalidArgument, "these rules are none, which drops everything: say `drop;`, or `rules clear`")
            }
            return .rules(try await controller.change(id) { $0.rules = rules })
        case ("clear", 1): return .rules(try await controller.change(id) { $0.rules = NetworkRules() })
        default: throw malformed(["rules", verb])
        }
    }

    private static func token(
        _ verb: String, _ words: [String], _ controller: NetworkController
    ) async throws -> Report {
        let id = try network(words)
        switch (verb, words.count) {
        case ("list", 1): return .tokens(of: try found(controller, id))
        case ("add", 3):
            guard let expires = UInt64(words[2]) else { throw malformed(["token", verb]) }
            let token = ControlledNetwork.Token(words[1], expires: expires)
            _ = try await controller.change(id) { settings in
                settings.tokens.removeAll { $0.text == token.text }
                settings.tokens.append(token)
            }
            return .added(token, to: id)
        case ("remove", 2):
            guard try found(controller, id).settings.tokens.contains(where: { $0.text == words[1] }) else {
                throw ZeroTierError(.invalidArgument, "network \(id) has no token \(words[1])")
            }
            return .tokens(
                of: try await controller.change(id) { $0.tokens.removeAll { $0.text == words[1] } })
        default: throw malformed(["token", verb])
        }
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

    static func split(_ word: String) throws(ZeroTierError) -> (key: String, value: String) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw ZeroTierError(.invalidArgument, "not key=value: \(word)") }
        return (String(parts[0]), String(parts[1]))
    }

    static func yes(_ value: String, _ key: String) throws(ZeroTierError) -> Bool {
        guard let value = Switch(rawValue: value) else {
            throw ZeroTierError(.invalidArgument, "\(key): yes or no, not \(value)")
        }
        return value == .yes
    }
}
