// Threads that can be joined, where they sleep, and calls of the program's threads. Read first: pthreads(7), futex(2).

import CZeroTierSystem
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

/// Where one thread sleeps. A wake-up that comes first is kept.
// Sound to share: the word lives as long as the value and is only touched by atomic operations of the shim.
@safe
struct Parker: ~Copyable, @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt32>

    init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: 0)
    }

    deinit { unsafe word.deallocate() }

    /// Sleeps until a wake-up or the deadline; nil is none. False if the time is over first.
    func park(until deadline: MonotonicInstant?) -> Bool {
        unsafe csystem_park(word, Parker.nanoseconds(until: deadline), 0) == 1
    }

    /// Takes a wake-up that has come. False if there is none.
    func takeWakeUp() -> Bool { unsafe csystem_park(word, 0, 0) == 1 }

    /// As `park`, for a thread of the program: handlers of the operating system's signals end the wait, and so does a
    /// cancellation. False after that, and after a handler: any, or with `restarts`, which wants no deadline, one without
    /// SA_RESTART.
    func parkInterruptibly(until deadline: MonotonicInstant?, restarts: Bool) -> Bool {
        // With a time, however long, no handler lets the kernel go on waiting by itself.
        let forEver = restarts ? -1 : Parker.longestNanoseconds
        let time = deadline == nil ? forEver : Parker.nanoseconds(until: deadline)
        return unsafe csystem_park(word, time, 1) != 2
    }

    /// Lets the sleeping thread, or the next that sleeps here, go on.
    func unpark() { unsafe csystem_unpark(word) }

    private static let longestNanoseconds = Int64(1 << 32) * 1_000_000_000

    // What is left; -1 is for ever.
    private static func nanoseconds(until deadline: MonotonicInstant?) -> Int64 {
        guard let deadline else { return -1 }
        let (end, now) = (deadline.nanoseconds, SystemClock.monotonic().nanoseconds)
        return end > now ? min(Int64(clamping: end - now), longestNanoseconds) : 0
    }
}

/// Keeps handlers of signals and cancellation from the calling thread while it works for others.
struct SignalShield: ~Copyable {
    /// What ran when the shield was lowered.
    enum Handled {
        case nothing
        /// Handlers with SA_RESTART.
        case restarting
        /// A handler without it, which interrupts calls.
        case interrupting
    }

    private var shield = csystem_shield()

    /// Raises it. It must be lowered, on the same thread.
    init() { unsafe csystem_shield_raise(&shield) }

    /// Lowers it: handlers of signals that wait run before this returns. `isSignalled`: signals may wait.
    consuming func lower(isSignalled: Bool) -> Handled {
        let handled = unsafe csystem_shield_lower(&shield, isSignalled ? 1 : 0)
        if handled & CSYSTEM_INTERRUPTED != 0 { return .interrupting }
        return handled & CSYSTEM_HANDLED != 0 ? .restarting : .nothing
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
        _ = Parker().parkInterruptibly(until: SystemClock.monotonic() + .milliseconds(1), restarts: false)
        return isCancelled
    }

    /// A number that no other thread has that lives now.
    static var number: UInt64 { csystem_thread_self() }

    /// The processors that the process may use.
    static var processors: Int { Int(csystem_processors()) }

    /// Lets another thread have the processor if one waits for it.
    static func yield() { csystem_yield() }

    /// A descriptor that is readable, for a thread whose signals are blocked, while one waits for it. Nil if there is none to be
    /// had.
    static func watchSignals() -> Descriptor? {
        let number = csystem_signal_watch_open()
        return number >= 0 ? Descriptor(owning: number) : nil
    }

    /// Whether this process is a fork of the one in which the nodes run.
    package static var isForked: Bool { csystem_is_forked() != 0 }
}
