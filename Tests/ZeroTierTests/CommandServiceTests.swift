import Foundation
import Glibc
import TestSupport
import Testing

@testable import ZeroTier

extension CommandTests {
    /// `zerotier run --service`: files, the end, mistakes.
    @Suite struct Service {
        private static func run(_ home: String, _ more: [String] = ["--controller"]) throws -> Program {
            try giveRoots(home)
            return try Program(Command.path, ["run", "--home", home, "--service", "--service-port", "0"] + more)
        }

        // Of this machine, where none answers: tests ask nobody else's.
        private static func giveRoots(_ home: String) throws {
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: "\(home)/planet"))
        }

        private static func file(_ home: String, _ name: String) throws -> String {
            String(decoding: try #require(FileManager.default.contents(atPath: "\(home)/\(name)")), as: UTF8.self)
        }

        private static func onThread<Value: Sendable>(
            _ body: @escaping @Sendable () throws -> Value
        ) async throws -> Value {
            try await withCheckedThrowingContinuation { continuation in
                Foundation.Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
            }
        }

        private static func ask(_ port: UInt16, _ method: String, _ path: String, _ token: String) async throws
            -> HTTPReply
        {
            try await onThread {
                let connection = try HTTPConnection(port)
                try connection.send(method, path, method == "POST" ? "{}" : nil, headers: ["X-ZT1-Auth: \(token)"])
                return try connection.reply(to: method)
            }
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `tools find token and port, and the end is clean`(signal: Int32) async throws {
            let home = TemporaryDirectory()
            let program = try Self.run(home.path)
            let line = try await program.line(containing: "service at")
            let port = try #require(UInt16(try Self.file(home.path, "zerotier-one.port")))
            #expect(
                line.contains("http://127.0.0.1:\(port)") && line.contains("\(home.path)/authtoken.secret"), "\(line)")
            #expect(try Self.file(home.path, "zerotier-one.pid") == "\(program.number)")
            let token = try Self.file(home.path, "authtoken.secret")
            let metricsToken = try Self.file(home.path, "metricstoken.secret")
            #expect(try await Self.ask(port, "GET", "/status", token)["config.settings.homeDir"] == .string(home.path))
            let made = try await Self.ask(port, "POST", "/controller/network", token)
            #expect(made.status == 200)
            // The same records as over the control socket.
            let output = Pipe()
            let list = await Command.end(
                of: try Command.start(["controller", "network", "list", "--home", home.path], output: output),
                output: output)
            guard case .string(let id)? = made["id"] else { throw ConnectionFailure(text: "\(made.text)") }
            #expect(list.output.contains(id), "\(list.output)")
            #expect(try await Self.ask(port, "GET", "/status?auth=\(token)x", "wrong").status == 401)
            #expect(try await Self.ask(port, "GET", "/metrics?auth=\(metricsToken)", metricsToken).status == 200)
            program.send(signal)
            #expect(try await program.end() == 0)
            #expect(!FileManager.default.fileExists(atPath: "\(home.path)/zerotier-one.pid"))
            for secret in [token, metricsToken] { #expect(!program.output.joined().contains(secret)) }
            // The next start has the same tokens.
            let again = try Self.run(home.path, [])
            _ = try await again.line(containing: "service at")
            #expect(try Self.file(home.path, "authtoken.secret") == token)
            let next = try #require(UInt16(try Self.file(home.path, "zerotier-one.port")))
            #expect(try await Self.ask(next, "GET", "/controller", token).status == 404)
            again.send(signal)
            #expect(try await again.end() == 0)
        }

        @Test func `the port is that of UDP, which local.conf may say`() async throws {
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            let port = try Node.findFreePort()
            try #"{"settings":{"primaryPort":\#(port)}}"#
                .write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            let program = try Program(Command.path, ["run", "--home", home.path, "--service"])
            _ = try await program.line(containing: "service at")
            #expect(try Self.file(home.path, "zerotier-one.port") == "\(port)")
            #expect(program.output.contains { $0.contains("UDP port \(port)") })
            // Another one cannot have it.
            let other = TemporaryDirectory()
            try Self.giveRoots(other.path)
            let second = try Program(
                Command.path, ["run", "--home", other.path, "--service", "--service-port", "\(port)"])
            #expect(try await second.end() == 1)
            #expect(second.output.contains { $0.contains("TCP port \(port)") && $0.contains("--service-port") })
            program.interrupt()
            #expect(try await program.end() == 0)
        }

        @Test(
            arguments: [
                ("local.conf", "{\"settings\":\n[]}", "local.conf: line 2, column 1: settings"),
                ("local.conf", #"{"settings":{"allowManagementFrom":["x"]}}"#, "settings.allowManagementFrom[0]"),
                ("authtoken.secret", "\n", "authtoken.secret is no token"),
                ("metricstoken.secret", "", "metricstoken.secret is no token"),
                ("centraltokens.secret", "{}", "centraltokens.secret does not hold tokens"),
            ])
        func `a file that is wrong stops the start, and stays as it was`(
            name: String, text: String, problem: String
        ) async throws {
            let home = TemporaryDirectory()
            try FileManager.default.createDirectory(atPath: home.path, withIntermediateDirectories: true)
            _ = FileManager.default.createFile(
                atPath: "\(home.path)/\(name)", contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
            let program = try Self.run(home.path)
            #expect(try await program.end() == 1)
            #expect(program.output.contains { $0.contains(problem) }, "\(program.output)")
            #expect(try Self.file(home.path, name) == text)
        }

        // What a verb prints, its first line, and its status.
        private static func tool(_ home: String, _ words: [String]) async throws -> (status: Int32, line: String) {
            let output = Pipe()
            let end = await Command.end(
                of: try Command.start(["cli", "-D\(home)"] + words, output: output), output: output)
            return (end.status, end.output.split(separator: "\n").first.map(String.init) ?? "")
        }

        @Test func `the original's client, which is ours too, runs its verbs against it`() async throws {
            let home = TemporaryDirectory()
            let program = try Self.run(home.path, ["--loopback-paths"])
            _ = try await program.line(containing: "service at")
            let token = try Self.file(home.path, "authtoken.secret")
            let network = "ff00000000000000"
            let moon = "1d2e3f4a5b"
            for (words, line) in [
                (["info"], "200 info "), (["join", network], "200 join OK"),
                (["listnetworks"], "200 listnetworks <nwid>"), (["get", network, "status"], "OK"),
                (["set", network, "allowDNS=1"], "{\"allowDNS\":true"), (["get", network, "allowDNS"], "1"),
                (["leave", network], "200 leave OK"), (["peers"], "200 peers"),
                (["listpeers"], "200 listpeers <ztaddr>"), (["orbit", moon, moon], "200 orbit OK"),
                (["deorbit", moon], "200 deorbit OK"), (["/health"], "{\"clock\":"),
            ] {
                let (status, text) = try await Self.tool(home.path, words)
                #expect(status == 0 && text.hasPrefix(line), "\(words): \(status) \(text)")
                #expect(!text.contains(token))
            }
            for (words, line) in [(["/nothing"], "404 /nothing"), (["-Twrong", "info"], "401 info")] {
                let (status, text) = try await Self.tool(home.path, words)
                #expect(status != 0 && text.hasPrefix(line), "\(words): \(status) \(text)")
            }
            program.send(SIGTERM)
            #expect(try await program.end() == 0)
        }

        // Both ends are processes of their own: with more than a thousand descriptors Foundation fails to start others.
        private static let thousandQuestions = """
            import resource, socket, sys
            port, token, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
            sockets = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(1000)]
            for one in sockets:
                one.sendall(f"GET {path} HTTP/1.1\\r\\nX-ZT1-Auth: {token}\\r\\n\\r\\n".encode())
            print("answered", sum(one.recv(12) == b"HTTP/1.1 200" for one in sockets))
            """

        @Test func `a thousand questions at once are all answered`() async throws {
            let home = TemporaryDirectory()
            let program = try Self.run(home.path)
            _ = try await program.line(containing: "service at")
            let port = try #require(UInt16(try Self.file(home.path, "zerotier-one.port")))
            let token = try Self.file(home.path, "authtoken.secret")
            let made = try await Self.ask(port, "POST", "/controller/network", token)
            guard case .string(let network)? = made["id"] else { throw ConnectionFailure(text: "\(made.text)") }
            let client = try Program(
                "/usr/bin/env",
                [
                    "python3", "-c", Self.thousandQuestions, "\(port)", token, "/controller/network/\(network)",
                ])
            #expect(try await client.line(containing: "answered") == "answered 1000")
            program.send(SIGTERM)
            #expect(try await program.end() == 0)
        }

        @Test func `options of a service need one`() async throws {
            for options in [["--service-port", "1"], ["--service-host", "a"], ["--central-path", "/x"]] {
                let program = try Program(Command.path, ["run"] + options)
                #expect(try await program.end() == 64)
                #expect(program.output.contains { $0.contains("--service") })
            }
        }

        @Test func `a path that the service has for something else is refused`() async throws {
            let program = try Program(Command.path, ["run", "--service", "--central-path", "/network"])
            #expect(try await program.end() == 64)
            #expect(program.output.contains { $0.contains("a path is expected, such as /api/v1") })
        }

        // Fewer descriptors than tools would open.
        @Test func `more connections than descriptors do not end it`() async throws {
            OpenFiles.allowMany()
            let home = TemporaryDirectory()
            try Self.giveRoots(home.path)
            let program = try Program(
                "/bin/sh",
                [
                    "-c", "ulimit -n 280; exec \"$0\" \"$@\"", try #require(Command.path), "run", "--home", home.path,
                    "--service", "--service-port", "0",
                ])
            _ = try await program.line(containing: "service at")
            let port = try #require(UInt16(try Self.file(home.path, "zerotier-one.port")))
            let status = try await Self.onThread {
                var connections = try (0..<300).map { _ in try HTTPConnection(port) }
                connections.removeAll()
                let last = try HTTPConnection(port)
                try last.send("GET", "/health", nil, headers: [])
                return try last.reply(to: "GET").status
            }
            #expect(status == 200)
            program.send(SIGTERM)
            #expect(try await program.end() == 0)
        }
    }
}
