import Foundation
import Testing

@testable import ZeroTier

extension DriverTests {
    @Suite struct NodeStateTests {
        private func start(_ directory: TemporaryDirectory, port: UInt16 = 0) async throws -> Node {
            var configuration = Node.Configuration(storage: .directory(directory.path))
            configuration.planet = try Constellation.makePlanet(port: 1)
            configuration.port = port
            return try await Node.start(configuration)
        }

        private func write(_ text: String, _ name: String, _ directory: TemporaryDirectory) throws {
            try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
            try text.write(toFile: "\(directory.path)/\(name)", atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: "\(directory.path)/\(name)")
        }

        @Test func `identity, networks and port survive a restart`() async throws {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            let first = try await start(directory)
            let (id, port) = (first.id, first.port)
            try first.startJoining(Constellation.network)
            await first.shutdown()
            let file = "\(directory.path)/identity.secret"
            #expect(try String(contentsOfFile: file, encoding: .utf8) == TestIdentity.first)
            #expect(FileManager.default.fileExists(atPath: "\(directory.path)/identity.public"))
            #expect(FileManager.default.fileExists(atPath: "\(directory.path)/planet"))
            let network = "\(directory.path)/networks.d/\(Constellation.network).conf"
            #expect(FileSystem.facts(of: network)?.mode == 0o600)

            let second = try await start(directory)
            #expect(second.id == id)
            #expect(second.port == port)
            #expect(try second.networks().map(\.id) == [Constellation.network])
            try second.leave(Constellation.network)
            await second.shutdown()
            #expect(!FileManager.default.fileExists(atPath: network))
        }

        @Test func `the port of the last run is left to who has it now`() async throws {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            let first = try await start(directory)
            let port = first.port
            await first.shutdown()
            let planet = try Constellation.makePlanet(port: 1)
            var configuration = Constellation.configuration(TestIdentity.second, planet)
            configuration.port = port
            let other = try await Node.start(configuration)
            let second = try await start(directory)
            #expect(other.port == port)
            #expect(second.port != port && second.port != 0)
            await second.shutdown()
            await other.shutdown()
        }

        @Test func `a state directory that is gone is told by event, with its path, and the node goes on`() async throws
        {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            let node = try await start(directory)
            let events = node.events
            // Modes do not keep the superuser out; a file in the place of the directory does.
            try FileManager.default.removeItem(atPath: directory.path)
            try Data([1]).write(to: URL(fileURLWithPath: directory.path))
            try node.startJoining(Constellation.network)
            for await event in events {
                guard case .storageFailed(let error) = event else { continue }
                #expect(error.code == .storageUnavailable)
                #expect(error.message.contains(directory.path), "\(error)")
                break
            }
            #expect(try node.networks().map(\.id) == [Constellation.network])
            await node.shutdown()
        }

        @Test func `a stored older version of the standard planet gives way, a planet of one's own stays`() throws {
            struct Worlds: Decodable {
                struct Entry: Decodable { let name, binary: String }
                let worlds: [Entry]
            }
            let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Vectors/vl1_worlds.json")
            let worlds = try JSONDecoder().decode(Worlds.self, from: Data(contentsOf: file)).worlds
            for (name, givesWay) in [
                ("default_planet_1.8.4", true), ("default_planet_1.14", false), ("custom_planet", false),
            ] {
                let digits = Array(try #require(worlds.first { $0.name == name }).binary)
                let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
                    UInt8(String(digits[$0...$0 + 1]), radix: 16)
                }
                let store = MemoryStore()
                try store.write(StateName.planet, bytes, isSecret: false)
                let chosen = RootSet(try NodeStart.choosePlanet(nil, store))
                #expect(chosen.bytes == (givesWay ? RootSet.standard.bytes : bytes), "\(name)")
                #expect(try store.read(StateName.planet) == chosen.bytes)
            }
        }

        @Test func `a new identity is stored for its owner alone`() async throws {
            let directory = TemporaryDirectory()
            let node = try await start(directory)
            await node.shutdown()
            #expect(FileSystem.facts(of: "\(directory.path)/identity.secret")?.mode == 0o600)
            let stored = try Identity(
                text: String(contentsOfFile: "\(directory.path)/identity.secret", encoding: .utf8))
            #expect(stored.hasSecret && stored.isValid && stored.id == node.id)
        }

        @Test(arguments: ["not an identity", "", "truncated", "forged"])
        func `a damaged identity is an error that names the file and leaves it as it was`(damage: String) async throws {
            let directory = TemporaryDirectory()
            var text = damage
            if damage == "truncated" { text = String(TestIdentity.first.dropLast(10)) }
            // Another address than the keys give.
            if damage == "forged" { text = "0123456789" + TestIdentity.first.dropFirst(10) }
            try write(text, "identity.secret", directory)
            let error = await #expect(throws: ZeroTierError.self) { try await start(directory) }
            #expect(error?.code == .invalidIdentity)
            #expect(error?.message.contains("\(directory.path)/identity.secret") == true)
            #expect(try String(contentsOfFile: "\(directory.path)/identity.secret", encoding: .utf8) == text)
            // The failed start holds nothing.
            _ = try DirectoryStore(path: directory.path)
        }

