import Foundation
import JSONValues
import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierController

/// Records out of the files of other controllers.
@Suite struct ImportTests {
    private static let central = """
        [{"id":"8056c2e21c000001","type":"Network","description":"the office","rulesSource":"accept;","config":
          {"name":"office","private":true,"mtu":2800,"creationTime":1700000000000,"revision":null,"tags":null,"dns":null,
           "routes":[{"target":"10.9.0.0/16","via":""}],"ipAssignmentPools":
           [{"ipRangeStart":"10.9.0.1","ipRangeEnd":"10.9.0.254"}],"v4AssignMode":{"zt":true},
           "v6AssignMode":{"6plane":true,"rfc4193":false,"zt":false}}},
         {"id":"8056c2e21c000001-1122334455","networkId":"8056c2e21c000001","nodeId":"1122334455","name":"printer",
          "description":"second floor","hidden":true,"config":{"ssoExempt":true,"authorized":true,"ipAssignments":["10.9.0.7"],"tags":[],"capabilities":null,"vMajor":1,"vMinor":12,
          "vRev":2,"vProto":-1}},
         {"networkId":"8056c2e21c000001","nodeId":"1122334456","name":"stranger","config":{"authorized":false}}]
        """

    private func record(_ text: String, of file: String = "file") throws -> RecordImport {
        var records = RecordImport()
        try records.add(file, Array(text.utf8))
        try records.finish()
        return records
    }

    private func taken(
        _ records: RecordImport, _ harness: Harness, existing: ExistingRecords = .refuse
    ) throws -> [ImportedNetwork] {
        let result = try harness.engine.take(records, existing: existing, AdministrationTicket(99), now: harness.now)
        harness.pump()
        #expect(harness.answers[99] == .some(nil))
        return result
    }

    @Test func `records of this controller come back as they were, byte for byte`() throws {
        let identity = Harness.identities[0]
        var network = NetworkRecord(id: NetworkID(controller: identity.address, number: 7))
        network.name = "büro"
        network.note = "the office"
        network.creationTime = 1_700_000_000_000
        network.revision = 9
        network.routes = [NetworkRoute(target: IPPrefix("10.0.0.0/8")!)]
        network.rules = [Rule(.etherType(0x806), not: true), Rule(.drop), Rule(.accept)]
        network.credentialWindow = 600_000
        network.tokens = [AuthorizationToken(text: "sesame", expires: 5)]
        var member = MemberRecord(address: Address(0x11_2233_4455))
        member.isAuthorized = true
        (member.note, member.isHidden, member.isSignOnExempt) = ("second floor", true, true)
        member.admission = .token("sesame")
        member.version = MemberVersion(major: 1, minor: 14, revision: 1, protocolVersion: 12)
        member.addresses = [IPAddress("10.0.0.1")!]
        member.revision = 3
        (member.creationTime, member.lastAuthorizedTime, member.lastDeauthorizedTime) = (5, 6, 7)
        member.identity = PublicKeys((0..<64).map { UInt8($0) })
        // An administrator said no before it ever was a member: no token lets it in, here as there.
        var refused = MemberRecord(address: Address(0x11_2233_4456))
        refused.isRefused = true
        #expect(refused.exported(of: network.id).text.contains("\"refused\":true"))
        #expect(!member.exported(of: network.id).text.contains("refused"))
        var records = RecordImport()
        // In any order.
        try records.add("member", Array(member.exported(of: network.id).text.utf8))
        try records.add("refused", Array(refused.exported(of: network.id).text.utf8))
        try records.add("network", Array(network.json.indentedText.utf8))
        try records.finish()
        #expect(records.networkCount == 1 && records.memberCount == 2)
        let harness = Harness()
        let result = try taken(records, harness)
        #expect(result.map(\.former) == [network.id] && result[0].id == network.id && result[0].mustJoin.isEmpty)
        #expect(harness.network(network.id) == network)
        let members = harness.engine.members(of: network.id, limit: .max)
        #expect(members == [member, refused])
        #expect(harness.network(network.id)?.json == network.json)
        // What is there is not replaced.
        #expect(throws: ControllerError.networksExist([network.id])) { _ = try taken(records, harness) }
    }

