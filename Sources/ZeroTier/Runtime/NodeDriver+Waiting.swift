// Waiting for something of a node: tasks that are suspended, threads that sleep, and the one among these that takes the
// datagrams meanwhile. Read first: Docs/architecture.md, "Locks and wake-ups".

import NetPrimitives
import Synchronization

extension NodeDriver {
    /// Runs `body` until it gives a result, each time after something happened to `key`.
    func wait<Result: Sendable>(
        for key: WaitKey, until deadline: MonotonicInstant?, orThrow timeout: @autoclosure () -> ZeroTierError,
        _ body: @Sendable (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) async throws(ZeroTierError) -> Result {
        if let result = try call(body) { return result }
        while true {
            let id = nextWaiter()
            var outcome: Swift.Result<Result, ZeroTierError>?
            let reason = await withTaskCancellationHandler {
                await withCheckedContinuation { (continuation: CheckedContinuation<WaitResult, Never>) in
                    outcome = attempt(id, key, deadline, .task(continuation), body)
                }
            } onCancel: {
                cancel(id)
            }
            if let outcome { return try outcome.get() }
            try check(reason, timeout())
        }
    }

    /// As `wait`, for a thread outside of Swift's concurrency.
    func waitBlocking<Result: Sendable>(
        for key: WaitKey, until deadline: MonotonicInstant?, orThrow timeout: @autoclosure () -> ZeroTierError,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) throws(ZeroTierError) -> Result {
        if let result = try call(body) { return result }
        while true {
            let wait = lead(key, deadline, body) ?? follow(key, deadline, body)
            if let outcome = wait.outcome { return try outcome.get() }
            try check(wait.reason, timeout())
            if let result = try call(body) { return result }
        }
    }

    // The end of one wait: a result, or a reason to look again.
    private typealias Wait<Result> = (outcome: Swift.Result<Result, ZeroTierError>?, reason: WaitResult)

    // Waits for another thread to say that there is something.
    private func follow<Result: Sendable>(
        _ key: WaitKey, _ deadline: MonotonicInstant?,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) -> Wait<Result> {
        let thread = BlockedThread()
        let outcome = attempt(nextWaiter(), key, deadline, .thread(thread), body)
        return (outcome, thread.wait())
    }

    // Waits while taking the datagrams that come, for whomever they are. Nil if another thread does that.
    private func lead<Result: Sendable>(
        _ key: WaitKey, _ deadline: MonotonicInstant?,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) -> Wait<Result>? {
        withRole { role -> Wait<Result> in
            let outcome = attempt(nextWaiter(), key, deadline, .leader(leader), body)
            while true {
                if let reason = leader.take() {
                    _ = setLed(false)
                    return (outcome, reason)
                }
                role.serve { batch in take(&batch) }
            }
        }
    }

    /// As above for a thread of the socket layer that is registered with a watch. False, at once, if another thread takes
    /// the datagrams.
    func lead(for thread: ParkedThread, until deadline: MonotonicInstant?) -> Bool {
        withRole { role in
            defer {
                thread.stopLeading()
                // A wake-up that came last is not the next one's.
                _ = leader.take()
            }
            guard thread.startLeading(leader), setLed(true) else { return }
            while leader.take() == nil {
                if let deadline, deadline <= SystemClock.monotonic() { break }
                role.serve(until: deadline) { batch in take(&batch) }
            }
            _ = setLed(false)
        } != nil
    }

    // Whether the driver's thread sleeps on when datagrams come. False if the node is ending.
    private func setLed(_ isLed: Bool) -> Bool {
        state.withLock { state in
            guard state.core != nil else { return false }
            state.core!.setLed(isLed)
            return !state.isStopping
        }
    }

    // Runs `body` as the thread that takes datagrams. Nil if another is that, or the node has ended.
    func withRole<Result>(_ body: (inout ReceiveRole) -> Result) -> Result? {
        guard !isRoleTaken.exchange(true, ordering: .acquiring) else { return nil }
        defer { isRoleTaken.store(false, ordering: .releasing) }
        return role.withLock { role in
            guard role != nil else { return nil }
            return body(&role!)
        }
    }

    private func nextWaiter() -> UInt64 { waiterNumbers.add(1, ordering: .relaxed).newValue }

    private func check(_ reason: WaitResult, _ timeout: @autoclosure () -> ZeroTierError) throws(ZeroTierError) {
        switch reason {
        case .ready: return
        case .timedOut: throw timeout()
        case .cancelled: throw .taskCancelled
        case .stopped: throw .stopped
        }
    }

    // Tries once more and, with the lock still held, goes to wait: nothing can happen in between unseen. In every case
    // the target is resumed: at once if there is an outcome.
    private func attempt<Result: Sendable>(
        _ id: UInt64, _ key: WaitKey, _ deadline: MonotonicInstant?, _ target: WaitTarget,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) -> Swift.Result<Result, ZeroTierError>? {
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
                if case .leader = target { state.core!.setLed(true) }
            } else {
                immediate = .ready
            }
            return (outcome, settle(&state.core!, now))
        }
        if let immediate { target.resume(immediate) }
        carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
        return outcome
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
