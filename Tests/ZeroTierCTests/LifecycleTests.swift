import CZeroTier
import Foundation
import NetPrimitives
import Synchronization
import Testing
import ZeroTier
import ZeroTierSockets

@testable import ZeroTierC
@testable import ZeroTierLibrary

/// Fixed identities, made for tests alone, so that none waits for key work.
enum TestIdentity {
    static let root =
        "412c79af4f:0:73512da55ea4a54c7b7fafdcf15e2f03ea37a0d71b9827c501af635abd5f9b10a1118b573c77f"
        + "dc46265f3142e9c7ff0a669f43505e9f33a6b2d8b88fe5392b9:b94c8e0dddcc71e20cc4371890242d3d054233"
        + "cfbb32d7cdb379260d5e3007474e264cf58433a6be4bcef1ba5d5fd9f77a4d51dd44870fdbe088ff295d22df5c"
    static let first =
        "e579b42b36:0:7acd18a7aca2aaca14ce51ab803b8929fcf63760a003ac87eb7ad1e70fb3ad58e535aa14069d2"
        + "9ac420d60a89a762277107478b42aec317d478294505a4353fb:d449b6af95a6c9f563b425fe9d9ff4c06744af"
        + "88a71a0f9acc5826aab8e41f6ebaf7169b1ef2f5b5f0a8acf9ab95c142c2ed7cf28b5db5c736f7040a85e080ba"
    static let second =
        "166176ae31:0:83300697c08f423609326a70946daaea51b4411ca72d06aad910fbb8e1439760ddeabcc71c440"
        + "487f6b0dc2dd244f1a177d89f130c578e98edf9239178161e42:b56563563a9dd84b6c177cb65aece183ba7e68"
        + "be63082d9f19dc722279013160751e65da893b45e0a535d99fff0565d6a85ed1b5b22fdbbb35938a69b5ddeaf9"
}

/// The C interface's nodes through their lives, with a root in this process.
@Suite(.serialized) struct LifecycleTests {
    /// What a sink was told, by generation 1's codes.
    final class Recorder: Sendable {
        let codes = Mutex<[Int32]>([])
        let hooks = Mutex<[Int32: @Sendable () -> Void]>([:])

        var sink: EventSink {
            .generation1 { [self] message in
                let code = message.pointee.eventCode
                Recorder.check(message)
                let hook = hooks.withLock { $0.removeValue(forKey: code) }
                codes.withLock { $0.append(code) }
                hook?()
            }
        }

