import Foundation
import Testing

@testable import ZeroTier

/// Runs the program `zerotier` that was built beside the tests.
private enum Command {
    static let path: String? = {
        let folder = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
        // The tests' own program lies beside it, or a few folders further down in a bundle.
        var candidate = folder
        for _ in 0..<5 {
            let path = candidate.appendingPathComponent("zerotier").path
            if FileManager.default.isExecutableFile(atPath: path), !isDirectory(path) { return path }
            candidate = candidate.deletingLastPathComponent()
        }
        return nil
    }()

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    static func start(_ arguments: [String], output: Pipe = Pipe()) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(path))
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return process
    }

    static func run(_ arguments: String...) throws -> (status: Int32, output: String) {
        let output = Pipe()
        let process = try start(arguments, output: output)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    static func json(_ text: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
}

@Suite(.enabled(if: Command.path != nil, "the program zerotier is not built")) struct CommandTests {
    @Test func `identities are made, shown and checked`() throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let file = "\(directory.path)/one.secret"
        #expect(try Command.run("identity", "new", "--output", file).status == 0)
        #expect(FileSystem.mode(of: file) == 0o600)
        let shown = try Command.run("identity", "show", file)
        let identity = try Identity(text: shown.output)
        #expect(!identity.hasSecret && identity.isValid)
        #expect(try Command.run("identity", "validate", file).status == 0)
        let forged = "0123456789" + shown.output.dropFirst(10)
        try forged.write(toFile: file, atomically: false, encoding: .utf8)
        let verdict = try Command.run("identity", "validate", file)
        #expect(verdict.status == 1)
        #expect(verdict.output.contains("NOT valid"))
    }

    @Test func `a planet is made, shown and extended with the same key`() throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let identity = try Identity(text: TestIdentity.root)
        let file = "\(directory.path)/root.public"
        try identity.publicText.write(toFile: file, atomically: false, encoding: .utf8)
        func make(_ endpoints: String) throws -> Planet {
            let result = try Command.run(
                "world", "make", "--root", "\(file)=\(endpoints)", "--key", "\(directory.path)/key", "--output",
                "\(directory.path)/planet")
            #expect(result.status == 0)
            return try Planet(
                bytes: Array(#require(FileManager.default.contents(atPath: "\(directory.path)/planet"))))
        }
        let first = try make("192.0.2.7/9993,[2001:db8::7]:9993")
        #expect(first.isSelfSigned)
        #expect(first.roots.map(\.identity.id) == [identity.id])
        #expect(first.roots[0].endpoints.count == 2)
        let second = try make("192.0.2.8/9993")
        #expect(first.world.canBeReplaced(by: second.world))
        let shown = try Command.json(try Command.run("world", "show", "\(directory.path)/planet", "--json").output)
        #expect(((shown as? [String: Any])?["roots"] as? [Any])?.count == 1)
        #expect(FileSystem.mode(of: "\(directory.path)/key") == 0o600)
    }

    @Test func `tools say so when no node runs`() throws {
        let directory = TemporaryDirectory()
        for command in [
            ["status"], ["peers"], ["networks"], ["join", "8056c2e21c000001"], ["leave", "8056c2e21c000001"],
        ] {
            let output = Pipe()
            let process = try Command.start(command + ["--home", directory.path], output: output)
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus != 0)
            #expect(text.contains("no node runs in \(directory.path)"))
        }
    }

    @Test func `a running node is spoken to by its directory, keeps others out, and ends by a signal`() throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        try TestIdentity.second.write(
            toFile: "\(directory.path)/identity.secret", atomically: false, encoding: .utf8)
        let planet = "\(directory.path)/planet"
        try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: planet))
        let node = try Command.start(["run", "--home", directory.path, "--planet", planet])
        defer { if node.isRunning { node.terminate() } }
        var status = try Command.run("status", "--home", directory.path, "--json")
        for _ in 0..<500 where status.status != 0 {
            usleep(20_000)
            status = try Command.run("status", "--home", directory.path, "--json")
        }
        let members = try #require(try Command.json(status.output) as? [String: Any])
        #expect(members["address"] as? String == String(TestIdentity.second.prefix(10)))
        #expect(members["online"] as? Bool == false)
        #expect(FileSystem.mode(of: "\(directory.path)/control.socket") == 0o600)

        let network = Constellation.network.description
        #expect(try Command.run("join", "--home", directory.path, network).status == 0)
        let networks = try Command.json(try Command.run("networks", "--home", directory.path, "--json").output)
        #expect((networks as? [[String: Any]])?.first?["id"] as? String == network)
        #expect(try Command.json(try Command.run("peers", "--home", directory.path, "--json").output) is [Any])
        #expect(try Command.run("leave", "--home", directory.path, network).status == 0)
        #expect(try Command.run("networks", "--home", directory.path).output == "no networks\n")

        let other = try Command.run("run", "--home", directory.path)
        #expect(other.status != 0)
        #expect(other.output.contains("another node is running there"))

        kill(node.processIdentifier, SIGTERM)
        node.waitUntilExit()
        #expect(node.terminationStatus == 0)
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/control.socket"))
    }
}
