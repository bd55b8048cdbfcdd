//  Rules as JSON objects, both ways.

package import JSONValues
package import NetPrimitives
package import ZeroTierWire

/// Which of two customary forms of JSON is written. Both are read.
package enum RuleJSONForm: Hashable, Sendable {
    /// As rule compilers write it: members in the order of the text, what is without meaning left out.
    case compiled
    /// As controllers keep it: members in the order of their names, and all of them.
    case stored
}

extension Rule {
    /// The rule as an object. Bytes that its kind does not need are left out.
    package func json(_ form: RuleJSONForm) -> JSONValue {
        var members: [(String, JSONValue)]
        if let row = RuleForm.of(self) {
            members = [("type", .string(row.type))]
            if !isAction { members += signs }
            members += row.members(field, form)
        } else {
            members = [("type", .string(isAction ? "ACTION_UNKNOWN" : "MATCH_UNKNOWN"))]
            if !isAction { members += signs }
            members.append(("wire", .string(rawText)))
        }
        let object = JSONValue.object(members)
        return form == .stored ? object.sortedByKey : object
    }

    private var signs: [(String, JSONValue)] { [("not", .bool(isNegated)), ("or", .bool(isAlternative))] }

    /// Reads an object. Throws an error that names the member, for one that the kind does not have too.
    package init(_ json: JSONField) throws(JSONError) {
        let members = try json.members()
        let type = try json.required("type")
        let name = try type.string()
        let isNegated = try json.member("not")?.bool() ?? false
        let isAlternative = try json.member("or")?.bool() ?? false
        var known = ["type", "not", "or"]
        if name == "ACTION_UNKNOWN" || name == "MATCH_UNKNOWN" {
            known.append("wire")
            let wire = try json.required("wire")
            guard let rule = Rule(rawText: try wire.string()), rule.isAction == (name == "ACTION_UNKNOWN") else {
                throw wire.error("the rule as it is sent: type, length and field in hexadecimal digits")
            }
            self = rule
        } else {
            guard let row = RuleForm.type(name) else {
                let hint = nearest(to: name, among: RuleForm.all.map(\.type)).map { "; did you mean \($0)?" } ?? ""
                throw type.error("there is no type of rule \"\(name)\"\(hint)")
            }
            known += row.memberNames
            self = row.rule(try row.field(json))
        }
        if !isAction { (self.isNegated, self.isAlternative) = (isNegated, isAlternative) }
        for member in members where !known.contains(member.key) {
            throw member.field.error("a rule of type \(name) has only the members \(known.joined(separator: ", "))")
        }
    }
}

extension RuleForm {
    fileprivate var memberNames: [String] {
        switch shape {
        case .nothing: []
        case .copy: ["address", "flags", "length"]
        case .level: ["qosBucket"]
        case .address: ["zt"]
        case .number(_, let member, _): [member]
        case .mac: ["mac"]
        case .prefix: ["ip"]
        case .typeOfService: ["mask", "start", "end"]
        case .icmp: ["icmpType", "icmpCode"]
        case .range: ["start", "end"]
        case .characteristics: ["mask"]
        case .probability: ["probability"]
        case .tag: ["id", "value"]
        case .integerRange: ["start", "end", "idx", "little", "bits"]
        }
    }

    // MARK: Writing

