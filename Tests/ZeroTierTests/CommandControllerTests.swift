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
