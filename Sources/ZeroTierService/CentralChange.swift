// What a body of Central's API says about a network or a member. Read first: Docs/decisions/0042-centrals-api.md.
//
//  network  {"description", "rulesSource", "config": a record of the controller's own interface}
//  member   {"name", "description", "hidden", "config": likewise, and "ssoExempt"}

import JSONValues
import ZeroTierController
import ZeroTierRules

/// Why a text of rules is not taken, and where in the text that is. Both count from 1.
struct CentralRuleFault: Error {
    let line: Int
    let column: Int
    /// With the place.
    let words: String
}

/// A change of a network, read and not made yet.
struct CentralNetworkChange: Sendable {
    private var config = RecordChange<NetworkRecord>()
    private var hasRules = false
    private let note: String?
    private let source: String?

    /// Reads a body.
    init(_ json: JSONField) throws(JSONError) {
        _ = try json.members()
        note = try json.said("description")?.looseString()
        source = try json.said("rulesSource")?.looseString()
        guard let config = json.said("config") else { return }
        self.config = try RecordChange(network: config)
        hasRules = config.said("rules") != nil
        if let isEnabled = config.said("ssoConfig")?.said("enabled"), try isEnabled.looseBool() {
            throw isEnabled.error("this controller has no single sign-on: false is expected")
        }
    }

    /// How a record is changed. `current` is the network as its client has seen it, nil for a new one: a client that sends back
    /// all that it read, and other rules than it read, means these rules, and not the text beside them.
    func step(from current: NetworkRecord?) throws(CentralRuleFault) -> @Sendable (inout NetworkRecord) -> Void {
        var compiled: RecordChange<NetworkRecord>?
        if let source {
            let isShown = current.map { CentralRules($0).source == source } ?? false
            let set = try CentralNetworkChange.compile(source, isShown: isShown)
            if !isShown || !hasRules { compiled = RecordChange(rules: set) }
        }
        return { [config, note, source, compiled] record in
            config.apply(to: &record)
            compiled?.apply(to: &record)
            if let source { record.ruleSource = source }
            if let note { record.note = note }
        }
    }

    // An empty text is somebody's mistake: it would let nothing through.
    private static func compile(_ source: String, isShown: Bool) throws(CentralRuleFault) -> RuleSet {
        let set: RuleSet
        do throws(RuleTextError) {
            set = try CompiledRules(text: Array(source.utf8)).set
        } catch {
            let place = error.place.position
            throw CentralRuleFault(line: place.line, column: place.column, words: "\(error)")
        }
        guard set.rules.isEmpty, !isShown else { return set }
        throw CentralRuleFault(
            line: 1, column: 1, words: "line 1, column 1: there is no rule, which drops everything: say `drop;`")
    }
}

/// A change of a member, read and not made yet.
struct CentralMemberChange: Sendable {
    private var config = RecordChange<MemberRecord>()
    private var isSignOnExempt: Bool?
    private let name: String?
    private let note: String?
    private let isHidden: Bool?

    /// Reads a body.
    init(_ json: JSONField) throws(JSONError) {
        _ = try json.members()
        name = try json.said("name")?.looseString()
        note = try json.said("description")?.looseString()
        isHidden = try json.said("hidden")?.looseBool()
        guard let config = json.said("config") else { return }
        self.config = try RecordChange(member: config)
        isSignOnExempt = try config.said("ssoExempt")?.looseBool()
    }

    /// Changes a record.
    func apply(to record: inout MemberRecord) {
        config.apply(to: &record)
        if let name { record.name = name }
        if let note { record.note = note }
        if let isHidden { record.isHidden = isHidden }
        if let isSignOnExempt { record.isSignOnExempt = isSignOnExempt }
    }
}

/// The text that a network's rules are shown as.
struct CentralRules: Sendable {
    /// What somebody wrote, as long as it means what the network's tables are; else what is made of these.
    let source: String
    private let set: RuleSet

    init(_ record: NetworkRecord) {
        let tables = RuleSet(record)
        let written = record.ruleSource
        if !written.isEmpty, let compiled = try? CompiledRules(text: Array(written.utf8)).set, compiled.means(tables) {
            (source, set) = (written, compiled)
        } else {
            (source, set) = (tables.text, tables)
        }
    }

    /// `capabilitiesByName` and `tagsByName`.
    var names: [(String, JSONValue)] {
        guard case .object(let object) = set.compiledJSON else { return [] }
        return object.members.filter { $0.key != "config" }.map { ($0.key, $0.value) }
    }
}
