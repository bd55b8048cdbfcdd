//  Dictionaries: lines `key=value` in which configurations, requests and single sign-on data travel.
//  Read first: zerotier/ZeroTierOne node/Dictionary.hpp (facts only).

import NetPrimitives

/// An ordered list of keys with binary values. When read, the first of equal keys wins, and lines without `=` are skipped.
package struct WireDictionary: Hashable, Sendable {
    /// One line, unescaped.
    package struct Entry: Hashable, Sendable {
        package let key: [UInt8]
        package let value: [UInt8]
    }

    /// The entries in order.
    package private(set) var entries: [Entry] = []

    package init() {}

    // MARK: Reading

    /// Reads bytes up to the first NUL. Never fails: lines that are no entry are skipped. `limit` bounds the entries
    /// kept.
    package init(decoding bytes: [UInt8], limit: Int = 4096) {
        let end = bytes.firstIndex(of: 0) ?? bytes.count
        var index = 0
        while index < end, entries.count < limit {
            let lineEnd = bytes[index..<end].firstIndex(where: { $0 == 0x0a || $0 == 0x0d }) ?? end
            if let mark = bytes[index..<lineEnd].firstIndex(of: UInt8(ascii: "=")) {
                let value = WireDictionary.unescape(bytes[(mark + 1)..<lineEnd])
                entries.append(Entry(key: Array(bytes[index..<mark]), value: value))
            }
            index = lineEnd + 1
        }
    }

    private static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var value: [UInt8] = []
        value.reserveCapacity(text.count)
        var isEscaped = false
        for byte in text {
            if isEscaped {
                isEscaped = false
                switch byte {
                case UInt8(ascii: "0"): value.append(0x00)
                case UInt8(ascii: "r"): value.append(0x0d)
                case UInt8(ascii: "n"): value.append(0x0a)
                case UInt8(ascii: "e"): value.append(UInt8(ascii: "="))
                default: value.append(byte)
                }
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else {
                value.append(byte)
            }
        }
        return value
    }

    /// The value of a key; nil if the key is missing.
    package subscript(_ key: String) -> [UInt8]? {
        entries.first { $0.key.elementsEqual(key.utf8) }?.value
    }

    /// The value as a number: hexadecimal after optional blanks, sign and `0x`, up to the first other character.
    /// `default` if the key is missing or has no digit; saturates like the C function.
    package func integer(_ key: String, default fallback: UInt64 = 0) -> UInt64 {
        guard let text = self[key] else { return fallback }
        return WireDictionary.parseInteger(text) ?? fallback
    }

    /// The value as a truth value: whether its first character is `1`, `t` or `T`. `default` if missing or empty.
    package func boolean(_ key: String, default fallback: Bool = false) -> Bool {
        guard let first = self[key]?.first else { return fallback }
        return first == UInt8(ascii: "1") || first == UInt8(ascii: "t") || first == UInt8(ascii: "T")
    }

    /// The value as an address, 0 if missing.
    package func address(_ key: String) -> Address { Address(integer(key)) }

    /// The value as text; bytes that are not UTF-8 are replaced.
    package func text(_ key: String) -> String? { self[key].map { String(decoding: $0, as: UTF8.self) } }

    private static func parseInteger(_ text: [UInt8]) -> UInt64? {
        var index = 0
        while index < text.count, text[index] == 0x20 || (0x09...0x0d).contains(text[index]) { index += 1 }
        var isNegative = false
        if index < text.count, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
            isNegative = text[index] == UInt8(ascii: "-")
            index += 1
        }
        if index + 2 < text.count, text[index] == UInt8(ascii: "0"), text[index + 1] | 0x20 == UInt8(ascii: "x"),
            digit(text[index + 2]) != nil
        {
            index += 2
        }
        var value: UInt64 = 0
        var any = false
        while index < text.count, let next = digit(text[index]) {
            any = true
            if value >> 60 != 0 { return .max }
            value = value << 4 | next
            index += 1
        }
        guard any else { return nil }
        return isNegative ? 0 &- value : value
    }

    private static func digit(_ character: UInt8) -> UInt64? {
        switch character {
        case 0x30...0x39: UInt64(character - 0x30)
        case 0x41...0x46: UInt64(character - 0x41 + 10)
        case 0x61...0x66: UInt64(character - 0x61 + 10)
        default: nil
        }
    }

    // MARK: Writing

    /// Adds a line. The key must not contain NUL, CR, LF or `=`.
    package mutating func append(_ key: String, _ value: [UInt8]) {
        precondition(
            !key.utf8.contains { $0 == 0 || $0 == 0x0a || $0 == 0x0d || $0 == UInt8(ascii: "=") },
            "a dictionary key cannot be escaped")
        entries.append(Entry(key: Array(key.utf8), value: value))
    }

    package mutating func append(_ key: String, text: String) { append(key, Array(text.utf8)) }
    /// Adds a number as exactly 16 hexadecimal digits.
    package mutating func append(_ key: String, integer: UInt64) {
        append(key, text: hexadecimal(integer, digits: 16))
    }
    package mutating func append(_ key: String, boolean: Bool) { append(key, text: boolean ? "1" : "0") }
    /// Adds an address as exactly 10 hexadecimal digits.
    package mutating func append(_ key: String, address: Address) { append(key, text: address.description) }

    /// The bytes: escaped lines, separated (not ended) by LF.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for (index, entry) in entries.enumerated() {
            if index > 0 { bytes.append(0x0a) }
            bytes.append(contentsOf: entry.key)
            bytes.append(UInt8(ascii: "="))
            for byte in entry.value {
                switch byte {
                case 0x00: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "0")])
                case 0x0d: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
                case 0x0a: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
                case UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "\\")])
                case UInt8(ascii: "="): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "e")])
                default: bytes.append(byte)
                }
            }
        }
        return bytes
    }
}
