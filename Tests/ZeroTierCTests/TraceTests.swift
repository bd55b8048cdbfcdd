import CZeroTier
import Testing
import ZeroTierSockets

@testable import ZeroTier
@testable import ZeroTierC

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
