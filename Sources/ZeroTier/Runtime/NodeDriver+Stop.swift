// How a node ends: what was closed is delivered, whoever waits is told, and everything is given back.
// Read first: Docs/architecture.md, "Locks and wake-ups".

import NetPrimitives
import Synchronization
import ZeroTierController
import ZeroTierNode

extension NodeDriver {
    /// Asks the threads to end. Returns at once; may be called often and from any thread.
    func requestStop() {
        if CallingThread.isForked { return }
        state.withLock { state in
            state.isStopping = true
            stopFlag.store(true, ordering: .releasing)
            state.wakers?.kick.signal()
        }
    }

    /// Stops and waits until threads, descriptors and memory are released.
    func stop() async {
        if CallingThread.isForked { return }
        requestStop()
        await withCheckedContinuation { continuation in
            let hasEnded = ended.withLock { ended in
                if !ended.hasEnded { ended.waiting.append(continuation) }
                return ended.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
        // The threads are on their last instructions.
        joinThreads()
    }

    /// As `stop`, for a thread outside of Swift's concurrency.
    func stopBlocking() {
        if CallingThread.isForked { return }
        requestStop()
        if loggingThreads.withLock({ $0.contains(CallingThread.number) }) { return }
        joinThreads()
    }

    /// Stops, waits for the end and gives the stack with its sockets. nil if the node was stopping already.
    func stopKeepingStack() -> KeptStack? {
        let isFirst = state.withLock { state in
            guard state.core != nil, !state.isStopping else { return false }
            state.keepsStack = true
            return true
        }
        guard isFirst else { return nil }
        stopBlocking()
        return state.withLock { state in
            defer { state.kept = nil }
            return state.kept
        }
    }

    private func joinThreads() {
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    // The node is to stop. Begins its end at the first call: calls fail and waits are over, while the driver's thread goes on
    // serving the sockets until what was closed before has been delivered.
    func isDelivering() -> Bool {
        let (isFirst, isDelivering, next) = state.withLock { state -> (Bool, Bool, Next) in
            guard state.core != nil else { return (false, false, Next()) }
            let now = SystemClock.now()
            let isFirst = !state.isEnding
            state.isEnding = true
            if isFirst {
                state.core!.beginEnd(within: settings.linger, keepingStack: state.keepsStack, now: now)
            }
            return (isFirst, !state.keepsStack && state.core!.isDelivering(now: now), settle(&state.core!, now))
        }
        carryOn(next, slabs: .max)
        if isFirst { leader.wake() }
        return isDelivering
    }

    // The driver thread's last act: say goodbye, give everything back, wake everybody.
    func finish() {
        let (wakeUps, work) = state.withLock { state -> (WakeUps, [HelperThread.Work]) in
            guard state.core != nil else { return (WakeUps(), []) }
            let now = SystemClock.now()
            // Nobody waits for ever for what does not come any more.
            if !state.keepsStack { state.core!.abortUndelivered(now: now) }
            // A few slabs of resets and last control packets; whatever the kernel does not take is lost.
            for _ in 0..<NodeDriver.slabsPerCall {
                guard state.core!.pump(now: now, isLast: true) else { break }
            }
            _ = state.core!.collectTraces(now: now)
            return (state.core!.room.takeWakeUps(), state.core!.takeWork())
        }
        wakeUps.perform()
        writeTraces()
        // Whoever takes datagrams leaves.
        leader.wake()
        role.withLock { $0 = nil }
        publish()
        // The descriptors close with the last references, which are this thread's.
        state.withLock { state in
            var core: DriverCore?
            swap(&core, &state.core)
            if state.keepsStack, let core { state.kept = core.handOver() }
            state.wakers = nil
        }
        submit(work)
        signer.stop()
        keeper.stop()
        helper.stop()
        announce(.stopped)
        let waiting = ended.withLock { ended in
            ended.hasEnded = true
            defer { ended.waiting = [] }
            return ended.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
