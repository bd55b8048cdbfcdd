import Foundation
import Testing

@testable import ZeroTier

extension CommandTests {
    /// `zerotier controller` against a running `zerotier run --controller`.
    @Suite struct Controller {
        @Test func `a network of one's own in three commands, and what each of them shows`() async throws {
            let root = try await RootProgram()
            let homes = [TemporaryDirectory(), TemporaryDirectory()]
            let controller = try Program(
                Command.path, ["run", "--home", homes[0].path, "--controller"] + root.options)
            let member = try Program(Command.path, ["run", "--home", homes[1].path] + root.options)
            for program in [controller, member] { _ = try await program.line(containing: "state in") }
            func ask(_ words: String..., home: Int = 0) async throws -> (status: Int32, output: String) {
                let output = Pipe()
                return await Command.end(
                    of: try Command.start(words + ["--home", homes[home].path], output: output), output: output)
            }
            let made = try await ask(
                "controller", "network", "create", "--name", "my 100% home", "--subnet", "10.99.0.0/24", "--json")
            #expect(made.status == 0, "\(made.output)")
            let record = try #require(try Command.json(made.output) as? [String: Any])
            let id = try #require(record["id"] as? String)
            #expect(record["name"] as? String == "my 100% home" && record["private"] as? Bool == true)
            #expect(try await ask("join", id, home: 1).status == 0)
            let status = try #require(
                try Command.json(try await ask("status", "--json", home: 1).output) as? [String: Any])
            let node = try #require(status["address"] as? String)
            _ = try await controller.line(containing: "node \(node) waits to be let in")
            let waiting = try await ask("controller", "member", "list", id)
            #expect(waiting.output.contains(node) && waiting.output.contains("waiting"))
            let authorized = try await ask("controller", "member", "authorize", id, node, "--json")
            #expect(authorized.status == 0, "\(authorized.output)")
            _ = try await member.line(containing: "10.99.0.")
            let members = try #require(
                try Command.json(try await ask("controller", "member", "list", id, "--json").output) as? [[String: Any]]
            )
            #expect(members.count == 1 && members[0]["authorized"] as? Bool == true)
            #expect((members[0]["ipAssignments"] as? [String])?.count == 1)
            #expect(try await ask("controller", "member", "deauthorize", id, node).output.contains("not authorized"))
            #expect(try await ask("controller", "network", "set", id, "--mtu", "1400").output.contains("MTU: 1400"))
            #expect(try await ask("controller", "network", "list").output.contains(id))
            #expect(try await ask("controller", "network", "delete", id).status == 0)
            let gone = try await ask("controller", "network", "show", id)
            #expect(gone.status == 1 && gone.output.contains("no network \(id)"))
        }

        @Test func `tokens, rules and tags on the command line`() async throws {
            let root = try await RootProgram()
            let homes = [TemporaryDirectory(), TemporaryDirectory()]
            let controller = try Program(
                Command.path, ["run", "--home", homes[0].path, "--controller"] + root.options)
            let member = try Program(Command.path, ["run", "--home", homes[1].path] + root.options)
            for program in [controller, member] { _ = try await program.line(containing: "state in") }
            func ask(_ words: String..., home: Int = 0) async throws -> (status: Int32, output: String) {
                let output = Pipe()
                return await Command.end(
                    of: try Command.start(words + ["--home", homes[home].path], output: output), output: output)
            }
            let made = try await ask("controller", "network", "create", "--subnet", "10.98.0.0/24", "--json")
            let record = try #require(try Command.json(made.output) as? [String: Any])
            let id = try #require(record["id"] as? String)
            // Let in by a token, whose text is as hard as it can be.
            let token = try await ask("controller", "token", "add", id, "json", "--hours", "2")
            #expect(token.status == 0 && token.output.contains("zerotier join \(id) --token json"), "\(token.output)")
            #expect(try await ask("controller", "token", "add", id).output.split(separator: "\n")[0].count == 24)
            #expect(try await ask("controller", "token", "list", id).output.contains("for 120 minutes"))
            #expect(try await ask("join", id, "--token", "json", home: 1).status == 0)
            _ = try await member.line(containing: "10.98.0.")
            #expect(try await ask("controller", "token", "remove", id, "json").status == 0)
            #expect(try await ask("controller", "token", "remove", id, "json").output.contains("no token json"))
            // Rules that drop everything because there are none, and a member that would be let in again at once.
            let file0 = homes[0].path + "/empty.rules"
            try "# nothing\n".write(toFile: file0, atomically: true, encoding: .utf8)
            let none = try await ask("controller", "rules", "set", id, file0)
            #expect(none.status == 1 && none.output.contains("drops everything"), "\(none.output)")
            #expect(try await ask("controller", "network", "set", id, "--private", "no").status == 0)
            let out = try await ask("controller", "member", "deauthorize", id, "1122334455")
            #expect(out.status == 1 && out.output.contains("--private yes"), "\(out.output)")
            #expect(try await ask("controller", "network", "set", id, "--private", "yes").status == 0)
            // Rules with a tag and a capability.
            let file = homes[0].path + "/net.rules"
            try "# mine\ntag level id 7 enum 5 high;\ncap all id 9 accept;;\ndrop ethertype arp;\naccept;\n"
                .write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await ask("controller", "rules", "set", id, file).output.contains("# mine"))
            let shown = try await ask("controller", "rules", "show", id, "--json")
            let rules = try #require(try Command.json(shown.output) as? [String: Any])
            #expect((rules["rulesSource"] as? String)?.hasPrefix("# mine") == true)
            #expect(((rules["config"] as? [String: Any])?["rules"] as? [Any])?.count == 3)
            let status = try #require(
                try Command.json(try await ask("status", "--json", home: 1).output) as? [String: Any])
            let node = try #require(status["address"] as? String)
            let set = try await ask(
                "controller", "member", "set", id, node, "--tag", "level=high", "--capability", "all", "--json")
            let members = try #require(try Command.json(set.output) as? [[String: Any]])
            #expect(members[0]["tags"] as? [[Int]] == [[7, 5]] && members[0]["capabilities"] as? [Int] == [9])
            // Other rules do not know them, and the member has them still.
            #expect(try await ask("controller", "rules", "clear", id).status == 0)
            let stray = try await ask(
                "controller", "member", "set", id, node, "--no-tag", "7", "--no-capability", "9", "--json")
            let bare = try #require(try Command.json(stray.output) as? [[String: Any]])
            #expect(
                (bare[0]["tags"] as? [Any])?.isEmpty == true && (bare[0]["capabilities"] as? [Any])?.isEmpty == true)
            #expect(try await ask("controller", "rules", "set", id, file).status == 0)
            let cleared = try await ask(
                "controller", "member", "set", id, node, "--no-tag", "level", "--clear", "capabilities", "--clear",
                "addresses", "--json")
            let after = try #require(try Command.json(cleared.output) as? [[String: Any]])
            #expect(
                (after[0]["tags"] as? [Any])?.isEmpty == true && (after[0]["capabilities"] as? [Any])?.isEmpty == true)
            for (words, text) in [
                (["member", "set", id, node, "--tag", "height=3"], "there are level"),
                (["member", "set", id, node, "--tag", "level=tall"], "one of high"),
                (["member", "set", id, node, "--capability", "none"], "there are all"),
                (["network", "set", id, "--clear", "members"], "routes, pools"),
                (["token", "add", id, ""], "empty"),
            ] {
                let output = Pipe()
                let process = try Command.start(["controller"] + words + ["--home", homes[0].path], output: output)
                let ended = await Command.end(of: process, output: output)
                #expect(ended.status != 0 && ended.output.contains(text), "\(words): \(ended.output)")
            }
            try "accept;\ndrop dport 70000;\n".write(toFile: file, atomically: true, encoding: .utf8)
            let wrong = try await ask("controller", "rules", "set", id, file)
            #expect(wrong.status == 1 && wrong.output.contains("net.rules: line 2, column 12"), "\(wrong.output)")
            #expect(try await ask("controller", "rules", "show", id).output.contains("# mine"))
            #expect(try await ask("controller", "rules", "clear", id).output == "accept;\n")
            #expect(try await ask("controller", "network", "set", id, "--clear", "tokens").status == 0)
            #expect(try await ask("controller", "token", "list", id).output.contains("no tokens"))
        }

        @Test func `records go out to files and come in from them, all of them or none`() async throws {
            let root = try await RootProgram()
            let homes = [TemporaryDirectory(), TemporaryDirectory()]
            let folder = TemporaryDirectory()
            let files = folder.path + "/controller.d"
            let nodes = try homes.map {
                try Program(Command.path, ["run", "--home", $0.path, "--controller"] + root.options)
            }
            for node in nodes { _ = try await node.line(containing: "state in") }
            func ask(_ words: String..., home: Int = 0) async throws -> (status: Int32, output: String) {
                let output = Pipe()
                return await Command.end(
                    of: try Command.start(["controller"] + words + ["--home", homes[home].path], output: output),
                    output: output)
            }
            let made = try await ask("network", "create", "--name", "home", "--subnet", "10.99.0.0/24", "--json")
            let id = try #require((try Command.json(made.output) as? [String: Any])?["id"] as? String)
            #expect(try await ask("member", "authorize", id, "1122334455").status == 0)
            #expect(try await ask("member", "set", id, "1122334456", "--name", "two").status == 0)
            let exported = try await ask("export", files)
            #expect(exported.status == 0 && exported.output.contains("1 networks and 2 members"), "\(exported.output)")
            let network = "\(files)/network/\(id).json"
            let member = "\(files)/network/\(id)/member/1122334455.json"
            let before = try [network, member].map { try String(contentsOfFile: $0, encoding: .utf8) }
            #expect(before[1].contains("\"authorized\":true") && before[0].contains("\"name\":\"home\""))
            let mode = try FileManager.default.attributesOfItem(atPath: network)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            // What others keep beside them stays.
            let extra = "\(files)/network/\(id).ext.json"
            try "{}".write(toFile: extra, atomically: true, encoding: .utf8)
            #expect(try await ask("export", files).status == 0)
            #expect(FileManager.default.fileExists(atPath: extra))
            #expect(try [network, member].map { try String(contentsOfFile: $0, encoding: .utf8) } == before)
            // There already.
            let again = try await ask("import", files)
            #expect(again.status == 1 && again.output.contains("there is a network \(id) already"), "\(again.output)")
            #expect(again.output.contains("--existing keep"))
            for existing in ["keep", "replace"] {
                let same = try await ask("import", files, "--existing", existing)
                #expect(same.status == 0 && same.output.contains("0 members"), "\(same.output)")
            }
            // Gone, and come back.
            #expect(try await ask("network", "delete", id).status == 0)
            // A record that this node does not have would let its member in.
            let stale = try await ask("export", files)
            #expect(stale.status == 1 && stale.output.contains("\(id).json: this node has no such record"))
            let back = try await ask("import", files)
            #expect(back.status == 0 && back.output.contains("2 members") && back.output.contains("ext.json"))
            #expect(!back.output.contains("must join"))
            #expect(try await ask("export", files).status == 0)
            #expect(try [network, member].map { try String(contentsOfFile: $0, encoding: .utf8) } == before)
            // Another controller has it as a network of its own.
            let moved = try await ask("import", files, home: 1)
            #expect(moved.status == 0 && moved.output.contains("must join") && moved.output.contains("1122334455"))
            #expect(!moved.output.contains("1122334456"))
            let twice = try await ask("import", files, home: 1)
            #expect(twice.status == 1 && twice.output.contains("already"), "\(twice.output)")
            // A file that is cut, one that is none, and none at all.
            try String(before[1].dropLast(9)).write(toFile: member, atomically: true, encoding: .utf8)
            let cut = try await ask("import", files, home: 1)
            #expect(cut.status == 1 && cut.output.contains("1122334455.json: line 1"), "\(cut.output)")
            let device = try await ask("import", "/dev/zero", home: 1)
            #expect(device.status == 1 && device.output.contains("/dev/zero: it is no file"))
            let nothing = try await ask("import", folder.path + "/none", home: 1)
            #expect(nothing.status == 1 && nothing.output.contains("none"))
            let list = try await ask("network", "list", "--json", home: 1)
            #expect((try Command.json(list.output) as? [Any])?.count == 1)
        }

        @Test func `what makes no sense is refused in words`() async throws {
            let root = try await RootProgram()
            let homes = [TemporaryDirectory(), TemporaryDirectory()]
            let plain = try Program(Command.path, ["run", "--home", homes[0].path] + root.options)
            let controller = try Program(
                Command.path, ["run", "--home", homes[1].path, "--controller"] + root.options)
            for program in [plain, controller] { _ = try await program.line(containing: "state in") }
            let none = try await Command.run("controller", "network", "list", "--home", homes[0].path)
            #expect(none.status == 1 && none.output.contains("no controller"))
            for (words, text) in [
                (["network", "create", "--pool", "10.0.0.9-10.0.0.1"], "ipAssignmentPools"),
                (["network", "create", "--pool", "10.0.0.9"], "two addresses"),
                (["network", "create", "--route", "nowhere"], "routes"),
                (["network", "create", "--mtu", "5"], "mtu"),
                (["network", "show", "0123456789abcdef"], "no network"),
                (["member", "list", "0123456789abcdef"], "no network"),
                (["member", "authorize", "0123456789abcdef", "12"], "10 hexadecimal digits"),
                (["network", "create", "--subnet", "10.0.0.1/31"], "subnet"),
                (["network", "set", "0123456789abcdef"], "nothing to change"),
            ] {
                let output = Pipe()
                let process = try Command.start(["controller"] + words + ["--home", homes[1].path], output: output)
                let ended = await Command.end(of: process, output: output)
                #expect(ended.status != 0 && ended.output.contains(text), "\(words): \(ended.output)")
            }
        }
    }
}
