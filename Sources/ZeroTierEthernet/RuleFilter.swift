//  Evaluates rule tables on frames: semantics of release 1.14.
//  Read first: zerotier/ZeroTierOne node/Network.cpp, _doZtFilter (facts only).
//
//  A table is read from top to bottom. Matches are joined into a set, left to right, by AND or OR; an action happens if
//  the set that stands before it is true. A match that cannot be asked of a frame (ports of ARP) fails whatever its NOT
//  says; some tag matches succeed whatever their NOT says.

import NetPrimitives
import ZeroTierWire

/// The result of one table.
struct RuleVerdict: Hashable, Sendable {
    enum Result: Hashable, Sendable {
        case noMatch
        case drop
        case redirect
        case accept
        /// Accepted for us as an observer: delivered whatever the MACs say.
        case superAccept
    }

    /// A copy for an observer.
    struct Copy: Hashable, Sendable {
        var to: Address
        var length: Int
        var isWatched: Bool
    }

    var result: Result
    var destination: Address
    var copy: Copy?
    /// Class of service; nil if no rule set one.
    var priority: UInt8?
    /// The verdict needed bytes beyond those that were given.
    var ranOut = false
    /// A later fragment was asked what only the whole datagram can answer.
    var dependsOnWhole = false
    /// Place in the table of the action that decided; -1 if none did.
    var rule: Int32 = -1
}

/// A rule as the evaluator reads it: plain numbers, nothing to count references of.
struct RuleStep: Sendable {
    let kind: Rule.Kind
    let isAction: Bool
    let isNegated: Bool
    let isAlternative: Bool

    init(_ rule: Rule) {
        kind = rule.kind
        isAction = rule.isAction
        isNegated = rule.isNegated
        isAlternative = rule.isAlternative
    }
}

/// Told of each step of an evaluation. One that does nothing costs nothing: the evaluator is compiled for each kind.
protocol RuleObserver {
    /// A table begins.
    mutating func begin(_ table: RuleTable)
    /// What became of a rule of the table.
    mutating func note(_ rule: Int, _ outcome: RuleOutcome)
}

/// Nobody looks.
struct NoRuleObserver: RuleObserver {
    // The thread sanitizer asks where an argument lies that may be changed. What has no size lies nowhere.
    private var place: UInt8 = 0

    @inline(__always)
    mutating func begin(_ table: RuleTable) {}
    @inline(__always)
    mutating func note(_ rule: Int, _ outcome: RuleOutcome) {}
}

/// The evaluator of one table on one frame.
struct RuleFilter {
    enum Answer {
        case plain(Bool)
        /// False whatever NOT says.
        case never
        /// True whatever NOT says.
        case always
    }

    let facts: FrameFacts
    private let myself: Address
    /// Where the payload begins in the span, and how many of its bytes are there.
    let offset: Int
    let available: Int
    var superAccept = false
    var skipsDrop = false
    var ranOut = false
    var dependsOnWhole = false
    /// Where the headers lead; nil for what is no IP packet.
    let chain: IPHeaderChain?

    /// Evaluates `rules`. `remote` is what the other member proved; nil if there is none. `frame` holds the payload, or
    /// its first bytes, from `offset` on.
    static func evaluate(
        _ rules: [RuleStep], _ facts: FrameFacts, frame: RawSpan, at offset: Int, myself: Address,
        config: borrowing NetworkConfig, remote: Member?, random: inout RandomSource,
        observer: inout some RuleObserver
    ) -> RuleVerdict {
        var filter = RuleFilter(
            facts: facts, myself: myself, offset: offset, available: frame.byteCount - offset,
            chain: facts.headerChain(frame, at: offset))
        return filter.run(rules, frame, config, remote, &random, &observer)
    }

    private init(facts: FrameFacts, myself: Address, offset: Int, available: Int, chain: IPHeaderChain?) {
        self.chain = chain
        self.facts = facts
        self.myself = myself
        self.offset = offset
        self.available = min(max(0, available), facts.length)
    }

    private mutating func run(
        _ rules: [RuleStep], _ frame: RawSpan, _ config: borrowing NetworkConfig, _ remote: Member?,
        _ random: inout RandomSource, _ observer: inout some RuleObserver
    ) -> RuleVerdict {
        var verdict = RuleVerdict(result: .noMatch, destination: facts.destination)
        var isSet = true
        for index in rules.indices {
            let rule = rules[index]
            if rule.isAction {
                guard isSet else {
                    noteObserver(rule.kind)
                    observer.note(index, .notTaken)
                    isSet = true
                    continue
                }
                let skippedDrop = skipsDrop
                if let result = act(rule.kind, &verdict) {
                    observer.note(index, .decided)
                    verdict.result = result
                    verdict.rule = Int32(index)
                    break
                }
                observer.note(index, skippedDrop && !skipsDrop ? .dropSkipped : .wentOn)
                continue
            }
            if !isSet, !rule.isAlternative {
                observer.note(index, .passedOver)
                continue
            }
            let answer = answer(rule.kind, frame, config, remote, &random)
            let holds: Bool
            switch answer {
            case .plain(let value): holds = value != rule.isNegated
            case .never: holds = false
            case .always: holds = true
            }
            isSet = rule.isAlternative ? isSet || holds : isSet && holds
            observer.note(index, RuleOutcome(answer, holds: holds))
        }
        verdict.ranOut = ranOut
        verdict.dependsOnWhole = dependsOnWhole
        return verdict
    }

    // MARK: Actions

    /// Takes an action; nil to go on with the next rule, with the set still true.
    private mutating func act(_ kind: Rule.Kind, _ verdict: inout RuleVerdict) -> RuleVerdict.Result? {
        switch kind {
        case .drop:
            guard skipsDrop else { return .drop }
            skipsDrop = false
            return nil
        case .accept: return superAccept ? .superAccept : .accept
        case .break: return .noMatch
        case .priority(let level):
            verdict.priority = level <= 8 ? level : 4
            return .accept
        case .tee(let target, _, let length): return copy(to: target, length, isWatched: false, &verdict)
        case .watch(let target, _, let length): return copy(to: target, length, isWatched: true, &verdict)
        case .redirect(let target, _, _):
            switch observe(target, verdict) {
            case .nobody: return nil
            case .us: return .superAccept
            case .other:
                verdict.destination = target
                return .redirect
            }
        default: return nil
        }
    }

    private mutating func copy(
        to target: Address, _ length: UInt16, isWatched: Bool, _ verdict: inout RuleVerdict
    ) -> RuleVerdict.Result? {
        switch observe(target, verdict) {
        case .nobody: return nil
        case .us: return .superAccept
        case .other:
            let count = length == 0 ? facts.length : min(facts.length, Int(length))
            verdict.copy = RuleVerdict.Copy(to: target, length: count, isWatched: isWatched)
            return nil
        }
    }

    private enum Observer {
        /// Its target has the frame or gets it anyway.
        case nobody
        /// We are the observer, and here is the frame.
        case us
        case other
    }

    private func observe(_ target: Address, _ verdict: RuleVerdict) -> Observer {
        if target == facts.source { return .nobody }
        if target == myself { return facts.isInbound ? .us : .nobody }
        return target == verdict.destination ? .nobody : .other
    }

    // A copy rule for us that did not apply here applied at the sender.
    private mutating func noteObserver(_ kind: Rule.Kind) {
        guard facts.isInbound else { return }
        switch kind {
        case .tee(let target, _, _), .watch(let target, _, _), .redirect(let target, _, _):
            if target == myself { superAccept = true }
        default: break
        }
    }
}
