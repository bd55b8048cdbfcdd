// Values of `zerotier controller`, and how they travel to the node.

import ArgumentParser
import ZeroTier

/// yes or no.
enum Switch: String, ExpressibleByArgument, CustomStringConvertible {
    case yes, no
    var description: String { rawValue }
}

/// Values of these commands alone.
enum Prefixes {
    static func read(_ text: String) throws -> IPPrefix {
        guard let prefix = IPPrefix(text), prefix.length <= prefix.address.bitCount - 2, prefix.length > 0 else {
            throw ValidationError("a subnet is like 10.147.17.0/24, with room for two nodes at least, not \(text)")
        }
        return prefix
    }
}

enum Nodes {
    static func read(_ text: String) throws -> NodeID {
        guard let node = NodeID(text) else {
            throw ValidationError("a node's address has exactly 10 hexadecimal digits, not \(text)")
        }
        return node
    }
}

/// One word of a request: words are separated by blanks, and a request is a line.
enum RequestWord {
    static func encode(_ word: String) -> String {
        // Two blanks are one, and the last word `json` asks for JSON.
        if word.isEmpty { return "%" }
        if word == "json" { return "%6ason" }
        var result = ""
        for byte in word.utf8 {
            if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "%") {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16)
                result += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
            }
        }
        return result
    }

    /// Nil if it was not made by `encode`.
    static func decode(_ word: String) -> String? {
        if word == "%" { return "" }
        var bytes: [UInt8] = []
        var rest = Array(word.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
