// The text language both ways.

import JSONValues
import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierRules

/// Rules of every kind, from a seed.
struct RandomRules {
    var random: RandomSource

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    private mutating func range() -> (UInt16, UInt16) {
        let (first, second) = (UInt16(random.next(below: 65_536)), UInt16(random.next(below: 65_536)))
        return random.next(below: 3) == 0 ? (first, first) : (min(first, second), max(first, second))
    }

    mutating func match() -> Rule {
        let number = [UInt8](24...51)[random.next(below: 28)]
        let small = UInt32(random.next(below: 4))
        let kind: Rule.Kind
        switch number {
        case 24: kind = .sourceAddress(Address(random.nextUInt64()))
        case 25: kind = .destinationAddress(Address(random.nextUInt64()))
        case 26: kind = .vlanID(UInt16(random.next(below: 4096)))
        case 27: kind = .vlanPriority(UInt8(small))
        case 28: kind = .vlanDropEligible(UInt8(small))
        case 29: kind = .sourceMAC(MACAddress(random.nextUInt64()))
        case 30: kind = .destinationMAC(MACAddress(random.nextUInt64()))
        case 31: kind = .sourceIPv4(random.nextUInt32(), bits: UInt8(random.next(below: 33)))
        case 32: kind = .destinationIPv4(random.nextUInt32(), bits: UInt8(random.next(below: 33)))
        case 33, 34:
            let bits = random.next(below: 129)
            let address = IPAddress(v6High: random.nextUInt64(), low: random.nextUInt64()).masked(to: bits)
            kind =
                number == 33 ? .sourceIPv6(address, bits: UInt8(bits)) : .destinationIPv6(address, bits: UInt8(bits))
        case 35:
            let (from, to) = range()
            kind = .typeOfService(mask: UInt8(random.next(below: 256)), from: UInt8(from >> 8), to: UInt8(to >> 8))
        case 36: kind = .ipProtocol([1, 6, 17, 58, 99][random.next(below: 5)])
        case 37: kind = .etherType([0x0800, 0x86dd, 0x0806, 0x1234][random.next(below: 4)])
        case 38:
            let hasCode = random.next(below: 2) == 0
            kind = .icmp(
                type: UInt8(random.next(below: 256)), code: hasCode ? UInt8(random.next(below: 256)) : 0,
                flags: hasCode ? 1 : 0)
        case 39, 40, 42:
            let (from, to) = range()
            kind =
                number == 39
                ? .sourcePorts(from: from, to: to)
                : number == 40 ? .destinationPorts(from: from, to: to) : .frameSize(from: from, to: to)
        case 41: kind = .characteristics(random.nextUInt64() | 1)
        case 43: kind = .random(random.nextUInt32() >> UInt32(random.next(below: 32)))
        case 44: kind = .tagsDifference(id: small, value: small)
        case 45: kind = .tagsAnd(id: small, value: random.nextUInt32())
        case 46: kind = .tagsOr(id: small, value: 1 << small)
        case 47: kind = .tagsXor(id: small, value: 7)
        case 48: kind = .tagsEqual(id: small, value: 5)
        case 49: kind = .tagSender(id: small, value: 2)
        case 50: kind = .tagReceiver(id: small, value: 3)
        default:
            kind = .integerRange(
                start: random.nextUInt64(), end: random.nextUInt64(), index: UInt16(random.next(below: 100)),
                format: UInt8(random.next(below: 256)) & 0xbf)
        }
        return Rule(kind, not: random.next(below: 3) == 0, or: random.next(below: 3) == 0)
    }

    mutating func action() -> Rule {
        let target = Address(random.nextUInt64())
        let kinds: [Rule.Kind] = [
            .drop, .accept, .tee(target, flags: 0, length: UInt16(random.next(below: 3)) * 64),
            .watch(target, flags: 0, length: 65_535), .redirect(target, flags: 0, length: 0), .break,
            .priority(UInt8(random.next(below: 9))),
        ]
        return Rule(kinds[random.next(below: kinds.count)])
    }

    /// A table of whole statements.
    mutating func table(atMost limit: Int) -> [Rule] {
        var rules: [Rule] = []
        while rules.count < limit - 4 {
            for _ in 0..<random.next(below: 4) { rules.append(match()) }
            rules.append(action())
            if random.next(below: 8) == 0 { break }
        }
        return rules
    }

    mutating func set() -> RuleSet {
        var set = RuleSet(rules: table(atMost: 40))
        for id in 0..<UInt32(random.next(below: 4)) {
            var tag = RuleTag(id: id, name: "t\(id)")
            tag.enums = [RuleTag.Name(name: "five", value: 5), RuleTag.Name(name: "none", value: 0)]
            tag.flags = [RuleTag.Name(name: "low", value: 1), RuleTag.Name(name: "high", value: 1 << 31)]
            if random.next(below: 2) == 0 { tag.defaultValue = UInt32(random.next(below: 8)) }
            set.tags.append(tag)
        }
        for id in 0..<UInt32(random.next(below: 3)) {
            var capability = RuleCapability(id: id, name: "c\(id)")
            capability.isDefault = random.next(below: 2) == 0
            capability.rules = table(atMost: 20)
            set.capabilities.append(capability)
        }
        return set
    }
}

