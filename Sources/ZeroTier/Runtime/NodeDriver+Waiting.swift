// Waiting for something of a node: tasks that are suspended, threads that sleep, and the one among these that takes the
// datagrams meanwhile. Read first: Docs/architecture.md, "Locks and wake-ups".

import NetPrimitives
import Synchronization

extension NodeDriver {
    /// Runs `body` until it gives a result, each time after something happened to `key`. Nil when the time is over. In a
    /// cancelled task it throws `CancellationError`, also where there is nothing to wait for: so every cancelled loop ends.
    func wait<Result: Sendable>(
        for key: WaitKey, until deadline: MonotonicInstant?,
        _ body: @Sendable (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) async throws -> Result? {
        var task: WaitingTask?
        while true {
            if Task.isCancelled {
                if let task { leave(task.waiter, of: key) }
                throw CancellationError()
            }
            switch try look(for: key, until: deadline, as: &task, body) {
            case .found(let result): return result
            case .over: return nil
            case .registered(let task): await task.wait()
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
        // Whoever takes the datagrams holds the lock while it hands them out. So the next look, a lock later, often finds what
        // this one missed, and no thread has to sleep for it.
        if duty.now.isTaken, let result = try call(body) { return result }
        var thread: WaitingThread?
        while true {
            switch try look(for: key, until: deadline, as: &thread, body) {
            case .found(let result): return result
            case .over: return nil
            case .registered(let thread):
                if case .done = lead(for: thread, until: deadline, atMost: nil) { continue }
                thread.park(until: deadline)
            }
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

    // What a look gave.
    private enum Look<Result: Sendable, Own: Sleeper>: Sendable {
        case found(Result)
        /// Nothing, and the time is over.
        case over
        /// Nothing. From the moment of the look on the waiter is woken when there is something new.
        case registered(Own)
    }

    // Runs `body`. If it gives nothing, goes to wait with the lock still held: nothing can happen in between unseen.
    private func look<Result: Sendable, Own: Sleeper>(
        for key: WaitKey, until deadline: MonotonicInstant?, as own: inout Own?,
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result?
    ) throws(ZeroTierError) -> Look<Result, Own> {
        if CallingThread.isForked { throw .forked }
        let (look, next) = state.withLock { state -> (Swift.Result<Look<Result, Own>, ZeroTierError>, Next) in
            guard state.core != nil, !state.isStopping else { return (.failure(.stopped), Next()) }
            let now = SystemClock.now()
            let look: Swift.Result<Look<Result, Own>, ZeroTierError>
            do throws(ZeroTierError) {
                if let result = try body(&state.core!, now) {
                    look = .success(.found(result))
                } else if let deadline, deadline <= now.monotonic {
                    look = .success(.over)
                } else {
                    let waiter = own ?? Own()
                    own = waiter
                    state.core!.enter(waiter.waiter, for: key, until: deadline)
                    return (.success(.registered(waiter)), settle(&state.core!, now))
                }
            } catch {
                look = .failure(error)
            }
            if let own { state.core!.leave(own.waiter, of: key) }
            return (look, settle(&state.core!, now))
        }
        carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
        return try look.get()
    }

    private func leave(_ waiter: Waiter, of key: WaitKey) {
        state.withLock { state in
            if state.core != nil { state.core!.leave(waiter, of: key) }
        }
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

    /// Waits while taking the datagrams that come, for whomever they are. The thread is registered in a list already. Signals of
    /// the program end it, and their handlers run after it: they may be slow, and need not return. So does a wait that is
    /// longer than `patience`; nil is for ever.
    func lead(for thread: WaitingThread, until deadline: MonotonicInstant?, atMost patience: Duration?) -> Leading {
        if duty.now.isTaken {
            noteFollower()
            return .follows
        }
        let shield = SignalShield()
        let stint = withRole { role in
            role.isSignalled = false
            let end = serve(for: thread, until: deadline, atMost: patience, &role)
            thread.stopLeading()
            // A wake-up that came last is this thread's, and not the next one's.
            return leader.takeWakeUp() ? .woken : end
        }
        switch shield.lower(isSignalled: stint == .signalled) {
        case .interrupting: return .interrupted
        case .restarting: return .handled
        case .nothing: break
        }
        if stint == .woken { return .done }
        if stint != .impatient { noteFollower() }
        return .follows
    }

    // Why a thread leaves the receive role.
    private enum StintEnd {
        /// It was woken, its time is over or the node ends.
        case woken
        /// A signal of the program waits for it.
        case signalled
        /// Another thread wants the role.
        case wanted
        /// It has waited for long.
        case impatient
    }

    // Serves the sockets until there is a reason to leave.
    private func serve(
        for thread: WaitingThread, until deadline: MonotonicInstant?, atMost patience: Duration?,
        _ role: inout ReceiveRole
    ) -> StintEnd {
        guard thread.startLeading(leader), dismissDriver() else { return .woken }
        var now = SystemClock.monotonic()
        let start = now
        defer { rhythm.noteBlocked(from: start.nanoseconds, to: SystemClock.monotonic().nanoseconds) }
        let change = patience.map { start + $0 }
        let end = deadline.map { deadline in change.map { min(deadline, $0) } ?? deadline } ?? change
        var turns = 0
        while !leader.takeWakeUp() {
            if let deadline, now >= deadline { return .woken }
            if let change, now >= change { return .impatient }
            if role.isSignalled { return .signalled }
            if turns >= NodeDriver.turnsForOthers, duty.change({ $0.takeWish() }) { return .wanted }
            role.serve(until: end) { batch, isLast in take(&batch, isLast) }
            now = SystemClock.monotonic()
            turns += 1
        }
        return .woken
    }

    // MARK: The receive role

    /// How often the thread that has the role serves the sockets before it gives the role to one that asks.
    private static let turnsForOthers = 16
    /// How often the driver looks whether a shift still lasts. Datagrams wait for at most twice this, once, when it is over.
    static let shiftTickMilliseconds: Int32 = 1

    /// A thread calls. One that does so often takes the datagrams that have come, so that no other has to be woken for
    /// each acknowledgement.
    func noteCall() {
        let now = SystemClock.monotonic().nanoseconds
        guard case .streak = rhythm.noteCall(by: CallingThread.number, at: now) else { return }
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
}
