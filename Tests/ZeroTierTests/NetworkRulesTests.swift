import Testing

@testable import ZeroTier

/// Rules of a controlled network as values: texts, JSON, names, and what is wrong with them.
@Suite struct NetworkRulesTests {
    private static let text = """
        # who may do what
        tag department
          id 1000
          default 2
          enum 1 sales
          enum 2 engineering
        ;
        cap superuser
          id 1
          default
          accept;
        ;
        drop not ethertype ipv4 and not ethertype arp;
        break tdiff department 0;
        accept;
        """

    @Test func `a text gives rules, tags and capabilities with their names`() throws {
        let rules = try NetworkRules(Self.text)
        #expect(rules.count == 6 && rules.source == Self.text && rules.text == Self.text)
        #expect(
            rules.tags == [
                NetworkRules.Tag(
                    id: 1000, name: "department", defaultValue: 2, values: ["sales": 1, "engineering": 2])
            ])
        #expect(rules.capabilities == [NetworkRules.Capability(id: 1, name: "superuser", isDefault: true, count: 1)])
        #expect(NetworkRules().count == 1 && NetworkRules().tags.isEmpty && NetworkRules().text == "accept;\n")
    }

    @Test func `JSON gives the same rules, and its names`() throws {
        let rules = try NetworkRules(Self.text)
        let read = try NetworkRules(json: rules.json)
        #expect(read.tags == rules.tags && read.capabilities == rules.capabilities && read.json == rules.json)
        #expect(try NetworkRules(read.text).json == rules.json)
        #expect(try NetworkRules(json: #"[{"type":"ACTION_ACCEPT"}]"#).count == 1)
    }

    @Test(arguments: [
        ("accept;\ndrop dport 70000;", 2, 12, "65535"), ("drop ethertyp ipv4;", 1, 6, "ethertype"),
        ("accept", 1, 1, "semicolon"),
    ])
    func `a bad text is refused by line and column`(
        _ text: String, _ line: Int, _ column: Int, _ word: String
    ) throws {
        let error = #expect(throws: NetworkRules.SourceError.self) { try NetworkRules(text) }
        #expect(error?.line == line && error?.column == column && error?.problem.contains(word) == true, "\(error!)")
    }

    @Test func `bad JSON is refused by line and column`() {
        let error = #expect(throws: NetworkRules.SourceError.self) {
            try NetworkRules(json: "{\"rules\":[\n{\"type\":\"MATCH_ETHERTYPE\",\"etherType\":70000}]}")
        }
        #expect(error?.line == 2 && error?.problem.contains("etherType") == true, "\(error!)")
        #expect(throws: NetworkRules.SourceError.self) { try NetworkRules(json: "") }
    }
}