@Suite struct RuleTextTests {
    @Test func `compile, decompile, compile is the identity`() throws {
        var source = RandomRules(seed: 11)
        var length = 0
        for _ in 0..<2000 {
            let set = source.set()
            let text = set.text
            let again = try compile(text)
            #expect(again.set == set, "\(text)")
            #expect(again.set.text == text)
            length += set.rules.count
        }
        #expect(length > 10_000)
    }

    @Test func `JSON of any table is read as the same table, in both forms`() throws {
        var source = RandomRules(seed: 12)
        for _ in 0..<2000 {
            let set = source.set()
            let text = set.compiledJSON.indentedText
            let again = try JSONDocument(Array(text.utf8)).read { (root) throws(JSONError) in try RuleSet(root) }
            #expect(again == set, "\(text)")
            let stored = JSONValue.object(set.configMembers(.stored))
            #expect(try RuleSet(JSONField(stored)).rules == set.rules)
        }
    }

    // A controller may send what no compiler writes.
    @Test func `what the language has no words for is written as it is sent`() throws {
        let strange: [Rule] = [
            Rule(.unknown(60), not: true, extra: [1, 2, 3]), Rule(.unknown(9), or: true, extra: [4]),
            Rule(.tee(Address(5), flags: 7, length: 1)), Rule(.redirect(Address(5), flags: 0, length: 9)),
            Rule(.icmp(type: 8, code: 3, flags: 0)), Rule(.icmp(type: 8, code: 3, flags: 3)),
            Rule(.sourceIPv4(1, bits: 60)), Rule(.destinationPorts(from: 9, to: 1), or: true),
            Rule(.characteristics(0)), Rule(.etherType(0x0800), extra: [0]), Rule(.priority(200)),
            Rule(.accept, not: true), Rule(.random(.max)), Rule(.random(0)),
            Rule(.integerRange(start: 1, end: 2, index: 3, format: 0x87), not: true), Rule(.drop),
        ]
        let text = RuleSet(rules: strange).text
        #expect(try compile(text).set.rules == strange, "\(text)")
        #expect(text.contains("raw 3c03010203") && text.contains("random 1"))
    }

    @Test func `matches without an action are a comment`() throws {
        let set = RuleSet(rules: [Rule(.drop), Rule(.etherType(5)), Rule(.ipProtocol(6), not: true)])
        #expect(
            set.text == "drop;\n# without effect, as no action follows: ethertype 5 and not ipprotocol tcp\n")
        #expect(try compile(set.text).set.rules == [Rule(.drop)])
    }

    @Test func `the way it is written does not matter`() throws {
        let plain = try compile("tag t id 5;\ndrop not ethertype ipv4 and teq t 1;\n").set
        let other = try compile("TAG t ID 0x5;DROP NOT EtherType 0x0800\r\n\tteq 5 0x1  ;# the end").set
        #expect(plain == other)
        #expect(try compile("").set == RuleSet())
        // Names of other compilers.
        let names = try compile("drop ipprotocol icmp4;drop ipprotocol icmpv4;drop ipprotocol icmpv6;").set
        #expect(names.rules.map(\.kind) == [.ipProtocol(1), .drop, .ipProtocol(1), .drop, .ipProtocol(58), .drop])
        #expect(names.text == "drop ipprotocol icmp;\ndrop ipprotocol icmp;\ndrop ipprotocol icmp6;\n")
        #expect(
            try compile("macro m($a,$ab) drop dport $a-$ab;; include m( 1 , 2 );").set.rules
                == [Rule(.destinationPorts(from: 1, to: 2)), Rule(.drop)])
    }

    @Test func `rules of macros have two places`() throws {
        let compiled = try compile("macro m($x)\n  drop ethertype $x;\n;\naccept;\n include m(arp);\n")
        let places = compiled.places.map { "\($0.position) \($0.include.map { "\($0)" } ?? "-")" }
        #expect(
            places == [
                "line 4, column 1 -", "line 2, column 8 line 5, column 2", "line 2, column 3 line 5, column 2",
            ])
    }

    @Test func `names that the language does not take give way`() throws {
        var set = RuleSet(rules: [Rule(.tagsEqual(id: 7, value: 1)), Rule(.drop)])
        var tag = RuleTag(id: 7, name: "two words")
        tag.enums = [RuleTag.Name(name: "a b", value: 1), RuleTag.Name(name: "ok", value: 2)]
        tag.flags = [RuleTag.Name(name: "both", value: 3), RuleTag.Name(name: "ok", value: 4)]
        set.tags = [tag, RuleTag(id: 8, name: "tag7"), RuleTag(id: 9)]
        set.capabilities = [RuleCapability(id: 3, name: "1st"), RuleCapability(id: 4)]
        let again = try compile(set.text).set
        #expect(again.rules == set.rules)
        #expect(again.tags.map(\.name) == ["tag7", "tag8", "tag9"])
        #expect(again.tags[0].enums.map(\.name) == ["ok", "both"] && again.tags[0].flags.isEmpty)
        #expect(again.capabilities.map(\.name) == ["cap3", "cap4"])
    }

    @Test(arguments: [
        ("0.25", 1_073_741_823), ("0.5", 2_147_483_647), ("1", UInt32.max), ("0", 0), ("0.1", 429_496_729),
    ])
    func `probabilities are short`(text: String, value: UInt32) throws {
        #expect(try compile("drop random \(text);").set.rules[0] == Rule(.random(value)))
        #expect(RuleSet(rules: [Rule(.random(value)), Rule(.drop)]).text == "drop random \(text);\n")
    }
}
