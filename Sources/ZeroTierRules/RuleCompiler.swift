//  The text language of rules, compiled. Docs/rules.md has the language by examples.
//
//  text      = { statement }
//  statement = action | include | tag | capability | macro
//  action    = word operands { [and|or] [not] match operands } ;
//  include   = include name [ ( argument, ... ) ] ;
//  tag       = tag name id N [default V] { enum N name } { flag BIT name } ;
//  capability= cap name id N [default] { action | include } ;
//  macro     = macro name [ ( $parameter, ... ) ] { action | include } ;

import NetPrimitives
import ZeroTierWire

/// Bounds of what a text may ask for.
package enum RuleTextLimits {
    /// Bytes of the text.
    package static let bytes = 1 << 20
    /// Macros that are included, in all and within each other.
    package static let includes = 4096
    package static let depth = 16
}

/// A text of rules, compiled.
package struct CompiledRules: Sendable {
    package let set: RuleSet
    /// Where each of the set's rules stands; of those of its capabilities likewise.
    package let places: [RulePlace]
    package let capabilityPlaces: [[RulePlace]]
    /// What is allowed and can hardly be meant.
    package let warnings: [RuleTextError]

    /// Compiles a text of UTF-8. Throws the first error with its place.
    package init(text: [UInt8]) throws(RuleTextError) {
        var compiler = RuleCompiler()
        try compiler.compile(text)
        set = compiler.set
        places = compiler.base.places
        capabilityPlaces = compiler.capabilityPlaces
        warnings = compiler.warnings
    }
}

/// The compiler at work.
struct RuleCompiler {
    /// A table under construction.
    struct Table {
        var rules: [Rule] = []
        var places: [RulePlace] = []
        let limit: Int

        mutating func append(_ rule: Rule, _ place: RulePlace) {
            rules.append(rule)
            places.append(place)
        }
    }

    struct Macro {
        let parameters: [String]
        let body: [RuleToken]
    }

    var set = RuleSet()
    var base = Table(limit: ProtocolLimits.baseRules)
    var capabilityPlaces: [[RulePlace]] = []
    var warnings: [RuleTextError] = []
    // The table that actions go to: a capability's, if there is one under construction.
    var capability: Table?

    var macros: [String: Macro] = [:]
    private var tokens: [RuleToken] = []
    private var index = 0
    private var end = TextPosition(line: 1, column: 1)
    // Macros whose bodies are being read, outermost first, and where that one is included.
    private var active: [String] = []
    private var include: TextPosition?
    private var includes = 0

    mutating func compile(_ text: [UInt8]) throws(RuleTextError) {
        guard text.count <= RuleTextLimits.bytes else {
            throw fail(end, "the text has \(text.count) bytes; at most \(RuleTextLimits.bytes) are read")
        }
        tokens = RuleToken.all(of: text)
        end = tokens.last?.position ?? end
        while let token = peek() {
            index += 1
            switch token.keyword {
            case "macro": try macro(token)
            case "tag": try tag(token)
            case "cap": try readCapability(token)
            default: try statement(token)
            }
        }
        set.rules = base.rules
    }

    // MARK: Tokens

    func fail(_ position: TextPosition, _ problem: String) -> RuleTextError {
        RuleTextError(place: RulePlace(position: position, include: include), problem: problem)
    }

    mutating func warn(_ position: TextPosition, _ problem: String) { warnings.append(fail(position, problem)) }

    func peek() -> RuleToken? { index < tokens.count ? tokens[index] : nil }

    /// The next word or sign. At the end of the text, or of a macro's body, `expected` is missing.
    mutating func next(_ expected: String) throws(RuleTextError) -> RuleToken {
        guard let token = peek() else { throw fail(end, "the text ends after this; \(expected) is missing") }
        index += 1
        return token
    }

    /// The next word. A sign is an error: `needs` says what stands here.
    mutating func word(_ needs: String) throws(RuleTextError) -> RuleToken {
        let token = try next(needs)
        guard !token.isEnd, token.text != "(", token.text != ")" else {
            throw fail(token.position, "\(needs) is missing before \(token.text)")
        }
        return token
    }

