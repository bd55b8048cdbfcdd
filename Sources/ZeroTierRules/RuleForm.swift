//  The kinds of rules in one table: number on the wire, keyword of the text language, type in JSON, and the shape of the
//  field. Both languages read and write a rule by its row: what lies between is the field as `ZeroTierWire` codes it.
//
//  Read first: `Rule.Kind` in ZeroTierWire.

import NetPrimitives
import ZeroTierWire

/// A kind of rule in the languages that people and controllers write.
struct RuleForm: Sendable {
    /// What the field of a rule holds, in the order of the wire.
    enum Shape: Sendable {
        case nothing
        /// Address of the observer as 64 bits, flags, length.
        case copy(hasLength: Bool)
        /// One byte, the class of service; missing for class 0.
        case level
        /// Five bytes.
        case address
        /// One byte or two, in JSON under this name.
        case number(bits: Int, member: String, names: NamedNumbers)
        case mac
        case prefix(isIPv6: Bool)
        /// Mask, first, last: one byte each.
        case typeOfService
        /// Type, code, flags: one byte each.
        case icmp
        /// First and last: two bytes each.
        case range
        case characteristics
        case probability
        /// ID and value: four bytes each.
        case tag
        case integerRange
    }

    let number: UInt8
    /// Nil for what the language has no word for: it is written as `raw`.
    let keyword: String?
    let type: String
    let shape: Shape

    var isAction: Bool { number < 16 }

    private init(_ number: UInt8, _ keyword: String?, _ type: String, _ shape: Shape) {
        self.number = number
        self.keyword = keyword
        self.type = type
        self.shape = shape
    }

    static let all: [RuleForm] = [
        RuleForm(0, "drop", "ACTION_DROP", .nothing),
        RuleForm(1, "accept", "ACTION_ACCEPT", .nothing),
        RuleForm(2, "tee", "ACTION_TEE", .copy(hasLength: true)),
        RuleForm(3, "watch", "ACTION_WATCH", .copy(hasLength: true)),
        RuleForm(4, "redirect", "ACTION_REDIRECT", .copy(hasLength: false)),
        RuleForm(5, "break", "ACTION_BREAK", .nothing),
        RuleForm(6, "priority", "ACTION_PRIORITY", .level),
        RuleForm(24, "ztsrc", "MATCH_SOURCE_ZEROTIER_ADDRESS", .address),
        RuleForm(25, "ztdest", "MATCH_DEST_ZEROTIER_ADDRESS", .address),
        RuleForm(26, "vlan", "MATCH_VLAN_ID", .number(bits: 16, member: "vlanId", names: .none)),
        RuleForm(27, "vlanpcp", "MATCH_VLAN_PCP", .number(bits: 8, member: "vlanPcp", names: .none)),
        RuleForm(28, "vlandei", "MATCH_VLAN_DEI", .number(bits: 8, member: "vlanDei", names: .none)),
        RuleForm(29, "macsrc", "MATCH_MAC_SOURCE", .mac),
        RuleForm(30, "macdest", "MATCH_MAC_DEST", .mac),
        RuleForm(31, "ipsrc", "MATCH_IPV4_SOURCE", .prefix(isIPv6: false)),
        RuleForm(32, "ipdest", "MATCH_IPV4_DEST", .prefix(isIPv6: false)),
        RuleForm(33, "ipsrc", "MATCH_IPV6_SOURCE", .prefix(isIPv6: true)),
        RuleForm(34, "ipdest", "MATCH_IPV6_DEST", .prefix(isIPv6: true)),
        RuleForm(35, "iptos", "MATCH_IP_TOS", .typeOfService),
        RuleForm(36, "ipprotocol", "MATCH_IP_PROTOCOL", .number(bits: 8, member: "ipProtocol", names: .protocols)),
        RuleForm(37, "ethertype", "MATCH_ETHERTYPE", .number(bits: 16, member: "etherType", names: .etherTypes)),
        RuleForm(38, "icmp", "MATCH_ICMP", .icmp),
        RuleForm(39, "sport", "MATCH_IP_SOURCE_PORT_RANGE", .range),
        RuleForm(40, "dport", "MATCH_IP_DEST_PORT_RANGE", .range),
        RuleForm(41, "chr", "MATCH_CHARACTERISTICS", .characteristics),
        RuleForm(42, "framesize", "MATCH_FRAME_SIZE_RANGE", .range),
        RuleForm(43, "random", "MATCH_RANDOM", .probability),
        RuleForm(44, "tdiff", "MATCH_TAGS_DIFFERENCE", .tag),
        RuleForm(45, "tand", "MATCH_TAGS_BITWISE_AND", .tag),
        RuleForm(46, "tor", "MATCH_TAGS_BITWISE_OR", .tag),
        RuleForm(47, "txor", "MATCH_TAGS_BITWISE_XOR", .tag),
        RuleForm(48, "teq", "MATCH_TAGS_EQUAL", .tag),
        RuleForm(49, "tseq", "MATCH_TAG_SENDER", .tag),
        RuleForm(50, "treq", "MATCH_TAG_RECEIVER", .tag),
        RuleForm(51, nil, "INTEGER_RANGE", .integerRange),
    ]