    @Test func `a network of Central becomes a new one, and its members must join it`() throws {
        let harness = Harness()
        let result = try taken(record(Self.central), harness)
        try #require(result.count == 1)
        #expect(result[0].former == NetworkID(0x8056_c2e2_1c00_0001))
        #expect(result[0].id == NetworkID(controller: Harness.identities[0].address, number: 1))
        #expect(result[0].memberCount == 2 && result[0].mustJoin.map(\.name) == ["printer"])
        let network = try #require(harness.network(result[0].id))
        #expect(network.name == "office" && network.assignsIPv4 && network.assigns6PLANE && network.revision == 1)
        #expect(network.rules == [Rule(.accept)] && network.ruleSource == "accept;" && network.pools.count == 1)
        let members = harness.engine.members(of: network.id, limit: .max)
        #expect(members.map(\.name) == ["printer", "stranger"] && members.map(\.isAuthorized) == [true, false])
        #expect(members[0].addresses == [IPAddress("10.9.0.7")!] && members[0].version?.minor == 12)
        #expect(network.note == "the office" && members.map(\.note) == ["second floor", ""])
        #expect(members.map(\.isHidden) == [true, false] && members.map(\.isSignOnExempt) == [true, false])
    }

    @Test func `files that come again make nothing twice, and it is said which wins`() throws {
        let harness = Harness()
        // Its number is taken: it gets another one, and is known again all the same.
        let number = NetworkID(controller: Harness.identities[0].address, number: 1)
        _ = try harness.engine.createNetwork(number, AdministrationTicket(1), now: harness.now) { _ in }
        harness.pump()
        let id = try taken(record(Self.central), harness)[0].id
        #expect(id != number)
        try harness.restart()
        #expect(throws: ControllerError.networksExist([id])) { _ = try taken(record(Self.central), harness) }
        let (printer, stranger) = (Address(0x11_2233_4455), Address(0x11_2233_4456))
        for existing in [ExistingRecords.keep, .replace] {
            let before = harness.durable
            let again = try taken(record(Self.central), harness, existing: existing)
            #expect(again.map(\.id) == [id] && again[0].memberCount == 0 && again[0].mustJoin.isEmpty)
            #expect(harness.durable == before, "nothing is new")
        }
        // What is here wins.
        try harness.change(id) { $0.name = "here" }
        try harness.change(printer, of: id) { $0.name = "also here" }
        try harness.change(stranger, of: id) { $0.isAuthorized = true }
        try harness.engine.deleteMember(printer, of: id, AdministrationTicket(2), now: harness.now)
        harness.pump()
        let kept = try taken(record(Self.central), harness, existing: .keep)
        #expect(kept[0].outcome == .kept && kept[0].memberCount == 1 && kept[0].mustJoin.map(\.name) == ["printer"])
        #expect(harness.network(id)?.name == "here" && harness.member(stranger, of: id)?.isAuthorized == true)
        // What the files say wins: whom they do not let in is let out.
        let extra = Address(0x11_2233_4457)
        try harness.change(extra, of: id) { $0.isAuthorized = true }
        let replaced = try taken(record(Self.central), harness, existing: .replace)
        #expect(replaced[0].outcome == .replaced && replaced[0].memberCount == 1)
        #expect(harness.network(id)?.name == "office" && harness.network(id)?.creationTime == 1_700_000_000_000)
        #expect(harness.member(stranger, of: id)?.isAuthorized == false)
        #expect(harness.member(extra, of: id)?.isAuthorized == true)
        #expect(harness.engine.networkIDs.count == 2)
    }