    /// A name that is chosen here.
    mutating func name(of what: String) throws(RuleTextError) -> RuleToken {
        let token = try word("the name of the \(what)")
        guard RuleWords.isName(token.text) else {
            throw fail(
                token.position,
                "the name of a \(what) begins with a letter and has letters, digits, _, - and dots, 64 at most, "
                    + "not \(token.text)")
        }
        return token
    }

    mutating func number(
        _ range: ClosedRange<UInt64>, _ what: String
    ) throws(RuleTextError) -> (value: UInt64, token: RuleToken) {
        let token = try word(what)
        guard let value = RuleWords.number(token.text), range.contains(value) else {
            throw fail(
                token.position, "\(what) is a number from \(range.lowerBound) to \(range.upperBound), not \(token.text)"
            )
        }
        return (value, token)
    }

    // MARK: Statements

    /// An action or the inclusion of a macro, whose first word was read.
    mutating func statement(_ token: RuleToken) throws(RuleTextError) {
        let keyword = token.keyword
        if keyword == "include" { return try includeMacro(token) }
        if keyword == "raw" {
            let rule = try raw(isAction: true)
            return try finish(rule, token)
        }
        guard let form = RuleForm.keyword(keyword), form.isAction else { throw unknownStatement(token) }
        let (row, field) = try operands(form, token)
        try finish(row.rule(field), token)
    }

    private func unknownStatement(_ token: RuleToken) -> RuleTextError {
        let inside = active.isEmpty && capability == nil ? ["macro", "tag", "cap"] : []
        let words = RuleForm.actionKeywords + ["include"] + inside
        if token.isEnd { return fail(token.position, "there is no statement before this semicolon") }
        if RuleForm.keyword(token.keyword) != nil || ["not", "and", "or"].contains(token.keyword) {
            return fail(token.position, "\(token.text) belongs behind an action, such as: drop \(token.text) ...;")
        }
        if ["macro", "tag", "cap"].contains(token.keyword) {
            return fail(token.position, "\(token.keyword) stands outside of macros and capabilities")
        }
        let hint = nearest(to: token.keyword, among: words).map { "; did you mean \($0)?" } ?? ""
        return fail(
            token.position,
            "a statement begins with one of \(words.joined(separator: ", ")), not \(token.text)\(hint)")
    }

    // The matches up to the semicolon; then table gets them and the action.
    private mutating func finish(_ action: Rule, _ token: RuleToken) throws(RuleTextError) {
        var rules: [(rule: Rule, token: RuleToken)] = []
        while true {
            let first = try next("a semicolon")
            if first.isEnd { break }
            rules.append((rule: try match(first, isFirst: rules.isEmpty), token: first))
        }
        for (rule, token) in rules + [(rule: action, token: token)] {
            try append(rule, RulePlace(position: token.position, include: include))
        }
    }

    private mutating func append(_ rule: Rule, _ place: RulePlace) throws(RuleTextError) {
        let table = capability?.rules.count ?? base.rules.count
        let limit = capability?.limit ?? base.limit
        guard table < limit else {
            let what = capability == nil ? "a network" : "a capability"
            throw fail(
                place.position,
                "\(what) has at most \(limit) rules, each match and each action counted; shorten the table")
        }
        if capability == nil { base.append(rule, place) } else { capability?.append(rule, place) }
    }

    // A match with what stands before it, of which the first word was read.
    private mutating func match(_ first: RuleToken, isFirst: Bool) throws(RuleTextError) -> Rule {
        var token = first
        var isAlternative = false
        if token.keyword == "and" || token.keyword == "or" {
            isAlternative = token.keyword == "or"
            if isFirst, isAlternative {
                warn(token.position, "or before the first match makes the action happen whatever the match says")
            }
            token = try word("a match after \(token.text)")
        }
        var isNegated = false
        if token.keyword == "not" {
            isNegated = true
            token = try word("a match after not")
        }
        var rule: Rule
        if token.keyword == "raw" {
            rule = try raw(isAction: false)
        } else {
            guard let form = RuleForm.keyword(token.keyword), !form.isAction else { throw unknownMatch(token) }
            let (row, field) = try operands(form, token)
            rule = row.rule(field)
        }
        rule.isNegated = isNegated
        rule.isAlternative = isAlternative
        return rule
    }

