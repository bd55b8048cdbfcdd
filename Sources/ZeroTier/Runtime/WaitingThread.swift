// A thread that waits, outside of Swift's concurrency. Read first: Docs/architecture.md, "Locks and wake-ups".

package import NetPrimitives
import Synchronization

/// One thread that waits, for one thing or for many. Owned by one thread at a time and used again after. A wake-up that comes
/// first is kept.
package final class WaitingThread: Sleeper {
    private let parker = Parker()
    // While the thread takes datagrams it sleeps elsewhere.
    private let leading = Mutex<LeadingThread?>(nil)

    package init() {}

    var waiter: Waiter { .thread(self) }

    /// Waits for a wake-up or the deadline; nil is none.
    func park(until deadline: MonotonicInstant?) { _ = parker.park(until: deadline) }

    /// As `park`, for a thread of the program: handlers of the operating system's signals end the wait, and so does a
    /// cancellation. May return early: look again in any case. False after a handler, any, or with `restarts`, which wants no
    /// deadline, one without SA_RESTART; and after a cancellation.
    @discardableResult
    package func parkInterruptibly(until deadline: MonotonicInstant?, restarts: Bool = false) -> Bool {
        parker.parkInterruptibly(until: deadline, restarts: restarts)
    }

    /// Lets the thread, or the next that waits here, go on.
    package func wake() {
        leading.withLock { leading in
            if let leading { leading.wake() } else { parker.unpark() }
        }
    }

    // MARK: While it takes datagrams

    /// From here on wake-ups go to `thread`. False if one came before: there is nothing to wait for.
    func startLeading(_ thread: LeadingThread) -> Bool {
        leading.withLock { $0 = thread }
        return !parker.takeWakeUp()
    }

    /// From here on wake-ups come here. One that `thread` got last may still wait there.
    func stopLeading() { leading.withLock { $0 = nil } }
}
