// The rules of a network that this node controls: as their administrator writes them, and as members get them.

import JSONValues
import ZeroTierController
import ZeroTierRules
import ZeroTierWire

/// The rules of a network, its capabilities and its tags. They are made from a text, so what is in a network is never half of it.
///
///     let rules = try NetworkRules("drop not ethertype ipv4 and not ethertype arp; accept;")
///     try await node.controller.change(network.id) { $0.rules = rules }
///
/// Docs/rules.md has the language by examples.
public struct NetworkRules: Hashable, Sendable {
    /// A number that the controller gives to members.
    public struct Tag: Hashable, Sendable, Identifiable {
        /// 0 to 2^32 - 1; no other tag of the network has it.
        public let id: UInt32
        /// What the text calls it; nil if only the number is known.
        public let name: String?
        /// What members get that have no value; nil: none.
        public let defaultValue: UInt32?
        /// What the text calls some of its values.
        public let values: [String: UInt32]
    }

    /// A table of rules that applies to whom the controller gives it.
    public struct Capability: Hashable, Sendable, Identifiable {
        /// 0 to 2^32 - 1; no other capability of the network has it.
        public let id: UInt32
        /// What the text calls it; nil if only the number is known.
        public let name: String?
        /// Whether new members get it.
        public let isDefault: Bool
        /// How many rules it has: matches and actions.
        public let count: Int
    }

    /// What is wrong with a text, and what would be right.
    public struct SourceError: Error, Hashable, Sendable, CustomStringConvertible {
        /// From 1 on.
        public let line: Int
        /// From 1 on, in Unicode scalars.
        public let column: Int
        /// What is wrong.
        public let problem: String

        /// Such as `line 3, column 6: dport is a number from 0 to 65535, not 70000`.
        public var description: String { "line \(line), column \(column): \(problem)" }
    }

    // Names are in the source alone: that is how a record keeps them.
    let rules: [Rule]
    let capabilityDefinitions: [CapabilityDefinition]
    let tagDefinitions: [TagDefinition]
    /// What was written: a text of the language; empty if the rules come from elsewhere.
    public let source: String

    /// One rule, which lets everything through.
    public init() { self.init(RuleSet(rules: [Rule(.accept)]), source: "") }

    /// Compiles a text. Throws the first error with its place. The text is kept: at most 262,144 bytes of it.
    public init(_ text: String) throws(SourceError) {
        do throws(RuleTextError) {
            self.init(try CompiledRules(text: Array(text.utf8)).set, source: text)
        } catch {
            throw SourceError(error)
        }
    }

    /// Reads JSON: an array of rules, a network's record, or what `zerotier rules compile` shows, in the field's names. Throws
    /// the first error with its place.
    public init(json: String) throws(SourceError) {
        do throws(JSONError) {
            let set = try JSONDocument(Array(json.utf8)).read { (root) throws(JSONError) in try RuleSet(root) }
            self.init(set, source: set.text)
        } catch {
            let place = error.position
            let path = error.path.steps.isEmpty ? "" : "\(error.path): "
            throw SourceError(line: place?.line ?? 1, column: place?.column ?? 1, problem: path + error.problem)
        }
    }

    private init(_ set: RuleSet, source: String) {
        rules = set.rules
        capabilityDefinitions = set.capabilities.map {
            CapabilityDefinition(id: $0.id, isDefault: $0.isDefault, rules: $0.rules)
        }.sorted { $0.id < $1.id }
        tagDefinitions = set.tags.map { TagDefinition(id: $0.id, defaultValue: $0.defaultValue) }
            .sorted { $0.id < $1.id }
        self.source = source
    }

    init(_ record: NetworkRecord) {
        rules = record.rules
        capabilityDefinitions = record.capabilities
        tagDefinitions = record.tags
        source = record.ruleSource
    }

    func apply(to record: inout NetworkRecord) {
        record.rules = rules
        record.capabilities = capabilityDefinitions
        record.tags = tagDefinitions
        record.ruleSource = source
    }

    // MARK: What is in them

    /// How many rules every frame is judged by: matches and actions.
    public var count: Int { rules.count }

    /// The tags, by ascending ID.
    public var tags: [Tag] {
        named.tags.map { tag in
            let values = (tag.enums + tag.flags).map { ($0.name, $0.value) }
            return Tag(
                id: tag.id, name: tag.name, defaultValue: tag.defaultValue,
                values: Dictionary(values) { first, _ in first })
        }
    }

    /// The capabilities, by ascending ID.
    public var capabilities: [Capability] {
        named.capabilities.map { Capability(id: $0.id, name: $0.name, isDefault: $0.isDefault, count: $0.rules.count) }
    }

    /// The text: what was written, or else one that compiles to the same rules.
    public var text: String { source.isEmpty ? named.text : source }

    /// The object that compilers of rules put out: the tables under `config`, and the names of tags and capabilities.
    public var json: String { named.compiledJSON.text }

    /// The rules with the names that the text gives, if it is theirs.
    private var named: RuleSet {
        var plain = RuleSet(rules: rules)
        plain.capabilities = capabilityDefinitions.map { definition in
            var capability = RuleCapability(id: definition.id)
            capability.isDefault = definition.isDefault
            capability.rules = definition.rules
            return capability
        }
        plain.tags = tagDefinitions.map { definition in
            var tag = RuleTag(id: definition.id)
            tag.defaultValue = definition.defaultValue
            return tag
        }
        guard !source.isEmpty, var set = try? CompiledRules(text: Array(source.utf8)).set else { return plain }
        // Records of other controllers may have a text that is not theirs.
        guard NetworkRules(set, source: source) == self else { return plain }
        set.capabilities.sort { $0.id < $1.id }
        set.tags.sort { $0.id < $1.id }
        return set
    }
}

extension NetworkRules.SourceError {
    fileprivate init(_ error: RuleTextError) {
        line = error.place.position.line
        column = error.place.position.column
        problem = error.problem + (error.place.include.map { " (included at \($0))" } ?? "")
    }
}
