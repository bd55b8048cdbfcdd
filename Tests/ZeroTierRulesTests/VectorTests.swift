// Rules as the reference's compiler and controller write them: text, JSON and what is sent.

import Foundation
import JSONValues
import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierRules

/// `Tests/Vectors/<name>.json`.
func vectors(_ name: String) throws -> JSONValue {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try JSONDocument([UInt8](Data(contentsOf: folder.appendingPathComponent("Vectors/\(name).json")))).root
}

func compile(_ text: String) throws(RuleTextError) -> CompiledRules { try CompiledRules(text: Array(text.utf8)) }

func wire(_ rules: [Rule]) -> String { Hexadecimal.encode(Rule.encode(rules)) }

@Suite struct VectorTests {
    static let scripts = [
        "rules_1_default", "rules_2_tcp_whitelist", "rules_3_caps_tags", "rules_4_security_monitor",
        "rules_5_everything",
    ]

    @Test(arguments: scripts) func `scripts compile to what the reference's compiler makes`(name: String) throws {
        let vector = JSONField(try vectors(name))
        let compiled = try compile(try vector.required("source").string())
        #expect(compiled.warnings.isEmpty)
        #expect(compiled.set.compiledJSON == (try vector.required("compiled").value))
        #expect(compiled.places.count == compiled.set.rules.count)

        let sent = try vector.required("wire")
        #expect(wire(compiled.set.rules) == (try sent.required("rules").required("hex").string()))
        #expect(compiled.set.rules.count == (try sent.required("rules").required("count").integer()))
        let capabilities = try sent.required("capabilities").elements()
        #expect(capabilities.count == compiled.set.capabilities.count)
        for (field, capability) in zip(capabilities, compiled.set.capabilities) {
            #expect(capability.id == (try field.required("id").integer()))
            #expect(wire(capability.rules) == (try field.required("hex").string()))
        }
    }

    @Test(arguments: scripts) func `JSON is kept as the reference's controller keeps it`(name: String) throws {
        let vector = JSONField(try vectors(name))
        let set = try RuleSet(vector.required("compiled"))
        #expect(set == (try compile(try vector.required("source").string()).set))
        let stored = JSONValue.array(set.rules.map { $0.json(.stored) })
        let expected = try vector.required("storedByController").value
        #expect(stored.text == expected.text)
        // What it keeps is taken again.
        #expect(try RuleSet(JSONField(stored)).rules == set.rules)
    }

    @Test func `each kind of rule goes both ways`() throws {
        let rows = try JSONField(try vectors("rules_single")).required("rules").elements()
        var kinds: Set<UInt8> = []
        for row in rows {
            // What cannot be written as JSON there was made of code: only its wire form is given.
            guard case .object = try row.required("input").value else { continue }
            let input = try row.required("input")
            guard let sent = try row.member("wire")?.string() else { continue }
            let rule = try Rule(input)
            kinds.insert(rule.kind.number)
            #expect(wire([rule]) == sent)
            #expect(rule.json(.stored).text == (try row.required("rendered").value.text))
            #expect(try Rule(JSONField(rule.json(.compiled))) == rule)
        }
        #expect(kinds.count >= 33)
    }

    @Test func `what the reference's controller loses is taken`() throws {
        func rule(_ text: String) throws -> Rule { try Rule(JSONField(try JSONDocument(Array(text.utf8)).root)) }
        let range = try rule(
            #"{"bits":16,"end":"0000000000000020","idx":12,"little":false,"start":"0000000000000010","type":"INTEGER_RANGE"}"#
        )
        #expect(wire([range]) == "331300000000000000100000000000000020000c0f")
        #expect(range.json(.stored).text.contains(#""type":"INTEGER_RANGE""#))
        #expect(
            try rule(#"{"bits":8,"end":2,"idx":1,"start":1,"type":"MATCH_INTEGER_RANGE"}"#)
                == Rule(.integerRange(start: 1, end: 2, index: 1, format: 7)))
        #expect(try rule(#"{"qosBucket":3,"type":"ACTION_PRIORITY"}"#) == Rule(.priority(3)))
        #expect(
            try rule(#"{"type":"ACTION_WATCH","address":"1122334455","length":-1}"#)
                == Rule(.watch(Address(0x11_2233_4455), flags: 0, length: 65_535)))
    }
}
