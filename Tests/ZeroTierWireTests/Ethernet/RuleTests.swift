// The wire form of rules against what the reference controller makes of JSON and scripts.

import Foundation
import NetPrimitives
import TestSupport
import Testing

@testable import ZeroTierWire

@Suite struct RuleTests {
    /// A rule in the controller's JSON as our value. Only what the vectors hold.
    static func rule(_ json: [String: Any]) throws -> Rule {
        func number(_ key: String) -> Int64 { (json[key] as? NSNumber)?.int64Value ?? 0 }
        func text(_ key: String) throws -> String { try #require(json[key] as? String) }
        func address(_ key: String) throws -> Address {
            let digits = try text(key)
            return try #require(Address(text: digits))
        }
        func ports() -> (UInt16, UInt16) { (UInt16(number("start")), UInt16(number("end"))) }
        func prefix() throws -> IPPrefix {
            let address = try text("ip")
            return try #require(IPPrefix(address))
        }
        func mac() throws -> MACAddress {
            let bytes = try hex(try text("mac").replacingOccurrences(of: ":", with: ""))
            return try #require(MACAddress(bytes))
        }
        let id = UInt32(number("id"))
        let value = UInt32(number("value"))
        let kind: Rule.Kind
        switch json["type"] as? String {
        case "ACTION_DROP": kind = .drop
        case "ACTION_ACCEPT": kind = .accept
        case "ACTION_BREAK": kind = .break
        case "ACTION_TEE":
            kind = .tee(
                try address("address"), flags: UInt32(number("flags")),
                length: UInt16(truncatingIfNeeded: number("length")))
        case "ACTION_WATCH":
            kind = .watch(
                try address("address"), flags: UInt32(number("flags")),
                length: UInt16(truncatingIfNeeded: number("length")))
        case "ACTION_REDIRECT": kind = .redirect(try address("address"), flags: UInt32(number("flags")), length: 0)
        case "MATCH_SOURCE_ZEROTIER_ADDRESS": kind = .sourceAddress(try address("zt"))
        case "MATCH_DEST_ZEROTIER_ADDRESS": kind = .destinationAddress(try address("zt"))
        case "MATCH_VLAN_ID": kind = .vlanID(UInt16(number("vlanId")))
        case "MATCH_VLAN_PCP": kind = .vlanPriority(UInt8(number("vlanPcp")))
        case "MATCH_VLAN_DEI": kind = .vlanDropEligible(UInt8(number("vlanDei")))
        case "MATCH_MAC_SOURCE": kind = .sourceMAC(try mac())
        case "MATCH_MAC_DEST": kind = .destinationMAC(try mac())
        case "MATCH_IPV4_SOURCE": kind = .sourceIPv4(try prefix().address.v4, bits: UInt8(try prefix().length))
        case "MATCH_IPV4_DEST": kind = .destinationIPv4(try prefix().address.v4, bits: UInt8(try prefix().length))
        case "MATCH_IPV6_SOURCE": kind = .sourceIPv6(try prefix().address, bits: UInt8(try prefix().length))
        case "MATCH_IPV6_DEST": kind = .destinationIPv6(try prefix().address, bits: UInt8(try prefix().length))
        case "MATCH_IP_TOS":
            kind = .typeOfService(
                mask: UInt8(number("mask")), from: UInt8(number("start")), to: UInt8(number("end")))
        case "MATCH_IP_PROTOCOL": kind = .ipProtocol(UInt8(number("ipProtocol")))
        case "MATCH_ETHERTYPE": kind = .etherType(UInt16(number("etherType")))
        case "MATCH_ICMP":
            let code = json["icmpCode"] as? NSNumber
            kind = .icmp(type: UInt8(number("icmpType")), code: code?.uint8Value ?? 0, flags: code == nil ? 0 : 1)
        case "MATCH_IP_SOURCE_PORT_RANGE": kind = .sourcePorts(from: ports().0, to: ports().1)
        case "MATCH_IP_DEST_PORT_RANGE": kind = .destinationPorts(from: ports().0, to: ports().1)
        case "MATCH_CHARACTERISTICS":
            let mask = try text("mask")
            kind = .characteristics(try #require(UInt64(mask, radix: 16)))
        case "MATCH_FRAME_SIZE_RANGE": kind = .frameSize(from: ports().0, to: ports().1)
        case "MATCH_RANDOM": kind = .random(UInt32(number("probability")))
        case "MATCH_TAGS_DIFFERENCE": kind = .tagsDifference(id: id, value: value)
        case "MATCH_TAGS_BITWISE_AND": kind = .tagsAnd(id: id, value: value)
        case "MATCH_TAGS_BITWISE_OR": kind = .tagsOr(id: id, value: value)
        case "MATCH_TAGS_BITWISE_XOR": kind = .tagsXor(id: id, value: value)
        case "MATCH_TAGS_EQUAL": kind = .tagsEqual(id: id, value: value)
        case "MATCH_TAG_SENDER": kind = .tagSender(id: id, value: value)
        case "MATCH_TAG_RECEIVER": kind = .tagReceiver(id: id, value: value)
        case let type: throw WireError.invalid(field: type ?? "none", expected: "a known type", found: 0)
        }
        return Rule(kind, not: json["not"] as? Bool ?? false, or: json["or"] as? Bool ?? false)
    }

    static func json(_ name: String) throws -> [String: Any] {
        let data = try VectorFiles.data(name + ".json")
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func `every kind of rule has the reference controller's wire form`() throws {
        let rows = try #require(try RuleTests.json("rules_single")["rules"] as? [[String: Any]])
        var compared = 0
        for row in rows {
            guard let wire = row["wire"] as? String else { continue }
            let bytes = try hex(wire)
            let rules = try Rule.table(decoding: bytes, limit: 10)
            #expect(Rule.encode(rules) == bytes)
            guard let rendered = row["rendered"] as? [String: Any] else { continue }
            #expect(rules == [try RuleTests.rule(rendered)])
            compared += 1
        }
        #expect(compared == 35)
    }

    @Test func `an integer range and a priority are read`() throws {
        let range = try Rule.table(decoding: try hex("331300000000000000100000000000000020000c0f"), limit: 1)
        #expect(range == [Rule(.integerRange(start: 16, end: 32, index: 12, format: 0x0f))])
        #expect(try Rule.table(decoding: [6, 0], limit: 1) == [Rule(.priority(0))])
        #expect(try Rule.table(decoding: [6, 1, 3], limit: 1) == [Rule(.priority(3))])
    }

    @Test(arguments: [
        "rules_1_default", "rules_2_tcp_whitelist", "rules_3_caps_tags", "rules_4_security_monitor",
        "rules_5_everything",
    ])
    func `compiled rule scripts have the reference's wire form`(name: String) throws {
        let all = try RuleTests.json(name)
        let wire = try #require(all["wire"] as? [String: Any])
        let compiled = try #require((all["compiled"] as? [String: Any])?["config"] as? [String: Any])
        func check(_ wire: [String: Any], _ json: [[String: Any]]) throws {
            let digits = try #require(wire["hex"] as? String)
            let bytes = try hex(digits)
            let rules = try Rule.table(decoding: bytes, limit: 1024)
            #expect(rules.count == (wire["count"] as? NSNumber)?.intValue)
            #expect(Rule.encode(rules) == bytes)
            #expect(rules == (try json.map(RuleTests.rule)))
        }
        try check(
            try #require(wire["rules"] as? [String: Any]), try #require(compiled["rules"] as? [[String: Any]]))
        let capabilities = try #require(wire["capabilities"] as? [[String: Any]])
        let sources = try #require(compiled["capabilities"] as? [[String: Any]])
        #expect(capabilities.count == sources.count)
        for capability in capabilities {
            let source = try #require(
                sources.first { ($0["id"] as? NSNumber) == (capability["id"] as? NSNumber) })
            try check(capability, try #require(source["rules"] as? [[String: Any]]))
        }
    }

    @Test func `unknown and longer fields survive, short ones are refused`() throws {
        let bytes: [UInt8] = [0x3f, 3, 1, 2, 3, 0x25, 4, 0x86, 0xdd, 9, 9, 0x01, 0]
        let rules = try Rule.table(decoding: bytes, limit: 10)
        #expect(rules.map(\.kind) == [.unknown(0x3f), .etherType(0x86dd), .accept])
        #expect(Rule.encode(rules) == bytes)
        for number: UInt8 in [2, 3, 4] + Array(24...51) {
            #expect(throws: WireError.self) { try Rule.table(decoding: [number, 0], limit: 1) }
        }
        #expect(try Rule.table(decoding: [UInt8](repeating: 0, count: 2 * 2000), limit: 1024).count == 1024)
    }

    /// Every table of the vectors: of the scripts and their capabilities, single rules, and those that are evaluated.
    private func tables() throws -> Set<[UInt8]> {
        var texts: [String] = []
        for name in [
            "rules_1_default", "rules_2_tcp_whitelist", "rules_3_caps_tags", "rules_4_security_monitor",
            "rules_5_everything",
        ] {
            let wire = try #require(try RuleTests.json(name)["wire"] as? [String: Any])
            let rules = try #require(wire["rules"] as? [String: Any])
            let capabilities = try #require(wire["capabilities"] as? [[String: Any]])
            texts += try ([rules] + capabilities).map { try #require($0["hex"] as? String) }
        }
        texts += try #require(try RuleTests.json("rules_single")["rules"] as? [[String: Any]])
            .compactMap { $0["wire"] as? String }
        texts += try #require(try RuleTests.json("rules_eval")["cases"] as? [[String: Any]])
            .compactMap { $0["rules"] as? String }
        return Set(try texts.map(hex))
    }

    @Test func `a damaged table is refused or reads the same again`() throws {
        let tables = try tables()
        #expect(tables.count > 100, "\(tables.count)")
        for bytes in tables {
            #expect(Rule.encode(try Rule.table(decoding: bytes, limit: 1024)) == bytes)
            let refused = try survivesDamage(
                bytes,
                decode: {
                    let rules = try Rule.table(decoding: $0, limit: 1024)
                    // Only the targets of copies, whose high bits nobody reads, and priorities are not written as they are.
                    let isExact = rules.allSatisfy {
                        switch $0.kind {
                        case .tee, .watch, .redirect, .priority: false
                        default: true
                        }
                    }
                    if isExact, Rule.encode(rules) != $0 { Issue.record("\($0)") }
                    return rules
                }, encode: { Rule.encode($0) })
            #expect(refused > 0 || bytes.isEmpty)
        }
    }
}
