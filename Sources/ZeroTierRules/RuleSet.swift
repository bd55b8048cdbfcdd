//  The rules of a network as its administrator sees them: the table, the capabilities that may be given to members, the
//  tags and their names.

package import ZeroTierWire

/// Rules, capabilities and tags of a network.
package struct RuleSet: Hashable, Sendable {
    /// What every member's frames are judged by first.
    package var rules: [Rule] = []
    /// No ID comes twice.
    package var capabilities: [RuleCapability] = []
    /// No ID comes twice.
    package var tags: [RuleTag] = []

    package init(rules: [Rule] = []) { self.rules = rules }

    /// The tag with a name, or with a number in decimal digits.
    package func tag(_ word: String) -> RuleTag? { tags.first { $0.name == word } ?? tags.first { "\($0.id)" == word } }

    /// The capability with a name, or with a number in decimal digits.
    package func capability(_ word: String) -> RuleCapability? {
        capabilities.first { $0.name == word } ?? capabilities.first { "\($0.id)" == word }
    }
}

/// A table that lets a member through to whom the controller gave it.
package struct RuleCapability: Hashable, Sendable {
    package var id: UInt32
    /// Nil if only the number is known.
    package var name: String?
    /// Whether new members get it.
    package var isDefault = false
    package var rules: [Rule] = []

    package init(id: UInt32, name: String? = nil) {
        self.id = id
        self.name = name
    }
}

/// A number that the controller gives to members, and what its values are called.
package struct RuleTag: Hashable, Sendable {
    /// A value and its name. For a flag the value is the bit's.
    package struct Name: Hashable, Sendable {
        package let name: String
        package let value: UInt32
    }

    package var id: UInt32
    /// Nil if only the number is known.
    package var name: String?
    /// What new members get; nil for nothing.
    package var defaultValue: UInt32?
    package var enums: [Name] = []
    package var flags: [Name] = []

    package init(id: UInt32, name: String? = nil) {
        self.id = id
        self.name = name
    }

    /// The value that a word stands for: one of the names, or a number.
    package func value(_ word: String) -> UInt32? {
        (enums + flags).first { $0.name == word }?.value ?? RuleWords.number(word).flatMap { UInt32(exactly: $0) }
    }

    /// The value in words if it has a name, else in digits.
    package func text(_ value: UInt32) -> String {
        let named = (enums + flags).first {
            $0.value == value && RuleWords.isName($0.name) && self.value($0.name) == value
        }
        return named?.name ?? "\(value)"
    }
}

/// The words of the text language.
enum RuleWords {
    /// A number of decimal digits, or hexadecimal ones behind 0x.
    static func number(_ word: some StringProtocol) -> UInt64? {
        let isHexadecimal = word.hasPrefix("0x") || word.hasPrefix("0X")
        let digits = isHexadecimal ? word.dropFirst(2) : word[...]
        guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt64(digits, radix: isHexadecimal ? 16 : 10)
    }

    /// Whether a tag, capability, value or macro can be called so: a letter or _, then letters, digits, _, - and dots.
    static func isName(_ word: String) -> Bool {
        guard let first = word.utf8.first, isLetter(first), word.utf8.count <= 64 else { return false }
        return word.utf8.allSatisfy {
            isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: ".")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
