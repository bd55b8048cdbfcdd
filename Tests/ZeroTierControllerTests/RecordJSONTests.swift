import Foundation
import JSONValues
import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierController

/// Records as JSON: those that a real controller of release 1.14.1 answered, and what an administrator may send.
@Suite struct RecordJSONTests {
    private static func calls() throws -> [JSONField] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors/controller_rest.json")
        return try JSONField(JSONDocument([UInt8](Data(contentsOf: file))).root).required("calls").elements()
    }

    private static func network(_ json: JSONField) throws -> NetworkRecord {
        var record = NetworkRecord(id: try #require(NetworkID(text: json.required("id").string())))
        try RecordChange<NetworkRecord>(network: json).apply(to: &record)
        record.creationTime = try json.required("creationTime").integer()
        record.revision = try json.required("revision").integer()
        try record.validate()
        return record
    }

    @Test func `records of a real controller are read and written as they were`() throws {
        var networks = 0
        var members = 0
        for call in try Self.calls() {
            let response = try call.required("response")
            switch response.member("objtype")?.value {
            case .string("network")?:
                networks += 1
                #expect(try Self.network(response).json == response.value.sortedByKey)
            case .string("member")?:
                members += 1
                let address = try #require(Address(text: response.required("id").string()))
                var record = MemberRecord(address: address)
                try RecordChange<MemberRecord>(member: response).apply(to: &record)
                record.creationTime = try response.required("creationTime").integer()
                record.revision = try response.required("revision").integer()
                record.lastAuthorizedTime = try response.required("lastAuthorizedTime").integer()
                record.lastDeauthorizedTime = try response.required("lastDeauthorizedTime").integer()
                record.admission = .administrator
                try record.validate()
                let id = try #require(NetworkID(text: response.required("nwid").string()))
                #expect(record.json(of: id) == response.value.sortedByKey)
            default: break
            }
        }
        #expect(networks >= 5 && members >= 3)
    }

    // What the reference takes loosely we take too; where it drops an entry and says nothing, we say which.
    @Test func `a request of a real session is read, but for what the reference would have dropped`() throws {
        let call = try #require(
            Self.calls().first {
                $0.member("request")?.member("body")?.member("v4AssignMode") != nil
            })
        let response = try call.required("response")
        let body = try call.required("request").required("body")
        guard case .object(let object) = body.value else {
            Issue.record("no object")
            return
        }
        #expect(throws: JSONError.self) { try RecordChange<NetworkRecord>(network: body) }
        var members = Dictionary(uniqueKeysWithValues: object.members.map { ($0.key, $0.value) })
        members["mtu"] = .string("10000")
        for key in ["routes", "ipAssignmentPools", "remoteTraceTarget"] { members[key] = response.member(key)?.value }
        members["rules"] = response.member("rules")?.value
        members["rulesSource"] = nil
        members["certificateTimeoutWindowSize"] = nil
        var record = NetworkRecord(id: try #require(NetworkID(text: response.required("id").string())))
        try RecordChange<NetworkRecord>(network: JSONField(.object(members.map { ($0, $1) }))).apply(to: &record)
        record.creationTime = try response.required("creationTime").integer()
        record.revision = 1
        try record.validate()
        #expect(record.json == response.value.sortedByKey)
    }

    @Test func `types are taken loosely, and what is not said stays`() throws {
        var record = NetworkRecord(id: NetworkID(1))
        record.assigns6PLANE = true
        let text = """
            {"private":"false","enableBroadcast":0,"multicastLimit":"64","mtu":1500.0,"name":7,"via":1,
             "v6AssignMode":{"zt":"true"},"routes":[{"target":"10.0.0.0/8","via":"","metric":"3"}],
             "authTokens":{"a":0,"b":"5"},"dns":{"domain":"x"},"remoteTraceTarget":"","remoteTraceLevel":true}
            """
        try RecordChange<NetworkRecord>(text: Array(text.utf8)).apply(to: &record)
        try record.validate()
        #expect(!record.isPrivate && !record.isBroadcastEnabled && record.multicastLimit == 64 && record.mtu == 1500)
        #expect(record.name == "7" && record.assignsIPv6 && record.assigns6PLANE && record.traceLevel == 1)
        #expect(record.routes == [NetworkRoute(target: IPPrefix("10.0.0.0/8")!, metric: 3)])
        #expect(record.tokens.map(\.text) == ["a", "b"] && record.tokens.map(\.expires) == [0, 5])
        #expect(record.dns.domain == "x")
        var member = MemberRecord(address: Address(7))
        let change = #"{"authorized":"1","ipAssignments":["fd00::5/64"],"tags":[["1",2]],"capabilities":[3,1,3]}"#
        try RecordChange<MemberRecord>(text: Array(change.utf8)).apply(to: &member)
        try member.validate()
        #expect(member.isAuthorized && member.addresses == [IPAddress("fd00::5")!])
        #expect(member.tags == [TagValue(id: 1, value: 2)] && member.capabilities == [1, 3])
        let before = member
        for nothing in [
            "", "{}", #"{"authorized":null,"tags":null,"ipAssignments":null}"#,
            #"{"id":"x","revision":9,"identity":"y","lastAuthorizedTime":4}"#,
        ] {
            try RecordChange<MemberRecord>(text: Array(nothing.utf8)).apply(to: &member)
        }
        #expect(member == before)
    }

    // Tools find what they made by comparing texts.
    @Test func `addresses of a network are shown as they were sent, also after a restart`() throws {
        let lab = Harness()
        let id = try lab.create()
        func send(_ text: String) throws {
            let change = try RecordChange<NetworkRecord>(text: Array(text.utf8))
            try lab.change(id) { change.apply(to: &$0) }
        }
        func shown(_ key: String) -> String? { lab.network(id).flatMap { JSONField($0.json).member(key)?.value.text } }
        let routes =
            #"[{"target":"FD00:0:0:0:0:0:0:0/64","via":null},{"target":"10.9.0.0/16","via":"10.0.0.2"},"#
            + #"{"target":"fd01::/16","via":"FD00:0::1"},{"target":"10.0.0.1/24","via":null}]"#
        let pools =
            #"[{"ipRangeEnd":"fd00:0000::00FF","ipRangeStart":"fd00:0000::0001"},"#
            + #"{"ipRangeEnd":"10.0.0.9","ipRangeStart":"10.0.0.1"}]"#
        let dns = #"{"domain":"x","servers":["FD00::1","10.0.0.1"]}"#
        try send(#"{"routes":\#(routes),"ipAssignmentPools":\#(pools),"dns":\#(dns)}"#)
        for isAfterRestart in [false, true] {
            if isAfterRestart { try lab.restart() }
            #expect(shown("routes") == routes && shown("ipAssignmentPools") == pools && shown("dns") == dns)
        }
        #expect(lab.network(id)?.routes.last?.target == IPPrefix("10.0.0.0/24"), "what members get")
        // A program that changes something else leaves them alone; what it takes away is forgotten.
        try lab.change(id) {
            $0.routes = [$0.routes[2], $0.routes[3], $0.routes[0]]
            $0.routes[0].via = IPAddress("fd00::2")
            $0.pools.removeFirst()
        }
        let left =
            #"[{"target":"fd01::/16","via":"fd00::2"},{"target":"10.0.0.1/24","via":null},"#
            + #"{"target":"FD00:0:0:0:0:0:0:0/64","via":null}]"#
        #expect(shown("routes") == left)
        try lab.change(id) { $0.pools = [AddressPool(first: IPAddress("fd00::1")!, last: IPAddress("fd00::ff")!)] }
        #expect(shown("ipAssignmentPools") == #"[{"ipRangeEnd":"fd00::ff","ipRangeStart":"fd00::1"}]"#)
        // Nothing makes a controller keep a text of any length.
        let zeros = String(repeating: "0", count: 1000)
        try send(#"{"routes":[{"target":"10.0.0.1/\#(zeros)24"}]}"#)
        #expect(shown("routes") == #"[{"target":"10.0.0.0/24","via":null}]"#)
    }

    @Test(
        arguments: [
            (#"{"name":[]}"#, "name"), (#"{"multicastLimit":-1}"#, "multicastLimit"), (#"{"mtu":1.5}"#, "mtu"),
            (#"{"v4AssignMode":"all"}"#, "v4AssignMode"), (#"{"v6AssignMode":[]}"#, "v6AssignMode"),
            (#"{"v6AssignMode":{"rfc4193":"maybe"}}"#, "v6AssignMode.rfc4193"),
            (#"{"routes":[{"target":"10.0.0.0/8"},{"target":"10.0.0.0/33"}]}"#, "routes[1].target"),
            (#"{"routes":[{"target":"10.0.0.0/8","via":"x"}]}"#, "routes[0].via"), (#"{"routes":{}}"#, "routes"),
            (#"{"ipAssignmentPools":[{"ipRangeStart":"10.0.0.1"}]}"#, "ipAssignmentPools[0]"),
            (#"{"rules":[{"type":"MATCH_IPV4_SOURCE","ip":"x"}]}"#, "rules[0].ip"),
            (#"{"capabilities":[{"id":1}]}"#, "capabilities[0]"), (#"{"tags":[{"default":1}]}"#, "tags[0]"),
            (#"{"dns":{"servers":["x"]}}"#, "dns.servers[0]"), (#"{"authTokens":{"a":-1}}"#, "authTokens.a"),
            (#"{"authTokens":["a"]}"#, "authTokens"), (#"{"remoteTraceTarget":"12"}"#, "remoteTraceTarget"),
            (#"{"rulesSource":"accept; tag"}"#, "rulesSource"),
        ])
    func `what cannot be read is named`(text: String, field: String) {
        let error = #expect(throws: JSONError.self) {
            _ = try RecordChange<NetworkRecord>(text: Array(text.utf8))
        }
        #expect(error?.path.description == field && error?.position != nil, "\(String(describing: error))")
    }
}
