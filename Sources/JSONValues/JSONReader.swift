//  Reads JSON. Read first: RFC 8259. Stricter than it demands: a key that comes twice is an error.

/// How much a text may contain.
package struct JSONLimits: Hashable, Sendable {
    /// Bytes of the text. A value takes at most some twenty times as much memory.
    package var bytes = 16 << 20
    /// Arrays and objects within each other.
    package var depth = 64

    package init() {}
}

/// A text that was read: its value, and where each part of it stands.
package struct JSONDocument: Sendable {
    /// The value of the whole text.
    package let root: JSONValue
    private let bytes: [UInt8]

    /// Reads a text of UTF-8. Throws with line, column and path if it is no JSON or goes beyond the limits.
    package init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        self.bytes = bytes
        guard bytes.count <= limits.bytes else {
            throw JSONError(
                path: JSONPath(), problem: "the text has \(bytes.count) bytes; at most \(limits.bytes) are read")
        }
        var reader = JSONReader(bytes, depth: limits.depth)
        root = try reader.whole()
    }

    /// Reads a value out of the text. An error of `body` that knows a path gets the line and column of that place.
    package func read<Value>(_ body: (JSONField) throws(JSONError) -> Value) throws(JSONError) -> Value {
        do throws(JSONError) {
            return try body(JSONField(root))
        } catch {
            var reader = JSONReader(bytes, depth: .max)
            throw error.position == nil ? error.at(reader.position(of: error.path)) : error
        }
    }
}

/// The reader's place in a text.
struct JSONReader {
    private let bytes: [UInt8]
    private let maximumDepth: Int
    private var index = 0
    private var depth = 0
    private var path = JSONPath()

    init(_ bytes: [UInt8], depth: Int) {
        self.bytes = bytes
        maximumDepth = depth
    }

    mutating func whole() throws(JSONError) -> JSONValue {
        // A mark of byte order, which some editors write.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
        let value = try value()
        skipSpace()
        guard index == bytes.count else { throw fail("the value ends before; nothing may follow it") }
        return value
    }

    /// Where the value of a path begins, or the last of its steps that is there. For a text that can be read.
    mutating func position(of path: JSONPath) -> JSONError.Position {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
        skipSpace()
        var found = index
        for step in path.steps {
            guard (try? seek(step)) == true else { break }
            skipSpace()
            found = index
        }
        return position(at: found)
    }

    // From the start of a value to the start of a value within it; false if it is not there.
    private mutating func seek(_ step: JSONPath.Step) throws(JSONError) -> Bool {
        let isObject = peek() == UInt8(ascii: "{")
        guard isObject || peek() == UInt8(ascii: "[") else { return false }
        index += 1
        var count = 0
        while true {
            skipSpace()
            if peek() == UInt8(ascii: "]") || peek() == UInt8(ascii: "}") { return false }
            if isObject {
                let key = try string()
                try expect(UInt8(ascii: ":"), "a colon after the key")
                skipSpace()
                if step == .key(key) { return true }
            } else if step == .index(count) {
                return true
            }
            _ = try value()
            count += 1
            skipSpace()
            if peek() == UInt8(ascii: ",") { index += 1 }
        }
    }

    // MARK: Values

    private mutating func value() throws(JSONError) -> JSONValue {
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{")?: return .object(try object())
        case UInt8(ascii: "[")?: return .array(try array())
        case UInt8(ascii: "\"")?: return .string(try string())
        case UInt8(ascii: "t")?: return try word("true", .bool(true))
        case UInt8(ascii: "f")?: return try word("false", .bool(false))
        case UInt8(ascii: "n")?: return try word("null", .null)
        case (UInt8(ascii: "0")...UInt8(ascii: "9"))?, UInt8(ascii: "-")?: return try number()
        case nil: throw fail("the text ends where a value should stand")
        default: throw fail("a value begins with {, [, \", a digit, - or a letter of true, false, null")
        }
    }

    private mutating func enter() throws(JSONError) {
        guard depth < maximumDepth else {
            throw refuse("more than \(maximumDepth) arrays and objects within each other")
        }
        depth += 1
        index += 1
        skipSpace()
    }

