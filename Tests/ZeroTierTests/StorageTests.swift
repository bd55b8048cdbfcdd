import Foundation
import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTier

/// A directory that is removed at the end of a test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory().appending("zerotier-test-\(UUID().uuidString.prefix(8))")
    }

    deinit {
        try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        try? FileManager.default.removeItem(atPath: path)
    }
}

@Suite struct StorageTests {
    @Test func `what is written is read back, with the mode of a secret`() throws {
        let directory = TemporaryDirectory()
        let store = try DirectoryStore(path: directory.path + "/deep/down")
        #expect(try store.read("identity.secret") == nil)
        try store.write("identity.secret", [1, 2, 3], isSecret: true)
        try store.write("peers.d/0123456789.peer", Array(repeating: 7, count: 100_000), isSecret: false)
        #expect(try store.read("identity.secret") == [1, 2, 3])
        #expect(try store.read("peers.d/0123456789.peer") == Array(repeating: 7, count: 100_000))
        #expect(FileSystem.facts(of: store.location(of: "identity.secret"))?.mode == 0o600)
        #expect(FileSystem.facts(of: store.location(of: "peers.d/0123456789.peer"))?.mode == 0o644)
        #expect(try store.list("peers.d") == ["0123456789.peer"])
        #expect(try store.list("moons.d").isEmpty)
        try store.remove("identity.secret")
        try store.remove("identity.secret")
        #expect(try store.read("identity.secret") == nil)
    }

    // Some file systems tell of a failed write no sooner.
    @Test func `a close that fails is a write that failed`() throws {
        #expect(throws: SystemError(EBADF, "write x")) { try Descriptor.end(-1, "write x") }
        let directory = TemporaryDirectory()
        try FileSystem.write("\(directory.path)/deep/x", [1], mode: 0o600, isDurable: false)
        #expect(try FileSystem.read("\(directory.path)/deep/x") == [1])
    }

    @Test func `a secret that was readable for others is made private by the next write`() throws {
        let directory = TemporaryDirectory()
        let store = try DirectoryStore(path: directory.path)
        try store.write("identity.secret", [1], isSecret: false)
        try store.write("identity.secret", [1], isSecret: true)
        #expect(FileSystem.facts(of: store.location(of: "identity.secret"))?.mode == 0o600)
    }

    @Test func `a write replaces the file and leaves no temporary one, not even an old one`() throws {
        let directory = TemporaryDirectory()
        let store = try DirectoryStore(path: directory.path)
        try store.write("planet", [1], isSecret: false)
        _ = FileManager.default.createFile(atPath: store.location(of: "planet.new"), contents: Data([9, 9]))
        try store.write("planet", [2, 3], isSecret: false)
        #expect(try store.read("planet") == [2, 3])
        #expect(try store.list(".").sorted() == ["node.lock", "planet"])
    }

    @Test func `equal contents are not written again`() throws {
        let directory = TemporaryDirectory()
        let store = try DirectoryStore(path: directory.path)
        try store.write("planet", [1], isSecret: false)
        let number = { () throws -> Int in
            let attributes = try FileManager.default.attributesOfItem(atPath: store.location(of: "planet"))
            return try #require(attributes[.systemFileNumber] as? Int)
        }
        let before = try number()
        try store.write("planet", [1], isSecret: false)
        #expect(try number() == before)
    }

    @Test func `a second store on one directory is refused until the first is gone`() throws {
        let directory = TemporaryDirectory()
        var first: DirectoryStore? = try DirectoryStore(path: directory.path)
        #expect(first != nil)
        let error = #expect(throws: ZeroTierError.self) { try DirectoryStore(path: directory.path) }
        #expect(error?.code == .storageInUse)
        first = nil
        _ = try DirectoryStore(path: directory.path)
    }

    @Test func `a directory that cannot be made is an error with its path`() throws {
        let directory = TemporaryDirectory()
        _ = FileManager.default.createFile(atPath: directory.path, contents: Data())
        let error = #expect(throws: ZeroTierError.self) { try DirectoryStore(path: directory.path + "/state") }
        #expect(error?.code == .storageUnavailable)
        #expect(error?.message.contains(directory.path) == true)
    }

    @Test func `memory keeps the same names`() throws {
        let store = MemoryStore(identity: "abc")
        #expect(try store.read("identity.secret") == Array("abc".utf8))
        try store.write("networks.d/1.conf", [1], isSecret: true)
        try store.write("networks.d/2.conf", [1], isSecret: true)
        try store.remove("networks.d/1.conf")
        #expect(try store.list("networks.d") == ["2.conf"])
    }
}

