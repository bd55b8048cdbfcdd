//  Rules written in the text language. What the language has no words for is written as `raw`, so that every table has a
//  text that compiles to it.

import NetPrimitives
package import ZeroTierWire

/// Rules that end in one action: the matches before it, and the action.
package struct RuleStatement: Hashable, Sendable {
    /// Places in the table; the action, if there is one, is the last.
    package let range: Range<Int>
    /// Whether it ends with an action. Matches at the end of a table may have none, and then mean nothing.
    package let hasAction: Bool

    /// A table in statements.
    package static func all(of rules: [Rule]) -> [RuleStatement] {
        var statements: [RuleStatement] = []
        var start = 0
        for (index, rule) in rules.enumerated() where rule.isAction {
            statements.append(RuleStatement(range: start..<(index + 1), hasAction: true))
            start = index + 1
        }
        if start < rules.count { statements.append(RuleStatement(range: start..<rules.count, hasAction: false)) }
        return statements
    }

    /// The places of its matches.
    package var matches: Range<Int> { hasAction ? range.lowerBound..<(range.upperBound - 1) : range }
}

extension RuleSet {
    /// The whole set as a text that compiles to the same rules. Matches that no action follows stand in a comment.
    package var text: String {
        let names = RuleNames(self)
        var lines: [String] = []
        for tag in tags { lines += names.lines(of: tag) }
        for capability in capabilities {
            lines += ["cap \(names.name(of: capability))", "  id \(capability.id)"]
            if capability.isDefault { lines.append("  default") }
            lines += names.statements(capability.rules).map { "  " + $0 }
            lines.append(";")
        }
        lines += names.statements(rules)
        return lines.map { $0 + "\n" }.joined()
    }

    /// A rule alone: an action without its matches, or a match with the words before it if it is not the statement's first.
    package func text(of rule: Rule, isFirst: Bool) -> String {
        let names = RuleNames(self)
        return rule.isAction ? names.action(rule) : names.match(rule, isFirst: isFirst)
    }
}

/// What tags and capabilities are called in a text.
private struct RuleNames {
    private let set: RuleSet
    private var tagNames: [UInt32: String] = [:]
    private var capabilityNames: [UInt32: String] = [:]

    // A name that the language does not take gives way to one made of the number.
    init(_ set: RuleSet) {
        self.set = set
        var used: Set<String> = []
        func choose(_ name: String?, _ fallback: String) -> String {
            if let name, RuleWords.isName(name), used.insert(name).inserted { return name }
            var made = fallback
            while !used.insert(made).inserted { made += "_" }
            return made
        }
        for tag in set.tags { tagNames[tag.id] = choose(tag.name, "tag\(tag.id)") }
        used = []
        for capability in set.capabilities {
            capabilityNames[capability.id] = choose(capability.name, "cap\(capability.id)")
        }
    }

    func name(of capability: RuleCapability) -> String { capabilityNames[capability.id] ?? "\(capability.id)" }

    func lines(of tag: RuleTag) -> [String] {
        var lines = ["tag \(tagNames[tag.id] ?? "")", "  id \(tag.id)"]
        var used: Set<String> = []
        if let value = tag.defaultValue { lines.append("  default \(tag.text(value))") }
        for (index, entry) in (tag.enums + tag.flags).enumerated() {
            guard RuleWords.isName(entry.name), used.insert(entry.name).inserted else { continue }
            let isFlag = index >= tag.enums.count && entry.value.nonzeroBitCount == 1
            lines.append(
                isFlag
                    ? "  flag \(entry.value.trailingZeroBitCount) \(entry.name)" : "  enum \(entry.value) \(entry.name)"
            )
        }
        return lines + [";"]
    }

    func statements(_ rules: [Rule]) -> [String] {
        RuleStatement.all(of: rules).map { statement in
            let matches = statement.matches.map { match(rules[$0], isFirst: $0 == statement.range.lowerBound) }
            guard statement.hasAction, let last = statement.range.last else {
                return "# without effect, as no action follows: " + matches.joined(separator: " ")
            }
            return ([action(rules[last])] + matches).joined(separator: " ") + ";"
        }
    }

