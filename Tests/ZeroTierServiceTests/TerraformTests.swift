import JSONValues
import TestSupport
import Testing

@testable import ZeroTierService

/// Terraform's provider zerotier/zerotier 1.6 through go-ztcentral 0.6: what it sends, field by field, and what it looks into.
@Suite struct TerraformTests {
    private static let member = "1122334455"

    private func headers(_ token: String) -> [String] {
        [
            "Authorization: bearer \(token)", "User-Agent: go-ztcentral/0.6.0 (terraform-provider-zerotier/1.6.0)",
            "Content-Type: application/json; charset=utf-8", "Accept: application/json; charset=utf-8",
        ]
    }

    // What the provider panics without.
    private static let networkReads = """
        id:text rulesSource:text description:text config.name:text config.creationTime:int config.routes:list \
        config.ipAssignmentPools:list config.enableBroadcast:bool config.multicastLimit:int config.private:bool \
        config.v4AssignMode.zt:bool config.v6AssignMode.zt:bool config.v6AssignMode.6plane:bool \
        config.v6AssignMode.rfc4193:bool config.dns:object config.dns.domain:text config.dns.servers:list
        """
    private static let memberReads = """
        networkId="NET" nodeId="MEM" name:text description:text hidden:bool config.authorized:bool config.activeBridge:bool \
        config.noAutoAssignIps:bool config.ipAssignments:list config.capabilities:list config.tags:list \
        config.ssoExempt:bool
        """

    // Fields that are not said are null, but for those that Go leaves out.
    private static let newNetwork = """
        {"authorizedMemberCount":null,"capabilitiesByName":null,"clock":null,"config":{"capabilities":null,\
        "creationTime":null,"dns":{"domain":"lab.home","servers":["10.8.0.2","10.8.0.1"]},"enableBroadcast":false,"id":null,\
        "ipAssignmentPools":[{"ipRangeEnd":"10.8.0.254","ipRangeStart":"10.8.0.1"},\
        {"ipRangeEnd":"fd00:0008:0::ff","ipRangeStart":"fd00:0008:0::1"}],"lastModified":null,"mtu":null,\
        "multicastLimit":64,"name":"lab","private":true,"routes":[{"target":"10.8.0.0/24","via":""},\
        {"target":"10.9.0.7/24","via":"10.8.0.9"},{"target":"fd00:0008::/64","via":""}],"rules":null,"tags":null,\
        "v4AssignMode":{"zt":true},"v6AssignMode":{"6plane":false,"rfc4193":true,"zt":false}},\
        "description":"Managed by Terraform","id":"","onlineMemberCount":null,"ownerId":null,"rulesSource":"RULES",\
        "tagsByName":null,"totalMemberCount":null}
        """
    private static let rules = "# The lab.\\ntag team id 7 default 1 enum 1 sales;\\ndrop dport 23;\\naccept;"
    private static let rulesAlone = """
        {"authorizedMemberCount":null,"capabilitiesByName":null,"clock":null,"description":null,"id":"NET",\
        "onlineMemberCount":null,"ownerId":null,"rulesSource":"RULES","tagsByName":null,"totalMemberCount":null}
        """
    private static let firstMember = """
        {"clientVersion":null,"clock":null,"config":{"activeBridge":null,"authorized":true,"capabilities":null,\
        "creationTime":null,"id":null,"identity":null,"ipAssignments":null,"lastAuthorizedTime":null,\
        "lastDeauthorizedTime":null,"noAutoAssignIps":null,"revision":null,"ssoExempt":null,"tags":null,"vMajor":null,\
        "vMinor":null,"vProto":null,"vRev":null},"controllerId":null,"description":null,"hidden":null,"id":null,\
        "lastOnline":null,"lastSeen":null,"name":"alice","networkId":"NET","nodeId":"MEM","physicalAddress":null,\
        "protocolVersion":null,"supportsRulesEngine":null}
        """
    private static let secondMember = """
        {"clientVersion":null,"clock":null,"config":{"activeBridge":true,"authorized":false,"capabilities":[1,2,3],\
        "creationTime":null,"id":null,"identity":null,"ipAssignments":["10.8.0.9","10.8.0.3"],"lastAuthorizedTime":null,\
        "lastDeauthorizedTime":null,"noAutoAssignIps":true,"revision":null,"ssoExempt":true,"tags":[[7,100]],\
        "vMajor":null,"vMinor":null,"vProto":null,"vRev":null},"controllerId":null,"description":"Hello, world",\
        "hidden":true,"id":null,"lastOnline":null,"lastSeen":null,"name":"alice","networkId":"NET","nodeId":"MEM",\
        "physicalAddress":null,"protocolVersion":null,"supportsRulesEngine":null}
        """

