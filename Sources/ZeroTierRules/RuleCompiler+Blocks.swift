//  Definitions: tags, capabilities, macros.

import ZeroTierWire

extension RuleCompiler {
    // MARK: Tags

    mutating func tag(_ keyword: RuleToken) throws(RuleTextError) {
        let named = try name(of: "tag")
        guard !set.tags.contains(where: { $0.name == named.text }) else {
            throw fail(named.position, "a second tag with the name \(named.text)")
        }
        guard set.tags.count < ProtocolLimits.tags else {
            throw fail(named.position, "a network has at most \(ProtocolLimits.tags) tags")
        }
        var tag = RuleTag(id: 0, name: named.text)
        var hasID = false
        var given: RuleToken?
        while true {
            let token = try next("a semicolon")
            if token.isEnd { break }
            switch token.keyword {
            case "id":
                (tag.id, hasID) = (try id(among: set.tags.map(\.id), "tag"), true)
            case "default": given = try word("the value that new members get")
            case "enum":
                let (value, _) = try number(0...UInt64(UInt32.max), "the value of the name")
                tag.enums.append(try valueName(tag, UInt32(value)))
            case "flag":
                let (bit, _) = try number(0...31, "the bit of the name")
                tag.flags.append(try valueName(tag, 1 << UInt32(bit)))
            default:
                throw fail(token.position, "a tag has id, default, enum, flag and then a semicolon, not \(token.text)")
            }
        }
        guard hasID else { throw fail(named.position, "the tag \(named.text) has no ID: id and a number are missing") }
        if let given {
            guard let value = tag.value(given.text) else {
                throw fail(given.position, unknownValue(given.text, of: tag))
            }
            tag.defaultValue = value
        }
        set.tags.append(tag)
    }

    private mutating func valueName(_ tag: RuleTag, _ value: UInt32) throws(RuleTextError) -> RuleTag.Name {
        let token = try name(of: "value")
        guard !(tag.enums + tag.flags).contains(where: { $0.name == token.text }) else {
            throw fail(token.position, "a second value of the tag with the name \(token.text)")
        }
        return RuleTag.Name(name: token.text, value: value)
    }

    private mutating func id(among others: [UInt32], _ what: String) throws(RuleTextError) -> UInt32 {
        let (value, token) = try number(0...UInt64(UInt32.max), "the ID of the \(what)")
        guard !others.contains(UInt32(value)) else {
            throw fail(token.position, "a second \(what) with the ID \(value)")
        }
        return UInt32(value)
    }

    func unknownValue(_ word: String, of tag: RuleTag) -> String {
        let names = (tag.enums + tag.flags).map(\.name)
        let known = names.isEmpty ? "" : ", or one of " + names.joined(separator: ", ")
        return "a value of the tag is a number up to \(UInt32.max)\(known); not \(word)"
    }

    // MARK: Capabilities

    mutating func readCapability(_ keyword: RuleToken) throws(RuleTextError) {
        let named = try name(of: "capability")
        guard !set.capabilities.contains(where: { $0.name == named.text }) else {
            throw fail(named.position, "a second capability with the name \(named.text)")
        }
        guard set.capabilities.count < ProtocolLimits.capabilities else {
            throw fail(named.position, "a network has at most \(ProtocolLimits.capabilities) capabilities")
        }
        var made = RuleCapability(id: 0, name: named.text)
        var hasID = false
        capability = Table(limit: ProtocolLimits.rulesPerCapability)
        while true {
            let token = try next("a semicolon that ends the capability")
            if token.isEnd { break }
            switch token.keyword {
            case "id": (made.id, hasID) = (try id(among: set.capabilities.map(\.id), "capability"), true)
            case "default": made.isDefault = true
            default: try statement(token)
            }
        }
        guard hasID else {
            throw fail(named.position, "the capability \(named.text) has no ID: id and a number are missing")
        }
        made.rules = capability?.rules ?? []
        capabilityPlaces.append(capability?.places ?? [])
        capability = nil
        set.capabilities.append(made)
    }

    // MARK: Macros

    mutating func macro(_ keyword: RuleToken) throws(RuleTextError) {
        let named = try name(of: "macro")
        guard macros[named.text] == nil else {
            throw fail(named.position, "a second macro with the name \(named.text)")
        }
        let parameters = try list("a parameter")
        for parameter in parameters {
            guard parameter.hasPrefix("$"), RuleWords.isName(String(parameter.dropFirst())) else {
                throw fail(named.position, "a parameter of a macro is $ and a name, not \(parameter)")
            }
        }
        guard Set(parameters).count == parameters.count else {
            throw fail(named.position, "a parameter of the macro \(named.text) is there twice")
        }
        var body: [RuleToken] = []
        while true {
            // Each statement ends with a semicolon; where one would begin, it ends the macro.
            var token = try next("a semicolon that ends the macro")
            if token.isEnd { break }
            while !token.isEnd {
                body.append(token)
                token = try next("a semicolon")
            }
            body.append(token)
        }
        macros[named.text] = Macro(parameters: parameters, body: body)
    }
}
