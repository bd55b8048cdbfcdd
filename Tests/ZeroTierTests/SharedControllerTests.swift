import Foundation
import Testing
import TestSupport

@testable import ZeroTier

extension CommandTests {
    /// `zerotier run --controller --store`: whole nodes, two controllers with one identity and one database.
    @Suite struct SharedController {
        /// A controller on the command line.
        private struct Station {
            let home: TemporaryDirectory
            let program: Program
            let proxy: CutProxy

            init(_ name: String, _ identity: String, _ database: String, _ root: RootProgram) async throws {
                home = TemporaryDirectory()
                try FileManager.default.createDirectory(atPath: home.path, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: identity, toPath: home.path + "/identity.secret")
                let server = try PostgresServer.shared.get()
                proxy = try CutProxy(to: server.port)
                program = try Program(
                    Command.path,
                    [
                        "run", "--home", home.path, "--controller", "--store",
                        server.address(of: database, by: proxy.port), "--store-name", name,
                    ] + root.options)
                _ = try await program.line(containing: "controller ")
            }

            func ask(_ words: String...) async throws -> (status: Int32, output: String) {
                let output = Pipe()
                return await Command.end(
                    of: try Command.start(words + ["--home", home.path], output: output), output: output)
            }
        }

        private static func until(_ what: String, _ body: () async throws -> Bool) async throws {
            for _ in 0..<1500 {
                if try await body() { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            try #require(Bool(false), "\(what) did not happen")
        }

        @Test func `when the active controller dies, the other one answers members, and status says who it is`()
            async throws
        {
            let root = try await RootProgram()
            let database = try PostgresServer.shared.get().makeDatabase()
            let identity = root.directory.path + "/shared.secret"
            #expect(try await Command.run("identity", "new", "--output", identity).status == 0)
            let first = try await Station("first", identity, database, root)
            _ = try await first.program.line(containing: "node ")
            let second = try await Station("second", identity, database, root)
            _ = try await second.program.line(containing: "first/")
            let standby = try await second.ask("status")
            #expect(standby.output.contains("standby, ") || standby.output.contains("standby as second/"))
            #expect(standby.output.contains("holder first/"), "\(standby.output)")
            #expect(try await first.ask("status").output.contains("active as first/"))
            let refused = try await second.ask("controller", "network", "list")
            #expect(refused.status == 1 && refused.output.contains("ask first/"), "\(refused.output)")
            let made = try await first.ask(
                "controller", "network", "create", "--private", "no", "--subnet", "10.97.0.0/24", "--json")
            let record = try #require(try Command.json(made.output) as? [String: Any], "\(made.output)")
            let id = try #require(record["id"] as? String)
            // A member gets its address of the first one.
            let homes = [TemporaryDirectory(), TemporaryDirectory()]
            let members = try homes.map {
                try Program(Command.path, ["run", "--home", $0.path] + root.options)
            }
            for member in members { _ = try await member.line(containing: "state in") }
            func join(_ index: Int) async throws {
                let output = Pipe()
                let joined = await Command.end(
                    of: try Command.start(["join", id, "--home", homes[index].path], output: output), output: output)
                #expect(joined.status == 0, "\(joined.output)")
            }
            try await join(0)
            _ = try await members[0].line(containing: "10.97.0.")
            try await Self.until("the standby's copy") {
                try await second.ask("status").output.contains("1 networks, 1 members")
            }
            let killed = ContinuousClock.now
            first.program.send(SIGKILL)
            _ = try await second.program.line(containing: "node ")
            let taken = ContinuousClock.now - killed
            // One that never spoke to a controller, by the root; and one that knows the way to the dead one.
            try await join(1)
            _ = try await members[1].line(containing: "10.97.0.")
            let joined = ContinuousClock.now - killed
            let output = Pipe()
            _ = await Command.end(
                of: try Command.start(["leave", id, "--home", homes[0].path], output: output), output: output)
            try await join(0)
            try await Self.until("the member's return") {
                members[0].output.count { $0.contains("10.97.0.") } > 1
            }
            let returned = ContinuousClock.now - killed
            let status = try await second.ask("status").output
            #expect(status.contains("active as second/") && status.contains("epoch 2"), "\(status)")
            let list = try await second.ask("controller", "member", "list", id, "--json")
            let known = try #require(try Command.json(list.output) as? [[String: Any]], "\(list.output)")
            let addresses = known.compactMap { ($0["ipAssignments"] as? [String])?.first }
            #expect(addresses.count == 2 && Set(addresses).count == 2)
            print(
                "after the active controller was killed: the other one ran \(taken), a new member had its address "
                    + "\(joined), one that left had its own again \(returned)")
        }

        @Test func `who is cut off from the database is silent, and a standby again later`() async throws {
            let root = try await RootProgram()
            let database = try PostgresServer.shared.get().makeDatabase()
            let identity = root.directory.path + "/shared.secret"
            #expect(try await Command.run("identity", "new", "--output", identity).status == 0)
            let first = try await Station("first", identity, database, root)
            _ = try await first.program.line(containing: "node ")
            let second = try await Station("second", identity, database, root)
            _ = try await second.program.line(containing: "first/")
            first.proxy.cut(true)
            _ = try await second.program.line(containing: "took the lease as second/")
            _ = try await first.program.line(containing: "the lease is over")
            first.proxy.cut(false)
            try await Self.until("the standby") {
                try await first.ask("status").output.contains("holder second/")
            }
            // Whoever ends gives the lease back.
            second.program.interrupt()
            try await Self.until("the return") {
                try await first.ask("status").output.contains("active as first/")
            }
        }

        @Test func `what is wrong with a store is said, without its password`() async throws {
            let home = TemporaryDirectory()
            try FileManager.default.createDirectory(atPath: home.path, withIntermediateDirectories: true)
            let secret = "correct-horse"
            let shown = try await Command.run(
                "run", "--home", home.path, "--controller", "--store", "postgres://u:\(secret)@127.0.0.1/d")
            #expect(shown.status == 1 && shown.output.contains("--store-file") && !shown.output.contains(secret))
            let file = home.path + "/store"
            try "postgres://u:\(secret)@127.0.0.1/d\n".write(toFile: file, atomically: true, encoding: .utf8)
            chmod(file, 0o644)
            let open = try await Command.run("run", "--home", home.path, "--controller", "--store-file", file)
            #expect(open.status == 1 && open.output.contains("chmod 600"), "\(open.output)")
            chmod(file, 0o600)
            let without = try await Command.run("run", "--home", home.path, "--controller", "--store-file", file)
            #expect(without.status == 1 && without.output.contains("identity.secret is missing"), "\(without.output)")
            let foreign = try await Command.run("run", "--home", home.path, "--controller", "--store", "mysql://h/d")
            #expect(foreign.status == 1 && foreign.output.contains("postgres://USER@HOST"), "\(foreign.output)")
            let alone = try await Command.run("run", "--home", home.path, "--store", "postgres://h/d")
            #expect(alone.status == 64 && alone.output.contains("--controller"), "\(alone.output)")
        }
    }
}