    func action(_ rule: Rule) -> String { plain(rule) ?? "raw \(rule.rawText)" }

    func match(_ rule: Rule, isFirst: Bool) -> String {
        var words: [String] = []
        if rule.isAlternative { words.append("or") } else if !isFirst { words.append("and") }
        if rule.isNegated { words.append("not") }
        words.append(plain(rule) ?? "raw \(rule.rawText)")
        return words.joined(separator: " ")
    }

    // Keyword and operands; nil if they do not say all.
    private func plain(_ rule: Rule) -> String? {
        guard let form = RuleForm.of(rule), let keyword = form.keyword, rule.extra.isEmpty,
            !rule.isAction || !rule.isNegated && !rule.isAlternative
        else { return nil }
        switch form.shape {
        case .nothing: return keyword
        default: return operands(form, rule.field).map { "\(keyword) \($0)" }
        }
    }

    private func operands(_ form: RuleForm, _ field: [UInt8]) -> String? {
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            field.dropFirst(offset).prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
        }
        func range(_ offset: Int, _ count: Int) -> String? {
            let (first, last) = (number(offset, count), number(offset + count, count))
            return first > last ? nil : first == last ? "\(first)" : "\(first)-\(last)"
        }
        switch form.shape {
        case .nothing, .integerRange: return nil
        case .copy(let hasLength):
            guard number(0, 8) >> 40 == 0, number(8, 4) == 0, hasLength || number(12, 2) == 0 else { return nil }
            let length = number(12, 2) == 0xffff ? "-1 " : "\(number(12, 2)) "
            return (hasLength ? length : "") + Address(number(0, 8)).description
        case .level: return number(0, 1) <= 8 ? "\(number(0, 1))" : nil
        case .address: return Address(number(0, 5)).description
        case .number(let bits, _, let names):
            let value = number(0, bits / 8)
            return names.name(UInt16(value)) ?? "\(value)"
        case .mac: return MACAddress(number(0, 6)).description
        case .prefix(let isIPv6):
            let address =
                isIPv6 ? IPAddress(v6High: number(0, 8), low: number(8, 8)) : IPAddress(v4: UInt32(number(0, 4)))
            let length = Int(number(isIPv6 ? 16 : 4, 1))
            return length <= address.bitCount ? "\(address)/\(length)" : nil
        case .typeOfService: return range(1, 1).map { "0x\(hexadecimal(number(0, 1), digits: 2)) \($0)" }
        case .icmp:
            let (type, code, flags) = (number(0, 1), number(1, 1), number(2, 1))
            guard flags <= 1, flags == 1 || code == 0 else { return nil }
            return "\(type) \(flags == 1 ? "\(code)" : "-1")"
        case .range: return range(0, 2)
        case .characteristics: return RuleNames.characteristics(number(0, 8))
        case .probability: return RuleNames.probability(UInt32(number(0, 4)))
        case .tag: return tag(UInt32(number(0, 4)), UInt32(number(4, 4)))
        }
    }

    private func tag(_ id: UInt32, _ value: UInt32) -> String {
        guard let tag = set.tags.first(where: { $0.id == id }), let name = tagNames[id] else { return "\(id) \(value)" }
        return "\(name) \(tag.text(value))"
    }

    private static func characteristics(_ mask: UInt64) -> String? {
        guard mask != 0 else { return nil }
        let bits = (0..<64).reversed().filter { mask >> UInt64($0) & 1 != 0 }
        return bits.map { NamedNumbers.characteristics.name(UInt16($0)) ?? "\($0)" }.joined(separator: ",")
    }

    // The shortest decimal fraction that compiles to the number.
    private static func probability(_ value: UInt32) -> String? {
        guard value < .max else { return "1" }
        var scale = 1.0
        for digits in 0...12 {
            let numerator = (Double(value) / Double(UInt32.max) * scale).rounded(.up)
            let fraction = numerator / scale
            if (fraction * Double(UInt32.max)).rounded(.down) == Double(value) {
                let text = "\(UInt64(numerator))"
                return digits == 0
                    ? text : "0." + String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
            }
            scale *= 10
        }
        return nil
    }
}
