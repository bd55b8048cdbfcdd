import Foundation

/// A Swift file without what a reader passes over: comments and the text of strings are blanks, line breaks stay.
struct SourceText {
    let path: String
    /// The lines as they stand.
    let lines: [Substring]
    /// The bytes that count.
    let code: [UInt8]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = SourceText.blank(Array(text.utf8))
    }

    /// A function, an initializer or a subscript, and how many lines it takes from its name to its end.
    struct Function {
        let name: String
        let line: Int
        let length: Int
    }

    var functions: [Function] {
        var found: [Function] = []
        var line = 1
        var index = 0
        while index < code.count {
            if code[index] == UInt8(ascii: "\n") { line += 1 }
            if let word = word(at: index), ["func", "init", "deinit", "subscript"].contains(word), let end = body(index)
            {
                let length = code[index..<end].count { $0 == UInt8(ascii: "\n") } + 1
                found.append(Function(name: name(after: index), line: line, length: length))
                index += word.utf8.count
            } else {
                index += 1
            }
        }
        return found
    }

    /// The word that begins at a place, where a word begins.
    func word(at index: Int) -> String? {
        guard SourceText.isLetter(code[index]), index == 0 || !SourceText.isLetter(code[index - 1]) else { return nil }
        let end = code[index...].firstIndex { !SourceText.isLetter($0) } ?? code.count
        return String(decoding: code[index..<end], as: UTF8.self)
    }

    /// All words of the code.
    var words: [String] {
        code.split { !SourceText.isLetter($0) }.map { String(decoding: $0, as: UTF8.self) }
    }

    private func name(after index: Int) -> String {
        String(decoding: code[index..<min(code.count, index + 60)].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    // Where the body of the function ends whose first word stands at a place; nil without a body.
    private func body(_ start: Int) -> Int? {
        var depth = 0
        var index = start
        while index < code.count {
            switch code[index] {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return end(ofBlock: index)
            case UInt8(ascii: "}") where depth == 0: return nil
            case UInt8(ascii: "\n") where depth == 0:
                // A declaration goes on only with these.
                let rest = code[(index + 1)...].drop { $0 == UInt8(ascii: " ") }
                let next = String(decoding: rest.prefix(6), as: UTF8.self)
                guard ["->", "throws", "where", "{", "async"].contains(where: { next.hasPrefix($0) }) else {
                    return nil
                }
            default: break
            }
            if depth < 0 { return nil }
            index += 1
        }
        return nil
    }

    private func end(ofBlock start: Int) -> Int? {
        var depth = 0
        for index in start..<code.count {
            if code[index] == UInt8(ascii: "{") { depth += 1 }
            if code[index] == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return index }
            }
        }
        return nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    // Blanks comments and strings, but not what stands in a string as code.
    private static func blank(_ text: [UInt8]) -> [UInt8] {
        var result = text
        var index = 0
        // How deep parentheses are in the code within strings, innermost last.
        var nested: [Int] = []
        var isString = false
        func starts(_ word: String) -> Bool { text[index...].starts(with: word.utf8) }
        while index < text.count {
            if isString {
                if starts("\\(") {
                    nested.append(0)
                    isString = false
                    result[index] = UInt8(ascii: " ")
                    result[index + 1] = UInt8(ascii: " ")
                    index += 2
                    continue
                }
                let isEscape = text[index] == UInt8(ascii: "\\")
                if text[index] == UInt8(ascii: "\"") { isString = false }
                for place in index..<min(text.count, index + (isEscape ? 2 : 1)) where text[place] != UInt8(ascii: "\n")
                {
                    result[place] = UInt8(ascii: " ")
                }
                index += isEscape ? 2 : 1
                continue
            }
            if starts("//") {
                while index < text.count, text[index] != UInt8(ascii: "\n") {
                    result[index] = UInt8(ascii: " ")
                    index += 1
                }
                continue
            }
            if starts("\"\"\"") || starts("#\"") || starts("#/") {
                let close = starts("\"\"\"") ? "\"\"\"" : starts("#\"") ? "\"#" : "/#"
                var end = index + 2
                while end < text.count, !text[end...].starts(with: close.utf8) { end += 1 }
                end = min(text.count, end + close.utf8.count)
                for place in index..<end where text[place] != UInt8(ascii: "\n") { result[place] = UInt8(ascii: " ") }
                index = end
                continue
            }
            switch text[index] {
            case UInt8(ascii: "\""):
                isString = true
                result[index] = UInt8(ascii: " ")
            case UInt8(ascii: "(") where !nested.isEmpty: nested[nested.count - 1] += 1
            case UInt8(ascii: ")") where !nested.isEmpty:
                if nested[nested.count - 1] == 0 {
                    nested.removeLast()
                    isString = true
                    result[index] = UInt8(ascii: " ")
                } else {
                    nested[nested.count - 1] -= 1
                }
            default: break
            }
            index += 1
        }
        return result
    }
}