    private static func row(_ id: String, _ method: String, _ path: String, _ body: String?, _ reads: String)
        -> ClientRow
    {
        ClientRow(
            id, method, "/api/v1" + path, body?.replacing("RULES", with: rules),
            reads.replacing("RULES", with: rules))
    }

    // MARK: What the provider keeps

    // A null gateway and an empty one are the same to it.
    private static func state(ofNetwork json: JSONValue?) -> [String: JSONValue] {
        let whole = JSONField(json ?? .null)
        let config = whole.member("config")
        var state: [String: JSONValue] = [:]
        for key in ["rulesSource", "description"] { state[key] = whole.member(key)?.value }
        for key in [
            "name", "enableBroadcast", "multicastLimit", "private", "v4AssignMode", "v6AssignMode", "dns",
        ] { state[key] = config?.member(key)?.value }
        state["routes"] = list(config, "routes", ["target", "via"])
        state["pools"] = list(config, "ipAssignmentPools", ["ipRangeStart", "ipRangeEnd"])
        return state
    }

    private static func state(ofMember json: JSONValue?) -> [String: JSONValue] {
        let whole = JSONField(json ?? .null)
        let config = whole.member("config")
        var state: [String: JSONValue] = [:]
        for key in ["networkId", "nodeId", "name", "description", "hidden"] { state[key] = whole.member(key)?.value }
        for key in [
            "authorized", "activeBridge", "noAutoAssignIps", "ipAssignments", "capabilities", "tags", "ssoExempt",
        ] { state[key] = config?.member(key)?.value }
        return state
    }

    private static func list(_ config: JSONField?, _ key: String, _ keys: [String]) -> JSONValue? {
        guard case .array(let elements)? = config?.member(key)?.value else { return nil }
        return .array(
            elements.map { element in
                .object(
                    keys.map { key in
                        let value = JSONField(element).member(key)?.value ?? .null
                        return (key, value == .null ? .string("") : value)
                    })
            })
    }

    private static func json(_ text: String) throws -> JSONValue {
        try JSONDocument(Array(text.replacing("RULES", with: rules).utf8)).root
    }

    // MARK: Rows

