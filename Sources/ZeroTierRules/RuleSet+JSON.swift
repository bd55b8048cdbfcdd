//  Sets of rules as JSON: what compilers of rules put out and controllers take in.

package import JSONValues
import ZeroTierWire

extension RuleSet {
    /// The object that compilers of rules put out: `config` for the controller, and the names.
    package var compiledJSON: JSONValue {
        let named = tags.filter { $0.name != nil }
        return .object([
            ("config", .object(configMembers(.compiled))),
            (
                "capabilitiesByName",
                .object(capabilities.filter { $0.name != nil }.map { ($0.name ?? "", JSONValue($0.id)) })
            ),
            ("tagsByName", .object(named.map { ($0.name ?? "", $0.namesJSON) })),
        ])
    }

    /// The members `rules`, `capabilities` and `tags` of a network's record.
    package func configMembers(_ form: RuleJSONForm) -> [(String, JSONValue)] {
        [
            ("rules", .array(rules.map { $0.json(form) })),
            (
                "capabilities",
                .array(
                    capabilities.map { capability in
                        .object([
                            ("id", JSONValue(capability.id)), ("default", .bool(capability.isDefault)),
                            ("rules", .array(capability.rules.map { $0.json(form) })),
                        ])
                    })
            ),
            (
                "tags",
                .array(
                    tags.map { .object([("id", JSONValue($0.id)), ("default", $0.defaultJSON)]) })
            ),
        ]
    }

    /// Reads a table (an array of rules), a network's record, or what a compiler of rules put out.
    package init(_ json: JSONField) throws(JSONError) {
        self.init()
        if case .array = json.value {
            rules = try RuleSet.table(json, ProtocolLimits.baseRules)
            return
        }
        let config = json.member("config") ?? json
        rules = try RuleSet.table(config.required("rules"), ProtocolLimits.baseRules)
        if let field = config.member("capabilities") {
            for element in try field.elements(atMost: ProtocolLimits.capabilities) {
                let id = try element.required("id")
                var capability = RuleCapability(id: try id.integer())
                guard !capabilities.contains(where: { $0.id == capability.id }) else {
                    throw id.error("a second capability with the ID \(capability.id)")
                }
                capability.isDefault = try element.member("default")?.bool() ?? false
                capability.rules = try RuleSet.table(element.required("rules"), ProtocolLimits.rulesPerCapability)
                capabilities.append(capability)
            }
        }
        if let field = config.member("tags") {
            for element in try field.elements(atMost: ProtocolLimits.tags) {
                let id = try element.required("id")
                var tag = RuleTag(id: try id.integer())
                guard !tags.contains(where: { $0.id == tag.id }) else {
                    throw id.error("a second tag with the ID \(tag.id)")
                }
                if let value = element.member("default"), !value.isNull { tag.defaultValue = try value.integer() }
                tags.append(tag)
            }
        }
        try readNames(json)
    }

    private static func table(_ json: JSONField, _ limit: Int) throws(JSONError) -> [Rule] {
        var rules: [Rule] = []
        for element in try json.elements(atMost: limit) { rules.append(try Rule(element)) }
        return rules
    }

    // Names of what is not there are passed over: nothing refers to them.
    private mutating func readNames(_ json: JSONField) throws(JSONError) {
        if let names = json.member("capabilitiesByName") {
            for (name, field) in try names.members() {
                let id = try field.integer(UInt32.self)
                guard let place = capabilities.firstIndex(where: { $0.id == id }) else { continue }
                capabilities[place].name = name
            }
        }
        if let names = json.member("tagsByName") {
            for (name, field) in try names.members() {
                let id = try field.required("id").integer(UInt32.self)
                guard let place = tags.firstIndex(where: { $0.id == id }) else { continue }
                tags[place].name = name
                tags[place].enums = try RuleTag.names(field.member("enums"))
                tags[place].flags = try RuleTag.names(field.member("flags"))
            }
        }
    }
}

extension RuleTag {
    fileprivate var defaultJSON: JSONValue { defaultValue.map { JSONValue($0) } ?? .null }

    fileprivate var namesJSON: JSONValue {
        .object([
            ("id", JSONValue(id)), ("default", defaultJSON),
            ("enums", .object(enums.map { ($0.name, JSONValue($0.value)) })),
            ("flags", .object(flags.map { ($0.name, JSONValue($0.value)) })),
        ])
    }

    fileprivate static func names(_ json: JSONField?) throws(JSONError) -> [Name] {
        guard let json else { return [] }
        var names: [Name] = []
        for (name, field) in try json.members() { names.append(Name(name: name, value: try field.integer())) }
        return names
    }
}
