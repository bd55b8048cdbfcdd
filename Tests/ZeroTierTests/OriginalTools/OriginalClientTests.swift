import Foundation
import JSONValues
import Testing
import ZeroTier

@testable import ZeroTierCommand

/// `zerotier-cli` against a service that gives recorded answers.
@Suite struct OriginalClientTests {
    private static let network = "1d2e3f4a5b000001"
    private static let answers: [String: ScriptedService.Answer] = [
        "GET /status": .json(200, RecordedReplies.status),
        "GET /peer": .json(200, "[\(RecordedReplies.peer),\(RecordedReplies.bond)]"),
        "GET /network": .json(200, "[\(RecordedReplies.network),\(RecordedReplies.waitingNetwork)]"),
        "GET /moon": .json(200, "[\(RecordedReplies.moon)]"),
        "POST /network/\(network)": .json(200, RecordedReplies.network),
        "DELETE /network/\(network)": .json(200, #"{"result":true}"#),
        "POST /moon/1d2e3f4a5b": .json(200, RecordedReplies.moon),
        "POST /moon/0100001d2e3f4a5b": .json(200, "{}"),
        "DELETE /moon/1d2e3f4a5b": .json(200, #"{"result":true}"#),
        "GET /bond/show/0a1b2c3d4e": .json(200, RecordedReplies.bond),
        "POST /bond/rotate/0a1b2c3d4e": .json(200, "{}"),
        "POST /bond/setmtu/1400/eth%2F0%0A/fd00::9": .json(200, "{}"),
        "GET /metrics": .json(200, "zt_data 1\n"),
    ]

    /// Runs a tool beside a service, and what the service was asked.
    private func with(
        _ answers: [String: ScriptedService.Answer] = answers,
        _ body: (OriginalTools, ScriptedService) async throws -> Void
    ) async throws {
        let service = ScriptedService(answers)
        defer { service.stop() }
        let tools = try OriginalTools()
        try tools.announce(port: service.port)
        try await body(tools, service)
    }

    // MARK: Verbs

    private struct Row: Sendable {
        let words: [String]
        let request: String
        var body = ""
        let output: String
        /// With `-j`; nil if it is the same.
        var json: String?
    }

    private static func indented(_ text: String) throws -> String {
        try JSONDocument(Array(text.utf8)).root.indentedText(by: 1) + "\n"
    }

    private static let rows: [Row] = [
        Row(
            words: ["info"], request: "GET /status", output: "200 info 1d2e3f4a5b 1.14.1 ONLINE\n",
            json: try? indented(RecordedReplies.status)),
        Row(
            words: ["status"], request: "GET /status", output: "200 info 1d2e3f4a5b 1.14.1 ONLINE\n",
            json: try? indented(RecordedReplies.status)),
        Row(
            words: ["listnetworks"], request: "GET /network",
            output: """
                200 listnetworks <nwid> <name> <mac> <status> <type> <dev> <ZT assigned ips>
                200 listnetworks 1d2e3f4a5b000001 home 7e:01:02:03:04:05 OK PRIVATE ztabcdefgh \
                10.20.0.5/24,fd12::5/88,fc5b:1d2e:3f4a:5b01:1d2e::1/40
                200 listnetworks 1d2e3f4a5b000002  7e:01:02:03:04:06 REQUESTING_CONFIGURATION PRIVATE - -

                """, json: try? indented("[\(RecordedReplies.network),\(RecordedReplies.waitingNetwork)]")),
        Row(
            words: ["join", network.uppercased()], request: "POST /network/\(network)", body: "{}",
            output: "200 join OK\n", json: RecordedReplies.network),
        Row(
            words: ["leave", network], request: "DELETE /network/\(network)", output: "200 leave OK\n",
            json: #"{"result":true}"#),
        Row(
            words: ["set", network, "allowDNS=true"], request: "POST /network/\(network)", body: #"{"allowDNS":true}"#,
            output: RecordedReplies.network),
        Row(
            words: ["set", network, "allowManaged=0"], request: "POST /network/\(network)",
            body: #"{"allowManaged":false}"#, output: RecordedReplies.network),
        Row(words: ["get", network, "ip4"], request: "GET /network", output: "10.20.0.5\n"),
        Row(words: ["get", network, "allowManaged"], request: "GET /network", output: "1\n"),
        Row(
            words: ["listmoons"], request: "GET /moon", output: (try? indented("[\(RecordedReplies.moon)]")) ?? ""),
        Row(
            words: ["orbit", "1d2e3f4a5b", "1D2E3F4A5B"], request: "POST /moon/1d2e3f4a5b",
            body: #"{"seed":"1d2e3f4a5b"}"#, output: "200 orbit OK\n"),
        Row(
            words: ["orbit", "100001d2e3f4a5b", "1"], request: "POST /moon/0100001d2e3f4a5b",
            body: #"{"seed":"0000000001"}"#, output: "200 orbit OK\n"),
        Row(
            words: ["deorbit", "0000001d2e3f4a5b"], request: "DELETE /moon/1d2e3f4a5b", output: "200 deorbit OK\n",
            json: #"{"result":true}"#),
        Row(
            words: ["bond", "list"], request: "GET /peer",
            output: """
                    <peer>                        <bondtype>     <links>
                0a1b2c3d4e                     active-backup         2/2

                """, json: try? indented("[\(RecordedReplies.peer),\(RecordedReplies.bond)]")),
        Row(
            words: ["bond", "0a1b2c3d4e", "rotate"], request: "POST /bond/rotate/0a1b2c3d4e", body: "{}",
            output: "200 rotate OK\n", json: "{}"),
        Row(
            words: ["bond", "setmtu", "1400", "eth/0\n", "fd00::9"],
            request: "POST /bond/setmtu/1400/eth%2F0%0A/fd00::9", body: "{}", output: "200 setmtu OK\n"),
        Row(words: ["/metrics"], request: "GET /metrics", output: "zt_data 1\n"),
    ]

    @Test(arguments: Self.rows.indices)
    func `a verb asks, and prints what the original prints`(index: Int) async throws {
        let row = Self.rows[index]
        try await with { tools, service in
            for isJSON in [false, true] {
                // Switches stand anywhere.
                let words = isJSON ? [row.words[0], "-j"] + row.words.dropFirst() : ["-q"] + row.words
                let end = try await tools.run("zerotier-cli", words)
                let expected = isJSON ? row.json ?? row.output : row.output
                #expect(end == .init(status: 0, output: expected, complaint: ""), "\(words)")
            }
            #expect(service.requests.count == 2)
            for request in service.requests {
                #expect(request.line == row.request + " HTTP/1.1" && request.body == row.body)
                #expect(request.headers["x-zt1-auth"] == OriginalTools.token)
                #expect(request.headers["host"] == "127.0.0.1:\(service.port)")
            }
        }
    }

    @Test func `peers show how long ago a path was used`() async throws {
        try await with { tools, _ in
            let list = try await tools.ask("listpeers")
            #expect(list.status == 0)
            let rows = list.output.split(separator: "\n")
            #expect(rows[0] == "200 listpeers <ztaddr> <path> <latency> <version> <role>")
            let form = #/200 listpeers 0a1b2c3d4e 203\.0\.113\.9\/9993;\d{8,};\d{8,} 23 1\.14\.1 LEAF/#
            #expect(try rows.count == 3 && form.wholeMatch(in: rows[1]) != nil, "\(list)")
            let people = try await tools.ask("peers").output.split(separator: "\n")
            #expect(
                people.count == 4 && people[0] == "200 peers"
                    && people[2].hasPrefix("0a1b2c3d4e 1.14.1 LEAF      23 DIRECT   "))
            let bond = try await tools.ask("bond", "0a1b2c3d4e", "show")
            #expect(bond.status == 0 && bond.output.hasPrefix("Peer                   : 0a1b2c3d4e\n"))
            #expect(
                try await tools.ask("-j", "bond", "0a1b2c3d4e", "show").output == Self.indented(RecordedReplies.bond))
            #expect(try await tools.ask("listbonds").output == tools.ask("bond", "list").output)
        }
    }

    @Test func `the tool is a command of the program too`() async throws {
        try await with { tools, service in
            let end = try await tools.run(
                "zerotier", ["cli", "-D\(tools.path)", "info"], environment: ["ZEROTIER_HOME": "/nowhere"])
            #expect(end == .init(status: 0, output: "200 info 1d2e3f4a5b 1.14.1 ONLINE\n", complaint: ""))
            let refused = try await tools.run("zerotier", ["cli", "join", "1"])
            #expect(refused.status == 2 && refused.complaint.contains("16 hexadecimal digits"))
            // A name that only begins so is the same tool, as links of packages may have.
            #expect(try await tools.run("zerotier-cli-2", ["info"]).status == 0)
        }
    }

    // MARK: Failures

    @Test func `what is not there, and what the service refuses`() async throws {
        try await with { tools, service in
            let other = try await tools.ask("get", "1d2e3f4a5b000009", "ip")
            #expect(other.status == 1 && other.output.isEmpty && other.complaint.contains("not joined"), "\(other)")
            let member = try await tools.ask("get", Self.network, "routes")
            #expect(member.status == 1 && member.output.isEmpty && member.complaint.contains("no member routes"))
            #expect(try await tools.ask("/nothing") == .init(status: 1, output: "404 /nothing \n", complaint: ""))
            let unknown = try await tools.ask("bond", "0a1b2c3d4f", "rotate")
            #expect(unknown == .init(status: 1, output: "404 rotate \n", complaint: ""))
        }
        try await with(["GET /status": .json(401, "{}"), "POST /network/\(Self.network)": .json(500, "{}")]) {
            tools, _ in
            let info = try await tools.ask("info")
            #expect(info == .init(status: 1, output: "401 info {}\n", complaint: ""))
            #expect(try await tools.ask("-j", "info") == info)
            let join = try await tools.ask("join", Self.network)
            #expect(join == .init(status: 1, output: "500 join {}\n", complaint: ""))
            #expect(try await tools.ask("dump") == .init(status: 1, output: "401 dump {}\n", complaint: ""))
        }
    }

    @Test func `answers that are none`() async throws {
        let tooLong = (16 << 20) + 1
        for (answer, reason) in [
            (ScriptedService.Answer.json(200, "<html>"), "cannot be read"),
            (.json(200, #"{"a":1}"#), "a list is expected"),
            (.raw(""), "without an answer"), (.raw("nonsense\r\n\r\n"), "not HTTP"),
            (.raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[]"), "before it is whole"),
            (.raw("HTTP/1.1 200 OK\r\nContent-Length: \(tooLong)\r\n\r\n"), "16 MiB"),
            (.raw("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: " ", count: tooLong)), "16 MiB"),
        ] {
            try await with(["GET /peer": answer]) { tools, _ in
                let end = try await tools.ask("listpeers")
                #expect(end.status == 1 && end.output.contains(reason), "\(reason): \(end)")
            }
        }
    }

    @Test func `a service that is not there is told, with where it was looked for`() async throws {
        let tools = try OriginalTools()
        let port = ScriptedService.unusedPort()
        try tools.announce(port: port)
        for words in [["info"], ["-j", "peers"], ["/status"], ["dump"]] {
            let end = try await tools.run("zerotier-cli", words)
            #expect(
                end.status == 1 && end.output.contains("Connection refused")
                    && end.output.contains("127.0.0.1:\(port)"), "\(end)")
        }
        for words in [
            ["join", Self.network], ["leave", Self.network], ["orbit", "1", "1"], ["set", Self.network, "allowDNS=1"],
        ] {
            let end = try await tools.run("zerotier-cli", words)
            #expect(end == .init(status: 1, output: "0 \(words[0]) Connection refused\n", complaint: ""))
        }
        let name = try await tools.ask("-Hnowhere.example", "info")
        #expect(name.status == 1 && name.output.contains("no IP address"))
    }

    // MARK: Port and token

    @Test func `port and token are found, trimmed, and can be given`() async throws {
        try await with { tools, service in
            try tools.write("zerotier-one.port", "\(service.port)\n")
            try tools.write("authtoken.secret", " \t\(OriginalTools.token)\r\n")
            #expect(try await tools.ask("info").status == 0)
            // The user's own copy, for who may not read the other, or where it is empty.
            try tools.write("authtoken.secret", "\n")
            let missing = try await tools.ask("info")
            #expect(missing.status == 2 && missing.output.isEmpty && missing.complaint.contains("authtoken.secret"))
            try FileManager.default.createDirectory(atPath: "\(tools.path)/nobody", withIntermediateDirectories: true)
            try tools.write("nobody/.zeroTierOneAuthToken", "own\n")
            #expect(try await tools.ask("info").status == 0)
            #expect(try await tools.ask("-Tgiven", "info").status == 0)
            #expect(service.requests.map { $0.headers["x-zt1-auth"] } == [OriginalTools.token, "own", "given"])
            // Neither needs a state directory.
            let elsewhere = try await tools.ask(
                "-D/nowhere", "-p\(service.port)", "-Tgiven", "-H127.0.0.1", "info")
            #expect(elsewhere.status == 0)
            let nowhere = try await tools.ask("-D/nowhere", "info")
            #expect(nowhere.status == 2 && nowhere.complaint.contains("/nowhere/zerotier-one.port"))
            try tools.write("zerotier-one.port", "99999")
            #expect(try await tools.ask("info").status == 2)
        }
    }

    @Test func `the token is printed nowhere`() async throws {
        let secret = "verysecrettoken"
        try await with(["GET /status": .json(401, "{}")]) { tools, service in
            try tools.write("authtoken.secret", secret)
            for words in [
                ["info"], ["dump"], ["-T\(secret)", "info"], ["-T\(secret)"], ["-T\(secret)", "nonsense"],
                ["-T\(secret)\u{1}", "info"], ["-T\(secret)", "-p", "info"], ["-T\(secret)", "-p1", "info"],
            ] {
                let end = try await tools.run("zerotier-cli", words)
                #expect(!end.output.contains(secret) && !end.complaint.contains(secret), "\(end)")
            }
            try tools.write("authtoken.secret", "\(secret)\u{7f}é")
            let unusable = try await tools.ask("info")
            #expect(unusable.status == 2 && !unusable.complaint.contains(secret))
        }
    }

    // MARK: Command line

    @Test func `help and version need no service`() async throws {
        let tools = try OriginalTools()
        #expect(try await tools.ask("-v") == .init(status: 0, output: "\(libraryVersionText)\n", complaint: ""))
        let help = try await tools.ask("-h")
        #expect(help.status == 0 && help.output.hasPrefix("zerotier-cli") && help.complaint.isEmpty)
        #expect(try await tools.ask("-?") == help)
        for words in [[], ["help"]] as [[String]] {
            let end = try await tools.run("zerotier-cli", words)
            #expect(end == .init(status: 0, output: "", complaint: help.output), "\(words)")
        }
        for wrong in ["-D", "-p", "-T", "-H", "-p0", "-p65536", "-p+1", "-px", "-j1", "-q1", "-v1", "-x", "-"] {
            let end = try await tools.ask(wrong, "info")
            #expect(
                end.status == 1 && end.output == help.output && end.complaint.contains("\(wrong) is no switch"),
                "\(end)")
        }
    }

    @Test func `a command line that makes no sense is told, and asks nothing`() async throws {
        try await with { tools, service in
            for (words, reason) in [
                (["nonsense"], "no verb nonsense"), (["join"], "the network's ID"),
                (["join", "1d2e3f4a5b00001"], "16"),
                (["join", "1d2e3f4a5b00000g"], "16"), (["join", Self.network, "more"], "takes no more"),
                (["leave"], "the network's ID"), (["set", Self.network], "a setting"),
                (["set", Self.network, "allowDNS"], "like allowDNS=1"),
                (["set", Self.network, "allow=1"], "no setting"),
                (["set", Self.network, "allowDNS=yes"], "1 or 0"),
                (["set", Self.network, "allowManaged=10.0.0.0/8"], "1 or 0"),
                (["set", Self.network, "allowDNS=1", "allowGlobal=1"], "takes no"),
                (["get", Self.network], "a member"),
                (["orbit", "1d2e3f4a5b"], "one of its roots"), (["orbit", "x", "1"], "hexadecimal"),
                (["orbit", "1", "0"], "not 0"),
                (["deorbit", "0"], "not 0"), (["bond"], "bond is followed"),
                (["bond", "0a1b2c3d4e"], "bond is followed"),
                (["bond", "0a1b", "show"], "10 hexadecimal"), (["bond", "setmtu", "67", "a", "b"], "68"),
                (["bond", "setmtu", "1400", "a"], "the other end"), (["info", "more"], "takes no"),
                (["/a b"], "without spaces"),
                (["/a\r\nX: y"], "without spaces"),
            ] as [([String], String)] {
                let end = try await tools.run("zerotier-cli", words)
                #expect(end.status == 2 && end.output.isEmpty && end.complaint.contains(reason), "\(words): \(end)")
            }
            #expect(service.requests.isEmpty)
        }
    }

    // MARK: Dump

    @Test func `a dump has what the service knows, without secrets`() async throws {
        let status =
            #"{"address":"1d2e3f4a5b","config":{"settings":{"redis":{"password":"hush1"},"vault":{"vaultToken":"hush2"}}}}"#
        var answers = Self.answers
        answers["GET /status"] = .json(200, status)
        try await with(answers) { tools, service in
            try tools.write("local.conf", #"{"settings":{"controllerDbPath":"password=hush3","primaryPort":9993}}"#)
            // Somebody's link is replaced, and what it leads to stays.
            try tools.write("precious", "kept")
            try FileManager.default.createSymbolicLink(
                atPath: "\(tools.path)/zerotier_dump.txt", withDestinationPath: "\(tools.path)/precious")
            let end = try await tools.ask("dump")
            #expect(end.status == 0 && end.output.hasSuffix("/zerotier_dump.txt\n"), "\(end)")
            let text = try tools.read("zerotier_dump.txt")
            for part in ["1d2e3f4a5b000001", "0a1b2c3d4e", "\"primaryPort\": 9993", "Linux", "127.0.0.1/8"] {
                #expect(text.contains(part), "no \(part)")
            }
            #expect(!text.contains("hush") && !text.contains(OriginalTools.token))
            #expect(try tools.read("precious") == "kept")
            #expect(
                service.requests.map(\.line).map { $0.split(separator: " ")[1] } == ["/status", "/network", "/peer"])
            // What cannot be read may have secrets anywhere.
            try tools.write("local.conf", "{ hush")
            #expect(try await tools.ask("dump").status == 0)
            #expect(try !tools.read("zerotier_dump.txt").contains("hush"))
        }
    }
}