    fileprivate func members(_ field: [UInt8], _ form: RuleJSONForm) -> [(String, JSONValue)] {
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            field.dropFirst(offset).prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
        }
        func integer(_ offset: Int, _ count: Int) -> JSONValue { JSONValue(number(offset, count)) }
        func digits(_ offset: Int) -> JSONValue { .string(hexadecimal(number(offset, 8), digits: 16)) }
        switch shape {
        case .nothing: return []
        case .copy(let hasLength):
            var members: [(String, JSONValue)] = [("address", .string(Address(number(0, 8)).description))]
            if form == .stored || number(8, 4) != 0 { members.append(("flags", integer(8, 4))) }
            if hasLength {
                let isAll = form == .compiled && number(12, 2) == 0xffff
                members.append(("length", isAll ? .integer(-1) : integer(12, 2)))
            }
            return members
        case .level: return [("qosBucket", integer(0, 1))]
        case .address: return [("zt", .string(Address(number(0, 5)).description))]
        case .number(let bits, let member, _): return [(member, integer(0, bits / 8))]
        case .mac: return [("mac", .string(MACAddress(number(0, 6)).description))]
        case .prefix(let isIPv6):
            let address =
                isIPv6
                ? IPAddress(v6High: number(0, 8), low: number(8, 8)) : IPAddress(v4: UInt32(number(0, 4)))
            return [("ip", .string(IPPrefix(address, length: Int(number(isIPv6 ? 16 : 4, 1))).description))]
        case .typeOfService: return [("mask", integer(0, 1)), ("start", integer(1, 1)), ("end", integer(2, 1))]
        case .icmp:
            return [("icmpType", integer(0, 1)), ("icmpCode", number(2, 1) & 1 == 0 ? .null : integer(1, 1))]
        case .range: return [("start", integer(0, 2)), ("end", integer(2, 2))]
        case .characteristics: return [("mask", digits(0))]
        case .probability: return [("probability", integer(0, 4))]
        case .tag: return [("id", integer(0, 4)), ("value", integer(4, 4))]
        case .integerRange:
            return [
                ("start", digits(0)), ("end", digits(8)), ("idx", integer(16, 2)),
                ("little", .bool(number(18, 1) & 0x80 != 0)), ("bits", JSONValue(number(18, 1) & 63 + 1)),
            ]
        }
    }

    // MARK: Reading

    fileprivate func field(_ json: JSONField) throws(JSONError) -> [UInt8] {
        var writer = ByteWriter(capacity: 20)
        switch shape {
        case .nothing: break
        case .copy: try writeCopy(json, &writer)
        case .level: writer.uint8(try json.required("qosBucket").integer())
        case .address: writer.address(try json.required("zt").zeroTierAddress())
        case .number(let bits, let member, _):
            let value = try json.required(member).integer(in: 0...UInt16(truncatingIfNeeded: 1 << bits - 1))
            if bits == 8 { writer.uint8(UInt8(value)) } else { writer.uint16(value) }
        case .mac: writer.uint48(try json.required("mac").macAddress().bits)
        case .prefix(let isIPv6): writer.bytes(try json.required("ip").prefix(isIPv6: isIPv6))
        case .typeOfService:
            writer.uint8(try json.required("mask").integer())
            writer.uint8(try json.required("start").integer())
            writer.uint8(try json.required("end").integer())
        case .icmp: try writeICMP(json, &writer)
        case .range:
            let start = try json.required("start").integer(UInt16.self)
            writer.uint16(start)
            writer.uint16(try json.member("end")?.integer() ?? start)
        case .characteristics: writer.uint64(try json.required("mask").mask())
        case .probability: writer.uint32(try json.required("probability").integer())
        case .tag:
            writer.uint32(try json.required("id").integer())
            writer.uint32(try json.required("value").integer())
        case .integerRange: try writeIntegerRange(json, &writer)
        }
        return writer.bytes
    }

    private func writeCopy(_ json: JSONField, _ writer: inout ByteWriter) throws(JSONError) {
        writer.uint64(try json.required("address").zeroTierAddress().value)
        writer.uint32(try json.member("flags")?.integer() ?? 0)
        let length = try json.member("length")?.integer(in: -1...65_535) ?? 0
        writer.uint16(UInt16(truncatingIfNeeded: length))
    }

    private func writeICMP(_ json: JSONField, _ writer: inout ByteWriter) throws(JSONError) {
        writer.uint8(try json.required("icmpType").integer())
        var code = -1
        if let field = json.member("icmpCode"), !field.isNull { code = try field.integer(in: -1...255) }
        writer.uint8(UInt8(max(0, code)))
        writer.uint8(code < 0 ? 0 : 1)
    }

    private func writeIntegerRange(_ json: JSONField, _ writer: inout ByteWriter) throws(JSONError) {
        writer.uint64(try json.required("start").mask())
        writer.uint64(try json.required("end").mask())
        writer.uint16(try json.required("idx").integer())
        let bits = try json.required("bits").integer(in: UInt8(1)...64)
        let isLittleEndian = try json.member("little")?.bool() ?? false
        writer.uint8((isLittleEndian ? 0x80 : 0) | (bits - 1))
    }
}

extension JSONField {
    fileprivate func zeroTierAddress() throws(JSONError) -> Address {
        guard let address = Address(text: try string()) else {
            throw error("an address of a node is expected: ten hexadecimal digits, such as \"1122334455\"")
        }
        return address
    }

    fileprivate func macAddress() throws(JSONError) -> MACAddress {
        guard let address = MACAddress(text: try string()) else {
            throw error("an Ethernet address such as \"02:11:22:33:44:55\" is expected")
        }
        return address
    }

    // Address and length as on the wire.
    fileprivate func prefix(isIPv6: Bool) throws(JSONError) -> [UInt8] {
        let text = try string()
        guard text.utf8.contains(UInt8(ascii: "/")), let prefix = IPPrefix(text), prefix.address.isIPv6 == isIPv6 else {
            throw error(
                isIPv6
                    ? "an IPv6 address and its bits are expected, such as \"fd00::/8\""
                    : "an IPv4 address and its bits are expected, such as \"10.0.0.0/8\"")
        }
        return prefix.address.bytes + [UInt8(prefix.length)]
    }

    // 64 bits: up to 16 hexadecimal digits, or a number.
    fileprivate func mask() throws(JSONError) -> UInt64 {
        guard case .string(let text) = value else { return try integer() }
        guard let value = Hexadecimal.decodeNumber(text, digits: text.utf8.count), !text.isEmpty else {
            throw error("a number is expected, or a string of up to 16 hexadecimal digits")
        }
        return value
    }
}

extension MACAddress {
    /// Six pairs of hexadecimal digits with colons between them.
    package init?(text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts.allSatisfy({ $0.utf8.count == 2 }),
            let bytes = Hexadecimal.decode(parts.joined())
        else { return nil }
        self.init(bytes)
    }
}
