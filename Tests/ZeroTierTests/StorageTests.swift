import Foundation
import Testing

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
        #expect(FileSystem.mode(of: store.location(of: "identity.secret")) == 0o600)
        #expect(FileSystem.mode(of: store.location(of: "peers.d/0123456789.peer")) == 0o644)
        #expect(try store.list("peers.d") == ["0123456789.peer"])
        #expect(try store.list("moons.d").isEmpty)
        try store.remove("identity.secret")
        try store.remove("identity.secret")
        #expect(try store.read("identity.secret") == nil)
    }

    @Test func `a secret that was readable for others is made private by the next write`() throws {
        let directory = TemporaryDirectory()
        let store = try DirectoryStore(path: directory.path)
        try store.write("identity.secret", [1], isSecret: false)
        try store.write("identity.secret", [1], isSecret: true)
        #expect(FileSystem.mode(of: store.location(of: "identity.secret")) == 0o600)
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