    // What a file says of a member's keys is believed when their bearer comes; what this node validated needs no more of that.
    @Test func `identities of members are vouched for if they were learned from packets`() throws {
        let harness = Harness()
        let id = try harness.create { $0.isPrivate = false }
        harness.ask(id, harness.member(1))
        let other = harness.member(2)
        var member = MemberRecord(address: other.address)
        member.identity = other.publicKeys
        member.revision = 1
        var network = NetworkRecord(id: NetworkID(controller: harness.identity.address, number: 7))
        network.isPrivate = false
        _ = try taken(record("[\(network.json.text),\(member.json(of: network.id).text)]"), harness)
        try harness.restart()
        #expect(harness.engine.provenIdentities == [harness.member(1)])
        harness.ask(network.id, other)
        try harness.restart()
        #expect(Set(harness.engine.provenIdentities.map(\.address)) == [harness.member(1).address, other.address])
    }

    @Test func `a record with the last of all revisions is changed as any other`() throws {
        let harness = Harness()
        var network = NetworkRecord(id: NetworkID(controller: Harness.identities[0].address, number: 7))
        var member = MemberRecord(address: Address(0x11_2233_4455))
        (network.revision, member.revision) = (.max, .max)
        var records = RecordImport()
        try records.add("network", Array(network.json.text.utf8))
        try records.add("member", Array(member.exported(of: network.id).text.utf8))
        try records.finish()
        _ = try taken(records, harness)
        _ = try harness.change(network.id) { $0.name = "other" }
        _ = try harness.change(member.address, of: network.id) { $0.name = "other" }
        harness.pump()
        let changed = try #require(harness.network(network.id))
        #expect(changed.name == "other" && changed.revision == .max)
        let members = harness.engine.members(of: network.id, limit: .max)
        #expect(members.map(\.name) == ["other"] && members.map(\.revision) == [.max])
        // The files once more, over what is there.
        _ = try taken(records, harness, existing: .replace)
        #expect(harness.network(network.id)?.revision == .max)
    }

    @Test func `a failed commit takes nothing`() throws {
        let harness = Harness()
        harness.failsCommits = true
        _ = try harness.engine.take(record(Self.central), AdministrationTicket(99), now: harness.now)
        harness.pump()
        let left = harness.engine.networkIDs
        #expect(left.isEmpty)
        harness.failsCommits = false
        #expect(try taken(record(Self.central), harness).count == 1)
    }

    @Test(
        arguments: [
            ("", "ends"), ("{\"id\":\"8056c2e21c00", "ends"), ("7", "object"), ("{}", "id"), ("{\"id\":7}", "id"),
            ("{\"id\":\"8056c2e21c000001\",\"mtu\":\"x\"}", "mtu"),
            ("{\"id\":\"8056c2e21c000001\",\"mtu\":5}", "mtu"),
            ("{\"id\":\"8056c2e21c000001\",\"config\":[]}", "object"),
            ("{\"id\":\"1122334455\",\"nwid\":\"x\"}", "nwid"),
            ("{\"id\":\"1122334455\",\"nwid\":\"8056c2e21c000001\"}", "8056c2e21c000001"),
            ("{\"id\":\"1122334455\",\"nwid\":\"8056c2e21c000001\",\"identity\":\"y\"}", "identity"),
            ("[[]]", "object"), ("[]", "no record"), ("{\"networks\":{}}", "networks"),
            ("[{\"id\":\"8056c2e21c000001\"},{\"id\":\"8056c2e21c000001\"}]", "second time"),
        ])
    func `a file that cannot be is named`(text: String, words: String) throws {
        let error = #expect(throws: ImportError.self) { _ = try record(text, of: "dir/x.json") }
        let said = String(describing: error)
        #expect(said.contains(words) && (text == "[]" || said.contains("dir/x.json")), "\(said)")
    }

    @Test func `a file that is too long is not read`() {
        var records = RecordImport()
        let error = #expect(throws: ImportError.self) {
            try records.add("long", [UInt8](repeating: 0x20, count: ControllerLimits.exportText + 1))
        }
        #expect(error?.file == "long")
    }
}
