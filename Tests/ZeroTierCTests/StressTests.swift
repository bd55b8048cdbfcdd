import Foundation
import LibraryStress
import Testing
import ZeroTier

@testable import ZeroTierC

private let network = NetworkID.adHoc(ports: 1...65535).value

private func directory(_ world: LifecycleTests.World, _ identity: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("zt-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
    try Data(world.planet).write(to: path.appendingPathComponent("planet"))
    try Data(identity.utf8).write(to: path.appendingPathComponent("identity.secret"))
    return path.path
}

private func onThread(_ body: @escaping @Sendable () -> Int32) async -> Int32 {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}

/// The loads of `Tests/LibraryStress` in this process, where the sanitizers see both sides. Small here; the same code runs
/// as a program against the finished library with the full counts.
extension SharedNodeTests {
    @Suite(.serialized) struct StressTests {
        // In a process of its own, whose threads and descriptors are nobody else's.
        @Test
        func `starts bring every event; stops at any moment leave nothing; many share sockets, and sockets are many`()
            async
        {
            await #expect(processExitsWith: .success) {
                let world = try LifecycleTests.World()
                let first = try directory(world, TestIdentity.first)
                let second = try directory(world, TestIdentity.second)
                defer { for path in [first, second] { try? FileManager.default.removeItem(atPath: path) } }
                #expect(await onThread { stress_starts(first, network, 5) } == 0)
                #expect(await onThread { stress_cycles(first, network, 40) } == 0)
                #expect(await onThread { stress_threads(first, second, network, 64, 3) } == 0)
                #expect(await onThread { stress_sockets(first, second, network, 300) } == 0)
                await world.root.shutdown()
            }
        }
    }
}