    @Test func `a network is made, read, changed and deleted, and what is read is what was sent`() async throws {
        try await ServiceLab.with { lab in
            let headers = self.headers(lab.token)
            let made = try await lab.check(
                Self.row(
                    "T1", "POST", "/network", Self.newNetwork,
                    Self.networkReads + #" config.name="lab" config.creationTime:int description:text"#),
                headers: headers)
            guard case .string(let network)? = made["id"] else {
                Issue.record("no network: \(made.text)")
                return
            }
            let sent = Self.state(ofNetwork: try Self.json(Self.newNetwork))
            #expect(Self.state(ofNetwork: made.json) == sent)
            let compiled = try await lab.check(
                Self.row("T2", "POST", "/network/NET", Self.rulesAlone, Self.networkReads), network: network,
                headers: headers)
            #expect(Self.state(ofNetwork: compiled.json) == sent)
            let revision = try await lab.ask("GET", "/controller/network/\(network)")["revision"]
            for _ in 0..<2 {
                let read = try await lab.check(
                    Self.row("T3", "GET", "/network/NET", nil, Self.networkReads), network: network, headers: headers)
                #expect(Self.state(ofNetwork: read.json) == sent)
                // The same plan once more: nothing changes.
                let again = try await lab.check(
                    Self.row(
                        "T4", "POST", "/network/NET",
                        Self.newNetwork.replacing(#""id":"""#, with: #""id":"NET""#), Self.networkReads),
                    network: network,
                    headers: headers)
                #expect(Self.state(ofNetwork: again.json) == sent)
            }
            #expect(try await lab.ask("GET", "/controller/network/\(network)")["revision"] == revision)
            // The server compiled the text.
            let record = try await lab.ask("GET", "/controller/network/\(network)")
            let problem = Reads.problem(record.json, "tags[].id=7 tags[].default=1 rules[].type:text")
            #expect(problem == nil, "\(problem ?? "") in \(record.text)")
            let list = try await lab.check(
                Self.row("T5", "GET", "/network", nil, "[].id:text [].config.id:text [].config.name:text"),
                headers: headers)
            #expect(list.text.contains(network))
            // Everything as it was read goes back, with one change: the form of `UpdateNetwork`.
            let changed = try await lab.check(
                Self.row(
                    "T6", "POST", "/network/NET",
                    made.text.replacing(#""private":true"#, with: #""private":false"#), "config.private=false"),
                network: network, headers: headers)
            var other = sent
            other["private"] = .bool(false)
            #expect(Self.state(ofNetwork: changed.json) == other)
            let deleted = try await lab.send("DELETE", "/api/v1/network/\(network)", headers: headers)
            #expect(deleted.status == 200)
            #expect(try await lab.send("GET", "/api/v1/network/\(network)", headers: headers).status == 404)
            #expect(try await lab.send("DELETE", "/api/v1/network/\(network)", headers: headers).status == 404)
        }
    }

    @Test func `a member is made by two requests, read, changed and deleted`() async throws {
        try await ServiceLab.with { lab in
            let headers = self.headers(lab.token)
            let network = try await lab.makeNetwork()
            func check(_ id: String, _ method: String, _ body: String?, _ reads: String) async throws -> HTTPReply {
                try await lab.check(
                    Self.row(id, method, "/network/NET/member/MEM", body, reads), network: network, member: Self.member,
                    headers: headers)
            }
            #expect(
                try await lab.send("GET", "/api/v1/network/\(network)/member/\(Self.member)", headers: headers).status
                    == 404)
            _ = try await check(
                "T7", "POST", Self.firstMember,
                Self.memberReads
                    + #" name="alice" description="" hidden=false config.authorized=true config.ssoExempt=false"#)
            let made = try await check("T8", "POST", Self.secondMember, Self.memberReads)
            let sent = Self.state(
                ofMember: try Self.json(
                    Self.secondMember.replacing("NET", with: network).replacing("MEM", with: Self.member)))
            #expect(Self.state(ofMember: made.json) == sent)
            let path = "/controller/network/\(network)/member/\(Self.member)"
            let revision = try await lab.ask("GET", path)["revision"]
            let read = try await check("T9", "GET", nil, Self.memberReads)
            #expect(Self.state(ofMember: read.json) == sent)
            let again = try await check("T10", "POST", Self.secondMember, Self.memberReads)
            #expect(Self.state(ofMember: again.json) == sent)
            #expect(try await lab.ask("GET", path)["revision"] == revision)
            // The list is what the data source reads.
            let list = try await lab.check(
                Self.row(
                    "T11", "GET", "/network/NET/member", nil,
                    Self.memberReads.split(separator: " ").map { "[].\($0)" }.joined(separator: " ")),
                network: network, member: Self.member, headers: headers)
            guard case .array(let all)? = list.json else {
                Issue.record("no list: \(list.text)")
                return
            }
            #expect(all.map { Self.state(ofMember: $0) } == [sent])
            // Back as it was read, with one change.
            let changed = try await check(
                "T12", "POST", read.text.replacing("Hello, world", with: "new"), #"description="new" hidden=true"#)
            #expect(changed["config.ipAssignments"]?.text == #"["10.8.0.9","10.8.0.3"]"#)
            let deleted = try await lab.send(
                "DELETE", "/api/v1/network/\(network)/member/\(Self.member)", headers: headers)
            #expect(deleted.status == 200)
            #expect(
                try await lab.send("DELETE", "/api/v1/network/\(network)/member/\(Self.member)", headers: headers)
                    .status
                    == 404)
        }
    }

    @Test func `a network with nothing but a name has all that is looked into`() async throws {
        try await ServiceLab.with { lab in
            let headers = self.headers(lab.token)
            let body =
                #"{"config":{"dns":{"servers":null},"ipAssignmentPools":[],"name":"bare","routes":[],"v4AssignMode":{"zt":true},"#
                + #""v6AssignMode":{"6plane":false,"rfc4193":false,"zt":false}},"description":"","id":"","rulesSource":"accept;"}"#
            let made = try await lab.check(
                Self.row(
                    "T1'", "POST", "/network", body,
                    Self.networkReads
                        + #" config.dns.domain="" rulesSource="accept;" description="" config.private=true"#),
                headers: headers)
            #expect(made["config.dns.servers"] == .array([]) && made["config.routes"] == .array([]))
            // One that the controller's own interface made has them too.
            let other = try await lab.makeNetwork()
            _ = try await lab.check(
                Self.row("T3'", "GET", "/network/NET", nil, Self.networkReads), network: other, headers: headers)
        }
    }
}
