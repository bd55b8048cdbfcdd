import Foundation
import Synchronization
import Testing

@testable import ZeroTier

@Suite struct NodeLockTests {
    /// What four threads count; both numbers are wrong if two of them were ever inside at the same time.
    private final class Shared: Sendable {
        let lock = NodeLock((count: 0, inside: 0))
        let overlaps = Atomic(0)
    }

    @Test func `one thread at a time is inside, and every one gets in`() async {
        let shared = Shared()
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        Foundation.Thread.detachNewThread {
                            for round in 0..<5_000 {
                                shared.lock.withLock { state in
                                    state.inside += 1
                                    if state.inside != 1 { shared.overlaps.add(1, ordering: .relaxed) }
                                    state.count += 1
                                    // Now and then longer than a waiting thread spins.
                                    if (round + thread) % 500 == 0 { usleep(100) }
                                    state.inside -= 1
                                }
                            }
                            continuation.resume()
                        }
                    }
                }
            }
        }
        #expect(shared.lock.withLock { $0.count } == 20_000)
        #expect(shared.overlaps.load(ordering: .relaxed) == 0)
    }

    @Test func `an error goes through and the lock is free again`() throws {
        struct Failure: Error {}
        let lock = NodeLock(1)
        #expect(throws: Failure.self) { try lock.withLock { (_: inout Int) throws in throw Failure() } }
        #expect(lock.withLock { $0 } == 1)
    }
}