    private mutating func object() throws(JSONError) -> JSONObject {
        try enter()
        var members: [JSONObject.Member] = []
        var keys: Set<String> = []
        while peek() != UInt8(ascii: "}") {
            if !members.isEmpty { try expect(UInt8(ascii: ","), "a comma before the next member, or }") }
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw fail("a member begins with its key in quotation marks") }
            let start = index
            let key = try string()
            guard keys.insert(key).inserted else {
                index = start
                throw refuse("the key \"\(key.prefix(80))\" comes a second time")
            }
            try expect(UInt8(ascii: ":"), "a colon after the key")
            path.steps.append(.key(key))
            members.append(JSONObject.Member(key: key, value: try value()))
            path.steps.removeLast()
            skipSpace()
        }
        index += 1
        depth -= 1
        return JSONObject(distinct: members)
    }

    private mutating func array() throws(JSONError) -> [JSONValue] {
        try enter()
        var elements: [JSONValue] = []
        while peek() != UInt8(ascii: "]") {
            if !elements.isEmpty { try expect(UInt8(ascii: ","), "a comma before the next element, or ]") }
            path.steps.append(.index(elements.count))
            elements.append(try value())
            path.steps.removeLast()
            skipSpace()
        }
        index += 1
        depth -= 1
        return elements
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[index...].starts(with: text.utf8) else { throw fail("true, false or null") }
        index += text.utf8.count
        return value
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        if peek() == UInt8(ascii: "-") { index += 1 }
        let whole = try digits()
        guard whole == 1 || bytes[index - whole] != UInt8(ascii: "0") else {
            index -= whole
            throw fail("a number of several digits does not begin with 0")
        }
        var isInteger = true
        if peek() == UInt8(ascii: ".") {
            isInteger = false
            index += 1
            _ = try digits()
        }
        if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
            isInteger = false
            index += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { index += 1 }
            _ = try digits()
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        // The integer 0 has no sign to keep.
        if isInteger, text != "-0" {
            if let value = Int64(text) { return .integer(value) }
            if let value = UInt64(text) { return .unsigned(value) }
        }
        guard let value = Double(text), value.isFinite else {
            index = start
            throw refuse("the number is too large")
        }
        return .number(value)
    }

    private mutating func digits() throws(JSONError) -> Int {
        let start = index
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        guard index > start else { throw fail("a digit is missing") }
        return index - start
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        index += 1
        var text: [UInt8] = []
        while true {
            // A run without an escape is taken as a whole.
            let start = index
            while let byte = peek(), byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { index += 1 }
            text.append(contentsOf: bytes[start..<index])
            guard let byte = peek() else { throw fail("the text ends within a string") }
            guard byte >= 0x20 else { throw fail("a control character in a string is written as \\n, \\t or \\u00xx") }
            if byte == UInt8(ascii: "\"") { break }
            try escape(&text)
        }
        guard let string = String(validating: text, as: UTF8.self) else { throw fail("the string is not UTF-8") }
        index += 1
        return string
    }

    private mutating func escape(_ text: inout [UInt8]) throws(JSONError) {
        index += 1
        switch peek() {
        case UInt8(ascii: "\"")?, UInt8(ascii: "\\")?, UInt8(ascii: "/")?: text.append(bytes[index])
        case UInt8(ascii: "b")?: text.append(8)
        case UInt8(ascii: "f")?: text.append(12)
        case UInt8(ascii: "n")?: text.append(10)
        case UInt8(ascii: "r")?: text.append(13)
        case UInt8(ascii: "t")?: text.append(9)
        case UInt8(ascii: "u")?: return try unicodeEscape(&text)
        default: throw fail("after \\ comes one of \" \\ / b f n r t u")
        }
        index += 1
    }

    private mutating func unicodeEscape(_ text: inout [UInt8]) throws(JSONError) {
        var number = try codeUnit()
        if (0xd800..<0xdc00).contains(number), peek() == UInt8(ascii: "\\"), index + 1 < bytes.count,
            bytes[index + 1] == UInt8(ascii: "u")
        {
            index += 1
            let low = try codeUnit()
            guard (0xdc00..<0xe000).contains(low) else { throw fail("half of a surrogate pair without the other") }
            number = 0x10000 + (number - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(number) else { throw fail("half of a surrogate pair without the other") }
        text.append(contentsOf: String(Character(scalar)).utf8)
    }

    // At the letter u; behind the four digits after it.
    private mutating func codeUnit() throws(JSONError) -> UInt32 {
        index += 1
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fail("\\u is followed by four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }

    // MARK: Bytes

    private func peek() -> UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { index += 1 }
    }

    private mutating func expect(_ byte: UInt8, _ what: String) throws(JSONError) {
        skipSpace()
        guard peek() == byte else {
            throw fail(peek() == nil ? "the text ends; missing is \(what)" : "missing is \(what)")
        }
        index += 1
    }

    // MARK: Errors

    // What is no JSON.
    private func fail(_ problem: String) -> JSONError {
        var error = refuse(problem)
        error.isNoJSON = true
        return error
    }

    // What is JSON, and is not read.
    private func refuse(_ problem: String) -> JSONError {
        JSONError(path: path, problem: problem).at(position(at: index))
    }

    private func position(at offset: Int) -> JSONError.Position {
        let before = bytes.prefix(offset)
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSONError.Position(
            line: 1 + before.count { $0 == UInt8(ascii: "\n") },
            // Code points: bytes that continue one do not count.
            column: 1 + before[lineStart...].count { $0 & 0xc0 != 0x80 })
    }
}
