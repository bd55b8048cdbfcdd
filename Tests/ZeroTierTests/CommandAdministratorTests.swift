import Foundation
import Testing

@testable import ZeroTier

extension CommandTests {
    /// What an administrator is told without having asked.
    @Suite struct Administrator {
        /// A root, a controller and a member, each a program.
        private final class Lab {
            let homes = [TemporaryDirectory(), TemporaryDirectory()]
            let root: RootProgram
            let controller: Program
            let member: Program

            init() async throws {
                root = try await RootProgram()
                controller = try Program(
                    Command.path, ["run", "--home", homes[0].path, "--controller"] + root.options)
                member = try Program(Command.path, ["run", "--home", homes[1].path] + root.options)
                for program in [controller, member] { _ = try await program.line(containing: "state in") }
            }

            func ask(_ words: [String], home: Int = 0) async throws -> (status: Int32, output: String) {
                let output = Pipe()
                return await Command.end(
                    of: try Command.start(words + ["--home", homes[home].path], output: output), output: output)
            }

            func control(_ words: String...) async throws -> (status: Int32, output: String) {
                try await ask(["controller"] + words)
            }

            func object(_ words: String...) async throws -> [String: Any] {
                let answer = try await ask(["controller"] + words + ["--json"])
                return try #require(try Command.json(answer.output) as? [String: Any], "\(answer.output)")
            }

            func create(_ words: String...) async throws -> String {
                let answer = try await ask(["controller", "network", "create"] + words + ["--json"])
                let record = try #require(try Command.json(answer.output) as? [String: Any], "\(answer.output)")
                return try #require(record["id"] as? String)
            }

            func node() async throws -> String {
                let status = try await ask(["status", "--json"], home: 1)
                return try #require((try Command.json(status.output) as? [String: Any])?["address"] as? String)
            }
        }

        @Test func `what does not do what it seems to is told beside the answer`() async throws {
            let lab = try await Lab()
            // Ranges beside a subnet are those of it.
            let made = try await lab.control(
                "network", "create", "--subnet", "10.97.0.0/24", "--pool", "10.97.0.10-10.97.0.19")
            #expect(made.output.contains("pool: 10.97.0.10-10.97.0.19") && !made.output.contains("10.97.0.1-"))
            #expect(made.status == 0 && !made.output.contains("warning"), "\(made.output)")
            let id = try await lab.create("--subnet", "10.98.0.0/24", "--pool", "10.55.0.1-10.55.0.9")
            let set = try await lab.control("network", "set", id, "--name", "x")
            #expect(set.status == 0 && set.output.contains("warning: ipAssignmentPools: 10.55.0.1-10.55.0.9"))
            let record = try await lab.object("network", "set", id, "--clear", "pools", "--token", "sesame")
            let warnings = try #require(record["warnings"] as? [[String: String]])
            #expect(warnings.map { $0["kind"] } == ["modeWithoutPool"] && warnings[0]["field"] == "v4AssignMode")
            #expect((record["authTokens"] as? [String: Int]) == ["sesame": 0])
            #expect((record["rules"] as? [[String: Any]])?.count == 1 && record["tags"] is [Any])
            let member = try await lab.control("member", "set", id, "1122334455", "--address", "10.3.0.1")
            #expect(member.output.contains("warning: member 1122334455: ipAssignments: 10.3.0.1"), "\(member.output)")
            // The same subnet a second time.
            let again = try await lab.control("network", "create", "--subnet", "10.97.0.0/16")
            #expect(again.output.contains("warning: routes: 10.97.0.0/16 overlaps 10.97.0.0/24"), "\(again.output)")
        }

