// State that threads share and wait on. Read first: pthread_cond_wait(3), which this does the work of.

/// A value behind a lock. Threads can wait until it is as they want it; every change wakes them to look again.
package final class Guarded<Value>: Sendable {
    private struct State {
        var value: Value
        var waiting: [WaitingThread] = []

        mutating func takeWaiting() -> [WaitingThread] {
            if waiting.isEmpty { return [] }
            defer { waiting = [] }
            return waiting
        }
    }

    private let state: NodeLock<State>

    package init(_ value: sending Value) { state = NodeLock(State(value: value)) }

    /// Reads or changes the value, and wakes who waits. `body` must not come back to this object.
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        let (result, waiting) = state.withLock { state in (body(&state.value), state.takeWaiting()) }
        for thread in waiting { thread.wake() }
        return result
    }

    /// Waits until `body` gives something. `body` must not come back to this object.
    package func wait<Result>(_ body: (inout Value) -> Result?) -> Result {
        let own = WaitingThread()
        while true {
            let (result, waiting) = state.withLock { state -> (Result?, [WaitingThread]) in
                if let result = body(&state.value) { return (result, state.takeWaiting()) }
                if !state.waiting.contains(where: { $0 === own }) { state.waiting.append(own) }
                return (nil, [])
            }
            if let result {
                for thread in waiting { thread.wake() }
                return result
            }
            own.park(until: nil)
        }
    }
}
