import JSONValues
import TestSupport
import Testing

@testable import ZeroTierService

/// ZTNET at 3ba175a: what it sends and reads.
@Suite struct ZTNETTests {
    private static let statusReads = """
        address="ADDR" version:text online:bool config.settings.allowTcpFallbackRelay:bool config.settings.forceTcpRelay:bool \
        config.settings.listeningOn:list config.settings.portMappingEnabled:bool config.settings.primaryPort:int \
        config.settings.secondaryPort:int config.settings.tertiaryPort:int config.settings.softwareUpdate:text \
        config.settings.softwareUpdateChannel:text config.settings.surfaceAddresses:list \
        config.settings.allowManagementFrom=["127.0.0.0/8"] planetWorldId:int planetWorldTimestamp:int publicIdentity:text \
        tcpFallbackActive:bool versionMajor:int versionMinor:int versionRev:int versionBuild:int
        """
    private static let networkReads = """
        id="NET" nwid="NET" name:text private:bool routes:list ipAssignmentPools:list v4AssignMode.zt:bool \
        v6AssignMode.zt:bool dns:list mtu:int multicastLimit:int enableBroadcast:bool rules:list tags:list capabilities:list \
        creationTime:int
        """
    private static let memberReads = """
        id="MEM" address="MEM" nwid="NET" authorized:bool ipAssignments:list tags:list capabilities:list activeBridge:bool \
        noAutoAssignIps:bool creationTime:int vMajor:int vMinor:int vRev:int
        """

