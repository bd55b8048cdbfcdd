//  What stands behind the keyword of an action or match, as the field of its rule.

import NetPrimitives
import ZeroTierWire

extension RuleCompiler {
    /// Reads the operands of a form whose keyword was read. Returns the form that they belong to, which is IPv6's for its
    /// prefixes, and the field.
    mutating func operands(
        _ form: RuleForm, _ keyword: RuleToken
    ) throws(RuleTextError) -> (form: RuleForm, field: [UInt8]) {
        var writer = ByteWriter(capacity: 20)
        let what = "the operand of \(keyword.text)"
        switch form.shape {
        case .nothing, .integerRange: break
        case .copy(let hasLength): try writeCopy(hasLength, keyword, &writer)
        case .level: writer.uint8(UInt8(try number(0...8, what).value))
        case .address: writer.address(try nodeAddress(what))
        case .number(let bits, _, let names):
            let value = try namedNumber(1 << bits - 1, names, what)
            if bits == 8 { writer.uint8(UInt8(value)) } else { writer.uint16(value) }
        case .mac:
            let token = try word(what)
            guard let mac = MACAddress(text: token.text) else {
                throw fail(
                    token.position, "\(what) is an Ethernet address such as 02:11:22:33:44:55, not \(token.text)")
            }
            writer.uint48(mac.bits)
        case .prefix: return try prefix(form, keyword)
        case .typeOfService:
            writer.uint8(UInt8(try number(0...255, "the mask of \(keyword.text)").value))
            let (first, last) = try range(255, keyword)
            writer.bytes([UInt8(first), UInt8(last)])
        case .icmp:
            writer.uint8(UInt8(try number(0...255, "the type of \(keyword.text)").value))
            let code = try minusOneOr(255, "the code of \(keyword.text), or -1 for any,")
            writer.bytes([UInt8(code ?? 0), code == nil ? 0 : 1])
        case .range:
            let (first, last) = try range(65_535, keyword)
            writer.uint16(UInt16(first))
            writer.uint16(UInt16(last))
        case .characteristics: writer.uint64(try characteristics(keyword))
        case .probability: writer.uint32(try probability(what))
        case .tag: try writeTag(keyword, &writer)
        }
        return (form, writer.bytes)
    }

    /// A rule as it is sent.
    mutating func raw(isAction: Bool) throws(RuleTextError) -> Rule {
        let token = try word("the rule in hexadecimal digits")
        guard let rule = Rule(rawText: token.text), rule.isAction == isAction else {
            throw fail(
                token.position,
                "raw is followed by \(isAction ? "an action" : "a match") as it is sent: type, length and field in "
                    + "hexadecimal digits, without the bits for not and or; not \(token.text)")
        }
        return rule
    }

    private mutating func nodeAddress(_ what: String) throws(RuleTextError) -> Address {
        let token = try word(what)
        guard let address = Address(text: token.text) else {
            throw fail(token.position, "\(what) is a node's address, ten hexadecimal digits, not \(token.text)")
        }
        return address
    }

    // Nil for -1.
    private mutating func minusOneOr(_ largest: UInt64, _ what: String) throws(RuleTextError) -> UInt64? {
        if let token = peek(), token.text == "-1" {
            _ = try next(what)
            return nil
        }
        return try number(0...largest, what).value
    }

    private mutating func writeCopy(
        _ hasLength: Bool, _ keyword: RuleToken, _ writer: inout ByteWriter
    ) throws(RuleTextError) {
        var length: UInt64 = 0
        if hasLength {
            length = try minusOneOr(65_535, "the most bytes that \(keyword.text) copies, or -1 for all,") ?? 65_535
        }
        writer.uint64(try nodeAddress("the observer of \(keyword.text)").value)
        writer.uint32(0)
        writer.uint16(UInt16(length))
    }

    private mutating func namedNumber(
        _ largest: UInt64, _ names: NamedNumbers, _ what: String
    ) throws(RuleTextError) -> UInt16 {
        let token = try word(what)
        if let value = names.value(token.keyword) { return value }
        if let value = RuleWords.number(token.text), value <= largest { return UInt16(value) }
        let known = names.names.map(\.name)
        let choice = known.isEmpty ? "" : ", or one of " + known.joined(separator: ", ")
        let hint = nearest(to: token.keyword, among: known).map { "; did you mean \($0)?" } ?? ""
        throw fail(token.position, "\(what) is a number from 0 to \(largest)\(choice); not \(token.text)\(hint)")
    }

