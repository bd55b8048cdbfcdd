import Foundation
import Glibc
import TestSupport
import Testing

@testable import ZeroTier

extension CommandTests {
    /// What a newcomer does by mistake, and what a machine does to him: each is told, and nothing is lost.
    @Suite struct Mistakes {
        private let directory = TemporaryDirectory()
        private var home: String { "\(directory.path)/home" }
        /// A file whose name cannot occur elsewhere.
        private func file(_ name: String) -> String { "\(directory.path)/\(name)" }

        init() throws {
            try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        }

        private func write(_ name: String, _ bytes: [UInt8]) throws {
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: file(name)).deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        }

        private func read(_ name: String) throws -> [UInt8]? { try FileSystem.read(file(name)) }

        private func startNode(_ more: String...) async throws -> Program {
            try write("given.planet", try Constellation.makePlanet(port: 1).bytes)
            let node = try Program(
                Command.path, ["run", "--home", home, "--planet", file("given.planet")] + more)
            _ = try await node.line(containing: "state in")
            return node
        }

        private func endpoint() throws -> [String] {
            let port = try Node.findFreePort()
            return ["--udp-port", "\(port)", "--endpoint", "127.0.0.1/\(port)", "--loopback-paths"]
        }

        private func run(_ arguments: [String]) async throws -> (status: Int32, text: String) {
            let output = Pipe()
            let ended = await Command.end(of: try Command.start(arguments, output: output), output: output)
            return (ended.status, ended.output)
        }

        // MARK: State that must not be lost

        @Test func `a root leaves the directory of another node as it is`() async throws {
            let node = try await startNode()
            let before = try #require(try read("home/planet"))
            let refused = try Program(Command.path, ["root", "--home", home] + endpoint())
            #expect(try await refused.end() == 1)
            #expect(refused.output.contains { $0.contains("another node is running there") }, "\(refused.output)")
            #expect(try read("home/planet") == before)
            #expect(try read("home/planet.key") == nil)
            node.interrupt()
            #expect(try await node.end() == 0)
        }

        @Test func `a second root on another port leaves the first one's planet as it is`() async throws {
            let root = try await RootProgram()
            let planet = "\(root.directory.path)/planet"
            let before = try FileSystem.read(planet)
            let second = try Program(Command.path, ["root", "--home", root.directory.path] + endpoint())
            #expect(try await second.end() == 1)
            #expect(try FileSystem.read(planet) == before)
        }

        @Test(arguments: ["planet", "planet.key", "identity.secret"])
        func `a root with a damaged file names it and leaves it as it is`(name: String) async throws {
            for bytes in [Array("damaged".utf8), []] {
                try write("home/identity.secret", Array(TestIdentity.root.utf8))
                try write("home/\(name)", bytes)
                let root = try Program(Command.path, ["root", "--home", home] + endpoint())
                #expect(try await root.end() == 1)
                #expect(root.output.contains { $0.contains("\(home)/\(name)") }, "\(root.output)")
                #expect(try read("home/\(name)") == bytes)
                try FileManager.default.removeItem(atPath: home)
            }
        }

        @Test func `a root does not replace a planet that is not its own`() async throws {
            try write("home/identity.secret", Array(TestIdentity.second.utf8))
            let foreign = try Constellation.makePlanet(port: 1).bytes
            try write("home/planet", foreign)
            let root = try Program(Command.path, ["root", "--home", home] + endpoint())
            #expect(try await root.end() == 1)
            #expect(root.output.contains { $0.contains("names other roots") }, "\(root.output)")
            // Its own, but the key to sign another version is not there.
            try write("home/identity.secret", Array(TestIdentity.root.utf8))
            let keyless = try Program(Command.path, ["root", "--home", home] + endpoint())
            #expect(try await keyless.end() == 1)
            #expect(keyless.output.contains { $0.contains("planet.key") }, "\(keyless.output)")
            #expect(try read("home/planet") == foreign)
            #expect(try read("home/planet.key") == nil)
        }

