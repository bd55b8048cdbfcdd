import JSONValues
import NetPrimitives
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// Routes of the controller: what is refused, and long lists.
@Suite struct ControllerRouteTests {
    @Test(
        arguments: [
            ("{bad json", 500, "line 1, column 2"), ("7", 400, "an object"), (#""x""#, 400, "an object"),
            ("[1]", 400, "an object"), ("{}{}", 500, "line 1"), (#"{"a":1,"a":2}"#, 400, "second time"),
            (#"{"mtu":99999}"#, 400, "mtu"), (#"{"mtu":"many"}"#, 400, "mtu"), (#"{"name":[]}"#, 400, "name"),
            (#"{"name":"x","routes":[{"target":"bogus"}]}"#, 400, "routes[0].target"),
            (#"{"routes":[{"target":"fd00::/64","via":"10.0.0.1"}]}"#, 400, "routes"),
            (#"{"ipAssignmentPools":[{"ipRangeStart":"10.0.0.9","ipRangeEnd":"10.0.0.1"}]}"#, 400, "ipAssignmentPools"),
            (#"{"ipAssignmentPools":[{"ipRangeStart":"10.1.1.1","ipRangeEnd":"fd00::1"}]}"#, 400, "ipAssignmentPools"),
            (#"{"rules":[{"type":"NO_SUCH"}]}"#, 400, "rules[0]"), (#"{"private":"maybe"}"#, 400, "private"),
        ])
    func `what is wrong with a network is named, and nothing is changed`(
        body: String, status: Int, place: String
    ) async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork(#"{"name":"kept"}"#)
            let before = try await lab.value("GET", "/controller/network/\(network)")
            let answer = try await lab.value("POST", "/controller/network/\(network)", body)
            #expect(answer.status == status, "\(answer)")
            #expect(Reads.problem(answer.json, "error=\(status) description:text") == nil)
            #expect(answer.json?.text.contains(place) == true, "\(answer)")
            #expect(try await lab.value("GET", "/controller/network/\(network)").json == before.json)
            // Nor is one made.
            let list = try await lab.value("GET", "/controller/network")
            #expect(try await lab.value("POST", "/controller/network", body).status == status)
            #expect(try await lab.value("GET", "/controller/network").json == list.json)
        }
    }

    @Test func `members: what is wrong is named, and nothing is changed`() async throws {
        try await ServiceLab.with { lab in
            let path = "/controller/network/\(try await lab.makeNetwork())/member"
            for (body, place) in [
                (#"{"ipAssignments":["10.0.0.1","bad"]}"#, "ipAssignments[1]"),
                (#"{"ipAssignments":[7]}"#, "ipAssignments[0]"),
                (#"{"authorized":"x"}"#, "authorized"), (#"{"tags":[[1]]}"#, "tags[0]"),
                (#"{"tags":[[1,2],[1,3]]}"#, "tags"),
            ] {
                let answer = try await lab.value("POST", "\(path)/1122334455", body)
                #expect(answer.status == 400 && answer.json?.text.contains(place) == true, "\(body): \(answer)")
            }
            #expect(try await lab.value("GET", path).json == .object([]))
            // No node has such an address.
            for reserved in ["0000000000", "ff00000001"] {
                #expect(try await lab.value("POST", "\(path)/\(reserved)", "{}").status == 400)
            }
        }
    }

    @Test func `what says nothing changes nothing, and what is no JSON is told so`() async throws {
        try await ServiceLab.with { lab in
            for body in ["", " \n", "null", "[]", " [ ] ", "{}"] {
                let answer = try await lab.value("POST", "/controller/network", body)
                #expect(answer.status == 200, "\(body)")
            }
            for body in ["\0", "\u{1f}", "n u l l", "{", "nul"] {
                let answer = try await lab.value("POST", "/controller/network", body)
                #expect(answer.status == 500, "\(body)")
            }
            for body in ["[1]", "1", "\"x\"", #"{"name":"a","name":"b"}"#] {
                let answer = try await lab.value("POST", "/controller/network", body)
                #expect(answer.status == 400, "\(body)")
            }
            #expect(try lab.node.controller.networks().count == 6)
        }
    }

    @Test func `digits in upper case are the same, in paths and in what comes back`() async throws {
        try await ServiceLab.with { lab in
            let id = "\(lab.address)0000af"
            let made = try await lab.value("POST", "/controller/network/\(id.uppercased())", "{}")
            #expect(made.status == 200 && Reads.problem(made.json, "id=\"\(id)\" nwid=\"\(id)\"") == nil)
            let path = "/controller/network/\(id.uppercased())/member"
            let member = try await lab.value("POST", "\(path)/ABCDEF1234", "{}")
            #expect(Reads.problem(member.json, "id=\"abcdef1234\" address=\"abcdef1234\"") == nil)
            #expect(try await lab.value("GET", path).json?.text == #"{"abcdef1234":1}"#)
            let drawn = try await lab.value("POST", "/controller/network/\(lab.address.uppercased())______", "{}")
            #expect(drawn.status == 200)
        }
    }

    @Test func `networks of others are refused`() async throws {
        try await ServiceLab.with { lab in
            let other = try await lab.ask("POST", "/controller/network/0000000000______", "{}")
            #expect(other.status == 400 && other.body.isEmpty && other.headers["content-type"] == nil)
            let foreign = try await lab.value("POST", "/controller/network/1122334455000001", "{}")
            #expect(foreign.status == 400 && foreign.json?.text.contains("1122334455") == true)
            for (method, path) in [
                ("GET", "/controller/network/1122334455000001/member"),
                ("POST", "/controller/network/1122334455000001/member/1122334455"),
                ("DELETE", "/controller/network/1122334455000001"),
            ] {
                let answer = try await lab.value(method, path)
                #expect(answer.status == 404 && answer.json == nil, "\(method) \(path)")
            }
        }
    }

    @Test func `lists of members that are longer than a page`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let count = 2 * ControllerRoutes.pageSize + 5
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 1...count {
                    group.addTask {
                        try await lab.value(
                            "POST", "/controller/network/\(network)/member/\(NodeID(UInt64(number) << 8))",
                            #"{"authorized":\#(number % 2 == 0)}"#
                        ).status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            let reply = try await lab.ask("GET", "/unstable/controller/network/\(network)/member")
            #expect(
                reply.headers["transfer-encoding"] == "chunked" && reply["meta.totalCount"] == .integer(Int64(count)))
            #expect(reply["meta.authorizedCount"] == .integer(Int64(count / 2)))
            guard case .array(let members)? = reply["data"] else { throw ConnectionFailure(text: "no list") }
            let ids = members.compactMap { JSONField($0).member("id")?.value }
            #expect(ids == (1...count).map { .string("\(NodeID(UInt64($0) << 8))") })
            guard case .object(let revisions)? = try await lab.ask("GET", "/controller/network/\(network)/member").json
            else { throw ConnectionFailure(text: "no object") }
            #expect(revisions.members.count == count)
            // The same length for HEAD, and a script of the whole.
            let head = try await lab.ask("HEAD", "/unstable/controller/network/\(network)/member")
            #expect(head.status == 200 && head.headers["content-length"] == String(reply.body.count))
            let script = try await lab.ask("GET", "/unstable/controller/network/\(network)/member?jsonp=f")
            #expect(script.text == "f(\(reply.text));")
        }
    }

    @Test func `nodes that wait are members of revision 0, among the others`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let member = try await lab.member()
            _ = try await lab.value("POST", "/controller/network/\(network)/member/0000000001", "{}")
            _ = try await lab.value("POST", "/controller/network/\(network)/member/fe00000001", "{}")
            try await member.waitUntilOnline(timeout: .seconds(20))
            try member.startJoining(NetworkID(network)!)
            let path = "/controller/network/\(network)/member"
            let expected = #"{"0000000001":1,"\#(member.id)":0,"fe00000001":1}"#
            #expect(try await eventually { try await lab.value("GET", path).json?.text == expected })
            let list = try await lab.value("GET", "/unstable\(path)")
            #expect(
                Reads.problem(
                    list.json, "data[].id:text data[].authorized=false meta.totalCount=3 meta.authorizedCount=0")
                    == nil)
            guard case .array(let members)? = list.json.flatMap({ JSONField($0).member("data")?.value }) else {
                throw ConnectionFailure(text: "no list")
            }
            #expect(
                members.compactMap { JSONField($0).member("id")?.value }
                    == ["0000000001", "\(member.id)", "fe00000001"].map { .string($0) })
            // It is let in by its path, and has what tools show then.
            let authorized = try await lab.value("POST", "\(path)/\(member.id)", #"{"authorized":true}"#)
            #expect(Reads.problem(authorized.json, "authorized=true identity:text") == nil)
            let isConfigured = try await eventually {
                let record = try await lab.value("GET", "\(path)/\(member.id)").json
                return Reads.problem(record, "vMajor=-1") != nil
            }
            let state = try member.networks().map(\.state)
            let shown = try await lab.value("GET", "\(path)/\(member.id)")
            #expect(isConfigured, "\(state) \(shown)")
            #expect(Reads.problem(shown.json, "vMajor:int vMinor:int vRev:int vProto=12") == nil, "\(shown)")
            await member.shutdown()
        }
    }
}
