import JSONValues
import TestSupport
import Testing

@testable import ZeroTierService

/// ZeroUI of 2023-10-25: what it sends and reads.
@Suite struct ZeroUITests {
    private static let rows = [
        ClientRow("U1", "GET", "/status", "address=\"ADDR\""),
        ClientRow("U1'", "GET", "/status", "address=\"ADDR\""),
        ClientRow("U2", "GET", "/controller/network", "[]:text"),
        ClientRow(
            "U3", "GET", "/controller/network/NET",
            """
            id="NET" name:text private:bool routes:list ipAssignmentPools:list multicastLimit:int enableBroadcast:bool rules:list \
            capabilities:list tags:list rulesSource:text objtype="network" revision:int remoteTraceLevel:int remoteTraceTarget:text?
            """),
        ClientRow("U5a", "POST", "/controller/network/NET", #"{"name":"other"}"#, "name=\"other\""),
        ClientRow("U5b", "POST", "/controller/network/NET", #"{"private":0}"#, "private=false"),
        ClientRow("U5c", "POST", "/controller/network/NET", #"{"private":1}"#, "private=true"),
        ClientRow(
            "U5d", "POST", "/controller/network/NET",
            #"{"routes":[{"target":"10.7.0.0/24","via":null},{"target":"10.6.0.0/24"}]}"#, "routes[].via=null"),
        ClientRow(
            "U5e", "POST", "/controller/network/NET",
            #"{"ipAssignmentPools":[{"ipRangeStart":"10.7.0.1","ipRangeEnd":"10.7.0.254"}]}"#,
            "ipAssignmentPools[].ipRangeStart=\"10.7.0.1\""),
        ClientRow("U5f", "POST", "/controller/network/NET", #"{"multicastLimit":"64"}"#, "multicastLimit=64"),
        ClientRow("U5g", "POST", "/controller/network/NET", #"{"enableBroadcast":false}"#, "enableBroadcast=false"),
        ClientRow(
            "U5h", "POST", "/controller/network/NET",
            """
            {"rules":[{"type":"MATCH_ETHERTYPE","not":true,"or":false,"etherType":2048},{"type":"ACTION_DROP"},\
            {"type":"ACTION_ACCEPT"}],"capabilities":[{"id":1000,"default":false,"rules":[{"type":"ACTION_ACCEPT"}]}],\
            "tags":[{"id":7,"default":null}]}
            """,
            "rules[].type:text capabilities[].id=1000 tags[].id=7 tags[].default=null"),
        ClientRow("U7", "GET", "/controller/network/NET/member", "object"),
        ClientRow("U10a", "POST", "/controller/network/NET/member/MEM", #"{"authorized":true}"#, "authorized=true"),
        ClientRow(
            "U8", "GET", "/controller/network/NET/member/MEM",
            """
            nwid="NET" id="MEM" address="MEM" authorized=true activeBridge=false noAutoAssignIps=false ipAssignments:list \
            capabilities:list tags:list vMajor:int vMinor:int vRev:int
            """),
        ClientRow(
            "U10b", "POST", "/controller/network/NET/member/MEM",
            #"{"ipAssignments":["10.7.0.9"]}"#, "ipAssignments=[\"10.7.0.9\"]"),
        ClientRow(
            "U10c", "POST", "/controller/network/NET/member/MEM", #"{"capabilities":[1000]}"#, "capabilities=[1000]"),
        ClientRow("U10d", "POST", "/controller/network/NET/member/MEM", #"{"tags":[[7,5]]}"#, "tags=[[7,5]]"),
        ClientRow("U10e", "POST", "/controller/network/NET/member/MEM", #"{"activeBridge":true}"#, "activeBridge=true"),
        ClientRow(
            "U10f", "POST", "/controller/network/NET/member/MEM", #"{"noAutoAssignIps":true}"#, "noAutoAssignIps=true"),
        // An empty object is a peer that is not there.
        ClientRow("U9", "GET", "/peer/MEM", "address:none"),
        ClientRow("U12", "GET", "/peer/MEM", "object"),
        ClientRow("U6", "DELETE", "/controller/network/NET", "id=\"NET\""),
        ClientRow("U7'", "GET", "/controller/network/NET/member", nil, status: 404, ""),
    ]

    // U4: the body of a new network with its five rules.
    private static let newNetwork = """
        {"name":"new","private":true,"v6AssignMode":{"6plane":false,"rfc4193":false,"zt":false},"v4AssignMode":{"zt":true},\
        "routes":[{"target":"172.30.0.0/16","via":null,"flags":0,"metric":0}],\
        "ipAssignmentPools":[{"ipRangeStart":"172.30.0.1","ipRangeEnd":"172.30.255.254"}],"enableBroadcast":true,"rules":[\
        {"type":"MATCH_ETHERTYPE","not":true,"or":false,"etherType":2048},\
        {"type":"MATCH_ETHERTYPE","not":true,"or":false,"etherType":2054},\
        {"type":"MATCH_ETHERTYPE","not":true,"or":false,"etherType":34525},{"type":"ACTION_DROP"},{"type":"ACTION_ACCEPT"}]}
        """

    @Test func `every row, in the order of somebody's work`() async throws {
        try await ServiceLab.with { lab in
            let made = try await lab.check(
                ClientRow(
                    "U4", "POST", "/controller/network/ADDR______", Self.newNetwork,
                    """
                    id:text rules[].type:text routes[].target="172.30.0.0/16" v4AssignMode.zt=true \
                    ipAssignmentPools[].ipRangeEnd="172.30.255.254"
                    """))
            guard case .array(let rules)? = made["rules"], case .string(let network)? = made["id"] else {
                Issue.record("no network: \(made.text)")
                return
            }
            #expect(rules.count == 5)
            for row in Self.rows { try await lab.check(row, network: network, member: "1122334455") }
        }
    }

    @Test func `U3, U8: all networks and all members at once`() async throws {
        try await ServiceLab.with { lab in
            var networks: [String] = []
            for _ in 0..<12 { networks.append(try await lab.makeNetwork()) }
            let paths =
                networks.map { "/controller/network/\($0)" }
                + networks.map { "/controller/network/\($0)/member/1122334455" }
            for path in paths.suffix(12) { _ = try await lab.value("POST", path, #"{"authorized":true}"#) }
            try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for path in paths { group.addTask { try await lab.ask("GET", path) } }
                var count = 0
                for try await reply in group {
                    #expect(reply.status == 200 && Reads.problem(reply.json, "id:text nwid:text") == nil)
                    count += 1
                }
                #expect(count == 24)
            }
        }
    }

    @Test func `U9: a peer that is there`() async throws {
        try await ServiceLab.with { lab in
            let member = try await lab.member()
            try await member.waitUntilOnline(timeout: .seconds(20))
            let reads =
                "latency:int version:text paths[].active=true paths[].expired=false paths[].preferred:bool "
                + "paths[].lastReceive:int paths[].address:text"
            #expect(
                try await eventually {
                    Reads.problem(try await lab.ask("GET", "/peer/\(member.id)").json, reads) == nil
                })
            await member.shutdown()
        }
    }

    @Test func `U11: a member is deleted and posted at the same time, again and again`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let path = "/controller/network/\(network)/member/1122334455"
            let stash = #"{"authorized":false,"ipAssignments":[],"capabilities":[],"tags":[]}"#
            for round in 0..<20 {
                _ = try await lab.ask("POST", path, #"{"authorized":true}"#)
                async let deleted = lab.ask("DELETE", path)
                async let posted = lab.ask("POST", path, stash)
                let replies = try await [deleted, posted]
                #expect(replies.map(\.status) == [200, 200], "round \(round): \(replies.map(\.text))")
                #expect(replies.allSatisfy { Reads.problem($0.json, "id=\"1122334455\"") == nil })
            }
        }
    }
}
