// The evaluator against 459 results of the reference's, and what those do not cover.

import Foundation
import NetPrimitives
import TestSupport
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierEthernet

/// Reads `Tests/Vectors/<name>.json`.
func loadVectors<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
    try VectorFiles.decode(name + ".json")
}

func hex(_ text: String) throws -> [UInt8] { try #require(Hexadecimal.decode(text)) }

@Suite struct RuleFilterTests {
    struct Vectors: Decodable {
        struct Case: Decodable {
            let cc: String?
            let ccLength: Int
            let ccWatch: Bool
            let destAfter, frame, frameName, macDest, macSource, name, result, rules, ztDest, ztSource: String
            let etherType: UInt16
            let flags: UInt64
            let haveMembership, inbound: Bool
            let localOwned, remoteOwned: [String]
            let localTags, remoteTags: [[Int64]]
            let qosBucket: Int
            let vlanId: UInt16
        }
        let cases: [Case]
        let `self`: String
    }

    static let network = NetworkID(0x8056_c2e2_1c00_0001)
    static let timestamp: Int64 = 1_000_000

    private let controller: Identity

    init() {
        var random = RandomSource(seed: 1)
        let keys = SecretKeys.generate(using: &random)
        controller = Identity(
            address: RuleFilterTests.network.controller, publicKeys: keys.publicKeys, secretKeys: keys)
    }

    private func ownership(_ texts: [String], of member: Address) -> Ownership? {
        guard !texts.isEmpty else { return nil }
        let things = texts.map { text -> Ownership.Thing in
            if let address = IPAddress(text) { return .ip(address) }
            return .mac(MACAddress(UInt64(text.replacingOccurrences(of: ":", with: ""), radix: 16) ?? 0))
        }
        return Ownership(
            network: RuleFilterTests.network, timestamp: UInt64(RuleFilterTests.timestamp), id: 1, things: things,
            issuedTo: member, signedBy: controller)
    }

    private func tags(_ rows: [[Int64]], of member: Address) -> [ZeroTierWire.Tag] {
        rows.map { row in
            let offset = row.count > 2 ? row[2] : 0
            return ZeroTierWire.Tag(
                network: RuleFilterTests.network, timestamp: UInt64(RuleFilterTests.timestamp + offset),
                id: UInt32(row[0]), value: UInt32(row[1]), issuedTo: member, signedBy: controller)
        }
    }

    @Test func `results are those of the reference`() throws {
        let vectors = try loadVectors("rules_eval", as: Vectors.self)
        let myself = try #require(Address(text: vectors.`self`))
        var random = RandomSource(seed: 2)
        var nobody = NoRuleObserver()
        for (index, item) in vectors.cases.enumerated() {
            var config = NetworkConfig(
                network: RuleFilterTests.network, issuedTo: myself, timestamp: UInt64(RuleFilterTests.timestamp))
            config.credentialWindow = 100_000
            config.flags = item.flags
            config.tags = tags(item.localTags, of: myself)
            config.ownerships = ownership(item.localOwned, of: myself).map { [$0] } ?? []
            let source = try #require(Address(text: item.ztSource))
            let destination = try #require(Address(text: item.ztDest))
            let remote = item.inbound ? source : destination
            var member: Member?
            if item.haveMembership {
                var made = Member()
                for tag in tags(item.remoteTags, of: remote) {
                    #expect(made.add(tag) { _ in controller } == .added)
                }
                if let owned = ownership(item.remoteOwned, of: remote) {
                    #expect(made.add(owned) { _ in controller } == .added)
                }
                member = made
            }
            let frame = try hex(item.frame)
            let facts = FrameFacts(
                isInbound: item.inbound, source: source, destination: destination,
                sourceMAC: MACAddress(UInt64(item.macSource, radix: 16) ?? 0),
                destinationMAC: MACAddress(UInt64(item.macDest, radix: 16) ?? 0), etherType: item.etherType,
                vlanID: item.vlanId, length: frame.count)
            let rules = try Rule.table(decoding: try hex(item.rules), limit: ProtocolLimits.baseRules)
            let verdict = frame.withBytes {
                RuleFilter.evaluate(
                    rules.map(RuleStep.init), facts, frame: $0, at: 0, myself: myself, config: config, remote: member,
                    random: &random, observer: &nobody)
            }
            let name = "case \(index) \(item.name) \(item.frameName)"
            let result: String =
                switch verdict.result {
                case .noMatch: "NO_MATCH"
                case .drop: "DROP"
                case .redirect: "REDIRECT"
                case .accept: "ACCEPT"
                case .superAccept: "SUPER_ACCEPT"
                }
            #expect(result == item.result, "\(name)")
            #expect(verdict.destination.description == item.destAfter, "\(name)")
            #expect(verdict.copy?.to.description == item.cc, "\(name)")
            #expect(verdict.copy?.length ?? 0 == (item.cc == nil ? 0 : item.ccLength), "\(name)")
            #expect(verdict.copy?.isWatched ?? false == (item.cc == nil ? false : item.ccWatch), "\(name)")
            #expect(verdict.priority.map { Int($0) } ?? 255 == item.qosBucket, "\(name)")
            #expect(!verdict.ranOut, "\(name)")
        }
        #expect(vectors.cases.count >= 459)
    }

    // MARK: Not in the vectors

    private static let myself = Address(0x11_1111_1111)
    private static let other = Address(0x22_2222_2222)

    private func evaluate(
        _ rules: [Rule], frame: [UInt8], etherType: UInt16, isInbound: Bool = false, available: Int? = nil,
        config change: (inout NetworkConfig) -> Void = { _ in }, remote: Member? = nil, seed: UInt64 = 1
    ) -> RuleVerdict {
        var config = NetworkConfig(network: RuleFilterTests.network, issuedTo: RuleFilterTests.myself, timestamp: 5)
        change(&config)
        let facts = FrameFacts(
            isInbound: isInbound, source: isInbound ? RuleFilterTests.other : RuleFilterTests.myself,
            destination: isInbound ? RuleFilterTests.myself : RuleFilterTests.other,
            sourceMAC: MACAddress(0x0200_0000_0001), destinationMAC: MACAddress(0x0200_0000_0002),
            etherType: etherType, length: frame.count)
        var random = RandomSource(seed: seed)
        var nobody = NoRuleObserver()
        return Array(frame.prefix(available ?? frame.count)).withBytes {
            RuleFilter.evaluate(
                rules.map(RuleStep.init), facts, frame: $0, at: 0, myself: RuleFilterTests.myself, config: config,
                remote: remote,
                random: &random, observer: &nobody)
        }
    }

    @Test func `chance follows the probability`() {
        let frame = [UInt8](repeating: 0, count: 60)
        func share(_ probability: UInt32) -> Int {
            (0..<400).filter { seed in
                evaluate([Rule(.random(probability)), Rule(.accept)], frame: frame, etherType: 1, seed: UInt64(seed))
                    .result == .accept
            }.count
        }
        #expect(share(.max) == 400)
        #expect(share(0) == 0)
        #expect((120...280).contains(share(.max / 2)))
    }

    @Test func `sources that name their member count as authenticated for that member alone`() throws {
        let network = RuleFilterTests.network
        let authenticated = [Rule(.characteristics(1 << 60)), Rule(.accept), Rule(.drop)]
        func packet(from source: IPAddress) -> [UInt8] {
            [0x60, 0, 0, 0, 0, 0, 59, 64] + source.bytes + network.sixPlaneAddress(of: RuleFilterTests.myself).bytes
        }
        let own = IPPrefix(network.sixPlaneAddress(of: RuleFilterTests.myself), length: 40)
        let claimed = network.sixPlaneAddress(of: RuleFilterTests.other)
        let stolen = network.sixPlaneAddress(of: Address(0x33_3333_3333))
        func result(_ source: IPAddress, _ flags: UInt64, _ addresses: [IPPrefix]) -> RuleVerdict.Result {
            evaluate(
                authenticated, frame: packet(from: source), etherType: 0x86dd, isInbound: true,
                config: {
                    $0.flags = flags
                    $0.addresses = addresses
                }, remote: Member()
            ).result
        }
        #expect(result(claimed, NetworkConfig.neighbourEmulationFlag, [own]) == .accept)
        #expect(result(stolen, NetworkConfig.neighbourEmulationFlag, [own]) == .drop)
        #expect(result(claimed, 0, [own]) == .drop)
        #expect(result(claimed, NetworkConfig.neighbourEmulationFlag, []) == .drop)
        #expect(result(try #require(IPAddress("fd00::1")), NetworkConfig.neighbourEmulationFlag, [own]) == .drop)
        let plan = IPPrefix(network.rfc4193Address(of: RuleFilterTests.myself), length: 88)
        let other = network.rfc4193Address(of: RuleFilterTests.other)
        #expect(result(other, NetworkConfig.neighbourEmulationFlag, [plan]) == .accept)
        let another = network.rfc4193Address(of: Address(0x33_3333_3333))
        #expect(result(another, NetworkConfig.neighbourEmulationFlag, [plan]) == .drop)
    }

    @Test func `a match that looks beyond the bytes at hand says so`() {
        let frame = [UInt8](repeating: 7, count: 100)
        let deep = [Rule(.integerRange(start: 7, end: 7, index: 80, format: 7)), Rule(.accept)]
        #expect(evaluate(deep, frame: frame, etherType: 1).ranOut == false)
        #expect(evaluate(deep, frame: frame, etherType: 1, available: 60).ranOut)
        #expect(evaluate(deep, frame: Array(frame.prefix(60)), etherType: 1).ranOut == false)
    }

    @Test func `no frame, however short or odd, traps any rule`() throws {
        let vectors = try loadVectors("rules_eval", as: Vectors.self)
        var random = RandomSource(seed: 9)
        let kinds: [Rule] = try Array(Set(vectors.cases.map(\.rules)).sorted().prefix(60))
            .flatMap { try Rule.table(decoding: try hex($0), limit: 64) }
        // Every rule alone, so that none hides behind another.
        let tables = kinds.filter { !$0.isAction }.map { [$0, Rule(.accept)] }
        for _ in 0..<60 {
            var frame = random.bytes(random.next(below: 90))
            if !frame.isEmpty { frame[0] = [0x45, 0x60, 0x4f, 0x40][random.next(below: 4)] }
            for etherType: UInt16 in [0x0800, 0x86dd, 0x0806] {
                for table in tables {
                    let verdict = evaluate(table, frame: frame, etherType: etherType, isInbound: frame.count % 2 == 0)
                    #expect(verdict.result == .accept || verdict.result == .noMatch)
                }
            }
        }
    }
}
