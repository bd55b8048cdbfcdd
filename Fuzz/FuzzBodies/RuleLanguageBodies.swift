//  The text language of rules and their JSON: what is taken has a text and JSON that mean the same, errors have places.

import JSONValues
import ZeroTierRules
import ZeroTierWire

/// Any text of rules.
package func fuzzRuleText(_ bytes: [UInt8]) {
    let compiled: CompiledRules
    do throws(RuleTextError) {
        compiled = try CompiledRules(text: bytes)
    } catch {
        check(error, bytes)
        return
    }
    for warning in compiled.warnings { check(warning, bytes) }
    precondition(compiled.places.count == compiled.set.rules.count, "a rule without a place")
    precondition(compiled.set.rules.count <= ProtocolLimits.baseRules, "more rules than a network has")
    for (capability, places) in zip(compiled.set.capabilities, compiled.capabilityPlaces) {
        precondition(capability.rules.count == places.count, "a rule of a capability without a place")
        precondition(places.count <= ProtocolLimits.rulesPerCapability, "more rules than a capability has")
    }
    checkLanguages(compiled.set)
    guard let again = try? CompiledRules(text: Array(compiled.set.text.utf8)) else {
        preconditionFailure("what was written cannot be compiled")
    }
    precondition(again.set == compiled.set, "compiled again as something else")
}

private func check(_ error: RuleTextError, _ bytes: [UInt8]) {
    for position in [error.place.position, error.place.include ?? error.place.position] {
        precondition(position.line >= 1 && position.line <= bytes.count + 1, "an error outside of the text")
        precondition(position.column >= 1 && position.column <= bytes.count + 1, "an error outside of the line")
    }
    precondition(!error.problem.isEmpty, "an error without words")
}

/// Any JSON of rules; what is none of JSON is read as a table as it is sent.
package func fuzzRuleJSON(_ bytes: [UInt8]) {
    let set: RuleSet
    do throws(JSONError) {
        set = try JSONDocument(bytes).read { (root) throws(JSONError) in try RuleSet(root) }
    } catch {
        guard let table = try? Rule.table(decoding: bytes, limit: ProtocolLimits.baseRules) else {
            precondition(error.position != nil, "an error without a place")
            return
        }
        checkLanguages(RuleSet(rules: table))
        return
    }
    checkLanguages(set)
}

// Whatever rules a set has, its text and its JSON are read, and mean them.
private func checkLanguages(_ set: RuleSet) {
    guard let compiled = try? CompiledRules(text: Array(set.text.utf8)) else {
        preconditionFailure("what was written cannot be compiled")
    }
    // Matches without an action mean nothing, and no text has them.
    let meaning = RuleStatement.all(of: set.rules).filter(\.hasAction).last.map {
        Array(set.rules[..<$0.range.upperBound])
    }
    precondition(compiled.set.rules == meaning ?? [], "a text that means something else")
    for form in [RuleJSONForm.compiled, .stored] {
        for rule in set.rules {
            guard let again = try? Rule(JSONField(rule.json(form))) else {
                preconditionFailure("JSON that cannot be read")
            }
            precondition(again.json(form) == rule.json(form), "JSON that means something else")
        }
    }
    guard let again = try? RuleSet(JSONField(set.compiledJSON)) else { preconditionFailure("JSON that cannot be read") }
    precondition(again.compiledJSON == set.compiledJSON, "a set that is read as another one")
}
