// Bytes: how a value of a service's reply is read for a column. Another version's reply may lack a member or have another
// type in its place: that is shown as `-`, never refused.

import Foundation
import JSONValues

/// A value of a reply, with readers that give nil for what is not there or of another type.
struct ReplyValue: Sendable {
    /// Stands in a column for what is not known.
    static let unknown = "-"

    let json: JSONValue?

    init(_ json: JSONValue?) { self.json = json }

    subscript(key: String) -> ReplyValue {
        guard case .object(let object)? = json else { return ReplyValue(nil) }
        return ReplyValue(object[key])
    }

    var string: String? {
        guard case .string(let text)? = json else { return nil }
        return text
    }

    var bool: Bool? {
        guard case .bool(let value)? = json else { return nil }
        return value
    }

    /// A whole number; one beyond 64 bits with a sign is the nearest.
    var integer: Int64? {
        switch json {
        case .integer(let value)?: value
        case .unsigned(let value)?: Int64(clamping: value)
        case .number(let value)?: Int64(exactly: value)
        // The original has numbers where others have booleans, and the other way round.
        case .bool(let value)?: value ? 1 : 0
        default: nil
        }
    }

    var number: Double? {
        if case .number(let value)? = json { return value }
        return integer.map(Double.init)
    }

    /// The elements; nil for what is no list. Nothing, and an object without members, is an empty one: so the original
    /// answers when it has nothing to say.
    var elements: [ReplyValue]? {
        switch json {
        case .array(let values)?: values.map { ReplyValue($0) }
        case .object(let object)? where object.members.isEmpty: []
        case .null?, nil: []
        default: nil
        }
    }

    // MARK: Columns

    /// A string on one line, without anything that a terminal obeys.
    var text: String { string.map(Report.printable) ?? ReplyValue.unknown }

    /// The same, and `-` for an empty one.
    var filledText: String {
        string.map { $0.isEmpty ? ReplyValue.unknown : Report.printable($0) } ?? ReplyValue.unknown
    }

    /// A whole number in decimal digits.
    var digits: String { integer.map(String.init) ?? ReplyValue.unknown }

    /// 64 bits as 16 hexadecimal digits.
    var hexadecimal: String {
        let bits: UInt64? =
            switch json {
            case .integer(let value)?: UInt64(bitPattern: value)
            case .unsigned(let value)?: value
            default: nil
            }
        guard let bits else { return ReplyValue.unknown }
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// A number with so many decimals.
    func fixed(_ decimals: Int) -> String {
        number.map { String(format: "%.\(decimals)f", $0) } ?? ReplyValue.unknown
    }
}

/// Columns of a fixed width. What is longer is not cut.
enum Column {
    /// At the left end of a column.
    static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// At the right end of a column.
    static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