        @Test func `full pools, tags and capabilities are shown`() async throws {
            let lab = try await Lab()
            let id = try await lab.create("--subnet", "10.96.0.0/24", "--pool", "10.96.0.5-10.96.0.5")
            let node = try await lab.node()
            #expect(
                try await lab.control("member", "set", id, "1122334455", "--address", "10.96.0.5").status == 0)
            #expect(try await lab.ask(["join", id], home: 1).status == 0)
            #expect(try await lab.control("member", "authorize", id, node).status == 0)
            _ = try await lab.controller.line(containing: "no address is left in the pools for member \(node)")
            let list = try await lab.control("member", "list", id)
            #expect(list.output.contains("no IPv4 left") && list.output.contains("warning: member \(node)"))
            let shown = try await lab.control("network", "show", id)
            #expect(shown.output.contains("warning: ipAssignmentPools: all IPv4 addresses"), "\(shown.output)")
            let file = lab.homes[0].path + "/net.rules"
            try "tag level id 7 enum 5 high default high;\ncap all id 9 accept;;\naccept;\n"
                .write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await lab.control("rules", "set", id, file).status == 0)
            let set = try await lab.control(
                "member", "set", id, node, "--tag", "level=high", "--capability", "all", "--name", "printer")
            #expect(set.status == 0 && set.output.contains("level=high") && set.output.contains("all"))
            let member = try await lab.control("member", "show", id, node)
            for text in ["printer", "tags: level=high", "capabilities: all", "let in by: an administrator"] {
                #expect(member.output.contains(text), "\(member.output)")
            }
            let network = try await lab.control("network", "show", id)
            #expect(network.output.contains("tag: level (7), default high"), "\(network.output)")
            #expect(network.output.contains("capability: all (9), 1 rules"))
            #expect(try await lab.object("member", "show", id, node)["warnings"] is [Any])
        }

        @Test func `who is not let in hears why at once, and sees no address that it cannot use`() async throws {
            let lab = try await Lab()
            let id = try await lab.create("--subnet", "10.95.0.0/24", "--token", "sesame")
            let node = try await lab.node()
            let wrong = try await lab.ask(["join", id, "--token", "sesam"], home: 1)
            #expect(wrong.status == 1 && wrong.output.contains("token, which is wrong"), "\(wrong.output)")
            let right = try await lab.ask(["join", id, "--token", "sesame"], home: 1)
            #expect(right.status == 0 && right.output.contains("ok"), "\(right.output)")
            #expect(try await lab.control("member", "deauthorize", id, node).status == 0)
            _ = try await lab.member.line(containing: "does not admit this node by its token")
            let networks = try await lab.ask(["networks"], home: 1)
            let row = networks.output.split(separator: "\n").first { $0.hasPrefix(id) }
            #expect(row?.hasSuffix("-") == true && networks.output.contains("cannot be used"), "\(networks.output)")
            let list = try await lab.ask(["networks", "--json"], home: 1)
            #expect(try (Command.json(list.output) as? [[String: Any]])?.first?["usable"] as? Bool == false)
            let refused = try await lab.ask(["join", id, "--token", "sesame"], home: 1)
            #expect(refused.status == 1 && refused.output.contains("let this node out"), "\(refused.output)")
        }

        @Test func `what was meant is guessed`() async throws {
            let lab = try await Lab()
            let id = try await lab.create("--name", "home")
            #expect(try await lab.control("member", "set", id, "1122334455", "--name", "printer").status == 0)
            let swapped = String(id.prefix(14)) + String(id.suffix(2).reversed())
            let changed = String(id.dropLast()) + (id.hasSuffix("0") ? "1" : "0")
            for typo in [String(id.dropLast()), id + "0", changed] + (swapped == id ? [] : [swapped]) {
                for words in [["network", "show", typo], ["member", "list", typo], ["rules", "clear", typo]] {
                    let answer = try await lab.ask(["controller"] + words)
                    #expect(answer.status == 1 && answer.output.contains("Did you mean \(id)?"), "\(answer.output)")
                }
            }
            #expect(try await lab.ask(["join", id], home: 1).status == 0)
            let left = try await lab.ask(["leave", changed], home: 1)
            #expect(left.status == 1 && left.output.contains("Did you mean \(id)?"), "\(left.output)")
            let member = try await lab.control("member", "show", id, "1122334454")
            #expect(member.status == 1 && member.output.contains("Did you mean 1122334455?"), "\(member.output)")
            let new = try await lab.control("member", "authorize", id, "1122334465")
            #expect(new.status == 0 && new.output.contains("Did you mean 1122334455?"), "\(new.output)")
            let far = try await lab.control("network", "show", "0123456789abcdef")
            #expect(far.status == 1 && !far.output.contains("Did you mean"), "\(far.output)")
            for (words, text) in [
                (["controler"], "zerotier has no verb 'controler'. Did you mean 'controller'?"),
                (
                    ["controller", "netwrok", "list"],
                    "zerotier controller has no verb 'netwrok'. Did you mean 'network'?"
                ),
                (["controller", "network", "creat", "--name", "x"], "Did you mean 'create'?"),
                (["controller", "member", "let-in"], "there are list, show, authorize"),
                (["controller", "network", "create", "--nme", "x"], "Did you mean '--name'?"),
                (["-D/tmp", "staus", "--json"], "Did you mean 'status'?"),
            ] {
                let output = Pipe()
                let ended = await Command.end(of: try Command.start(words, output: output), output: output)
                #expect(ended.status == 64 && ended.output.contains(text), "\(words): \(ended.output)")
            }
        }
    }
}
