import JSONValues
import TestSupport
import Testing

@testable import ZeroTierService

/// ztncui 0.8.14: what it sends and reads.
@Suite struct ZtncuiTests {
    private static let member = "1122334455"

    private static let rows = [
        ClientRow("C1", "GET", "/status", "address=\"ADDR\" version:text"),
        ClientRow("C2", "GET", "/controller/network", "[]:text"),
        ClientRow(
            "C3", "GET", "/controller/network/NET",
            """
            name:text nwid="NET" private:bool routes:list ipAssignmentPools:list v4AssignMode.zt:bool v6AssignMode.6plane:bool \
            v6AssignMode.rfc4193:bool v6AssignMode.zt:bool
            """),
        ClientRow("C4", "POST", "/controller/network/ADDR______", #"{"name":"second"}"#, "nwid:text name=\"second\""),
        ClientRow("C5a", "POST", "/controller/network/NET", #"{"name":"first"}"#, "name=\"first\" nwid=\"NET\""),
        ClientRow("C5b", "POST", "/controller/network/NET", #"{"private":"false"}"#, "private=false"),
        ClientRow("C5c", "POST", "/controller/network/NET", #"{"private":"true"}"#, "private=true"),
        ClientRow(
            "C5d", "POST", "/controller/network/NET", #"{"v4AssignMode":{"zt":"true"}}"#, "v4AssignMode.zt=true"),
        ClientRow(
            "C5e", "POST", "/controller/network/NET",
            #"{"v6AssignMode":{"6plane":"true","rfc4193":"false","zt":"true"}}"#,
            "v6AssignMode.6plane=true v6AssignMode.rfc4193=false v6AssignMode.zt=true"),
        ClientRow(
            "C5f", "POST", "/controller/network/NET", #"{"dns":{"domain":"lab.zt","servers":["10.9.0.1"]}}"#,
            #"dns.domain="lab.zt" dns.servers=["10.9.0.1"]"#),
        ClientRow(
            "C6a", "POST", "/controller/network/NET", #"{"routes":[{"target":"10.9.0.0/24","via":null}]}"#,
            #"routes[].target="10.9.0.0/24" routes[].via=null"#),
        ClientRow(
            "C6b", "POST", "/controller/network/NET",
            #"{"routes":[{"target":"10.9.0.0/24","via":null},{"target":"10.8.0.0/16","via":"10.9.0.7"}]}"#,
            "routes[].target:text routes[].via:text?"),
        ClientRow(
            "C7a", "POST", "/controller/network/NET",
            #"{"ipAssignmentPools":[{"ipRangeStart":"10.9.0.10","ipRangeEnd":"10.9.0.99"}]}"#,
            #"ipAssignmentPools[].ipRangeStart="10.9.0.10" ipAssignmentPools[].ipRangeEnd="10.9.0.99""#),
        ClientRow(
            "C7b", "POST", "/controller/network/NET",
            """
            {"ipAssignmentPools":[{"ipRangeStart":"10.9.1.1","ipRangeEnd":"10.9.1.254"}],\
            "routes":[{"target":"10.9.1.0/24","via":null}],"v4AssignMode":{"zt":true}}
            """,
            #"ipAssignmentPools[].ipRangeStart="10.9.1.1" routes[].target="10.9.1.0/24" v4AssignMode.zt=true"#),
        ClientRow("C11a", "POST", "/controller/network/NET/member/MEM", #"{"authorized":"true"}"#, "authorized=true"),
        ClientRow("C9", "GET", "/controller/network/NET/member", "MEM:int"),
        ClientRow(
            "C10", "GET", "/controller/network/NET/member/MEM",
            #"id="MEM" address="MEM" nwid="NET" authorized=true activeBridge=false ipAssignments=[]"#),
        ClientRow("C11b", "POST", "/controller/network/NET/member/MEM", #"{"authorized":"false"}"#, "authorized=false"),
        ClientRow(
            "C11c", "POST", "/controller/network/NET/member/MEM", #"{"activeBridge":"true"}"#, "activeBridge=true"),
        ClientRow(
            "C11d", "POST", "/controller/network/NET/member/MEM", #"{"ipAssignments":["10.9.1.7","10.9.1.8"]}"#,
            #"ipAssignments=["10.9.1.7","10.9.1.8"]"#),
        ClientRow("C12", "DELETE", "/controller/network/NET/member/MEM", "id=\"MEM\""),
        ClientRow("C14", "GET", "/peer/MEM", "object"),
        ClientRow("C8", "DELETE", "/controller/network/NET", "nwid=\"NET\" name=\"first\""),
        ClientRow("C8'", "GET", "/controller/network/NET", nil, status: 404, ""),
    ]

    @Test func `every row, in the order of somebody's work`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            for row in Self.rows { try await lab.check(row, network: network, member: Self.member) }
        }
    }

    @Test func `C10: all members of a network in parallel`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let members = (0..<40).map { "11223344\($0 + 10)" }
            for member in members {
                _ = try await lab.value("POST", "/controller/network/\(network)/member/\(member)", "{}")
            }
            let list = try await lab.ask("GET", "/controller/network/\(network)/member")
            guard case .object(let object)? = list.json else {
                Issue.record("no object: \(list.text)")
                return
            }
            #expect(object.members.map(\.key) == members)
            try await withThrowingTaskGroup(of: JSONValue?.self) { group in
                for member in members {
                    group.addTask { try await lab.ask("GET", "/controller/network/\(network)/member/\(member)")["id"] }
                }
                var found: Set<JSONValue> = []
                for try await id in group { if let id { found.insert(id) } }
                #expect(found == Set(members.map { .string($0) }))
            }
        }
    }

    @Test func `C13, C14: peers with their paths`() async throws {
        try await ServiceLab.with { lab in
            let member = try await lab.member()
            try await member.waitUntilOnline(timeout: .seconds(20))
            let row = ClientRow(
                "C13", "GET", "/peer",
                """
                [].address="\(member.id)" [].latency:int [].versionMajor:int [].version:text [].paths[].preferred:bool \
                [].paths[].address:text
                """)
            #expect(try await eventually { Reads.problem(try await lab.ask("GET", "/peer").json, row.reads) == nil })
            let reply = try await lab.check(row)
            #expect(reply.text.contains(#""address":"127.0.0.1/"#), "\(reply.text)")
            try await lab.check(
                ClientRow(
                    "C14", "GET", "/peer/\(member.id)", "address=\"\(member.id)\" latency:int paths[].preferred:bool"))
            await member.shutdown()
        }
    }

    @Test func `C2: networks are in ascending order`() async throws {
        try await ServiceLab.with { lab in
            let networks = try await [lab.makeNetwork(), lab.makeNetwork(), lab.makeNetwork()]
            let list = try await lab.ask("GET", "/controller/network")
            #expect(list.json == .array(networks.sorted().map { .string($0) }))
        }
    }
}
