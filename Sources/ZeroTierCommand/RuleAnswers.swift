// What a running node answers when it is asked about the rules of a network.

import JSONValues
import NetPrimitives
import ZeroTier
import ZeroTierEthernet
import ZeroTierRules
import ZeroTierService

/// Answers about rules.
enum RuleAnswers {
    /// The rules in force, what they decided, and what was refused last.
    static func rules(_ network: NetworkID, _ node: Node) throws(ZeroTierError) -> Report {
        let (report, now) = try node.ruleReport(of: network)
        return RuleAccount(report, now).report(of: network.description)
    }

    /// Why a frame would pass or not; the words are those of `FrameQuestion`.
    static func frame(_ words: [String], _ node: Node) throws(ZeroTierError) -> Report {
        let network = try ControlServer.parse(words.count > 1 ? words[1] : "")
        guard words.count == 8, let member = NodeID(words[2]), let frame = GivenFrame(words: Array(words[3...])) else {
            throw ZeroTierError(.invalidArgument, "not the words of a question about a frame: \(words)")
        }
        let (outbound, inbound) = try node.explainFrame(
            of: network, with: member, source: frame.source, destination: frame.destination,
            etherType: frame.etherType, payload: frame.payload)
        let renderer = RuleRenderer(set: RuleSet())
        return Report(
            text: (renderer.lines(outbound, who: "to \(member)") + renderer.lines(inbound, who: "from \(member)"))
                .joined(separator: "\n"),
            json: .object([("outbound", renderer.json(outbound)), ("inbound", renderer.json(inbound))]))
    }
}

/// The account of a network's rules, ready to be shown.
private struct RuleAccount {
    private let account: RuleReport
    private let now: MonotonicInstant
    private let set: RuleSet

    init(_ account: RuleReport, _ now: MonotonicInstant) {
        self.account = account
        self.now = now
        var set = RuleSet(rules: account.rules)
        for (id, rules) in account.capabilities {
            var capability = RuleCapability(id: id)
            capability.rules = rules
            set.capabilities.append(capability)
        }
        for tag in account.tags {
            var named = RuleTag(id: tag.id)
            named.defaultValue = tag.value
            set.tags.append(named)
        }
        self.set = set
    }

    func report(of network: String) -> Report {
        var rows: [[String]] = []
        for statement in RuleStatement.all(of: account.rules) where statement.hasAction {
            rows.append(["\(account.counts[statement.range.upperBound - 1])", text(of: statement)])
        }
        rows.append(["\(account.undecided)", "(no rule decides, which drops the frame)"])
        for (id, count) in account.capabilityCounts { rows.append(["\(count)", "(let through by capability \(id))"]) }
        var lines = [Report.table(["FRAMES", "RULE"], rows)]
        if !set.tags.isEmpty {
            lines.append("tags of this node: " + account.tags.map { "\($0.id)=\($0.value)" }.joined(separator: " "))
        }
        if !set.capabilities.isEmpty {
            var own = set
            (own.rules, own.tags) = ([], [])
            lines.append("capabilities of this node:\n" + own.text.dropLast())
        }
        if !account.refusals.isEmpty {
            lines.append("refused last:")
            lines += account.refusals.reversed().map { "  \(words($0))" }
        }
        return Report(text: lines.joined(separator: "\n"), json: .object(members(of: network)))
    }

    private func text(of statement: RuleStatement) -> String {
        let action = set.text(of: account.rules[statement.range.upperBound - 1], isFirst: true)
        let matches = statement.matches.map {
            set.text(of: account.rules[$0], isFirst: $0 == statement.range.lowerBound)
        }
        return ([action] + matches).joined(separator: " ") + ";"
    }

    // The statement that refused.
    private func decider(_ refusal: RuleRefusal) -> String {
        guard refusal.decision.table != nil,
            let statement = RuleStatement.all(of: account.rules).first(where: {
                $0.range.contains(refusal.decision.rule)
            })
        else { return "no rule decides" }
        return text(of: statement)
    }

    private func words(_ refusal: RuleRefusal) -> String {
        let age = now - refusal.time
        let seconds = "\((age.seconds * 10).rounded() / 10) s ago"
        let direction = refusal.isInbound ? "from \(refusal.memberText)" : "to \(refusal.memberText)"
        return "\(seconds), \(direction): \(content(refusal)), \(refusal.length) bytes: \(decider(refusal))"
    }

    private func content(_ refusal: RuleRefusal) -> String {
        guard let packet = refusal.packet else {
            return "EtherType 0x\(hexadecimal(UInt64(refusal.etherType), digits: 4)), "
                + "\(refusal.sourceMAC) to \(refusal.destinationMAC)"
        }
        let addresses = "\(packet.source) to \(packet.destination), protocol \(packet.ipProtocol)"
        switch packet.ipProtocol {
        case 6, 17, 132, 136: return "\(addresses), port \(packet.first) to \(packet.second)"
        case 1, 58: return "\(addresses), type \(packet.first), code \(packet.second)"
        default: return addresses
        }
    }

    // MARK: JSON

    private func members(of network: String) -> [(String, JSONValue)] {
        [
            ("network", .string(network)), ("rules", .array(account.rules.map { $0.json(.stored) })),
            ("frames", .array(account.counts.map { JSONValue($0) })), ("undecided", JSONValue(account.undecided)),
            (
                "capabilityFrames",
                .array(
                    account.capabilityCounts.map {
                        .object([("id", JSONValue($0.id)), ("frames", JSONValue($0.count))])
                    })
            ),
            (
                "tags",
                .array(account.tags.map { .object([("id", JSONValue($0.id)), ("value", JSONValue($0.value))]) })
            ),
            (
                "capabilities",
                .array(
                    account.capabilities.map { capability in
                        .object([
                            ("id", JSONValue(capability.id)),
                            ("rules", .array(capability.rules.map { $0.json(.stored) })),
                        ])
                    })
            ), ("refusals", .array(account.refusals.map(json))),
        ]
    }

    private func json(_ refusal: RuleRefusal) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("agoMilliseconds", .milliseconds(now - refusal.time)), ("inbound", .bool(refusal.isInbound)),
            ("member", .text(refusal.member)), ("source", .text(refusal.sourceMAC)),
            ("destination", .text(refusal.destinationMAC)), ("etherType", JSONValue(refusal.etherType)),
            ("length", JSONValue(refusal.length)),
            ("rule", refusal.decision.table == nil ? .null : JSONValue(refusal.decision.rule)),
            ("statement", .string(decider(refusal))),
        ]
        if let packet = refusal.packet {
            members += [
                ("ipSource", .text(packet.source)), ("ipDestination", .text(packet.destination)),
                ("ipProtocol", JSONValue(packet.ipProtocol)), ("first", JSONValue(packet.first)),
                ("second", JSONValue(packet.second)),
            ]
        }
        return .object(members)
    }
}
