// How threads of the application call, which decides who serves the sockets. Hints only: a wrong one costs time, not
// correctness. Read first: Docs/architecture.md, "Locks and wake-ups".

import NetPrimitives
import Synchronization

/// Watches the calls of a node.
final class CallRhythm: Sendable {
    /// Calls that follow each other more closely than this belong together.
    static let closeNanoseconds: UInt64 = 300_000
    private static let callsOfStreak = 8
    private static let pollNanoseconds: UInt64 = 20_000
    /// A wait longer than this ends a streak: the thread is not busy.
    static let longWaitNanoseconds: UInt64 = 5_000_000

    private let lastCall = Atomic<UInt64>(0)
    private let lastThread = Atomic<UInt64>(0)
    private let closeCalls = Atomic(0)
    // Of the streak's thread: programs that never block wait elsewhere, where they serve no socket.
    private let hasBlocked = Atomic(false)
    private let lastPoll = Atomic<UInt64>(0)
    private let lastWake = Atomic<UInt64>(0)
    private let closeWakes = Atomic(0)

    /// What a call means for the sockets.
    enum Meaning {
        /// Nothing.
        case none
        /// The thread calls again and again, with no other in between, and blocks in some of the calls: it may serve the
        /// sockets as it comes.
        case streak
    }

    /// A thread calls.
    func noteCall(by thread: UInt64, at now: UInt64) -> Meaning {
        let isClose = now &- lastCall.exchange(now, ordering: .relaxed) < CallRhythm.closeNanoseconds
        guard lastThread.load(ordering: .relaxed) == thread, isClose else {
            lastThread.store(thread, ordering: .relaxed)
            closeCalls.store(0, ordering: .relaxed)
            hasBlocked.store(false, ordering: .relaxed)
            return .none
        }
        let count = closeCalls.load(ordering: .relaxed)
        if count < CallRhythm.callsOfStreak {
            closeCalls.store(count + 1, ordering: .relaxed)
            return .none
        }
        return hasBlocked.load(ordering: .relaxed) ? .streak : .none
    }

    /// Whether a call of a streak looks at the sockets: many short calls share a look.
    func takePoll(at now: UInt64) -> Bool {
        guard now &- lastPoll.load(ordering: .relaxed) >= CallRhythm.pollNanoseconds else { return false }
        lastPoll.store(now, ordering: .relaxed)
        return true
    }

    /// The thread that called last has waited in that call while it served the sockets. Only the time between its calls
    /// counts, unless the wait was long.
    func noteBlocked(from start: UInt64, to end: UInt64) {
        hasBlocked.store(true, ordering: .relaxed)
        if end &- start < CallRhythm.longWaitNanoseconds { lastCall.store(end, ordering: .relaxed) }
    }

    /// Whether nobody has called for longer than calls of a streak are apart, or, if a thread waits in a call, for longer
    /// than a busy one waits.
    func isQuiet(at now: UInt64, isWaiting: Bool) -> Bool {
        let limit = isWaiting ? CallRhythm.longWaitNanoseconds : CallRhythm.closeNanoseconds
        return now &- lastCall.load(ordering: .relaxed) > limit
    }

    /// A thread goes to sleep until another one, which takes the datagrams, wakes it. True: that happens so often that it
    /// had better take them itself.
    func noteFollower(at now: UInt64) -> Bool {
        let isClose = now &- lastWake.exchange(now, ordering: .relaxed) < CallRhythm.closeNanoseconds
        guard isClose else {
            closeWakes.store(0, ordering: .relaxed)
            return false
        }
        guard closeWakes.add(1, ordering: .relaxed).newValue > CallRhythm.callsOfStreak else { return false }
        closeWakes.store(0, ordering: .relaxed)
        return true
    }
}