        @Test(arguments: ["planet", "moons.d/0123456789abcdef.moon"])
        func `a damaged world is an error that names the file and leaves it as it was`(name: String) async throws {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            try FileManager.default.createDirectory(
                atPath: "\(directory.path)/moons.d", withIntermediateDirectories: true)
            let damaged = Array(try Constellation.makePlanet(port: 1).bytes.dropLast(30))
            let file = "\(directory.path)/\(name)"
            try Data(damaged).write(to: URL(fileURLWithPath: file))
            let error = await #expect(throws: ZeroTierError.self) {
                try await Node.start(Node.Configuration(storage: .directory(directory.path)))
            }
            #expect(error?.code == .invalidWorld)
            #expect(error?.message.contains(file) == true)
            #expect(FileManager.default.contents(atPath: file) == Data(damaged))
            // The failed start holds nothing.
            _ = try DirectoryStore(path: directory.path)
        }

        @Test func `a configuration that cannot be is refused before anything is made`() async throws {
            for path in ["", "/dev/null/deep"] {
                let error = await #expect(throws: ZeroTierError.self) {
                    try await Node.start(Node.Configuration(storage: .directory(path)))
                }
                #expect(error?.code == (path.isEmpty ? .invalidArgument : .storageUnavailable))
            }
            for version in [-1, 10, 13, 99] {
                var configuration = Node.Configuration()
                configuration.protocolVersion = version
                let error = await #expect(throws: ZeroTierError.self) { try await Node.start(configuration) }
                #expect(error?.code == .invalidArgument && error?.message.contains("\(version)") == true)
            }
        }

        @Test func `a second node on one directory is refused while the first runs`() async throws {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            let first = try await start(directory)
            let error = await #expect(throws: ZeroTierError.self) { try await start(directory) }
            #expect(error?.code == .storageInUse)
            await first.shutdown()
            let second = try await start(directory)
            await second.shutdown()
        }

        @Test func `a port that is taken is an error that says so`() async throws {
            let planet = try Constellation.makePlanet(port: 1)
            let first = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
            var configuration = Constellation.configuration(TestIdentity.second, planet)
            configuration.port = first.port
            let error = await #expect(throws: ZeroTierError.self) { try await Node.start(configuration) }
            #expect(error?.code == .portTaken)
            #expect(error?.message.contains("\(first.port)") == true)
            await first.shutdown()
        }

        @Test func `peers are remembered at the end`() async throws {
            let directory = TemporaryDirectory()
            let nodes = try await Constellation()
            let address = try await nodes.join()
            var configuration = Node.Configuration(storage: .directory(directory.path))
            configuration.planet = nodes.planet
            configuration.allowsLoopbackPaths = true
            let node = try await Node.start(configuration)
            try await node.join(Constellation.network)
            _ = try await node.ping(address)
            await node.shutdown()
            #expect(FileManager.default.fileExists(atPath: "\(directory.path)/peers.d/\(nodes.second.id).peer"))
            await nodes.shutdown()
        }

        @Test func `a public identity that cannot be written does not keep a node from starting, and is told`()
            async throws
        {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            // Nothing can be renamed to where a directory with something in it is.
            try FileManager.default.createDirectory(
                atPath: "\(directory.path)/identity.public/something", withIntermediateDirectories: true)
            var configuration = Node.Configuration(storage: .directory(directory.path))
            configuration.planet = try Constellation.makePlanet(port: 1)
            let (warnings, told) = AsyncStream.makeStream(of: ZeroTierError.self)
            configuration.log = { event in
                if case .warning(let error) = event { told.yield(error) }
            }
            let node = try await Node.start(configuration)
            for await warning in warnings {
                #expect(warning.code == .storageUnavailable && warning.message.contains("identity.public"))
                break
            }
            await node.shutdown()
        }

        @Test func `a public identity of another node is replaced by the one that belongs to the secret`() async throws
        {
            let directory = TemporaryDirectory()
            try write(TestIdentity.first, "identity.secret", directory)
            try write("not it", "identity.public", directory)
            let node = try await start(directory)
            await node.shutdown()
            let text = try String(contentsOfFile: "\(directory.path)/identity.public", encoding: .utf8)
            #expect(text == node.identity.publicText)
        }

        @Test func `the roots that libzt 1.8 stored under another name are found`() throws {
            let planet = try Constellation.makePlanet(port: 77)
            let store = MemoryStore()
            try store.write("roots", planet.bytes, isSecret: false)
            #expect(RootSet(try NodeStart.choosePlanet(nil, store)).bytes == planet.bytes)
            // One under the usual name goes before.
            let own = try Constellation.makePlanet(port: 78)
            try store.write(StateName.planet, own.bytes, isSecret: false)
            #expect(RootSet(try NodeStart.choosePlanet(nil, store)).bytes == own.bytes)
        }

        @Test func `a peer that has become direct is remembered while the node runs`() async throws {
            let port = try Node.findFreePort()
            let planet = try Constellation.makePlanet(port: port)
            var root = Constellation.configuration(TestIdentity.root, planet)
            root.port = port
            let rootNode = try await Node.start(root)
            let store = MemoryStore(identity: TestIdentity.first)
            var configuration = Constellation.configuration(TestIdentity.first, planet)
            configuration.storage = .store(store)
            let first = try await Node.start(configuration)
            let second = try await Node.start(Constellation.configuration(TestIdentity.second, planet))
            for node in [first, second] { try await node.waitUntilOnline(timeout: .seconds(20)) }
            try await first.join(Constellation.network)
            let address = try #require(try await second.join(Constellation.network).addresses.first?.address)
            _ = try await first.ping(address)
            for _ in 0..<2_000 where try store.list(StateName.peerFolder).isEmpty {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try store.list(StateName.peerFolder) == ["\(second.id).peer"])
            for node in [first, second, rootNode] { await node.shutdown() }
        }
    }
}
