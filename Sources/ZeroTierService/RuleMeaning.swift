// What rules mean, whatever their tags and capabilities are called.

import ZeroTierController
import ZeroTierRules

extension RuleSet {
    /// The tables of a network's record, which has no names.
    init(_ record: NetworkRecord) {
        self.init(rules: record.rules)
        capabilities = record.capabilities.map { definition in
            var one = RuleCapability(id: definition.id)
            (one.isDefault, one.rules) = (definition.isDefault, definition.rules)
            return one
        }
        tags = record.tags.map { definition in
            var one = RuleTag(id: definition.id)
            one.defaultValue = definition.defaultValue
            return one
        }
    }

    /// Whether another set has the same tables.
    func means(_ other: RuleSet) -> Bool { unnamed == other.unnamed }

    // Names are the text's alone, and records have their definitions by ID.
    private var unnamed: RuleSet {
        var result = RuleSet(rules: rules)
        result.capabilities = capabilities.map { capability in
            var one = RuleCapability(id: capability.id)
            (one.isDefault, one.rules) = (capability.isDefault, capability.rules)
            return one
        }.sorted { $0.id < $1.id }
        result.tags = tags.map { tag in
            var one = RuleTag(id: tag.id)
            one.defaultValue = tag.defaultValue
            return one
        }.sorted { $0.id < $1.id }
        return result
    }
}