    private func unknownMatch(_ token: RuleToken) -> RuleTextError {
        let keyword = token.keyword
        if RuleForm.actionKeywords.contains(keyword) || ["include", "macro", "tag", "cap"].contains(keyword) {
            return fail(token.position, "\(token.text) begins a statement: the one before it ends with a semicolon")
        }
        if ["not", "and", "or"].contains(keyword) {
            return fail(token.position, "a match stands here, not another \(token.text): [and|or] [not] match")
        }
        let words = RuleForm.matchKeywords + ["and", "or", "not"]
        let hint = nearest(to: keyword, among: words).map { "; did you mean \($0)?" } ?? ""
        return fail(
            token.position,
            "\(token.text) is no match\(hint.isEmpty ? ": there are " + words.joined(separator: ", ") : hint)")
    }

    // MARK: Macros

    private mutating func includeMacro(_ token: RuleToken) throws(RuleTextError) {
        let named = try word("the name of a macro")
        guard let macro = macros[named.text] else {
            let hint = nearest(to: named.text, among: macros.keys.sorted()).map { "; did you mean \($0)?" } ?? ""
            throw fail(named.position, "no macro \(named.text) is defined before this\(hint)")
        }
        let arguments = try list("an argument")
        let ending = try next("a semicolon")
        guard ending.isEnd else { throw fail(ending.position, "after include name(...) comes a semicolon") }
        guard arguments.count == macro.parameters.count else {
            let takes = macro.parameters.isEmpty ? "no arguments" : macro.parameters.joined(separator: ", ")
            throw fail(named.position, "the macro \(named.text) takes \(takes), not \(arguments.count) arguments")
        }
        guard !active.contains(named.text) else {
            throw fail(named.position, "the macro \(named.text) includes itself")
        }
        includes += 1
        guard includes <= RuleTextLimits.includes, active.count < RuleTextLimits.depth else {
            throw fail(
                named.position,
                "at most \(RuleTextLimits.includes) macros are included, \(RuleTextLimits.depth) within each other")
        }
        let values = zip(macro.parameters, arguments).sorted { $0.0.utf8.count > $1.0.utf8.count }
        try read(macro.body.map { $0.replacing(values) }, of: named.text, includedAt: token.position)
    }

    private mutating func read(
        _ body: [RuleToken], of name: String, includedAt position: TextPosition
    ) throws(RuleTextError) {
        let outer = (tokens: tokens, index: index, end: end, include: include)
        tokens = body
        index = 0
        end = body.last?.position ?? end
        if include == nil { include = position }
        active.append(name)
        while let token = peek() {
            index += 1
            try statement(token)
        }
        active.removeLast()
        (tokens, index, end, include) = outer
    }

    /// What stands in parentheses with commas between; empty if there are none.
    mutating func list(_ what: String) throws(RuleTextError) -> [String] {
        guard peek()?.text == "(" else { return [] }
        index += 1
        var text = ""
        while true {
            let token = try next(")")
            if token.text == ")" { break }
            guard !token.isEnd, token.text != "(" else {
                throw fail(token.position, ") is missing before \(token.text)")
            }
            if !text.isEmpty, !text.hasSuffix(","), !token.text.hasPrefix(",") {
                throw fail(token.position, "a comma is missing before \(token.text)")
            }
            text += token.text
        }
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy({ !$0.isEmpty }) else {
            throw fail(tokens[index - 1].position, "\(what) is missing beside a comma before this")
        }
        return parts
    }
}

extension RuleToken {
    fileprivate func replacing(_ values: [(String, String)]) -> RuleToken {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return self }
        var result = ""
        var rest = text[...]
        scan: while let sign = rest.firstIndex(of: "$") {
            result += rest[..<sign]
            rest = rest[sign...]
            for (parameter, value) in values where rest.hasPrefix(parameter) {
                result += value
                rest = rest.dropFirst(parameter.count)
                continue scan
            }
            // No parameter: the error names the word as it stands.
            result += "$"
            rest = rest.dropFirst()
        }
        var token = self
        token.text = result + rest
        return token
    }
}
