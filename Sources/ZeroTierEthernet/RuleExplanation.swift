//  What a verdict of the rules rests on: each table that was asked, what became of each of its rules, and which decided.
//  Data for who shows it; Docs/rules.md says how to read it.

package import ZeroTierWire

/// A table of rules that a frame is judged by.
package enum RuleTable: Hashable, Sendable {
    /// The network's own.
    case base
    /// That of the capability with this ID: outbound one of ours, inbound one that the sender showed.
    case capability(UInt32)
}

/// What became of a rule.
package enum RuleOutcome: Hashable, Sendable {
    /// A match that holds, its NOT included.
    case held
    /// A match that does not hold, its NOT included.
    case failed
    /// A match that this frame cannot be asked: it fails, whatever its NOT says.
    case notApplicable
    /// A match of a tag that only the other member knows: it counts as held, and the next drop is left to that member.
    case leftToReceiver
    /// A match that was not asked: one before it, joined by AND, had failed.
    case passedOver
    /// An action whose matches failed.
    case notTaken
    /// The action that decided.
    case decided
    /// An action that was taken, after which the table goes on: a copy for an observer, or none that is needed.
    case wentOn
    /// A drop that was left to the other member.
    case dropSkipped

    init(_ answer: RuleFilter.Answer, holds: Bool) {
        switch answer {
        case .plain: self = holds ? .held : .failed
        case .never: self = .notApplicable
        case .always: self = .leftToReceiver
        }
    }
}

/// One table's part in a verdict.
package struct RuleTrace: Hashable, Sendable {
    /// What became of a rule of the table.
    package struct Step: Hashable, Sendable {
        package let rule: Int
        package let outcome: RuleOutcome
    }

    package let table: RuleTable
    /// The table itself.
    package fileprivate(set) var rules: [Rule] = []
    /// Rules in order, up to the one that decided.
    package fileprivate(set) var steps: [Step] = []

    /// Place of the rule that decided, or left the table; nil if the table was read to its end.
    package var decided: Int? { steps.last.flatMap { $0.outcome == .decided ? $0.rule : nil } }
}

/// Keeps what it is told.
struct RuleTraces: RuleObserver {
    private(set) var tables: [RuleTrace] = []

    mutating func begin(_ table: RuleTable) { tables.append(RuleTrace(table: table)) }

    /// Says what the tables are.
    mutating func attach(base: [Rule], _ capability: (UInt32) -> [Rule]) {
        for index in tables.indices {
            switch tables[index].table {
            case .base: tables[index].rules = base
            case .capability(let id): tables[index].rules = capability(id)
            }
        }
    }

    mutating func note(_ rule: Int, _ outcome: RuleOutcome) {
        tables[tables.count - 1].steps.append(RuleTrace.Step(rule: rule, outcome: outcome))
    }
}

/// The place of the rule that decided on a frame.
package struct RuleDecision: Hashable, Sendable {
    /// Nil if no rule of any table did, which drops the frame.
    package let table: RuleTable?
    package let rule: Int

    /// No rule decided.
    package static let none = RuleDecision(table: nil, rule: -1)

    init(_ table: RuleTable, _ rule: Int32) {
        self.table = table
        self.rule = Int(rule)
    }

    private init(table: RuleTable?, rule: Int) {
        self.table = table
        self.rule = rule
    }
}

/// Why a frame goes on or does not, in one direction.
package struct FrameExplanation: Hashable, Sendable {
    /// What becomes of the frame.
    package enum Result: Hashable, Sendable {
        case accepted
        case dropped
        /// It goes to this member instead.
        case redirected(Address)
        /// Its IP headers lead nowhere that can be told, or hide the upper layer. Rules are not asked.
        case unreadable
        /// A part of a datagram: the whole is judged once it is together.
        case deferred
        /// The other member proved no membership.
        case notAdmitted
        /// The node has no configuration of the network.
        case notConfigured
    }

    /// A copy for an observer.
    package struct Copy: Hashable, Sendable {
        package let to: Address
        /// Bytes of the frame.
        package let length: Int
        package let isWatched: Bool
    }

    package let isInbound: Bool
    package let result: Result
    package let decision: RuleDecision
    package let copies: [Copy]
    package let tables: [RuleTrace]

    /// A frame on which no rule was asked.
    init(isInbound: Bool, unasked result: Result) {
        self.isInbound = isInbound
        self.result = result
        decision = .none
        copies = []
        tables = []
    }

    init(isInbound: Bool, _ verdict: FrameVerdict, _ traces: RuleTraces) {
        self.isInbound = isInbound
        decision = verdict.decision
        tables = traces.tables
        switch verdict.level {
        case .unreadable: result = .unreadable
        case .drop: result = .dropped
        case .accept, .superAccept:
            if let target = verdict.redirect {
                result = .redirected(target)
            } else {
                result = verdict.decision == .none ? .deferred : .accepted
            }
        }
        guard verdict.level.reason(isInbound: isInbound) == nil else {
            copies = []
            return
        }
        copies = [verdict.capabilityCopy, verdict.copy].compactMap { copy in
            copy.map { Copy(to: $0.to, length: $0.length, isWatched: $0.isWatched) }
        }
    }
}