        // The one member that belongs to the event is there, and filled.
        static func check(_ message: UnsafeMutablePointer<zts_callback_msg>) {
            let code = message.pointee.eventCode
            #expect((message.pointee.node != nil) == (0...17).contains(code), "event \(code)")
            #expect((message.pointee.network != nil) == (32...40).contains(code), "event \(code)")
            #expect((message.pointee.netif != nil) == (64...68).contains(code), "event \(code)")
            #expect((message.pointee.peer != nil) == (96...98).contains(code), "event \(code)")
            #expect((message.pointee.path != nil) == (112...114).contains(code), "event \(code)")
            #expect((message.pointee.route != nil) == (128...129).contains(code), "event \(code)")
            #expect((message.pointee.addr != nil) == (144...147).contains(code), "event \(code)")
            if let network = message.pointee.network { #expect(network.pointee.nwid != 0) }
            if let netif = message.pointee.netif { #expect(netif.pointee.mac != 0 && netif.pointee.mtu >= 1280) }
            if let addr = message.pointee.addr {
                #expect(addr.pointee.addr.ss_family == (code < 146 ? 2 : 10))
            }
        }

        func on(_ code: Int32, _ body: @escaping @Sendable () -> Void) { hooks.withLock { $0[code] = body } }

        func wait(for code: Int32, seconds: Int = 20) async -> Bool {
            for _ in 0..<(100 * seconds) {
                if codes.withLock({ $0.contains(code) }) { return true }
                try? await Task.sleep(for: .milliseconds(10))
            }
            return false
        }

        var all: [Int32] { codes.withLock { $0 } }
    }

    /// A root on this machine's loopback interface, and settings for nodes under it.
    struct World {
        let root: Node
        let planet: [UInt8]

        init() throws {
            let identity = try Identity(text: TestIdentity.root)
            let port = try Node.findFreePort()
            let endpoint = SocketEndpoint(IPAddress("127.0.0.1")!, port: port)
            let planet = try RootSet(
                id: 77, roots: [.init(identity: Identity(text: identity.publicText), endpoints: [endpoint])],
                key: RootSet.SigningKey())
            var configuration = Node.Configuration(storage: .store(MemoryStore(identity: identity.secretText)))
            configuration.planet = planet
            configuration.allowsLoopbackPaths = true
            configuration.port = port
            root = try Node(configuration)
            self.planet = planet.bytes
            LibraryNode.allowsLoopbackPaths = true
        }

        func settings(_ recorder: Recorder) -> RunSettings {
            var settings = RunSettings()
            settings.planet = planet
            settings.identity = TestIdentity.first
            settings.sink = recorder.sink
            return settings
        }
    }

    private let network = NetworkID.adHoc(ports: 1...65535)

    @Test func `start, join, stop and start again: events in order, every payload there`() async throws {
        let world = try World()
        let recorder = Recorder()
        let library = LibraryNode(layer: SocketLayer())
        #expect(throws: LifeFailure.self) { try library.stop() }
        #expect(throws: LifeFailure.self) { try library.restart() }
        library.announceStack(to: recorder.sink)
        try library.start(world.settings(recorder))
        #expect(library.isStarted)
        #expect(throws: LifeFailure.self) { try library.start(world.settings(recorder)) }
        #expect(await recorder.wait(for: 2))
        try #require(library.onlineNode).startJoining(network)
        #expect(await recorder.wait(for: 35))
        #expect(await recorder.wait(for: 112))
        try library.stop()
        #expect(!library.isStarted)
        #expect(await recorder.wait(for: 3))
        let first = recorder.all
        #expect(first.starts(with: [48, 0]))
        #expect(first.suffix(2) == [17, 3])
        let order = [2, 64, 146, 38, 35, 147, 40, 17, 3] as [Int32]
        #expect(first.filter { order.contains($0) } == order, "\(first)")
        recorder.codes.withLock { $0 = [] }
        try library.start(world.settings(recorder))
        #expect(await recorder.wait(for: 2))
        #expect(recorder.all.first == 0)
        try library.free()
        #expect(recorder.all.suffix(3) == [17, 3, 49])
        #expect(throws: LifeFailure.self) { try library.free() }
        #expect(throws: LifeFailure.self) { try library.start(world.settings(recorder)) }
        await world.root.shutdown()
    }

    @Test func `a start right after a stop works`() async throws {
        let world = try World()
        let recorder = Recorder()
        let library = LibraryNode(layer: SocketLayer())
        for _ in 0..<5 {
            try library.start(world.settings(recorder))
            #expect(await recorder.wait(for: 0))
            try library.stop()
            #expect(!library.isStarted)
        }
        try library.start(world.settings(recorder))
        #expect(await recorder.wait(for: 2))
        try library.free()
        let lives = recorder.all.filter { $0 == 0 || $0 == 3 }
        #expect(lives == Array([[0, 3], [0, 3], [0, 3], [0, 3], [0, 3], [0, 3]].joined()))
        await world.root.shutdown()
    }

    @Test func `a restart brings the networks back`() async throws {
        let world = try World()
        let recorder = Recorder()
        let library = LibraryNode(layer: SocketLayer())
        library.switches.withLock { $0.networks = false }
        try library.start(world.settings(recorder))
        #expect(await recorder.wait(for: 2))
        let id = try #require(library.node).id
        try #require(library.onlineNode).startJoining(network)
        #expect(await recorder.wait(for: 35))
        recorder.codes.withLock { $0 = [] }
        try library.restart()
        // Told by a thread of its own, perhaps after the return.
        #expect(await recorder.wait(for: 3))
        #expect(recorder.all.filter { [40, 17, 3].contains($0) } == [40, 17, 3])
        #expect(await recorder.wait(for: 35))
        #expect(try #require(library.node).id == id)
        let told = recorder.all.filter { [40, 17, 3, 0, 2, 35].contains($0) }
        #expect(told == [40, 17, 3, 0, 2, 35], "\(told)")
        try library.free()
        await world.root.shutdown()
    }

    @Test(arguments: ["stop", "restart", "free", "start"])
    func `the life cycle can be changed in the callback`(call: String) async throws {
        let world = try World()
        let recorder = Recorder()
        let library = LibraryNode(layer: SocketLayer())
        let settings = world.settings(recorder)
        let done = Atomic(false)
        recorder.on(call == "start" ? 3 : 2) {
            switch call {
            case "stop": try? library.stop()
            case "restart": try? library.restart()
            case "start": try? library.start(settings)
            default: try? library.free()
            }
            done.store(true, ordering: .releasing)
        }
        library.announceStack(to: recorder.sink)
        try library.start(settings)
        if call == "start" {
            #expect(await recorder.wait(for: 0))
            try library.stop()
        }
        for _ in 0..<2000 where !done.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(10)) }
        let isDone = done.load(ordering: .acquiring)
        #expect(isDone, "the call does not return")
        switch call {
        case "stop": #expect(await recorder.wait(for: 3))
        case "free": #expect(await recorder.wait(for: 49))
        default:
            for _ in 0..<2000 where recorder.all.filter({ $0 == 0 }).count < 2 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(recorder.all.filter { $0 == 0 }.count == 2)
        }
        if call != "free" { try library.free() }
        await world.root.shutdown()
    }

    @Test func `a port that is taken: event 16 with the reason, then 3`() async throws {
        let world = try World()
        let recorder = Recorder()
        let library = LibraryNode(layer: SocketLayer())
        let message = Mutex("")
        recorder.on(16) { message.withLock { $0 = String(cString: zts_last_error_message()) } }
        var settings = world.settings(recorder)
        settings.port = world.root.port
        try library.start(settings)
        #expect(await recorder.wait(for: 3))
        #expect(recorder.all == [16, 3])
        #expect(message.withLock { $0 }.contains("in use"))
        try library.free()
        await world.root.shutdown()
    }

    @Test func `a slow callback loses peers' events, never the node's`() {
        let gate = Guarded(false)
        let codes = Mutex<[Int32]>([])
        let queue = EventQueue()
        let sink = EventSink { event in
            _ = gate.wait { $0 ? true : nil }
            if let code = event.codes.first { codes.withLock { $0.append(code) } }
        }
        #expect(queue.start() == nil)
        let peer = PeerInfo(status: .forgotten(NodeID(1)), unixMilliseconds: 0)
        queue.post(.node(.up, NodeInfo()), to: sink)
        for _ in 0..<3000 { queue.post(.peer(.direct, peer), to: sink) }
        for _ in 0..<10 { queue.post(.node(.online, NodeInfo()), to: sink) }
        gate.withLock { $0 = true }
        queue.finish()
        let told = codes.withLock { $0 }
        #expect(told.first == 0)
        #expect(told.suffix(10).allSatisfy { $0 == 2 })
        #expect(told.count <= EventQueue.capacity + 1)
        #expect(queue.dropped > 1900)
    }
}
