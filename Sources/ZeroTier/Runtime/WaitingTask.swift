// A task that waits. Read first: Docs/architecture.md, "Locks and wake-ups".

import Synchronization

/// One task that waits, for as many rounds as its wait takes. A wake-up that comes first is kept.
final class WaitingTask: Sleeper, Hashable {
    private enum State: Sendable {
        case awake
        case signalled
        case suspended(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.awake)

    var waiter: Waiter { .task(self) }

    /// Waits for a wake-up or the task's cancellation. May return early: look again in any case.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isSignalled = state.withLock { state -> Bool in
                    if case .signalled = state {
                        state = .awake
                        return true
                    }
                    state = .suspended(continuation)
                    return false
                }
                if isSignalled { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
    }

    /// Lets the task go on. An executor may run it before this returns: no lock may be held.
    func wake() {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard case .suspended(let continuation) = state else {
                state = .signalled
                return nil
            }
            state = .awake
            return continuation
        }
        continuation?.resume()
    }

    static func == (left: WaitingTask, right: WaitingTask) -> Bool { left === right }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
