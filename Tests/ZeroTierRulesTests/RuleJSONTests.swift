// Errors in JSON name the member and say what would be right.

import JSONValues
import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierRules

@Suite struct RuleJSONTests {
    private func problem(_ text: String) -> String? {
        do throws(JSONError) {
            _ = try JSONDocument(Array(text.utf8)).read { (root) throws(JSONError) in try RuleSet(root) }
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        (
            #"[{"type":"ACTION_DORP"}]"#,
            "line 1, column 10: [0].type: there is no type of rule \"ACTION_DORP\"; did you mean ACTION_DROP?"
        ),
        (#"[{"type":"nonsense"}]"#, "line 1, column 10: [0].type: there is no type of rule \"nonsense\""),
        (#"[{"or":true}]"#, "line 1, column 2: [0]: the member \"type\" is missing"),
        (#"[5]"#, "line 1, column 2: [0]: an object is expected, not 5"),
        (
            #"[{"type":"ACTION_DROP","nto":true}]"#,
            "line 1, column 30: [0].nto: a rule of type ACTION_DROP has only the members type, not, or"
        ),
        (
            #"[{"type":"MATCH_ETHERTYPE","not":1,"etherType":5}]"#,
            "line 1, column 34: [0].not: true or false is expected, not 1"
        ),
        (#"[{"type":"MATCH_ETHERTYPE"}]"#, "line 1, column 2: [0]: the member \"etherType\" is missing"),
        (
            #"[{"type":"MATCH_ETHERTYPE","etherType":65536}]"#,
            "line 1, column 40: [0].etherType: an integer from 0 to 65535 is expected, not 65536"
        ),
        (
            #"[{"type":"MATCH_IP_PROTOCOL","ipProtocol":256}]"#,
            "line 1, column 43: [0].ipProtocol: an integer from 0 to 255 is expected, not 256"
        ),
        (
            #"[{"type":"MATCH_SOURCE_ZEROTIER_ADDRESS","zt":"112233"}]"#,
            "line 1, column 47: [0].zt: an address of a node is expected: ten hexadecimal digits, such as \"1122334455\""
        ),
        (
            #"[{"type":"MATCH_MAC_SOURCE","mac":"1:2:3:4:5:6"}]"#,
            "line 1, column 35: [0].mac: an Ethernet address such as \"02:11:22:33:44:55\" is expected"
        ),
        (
            #"[{"type":"MATCH_IPV4_SOURCE","ip":"10.0.0.1"}]"#,
            "line 1, column 35: [0].ip: an IPv4 address and its bits are expected, such as \"10.0.0.0/8\""
        ),
        (
            #"[{"type":"MATCH_IPV6_DEST","ip":"10.0.0.1/8"}]"#,
            "line 1, column 33: [0].ip: an IPv6 address and its bits are expected, such as \"fd00::/8\""
        ),
        (
            #"[{"type":"MATCH_CHARACTERISTICS","mask":"00000000000000000"}]"#,
            "line 1, column 41: [0].mask: a number is expected, or a string of up to 16 hexadecimal digits"
        ),
        (
            #"[{"type":"MATCH_CHARACTERISTICS","mask":""}]"#,
            "line 1, column 41: [0].mask: a number is expected, or a string of up to 16 hexadecimal digits"
        ),
        (
            #"[{"type":"ACTION_TEE","address":"1122334455","length":-2}]"#,
            "line 1, column 55: [0].length: an integer from -1 to 65535 is expected, not -2"
        ),
        (
            #"[{"type":"MATCH_ICMP","icmpType":8,"icmpCode":"x"}]"#,
            "line 1, column 47: [0].icmpCode: an integer from -1 to 255 is expected, not \"x\""
        ),
        (
            #"[{"type":"INTEGER_RANGE","start":1,"end":2,"idx":0,"bits":65}]"#,
            "line 1, column 59: [0].bits: an integer from 1 to 64 is expected, not 65"
        ),
        (
            #"[{"type":"MATCH_UNKNOWN","wire":"0100"}]"#,
            "line 1, column 33: [0].wire: the rule as it is sent: type, length and field in hexadecimal digits"
        ),
        (#"{"config":{"capabilities":[]}}"#, "line 1, column 11: config: the member \"rules\" is missing"),
        (#"{"rules":{}}"#, "line 1, column 10: rules: an array is expected, not an object"),
        (
            #"{"rules":[],"capabilities":[{"id":1,"rules":[]},{"id":1,"rules":[]}]}"#,
            "line 1, column 55: capabilities[1].id: a second capability with the ID 1"
        ),
        (
            #"{"rules":[],"capabilities":[{"id":4294967296,"rules":[]}]}"#,
            "line 1, column 35: capabilities[0].id: an integer from 0 to 4294967295 is expected, not 4294967296"
        ),
        (#"{"rules":[],"tags":[{"id":1},{"id":1}]}"#, "line 1, column 36: tags[1].id: a second tag with the ID 1"),
        (
            #"{"rules":[],"tags":[{"id":1,"default":"x"}]}"#,
            "line 1, column 39: tags[0].default: an integer from 0 to 4294967295 is expected, not \"x\""
        ),
    ]) func `an error names the member`(text: String, expected: String) {
        #expect(problem(text) == expected)
    }

    @Test func `tables and lists have limits`() throws {
        func rules(_ count: Int) -> JSONValue {
            .array([JSONValue](repeating: Rule(.drop).json(.stored), count: count))
        }
        func set(_ value: JSONValue) throws(JSONError) -> RuleSet { try RuleSet(JSONField(value)) }
        #expect(try set(rules(1024)).rules.count == 1024)
        #expect(throws: JSONError.self) { try set(rules(1025)) }
        func capabilities(_ count: Int, _ length: Int) -> JSONValue {
            .object([
                ("rules", rules(0)),
                (
                    "capabilities",
                    .array((0..<count).map { .object([("id", JSONValue($0)), ("rules", rules(length))]) })
                ),
            ])
        }
        #expect(try set(capabilities(128, 64)).capabilities.count == 128)
        #expect(throws: JSONError.self) { try set(capabilities(129, 0)) }
        #expect(throws: JSONError.self) { try set(capabilities(1, 65)) }
        func tags(_ count: Int) -> JSONValue {
            .object([("rules", rules(0)), ("tags", .array((0..<count).map { .object([("id", JSONValue($0))]) }))])
        }
        #expect(try set(tags(128)).tags.count == 128)
        #expect(throws: JSONError.self) { try set(tags(129)) }
    }

    @Test func `names come back, and those of nothing are passed over`() throws {
        let text =
            "tag t id 1 default b enum 5 b flag 3 f;\ncap c id 2 default accept teq t f; drop;;\ndrop teq t b;"
        let set = try compile(text).set
        #expect(try RuleSet(JSONField(set.compiledJSON)) == set)
        let strange = #"{"rules":[],"capabilitiesByName":{"x":9},"tagsByName":{"y":{"id":9}}}"#
        #expect(problem(strange) == nil)
    }
}
