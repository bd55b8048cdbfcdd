import Foundation
import JSONValues
import TestSupport
import Testing

@testable import ZeroTier

extension CommandTests {
    /// State directories of other releases: what Docs/daemon.md says of each file.
    @Suite struct Releases {
        private static func ask(_ words: [String]) async throws -> (status: Int32, output: String) {
            let output = Pipe()
            return await Command.end(of: try Command.start(words, output: output), output: output)
        }

        // A controller without the Internet.
        private static func start(_ home: String, _ options: String...) async throws -> Program {
            let program = try Program(Command.path, ["run", "--home", home, "--controller"] + options)
            _ = try await program.line(containing: "state in")
            return program
        }

        private static func stop(_ program: Program) async throws {
            program.interrupt()
            #expect(try await program.end() == 0, "\(program.output)")
        }

        /// A directory as this release leaves it: a network with a name, a member and a node that was left out.
        private static func withState(
            _ body: (_ home: String, _ network: String) async throws -> Void
        ) async throws {
            let folder = TemporaryDirectory()
            let home = folder.path
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: "\(home)/planet"))
            let program = try await start(home)
            let made = try await ask(["controller", "network", "create", "--name", name, "--home", home, "--json"])
            let network = try JSONDocument(Array(made.output.utf8)).read { (json) throws(JSONError) in
                try json.required("id").string()
            }
            for verb in ["authorize", "deauthorize"] {
                let node = verb == "authorize" ? "1122334455" : "2233445566"
                let told = try await ask(["controller", "member", verb, network, node, "--home", home])
                #expect(told.status == 0, "\(told.output)")
            }
            try await stop(program)
            try await body(home, network)
        }

        private static let name = "network-of-a-release"

        /// What is in the directory, without what each start makes anew.
        private static func files(_ home: String) throws -> [String: Data] {
            var files: [String: Data] = [:]
            for path in try FileManager.default.subpathsOfDirectory(atPath: home) where path != "last-failure" {
                var isFolder: ObjCBool = false
                _ = FileManager.default.fileExists(atPath: "\(home)/\(path)", isDirectory: &isFolder)
                if !isFolder.boolValue { files[path] = try bytes("\(home)/\(path)") }
            }
            return files
        }

        private static func bytes(_ path: String) throws -> Data {
            try #require(FileManager.default.contents(atPath: path), "\(path)")
        }

        /// Changes bytes of a file that nobody has open.
        private static func change(_ path: String, _ change: (inout Data) throws -> Void) throws {
            var data = try bytes(path)
            try change(&data)
            try data.write(to: URL(fileURLWithPath: path))
        }

        private static func networks(_ home: String) async throws -> String {
            try await ask(["controller", "network", "list", "--home", home]).output
        }

        /// A start that fails, says the words, and leaves the directory as it was.
        private static func refuses(_ home: String, _ words: [String]) async throws {
            let before = try files(home)
            let program = try Program(Command.path, ["run", "--home", home, "--controller"])
            #expect(try await program.end() == 1)
            let said = program.output.joined(separator: "\n")
            for word in words { #expect(said.contains(word), "\(word): \(said)") }
            let after = try files(home)
            #expect(Set(after.keys) == Set(before.keys))
            for (name, data) in before { #expect(after[name] == data, "\(name)") }
            let status = try await ask(["status", "--home", home])
            #expect(words.allSatisfy { status.output.contains($0) }, "\(status.output)")
        }

        // MARK: Later releases

        @Test func `a file of records of a later release is named and left as it was`() async throws {
            try await Self.withState { home, _ in
                let path = "\(home)/controller.db"
                // The place of user_version in the header of a file of SQLite.
                try Self.change(path) { data in
                    #expect(data[60..<64].elementsEqual([0, 0, 0, 1]))
                    data[63] = 2
                }
                try await Self.refuses(home, [path, "is of a later release (form 2)"])
                // A node that controls nothing does not need it.
                let plain = try Program(Command.path, ["run", "--home", home])
                _ = try await plain.line(containing: "state in")
                try await Self.stop(plain)
                // Back in its form, everything is there.
                try Self.change(path) { $0[63] = 1 }
                let again = try await Self.start(home)
                #expect(try await Self.networks(home).contains(Self.name))
                try await Self.stop(again)
            }
        }

        @Test func `a record of a later release is named and left as it was`() async throws {
            try await Self.withState { home, _ in
                let path = "\(home)/controller.db"
                try Self.change(path) { data in
                    var found = 0
                    // Before the name: its form, two numbers of 64 bits, the name's length.
                    while let place = data.range(of: Data(Self.name.utf8), in: found..<data.count) {
                        let form = place.lowerBound - 2 - 16 - 1
                        if data[form] == 2 { data[form] = 9 }
                        found = place.upperBound
                    }
                    #expect(found > 0)
                }
                try await Self.refuses(home, [path, "network.version"])
            }
        }

        @Test func `what later releases add to the other files is passed over or kept`() async throws {
            try await Self.withState { home, network in
                let joined = try Program(Command.path, ["run", "--home", home, "--join", network])
                _ = try await joined.line(containing: "state in")
                try await Self.stop(joined)
                let local = "\(home)/networks.d/\(network).local.conf"
                try "allowManaged=0\nallowGlobal=1\nallowMoreOfALaterRelease=1\n"
                    .write(toFile: local, atomically: false, encoding: .utf8)
                // A peer in a form that is not known.
                try FileManager.default.createDirectory(
                    atPath: "\(home)/peers.d", withIntermediateDirectories: true)
                try Data([0x7f, 1, 2, 3]).write(to: URL(fileURLWithPath: "\(home)/peers.d/1122334455.peer"))
                try #"{"settings":{"ofALaterRelease":[1]},"alsoOfOne":{"x":2}}"#
                    .write(toFile: "\(home)/local.conf", atomically: false, encoding: .utf8)
                let program = try await Self.start(home, "--service", "--service-port", "0")
                _ = try await program.line(containing: "service at")
                let networks = try await Self.ask(["networks", "--home", home, "--json"]).output
                #expect(networks.contains(network), "\(networks)")
                let settings = try await Self.ask(["cli", "-D\(home)", "-j", "listnetworks"]).output
                let compact = settings.replacing(" ", with: "")
                #expect(compact.contains(#""allowManaged":false"#), "\(settings)")
                #expect(compact.contains(#""allowGlobal":true"#), "\(settings)")
                let info = try await Self.ask(["info", "--json", "--home", home]).output
                #expect(info.contains(#""ofALaterRelease":[1]"#) && info.contains(#""alsoOfOne":{"x":2}"#), "\(info)")
                try await Self.stop(program)
                let text = String(decoding: try Self.bytes("\(home)/local.conf"), as: UTF8.self)
                #expect(text.contains("ofALaterRelease") && text.contains("alsoOfOne"))
            }
        }

        // MARK: Earlier ones

        @Test func `a file of records with nothing in it becomes one of this release`() async throws {
            try await Self.withState { home, _ in
                let path = "\(home)/controller.db"
                try Data().write(to: URL(fileURLWithPath: path))
                let program = try await Self.start(home)
                #expect(try await !Self.networks(home).contains(Self.name))
                try await Self.stop(program)
                #expect(try Self.bytes(path)[60..<64].elementsEqual([0, 0, 0, 1]))
            }
        }

        @Test func `exported networks come back with IDs and members, for an earlier release`() async throws {
            try await Self.withState { home, network in
                let folder = TemporaryDirectory()
                let later = try await Self.start(home)
                let before = try await Self.ask(["controller", "member", "list", network, "--home", home]).output
                let exported = try await Self.ask(["controller", "export", folder.path, "--home", home])
                #expect(exported.status == 0, "\(exported.output)")
                try await Self.stop(later)
                try FileManager.default.moveItem(
                    atPath: "\(home)/controller.db", toPath: "\(home)/controller.db.later")
                let earlier = try await Self.start(home)
                #expect(try await !Self.networks(home).contains(network))
                let imported = try await Self.ask(["controller", "import", folder.path, "--home", home])
                #expect(imported.status == 0, "\(imported.output)")
                let list = try await Self.networks(home)
                #expect(list.contains(network) && list.contains(Self.name), "\(list)")
                let after = try await Self.ask(["controller", "member", "list", network, "--home", home]).output
                #expect(after == before && after.contains("1122334455"), "\(before)\(after)")
                try await Self.stop(earlier)
            }
        }
    }
}
