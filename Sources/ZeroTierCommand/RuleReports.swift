// Explanations of rules as text for people and JSON for programs.

import JSONValues
import NetPrimitives
import ZeroTierEthernet
import ZeroTierRules
import ZeroTierWire

/// Shows explanations of rules that have names and places.
struct RuleRenderer {
    /// What tags and capabilities are called; the tables themselves come with the explanations.
    let set: RuleSet
    /// Where the rules stand, if they come from a text.
    var compiled: CompiledRules?

    // MARK: Words

    private func place(_ table: RuleTable, _ rule: Int) -> RulePlace? {
        guard let compiled else { return nil }
        switch table {
        case .base: return compiled.places.indices.contains(rule) ? compiled.places[rule] : nil
        case .capability(let id):
            guard let index = set.capabilities.firstIndex(where: { $0.id == id }),
                compiled.capabilityPlaces[index].indices.contains(rule)
            else { return nil }
            return compiled.capabilityPlaces[index][rule]
        }
    }

    func name(of table: RuleTable) -> String {
        guard case .capability(let id) = table else { return "rules of the network" }
        return "capability " + (set.capabilities.first { $0.id == id }?.name ?? "\(id)")
    }

    // The statement that a rule belongs to, as one line.
    private func statement(_ rules: [Rule], of rule: Int) -> String {
        guard let statement = RuleStatement.all(of: rules).first(where: { $0.range.contains(rule) }) else { return "" }
        return text(of: statement, rules) + ";"
    }

    private func text(of statement: RuleStatement, _ rules: [Rule]) -> String {
        let action = statement.hasAction ? [set.text(of: rules[statement.range.upperBound - 1], isFirst: true)] : []
        let matches = statement.matches.map { set.text(of: rules[$0], isFirst: $0 == statement.range.lowerBound) }
        return (action + matches).joined(separator: " ")
    }

    private func words(_ outcome: RuleOutcome) -> String {
        switch outcome {
        case .held: "holds"
        case .failed: "does not hold"
        case .notApplicable: "cannot be asked of this frame, and so does not hold"
        case .leftToReceiver: "left to the other member, whose tag is not known here"
        case .passedOver: "not asked, since one before it does not hold"
        case .notTaken: "not taken"
        case .decided: "decides"
        case .wentOn: "done, and the table goes on"
        case .dropSkipped: "left to the other member, who knows its tags"
        }
    }

    private func words(_ result: FrameExplanation.Result) -> String {
        switch result {
        case .accepted: "accepted"
        case .dropped: "dropped"
        case .redirected(let target): "redirected to \(target)"
        case .unreadable: "dropped: its IP headers lead nowhere that can be told"
        case .deferred: "let in as a part of a datagram, which is judged when it is whole"
        case .notAdmitted: "dropped: the sender has not proved that it is a member"
        case .notConfigured: "dropped: the node has no configuration of the network"
        }
    }

    private func code(_ result: FrameExplanation.Result) -> String {
        switch result {
        case .accepted: "accepted"
        case .dropped: "dropped"
        case .redirected: "redirected"
        case .unreadable: "unreadable"
        case .deferred: "deferred"
        case .notAdmitted: "notAdmitted"
        case .notConfigured: "notConfigured"
        }
    }

    // MARK: Explanations

    /// The lines of one direction. `who` decides.
    func lines(_ explanation: FrameExplanation, who: String) -> [String] {
        var lines = ["\(who): \(words(explanation.result))\(reason(explanation))"]
        for copy in explanation.copies {
            lines.append("  copy of \(copy.length) bytes to \(copy.to)\(copy.isWatched ? ", who acknowledges it" : "")")
        }
        for trace in explanation.tables {
            lines.append("  \(name(of: trace.table)):")
            let outcomes = Dictionary(trace.steps.map { ($0.rule, $0.outcome) }) { first, _ in first }
            for statement in RuleStatement.all(of: trace.rules) {
                lines += self.lines(statement, trace, outcomes)
                if statement.range.contains(where: { outcomes[$0] == .decided }) { break }
            }
            if trace.decided == nil { lines.append("    no rule decides: the table ends without a verdict") }
        }
        return lines
    }

    private func lines(
        _ statement: RuleStatement, _ trace: RuleTrace, _ outcomes: [Int: RuleOutcome]
    ) -> [String] {
        let last = statement.range.upperBound - 1
        guard statement.hasAction else { return [] }
        let position = place(trace.table, last).map { "line \($0.position.line): " } ?? ""
        let action = set.text(of: trace.rules[last], isFirst: true)
        let isLeft = trace.rules[last].kind == .break && outcomes[last] == .decided
        let outcome = isLeft ? "leaves the table without a verdict" : outcomes[last].map(words) ?? ""
        return ["    \(position)\(action): \(outcome)"]
            + statement.matches.map { index in
                let match = set.text(of: trace.rules[index], isFirst: index == statement.range.lowerBound)
                return "      \(match): \(outcomes[index].map(words) ?? "")"
            }
    }

    private func reason(_ explanation: FrameExplanation) -> String {
        switch explanation.result {
        case .accepted, .dropped, .redirected: break
        case .unreadable, .deferred, .notAdmitted, .notConfigured: return ""
        }
        guard let table = explanation.decision.table,
            let trace = explanation.tables.first(where: { $0.table == table })
        else { return ", as no rule decides" }
        let rule = explanation.decision.rule
        let line = place(table, rule).map { place in
            " in line \(place.position.line)" + (place.include.map { " (included in line \($0.line))" } ?? "")
        }
        let source = table == .base ? "" : " of the \(name(of: table))"
        return "\(line ?? "") by `\(statement(trace.rules, of: rule))`\(source)"
    }

