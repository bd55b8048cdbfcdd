// Waiting for something of a node: tasks that are suspended, threads that sleep, and the one among these that takes the
// datagrams meanwhile. Read first: Docs/architecture.md, "Locks and wake-ups".

import CSystem
import NetPrimitives
import Synchronization

extension NodeDriver {
    /// Runs `body` until it gives a result, each time after something happened to `key`. Nil when the time is over. In a
    /// cancelled task it throws `CancellationError`, also where there is nothing to wait for: so every cancelled loop ends.
    func wait<Result: Sendable>(
        for key: WaitKey, until deadline: MonotonicInstant?,
        _ body: @Sendable (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) async throws -> Result? {
        try Task.checkCancellation()
        if let result = try call(body) { return result }
        while true {
            let id = nextWaiter()
            var outcome: Swift.Result<Result, ZeroTierError>?
            let reason = await withTaskCancellationHandler {
                await withCheckedContinuation { (continuation: CheckedContinuation<WaitResult, Never>) in
                    let (found, next) = attempt(id, key, deadline, .task(continuation), body)
                    outcome = found
                    carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
                }
            } onCancel: {
                cancel(id)
            }
            if let outcome { return try outcome.get() }
            switch reason {
            case .ready: continue
            case .timedOut: return nil
            case .cancelled: throw CancellationError()
            case .stopped: throw ZeroTierError.stopped
            }
        }
    }

    /// As above, where the end of the time is an error.
    func wait<Result: Sendable>(
        for key: WaitKey, within timeout: Duration?, orThrow error: @autoclosure () -> ZeroTierError,
        _ body: @Sendable (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) async throws -> Result {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        guard let result = try await wait(for: key, until: deadline, body) else { throw error() }
        return result
    }

    /// As `wait`, for a thread outside of Swift's concurrency, which nobody cancels.
    func waitBlocking<Result: Sendable>(
        for key: WaitKey, until deadline: MonotonicInstant?,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) throws(ZeroTierError) -> Result? {
        if CallingThread.isForked { throw .forked }
        noteCall()
        if let result = try call(body) { return result }
        while true {
            let wait = lead(key, deadline, body) ?? follow(key, deadline, body)
            if let outcome = wait.outcome { return try outcome.get() }
            switch wait.reason {
            // Threads are not cancelled.
            case .ready, .cancelled: break
            case .timedOut: return nil
            case .stopped: throw .stopped
            }
            if let result = try call(body) { return result }
        }
    }

    /// As above, where the end of the time is an error.
    func waitBlocking<Result: Sendable>(
        for key: WaitKey, within timeout: Duration?, orThrow error: @autoclosure () -> ZeroTierError,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) throws(ZeroTierError) -> Result {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        guard let result = try waitBlocking(for: key, until: deadline, body) else { throw error() }
        return result
    }

    // The end of one wait: a result, or a reason to look again.
    private typealias Wait<Result> = (outcome: Swift.Result<Result, ZeroTierError>?, reason: WaitResult)

    // Waits for another thread to say that there is something.
    private func follow<Result: Sendable>(
        _ key: WaitKey, _ deadline: MonotonicInstant?,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) -> Wait<Result> {
        noteFollower()
        let thread = BlockedThread()
        let (outcome, next) = attempt(nextWaiter(), key, deadline, .thread(thread), body)
        carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
        return (outcome, thread.wait())
    }

    // Waits while taking the datagrams that come, for whomever they are. Nil if another thread does that, or shall.
    private func lead<Result: Sendable>(
        _ key: WaitKey, _ deadline: MonotonicInstant?,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) -> Wait<Result>? {
        if duty.now.isTaken { return nil }
        var rest = Next()
        var shield = csystem_shield()
        unsafe csystem_shield_raise(&shield)
        let wait = withRole { role -> Wait<Result>? in
            role.isSignalled = false
            let id = nextWaiter()
            let (outcome, next) = attempt(id, key, deadline, .leader(leader), body)
            // What else there is to send waits until the role is free again if the thread does not serve the sockets now.
            let start = SystemClock.monotonic().nanoseconds
            if outcome == nil {
                carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
            } else {
                rest = next
            }
            var turns = 0
            while true {
                if let reason = leader.take() {
                    if outcome == nil { rhythm.noteBlocked(from: start, to: SystemClock.monotonic().nanoseconds) }
                    return (outcome, reason)
                }
                if turns >= NodeDriver.turnsForOthers, duty.change({ $0.takeWish() }), withdraw(id) { return nil }
                // The handlers of signals run where the thread keeps nobody waiting.
                if role.isSignalled, withdraw(id) { return nil }
                role.serve { batch, isLast in take(&batch, isLast) }
                turns += 1
            }
        }
        _ = unsafe csystem_shield_lower(&shield, 0)
        carryOn(rest, slabs: NodeDriver.slabsPerCall - 1)
        return wait ?? nil
    }

    /// How a thread's time with the receive role ended.
    enum Leading {
        /// Its wait is over, or the deadline.
        case done
        /// A handler of a signal ran, with SA_RESTART.
        case handled
        /// A handler of a signal ran, without SA_RESTART.
        case interrupted
        /// Another takes the datagrams: the thread is to wait elsewhere.
        case follows
    }

    /// As above for a thread of the socket layer that is registered with a watch. Signals of the program end it, and their
    /// handlers run after it: they may be slow, and need not return. So does a long wait: a thread that waits elsewhere can
    /// be cancelled.
    func lead(for thread: ParkedThread, until deadline: MonotonicInstant?) -> Leading {
        if duty.now.isTaken {
            noteFollower()
            return .follows
        }
        var shield = csystem_shield()
        unsafe csystem_shield_raise(&shield)
        var isSignalled = false
        var isLong = false
        let isDone = withRole { role -> Bool in
            role.isSignalled = false
            defer {
                thread.stopLeading()
                // A wake-up that came last is not the next one's.
                _ = leader.take()
            }
            guard thread.startLeading(leader), dismissDriver() else { return true }
            var now = SystemClock.monotonic()
            let start = now
            defer { rhythm.noteBlocked(from: start.nanoseconds, to: SystemClock.monotonic().nanoseconds) }
            let patience = start + NodeDriver.longestLead
            let end = deadline.map { min($0, patience) } ?? patience
            var turns = 0
            while leader.take() == nil {
                if now >= end {
                    isLong = deadline.map { $0 > now } ?? true
                    return !isLong
                }
                if role.isSignalled {
                    isSignalled = true
                    return false
                }
                if turns >= NodeDriver.turnsForOthers, duty.change({ $0.takeWish() }) { return false }
                role.serve(until: end) { batch, isLast in take(&batch, isLast) }
                now = SystemClock.monotonic()
                turns += 1
            }
            return true
        }
        let handled = unsafe csystem_shield_lower(&shield, isSignalled ? 1 : 0)
        if handled & CSYSTEM_INTERRUPTED != 0 { return .interrupted }
        if handled & CSYSTEM_HANDLED != 0 { return .handled }
        if isDone == true { return .done }
        if !isLong { noteFollower() }
        return .follows
    }

    // MARK: The receive role

    /// How often the thread that has the role serves the sockets before it gives the role to one that asks.
    private static let turnsForOthers = 16
    /// The longest wait of a thread of the socket layer that takes the datagrams meanwhile.
    private static let longestLead = Duration.seconds(1)
    /// How often the driver looks whether a shift still lasts. Datagrams wait for at most twice this, once, when it is over.
    static let shiftTickMilliseconds: Int32 = 1

    /// A thread calls. One that does so often takes the datagrams that have come, so that no other has to be woken for
    /// each acknowledgement.
    func noteCall() {
        let now = SystemClock.monotonic().nanoseconds
        guard case .streak = rhythm.noteCall(by: csystem_thread_self(), at: now) else { return }
        if duty.change({ $0.beginShift() }) {
            _ = dismissDriver()
            kickThread()
        }
        guard rhythm.takePoll(at: now) else { return }
        _ = withRole { role in role.poll { batch, isLast in take(&batch, isLast) } }
    }

    private func noteFollower() {
        if rhythm.noteFollower(at: SystemClock.monotonic().nanoseconds) { duty.change { $0.want() } }
    }

    /// The driver's thread has slept for a tick of a shift. If nobody calls any more, the shift is over.
    func endShiftIfQuiet() {
        guard rhythm.isQuiet(at: SystemClock.monotonic().nanoseconds, isWaiting: duty.now.isTaken) else { return }
        if duty.change({ $0.endShift() }) { recallDriver() }
    }

    /// Lets the driver's thread sleep on when datagrams come, if somebody else serves the sockets. False if the node is
    /// ending.
    @discardableResult
    func dismissDriver() -> Bool {
        state.withLock { state in
            guard state.core != nil else { return false }
            if duty.change({ $0.dismissDriver() }) { state.core!.setDriverDismissed(true) }
            return !state.isStopping
        }
    }

    private func recallDriver() {
        state.withLock { state in
            guard state.core != nil, duty.change({ $0.recallDriver() }) else { return }
            state.core!.setDriverDismissed(false)
        }
    }

    // Runs `body` as the thread that takes datagrams. Nil if another is that, or the node has ended.
    func withRole<Result>(_ body: (inout ReceiveRole) -> Result) -> Result? {
        guard duty.change({ $0.take() }) else { return nil }
        defer { if duty.change({ $0.leave() }) { recallDriver() } }
        return role.withLock { role in
            guard role != nil else { return nil }
            return body(&role!)
        }
    }

    private func nextWaiter() -> UInt64 { waiterNumbers.add(1, ordering: .relaxed).newValue }

    // Tries once more and, with the lock still held, goes to wait: nothing can happen in between unseen. In every case
    // the target is resumed: at once if there is an outcome. `next`: what is left to do without the lock.
    private func attempt<Result: Sendable>(
        _ id: UInt64, _ key: WaitKey, _ deadline: MonotonicInstant?, _ target: WaitTarget,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) -> (outcome: Swift.Result<Result, ZeroTierError>?, next: Next) {
        // A task that was cancelled before this point has no handler left to call, so it is asked here, under the lock.
        var immediate: WaitResult?
        let (outcome, next) = state.withLock { state -> (Swift.Result<Result, ZeroTierError>?, Next) in
            guard state.core != nil, !state.isStopping else {
                immediate = .stopped
                return (nil, Next())
            }
            if case .task = target, Task.isCancelled {
                immediate = .cancelled
                return (nil, Next())
            }
            let now = SystemClock.now()
            var outcome: Swift.Result<Result, ZeroTierError>?
            do throws(ZeroTierError) {
                if let result = try body(&state.core!, now) { outcome = .success(result) }
            } catch {
                outcome = .failure(error)
            }
            if outcome == nil {
                state.core!.waits.add(id, for: key, until: deadline, target)
                if case .leader = target, duty.change({ $0.dismissDriver() }) { state.core!.setDriverDismissed(true) }
            } else {
                immediate = .ready
            }
            return (outcome, settle(&state.core!, now))
        }
        if let immediate { target.resume(immediate) }
        return (outcome, next)
    }

    // Takes the leading thread's waiter back. False if somebody has taken it to wake it: that is still to come.
    private func withdraw(_ id: UInt64) -> Bool {
        state.withLock { state in
            state.core != nil && state.core!.withdrawWait(id)
        }
    }

    private func cancel(_ id: UInt64) {
        let wakes = state.withLock { state -> WakeList in
            guard state.core != nil else { return WakeList() }
            state.core!.cancelWait(id)
            return state.core!.wakes.take()
        }
        wakes.resume()
    }
}