    private static let rows = [
        ClientRow("N1", "GET", "/controller", "controller=true apiVersion:int clock:int"),
        ClientRow("N2", "GET", "/status", statusReads),
        ClientRow("N3a", "GET", "/controller/network", "[]:text"),
        ClientRow("N3b", "GET", "/controller/network/NET", networkReads),
        ClientRow("N5a", "POST", "/controller/network/NET", #"{"name":"mine"}"#, "name=\"mine\""),
        ClientRow("N5b", "POST", "/controller/network/NET", #"{"private":false}"#, "private=false"),
        ClientRow("N5c", "POST", "/controller/network/NET", #"{"private":true}"#, "private=true"),
        ClientRow(
            "N5d", "POST", "/controller/network/NET", #"{"v4AssignMode":{"zt":true}}"#, "v4AssignMode.zt=true"),
        ClientRow(
            "N5e", "POST", "/controller/network/NET", #"{"v6AssignMode":{"6plane":false,"rfc4193":true,"zt":false}}"#,
            "v6AssignMode.rfc4193=true v6AssignMode.6plane=false"),
        ClientRow(
            "N5f", "POST", "/controller/network/NET",
            #"{"routes":[{"target":"10.5.0.0/24","via":null},{"target":"10.4.0.0/24","via":""}]}"#, "routes[].via=null"),
        ClientRow(
            "N5g", "POST", "/controller/network/NET",
            """
            {"ipAssignmentPools":[{"ipRangeStart":"10.5.0.1","ipRangeEnd":"10.5.0.254"}],\
            "routes":[{"target":"10.5.0.0/24","via":null}],"v4AssignMode":{"zt":true}}
            """, "ipAssignmentPools[].ipRangeStart=\"10.5.0.1\" routes[].target=\"10.5.0.0/24\""),
        ClientRow(
            "N5h", "POST", "/controller/network/NET",
            #"{"ipAssignmentPools":[],"routes":[{"target":"10.5.0.0/24","via":null}]}"#, "ipAssignmentPools=[]"),
        ClientRow(
            "N5i", "POST", "/controller/network/NET", #"{"dns":{"domain":"z.example","servers":["10.5.0.2"]}}"#,
            "dns.domain=\"z.example\" dns.servers[]:text"),
        ClientRow(
            "N5j", "POST", "/controller/network/NET", #"{"dns":{"domain":"","servers":[]}}"#,
            #"dns.domain="" dns.servers=[]"#),
        ClientRow("N5k", "POST", "/controller/network/NET", #"{"mtu":1400}"#, "mtu=1400"),
        ClientRow("N5l", "POST", "/controller/network/NET", #"{"mtu":"1500"}"#, "mtu=1500"),
        ClientRow("N5m", "POST", "/controller/network/NET", #"{"multicastLimit":16}"#, "multicastLimit=16"),
        ClientRow("N5n", "POST", "/controller/network/NET", #"{"enableBroadcast":false}"#, "enableBroadcast=false"),
        ClientRow(
            "N5o", "POST", "/controller/network/NET",
            """
            {"rules":[{"type":"ACTION_ACCEPT"}],"capabilities":[{"id":1,"default":false,"rules":[{"type":"ACTION_DROP"}]}],\
            "tags":[{"id":3,"default":null},{"id":4,"default":9}],"capabilitiesByName":{"c":1},\
            "tagsByName":{"t":{"id":3}},"rulesSource":"#"}
            """, "rules[].type=\"ACTION_ACCEPT\" tags[].id:int tags[].default:int? rulesSource=\"#\""),
        ClientRow(
            "N6a", "POST", "/controller/network/NET/member/MEM", #"{"name":"box","description":"ignored"}"#,
            "name=\"box\" description:none"),
        ClientRow("N6b", "POST", "/controller/network/NET/member/MEM", #"{"activeBridge":true}"#, "activeBridge=true"),
        ClientRow(
            "N6c", "POST", "/controller/network/NET/member/MEM", #"{"noAutoAssignIps":true}"#, "noAutoAssignIps=true"),
        ClientRow(
            "N6d", "POST", "/controller/network/NET/member/MEM", #"{"ipAssignments":["10.5.0.9"]}"#,
            "ipAssignments=[\"10.5.0.9\"]"),
        ClientRow("N6e", "POST", "/controller/network/NET/member/MEM", #"{"authorized":true}"#, "authorized=true"),
        ClientRow("N6f", "POST", "/controller/network/NET/member/MEM", #"{"capabilities":[1]}"#, "capabilities=[1]"),
        ClientRow(
            "N6g", "POST", "/controller/network/NET/member/MEM", #"{"tags":[[3,2],[4,8]]}"#, "tags=[[3,2],[4,8]]"),
        ClientRow("N3c", "GET", "/controller/network/NET/member", "MEM:int"),
        ClientRow("N3d", "GET", "/controller/network/NET/member/MEM", memberReads),
        ClientRow(
            "N6h", "POST", "/controller/network/NET/member/MEM",
            #"{"authorized":false,"ipAssignments":[],"tags":[],"capabilities":[]}"#,
            "authorized=false ipAssignments=[] tags=[] capabilities=[]"),
        ClientRow("N9", "GET", "/peer/MEM", "address:none"),
        // The controller's own record is there only if it joined.
        ClientRow("N11", "GET", "/controller/network/NET/member/ADDR", nil, status: 404, ""),
        ClientRow("N8a", "DELETE", "/controller/network/NET/member/MEM", ""),
        ClientRow("N8b", "DELETE", "/controller/network/NET", ""),
        ClientRow("N3e", "GET", "/controller/network/NET", nil, status: 404, ""),
        ClientRow("N3f", "GET", "/controller/network/NET/member/MEM", nil, status: 404, ""),
    ]

    private static let newNetwork = """
        {"name":"net","private":true,"ipAssignmentPools":[{"ipRangeStart":"10.5.0.1","ipRangeEnd":"10.5.0.254"}],\
        "routes":[{"target":"10.5.0.0/24","via":null}],"v4AssignMode":{"zt":true},"cidrOptions":["10.5.0.0/24","10.6.0.0/24"]}
        """

    @Test func `every row, in the order of somebody's work`() async throws {
        let local = #"{"settings":{"allowManagementFrom":["127.0.0.0/8"]}}"#
        try await ServiceLab.with(localConfiguration: local) { lab in
            let made = try await lab.check(
                ClientRow("N4", "POST", "/controller/network/ADDR______", Self.newNetwork, "name=\"net\" nwid:text"))
            guard case .string(let network)? = made["nwid"] else { return }
            for row in Self.rows { try await lab.check(row, network: network, member: "1122334455") }
        }
    }

    @Test func `N3: a wrong key is 401`() async throws {
        try await ServiceLab.with { lab in
            let reply = try await lab.send("GET", "/controller/network", headers: ["X-ZT1-Auth: wrong"])
            #expect(reply.status == 401 && reply.text == "{}")
        }
    }

    @Test func `N7: a network with many members is let go`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            let members = (0..<200).map { "aa\(String(repeating: "0", count: 8 - String($0).count))\($0)" }
            for member in members {
                let made = try await lab.value(
                    "POST", "/controller/network/\(network)/member/\(member)", #"{"authorized":true}"#)
                #expect(made.status == 200)
            }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for member in members {
                    group.addTask {
                        try await lab.ask(
                            "POST", "/controller/network/\(network)/member/\(member)", #"{"authorized":false}"#
                        ).status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await lab.ask("DELETE", "/controller/network/\(network)").status == 200)
            #expect(try await lab.ask("GET", "/controller/network").json == .array([]))
        }
    }

    @Test func `N9, N10: peers and their metrics`() async throws {
        try await ServiceLab.with { lab in
            let member = try await lab.member()
            try await member.waitUntilOnline(timeout: .seconds(20))
            let reads =
                "[].address=\"\(member.id)\" [].latency:int [].versionMajor:int [].version:text [].paths[].active:bool "
                + "[].paths[].preferred:bool [].paths[].address:text"
            #expect(
                try await eventually {
                    let reply = try await lab.ask("GET", "/peer")
                    return Reads.problem(reply.json, reads) == nil && reply.text.contains("\"latency\":-1") == false
                })
            let metrics = try await lab.ask("GET", "/metrics")
            #expect(metrics.status == 200 && metrics.headers["content-type"] == "text/plain")
            for line in [
                "zt_peer_latency_count{node_id=\"\(member.id)\"} 1", "zt_peer_latency_sum{node_id=\"\(member.id)\"} ",
                "zt_peer_path_count{node_id=\"\(member.id)\",status=\"alive\"} 1",
                "zt_peer_latency_bucket{node_id=\"\(member.id)\",le=\"+Inf\"} 1",
            ] {
                #expect(metrics.text.contains("\n\(line)"), "\(line) in \(metrics.text)")
            }
            await member.shutdown()
        }
    }
}