    private mutating func prefix(
        _ form: RuleForm, _ keyword: RuleToken
    ) throws(RuleTextError) -> (form: RuleForm, field: [UInt8]) {
        let token = try word("the operand of \(keyword.text)")
        guard token.text.utf8.contains(UInt8(ascii: "/")), let prefix = IPPrefix(token.text) else {
            throw fail(
                token.position,
                "\(keyword.text) needs an address and its bits, such as 10.0.0.0/8, 10.0.0.1/32 or fd00::/8; "
                    + "not \(token.text)")
        }
        if prefix.address.isIPv6, prefix != prefix.network {
            warn(
                token.position,
                "\(prefix) has bits beyond its length, and so matches no packet; write \(prefix.network)")
        }
        let isIPv6 = prefix.address.isIPv6
        let row = RuleForm.all.first {
            guard case .prefix(isIPv6) = $0.shape else { return false }
            return $0.keyword == form.keyword
        }
        return (row ?? form, prefix.address.bytes + [UInt8(prefix.length)])
    }

    private mutating func range(
        _ largest: UInt64, _ keyword: RuleToken
    ) throws(RuleTextError) -> (first: UInt64, last: UInt64) {
        let token = try word("the range of \(keyword.text)")
        let parts = token.text.split(separator: "-", omittingEmptySubsequences: false).map { RuleWords.number($0) }
        guard (1...2).contains(parts.count), let first = parts[0], let last = parts[parts.count - 1],
            first <= largest, last <= largest
        else {
            throw fail(
                token.position,
                "\(keyword.text) needs a number, or two with - between them, from 0 to \(largest); not \(token.text)")
        }
        guard first <= last else {
            throw fail(token.position, "nothing is in the range \(token.text): write \(last)-\(first)")
        }
        return (first, last)
    }

    private mutating func characteristics(_ keyword: RuleToken) throws(RuleTextError) -> UInt64 {
        let token = try word("the operand of \(keyword.text)")
        var mask: UInt64 = 0
        for part in token.keyword.split(separator: ",", omittingEmptySubsequences: false) {
            let name = String(part)
            if let bit = NamedNumbers.characteristics.value(name) {
                mask |= 1 << UInt64(bit)
            } else if let bit = RuleWords.number(name), bit < 64 {
                mask |= 1 << bit
            } else {
                let known = NamedNumbers.characteristics.names.map(\.name)
                let hint = nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
                throw fail(
                    token.position,
                    "\(keyword.text) needs names or bits from 0 to 63 with commas between; the names are "
                        + "\(known.joined(separator: ", ")); not \(name)\(hint)")
            }
        }
        return mask
    }

    private mutating func probability(_ what: String) throws(RuleTextError) -> UInt32 {
        let token = try word(what)
        guard let value = Double(token.text), (0...1).contains(value), token.text.utf8.first != UInt8(ascii: "-") else {
            throw fail(token.position, "\(what) is a probability from 0 to 1, such as 0.25; not \(token.text)")
        }
        return UInt32((value * Double(UInt32.max)).rounded(.down))
    }

    private mutating func writeTag(_ keyword: RuleToken, _ writer: inout ByteWriter) throws(RuleTextError) {
        let named = try word("the tag of \(keyword.text)")
        let tag: RuleTag
        if let known = set.tags.first(where: { $0.name == named.text }) {
            tag = known
        } else if let id = RuleWords.number(named.text).flatMap({ UInt32(exactly: $0) }) {
            tag = set.tags.first { $0.id == id } ?? RuleTag(id: id)
        } else {
            let hint = nearest(to: named.text, among: set.tags.compactMap(\.name)).map { "; did you mean \($0)?" } ?? ""
            throw fail(named.position, "no tag \(named.text) is defined before this\(hint)")
        }
        let given = try word("the value of \(keyword.text)")
        guard let value = tag.value(given.text) else { throw fail(given.position, unknownValue(given.text, of: tag)) }
        writer.uint32(tag.id)
        writer.uint32(value)
    }
}
