import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierController

/// Records as bytes, and what an administrator may say.
@Suite struct RecordTests {
    private static let id = NetworkID(0xe21d_e08d_c771_f654)

    private func fullNetwork() throws -> NetworkRecord {
        var record = NetworkRecord(id: RecordTests.id)
        record.creationTime = 1_790_000_000_000
        record.revision = 7
        record.name = "büro"
        record.note = "the office"
        record.isPrivate = false
        record.isBroadcastEnabled = false
        record.multicastLimit = 64
        record.mtu = 1400
        record.assignsIPv4 = true
        record.assigns6PLANE = true
        record.pools = [AddressPool(first: IPAddress(v4: 1), last: IPAddress(v4: 9))]
        record.routes = [
            NetworkRoute(target: try #require(IPPrefix("10.0.0.0/8"))),
            NetworkRoute(
                target: try #require(IPPrefix("fd00::/64")), via: IPAddress("fd00::1"), metric: 3),
        ]
        record.rules = [Rule(.etherType(0x806), not: true), Rule(.drop), Rule(.accept)]
        record.ruleSource = "accept;"
        record.capabilities = [CapabilityDefinition(id: 3, isDefault: true, rules: [Rule(.accept)])]
        record.tags = [TagDefinition(id: 1, defaultValue: nil), TagDefinition(id: 2, defaultValue: 0)]
        record.dns = NetworkDNS(domain: "lab.zt", servers: [try #require(IPAddress("10.0.0.1"))])
        record.tokens = [AuthorizationToken(text: "sesame", expires: 5)]
        record.traceTarget = Address(0x12_3456_7890)
        record.traceLevel = 10
        record.credentialWindow = 600_000
        record.texts.targets = [record.routes[1].target: "FD00:0::/64"]
        record.texts.gateways = [record.routes[1].target: "FD00::1"]
        record.texts.firsts = [record.pools[0]: "0.0.0.01"]
        record.texts.lasts = [record.pools[0]: "0.0.0.09"]
        record.texts.servers = [record.dns.servers[0]: "10.0.0.01"]
        return record
    }

    private func fullMember() throws -> MemberRecord {
        var record = MemberRecord(address: Address(0x12_3456_7890))
        record.identity = Harness.identities[1].publicKeys
        record.creationTime = 1
        record.revision = 2
        record.lastAuthorizedTime = 3
        record.lastDeauthorizedTime = 4
        record.admission = .token("sesame")
        record.version = MemberVersion(major: 1, minor: 14, revision: 1, protocolVersion: 12)
        record.isAuthorized = true
        record.isActiveBridge = true
        record.takesNoAssignment = true
        record.addresses = [IPAddress(v4: 7), try #require(IPAddress("fd00::7"))]
        record.tags = [TagValue(id: 1, value: 2)]
        record.capabilities = [1, 9]
        record.name = "printer"
        record.note = "second floor"
        record.isHidden = true
        record.isSignOnExempt = true
        record.traceTarget = Address(5)
        record.traceLevel = 1
        return record
    }

    @Test func `records are read as they were written`() throws {
        let network = try fullNetwork()
        #expect(try NetworkRecord(id: network.id, decoding: network.encoded) == network)
        let plain = NetworkRecord(id: network.id)
        #expect(try NetworkRecord(id: network.id, decoding: plain.encoded) == plain)
        let member = try fullMember()
        #expect(try MemberRecord(address: member.address, decoding: member.encoded) == member)
        let bare = MemberRecord(address: member.address)
        #expect(try MemberRecord(address: member.address, decoding: bare.encoded) == bare)
    }

    @Test func `a record without texts of addresses is read too`() throws {
        let plain = NetworkRecord(id: RecordTests.id)
        #expect(try NetworkRecord(id: RecordTests.id, decoding: [1] + plain.encoded.dropFirst().dropLast(10)) == plain)
        let noted = try fullNetwork().encoded
        #expect(throws: WireError.self) {
            try NetworkRecord(id: RecordTests.id, decoding: [4] + noted.dropFirst())
        }
    }

    @Test func `what an earlier release could write is written as it wrote it`() throws {
        var network = try fullNetwork()
        #expect(network.encoded[0] == 3)
        network.note = ""
        #expect(network.encoded[0] == 2)
        var member = try fullMember()
        #expect(member.encoded[0] == 2)
        (member.note, member.isHidden) = ("", false)
        #expect(member.encoded[0] == 2)
        member.isSignOnExempt = false
        #expect(member.encoded[0] == 1)
        #expect(try MemberRecord(address: member.address, decoding: member.encoded) == member)
    }

    @Test func `a record that is cut short, longer or of a later release is refused`() throws {
        let network = try fullNetwork().encoded
        let member = try fullMember().encoded
        for end in 0..<network.count {
            #expect(throws: WireError.self) { try NetworkRecord(id: RecordTests.id, decoding: Array(network[..<end])) }
        }
        for end in 0..<member.count {
            #expect(throws: WireError.self) { try MemberRecord(address: Address(1), decoding: Array(member[..<end])) }
        }
        #expect(throws: WireError.self) { try NetworkRecord(id: RecordTests.id, decoding: network + [0]) }
        #expect(throws: WireError.self) { try MemberRecord(address: Address(1), decoding: member + [0]) }
        #expect(throws: WireError.self) { try MemberRecord(address: Address(1), decoding: [3] + member.dropFirst()) }
    }

    @Test func `a damaged record does not trap`() throws {
        for whole in [try fullNetwork().encoded, try fullMember().encoded] {
            for place in whole.indices {
                for bit in 0..<8 {
                    var damaged = whole
                    damaged[place] ^= 1 << UInt8(bit)
                    _ = try? NetworkRecord(id: RecordTests.id, decoding: damaged)
                    _ = try? MemberRecord(address: Address(1), decoding: damaged)
                }
            }
        }
    }

    @Test func `what an administrator may not say is refused by the name of its field`() throws {
        func fault(_ change: (inout NetworkRecord) throws -> Void) throws -> String? {
            var record = NetworkRecord(id: RecordTests.id)
            try change(&record)
            do throws(ControllerError) {
                try record.validate()
                return nil
            } catch {
                guard case .fieldInvalid(let field, let reason) = error else { return "another error" }
                return reason.isEmpty ? "no reason" : field
            }
        }
        func pool(_ first: String, _ last: String) throws -> [AddressPool] {
            [AddressPool(first: try #require(IPAddress(first)), last: try #require(IPAddress(last)))]
        }
        #expect(try fault { _ in } == nil)
        #expect(try fault { $0.name = String(repeating: "x", count: 128) } == "name")
        #expect(try fault { $0.mtu = 1279 } == "mtu")
        #expect(try fault { $0.mtu = 10_001 } == "mtu")
        #expect(try fault { $0.multicastLimit = 65_537 } == "multicastLimit")
        #expect(try fault { $0.credentialWindow = 1 } == "certificateTimeoutWindowSize")
        #expect(try fault { $0.pools = try pool("10.0.0.1", "fd00::1") } == "ipAssignmentPools")
        #expect(try fault { $0.pools = try pool("10.0.0.9", "10.0.0.1") } == "ipAssignmentPools")
        #expect(try fault { $0.pools = try pool("0.0.0.0", "10.0.0.1") } == "ipAssignmentPools")
        #expect(
            try fault { record in record.pools = try (0...128).flatMap { _ in try pool("10.0.0.1", "10.0.0.2") } }
                == "ipAssignmentPools")
        let target = try #require(IPPrefix("10.0.0.0/24"))
        #expect(
            try fault { $0.routes = [NetworkRoute(target: target, via: IPAddress("fd00::1"))] }
                == "routes")
        #expect(
            try fault {
                $0.routes = [NetworkRoute(target: target), NetworkRoute(target: try #require(IPPrefix("10.0.0.7/24")))]
            } == "routes")
        #expect(try fault { $0.rules = Array(repeating: Rule(.accept), count: 1025) } == "rules")
        #expect(
            try fault {
                $0.capabilities = (0..<128).map {
                    CapabilityDefinition(
                        id: $0, isDefault: false,
                        rules: Array(repeating: Rule(.sourceIPv6(.anyIPv6, bits: 1)), count: 64))
                }
            } == "rules")
        #expect(
            try fault {
                $0.tags = [TagDefinition(id: 1, defaultValue: nil), TagDefinition(id: 1, defaultValue: 2)]
            } == "tags")
        #expect(try fault { $0.dns.domain = String(repeating: "x", count: 128) } == "dns.domain")
        #expect(try fault { $0.tokens = [AuthorizationToken(text: "", expires: 0)] } == "authTokens")
    }

    @Test func `host bits of a route are cleared`() throws {
        var record = NetworkRecord(id: RecordTests.id)
        record.routes = [NetworkRoute(target: try #require(IPPrefix("10.0.0.1/24")))]
        try record.validate()
        #expect(record.routes[0].target == IPPrefix("10.0.0.0/24"))
    }
}
