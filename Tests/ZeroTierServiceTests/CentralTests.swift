import JSONValues
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// Central's API: the clients of Python, rules, waiting nodes and mistakes. `TerraformTests` has Terraform's rows, and
/// `CentralTokenTests` the tokens.
@Suite struct CentralTests {
    private func post(
        _ lab: ServiceLab, _ path: String, _ body: String, status: Int = 200,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> HTTPReply {
        let reply = try await lab.send("POST", "/api/v1\(path)", body, headers: ["Authorization: token \(lab.token)"])
        #expect(reply.status == status, "\(reply.text)", sourceLocation: sourceLocation)
        return reply
    }

    private func get(_ lab: ServiceLab, _ path: String) async throws -> HTTPReply {
        try await lab.send("GET", "/api/v1\(path)", headers: ["Authorization: token \(lab.token)"])
    }

    private func text(_ value: JSONValue?) -> String? {
        guard case .string(let text)? = value else { return nil }
        return text
    }

    // MARK: Clients of Python

    @Test func `zapit: networks, the account and tokens`() async throws {
        try await ServiceLab.with { lab in
            let headers = ["Authorization: Bearer \(lab.token)", "Content-Type: text/plain"]
            let reads = """
                id:text clock:int onlineMemberCount=0 authorizedMemberCount=0 totalMemberCount=0 description:text \
                rulesSource:text ownerId="ADDR" capabilitiesByName:object tagsByName:object permissions.ADDR.a:bool \
                permissions.ADDR.d:bool permissions.ADDR.m:bool permissions.ADDR.r:bool config.id:text \
                config.creationTime:int config.capabilities:list config.dns:object config.enableBroadcast:bool \
                config.ipAssignmentPools:list config.lastModified:int config.mtu:int config.multicastLimit:int \
                config.name:text config.private:bool config.routes:list config.rules:list config.ssoConfig.enabled=false \
                config.tags:list config.v4AssignMode.zt:bool config.v6AssignMode.zt:bool config.v6AssignMode.rfc4193:bool
                """
            let made = try await lab.check(ClientRow("Z1", "POST", "/api/v1/network", "{}", reads), headers: headers)
            let network = try #require(text(made["id"]))
            try await lab.check(
                ClientRow("Z2", "GET", "/api/v1/network/NET", reads), network: network, headers: headers)
            let list = reads.split(separator: " ").map { "[].\($0)" }.joined(separator: " ")
            try await lab.check(ClientRow("Z3", "GET", "/api/v1/network", list), headers: headers)
            try await lab.check(
                ClientRow(
                    "Z4", "GET", "/api/v1/status",
                    """
                    id:text type:text clock:int version:text apiVersion:text uptime:int readOnlyMode=false \
                    loginMethods.local:bool loginMethods.google:bool loginMethods.twitter:bool loginMethods.facebook:bool \
                    loginMethods.github:bool loginMethods.saml:bool loginMethods.oidc:bool user.id="ADDR" user.orgId:text \
                    user.globalPermissions:object user.displayName:text user.email:text user.auth:object \
                    user.smsNumber:text user.tokens=[]
                    """), headers: headers)
            try await lab.check(
                ClientRow("Z5", "GET", "/api/v1/user/ADDR", #"id="ADDR" displayName:text tokens=[]"#), headers: headers)
            try await lab.check(
                ClientRow("Z6", "GET", "/api/v1/randomToken", "clock:int token:text hex:text raw:text"),
                headers: headers)
            // What a model of it sends back: names of its own, and nothing of Terraform's.
            let update =
                #"{"config":{"name":"zapped","routes":[{"target":"10.3.0.0/24","via":null}],"ssoConfig":{"enabled":false,"mode":null},"#
                + #""v6AssignMode":{"zt":true,"NDP6plane":true,"rfc4193":false},"lastModified":0},"description":"d","ownerId":"x"}"#
            try await lab.check(
                ClientRow(
                    "Z7", "POST", "/api/v1/network/NET", update,
                    #"config.name="zapped" config.v6AssignMode.zt=true config.v6AssignMode.6plane=false description="d""#
                ),
                network: network, headers: headers)
        }
    }

    @Test func `zerotier-api-cli: a node waits, is let in and removed`() async throws {
        try await ServiceLab.with { lab in
            let headers = ["Authorization: token \(lab.token)", "Content-Type: application/json"]
            let network = try await lab.makeNetwork()
            let member = try await lab.member()
            try await member.waitUntilOnline(timeout: .seconds(20))
            try member.startJoining(try #require(NetworkID(network)))
            let node = "\(member.id)"
            #expect(try await eventually { try await get(lab, "/network/\(network)/member").text.contains(node) })
            let reads = """
                [].nodeId="MEM" [].name:text [].lastOnline:int [].config.ipAssignments:list [].config.identity:text \
                [].physicalAddress="127.0.0.1" [].clock:int
                """
            let waiting = try await lab.check(
                ClientRow("Y1", "GET", "/api/v1/network/NET/member", reads + " [].config.authorized=false"),
                network: network, member: node, headers: headers)
            guard case .array(let all)? = waiting.json,
                case .integer(let seen)? = JSONField(all[0]).member("lastOnline")?.value,
                case .integer(let clock)? = JSONField(all[0]).member("clock")?.value
            else {
                Issue.record("no list: \(waiting.text)")
                return
            }
            #expect(seen > clock - 120_000 && seen <= clock)
            #expect(try await get(lab, "/network/\(network)")["onlineMemberCount"] == .integer(1))
            try await lab.check(
                ClientRow(
                    "Y2", "POST", "/api/v1/network/NET/member/MEM", #"{"config":{"authorized":true}}"#,
                    #"nodeId="MEM" config.authorized=true"#), network: network, member: node, headers: headers)
            #expect(
                try await eventually {
                    Reads.problem(
                        try await get(lab, "/network/\(network)/member/\(node)").json,
                        "supportsRulesEngine=true clientVersion:text protocolVersion:int config.authorized=true") == nil
                })
            let removed = try await lab.send(
                "DELETE", "/api/v1/network/\(network)/member/\(node)", headers: headers)
            #expect(removed.status == 200)
            await member.shutdown()
        }
    }

    // MARK: Rules

    @Test func `the text of rules is compiled, kept and given back as long as it is true`() async throws {
        try await ServiceLab.with { lab in
            let source = "cap ssh id 9 accept dport 22; ;\ntag team id 7;\naccept;\n"
            let quoted = JSONValue.string(source).text
            let made = try await post(lab, "/network", #"{"rulesSource":\#(quoted),"config":{"name":"n"}}"#)
            let network = try #require(text(made["id"]))
            #expect(made["rulesSource"] == .string(source))
            #expect(made["capabilitiesByName.ssh"] == .integer(9) && made["tagsByName.team.id"] == .integer(7))
            let record = try await lab.ask("GET", "/controller/network/\(network)")
            #expect(record["rulesSource"] == .string(source))
            let compiled = Reads.problem(record.json, "capabilities[].id=9 tags[].id=7")
            #expect(compiled == nil, "\(record.text)")
            // Somebody changes the rules elsewhere: the text is not what is in force any more, and Terraform sees it.
            _ = try await lab.ask(
                "POST", "/controller/network/\(network)",
                #"{"rules":[{"type":"ACTION_DROP"}],"capabilities":[],"tags":[]}"#)
            let changed = try await get(lab, "/network/\(network)")
            #expect(changed["rulesSource"] == .string("drop;\n") && changed["tagsByName"] == .object([]))
            // The text again: it decides.
            let again = try await post(lab, "/network/\(network)", #"{"id":"\#(network)","rulesSource":\#(quoted)}"#)
            #expect(again["rulesSource"] == .string(source) && again["config.name"] == .string("n"))
        }
    }

    @Test func `of a text and rules in one body that counts which is new`() async throws {
        try await ServiceLab.with { lab in
            let made = try await post(lab, "/network", #"{"rulesSource":"accept;","config":{}}"#)
            let network = try #require(text(made["id"]))
            let drop = #"{"type":"ACTION_DROP"}"#
            let rules = try await post(
                lab, "/network/\(network)", #"{"rulesSource":"accept;","config":{"rules":[\#(drop)]}}"#)
            #expect(rules["rulesSource"] == .string("drop;\n"))
            let source = try await post(
                lab, "/network/\(network)", #"{"rulesSource":"accept; # all","config":{"rules":[\#(drop)]}}"#)
            #expect(source["rulesSource"] == .string("accept; # all"))
            let table = Reads.problem(source.json, #"config.rules[].type="ACTION_ACCEPT""#)
            #expect(table == nil, "\(source.text)")
            // Rules alone are rules too.
            let alone = try await post(lab, "/network/\(network)", #"{"config":{"rules":[\#(drop)]}}"#)
            #expect(alone["rulesSource"] == .string("drop;\n"))
        }
    }

    @Test(
        arguments: [
            (#"accept;\ndrop ethertipe arp;"#, 2, 6, "did you mean ethertype?"), ("accept", 1, 1, ";"),
            ("", 1, 1, "no rule"), ("# nothing", 1, 1, "no rule"),
            (#"macro m\n  accept nothing;\n;\ninclude m;"#, 2, 10, "line 4"),
        ])
    func `a fault of a text is 400 with its line and column, and nothing changes`(
        source: String, line: Int, column: Int, words: String
    ) async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let before = try await lab.ask("GET", "/controller/network/\(network)").text
            for path in ["/network", "/network/\(network)"] {
                let body = #"{"description":"new","rulesSource":"\#(source)","config":{"name":"other"}}"#
                let reply = try await post(lab, path, body, status: 400)
                #expect(reply["line"] == .integer(Int64(line)) && reply["column"] == .integer(Int64(column)))
                let description = text(reply["description"]) ?? ""
                #expect(
                    description.hasPrefix("rulesSource: line \(line), column \(column)") && description.contains(words),
                    "\(reply.text)")
            }
            #expect(try await lab.ask("GET", "/controller/network/\(network)").text == before)
            #expect(try await lab.ask("GET", "/controller/network").text == #"["\#(network)"]"#)
        }
    }

    // MARK: Mistakes

    @Test(
        arguments: [
            ("/network", "{", "line 1"), ("/network", "[]", "an object"), ("/network", "\"x\"", "an object"),
            ("/network", #"{"description":[]}"#, "description"), ("/network", #"{"rulesSource":{}}"#, "rulesSource"),
            ("/network", #"{"config":7}"#, "config"),
            ("/network", #"{"config":{"routes":[{"target":"x"}]}}"#, "routes[0]"),
            ("/network", #"{"config":{"mtu":1000}}"#, "mtu"),
            ("/network", #"{"config":{"private":"maybe"}}"#, "private"),
            ("/network", #"{"config":{"ssoConfig":{"enabled":true}}}"#, "ssoConfig.enabled"),
            ("/network", #"{"config":{"ipAssignmentPools":[{"ipRangeStart":"10.0.0.1"}]}}"#, "ipRangeEnd"),
            ("/network", #"{"config":{"dns":{"servers":["nobody"]}}}"#, "dns.servers[0]"),
            ("/network/NET", #"{"config":{"multicastLimit":-1}}"#, "multicastLimit"),
            ("/network/NET/member/1122334455", #"{"hidden":"maybe"}"#, "hidden"),
            ("/network/NET/member/1122334455", #"{"config":{"tags":[[1]]}}"#, "tags[0]"),
            ("/network/NET/member/1122334455", #"{"config":{"ipAssignments":["10.0.0"]}}"#, "ipAssignments[0]"),
            ("/network/NET/member/1122334455", #"{"config":{"ssoExempt":[]}}"#, "ssoExempt"),
            ("/network/NET/member/ff22334455", #"{"config":{"authorized":true}}"#, "address"),
            ("/user/ADDR/token", #"{"tokenName":"a"}"#, "token"), ("/user/ADDR/token", #"{"token":"a"}"#, "tokenName"),
        ])
    func `what cannot be read is 400 with its field, and nothing changes`(
        path: String, body: String, field: String
    ) async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let before = try await lab.ask("GET", "/controller/network/\(network)").text
            let target = path.replacing("NET", with: network).replacing("ADDR", with: lab.address)
            let reply = try await post(lab, target, body, status: 400)
            #expect(text(reply["description"])?.contains(field) == true, "\(reply.text)")
            #expect(try await lab.ask("GET", "/controller/network/\(network)").text == before)
            #expect(try await lab.ask("GET", "/controller/network").text == #"["\#(network)"]"#)
            #expect(try await lab.ask("GET", "/controller/network/\(network)/member").text == "{}")
        }
    }

    @Test func `long descriptions are refused, and short ones stay over all ways`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let long = String(repeating: "ä", count: 2049)
            let refused = try await post(lab, "/network/\(network)", #"{"description":"\#(long)"}"#, status: 400)
            #expect(text(refused["description"])?.contains("description") == true, "\(refused.text)")
            _ = try await post(lab, "/network/\(network)", #"{"description":"büro <b>"}"#)
            let member = "/network/\(network)/member/1122334455"
            _ = try await post(lab, member, #"{"description":"second floor","name":"printer"}"#)
            #expect(try await lab.ask("GET", "/controller/network/\(network)")["description"] == .string("büro <b>"))
            _ = try await lab.ask("POST", "/controller\(member)", #"{"authorized":true}"#)
            let read = try await get(lab, member)
            #expect(read["description"] == .string("second floor") && read["name"] == .string("printer"))
            // A member that is deleted by the controller's own interface, and whose record is sent back, is as it was.
            _ = try await post(lab, member, #"{"hidden":true,"config":{"ssoExempt":true}}"#)
            let deleted = try await lab.ask("DELETE", "/controller\(member)")
            _ = try await lab.ask("POST", "/controller\(member)", deleted.text)
            let problem = Reads.problem(
                try await get(lab, member).json, #"description:text hidden=true config.ssoExempt=true name="printer""#)
            #expect(problem == nil, "\(problem ?? "")")
        }
    }

    @Test(arguments: ["/network/NET", "/network/NET/member", "/network/NET/member/1122334455"])
    func `what is not there is 404`(path: String) async throws {
        try await ServiceLab.with { lab in
            let target = path.replacing("NET", with: "\(lab.address)000042")
            #expect(try await get(lab, target).status == 404)
            if path != "/network/NET/member" { _ = try await post(lab, target, "{}", status: 404) }
            for other in ["/network/NET/", "/networks", "", "/user/1122334455", "/user/1122334455/token/x"] {
                #expect(try await get(lab, other).status == 404, "\(other)")
            }
            _ = try await post(
                lab, "/user/1122334455/token", #"{"tokenName":"a","token":"\#(String(repeating: "a", count: 32))"}"#,
                status: 404)
        }
    }

    @Test func `a node that is no controller has none of it`() async throws {
        try await ServiceLab.with(isController: false) { lab in
            for path in ["/network", "/status", "/network/\(lab.address)000042", "/user/\(lab.address)"] {
                #expect(try await get(lab, path).status == 404, "\(path)")
            }
            _ = try await post(lab, "/network", "{}", status: 404)
        }
    }

    @Test func `long lists come in parts, and are whole`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            for number in 1...40 { _ = try await post(lab, "/network", #"{"config":{"name":"n\#(number)"}}"#) }
            for number in 1...30 {
                _ = try await post(lab, "/network/\(network)/member/11223344\(10 + number)", "{}")
            }
            for (path, count) in [("/network", 41), ("/network/\(network)/member", 30)] {
                guard case .array(let all)? = try await get(lab, path).json else {
                    Issue.record("no list of \(path)")
                    return
                }
                #expect(all.count == count)
            }
        }
    }

    @Test(
        arguments: [
            ("/api/v1", true), ("/central/api/v1", true), ("/x", true), ("/a.b-c_d~e", true), ("/network", false),
            ("/", false),
            ("", false), ("api", false), ("/api/", false), ("/api//v1", false), ("/../x", false), ("/a/./b", false),
            ("/app/x", false), ("/a b", false), ("/ä", false), ("/a%2Fb", false),
        ])
    func `a path is one below which there is nothing else`(text: String, isOne: Bool) {
        #expect((CentralPath(text) != nil) == isOne)
        if isOne { #expect(CentralPath(text).map { "\($0)" } == text) }
    }
}
