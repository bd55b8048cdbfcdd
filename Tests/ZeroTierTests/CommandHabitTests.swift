import Foundation
import Glibc
import TestSupport
import Testing

@testable import ZeroTier

extension CommandTests {
    /// What operators are used to: places that need no name, signals, columns, logs, and the original's verbs.
    @Suite struct Habits {
        private let directory = TemporaryDirectory()
        private var home: String { "\(directory.path)/home" }

        init() throws {
            try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        }

        private func run(_ arguments: String..., in home: String? = nil) async throws -> (status: Int32, text: String) {
            let program = try Program(
                Command.path, arguments, environment: ["ZEROTIER_HOME": home ?? self.home])
            let status = try await program.end()
            return (status, program.output.joined(separator: "\n"))
        }

        private func startNode(
            _ more: String..., identity: String = TestIdentity.second, environment: [String: String] = [:]
        ) async throws -> Program {
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            try identity.write(toFile: "\(home)/identity.secret", atomically: false, encoding: .utf8)
            let planet = "\(directory.path)/given.planet"
            try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: planet))
            let node = try Program(
                Command.path, ["run", "--planet", planet] + more,
                environment: environment.merging(["ZEROTIER_HOME": home]) { _, new in new })
            _ = try await node.line(containing: home)
            return node
        }

        // Some file systems of networks and of other systems have no modes.
        @Test func `where no mode can be set a node runs, if nobody else may write to its socket`() async throws {
            let source = "\(directory.path)/modes.c"
            try """
            #include <errno.h>
            #include <sys/stat.h>
            int chmod(const char *path, mode_t mode) { (void)path; (void)mode; errno = EPERM; return -1; }
            """.write(toFile: source, atomically: false, encoding: .utf8)
            let library = "\(directory.path)/modes.so"
            let output = Pipe()
            let compiler = try ChildProcess(
                "/bin/sh", ["-c", "cc \"$@\" || clang \"$@\"", "sh", "-shared", "-fPIC", "-o", library, source],
                output: output, errors: output)
            let compiled = await Command.end(of: compiler, output: output)
            try #require(compiled.status == 0, "\(compiled.output)")
            let node = try await startNode(environment: ["LD_PRELOAD": library])
            #expect(try await run("status").status == 0)
            try await end(node)
        }

        // MARK: Roots

        private func startRoot(_ arguments: [String]) async throws -> Program {
            let root = try Program(
                Command.path, ["root", "--loopback-paths"] + arguments, environment: ["ZEROTIER_HOME": home])
            _ = try await root.line(containing: "state in \(home)")
            return root
        }

        private func end(_ program: Program) async throws {
            program.interrupt()
            #expect(try await program.end() == 0, "\(program.output)")
        }

        @Test func `a root that is started again with nothing said has its port and its planet again`() async throws {
            let port = try Node.findFreePort()
            let first = try await startRoot(["--udp-port", "\(port)", "--endpoint", "192.0.2.7/\(port)"])
            #expect(first.output.contains { $0.contains("192.0.2.7:\(port) (new)") }, "\(first.output)")
            #expect(first.output.contains { $0.contains("no endpoint of the planet has an address") })
            try await end(first)
            let planet = try #require(try FileSystem.read("\(home)/planet"))
            let second = try await startRoot([])
            #expect(second.output.contains { $0.contains("(as before)") }, "\(second.output)")
            #expect(second.output.contains { $0.contains("on UDP port \(port),") }, "\(second.output)")
            try await end(second)
            #expect(try FileSystem.read("\(home)/planet") == planet)

            // Told otherwise, it says what changed, and for whom that matters.
            let third = try await startRoot(["--endpoint", "127.0.0.1/\(port)"])
            let said = try await third.line(containing: "a new version")
            #expect(said.contains("warning") && said.contains("127.0.0.1:\(port)"), "\(said)")
            #expect(said.contains("before, nodes reached this root at 192.0.2.7:\(port)"), "\(said)")
            try await end(third)
            #expect(try FileSystem.read("\(home)/planet") != planet)
        }

        @Test func `a root whose port is taken leaves its planet as it is`() async throws {
            let port = try Node.findFreePort()
            let first = try await startRoot(["--udp-port", "\(port)", "--endpoint", "127.0.0.1/\(port)"])
            try await end(first)
            let planet = try #require(try FileSystem.read("\(home)/planet"))
            let other = try await Node.start(Node.Configuration())
            for arguments in [
                ["--udp-port", "\(other.port)"], ["--udp-port", "\(other.port)", "--endpoint", "[::1]:9"],
            ] {
                let refused = try Program(
                    Command.path, ["root", "--home", home, "--loopback-paths"] + arguments)
                #expect(try await refused.end() == 1)
                #expect(refused.output.contains { $0.contains("in use by another program") }, "\(refused.output)")
                #expect(try FileSystem.read("\(home)/planet") == planet)
            }
            await other.shutdown()
        }

        @Test func `the relay budget is an option with a range`() async throws {
            for command in ["root", "run"] {
                let refused = try await run(command, "--relay-limit=16383")
                #expect(refused.status == 64 && refused.text.contains("16384 to 17179869184"), "\(refused)")
            }
            let root = try await startRoot([
                "--relay-limit", "1000000", "--udp-port", "\(try Node.findFreePort())", "--endpoint", "127.0.0.1/9",
            ])
            try await end(root)
        }

        // MARK: Places, signals, hanging nodes

        @Test func `commands find the node that was started without a place`() async throws {
            let node = try await startNode()
            for command in ["status", "peers", "networks"] {
                let answer = try await run(command)
                #expect(answer.status == 0, "\(command): \(answer)")
            }
            #expect(try await run("join", "ff00070009000000").status == 0)
            #expect(try await run("networks").text.contains("ff00070009000000"))
            #expect(try await run("leave", "ff00070009000000").status == 0)
            let ping = try await run("ping", "10.0.0.1", "--count", "1", "--timeout", "1")
            #expect(ping.status == 1 && !ping.text.contains("no node runs"), "\(ping)")
            let other = try await run("status", in: "\(directory.path)/other")
            #expect(other.status == 1 && other.text.contains("no node runs in \(directory.path)/other"), "\(other)")
            #expect(other.text.contains("`zerotier run`"), "\(other)")
            try await end(node)
        }

        @Test(arguments: [SIGHUP, SIGTERM, SIGINT])
        func `a node that its terminal or its system ends has ended cleanly`(number: Int32) async throws {
            let node = try await startNode()
            node.send(number)
            #expect(try await node.end() == 0, "\(node.output)")
            #expect(!FileManager.default.fileExists(atPath: "\(home)/control.socket"))
            #expect(node.output.last?.contains("stopped") == true, "\(node.output)")
        }

        @Test func `a node that hangs is told, and not waited for`() async throws {
            let node = try await startNode()
            node.send(SIGSTOP)
            // It stands still until all have given up: who waited for it would wait for ever.
            for arguments in [["status"], ["ping", "10.0.0.1", "--count", "1"]] {
                let asking = try Program(Command.path, arguments, environment: ["ZEROTIER_HOME": home])
                #expect(try await asking.end() == 1)
                #expect(asking.output.contains { $0.contains("runs and does not answer") }, "\(asking.output)")
            }
            node.send(SIGCONT)
            #expect(try await run("status").status == 0)
            try await end(node)
        }

        // MARK: What is shown

        @Test func `lists have columns with headers`() async throws {
            let node = try await startNode("--join", "ff00070009000000")
            func columns(_ command: String) async throws -> [[Substring]] {
                let text = try await run(command).text
                let lines = text.split(separator: "\n")
                let header = try #require(lines.first)
                // Each column begins where its header does.
                var starts: [Int] = []
                let characters = Array(header)
                for index in characters.indices
                where characters[index] != " " && (index == 0 || characters[index - 1] == " ") { starts.append(index) }
                for line in lines.dropFirst() {
                    let places = Array(line)
                    for start in starts { #expect(places[start] != " " && (start == 0 || places[start - 1] == " ")) }
                }
                return lines.map { $0.split(separator: " ") }
            }
            let networks = try await columns("networks")
            #expect(networks[0] == ["NETWORK", "NAME", "STATE", "MAC", "MTU", "ADDRESSES"])
            #expect(networks[1][0] == "ff00070009000000" && networks[1][2] == "ok")
            let peers = try await columns("peers")
            #expect(peers[0] == ["PEER", "ROLE", "REACHED", "VERSION", "LATENCY", "ENDPOINT"])
            try await end(node)
        }

        @Test func `lines of a log have time and level, and can do without`() async throws {
            let node = try await startNode()
            try await end(node)
            let form = /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ (info|warning|error) +[^ ].*/
            for line in node.output { #expect(try form.wholeMatch(in: line) != nil, "\(line)") }
            let plain = try await startNode("--plain-log")
            try await end(plain)
            #expect(plain.output.contains { $0.hasPrefix("node ") }, "\(plain.output)")
            let objects = try await startNode("--json")
            try await end(objects)
            for line in objects.output {
                let object = try #require(try Command.json(line) as? [String: Any])
                #expect(object["level"] is String && (object["time"] as? String)?.count == 24, "\(line)")
            }
        }

        @Test func `the environment switches traces on, of the parts that it names`() async throws {
            func traced(_ names: String) async throws -> [String] {
                let node = try await startNode(environment: ["ZEROTIER_TRACE": names])
                try await end(node)
                return node.output.filter { $0.contains(" trace ") }
            }
            #expect(try await traced("none") == [])
            let lines = try await traced("transport,storage")
            #expect(
                lines.first?.contains(" trace transport \(TestIdentity.second.prefix(10)) started on UDP port") == true)
            #expect(lines.last?.hasSuffix(" stopped") == true)
            #expect(lines.allSatisfy { $0.contains(" trace transport ") || $0.contains(" trace storage ") }, "\(lines)")
            // The lines of the transport, which are there as above, are not wanted now.
            let others = try await traced("storage")
            #expect(others.allSatisfy { $0.contains(" trace storage ") }, "\(others)")
        }

        @Test func `the version is one number, wherever it is shown`() async throws {
            let text = try await run("--version").text
            #expect(text == libraryVersionText)
            let constellation = try await Constellation()
            _ = try await constellation.join()
            #expect(Set(try constellation.first.peers().compactMap(\.version)) == [text])
            await constellation.shutdown()
            let node = try await startNode()
            #expect(try await run("status").text.contains("version: \(text)"))
            #expect(try await run("info").text.split(separator: " ")[3] == text)
            try await end(node)
        }

        @Test func `the original's verbs and switches are understood, or answered with what to type`() async throws {
            let node = try await startNode("--join", "ff00070009000000")
            let address = String(TestIdentity.second.prefix(10))
            #expect(try await run("info").text == "200 info \(address) \(libraryVersionText) OFFLINE")
            let status = try #require(try Command.json(try await run("-j", "info").text) as? [String: Any])
            #expect(status["address"] as? String == address && status["online"] as? Bool == false)
            let networks = try await run("listnetworks").text.split(separator: "\n")
            #expect(
                networks[0] == "200 listnetworks <nwid> <name> <mac> <status> <type> <dev> <ZT assigned ips>")
            #expect(networks[1].hasPrefix("200 listnetworks ff00070009000000 "))
            let list = try Command.json(try await run("-j", "-D\(home)", "listnetworks", in: "nowhere").text)
            #expect((list as? [[String: Any]])?.first?["nwid"] as? String == "ff00070009000000")
            #expect(
                try await run("listpeers").text.hasPrefix("200 listpeers <ztaddr> <path> <latency> <version> <role>"))
            #expect(try Command.json(try await run("listpeers", "-j").text) is [Any])
            #expect(try await run("get", "ff00070009000000", "status").text == "OK")
            #expect(try await run("get", "ff00070009000000", "ip6").text.hasPrefix("fc"))
            #expect(try await run("get", "ff00070009000000", "nonsense").status == 1)
            #expect(try await run("orbit", "1d2e3f4a5b", "1d2e3f4a5b").text == "200 orbit OK")
            #expect(try await run("deorbit", "1d2e3f4a5b").text == "200 deorbit OK")
            #expect(try await run("listmoons").text == "[]")
            for (arguments, hint) in [
                (["dump"], "zerotier status --json"), (["bond", "list"], "zerotier peers --json"),
                (["/status"], "zerotier status --json"), (["-p9993", "info"], "--home"),
            ] as [([String], String)] {
                let answer = try Program(Command.path, arguments, environment: ["ZEROTIER_HOME": home])
                #expect(try await answer.end() == 1)
                #expect(answer.output.contains { $0.contains(hint) }, "\(arguments): \(answer.output)")
            }
            #expect(try await run("-v").text == libraryVersionText)
            try await end(node)
        }

        @Test func `what a controller may set is set and shown, and what is no setting is told`() async throws {
            let node = try await startNode("--join", "ff00070009000000")
            for (setting, shown) in [
                ("allowGlobal=1", "1"), ("allowDefault=true", "1"), ("allowDNS=1", "1"), ("allowManaged=0", "0"),
                ("allowGlobal=0", "0"), ("allowManaged=10.0.0.0/8,fd00::/8", "1"),
            ] {
                let name = String(setting.prefix { $0 != "=" })
                let answer = try await run("set", "ff00070009000000", setting)
                let object = try #require(try Command.json(answer.text) as? [String: Any], "\(answer)")
                #expect(object[name] as? Bool == (shown == "1"), "\(setting): \(answer)")
                #expect(try await run("get", "ff00070009000000", name).text == shown)
            }
            for (setting, reason) in [
                ("allowGlobal=yes", "1 or 0"), ("allowManaged=10.0.0.0/8,x", "prefixes"), ("allow=1", "no setting"),
                ("allowDNS", "like allowGlobal=1"),
            ] {
                let answer = try await run("set", "ff00070009000000", setting)
                #expect(answer.status == 64 && answer.text.contains(reason), "\(setting): \(answer)")
            }
            let other = try await run("set", "ff00080009000000", "allowDNS=1")
            #expect(other.status == 1 && other.text.contains("not joined"), "\(other)")
            try await end(node)
        }
    }
}
