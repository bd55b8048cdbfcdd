//  The wire form of a rule. One flat switch in each direction.

package import NetPrimitives

extension Rule.Kind {
    /// The number on the wire, without the NOT and OR bits.
    package var number: UInt8 {
        switch self {
        case .drop: 0
        case .accept: 1
        case .tee: 2
        case .watch: 3
        case .redirect: 4
        case .break: 5
        case .priority: 6
        case .sourceAddress: 24
        case .destinationAddress: 25
        case .vlanID: 26
        case .vlanPriority: 27
        case .vlanDropEligible: 28
        case .sourceMAC: 29
        case .destinationMAC: 30
        case .sourceIPv4: 31
        case .destinationIPv4: 32
        case .sourceIPv6: 33
        case .destinationIPv6: 34
        case .typeOfService: 35
        case .ipProtocol: 36
        case .etherType: 37
        case .icmp: 38
        case .sourcePorts: 39
        case .destinationPorts: 40
        case .characteristics: 41
        case .frameSize: 42
        case .random: 43
        case .tagsDifference: 44
        case .tagsAnd: 45
        case .tagsOr: 46
        case .tagsXor: 47
        case .tagsEqual: 48
        case .tagSender: 49
        case .tagReceiver: 50
        case .integerRange: 51
        case .unknown(let number): number & 0x3f
        }
    }
}

extension Rule {
    /// Reads one rule. A field shorter than its kind needs throws: the reference would read beyond it.
    package init(from reader: inout WireReader) throws(WireError) {
        let type = try reader.uint8("rule.type")
        let length = Int(try reader.uint8("rule.length"))
        let field = try reader.bytes(length, "rule.field")
        var fieldReader = WireReader(field)
        let kind = try Rule.readKind(type & 0x3f, &fieldReader)
        self.init(kind, not: type & 0x80 != 0, or: type & 0x40 != 0, extra: fieldReader.rest())
    }

    private static func readKind(_ number: UInt8, _ field: inout WireReader) throws(WireError) -> Kind {
        switch number {
        case 0: return .drop
        case 1: return .accept
        case 2, 3, 4: return try readCopy(number, &field)
        case 5: return .break
        case 6: return .priority(field.isAtEnd ? 0 : try field.uint8("rule.priority"))
        case 24: return .sourceAddress(try field.address("rule.address"))
        case 25: return .destinationAddress(try field.address("rule.address"))
        case 26: return .vlanID(try field.uint16("rule.vlan"))
        case 27: return .vlanPriority(try field.uint8("rule.vlan"))
        case 28: return .vlanDropEligible(try field.uint8("rule.vlan"))
        case 29: return .sourceMAC(MACAddress(try field.uint48("rule.mac")))
        case 30: return .destinationMAC(MACAddress(try field.uint48("rule.mac")))
        case 31: return .sourceIPv4(try field.uint32("rule.address"), bits: try field.uint8("rule.bits"))
        case 32: return .destinationIPv4(try field.uint32("rule.address"), bits: try field.uint8("rule.bits"))
        case 33: return .sourceIPv6(try readIPv6(&field), bits: try field.uint8("rule.bits"))
        case 34: return .destinationIPv6(try readIPv6(&field), bits: try field.uint8("rule.bits"))
        case 36: return .ipProtocol(try field.uint8("rule.protocol"))
        case 37: return .etherType(try field.uint16("rule.etherType"))
        case 41: return .characteristics(try field.uint64("rule.characteristics"))
        case 43: return .random(try field.uint32("rule.probability"))
        case 44...50: return try readTag(number, &field)
        default: return try readRange(number, &field)
        }
    }

    private static func readIPv6(_ field: inout WireReader) throws(WireError) -> IPAddress {
        let high = try field.uint64("rule.address")
        return IPAddress(v6High: high, low: try field.uint64("rule.address"))
    }

    private static func readCopy(_ number: UInt8, _ field: inout WireReader) throws(WireError) -> Kind {
        let address = Address(try field.uint64("rule.target"))
        let flags = try field.uint32("rule.flags")
        let length = try field.uint16("rule.copyLength")
        switch number {
        case 2: return .tee(address, flags: flags, length: length)
        case 3: return .watch(address, flags: flags, length: length)
        default: return .redirect(address, flags: flags, length: length)
        }
    }

