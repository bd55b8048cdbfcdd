// Explanations of rules as text for people and JSON for programs.

package import JSONValues
package import ZeroTierEthernet
package import ZeroTierRules
import ZeroTierWire

/// Shows explanations of rules that have names and places.
package struct RuleRenderer {
    /// What tags and capabilities are called; the tables themselves come with the explanations.
    private let set: RuleSet
    /// Where the rules stand, if they come from a text.
    private let compiled: CompiledRules?

    package init(set: RuleSet, compiled: CompiledRules? = nil) {
        self.set = set
        self.compiled = compiled
    }

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

    private func name(of table: RuleTable) -> String {
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
    package func lines(_ explanation: FrameExplanation, who: String) -> [String] {
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

    /// One direction for programs.
    package func json(_ explanation: FrameExplanation) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("result", .string(code(explanation.result))),
            ("text", .string(words(explanation.result) + reason(explanation))),
            ("decision", decision(explanation)),
        ]
        if case .redirected(let target) = explanation.result { members.append(("to", .string("\(target)"))) }
        let copies = explanation.copies.map { copy in
            JSONValue.object([
                ("to", .string("\(copy.to)")), ("length", JSONValue(copy.length)),
                ("acknowledged", .bool(copy.isWatched)),
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
                ("line", place(trace.table, step.rule).map { JSONValue($0.position.line) } ?? .null),
            ])
        }
        return .object([
            ("capability", id(trace.table)), ("name", .string(name(of: trace.table))), ("steps", .array(steps)),
        ])
    }

    /// What would happen to a frame, in both directions or from one member to the other.
    package static func isDelivered(_ outbound: FrameExplanation, _ inbound: FrameExplanation) -> Bool {
        outbound.result == .accepted && (inbound.result == .accepted || inbound.result == .deferred)
    }
}
