// Threads that can be joined, and calls of the program's threads. Read first: pthreads(7).

import CSystem
import NetPrimitives
import Synchronization

/// A thread of our own, to be joined exactly once in effect; further joins return at once.
package final class Thread: Sendable {
    private let number: UInt64
    private let handle: Mutex<UInt64?>

    // Carries the body over to the new thread.
    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a thread. The name is shown by the system's tools, at most 15 bytes of it.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        var number: UInt64 = 0
        // Sound: the retained object is taken over exactly once, by the new thread, or released below if there is none.
        let start = unsafe Unmanaged.passRetained(Start(body))
        let result = unsafe csystem_thread_start(
            { context in
                guard let context = unsafe context else { return }
                let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                start.body()
            }, start.toOpaque(), String(name.utf8.prefix(15)) ?? "zerotier", &number)
        guard result == 0 else {
            unsafe start.release()
            throw SystemError(-result, "start a thread")
        }
        self.number = number
        handle = Mutex(number)
    }

    deinit {
        // Nobody waits for this thread: its memory is released when it ends.
        handle.withLock { handle in
            if let number = handle { _ = csystem_thread_detach(number) }
        }
    }

    /// Whether this is the calling thread.
    package var isCurrent: Bool { csystem_thread_is_current(number) != 0 }

    /// Waits until the thread has ended and its memory is released. Must not be called on the thread itself.
    package func join() {
        // The lock is held across the join, so that a second caller also returns only after the end.
        handle.withLock { handle in
            guard let number = handle else { return }
            _ = csystem_thread_join(number)
            handle = nil
        }
    }
}

/// The calls of threads of the program.
package enum CallingThread {
    /// Runs a call. A thread that is cancelled where it waits meanwhile ends after `body`, and does not come back from here:
    /// what the caller holds then is never released.
    @inline(__always)
    package static func run<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        csystem_call_begin()
        defer { csystem_call_end() }
        return try body()
    }

    /// Whether the thread was cancelled in the call under way: what waits gives up.
    package static var isCancelled: Bool { csystem_call_is_cancelled() != 0 }

    /// The same, for a call that does not wait where a cancellation is noticed: it is noticed here.
    static func noticesCancellation() -> Bool {
        WaitingThread().parkInterruptibly(until: SystemClock.monotonic() + .milliseconds(1))
        return isCancelled
    }

    /// Whether this process is a fork of the one in which the nodes run.
    package static var isForked: Bool { csystem_is_forked() != 0 }
}
