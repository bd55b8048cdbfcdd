import Foundation
import Synchronization
import Testing

@testable import ZeroTier

/// A root of this process, and a directory with what the examples find in it: a planet for each node that they start.
private final class Stage: Sendable {
    let root: Node
    let directory = TemporaryDirectory()
    // The first nodes need not make an identity, which takes long without optimisation.
    private let identities = Mutex([TestIdentity.first, TestIdentity.second])

    init() async throws {
        let port = try Node.findFreePort()
        var configuration = Node.Configuration(storage: .store(MemoryStore(identity: TestIdentity.root)))
        configuration.port = port
        configuration.root = Node.Root(endpoints: [SocketEndpoint(IPAddress("127.0.0.1")!, port: port)])
        root = try await Node.start(configuration)
    }

    /// Starts an example in a folder of its own, where the nodes in these directories have the root's planet.
    func start(
        _ example: String, in folder: String, nodes: [String], _ arguments: [String] = [], input: Pipe? = nil
    ) throws -> Program {
        let place = "\(directory.path)/\(folder)"
        let planet = try #require(try root.planet())
        for node in nodes {
            try FileManager.default.createDirectory(atPath: "\(place)/\(node)", withIntermediateDirectories: true)
            try Data(planet.bytes).write(to: URL(fileURLWithPath: "\(place)/\(node)/planet"))
            let secret = "\(place)/\(node)/identity.secret"
            guard !FileManager.default.fileExists(atPath: secret),
                let identity = identities.withLock({ $0.popLast() })
            else { continue }
            try identity.write(toFile: secret, atomically: false, encoding: .utf8)
            #expect(chmod(secret, 0o600) == 0)
        }
        // Each line at once, as on a terminal.
        return try Program(
            "/usr/bin/env", ["stdbuf", "-oL", #require(Command.find("example-\(example)"))] + arguments, input: input,
            directory: place)
    }

    /// The address that a line ends with, as an argument.
    func address(_ program: Program) async throws -> String {
        let line = try await program.line(containing: "]:7")
        return try #require(line.split(separator: " ").last.map(String.init))
    }
}

/// The programs of Docs/api-design.md, each run as a user does.
extension DriverTests {
    @Suite struct ExampleTests {
        @Test func `the echo answers its client, and one that has limits`() async throws {
            let stage = try await Stage()
            let echo = try stage.start("echo", in: "a", nodes: ["server"])
            let address = try await stage.address(echo)
            let client = try stage.start("echo-client", in: "b", nodes: ["client"], [address])
            #expect(try await client.end() == 0, "\(client.output)")
            #expect(client.output == ["hello"])
            let limits = try stage.start("limits", in: "c", nodes: ["limits"], [address])
            #expect(try await limits.end() == 0, "\(limits.output)")
            #expect(limits.output.first == "in time: hello" && limits.output.last == "cancelled", "\(limits.output)")
            #expect(limits.output.contains { $0.hasPrefix("networkUnreachable") || $0.hasPrefix("timedOut") })
            echo.interrupt()
            await stage.root.shutdown()
        }

        @Test func `two people chat to the end of what they type`() async throws {
            let stage = try await Stage()
            let (left, right) = (Pipe(), Pipe())
            let waiting = try stage.start("chat", in: "a", nodes: ["chat"], input: left)
            let address = try await stage.address(waiting)
            let calling = try stage.start("chat", in: "b", nodes: ["chat"], [address], input: right)
            right.fileHandleForWriting.write(Data("Grüße\nand more\n".utf8))
            _ = try await waiting.line(containing: "> Grüße")
            _ = try await waiting.line(containing: "> and more")
            left.fileHandleForWriting.write(Data("farewell".utf8))
            try left.fileHandleForWriting.close()
            _ = try await calling.line(containing: "> farewell")
            try right.fileHandleForWriting.close()
            #expect(try await waiting.end() == 0, "\(waiting.output)")
            #expect(try await calling.end() == 0, "\(calling.output)")
            await stage.root.shutdown()
        }

        @Test func `everybody in the room hears what one says`() async throws {
            let stage = try await Stage()
            let room = try stage.start("many-clients", in: "room", nodes: ["room"])
            let address = try await stage.address(room)
            let inputs = (0..<3).map { _ in Pipe() }
            let guests = try inputs.enumerated().map { number, input in
                try stage.start("chat", in: "guest\(number)", nodes: ["chat"], [address], input: input)
            }
            for (number, input) in inputs.enumerated() {
                input.fileHandleForWriting.write(Data("here is \(number)\n".utf8))
                // It is in the room when it hears itself.
                _ = try await guests[number].line(containing: "> here is \(number)")
            }
            inputs[0].fileHandleForWriting.write(Data("all of you\n".utf8))
            for guest in guests { _ = try await guest.line(containing: "> all of you") }
            // Who leaves does not end the others.
            try inputs[0].fileHandleForWriting.close()
            inputs[1].fileHandleForWriting.write(Data("still here\n".utf8))
            _ = try await guests[2].line(containing: "> still here")
            room.interrupt()
            for input in inputs[1...] { try input.fileHandleForWriting.close() }
            await stage.root.shutdown()
        }

