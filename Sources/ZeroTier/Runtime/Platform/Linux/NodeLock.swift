// The node's lock. Swift's `Mutex` is a priority-inheritance futex on Linux: under contention the kernel gives it to a thread
// that has yet to wake up, and everybody waits for that one. This lock goes to the first that asks.
// Read first: Docs/decisions/0005-the-receive-role-and-the-shift.md.

import CZeroTierSystem

/// Protects a value. A thread that finds it taken spins for up to 20 us, then sleeps.
// Sendable: the value is reached under the lock alone, and both live in memory that this struct owns.
@safe
package struct NodeLock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt32>
    private let value: UnsafeMutablePointer<Value>

    // The word has a cache line and its neighbour for itself: what spins on it does not disturb the value.
    private static var words: Int { 32 }

    package init(_ initial: consuming sending Value) {
        unsafe word = .allocate(capacity: NodeLock.words)
        unsafe word.initialize(repeating: 0, count: NodeLock.words)
        unsafe value = .allocate(capacity: 1)
        unsafe value.initialize(to: initial)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe word.deallocate()
    }

    /// Runs `body` with the value. Not recursive.
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Sound: both pointers live as long as `self`, and between these calls nobody else reaches the value.
        unsafe csystem_lock(word)
        defer { unsafe csystem_unlock(word) }
        return try unsafe body(&value.pointee)
    }
}
