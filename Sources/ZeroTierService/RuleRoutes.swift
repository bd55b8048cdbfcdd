// What the field's interface has no answer for: a text of rules compiled, rules as text, and a frame tried. Read first:
// Docs/page.md, "Requests".

import JSONValues
import ZeroTierController
import ZeroTierRules

/// The routes of rules. They know no network and change nothing.
struct RuleRoutes: Sendable {
    var routes: [ServiceRoute] {
        [
            ServiceRoute(.post, "/zt/rules/compile") { call in
                RuleRoutes.answer(call) { (json) throws(JSONError) in try RuleRoutes.compiled(json) }
            },
            ServiceRoute(.post, "/zt/rules/text") { call in
                RuleRoutes.answer(call) { (json) throws(JSONError) in try RuleRoutes.text(json) }
            },
            ServiceRoute(.post, "/zt/rules/test") { call in
                RuleRoutes.answer(call) { (json) throws(JSONError) in try FrameQuery(json).answer }
            },
        ]
    }

    private static func answer(
        _ call: ServiceCall, _ read: (JSONField) throws(JSONError) -> JSONValue
    ) -> ServiceAnswer {
        do throws(JSONError) {
            return .json(try JSONDocument(call.request.body).read(read))
        } catch {
            return .error(400, "\(error)")
        }
    }

    // MARK: Texts

    // A text with a fault is an answer too: that it has one was the question.
    private static func compiled(_ json: JSONField) throws(JSONError) -> JSONValue {
        let source = try json.required("source").string()
        var faults: [JSONValue] = []
        var warnings: [JSONValue] = []
        var members: [(String, JSONValue)] = [("config", .null)]
        do throws(RuleTextError) {
            let compiled = try CompiledRules(text: Array(source.utf8))
            warnings = compiled.warnings.map(fault)
            if case .object(let object) = compiled.set.compiledJSON {
                members = object.members.map { ($0.key, $0.value) }
            }
        } catch {
            faults = [fault(error)]
        }
        return .object(members + [("errors", .array(faults)), ("warnings", .array(warnings))])
    }

    private static func fault(_ error: RuleTextError) -> JSONValue {
        .object([
            ("line", JSONValue(error.place.position.line)), ("column", JSONValue(error.place.position.column)),
            ("includedLine", error.place.include.map { JSONValue($0.line) } ?? .null),
            ("message", .string(error.problem)),
        ])
    }

    // What somebody wrote says more than what can be made of its tables, as long as it means the same.
    private static func text(_ json: JSONField) throws(JSONError) -> JSONValue {
        let set = try RuleSet(json)
        let written = try json.said("rulesSource")?.string() ?? ""
        let isWritten = !written.isEmpty && means(written, set)
        return .object([("source", .string(isWritten ? written : set.text)), ("isWritten", .bool(isWritten))])
    }

    private static func means(_ source: String, _ set: RuleSet) -> Bool {
        guard let compiled = try? CompiledRules(text: Array(source.utf8)).set else { return false }
        return compiled.means(set)
    }
}
