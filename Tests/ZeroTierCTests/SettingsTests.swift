import CZeroTier
import Foundation
import Synchronization
import Testing
import ZeroTierSockets

@testable import ZeroTier
@testable import ZeroTierC
@testable import ZeroTierLibrary

/// What is set before a start has its effect in the run.
@Suite(.serialized) struct SettingsTests {
    private typealias Recorder = LifecycleTests.Recorder

    @Test func `identities that others have are kept under numbers, each of them`() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("zt-aside-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let store = try CachingStore(
            path: directory.path, identity: nil, switches: { CachingSwitches() }, onWrite: { _, _ in })
        for number: UInt8 in 1...3 {
            try store.write("identity.secret", [number], isSecret: true)
            try store.write("identity.public", [number], isSecret: false)
            try store.setIdentityAside()
            #expect(try store.read("identity.secret") == nil)
            #expect(try store.read("identity.public") == nil)
        }
        // Nothing there: nothing is kept, and what was kept stays.
        try store.setIdentityAside()
        for (ending, number) in [("", 1), (".1", 2), (".2", 3)] as [(String, UInt8)] {
            let file = directory.appendingPathComponent("identity.secret.saved_after_collision\(ending)")
            #expect(try Data(contentsOf: file) == Data([number]))
            let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/identity.secret.saved_after_collision.3"))
    }

    @Test func `a kind of state that is switched off is neither written nor read, and what is there stays`() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "zt-settings-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let switches = Mutex(CachingSwitches())
        let store = try CachingStore(
            path: directory.path, identity: nil, switches: { switches.withLock { $0 } }, onWrite: { _, _ in })
        let kinds: [(name: String, WritableKeyPath<CachingSwitches, Bool>)] = [
            ("networks.d/ff00070009000000.conf", \.networks), ("peers.d/e579b42b36.peer", \.peers), ("planet", \.roots),
            ("moons.d/0000000000000001.moon", \.roots), ("identity.secret", \.identity),
            ("identity.public", \.identity),
        ]
        for (name, kind) in kinds {
            let file = directory.appendingPathComponent(name)
            try store.write(name, [1, 2, 3], isSecret: false)
            #expect(try Data(contentsOf: file) == Data([1, 2, 3]), "\(name)")
            switches.withLock { $0[keyPath: kind] = false }
            #expect(try store.read(name) == nil, "\(name)")
            try store.write(name, [4], isSecret: false)
            #expect(try Data(contentsOf: file) == Data([1, 2, 3]), "\(name)")
            // For the run itself it is remembered, but for the many small ones that can be learned again.
            #expect(try store.read(name) == (name.contains("/") ? nil : [4]), "\(name)")
            try store.remove(name)
            #expect(try Data(contentsOf: file) == Data([1, 2, 3]), "\(name)")
            switches.withLock { $0[keyPath: kind] = true }
            #expect(try store.read(name) == [1, 2, 3], "\(name)")
        }
        store.unlock()
    }

    @Test func `a directory that others can write is told with the start`() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("zt-open-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
        defer { try? FileManager.default.removeItem(at: directory) }
        let world = try LifecycleTests.World()
        let recorder = Recorder()
        let message = Mutex("")
        recorder.on(0) { message.withLock { $0 = String(cString: zts_last_error_message()) } }
        let library = LibraryNode(layer: SocketLayer())
        var settings = world.settings(recorder)
        settings.path = directory.path
        try library.start(settings)
        #expect(await recorder.wait(for: 2))
        #expect(message.withLock { $0 }.contains("chmod 700 \(directory.path)"))
        try library.free()
        await world.root.shutdown()
    }

    @Test func `a port is taken from the range`() async throws {
        let world = try LifecycleTests.World()
        let recorder = Recorder()
        let library = LibraryNode(layer: SocketLayer())
        var settings = world.settings(recorder)
        let port = try Node.findFreePort()
        settings.portRange = port...port
        try library.start(settings)
        #expect(await recorder.wait(for: 2))
        #expect(library.onlineNode?.port == port)
        try library.free()
        await world.root.shutdown()
    }

    @Test func `a start without any interface left fails and says so`() async throws {
        let world = try LifecycleTests.World()
        let recorder = Recorder()
        let message = Mutex("")
        recorder.on(16) { message.withLock { $0 = String(cString: zts_last_error_message()) } }
        let library = LibraryNode(layer: SocketLayer())
        var settings = world.settings(recorder)
        settings.refusedInterfaces = Set(InterfaceWatcher.scan().map(\.interface)).sorted()
        try library.start(settings)
        #expect(await recorder.wait(for: 3))
        #expect(recorder.all == [16, 3])
        #expect(message.withLock { $0 }.contains("no interface is left"))
        // Any interface that is left will do.
        settings.refusedInterfaces.removeAll { $0 == "lo" }
        settings.refusedInterfaces.append("no-such-interface")
        recorder.codes.withLock { $0 = [] }
        try library.start(settings)
        #expect(await recorder.wait(for: 2))
        try library.free()
        await world.root.shutdown()
    }
}
