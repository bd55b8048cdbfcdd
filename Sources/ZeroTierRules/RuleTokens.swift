//  The words of a text of rules, and the places of its errors.

/// A place in a text: both count from 1, columns in code points.
package struct TextPosition: Hashable, Sendable, CustomStringConvertible {
    package let line: Int
    package let column: Int

    package var description: String { "line \(line), column \(column)" }
}

/// Where a rule stands in the text.
package struct RulePlace: Hashable, Sendable {
    package let position: TextPosition
    /// For a rule of a macro: where the text outside of all macros includes it.
    package let include: TextPosition?
}

/// What is wrong with a text of rules, and what would be right.
package struct RuleTextError: Error, Hashable, Sendable, CustomStringConvertible {
    package let place: RulePlace
    package let problem: String

    /// Such as `line 3, column 6 (included at line 9, column 1): ...`.
    package var description: String {
        let include = place.include.map { " (included at \($0))" } ?? ""
        return "\(place.position)\(include): \(problem)"
    }
}

/// A word, or one of the signs ; ( ).
struct RuleToken: Hashable, Sendable {
    var text: String
    let position: TextPosition

    var isEnd: Bool { text == ";" }

    // Keywords are written in either case.
    var keyword: String { text.lowercased() }

    /// Cuts a text of UTF-8 into words. White space separates, `#` where a word would begin starts a comment.
    static func all(of bytes: [UInt8]) -> [RuleToken] {
        var tokens: [RuleToken] = []
        var word: [UInt8] = []
        var start = TextPosition(line: 1, column: 1)
        var line = 1
        var column = 1
        var isComment = false
        func finish() {
            if !word.isEmpty { tokens.append(RuleToken(text: String(decoding: word, as: UTF8.self), position: start)) }
            word = []
        }
        for byte in bytes {
            let position = TextPosition(line: line, column: column)
            if byte == UInt8(ascii: "\n") {
                finish()
                isComment = false
                line += 1
                column = 1
                continue
            }
            if byte & 0xc0 != 0x80 { column += 1 }
            guard !isComment else { continue }
            switch byte {
            case 0...0x20: finish()
            case UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"):
                finish()
                tokens.append(RuleToken(text: String(Unicode.Scalar(byte)), position: position))
            case UInt8(ascii: "#") where word.isEmpty: isComment = true
            default:
                if word.isEmpty { start = position }
                word.append(byte)
            }
        }
        finish()
        return tokens
    }
}