@Suite struct SafeStorageTests {
    private func make(_ directory: TemporaryDirectory) throws {
        try FileManager.default.createDirectory(
            atPath: directory.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    @Test(arguments: [true, false])
    func `a symbolic link in the place of the lock is refused, and what it leads to is as it was`(exists: Bool) throws {
        let directory = TemporaryDirectory()
        try make(directory)
        let target = "\(directory.path)/other"
        if exists {
            #expect(FileManager.default.createFile(atPath: target, contents: Data([1])))
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: target)
        }
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory.path)/node.lock", withDestinationPath: target)
        let error = #expect(throws: ZeroTierError.self) { try DirectoryStore(path: directory.path) }
        #expect(error?.code == .storageUnavailable && error?.message.contains("node.lock") == true)
        #expect(FileManager.default.fileExists(atPath: target) == exists)
        if exists { #expect(FileSystem.facts(of: target)?.mode == 0o644) }
    }

    @Test func `a lock that is there keeps its mode`() throws {
        let directory = TemporaryDirectory()
        try make(directory)
        let lock = "\(directory.path)/node.lock"
        #expect(FileManager.default.createFile(atPath: lock, contents: Data()))
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: lock)
        _ = try DirectoryStore(path: directory.path)
        #expect(FileSystem.facts(of: lock)?.mode == 0o640)
    }

    @Test(
        arguments: [0o666, 0o620, 0o602],
        ["identity.secret", "planet.key", "authtoken.secret", "metricstoken.secret", "centraltokens.secret"])
    func `a secret that others can change is refused and left as it was`(mode: Int, name: String) throws {
        let directory = TemporaryDirectory()
        try make(directory)
        let file = "\(directory.path)/\(name)"
        #expect(FileManager.default.createFile(atPath: file, contents: Data(TestIdentity.first.utf8)))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        let error = #expect(throws: ZeroTierError.self) { try DirectoryStore(path: directory.path) }
        #expect(error?.code == .storageUnsafe && error?.message.contains("chmod 600 \(file)") == true)
        #expect(FileSystem.facts(of: file)?.mode == UInt32(mode))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        #expect(try DirectoryStore(path: directory.path).warnings.isEmpty)
    }

    @Test(arguments: [
        "identity.secret", "planet.key", "authtoken.secret", "metricstoken.secret", "centraltokens.secret",
    ])
    func `a secret of another user is refused, and the superuser is told`(name: String) throws {
        let directory = TemporaryDirectory()
        try make(directory)
        let file = "\(directory.path)/\(name)"
        #expect(FileManager.default.createFile(atPath: file, contents: Data([1])))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        // Only the superuser can give files away; for anybody else the reader is the one that is another.
        if geteuid() == 0 { #expect(chown(file, 54_321, 54_321) == 0) }
        let owner = try #require(FileSystem.facts(of: file)).owner
        #expect(try DirectoryStore.check(secret: file, for: owner) == nil)
        let error = #expect(throws: ZeroTierError.self) { try DirectoryStore.check(secret: file, for: owner + 1) }
        #expect(error?.code == .storageUnsafe && error?.message.contains("chown \(owner + 1) \(file)") == true)
        let warning = try DirectoryStore.check(secret: file, for: 0)
        #expect(warning?.code == .storageUnsafe && warning?.message.contains(file) == true)
        let warnings = try DirectoryStore(path: directory.path).warnings
        #expect(warnings == (geteuid() == 0 ? [warning].compactMap(\.self) : []))
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data([1]))
    }

    @Test(
        arguments: [
            "identity.secret", "identity.public", "planet", "planet.key", "port", "moons.d/0000000000000001.moon",
            "peers.d/0123456789.peer", "networks.d/0123456789abcdef.conf", "networks.d/0123456789abcdef.local.conf",
        ], [true, false])
    func `a symbolic link in the place of a file, or of its copy, is replaced, and what it leads to is as it was`(
        name: String, exists: Bool
    ) throws {
        let directory = TemporaryDirectory()
        let store = try DirectoryStore(path: directory.path)
        let target = "\(directory.path)/elsewhere"
        if exists {
            #expect(FileManager.default.createFile(atPath: target, contents: Data([9])))
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: target)
        }
        let file = store.location(of: name)
        try FileSystem.makeDirectory(URL(fileURLWithPath: file).deletingLastPathComponent().path)
        for link in [file, file + ".new"] {
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
        }
        try store.write(name, [1, 2], isSecret: true)
        #expect(FileSystem.facts(of: file, followsLinks: false)?.isRegular == true)
        #expect(FileSystem.facts(of: file)?.mode == 0o600)
        #expect(try store.read(name) == [1, 2])
        #expect(FileSystem.facts(of: "\(file).new", followsLinks: false) == nil)
        #expect(FileManager.default.contents(atPath: target) == (exists ? Data([9]) : nil))
        if exists { #expect(FileSystem.facts(of: target)?.mode == 0o640) }
    }

    @Test func `a secret that others can read, and a directory that others can write, are told`() throws {
        let directory = TemporaryDirectory()
        try make(directory)
        let file = "\(directory.path)/identity.secret"
        #expect(FileManager.default.createFile(atPath: file, contents: Data(TestIdentity.first.utf8)))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
        let warnings = try DirectoryStore(path: directory.path).warnings
        #expect(warnings.map(\.code) == [.storageUnsafe, .storageUnsafe])
        #expect(warnings.first?.message.contains(directory.path) == true)
        #expect(warnings.last?.message.contains(file) == true)
        #expect(FileSystem.facts(of: file)?.mode == 0o644)
    }