        @Test func `a root with other endpoints makes a new version of its planet`() async throws {
            var planets: [RootSet] = []
            for _ in 0..<2 {
                let root = try Program(Command.path, ["root", "--home", home] + endpoint())
                _ = try await root.line(containing: "state in")
                root.interrupt()
                #expect(try await root.end() == 0)
                planets.append(try RootSet(bytes: try #require(try read("home/planet"))))
            }
            #expect(planets[0].world.canBeReplaced(by: planets[1].world))
        }

        @Test func `who reads that a node runs may interrupt it at once`() async throws {
            try write("given.planet", try Constellation.makePlanet(port: 1).bytes)
            for _ in 0..<20 {
                let node = try Program(
                    Command.path, ["run", "--home", home, "--planet", file("given.planet")], interruptedBy: "state in")
                #expect(try await node.end() == 0, "\(node.output)")
            }
        }

        @Test func `no secret and no planet is overwritten by a slip`() async throws {
            let secret = file("one.secret")
            #expect(try await Command.run("identity", "new", "--output", secret).status == 0)
            let before = try read("one.secret")
            let again = try await Command.run("identity", "new", "--output", secret)
            #expect(again.status == 1 && again.output.contains(secret), "\(again.output)")
            #expect(try read("one.secret") == before)

            func make(_ output: String, _ key: String, _ more: String...) async throws -> (status: Int32, text: String)
            {
                try await run(
                    ["world", "make", "--root", "\(secret)=192.0.2.7/1", "--output", output, "--key", key] + more)
            }
            #expect(try await make(secret, file("key")).status == 1)
            #expect(try read("one.secret") == before)
            #expect(try read("key") == nil, "nothing is made when something else is refused")
            #expect(try await make(file("same"), file("same")).status == 64)
            #expect(try await make(file("planet"), file("key")).status == 0)
            let planet = try read("planet")
            for result in [
                try await make(file("planet"), file("other.key")),
                try await make(file("planet"), file("key"), "--id", "7"),
                try await make(file("planet"), secret),
            ] {
                #expect(result.status == 1, "\(result)")
                #expect(try read("planet") == planet)
            }
            #expect(try read("one.secret") == before)
        }

        @Test func `a planet is not made of roots that nobody can reach`() async throws {
            try write("root.secret", Array(TestIdentity.root.utf8))
            try write("forged", Array(("0123456789" + TestIdentity.second.dropFirst(10)).utf8))
            let root = file("root.secret")
            for (roots, status, reason) in [
                (["\(root)="], 64, "1 to 32 endpoints"), (["\(root)"], 64, "FILE=ENDPOINT"),
                (["\(root)=192.0.2.7/0"], 64, "port is 1 to 65535"), (["\(root)=192.0.2.7"], 64, "203.0.113.5/9993"),
                (["\(root)=0.0.0.0/1"], 64, "nobody can be reached"),
                (["\(root)=192.0.2.7/1", "\(root)=192.0.2.8/1"], 1, "given twice"),
                (["\(file("forged"))=192.0.2.7/1"], 1, "does not follow"),
            ] as [([String], Int32, String)] {
                let result = try await run(
                    ["world", "make", "--output", file("planet"), "--key", file("key")]
                        + roots.flatMap { ["--root", $0] })
                #expect(result.status == status && result.text.contains(reason), "\(roots): \(result)")
            }
            #expect(try read("planet") == nil)
            #expect(try read("key") == nil)
            let endpoint = try await Command.run("root", "--home", home, "--endpoint", "192.0.2.7/0")
            #expect(endpoint.status == 64 && endpoint.output.contains("port is 1 to 65535"), "\(endpoint.output)")
            #expect(!FileManager.default.fileExists(atPath: home))
        }

        // MARK: Values

        @Test(arguments: [
            ["ping", "10.0.0.1", "--count=-1"], ["ping", "10.0.0.1", "--timeout=-1"],
            ["echo", "send", "--to", "10.0.0.1", "--count=-1", "--udp"],
            ["echo", "send", "--to", "10.0.0.1", "--size=-1", "--udp"],
            ["echo", "send", "--to", "10.0.0.1", "--size=-1"], ["echo", "send", "--to", "10.0.0.1", "--timeout=-1"],
            ["echo", "serve", "--count=-1"], ["echo", "serve", "--timeout=0"], ["echo", "serve", "--port=0"],
            ["echo", "send", "--to", "10.0.0.1", "--udp", "--size=65508"],
            ["echo", "send", "--to", "fd00::1", "--udp", "--size=65528"],
            ["echo", "send", "--to", "10.0.0.1", "--timeout=9223372036854775807"],
            ["demo", "--size=-5"], ["demo", "--limit=-1"], ["run", "--home", "nowhere", "--protocol=10"],
            ["run", "--home", "nowhere", "--protocol=13"], ["root", "--home", "nowhere", "--udp-port=0"],
            ["network", "adhoc", "--ipv4=224"], ["network", "adhoc", "--ipv4=0"],
        ])
        func `a number out of range is refused with the range`(arguments: [String]) async throws {
            let isEcho = arguments[0] == "echo"
            let program = try Program(Command.path, arguments + (isEcho ? ["--network", "ff00070009000000"] : []))
            #expect(try await program.end() == 64, "\(program.output)")
            let value = try #require(arguments.first { $0.contains("=") }?.split(separator: "=").last)
            let said = program.output.joined()
            #expect(said.contains(" to ") && said.contains("not \(value)"), "\(program.output)")
        }

        @Test func `it is said what an ID, an address and ports look like`() async throws {
            for arguments in [
                ["run", "--home", home, "--join", "1234"], ["join", "--home", home, "1234"],
                ["echo", "serve", "--network", "1234"], ["ping", "10.0.0.1", "--network", "1234"],
            ] {
                let output = try await run(arguments)
                #expect(output.status == 64 && output.text.contains("16 hexadecimal digits"), "\(output)")
            }
            #expect(try await run(["ping", "nonsense"]).text.contains("10.147.17.5"))
            for ports in ["9-7", "70000", "7-", "-", "1-2-3"] {
                let output = try await run(["network", "adhoc", "--ports=\(ports)"])
                #expect(output.status == 64 && output.text.contains("like 7-9"), "\(output)")
            }
            #expect(try await run(["run", "--help"]).text.contains("--home <directory>"))
        }

        @Test func `the IDs of ad-hoc networks, and the version`() async throws {
            #expect(try await run(["network", "adhoc", "--ports", "7-9"]).text == "ff00070009000000\n")
            #expect(try await run(["network", "adhoc", "--ports", "80"]).text == "ff00500050000000\n")
            #expect(try await run(["network", "adhoc", "--ipv4", "10"]).text == "ff0a000000000001\n")
            #expect(try await run(["network", "adhoc"]).status == 64)
            #expect(try await run(["--version"]).text == "\(libraryVersionText)\n")
        }

        // MARK: Files

        @Test func `a file that cannot be used is named with the reason`() async throws {
            let missing = file("missing")
            try write("short", [1, 2, 3])
            try write("root.public", Array(TestIdentity.root.utf8))
            for (arguments, parts) in [
                (["world", "show", missing], [missing, "No such file"]),
                (["world", "show", directory.path], [directory.path, "Is a directory"]),
                (["world", "show", file("short")], [file("short")]),
                (["identity", "show", missing], [missing, "No such file"]),
                (["identity", "show", file("short")], [file("short")]),
                (["identity", "new", "--output", "\(missing)/x"], ["\(missing)/x", "No such file"]),
                (["identity", "new", "--output", "/dev/full"], ["/dev/full", "No space left"]),
                (["run", "--home", home, "--planet", missing], [missing, "No such file"]),
                (["run", "--home", "\(file("short"))/home"], ["\(file("short"))/home", "Not a directory"]),
                (["root", "--home", "\(file("short"))/home"], ["\(file("short"))/home", "Not a directory"]),
                (
                    [
                        "world", "make", "--root", "\(file("root.public"))=192.0.2.7/1", "--key", file("short"),
                        "--output", missing,
                    ], [file("short"), "64 bytes"]
                ),
                (
                    [
                        "world", "make", "--root", "\(file("root.public"))=192.0.2.7/1", "--key", file("key"),
                        "--output", "/dev/full",
                    ], ["/dev/full", "No space left"]
                ),
            ] as [([String], [String])] {
                let result = try await run(arguments)
                #expect(result.status == 1, "\(arguments): \(result)")
                for part in parts { #expect(result.text.contains(part), "\(arguments): \(result)") }
                #expect(!result.text.contains("Usage") && !result.text.contains("NSCocoa"), "\(arguments): \(result)")
            }
        }

        @Test func `with JSON, errors are objects too`() async throws {
            for (arguments, code) in [
                (["world", "show", file("missing")], "file"), (["status", "--home", home], "notRunning"),
                (["ping", "10.0.0.1"], "usage"), (["demo", "--size=-5"], "usage"), (["ping", "x"], "usage"),
            ] {
                let result = try await run(arguments + ["--json"])
                let object = try #require(try Command.json(result.text) as? [String: String], "\(result)")
                #expect(object["code"] == code && object["error"]?.isEmpty == false, "\(result)")
                #expect(result.status != 0)
            }
        }

        // MARK: The standard output

        @Test(arguments: [">/dev/full", ">&-"])
        func `a node goes on when its log cannot be written, an answer that cannot be is an error`(
            redirection: String
        ) async throws {
            let shown = try await Command.shell("\(redirection)", "world", "show")
            #expect(shown.status == 1)
            #expect(shown.output.contains("cannot write the standard output"), "\(shown)")
            for kind in ["run", "root"] {
                let home = file(kind)
                let options = kind == "run" ? [] : try endpoint()
                let node = try Program(
                    "/bin/sh",
                    ["-c", "exec \"$0\" \"$@\" \(redirection)", #require(Command.path), kind, "--home", home] + options)
                _ = try await node.line(containing: "the node goes on")
                var status = try await Command.run("status", "--home", home)
                for _ in 0..<500 where status.status != 0 {
                    try await Task.sleep(for: .milliseconds(20))
                    status = try await Command.run("status", "--home", home)
                }
                #expect(status.status == 0, "\(status)")
                node.interrupt()
                #expect(try await node.end() == 0, "\(node.output)")
                #expect(node.output.count == 1, "once: \(node.output)")
            }
        }

        @Test func `a reader that goes away ends an answer without a word, and not a node`() async throws {
            let program = try #require(Command.path)
            let (output, errors) = (Pipe(), Pipe())
            try output.fileHandleForReading.close()
            let process = try ChildProcess(program, ["world", "show"], output: output, errors: errors)
            #expect(await Command.end(of: process, output: errors).output.isEmpty)
            #expect(process.terminationReason == .exit && process.terminationStatus == 141)

            try write("given.planet", try Constellation.makePlanet(port: 1).bytes)
            let log = Pipe()
            let node = try ChildProcess(
                program, ["run", "--home", home, "--planet", file("given.planet")], output: log)
            defer { if node.isRunning { node.terminate() } }
            // The first line.
            #expect(!log.fileHandleForReading.availableData.isEmpty)
            try log.fileHandleForReading.close()
            #expect(try await run(["join", "--home", home, "ff00070009000000"]).status == 0)
            #expect(try await run(["leave", "--home", home, "ff00070009000000"]).status == 0)
            #expect(try await run(["status", "--home", home]).status == 0)
            node.interrupt()
            for _ in 0..<6000 where node.isRunning { try await Task.sleep(for: .milliseconds(20)) }
            try #require(!node.isRunning)
            #expect(node.terminationReason == .exit && node.terminationStatus == 0)
        }

        // MARK: Running nodes

        @Test func `a node whose tools could not reach it does not start`() async throws {
            try write("home/control.socket/file", [1])
            let blocked = try await run(["run", "--home", home])
            #expect(blocked.status == 1 && blocked.text.contains("control.socket"), "\(blocked)")
            #expect(try read("home/identity.secret") == nil, "the node was not made")
        }

        @Test func `a node that belongs to somebody else is told apart from none`() async throws {
            try FileManager.default.createDirectory(
                atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let answer: (status: Int32, text: String)
            if getuid() == 0 {
                // The superuser may everything, so another user asks.
                let process = try Program(
                    "/usr/bin/setpriv",
                    ["--reuid=65534", "--regid=65534", "--clear-groups"]
                        + [try #require(Command.path), "status", "--home", home])
                answer = (try await process.end(), process.output.joined())
            } else {
                try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: home)
                answer = try await run(["status", "--home", home])
            }
            #expect(answer.status == 1 && answer.text.contains("belongs to another user"), "\(answer)")
            #expect(!answer.text.contains("no node runs"), "\(answer)")
        }

        @Test func `a ping by a running node takes no options of another`() async throws {
            let node = try await startNode("--join", "ff00070009000000")
            let given = try await run([
                "ping", "10.0.0.1", "--home", home, "--network", "ff00070009000000", "--planet", file("given.planet"),
            ])
            #expect(given.status == 1 && given.text.contains("leave out --network, --planet"), "\(given)")
            node.interrupt()
            #expect(try await node.end() == 0)
        }

        @Test func `a sender gives up on a peer that does nothing, and tells which option is missing`() async throws {
            let root = try await RootProgram()
            let planet = try RootSet(
                bytes: try #require(try FileSystem.read("\(root.directory.path)/planet")))
            let network = Constellation.network
            let node = try await Node.start(Constellation.configuration(TestIdentity.second, planet))
            let address = try #require(try await node.join(network).addresses.first?.address)
            let silent = try node.listen(port: 7)
            let common = ["--network", "\(network)", "--to", "\(address)"] + root.options
            // Its patience begins before there is a connection: on a busy machine it must be longer than that takes.
            // Nobody accepts: the connection waits in the listener's queue, and nothing moves on it.
            for patience in [3, 9, 27, 81] {
                let client = try Program(Command.path, ["echo", "send", "--timeout", "\(patience)"] + common)
                #expect(try await client.end() == 1, "\(client.output)")
                let isConnected = client.output.contains { $0.contains("connected with") }
                guard isConnected || patience == 81 else { continue }
                #expect(
                    client.output.contains { $0.contains("nothing moved for \(patience).0 seconds") },
                    "\(client.output)")
                break
            }

            // What the first has left in the queue is answered too, if it is there yet.
            let server = Task {
                for try await socket in silent {
                    Task {
                        while let bytes = try await socket.read() { try await socket.write(bytes) }
                    }
                }
            }
            let discarding = try Program(Command.path, ["echo", "send", "--discard", "--timeout", "50"] + common)
            #expect(try await discarding.end() == 1, "\(discarding.output)")
            #expect(discarding.output.contains { $0.contains("--discard?") }, "\(discarding.output)")
            server.cancel()

            let unanswered = try Program(
                Command.path, ["echo", "send", "--udp", "--port", "8", "--timeout", "2"] + common)
            #expect(try await unanswered.end() == 1, "\(unanswered.output)")
            await node.shutdown()
        }

        /// A peer may make a node say much, and a terminal can be stopped: neither stops the network, nor the end.
        @Test func `a log that nobody reads holds up nothing`() async throws {
            try write("given.planet", try Constellation.makePlanet(port: 1).bytes)
            let output = Pipe()
            let number = output.fileHandleForWriting.fileDescriptor
            let flags = fcntl(number, F_GETFL)
            #expect(fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0)
            while Glibc.write(number, [UInt8](repeating: 0x0a, count: 4096), 4096) > 0 {}
            #expect(fcntl(number, F_SETFL, flags) == 0)
            let complaints = Pipe()
            let process = try ChildProcess(
                try #require(Command.path), ["run", "--home", home, "--planet", file("given.planet")], output: output,
                errors: complaints)
            var isRunning = false
            let end = ContinuousClock.now + .seconds(60)
            while !isRunning, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(100))
                isRunning = try await run(["status", "--home", home]).status == 0
            }
            #expect(isRunning)
            process.terminate()
            let said = await Command.end(of: process, output: complaints).output
            #expect(process.terminationReason == .exit && process.terminationStatus == 0)
            #expect(said.contains("the node goes on without"), "\(said)")
        }

        /// Only root can lay out another user's pipe; one's own is written.
        @Test func `a secret is not written into a pipe that another user has made`() async throws {
            let path = file("identity.secret")
            let isForeign = geteuid() == 0
            #expect(mkfifo(path, 0o666) == 0)
            if isForeign { #expect(chown(path, 65_534, 65_534) == 0) }
            let reader = open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            let made = try await run(["identity", "new", "--output", path])
            #expect(
                made.status == (isForeign ? 1 : 0) && made.text.contains("another user") == isForeign, "\(made.text)")
            var bytes = [UInt8](repeating: 0, count: 400)
            #expect((Glibc.read(reader, &bytes, bytes.count) > 0) == !isForeign)
        }

        // MARK: The demo and the README

        @Test(arguments: [SIGINT, SIGTERM])
        func `a demo that is interrupted takes its processes and its secrets with it`(number: Int32) async throws {
            // So much that it cannot be done before the signal, however late this test gets its turn.
            let demo = try Program(
                Command.path, ["demo", "--size", "1000000000000", "--limit", "600"],
                environment: ["TMPDIR": directory.path])
            _ = try await demo.line(containing: "node A: node")
            #expect(try !FileSystem.list(directory.path).isEmpty)
            demo.send(number)
            #expect(try await demo.end() == 128 + number, "\(demo.output)")
            #expect(try FileSystem.list(directory.path).isEmpty)
        }
    }
}
