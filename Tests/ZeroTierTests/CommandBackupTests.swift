import Foundation
import Glibc
import JSONValues
import Synchronization
import TestSupport
import Testing

@testable import ZeroTier

extension CommandTests {
    /// `zerotier backup` and `zerotier restore`.
    @Suite struct Backup {
        private static func ask(_ words: [String]) async throws -> (status: Int32, output: String) {
            let output = Pipe()
            return await Command.end(of: try Command.start(words, output: output), output: output)
        }

        // A controller without the Internet.
        private static func start(_ home: String) async throws -> Program {
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            if !FileManager.default.fileExists(atPath: "\(home)/planet") {
                try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: "\(home)/planet"))
            }
            let program = try Program(Command.path, ["run", "--home", home, "--controller"])
            _ = try await program.line(containing: "state in")
            return program
        }

        private static func stop(_ program: Program) async throws {
            program.interrupt()
            #expect(try await program.end() == 0)
        }

        private static func networks(_ home: String) async throws -> Set<String> {
            let list = try await ask(["controller", "network", "list", "--home", home, "--json"])
            let ids = try JSONDocument(Array(list.output.utf8)).read { (json) throws(JSONError) in
                try json.elements().map { (network) throws(JSONError) in try network.required("id").string() }
            }
            return Set(ids)
        }

        private static func create(_ home: String) async throws -> String {
            let made = try await ask(["controller", "network", "create", "--home", home, "--json"])
            return try JSONDocument(Array(made.output.utf8)).read { (json) throws(JSONError) in
                try json.required("id").string()
            }
        }

        private static func bytes(_ path: String) throws -> Data {
            try #require(FileManager.default.contents(atPath: path), "\(path)")
        }

        @Test func `a backup under writes has what was told before it began, and is restored whole`() async throws {
            let (home, folder, target) = (TemporaryDirectory(), TemporaryDirectory(), TemporaryDirectory())
            let program = try await Self.start(home.path)
            try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
            try #"{"settings":{"x":1}}"#.write(toFile: "\(home.path)/local.conf", atomically: false, encoding: .utf8)
            var told: Set<String> = [try await Self.create(home.path)]
            let writing = Task {
                var made: Set<String> = []
                while !Task.isCancelled { made.insert(try await Self.create(home.path)) }
                return made
            }
            var backups: [(path: String, told: Set<String>)] = []
            for number in 1...3 {
                told.formUnion(try await Self.networks(home.path))
                let path = "\(folder.path)/\(number)"
                let made = try await Self.ask(["backup", path, "--home", home.path])
                #expect(made.status == 0, "\(made.output)")
                backups.append((path, told))
            }
            writing.cancel()
            let all = told.union(try await writing.value)
            try await Self.stop(program)
            // Another directory each time, and the last time the same one again.
            for backup in backups {
                let restored = try await Self.ask(["restore", backup.path, "--home", target.path, "--replace"])
                #expect(restored.status == 0, "\(restored.output)")
                for name in ["identity.secret", "local.conf", "planet"] {
                    #expect(try Self.bytes("\(target.path)/\(name)") == Self.bytes("\(home.path)/\(name)"), "\(name)")
                }
                let again = try await Self.start(target.path)
                let found = try await Self.networks(target.path)
                #expect(found.isSuperset(of: backup.told) && found.isSubset(of: all), "\(found) \(backup.told)")
                try await Self.stop(again)
            }
            let mode = try FileManager.default.attributesOfItem(atPath: "\(target.path)/identity.secret")
            #expect(mode[.posixPermissions] as? Int == 0o600)
            let aside = try FileManager.default.contentsOfDirectory(atPath: target.path)
                .filter { $0.hasPrefix("replaced-") }
            #expect(aside.count == 2, "\(aside)")
        }

        @Test func `what is there is not overwritten, and a node that runs is left alone`() async throws {
            let (home, folder) = (TemporaryDirectory(), TemporaryDirectory())
            let program = try await Self.start(home.path)
            let path = "\(folder.path)/backup"
            #expect(try await Self.ask(["backup", path, "--home", home.path]).status == 0)
            let twice = try await Self.ask(["backup", path, "--home", home.path])
            #expect(twice.status == 1 && twice.output.contains("is there already"), "\(twice.output)")
            let running = try await Self.ask(["restore", path, "--home", home.path, "--replace"])
            #expect(running.status == 1 && running.output.contains("another node is running"), "\(running.output)")
            try await Self.stop(program)
            let before = try Self.bytes("\(home.path)/identity.secret")
            let refused = try await Self.ask(["restore", path, "--home", home.path])
            #expect(refused.status == 1 && refused.output.contains("--replace"), "\(refused.output)")
            #expect(try Self.bytes("\(home.path)/identity.secret") == before)
            let none = try await Self.ask(["backup", "\(folder.path)/other", "--home", folder.path])
            #expect(none.status == 1 && none.output.contains("identity.secret is missing"), "\(none.output)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["backup"])
        }

        @Test func `a damaged backup and one of a later release restore nothing`() async throws {
            let (home, folder, target) = (TemporaryDirectory(), TemporaryDirectory(), TemporaryDirectory())
            let program = try await Self.start(home.path)
            _ = try await Self.create(home.path)
            let path = "\(folder.path)/backup"
            #expect(try await Self.ask(["backup", path, "--home", home.path]).status == 0)
            try await Self.stop(program)
            let manifest = String(decoding: try Self.bytes("\(path)/backup.json"), as: UTF8.self)
            func attempt(_ problem: String) async throws {
                let refused = try await Self.ask(["restore", path, "--home", target.path])
                #expect(refused.status == 1 && refused.output.contains(problem), "\(refused.output)")
                #expect(!FileManager.default.fileExists(atPath: "\(target.path)/identity.secret"))
            }
            for (old, new, problem) in [
                ("\"form\": 1", "\"form\": 2", "backup.json: it is of a later release (form 2)"),
                ("planet", "../planet", "no backup of this release has such a file"),
                ("planet", "planet.key", "is missing"),
            ] {
                try manifest.replacingOccurrences(of: "\"name\": \"\(old)\"", with: "\"name\": \"\(new)\"")
                    .replacingOccurrences(of: old.hasPrefix("\"") ? old : "\u{0}", with: new)
                    .write(toFile: "\(path)/backup.json", atomically: false, encoding: .utf8)
                try await attempt(problem)
            }
            try manifest.write(toFile: "\(path)/backup.json", atomically: false, encoding: .utf8)
            let secret = try Self.bytes("\(path)/identity.secret")
            try (secret + Data([32])).write(to: URL(fileURLWithPath: "\(path)/identity.secret"))
            try await attempt("identity.secret is missing, or not as it was")
        }

        @Test func `a restore that did not end keeps nodes from starting until it is done again`() async throws {
            let (home, folder) = (TemporaryDirectory(), TemporaryDirectory())
            let program = try await Self.start(home.path)
            let path = "\(folder.path)/backup"
            #expect(try await Self.ask(["backup", path, "--home", home.path]).status == 0)
            try await Self.stop(program)
            try "half".write(toFile: "\(home.path)/restore.unfinished", atomically: false, encoding: .utf8)
            let refused = try Program(Command.path, ["run", "--home", home.path])
            #expect(try await refused.end() == 1)
            #expect(refused.output.contains { $0.contains("a restore into \(home.path) did not end") })
            #expect(try await Self.ask(["restore", path, "--home", home.path, "--replace"]).status == 0)
            try await Self.stop(try await Self.start(home.path))
        }
    }
}