    @Test func `a relative path counts from where the node was started`() throws {
        let relative = "zerotier-test-relative-\(UUID().uuidString.prefix(8))"
        let store = try DirectoryStore(path: relative)
        defer { try? FileManager.default.removeItem(atPath: store.path) }
        #expect(store.path == FileManager.default.currentDirectoryPath + "/" + relative)
        #expect(store.location(of: "planet").hasPrefix("/"))
    }

    @Test func `a lock that a copy of the descriptor outlives is free all the same`() throws {
        let directory = TemporaryDirectory()
        try make(directory)
        let path = "\(directory.path)/node.lock"
        let lock = try #require(try FileSystem.lock(path))
        // As a fork has it.
        let copy = dup(lock.number)
        defer { close(copy) }
        #expect(try FileSystem.lock(path) == nil)
        FileSystem.unlock(lock)
        #expect(try FileSystem.lock(path) != nil)
    }

    @Test func `a socket in a directory with a long path is listened on and found`() async throws {
        let directory = TemporaryDirectory()
        let long = directory.path + "/" + String(repeating: "d", count: 120)
        try FileManager.default.createDirectory(atPath: long, withIntermediateDirectories: true)
        let listener = try LocalListener(path: long + "/control.socket")
        try listener.start { "you said \($0)" }
        let answer: String = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try LocalListener.ask(path: long + "/control.socket", "hello", patience: .seconds(300))
                    })
            }
        }
        #expect(answer == "you said hello")
        listener.stop()
        #expect(!FileManager.default.fileExists(atPath: long + "/control.socket"))
    }
}

/// An identity as the machines have it.
func wireIdentity(_ text: String) -> ZeroTierWire.Identity? { ZeroTierWire.Identity(text: text) }

@Suite struct SealedStoreTests {
    private func record(_ text: String) throws -> [UInt8] {
        let identity = try #require(wireIdentity(text)).withoutSecret
        return PeerRecord(
            identity: identity, protocolVersion: 12, softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1),
            endpoints: [SocketEndpoint(IPAddress("192.0.2.7")!, port: 9993)]
        ).encoded
    }

    private let name = "peers.d/166176ae31.peer"

    @Test func `a node knows the records that it stored from those of others, changed ones and older releases'`() throws
    {
        let store = MemoryStore()
        let first = try #require(wireIdentity(TestIdentity.first))
        let root = try #require(wireIdentity(TestIdentity.root))
        let record = try record(TestIdentity.second)
        let sealed = SealedStore(store, of: first)
        try sealed.write(name, record, isSecret: false)
        let own = try #require(try sealed.peer(name))
        #expect(own.isOwn && own.record == record && own.address.value == 0x16_6176_ae31)
        #expect(try SealedStore(store, of: root).peer(name)?.isOwn == false)
        let bytes = try #require(try store.read(name))
        #expect(try PeerRecord(decoding: bytes) == PeerRecord(decoding: record), "others read it as ever")
        for index in [0, 3, 40, record.count - 1, bytes.count - 1] {
            var changed = bytes
            changed[index] ^= 1
            try store.write(name, changed, isSecret: false)
            #expect((try? sealed.peer(name))?.isOwn != true)
        }
        for older in [record, Array(record.prefix(10)), []] {
            try store.write(name, older, isSecret: false)
            #expect((try? sealed.peer(name))?.isOwn != true)
        }
        try sealed.write("planet", [1], isSecret: false)
        #expect(try store.read("planet") == [1])
    }
}

extension DriverTests {
    @Suite struct PeerFileTests {
        @Test func `damaged files of peers are told by name and left, and what older releases stored is no peer yet`()
            async throws
        {
            let directory = TemporaryDirectory()
            let folder = "\(directory.path)/peers.d"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let second = try #require(wireIdentity(TestIdentity.second)).withoutSecret
            let record = PeerRecord(
                identity: second, protocolVersion: 12,
                softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1), endpoints: []
            ).encoded
            // The second one is another's record.
            let files = ["0123456789.peer": [1, 2, 3], "e579b42b36.peer": record, "\(second.address).peer": record]
            for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
            try TestIdentity.first.write(
                toFile: "\(directory.path)/identity.secret", atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: "\(directory.path)/identity.secret")
            var configuration = Node.Configuration(storage: .directory(directory.path))
            configuration.planet = try Constellation.makePlanet(port: 1)
            let (warnings, told) = AsyncStream.makeStream(of: ZeroTierError.self)
            configuration.log = { event in
                if case .warning(let error) = event, error.code == .storageUnavailable { told.yield(error) }
            }
            let node = try await Node.start(configuration)
            for await warning in warnings {
                #expect(warning.message.contains("\(folder)/0123456789.peer"))
                #expect(warning.message.contains("\(folder)/e579b42b36.peer"))
                #expect(!warning.message.contains("\(second.address)"))
                break
            }
            #expect(try !node.peers().contains { $0.id.value == second.address.value })
            await node.shutdown()
            for (name, bytes) in files {
                #expect(FileManager.default.contents(atPath: "\(folder)/\(name)") == Data(bytes), "\(name)")
            }
        }
    }
}