        @Test func `players tell each other their places`() async throws {
            let stage = try await Stage()
            let waiting = try stage.start("datagrams", in: "a", nodes: ["player"])
            let address = try await stage.address(waiting)
            let calling = try stage.start("datagrams", in: "b", nodes: ["player"], [address])
            for player in [waiting, calling] {
                #expect(try await player.end() == 0, "\(player.output)")
                let last = try #require(player.output.last)
                let heard = try #require(last.split(separator: " ").last.flatMap { Int($0) }, "\(last)")
                // Datagrams may be lost; most are not.
                #expect(last.hasPrefix("sent 300 places") && heard > 100 && heard <= 300, "\(last)")
            }
            await stage.root.shutdown()
        }

        @Test func `a window shows that the node is online and the network ready`() async throws {
            let stage = try await Stage()
            let window = try stage.start("events", in: "a", nodes: ["window"])
            #expect(try await window.end() == 0, "\(window.output)")
            #expect(window.output.contains("online"))
            #expect(window.output.contains { $0.hasPrefix("ff00070009000000 is ok: fc") }, "\(window.output)")
            await stage.root.shutdown()
        }

        @Test func `a root of one's own brings its node online`() async throws {
            let stage = try await Stage()
            let place = "127.0.0.1/\(try Node.findFreePort())"
            try FileManager.default.createDirectory(
                atPath: "\(stage.directory.path)/a", withIntermediateDirectories: true)
            let roots = try stage.start("own-roots", in: "a", nodes: [], [place])
            #expect(try await roots.end() == 0, "\(roots.output)")
            #expect(roots.output.first?.hasPrefix("online by planet ") == true, "\(roots.output)")
            await stage.root.shutdown()
        }

        @Test func `two nodes of one process meet`() async throws {
            let stage = try await Stage()
            let nodes = try stage.start("two-nodes", in: "a", nodes: ["first", "second"])
            #expect(try await nodes.end() == 0, "\(nodes.output)")
            #expect(nodes.output.first?.contains("heard hello from") == true, "\(nodes.output)")
            await stage.root.shutdown()
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `a signal ends a server, and what it wrote is delivered`(signal: Int32) async throws {
            let stage = try await Stage()
            let server = try stage.start("shutdown", in: "a", nodes: ["server"])
            let address = try await stage.address(server)
            let client = try stage.start("echo-client", in: "b", nodes: ["client"], [address])
            #expect(try await client.end() == 0, "\(client.output)")
            #expect(client.output == ["hello"])
            server.send(signal)
            #expect(try await server.end() == 0, "\(server.output)")
            #expect(server.output.last == "ended by a signal")
            await stage.root.shutdown()
        }

        @Test func `a server knows who calls, and serves friends alone`() async throws {
            let stage = try await Stage()
            let friend = Identity.generate()
            let folder = "\(stage.directory.path)/friend/client"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try #require(friend.secretText).write(
                toFile: "\(folder)/identity.secret", atomically: false, encoding: .utf8)
            #expect(chmod("\(folder)/identity.secret", 0o600) == 0)
            let server = try stage.start("peer", in: "a", nodes: ["server"], ["\(friend.id)"])
            let address = try await stage.address(server)
            let client = try stage.start("echo-client", in: "friend", nodes: ["client"], [address])
            #expect(try await client.end() == 0, "\(client.output)")
            _ = try await server.line(containing: "\(friend.id) at [")
            _ = try await server.line(containing: "its identity is \(friend.publicText)")
            let stranger = try stage.start("echo-client", in: "b", nodes: ["client"], [address])
            #expect(try await stranger.end() != 0, "\(stranger.output)")
            _ = try await server.line(containing: "is not a friend")
            server.interrupt()
            await stage.root.shutdown()
        }

        @Test func `a person at the controller lets a member in`() async throws {
            let stage = try await Stage()
            let input = Pipe()
            let controller = try stage.start("controller", in: "a", nodes: ["controller"], input: input)
            let line = try await controller.line(containing: "the network is")
            let network = try #require(line.split(separator: " ").last.map(String.init))
            let member = try stage.start("member", in: "b", nodes: ["member"], [network])
            let node = try #require(
                try await member.line(containing: "this is").split(separator: " ").last.map(String.init))
            _ = try await controller.line(containing: "is \(node) to be let in?")
            input.fileHandleForWriting.write(Data("yes\n".utf8))
            #expect(try await member.end() == 0, "\(member.output)")
            #expect(member.output.last?.hasPrefix("let in, as 10.147.17.") == true, "\(member.output)")
            controller.interrupt()
            await stage.root.shutdown()
        }
    }
}