    static func of(_ rule: Rule) -> RuleForm? { all.first { $0.number == rule.kind.number } }

    /// The form of a keyword in lower case; for a prefix, that of IPv4.
    static func keyword(_ word: String) -> RuleForm? { all.first { $0.keyword == word } }

    static func type(_ type: String) -> RuleForm? {
        // What the original's evaluator calls it; its writer says INTEGER_RANGE.
        all.first { $0.type == type || type == "MATCH_INTEGER_RANGE" && $0.number == 51 }
    }

    static let actionKeywords = all.filter(\.isAction).compactMap(\.keyword)
    static let matchKeywords = Set(all.filter { !$0.isAction }.compactMap(\.keyword)).sorted()

    /// A rule of this kind. `field` is as the shape says.
    func rule(_ field: [UInt8], not isNegated: Bool = false, or isAlternative: Bool = false) -> Rule {
        var reader = WireReader([number, UInt8(field.count)] + field)
        guard var rule = try? Rule(from: &reader) else { preconditionFailure("the table of rules is not the wire's") }
        rule.isNegated = isNegated
        rule.isAlternative = isAlternative
        return rule
    }
}

extension Rule {
    /// The bytes behind type and length.
    var field: [UInt8] { Array(Rule.encode([self]).dropFirst(2)) }

    /// The whole rule as hexadecimal digits. A match stands without its NOT and OR, which both languages write apart.
    var rawText: String {
        var plain = self
        if !isAction { (plain.isNegated, plain.isAlternative) = (false, false) }
        return Hexadecimal.encode(Rule.encode([plain]))
    }

    /// Reads what `rawText` writes; nil if it is not one rule, or a match with NOT or OR.
    init?(rawText: String) {
        guard let bytes = Hexadecimal.decode(rawText), !bytes.isEmpty,
            let rules = try? Rule.table(decoding: bytes, limit: 2), rules.count == 1,
            rules[0].isAction || bytes[0] & 0xc0 == 0
        else { return nil }
        self = rules[0]
    }
}

/// Numbers that have names.
struct NamedNumbers: Sendable {
    let names: [(name: String, value: UInt16)]

    func value(_ name: String) -> UInt16? { names.first { $0.name == name }?.value }
    func name(_ value: UInt16) -> String? { names.first { $0.value == value }?.name }

    static let none = NamedNumbers(names: [])

    /// Read first: IANA, "IEEE 802 Numbers".
    static let etherTypes = NamedNumbers(names: [
        ("ipv4", 0x0800), ("arp", 0x0806), ("wol", 0x0842), ("rarp", 0x8035), ("ipv6", 0x86dd), ("atalk", 0x809b),
        ("aarp", 0x80f3), ("ipx_a", 0x8137), ("ipx_b", 0x8138),
    ])

    /// Read first: IANA, "Protocol Numbers".
    static let protocols = NamedNumbers(names: [
        ("icmp", 1), ("igmp", 2), ("ipip", 4), ("tcp", 6), ("egp", 8), ("igp", 9), ("udp", 17), ("rdp", 27),
        ("esp", 50), ("ah", 51), ("icmp6", 58), ("l2tp", 115), ("sctp", 132), ("udplite", 136),
        // Other names of some, which are understood: the first is written.
        ("icmp4", 1), ("icmpv4", 1), ("icmpv6", 58),
    ])

    /// Bits of what `chr` asks for.
    static let characteristics = NamedNumbers(names: [
        ("inbound", 63), ("multicast", 62), ("broadcast", 61), ("ipauth", 60), ("macauth", 59), ("tcp_rs0", 11),
        ("tcp_rs1", 10), ("tcp_rs2", 9), ("tcp_ns", 8), ("tcp_cwr", 7), ("tcp_ece", 6), ("tcp_urg", 5), ("tcp_ack", 4),
        ("tcp_psh", 3), ("tcp_rst", 2), ("tcp_syn", 1), ("tcp_fin", 0),
    ])
}

/// The name among `names` that was perhaps meant; nil if none is near.
func nearest(to word: String, among names: [String]) -> String? {
    // Longer words are no slips.
    guard word.utf8.count <= 40 else { return nil }
    let candidates = names.map { (name: $0, distance: editDistance(Array(word.utf8), Array($0.utf8))) }
    guard let best = candidates.min(by: { $0.distance < $1.distance }), best.distance <= 2,
        best.distance < word.utf8.count
    else { return nil }
    return best.name
}

// Insertions, deletions and replacements that make one word of the other.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let replaced = diagonal + (byte == right[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
        }
    }
    return row[right.count]
}
