import Foundation
import Glibc
import JSONValues
import TestSupport
import Testing

@testable import ZeroTier

extension CommandTests {
    /// A node as a daemon: what is wrong with it in a line, and its settings read again.
    @Suite struct Daemon {
        private static func ask(_ words: [String]) async throws -> (status: Int32, output: String) {
            let output = Pipe()
            return await Command.end(of: try Command.start(words, output: output), output: output)
        }

        // Of this machine, where none answers: tests ask nobody else's.
        private static func giveRoots(_ home: String) throws {
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: "\(home)/planet"))
        }

        private static func file(_ path: String) throws -> String {
            String(decoding: try #require(FileManager.default.contents(atPath: path)), as: UTF8.self)
        }

        // By the file that is written when it listens: a log need not say so.
        private static func waitForService(_ home: String) async throws {
            for _ in 0..<6000 where !FileManager.default.fileExists(atPath: "\(home)/zerotier-one.pid") {
                try await Task.sleep(for: .milliseconds(20))
            }
            _ = try file("\(home)/zerotier-one.pid")
        }

        private static func get(_ port: UInt16, _ path: String, _ token: String) async throws -> HTTPReply {
            try await withCheckedThrowingContinuation { continuation in
                Foundation.Thread.detachNewThread {
                    continuation.resume(
                        with: Result {
                            let connection = try HTTPConnection(port)
                            try connection.send("GET", path, nil, headers: ["X-ZT1-Auth: \(token)"])
                            return try connection.reply(to: "GET")
                        })
                }
            }
        }

        // MARK: What is wrong

        @Test func `a node says in one line what is wrong with it`() async throws {
            let root = try await RootProgram()
            let owner = TemporaryDirectory()
            let controller = try Program(
                Command.path, ["run", "--home", owner.path, "--controller"] + root.options)
            _ = try await controller.line(containing: "online")
            let made = try await Self.ask(["controller", "network", "create", "--home", owner.path, "--json"])
            guard
                case .string(let network)? = try JSONDocument(Array(made.output.utf8)).read({ json in
                    json.member("id")?.value
                })
            else { throw ConnectionFailure(text: made.output) }
            let home = TemporaryDirectory()
            let member = try Program(
                Command.path, ["run", "--home", home.path, "--join", network] + root.options)
            _ = try await member.line(containing: "does not admit")
            let refused = try await Self.ask(["status", "--home", home.path])
            let wrong = refused.output.split(separator: "\n").filter { $0.hasPrefix("wrong: ") }
            #expect(refused.status == 0 && wrong.count == 1, "\(refused.output)")
            #expect(wrong.first?.contains("network \(network) does not admit this node yet") == true, "\(wrong)")
            let healthy = try await Self.ask(["status", "--home", owner.path])
            #expect(healthy.status == 0 && !healthy.output.contains("wrong: "), "\(healthy.output)")
            let json = try await Self.ask(["status", "--home", home.path, "--json"])
            #expect(json.output.contains(#""problems":[{"code":"notAuthorised","message":"network "#), "\(json.output)")
            // The last root goes.
            root.program.interrupt()
            _ = try await root.program.end()
            for program in [controller, member] {
                program.interrupt()
                #expect(try await program.end() == 0)
            }
        }

        @Test func `without an answering root it names those that were asked`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            let node = try Program(Command.path, ["run", "--home", home.path])
            _ = try await node.line(containing: "state in")
            let status = try await Self.ask(["status", "--home", home.path])
            #expect(status.output.contains("\nwrong: no root answers (127.0.0.1:1)"), "\(status.output)")
            node.interrupt()
            #expect(try await node.end() == 0)
        }

        @Test func `while none runs, the last failure is named until a start succeeds`() async throws {
            let (home, other) = (TemporaryDirectory(), TemporaryDirectory())
            for directory in [home, other] { try Self.giveRoots(directory.path) }
            let never = try await Self.ask(["status", "--home", home.path])
            #expect(never.status == 1 && never.output.contains("start one with"), "\(never.output)")
            let port = try Node.findFreePort()
            let holder = try Program(Command.path, ["run", "--home", other.path, "--udp-port", "\(port)"])
            _ = try await holder.line(containing: "state in")
            let taken = try Program(Command.path, ["run", "--home", home.path, "--udp-port", "\(port)"])
            #expect(try await taken.end() == 1)
            let status = try await Self.ask(["status", "--home", home.path])
            #expect(status.status == 1 && status.output.contains("no node runs in \(home.path)"), "\(status.output)")
            #expect(status.output.contains("failed at ") && status.output.contains("port \(port)"), "\(status.output)")
            // A store that cannot be read.
            try "no records".write(toFile: "\(home.path)/controller.db", atomically: false, encoding: .utf8)
            let unreadable = try Program(Command.path, ["run", "--home", home.path, "--controller"])
            #expect(try await unreadable.end() == 1)
            let store = try await Self.ask(["status", "--home", home.path])
            #expect(store.output.contains("\(home.path)/controller.db"), "\(store.output)")
            #expect(try Self.file("\(home.path)/controller.db") == "no records")
            // A start that succeeds has forgotten it.
            let good = try Program(Command.path, ["run", "--home", home.path])
            _ = try await good.line(containing: "state in")
            good.interrupt()
            #expect(try await good.end() == 0)
            let after = try await Self.ask(["status", "--home", home.path])
            #expect(after.output.contains("start one with") && !after.output.contains("failed"), "\(after.output)")
            holder.interrupt()
            #expect(try await holder.end() == 0)
        }

        // MARK: Settings

        @Test func `info shows local.conf as the service does`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            try #"{"physical":{"10.0.0.0/8":{"mtu":1400}},"settings":{"lowBandwidthMode":true,"primaryPort":1}}"#
                .write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            let node = try Program(Command.path, ["run", "--home", home.path])
            let line = try await node.line(containing: "UDP port")
            let info = try await Self.ask(["info", "--json", "--home", home.path])
            let config = try JSONDocument(Array(info.output.utf8)).read { json in json.member("config")?.value }
            let text = try #require(config?.text)
            #expect(text.contains(#""physical":{"10.0.0.0/8":{"mtu":1400}}"#), "\(text)")
            #expect(text.contains(#""lowBandwidthMode":true"#), "\(text)")
            // Where the node is, no file can say.
            #expect(!text.contains(#""primaryPort":1,"#) && text.contains(#""primaryPort":"#), "\(line): \(text)")
            node.interrupt()
            #expect(try await node.end() == 0)
        }

        @Test func `SIGHUP reads settings and tokens again, and wrong ones change nothing`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            let program = try Program(
                Command.path, ["run", "--home", home.path, "--service", "--service-port", "0", "--controller"])
            let line = try await program.line(containing: "service at")
            let port = try #require(UInt16(try Self.file("\(home.path)/zerotier-one.port")))
            #expect(line.contains("page at http://127.0.0.1:\(port)/app/"), "\(line)")
            let old = try Self.file("\(home.path)/authtoken.secret")
            #expect(try await Self.get(port, "/status", old).status == 200)
            let new = String(old.reversed()) + "0"
            try new.write(toFile: "\(home.path)/authtoken.secret", atomically: false, encoding: .utf8)
            try #"{"settings":{"allowManagementFrom":["127.0.0.0/8"]}}"#
                .write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            program.send(SIGHUP)
            _ = try await program.line(containing: "read the service's settings and tokens again")
            #expect(try await Self.get(port, "/status", old).status == 401)
            #expect(try await Self.get(port, "/status", new).status == 200)
            try "two words".write(toFile: "\(home.path)/authtoken.secret", atomically: false, encoding: .utf8)
            try "{".write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            program.send(SIGHUP)
            _ = try await program.line(containing: "the tokens before it stay in force")
            _ = try await program.line(containing: "local.conf: line 1")
            #expect(try await Self.get(port, "/status", new).status == 200)
            program.send(SIGTERM)
            #expect(try await program.end() == 0)
            for secret in [old, new] { #expect(!program.output.joined().contains(secret)) }
        }

        @Test func `the level of the log is a setting, which SIGHUP reads again`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            func write(_ text: String) throws {
                try text.write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            }
            try write(#"{"settings":{"logLevel":"warning"}}"#)
            let program = try Program(Command.path, ["run", "--home", home.path, "--service", "--service-port", "0"])
            // Written when it is served: no line says so.
            try await Self.waitForService(home.path)
            try write("{")
            program.send(SIGHUP)
            _ = try await program.line(containing: "local.conf: line 1")
            #expect(!program.output.contains { $0.contains(" info ") }, "\(program.output)")
            try write("{}")
            program.send(SIGHUP)
            _ = try await program.line(containing: "read the service's settings and tokens again")
            program.send(SIGTERM)
            #expect(try await program.end() == 0)
        }

        @Test func `an option says which lines of the log are written, whatever the settings say`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            try #"{"settings":{"logLevel":"info"}}"#
                .write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            let program = try Program(
                Command.path,
                ["run", "--home", home.path, "--service", "--service-port", "0", "--log-level", "error"])
            try await Self.waitForService(home.path)
            program.send(SIGTERM)
            #expect(try await program.end() == 0)
            #expect(program.output.isEmpty, "\(program.output)")
            let wrong = try await Self.ask(["run", "--home", home.path, "--log-level", "loud"])
            #expect(wrong.status == 64)
        }

        @Test func `SIGHUP ends a node that serves nobody`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            let node = try Program(Command.path, ["run", "--home", home.path])
            _ = try await node.line(containing: "state in")
            node.send(SIGHUP)
            #expect(try await node.end() == 0)
        }
    }
}
