//  Typed access to JSON values, with errors that name the place.

/// The way from a whole value to a part of it, such as `rules[3].ip`.
package struct JSONPath: Hashable, Sendable, CustomStringConvertible {
    /// A member of an object or an element of an array.
    package enum Step: Hashable, Sendable {
        case key(String)
        case index(Int)
    }

    package internal(set) var steps: [Step] = []

    package init() {}

    package var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .key(let key): text += text.isEmpty ? key : "." + key
            case .index(let index): text += "[\(index)]"
            }
        }
        return text
    }
}

/// What is wrong with a JSON text or a value in it.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A place in a text: both count from 1, columns in code points.
    package struct Position: Hashable, Sendable {
        package let line: Int
        package let column: Int
    }

    /// The part of the value that is wrong; empty for the whole.
    package let path: JSONPath
    /// What is wrong, or what would be right.
    package let problem: String
    /// Nil for a value that comes from no text.
    package private(set) var position: Position?
    /// Whether the text is no JSON at all. Otherwise something of what it says cannot be so, or is too much.
    package internal(set) var isNoJSON = false

    package init(path: JSONPath, problem: String) {
        self.path = path
        self.problem = problem
    }

    /// The same at a place.
    func at(_ position: Position) -> JSONError {
        var error = self
        error.position = position
        return error
    }

    /// Such as `line 3, column 9: rules[3].ip: ...`.
    package var description: String {
        var parts: [String] = []
        if let position { parts.append("line \(position.line), column \(position.column)") }
        if !path.steps.isEmpty { parts.append(path.description) }
        return (parts + [problem]).joined(separator: ": ")
    }
}

/// A value and where it stands in a larger one. Every reader throws what would be right, with the place.
package struct JSONField: Sendable {
    package let value: JSONValue
    package let path: JSONPath

    /// A whole value.
    package init(_ value: JSONValue) { self.init(value, JSONPath()) }

    private init(_ value: JSONValue, _ path: JSONPath) {
        self.value = value
        self.path = path
    }

    private func step(_ value: JSONValue, _ step: JSONPath.Step) -> JSONField {
        var path = path
        path.steps.append(step)
        return JSONField(value, path)
    }

    /// An error about this field.
    package func error(_ problem: String) -> JSONError { JSONError(path: path, problem: problem) }

    private func mismatch(_ expected: String) -> JSONError {
        switch value {
        case .array, .object, .null: error("\(expected) is expected, not \(value.kind)")
        default: error("\(expected) is expected, not \(value.text.prefix(80))")
        }
    }

    // MARK: Parts

    /// The members of an object, in order.
    package func members() throws(JSONError) -> [(key: String, field: JSONField)] {
        guard case .object(let object) = value else { throw mismatch("an object") }
        return object.members.map { (key: $0.key, field: step($0.value, .key($0.key))) }
    }

    /// A member of an object; nil if it is missing or this is no object.
    package func member(_ key: String) -> JSONField? {
        guard case .object(let object) = value, let value = object[key] else { return nil }
        return step(value, .key(key))
    }

    /// A member that must be there.
    package func required(_ key: String) throws(JSONError) -> JSONField {
        guard case .object = value else { throw mismatch("an object") }
        guard let field = member(key) else { throw error("the member \"\(key)\" is missing") }
        return field
    }

    /// The elements of an array; throws for more than `limit`.
    package func elements(atMost limit: Int = .max) throws(JSONError) -> [JSONField] {
        guard case .array(let values) = value else { throw mismatch("an array") }
        guard values.count <= limit else { throw error("at most \(limit) elements, not \(values.count)") }
        return values.enumerated().map { step($0.element, .index($0.offset)) }
    }

    // MARK: Values

    package var isNull: Bool { value == .null }

    package func bool() throws(JSONError) -> Bool {
        guard case .bool(let value) = value else { throw mismatch("true or false") }
        return value
    }

    package func string() throws(JSONError) -> String {
        guard case .string(let value) = value else { throw mismatch("a string") }
        return value
    }

    /// An integer within a range. Numbers with a fraction are refused.
    package func integer<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws(JSONError) -> Number {
        let number: Number? =
            switch value {
            case .integer(let value): Number(exactly: value)
            case .unsigned(let value): Number(exactly: value)
            default: nil
            }
        guard let number, range.contains(number) else {
            throw mismatch("an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// An integer of a type's whole range.
    package func integer<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws(JSONError) -> Number {
        try integer(in: Number.min...Number.max)
    }
}