    func json(_ explanation: FrameExplanation) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("result", .string(code(explanation.result))),
            ("text", .string(words(explanation.result) + reason(explanation))),
            ("decision", decision(explanation)),
        ]
        if case .redirected(let target) = explanation.result { members.append(("to", .text(target))) }
        let copies = explanation.copies.map { copy in
            JSONValue.object([
                ("to", .text(copy.to)), ("length", JSONValue(copy.length)), ("acknowledged", .bool(copy.isWatched)),
            ])
        }
        members.append(("copies", .array(copies)))
        members.append(("tables", .array(explanation.tables.map(json))))
        return .object(members)
    }

    private func decision(_ explanation: FrameExplanation) -> JSONValue {
        guard let table = explanation.decision.table,
            let trace = explanation.tables.first(where: { $0.table == table })
        else { return .null }
        let rule = explanation.decision.rule
        let place = place(table, rule)
        return .object([
            ("capability", id(table)), ("rule", JSONValue(rule)),
            ("statement", .string(statement(trace.rules, of: rule))),
            ("line", place.map { JSONValue($0.position.line) } ?? .null),
            ("column", place.map { JSONValue($0.position.column) } ?? .null),
        ])
    }

    private func id(_ table: RuleTable) -> JSONValue {
        if case .capability(let id) = table { JSONValue(id) } else { .null }
    }

    private func json(_ trace: RuleTrace) -> JSONValue {
        let steps = trace.steps.map { step in
            let isFirst = step.rule == 0 || trace.rules[step.rule - 1].isAction
            return JSONValue.object([
                ("rule", JSONValue(step.rule)),
                ("text", .string(set.text(of: trace.rules[step.rule], isFirst: isFirst))),
                ("outcome", .string("\(step.outcome)")),
            ])
        }
        return .object([("capability", id(trace.table)), ("steps", .array(steps))])
    }

    /// What would happen to a frame, in both directions or from one member to the other.
    static func isDelivered(_ outbound: FrameExplanation, _ inbound: FrameExplanation) -> Bool {
        outbound.result == .accepted && (inbound.result == .accepted || inbound.result == .deferred)
    }
}

/// A frame between two members that exist nowhere.
struct FrameTrial {
    private let rules: LoadedRules
    private let sender: TrialMember
    private let receiver: TrialMember
    private let options: TrialOptions
    private let frame: GivenFrame

    init(_ rules: LoadedRules, _ options: TrialOptions, _ frame: GivenFrame) throws(Failure) {
        self.rules = rules
        self.options = options
        self.frame = frame
        var sender = try FrameTrial.member(
            options.from, options.fromTag, options.fromCap, rules.set, options.noDefaults)
        receiver = try FrameTrial.member(options.to, options.toTag, options.toCap, rules.set, options.noDefaults)
        sender.addresses = options.fromIP.isEmpty ? [frame.sourceIP].compactMap { $0 } : options.fromIP
        self.sender = sender
    }

    private static func member(
        _ address: Address, _ tags: [String], _ capabilities: [String], _ set: RuleSet, _ noDefaults: Bool
    ) throws(Failure) -> TrialMember {
        var member = TrialMember(address: address)
        var values: [UInt32: UInt32] = [:]
        var held = Set<UInt32>()
        if !noDefaults {
            for tag in set.tags { values[tag.id] = tag.defaultValue }
            held = Set(set.capabilities.filter(\.isDefault).map(\.id))
        }
        for word in tags {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw Failure("usage", "a tag is given as tag=value, not \(word)") }
            guard let tag = set.tag(parts[0]) else {
                let known = set.tags.map { $0.name ?? "\($0.id)" }.joined(separator: ", ")
                throw Failure(
                    "usage",
                    "the rules have no tag \(parts[0]); \(known.isEmpty ? "they have none" : "there are \(known)")")
            }
            guard let value = tag.value(parts[1]) else {
                throw Failure(
                    "usage", "the tag \(parts[0]) has no value \(parts[1]): give a number or one of its names")
            }
            values[tag.id] = value
        }
        for word in capabilities {
            guard let capability = set.capability(word) else {
                let known = set.capabilities.map { $0.name ?? "\($0.id)" }.joined(separator: ", ")
                throw Failure(
                    "usage",
                    "the rules have no capability \(word); \(known.isEmpty ? "they have none" : "there are \(known)")")
            }
            held.insert(capability.id)
        }
        member.tags = values.map { (id: $0.key, value: $0.value) }
        member.capabilities = set.capabilities.filter { held.contains($0.id) }.map { (id: $0.id, rules: $0.rules) }
        return member
    }

    func report() -> Report {
        var trial = RuleTrial(
            rules: rules.set.rules, from: sender, to: receiver, network: NetworkID(0x0102_0304_0500_0001),
            isFirstContact: options.firstContact, seed: options.seed)
        let (outbound, inbound) = trial.explain(
            source: frame.source ?? trial.network.mac(of: options.from),
            destination: frame.destination ?? trial.network.mac(of: options.to), etherType: frame.etherType,
            payload: frame.payload)
        let renderer = RuleRenderer(set: rules.set, compiled: rules.compiled)
        let isDelivered = RuleRenderer.isDelivered(outbound, inbound)
        let lines =
            [isDelivered ? "delivered" : "not delivered"]
            + renderer.lines(outbound, who: "sender \(options.from)")
            + renderer.lines(inbound, who: "receiver \(options.to)")
        return Report(
            text: lines.joined(separator: "\n"),
            json: .object([
                ("delivered", .bool(isDelivered)), ("outbound", renderer.json(outbound)),
                ("inbound", renderer.json(inbound)),
            ]))
    }
}

extension RuleRefusal {
    /// The other member in words.
    var memberText: String { member.value == 0 ? "a group" : "\(member)" }
}
