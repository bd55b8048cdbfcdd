import CZeroTier
import NetPrimitives
import Synchronization
import Testing
import ZeroTierSockets

@testable import ZeroTier
@testable import ZeroTierC
@testable import ZeroTierLibrary

extension SharedNodeTests {
    /// What `zts_trace_set` says holds for the process.
    @Suite(.serialized) struct TraceTests {
        @Test func `traces are switched for nodes that run and for those that come`() async throws {
            let world = try LifecycleTests.World()
            let recorder = LifecycleTests.Recorder()
            let library = LibraryNode(layer: SocketLayer())
            let number = try #require(LibraryInstances.add(library))
            defer { _ = LibraryInstances.remove(number) }
            #expect(zts_trace_set("rules, udp") == 0)
            defer { #expect(zts_trace_set("none") == 0) }
            try library.start(world.settings(recorder))
            #expect(await recorder.wait(for: 2))
            #expect(library.node?.traces == [.rules, .udp])
            #expect(zts_trace_set("rules") == 0)
            #expect(library.node?.traces == .rules)
            #expect(zts_trace_set("none") == 0)
            #expect(library.node?.traces == [])
            try library.free()
            await world.root.shutdown()
        }

        @Test func `socket calls tell how they ended while they are traced, and nothing else does`() async throws {
            let world = try LifecycleTests.World()
            let lines = Mutex<[String]>([])
            var configuration = Node.Configuration(storage: .store(MemoryStore(identity: TestIdentity.first)))
            configuration.planet = try RootSet(bytes: world.planet)
            configuration.traces = .sockets
            configuration.traceOutput = { line in lines.withLock { $0.append(line) } }
            let node = try Node(configuration)
            let layer = SocketLayer()
            layer.attach(node)
            let made = try layer.socket(family: 2, type: 1, protocol: 0)
            try layer.bind(made, to: SocketEndpoint(.anyIPv4, port: 80))
            let other = try layer.socket(family: 2, type: 1, protocol: 0)
            #expect(throws: SocketError.self) { try layer.bind(other, to: SocketEndpoint(.anyIPv4, port: 80)) }
            try layer.close(made)
            let told = lines.withLock { $0 }
            #expect(told.allSatisfy { $0.contains(" trace sockets \(node.id) ") })
            for (line, words) in zip(
                told,
                ["type 1: \(made)", "bind \(made) to 0.0.0.0:80", "type 1: \(other)", "failed: ", "close \(made)"])
            {
                #expect(line.contains(words), "\(told)")
            }
            #expect(told.count == 5)
            try node.setTraces([])
            try layer.close(other)
            #expect(lines.withLock { $0.count } == 5)
            layer.detach()
            node.shutdownBlocking()
            await world.root.shutdown()
        }

        @Test func `a name that is none is refused, with the names that are, and changes nothing`() {
            let before = LibraryTraces.chosen
            #expect(zts_trace_set("tcp,nonsense") == -2)
            let message = String(cString: zts_last_error_message())
            #expect(message.contains("nonsense") && message.contains("sockets"))
            #expect(zts_trace_set(nil) == -2)
            #expect(LibraryTraces.chosen == before)
        }
    }
}