    private static func readTag(_ number: UInt8, _ field: inout WireReader) throws(WireError) -> Kind {
        let id = try field.uint32("rule.tag")
        let value = try field.uint32("rule.tagValue")
        switch number {
        case 44: return .tagsDifference(id: id, value: value)
        case 45: return .tagsAnd(id: id, value: value)
        case 46: return .tagsOr(id: id, value: value)
        case 47: return .tagsXor(id: id, value: value)
        case 48: return .tagsEqual(id: id, value: value)
        case 49: return .tagSender(id: id, value: value)
        default: return .tagReceiver(id: id, value: value)
        }
    }

    private static func readRange(_ number: UInt8, _ field: inout WireReader) throws(WireError) -> Kind {
        switch number {
        case 35:
            let mask = try field.uint8("rule.mask")
            let from = try field.uint8("rule.from")
            return .typeOfService(mask: mask, from: from, to: try field.uint8("rule.to"))
        case 38:
            let type = try field.uint8("rule.icmpType")
            let code = try field.uint8("rule.icmpCode")
            return .icmp(type: type, code: code, flags: try field.uint8("rule.icmpFlags"))
        case 39, 40, 42:
            let from = try field.uint16("rule.from")
            let to = try field.uint16("rule.to")
            if number == 39 { return .sourcePorts(from: from, to: to) }
            return number == 40 ? .destinationPorts(from: from, to: to) : .frameSize(from: from, to: to)
        case 51:
            let start = try field.uint64("rule.start")
            let end = try field.uint64("rule.end")
            let index = try field.uint16("rule.index")
            return .integerRange(start: start, end: end, index: index, format: try field.uint8("rule.format"))
        default:
            return .unknown(number)
        }
    }

    /// Appends the rule.
    package func encode(into writer: inout ByteWriter) {
        var field = ByteWriter(capacity: 20)
        writeField(&field)
        field.bytes(extra)
        writer.uint8(kind.number | (isNegated ? 0x80 : 0) | (isAlternative ? 0x40 : 0))
        writer.uint8(UInt8(truncatingIfNeeded: field.count))
        writer.bytes(Array(field.bytes.prefix(255)))
    }

    private func writeField(_ field: inout ByteWriter) {
        switch kind {
        case .drop, .accept, .break, .unknown: break
        // The reference writes no field for it; a class other than 0, or what follows it, is worth one byte.
        case .priority(let level): if level != 0 || !extra.isEmpty { field.uint8(level) }
        case .tee(let address, let flags, let length), .watch(let address, let flags, let length),
            .redirect(let address, let flags, let length):
            field.uint64(address.value)
            field.uint32(flags)
            field.uint16(length)
        case .sourceAddress(let address), .destinationAddress(let address): field.address(address)
        case .vlanID(let value), .etherType(let value): field.uint16(value)
        case .vlanPriority(let value), .vlanDropEligible(let value), .ipProtocol(let value): field.uint8(value)
        case .sourceMAC(let mac), .destinationMAC(let mac): field.uint48(mac.bits)
        case .sourceIPv4(let address, let bits), .destinationIPv4(let address, let bits):
            field.uint32(address)
            field.uint8(bits)
        case .sourceIPv6(let address, let bits), .destinationIPv6(let address, let bits):
            field.uint64(address.high)
            field.uint64(address.low)
            field.uint8(bits)
        case .typeOfService(let first, let second, let third), .icmp(let first, let second, let third):
            field.bytes([first, second, third])
        case .sourcePorts(let from, let to), .destinationPorts(let from, let to), .frameSize(let from, let to):
            field.uint16(from)
            field.uint16(to)
        case .characteristics(let mask): field.uint64(mask)
        case .random(let probability): field.uint32(probability)
        case .tagsDifference(let id, let value), .tagsAnd(let id, let value), .tagsOr(let id, let value),
            .tagsXor(let id, let value), .tagsEqual(let id, let value), .tagSender(let id, let value),
            .tagReceiver(let id, let value):
            field.uint32(id)
            field.uint32(value)
        case .integerRange(let start, let end, let index, let format):
            field.uint64(start)
            field.uint64(end)
            field.uint16(index)
            field.uint8(format)
        }
    }
}
