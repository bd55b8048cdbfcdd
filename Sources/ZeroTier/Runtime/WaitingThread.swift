// A thread that waits, outside of Swift's concurrency. Read first: futex(2); Docs/architecture.md, "Locks and wake-ups".

import CSystem
package import NetPrimitives
import Synchronization

/// One thread that waits, for one thing or for many. Owned by one thread at a time and used again after. A wake-up that comes
/// first is kept.
@safe
package final class WaitingThread: Sleeper {
    // Sound: the word lives as long as the object and is only touched by atomic operations of the shim.
    private nonisolated(unsafe) let word: UnsafeMutablePointer<UInt32>
    // While the thread takes datagrams it sleeps elsewhere.
    private let leading = Mutex<LeadingThread?>(nil)

    package init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: 0)
    }

    deinit { unsafe word.deallocate() }

    var waiter: Waiter { .thread(self) }

    /// Waits for a wake-up or the deadline; nil is none.
    func park(until deadline: MonotonicInstant?) {
        _ = unsafe csystem_park(word, WaitingThread.nanoseconds(until: deadline), 0)
    }

    /// As `park`, for a thread of the program: handlers of the operating system's signals end the wait, and so does a
    /// cancellation. May return early: look again in any case. False after a handler, any, or with `restarts`, which wants no
    /// deadline, one without SA_RESTART; and after a cancellation.
    @discardableResult
    package func parkInterruptibly(until deadline: MonotonicInstant?, restarts: Bool = false) -> Bool {
        // With a time, however long, no handler lets the kernel go on waiting by itself.
        let forEver = restarts ? -1 : WaitingThread.longestNanoseconds
        let time = deadline == nil ? forEver : WaitingThread.nanoseconds(until: deadline)
        return unsafe csystem_park(word, time, 1) != 2
    }

    /// Lets the thread, or the next that waits here, go on.
    package func wake() {
        leading.withLock { leading in
            if let leading { leading.wake() } else { unsafe csystem_unpark(word) }
        }
    }

    // MARK: While it takes datagrams

    /// From here on wake-ups go to `thread`. False if one came before: there is nothing to wait for.
    func startLeading(_ thread: LeadingThread) -> Bool {
        leading.withLock { $0 = thread }
        return unsafe csystem_park(word, 0, 0) != 1
    }

    /// From here on wake-ups come here. One that `thread` got last may still wait there.
    func stopLeading() { leading.withLock { $0 = nil } }

    private static let longestNanoseconds = Int64(1 << 32) * 1_000_000_000

    // What is left; -1 is for ever.
    private static func nanoseconds(until deadline: MonotonicInstant?) -> Int64 {
        guard let deadline else { return -1 }
        let (end, now) = (deadline.nanoseconds, SystemClock.monotonic().nanoseconds)
        return end > now ? min(Int64(clamping: end - now), longestNanoseconds) : 0
    }
}
