//  JSON values and how they are written. Read first: RFC 8259.
//
//  Integers of 64 bits are exact, signed and unsigned. Members of an object keep the order in which they were written.

/// A JSON value.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer above `Int64.max`; every other one is an `integer`. `init(_:)` picks the right one.
    case unsigned(UInt64)
    /// A number with a fraction or an exponent, or beyond 64 bits. What is not finite is written as `null`.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// An integer of at most 64 bits.
    package init(_ value: some FixedWidthInteger) {
        if let small = Int64(exactly: value) {
            self = .integer(small)
        } else {
            self = .unsigned(UInt64(clamping: value))
        }
    }

    /// An object with these members, in this order. A key that comes again replaces the value that it had.
    package static func object(_ members: [(String, JSONValue)]) -> JSONValue { .object(JSONObject(members)) }

    // MARK: Text

    /// One line of text, without spaces.
    package var text: String {
        var writer = JSONWriter(indentation: nil)
        writer.write(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Text with a line for each member and element, indented by two spaces a level.
    package var indentedText: String { indentedText(by: 2) }

    /// Text with a line for each member and element, indented by some spaces a level.
    package func indentedText(by spaces: Int) -> String {
        var writer = JSONWriter(indentation: spaces)
        writer.write(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// The value with the members of every object in the order of their keys' code points, as the original's controller
    /// writes records.
    package var sortedByKey: JSONValue {
        switch self {
        case .array(let values): .array(values.map(\.sortedByKey))
        case .object(let object):
            .object(
                object.members.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }.map {
                    ($0.key, $0.value.sortedByKey)
                })
        default: self
        }
    }

    /// What kind of value it is, with its article.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .unsigned, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// The members of an object, in order. No key comes twice.
package struct JSONObject: Hashable, Sendable {
    /// A key and its value.
    package struct Member: Hashable, Sendable {
        package let key: String
        package let value: JSONValue
    }

    package private(set) var members: [Member]

    /// A key that comes again replaces the value that it had.
    package init(_ members: [(String, JSONValue)]) {
        self.members = []
        self.members.reserveCapacity(members.count)
        var places = [String: Int](minimumCapacity: members.count)
        for (key, value) in members {
            let member = Member(key: key, value: value)
            if let place = places[key] {
                self.members[place] = member
            } else {
                places[key] = self.members.count
                self.members.append(member)
            }
        }
    }

    // For the reader, which has refused keys that come again.
    init(distinct members: [Member]) { self.members = members }

    /// The value of a key; looks at one member after the other.
    package subscript(key: String) -> JSONValue? { members.first { $0.key == key }?.value }
}

/// Appends values to bytes of UTF-8.
private struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private let indentation: Int?
    private var depth = 0

    init(indentation: Int?) { self.indentation = indentation }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .unsigned(let value): append(String(value))
        case .number(let value): append(value.isFinite ? String(value) : "null")
        case .string(let value): quote(value)
        case .array(let values):
            list("[", "]", values) { $0.write($1) }
        case .object(let object):
            list("{", "}", object.members) { writer, member in
                writer.quote(member.key)
                writer.append(writer.indentation == nil ? ":" : ": ")
                writer.write(member.value)
            }
        }
    }

    private mutating func list<Element>(
        _ open: String, _ close: String, _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
    ) {
        append(open)
        depth += 1
        for (index, element) in elements.enumerated() {
            if index > 0 { append(",") }
            breakLine()
            body(&self, element)
        }
        depth -= 1
        if !elements.isEmpty { breakLine() }
        append(close)
    }

    private mutating func breakLine() {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        for _ in 0..<(depth * indentation) { bytes.append(UInt8(ascii: " ")) }
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func quote(_ text: String) {
        append("\"")
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\r"): append("\\r")
            case UInt8(ascii: "\t"): append("\\t")
            case 0..<0x20:
                append("\\u00")
                append(byte < 0x10 ? "0" : "1")
                append(String(byte & 15, radix: 16))
            default: bytes.append(byte)
            }
        }
        append("\"")
    }
}
