//  Hexadecimal text of bytes and numbers, as identities, addresses and network IDs are written.

/// Conversion between bytes and lower-case hexadecimal digits.
package enum Hexadecimal {
    private static let digits: [UInt8] = Array("0123456789abcdef".utf8)

    /// Two lower-case digits per byte.
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` spells; nil for an odd number of digits or another character. Either case is read.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            guard let digit = value(of: character) else { return nil }
            if let upper = high {
                bytes.append(upper << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    /// The number that exactly `count` digits spell; nil for anything else. Either case is read.
    package static func decodeNumber(_ text: some StringProtocol, digits count: Int) -> UInt64? {
        guard text.utf8.count == count, count <= 16 else { return nil }
        var number: UInt64 = 0
        for character in text.utf8 {
            guard let digit = value(of: character) else { return nil }
            number = number << 4 | UInt64(digit)
        }
        return number
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}
