import JSONValues
import TestSupport
import Testing

@testable import ZeroTierService

/// What all clients have in common, and what the smaller ones send and read.
@Suite struct OtherClientTests {
    private static let recordReads = """
        id="NET" nwid="NET" objtype="network" revision:int creationTime:int private:bool rules:list tags:list \
        capabilities:list name:text
        """

    // 0: types of fields, whole records, bodies where none is needed.
    private static let common = [
        ClientRow("0 put", "PUT", "/controller/network/NET", #"{"name":"put"}"#, "name=\"put\""),
        ClientRow("0 unknown", "POST", "/controller/network/NET", #"{"nobody":{"knows":[1]}}"#, recordReads),
        ClientRow("0 empty", "POST", "/controller/network/NET", "", recordReads),
        ClientRow("0 null", "POST", "/controller/network/NET", "null", recordReads),
        ClientRow("0 list", "POST", "/controller/network/NET", " []", recordReads),
        ClientRow("0 no body", "POST", "/controller/network/NET", nil, recordReads),
        ClientRow("0 true", "POST", "/controller/network/NET", #"{"private":true}"#, "private=true"),
        ClientRow("0 text", "POST", "/controller/network/NET", #"{"private":"false"}"#, "private=false"),
        ClientRow("0 number", "POST", "/controller/network/NET", #"{"private":1}"#, "private=true"),
        ClientRow("0 zero", "POST", "/controller/network/NET", #"{"private":0.0}"#, "private=false"),
        ClientRow("0 int", "POST", "/controller/network/NET", #"{"mtu":"1400"}"#, "mtu=1400"),
        ClientRow(
            "0 via", "POST", "/controller/network/NET",
            """
            {"routes":[{"target":"10.1.0.0/24","via":null},{"target":"10.2.0.0/24"},{"target":"10.3.0.0/24","via":""}]}
            """, "routes[].via=null"),
        ClientRow(
            "0 lists", "POST", "/controller/network/NET", #"{"rules":null,"tags":null,"capabilities":null}"#,
            "rules:list tags:list capabilities:list"),
        ClientRow(
            "0 record", "POST", "/controller/network/NET",
            #"{"id":"ffffffffffffffff","nwid":"x","objtype":"y","revision":-5,"creationTime":"z","name":"kept"}"#,
            recordReads + " name=\"kept\""),
        ClientRow("0 members", "GET", "/controller/network/NET/member", "object"),
        // OpenWISP sends whole configurations too, and takes 404 for a deletion that was done.
        ClientRow("openwisp", "DELETE", "/controller/network/ADDR000001", nil, status: 404, ""),
    ]

    // 5: typed clients, and those with other bodies.
    private static let others = [
        ClientRow("zerotier.js", "POST", "/network/ff00070009000000", "{}", "nwid=\"ff00070009000000\" status:text"),
        ClientRow("zerotier.js", "GET", "/network/ff00070009000000", "nwid=\"ff00070009000000\""),
        ClientRow("zerotier.js", "DELETE", "/network/ff00070009000000", "{}", "result=true"),
        ClientRow("zerotier.js", "GET", "/peer/MEM", "object"),
        ClientRow("zerotier.js", "GET", "/controller/network/NET", recordReads),
        ClientRow("zerotier.js", "POST", "/controller/network/NET/member/MEM", "{}", "id=\"MEM\""),
        ClientRow("zerotier-edge", "GET", "/controller/network/NET/member", "MEM:int"),
        ClientRow(
            "zerotier-edge", "GET", "/controller/network/NET/member/MEM",
            "nwid=\"NET\" id=\"MEM\" authorized:bool vMajor:int vMinor:int vRev:int vProto:int"),
        ClientRow("zerotier.js", "DELETE", "/controller/network/NET/member/MEM", "{}", "id=\"MEM\""),
        ClientRow("go", "GET", "/controller", "controller=true databaseReady=true apiVersion:int clock:int"),
        ClientRow("go", "POST", "/controller/network/NET/member/MEM", "{}", "lastAuthorizedCredentialType:text?"),
        ClientRow(
            "go", "GET", "/unstable/controller/network",
            "data[].id:text data[].creationTime:int data[].dns:list meta.networkCount=1"),
        ClientRow(
            "go", "GET", "/unstable/controller/network/NET/member",
            "data[].id=\"MEM\" data[].creationTime:int meta.authorizedCount=0 meta.totalCount=1"),
        ClientRow(
            "newer pages", "GET", "/unstable/controller/network/NET",
            "id=\"NET\" meta.totalMemberCount=1 meta.authorizedMemberCount=0"),
        ClientRow("newer pages", "GET", "/unstable/controller/network/ADDR000001", nil, status: 404, ""),
        ClientRow("newer pages", "GET", "/unstable/controller/network/ADDR000001/member", nil, status: 404, ""),
        ClientRow("zeronsd", "GET", "/status", "address=\"ADDR\""),
        ClientRow("zeronsd", "GET", "/network/NET", nil, status: 404, "object"),
        // Members of a fork; unknown here.
        ClientRow(
            "ZTGotroller", "POST", "/controller/network/NET/member/MEM",
            #"{"multicastReplicator":true,"networkRelay":false}"#, "id=\"MEM\""),
    ]

    @Test func `rows of all`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            for row in Self.common { try await lab.check(row, network: network, member: "1122334455") }
        }
    }

    @Test func `rows of the others`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork()
            for row in Self.others { try await lab.check(row, network: network, member: "1122334455") }
        }
    }

    // 4: the requests of zerotier-cli, as it sends them.
    private static let originalCommand = [
        ClientRow("info", "GET", "/status", "address=\"ADDR\" version:text tcpFallbackActive:bool online:bool"),
        ClientRow("listpeers", "GET", "/peer", "list"),
        ClientRow("join", "POST", "/network/ff00070009000000", "{}", "nwid:text"),
        ClientRow(
            "listnetworks", "GET", "/network",
            """
            [].nwid="ff00070009000000" [].name:text [].mac:text [].status:text [].type:text [].portDeviceName:text \
            [].assignedAddresses:list [].ssoEnabled:none [].id="ff00070009000000"
            """),
        ClientRow("set", "POST", "/network/ff00070009000000", #"{"allowGlobal":true}"#, "allowGlobal=true"),
        ClientRow("set", "POST", "/network/ff00070009000000", #"{"allowDefault":true}"#, "allowDefault=true"),
        ClientRow("set", "POST", "/network/ff00070009000000", #"{"allowDNS":true}"#, "allowDNS=true allowGlobal=true"),
        ClientRow("set", "POST", "/network/ff00070009000000", #"{"allowManaged":false}"#, "allowManaged=false"),
        ClientRow(
            "DesktopUI", "GET", "/network",
            "[].id:text [].name:text [].status:text [].allowDNS=true [].allowGlobal=true [].allowManaged=false"),
        ClientRow("leave", "DELETE", "/network/ff00070009000000", "result=true"),
        ClientRow("leave", "DELETE", "/network/ff00070009000000", "result:none"),
        ClientRow(
            "orbit", "POST", "/moon/1122334455", #"{"seed":"1122334455"}"#,
            "id=\"0000001122334455\" waiting=true roots=[] signature=null timestamp=0 updatesMustBeSignedBy=null"),
        ClientRow("listmoons", "GET", "/moon", "list"),
        ClientRow("deorbit", "DELETE", "/moon/1122334455", "result=true"),
        ClientRow("bond list", "GET", "/peer", "list"),
        ClientRow("bond show", "GET", "/bond/show/1122334455", nil, status: 400, "object"),
        ClientRow("bond rotate", "POST", "/bond/rotate/1122334455", "{}", status: 400, "object"),
        ClientRow("bond setmtu", "POST", "/bond/setmtu/1400/eth0/192.0.2.1", "{}", status: 400, "object"),
    ]

    @Test func `requests of zerotier-cli, without a Host header`() async throws {
        try await ServiceLab.with { lab in
            for row in Self.originalCommand {
                let (port, token) = (lab.http.port, lab.token)
                let reply = try await onThread {
                    let connection = try HTTPConnection(port)
                    try connection.send(row.method, row.path, row.body, headers: ["X-ZT1-Auth: \(token)"])
                    return try connection.reply(to: row.method)
                }
                #expect(reply.status == row.status, "\(row.testDescription): \(reply.text)")
                let problem = Reads.problem(reply.json, row.reads.replacing("ADDR", with: lab.address))
                #expect(problem == nil, "\(row.testDescription): \(problem ?? "") in \(reply.text)")
            }
        }
    }

    @Test func `listpeers: every member that zerotier-cli would throw for`() async throws {
        try await ServiceLab.with { lab in
            let member = try await lab.member()
            try await member.waitUntilOnline(timeout: .seconds(20))
            let reads =
                """
                [].address:text [].latency:int [].role="LEAF" [].version:text [].versionMajor:int [].versionMinor:int \
                [].versionRev:int [].paths[].preferred:bool [].paths[].address:text [].paths[].lastSend:int \
                [].paths[].lastReceive:int [].tunneled:bool [].isBonded:bool [].paths[].trustedPathId:int \
                [].paths[].localSocket:int [].paths[].localPort:int
                """
            #expect(try await eventually { Reads.problem(try await lab.ask("GET", "/peer").json, reads) == nil })
            await member.shutdown()
        }
    }

    // The tray of the original redraws when anything but these two changes.
    @Test func `networks do not change between two looks`() async throws {
        try await ServiceLab.with { lab in
            _ = try await lab.ask("POST", "/network/ff00070009000000", "{}")
            #expect(
                try await eventually { try await lab.ask("GET", "/network").text.contains(#""status":"OK""#) })
            func seen() async throws -> JSONValue? {
                guard case .array(let networks)? = try await lab.ask("GET", "/network").json else { return nil }
                return .array(
                    networks.map { network in
                        guard case .object(let object) = network else { return network }
                        return .object(
                            object.members.filter { !["netconfRevision", "multicastSubscriptions"].contains($0.key) }
                                .map { ($0.key, $0.value) })
                    })
            }
            let first = try await seen()
            for _ in 0..<5 {
                try await Task.sleep(for: .milliseconds(200))
                #expect(try await seen() == first)
            }
        }
    }

    @Test func `a raw path, and one that is not there`() async throws {
        try await ServiceLab.with { lab in
            #expect(try await lab.ask("GET", "/health").status == 200)
            for path in [
                "/nosuch", "/status/", "/network/", "/network/1", "/controller/network/ADDR______", "//status", "/",
            ] {
                let reply = try await lab.ask("GET", path)
                #expect(reply.status == 404 && reply.body.isEmpty && reply.headers["content-type"] == nil, "\(path)")
            }
        }
    }
}
