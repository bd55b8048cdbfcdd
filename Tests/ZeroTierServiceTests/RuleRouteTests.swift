import JSONValues
import Testing

@testable import ZeroTierService

/// Rules as a page asks about them: compiled, as text, and tried.
@Suite struct RuleRouteTests {
    private static let text = """
        # Only IPv4 and ARP.
        drop not ethertype ipv4 and not ethertype arp;
        tag team id 7 default 1 enum 1 sales enum 2 engineering;
        cap ssh id 9 accept dport 22; ;
        break dport 22;
        drop not teq team 1;
        accept;
        """

    private func ask(_ lab: ServiceLab, _ path: String, _ body: JSONValue) async throws -> (Int, JSONField) {
        let (status, json) = try await lab.value("POST", path, body.text)
        return (status, JSONField(try #require(json)))
    }

    private func object(_ members: [(String, JSONValue)]) -> JSONValue { .object(members) }

    @Test func `a text is compiled to what a network takes`() async throws {
        try await ServiceLab.with { lab in
            let (status, json) = try await ask(lab, "/zt/rules/compile", object([("source", .string(Self.text))]))
            #expect(status == 200)
            #expect(try json.required("errors").elements().isEmpty && json.required("warnings").elements().isEmpty)
            #expect(try json.required("tagsByName").required("team").required("id").integer(UInt32.self) == 7)
            let config = try json.required("config")
            let made = try await lab.value(
                "POST", "/controller/network/\(lab.address)______",
                JSONValue.object(
                    try config.members().map { ($0.key, $0.field.value) } + [("rulesSource", .string(Self.text))]
                ).text)
            let record = JSONField(try #require(made.json))
            #expect(made.status == 200)
            #expect(try record.required("rules").elements().count == config.required("rules").elements().count)
            // What was written comes back, as long as it means the same.
            let (_, same) = try await ask(lab, "/zt/rules/text", record.value)
            #expect(try same.required("source").string() == Self.text && same.required("isWritten").bool())
            let id = try record.required("id").string()
            let other = try await lab.value(
                "POST", "/controller/network/\(id)", #"{"rules":[{"type":"ACTION_DROP"}],"capabilities":[],"tags":[]}"#)
            let (_, changed) = try await ask(lab, "/zt/rules/text", try #require(other.json))
            #expect(try changed.required("source").string() == "drop;\n" && !changed.required("isWritten").bool())
        }
    }

    @Test(
        arguments: [
            ("accept;\ndrop ethertipe arp;", 2, 6, "did you mean ethertype?", nil),
            ("macro m\n  accept nothing;\n;\ninclude m;", 2, 10, "nothing", 4), ("accept", 1, 1, "", nil),
            ("drop \u{1f6ab} dport 1;", 1, 6, "", nil),
        ] as [(String, Int, Int, String, Int?)])
    func `a fault has its place`(
        source: String, line: Int, column: Int, words: String, included: Int?
    ) async throws {
        try await ServiceLab.with { lab in
            let (status, json) = try await ask(lab, "/zt/rules/compile", object([("source", .string(source))]))
            #expect(status == 200 && json.member("config")?.isNull == true)
            let faults = try json.required("errors").elements()
            let fault = try #require(faults.first)
            #expect(try fault.required("line").integer(Int.self) == line)
            if words.isEmpty { return }
            #expect(try fault.required("column").integer(Int.self) == column)
            #expect(try fault.required("message").string().contains(words))
            let place = try fault.required("includedLine")
            #expect(try (place.isNull ? nil : place.integer(Int.self)) == included)
        }
    }

    @Test func `a frame is tried, and each step has its line`() async throws {
        try await ServiceLab.with { lab in
            func query(_ port: Int, _ from: [(String, JSONValue)] = []) -> JSONValue {
                .object([
                    ("source", .string(Self.text)),
                    ("from", .object([("address", .string("1111111111"))] + from)),
                    ("to", .object([("address", .string("2222222222"))])),
                    (
                        "frame",
                        .object([
                            ("source", .string("10.0.0.1")), ("destination", .string("10.0.0.2")),
                            ("protocol", .string("tcp")), ("destinationPort", JSONValue(port)),
                        ])
                    ),
                ])
            }
            let (_, plain) = try await ask(lab, "/zt/rules/test", query(80))
            #expect(try plain.required("delivered").bool())
            let outbound = try plain.required("outbound")
            #expect(try outbound.required("decision").required("line").integer(Int.self) == 7)
            let table = try outbound.required("tables").elements()[0]
            #expect(try table.required("name").string() == "rules of the network")
            #expect(try table.required("steps").elements()[0].required("line").integer(Int.self) == 2)
            // A tag, and a capability, as in members' records.
            let (_, other) = try await ask(
                lab, "/zt/rules/test", query(80, [("tags", .array([.array([.integer(7), .integer(2)])]))]))
            #expect(try !other.required("delivered").bool())
            let (_, ssh) = try await ask(lab, "/zt/rules/test", query(22))
            #expect(try !ssh.required("delivered").bool())
            let (_, held) = try await ask(
                lab, "/zt/rules/test", query(22, [("capabilities", .array([.integer(9)]))]))
            #expect(try held.required("delivered").bool())
        }
    }

    @Test(
        arguments: [
            ("compile", "", "JSON"), ("compile", "[]", "object"), ("compile", "{}", "source"),
            ("compile", #"{"source":1}"#, "source"), ("text", #"{"rules":[{"type":"X"}]}"#, "rules[0].type"),
            ("text", "{}", "rules"), ("test", #"{"source":"drop"}"#, "source"),
            ("test", #"{"source":"accept;"}"#, "frame"),
            ("test", #"{"source":"accept;","frame":{"sourcePort":1},"from":{},"to":{}}"#, "protocol"),
            ("test", #"{"source":"accept;","frame":{"destinationPort":"many"},"from":{},"to":{}}"#, "destinationPort"),
            ("test", #"{"source":"accept;","frame":{},"from":{"address":"1"},"to":{}}"#, "from.address"),
            (
                "test",
                #"{"source":"accept;","frame":{},"from":{"address":"1111111111"},"to":{"address":"1111111111"}}"#, "to"
            ),
            (
                "test",
                #"{"source":"accept;","frame":{},"from":{"address":"1111111111","tags":[[1,2],[1,3]]},"to":{"address":"1111111112"}}"#,
                "twice"
            ),
        ])
    func `what cannot be is named`(path: String, body: String, words: String) async throws {
        try await ServiceLab.with { lab in
            let (status, json) = try await lab.value("POST", "/zt/rules/\(path)", body)
            #expect(status == 400)
            let said = try JSONField(try #require(json)).required("description").string()
            #expect(said.contains(words) || words == "JSON", "\(said)")
        }
    }
}
