// What a running program is asked by signals and events.

import Synchronization

/// Asks that arrive at any time, and are taken one after the other. None is lost, and none twice is more than once.
final class RunningWishes: Sendable {
    enum Wish: Sendable {
        /// To read its settings again.
        case reload
        /// To end: nothing comes after it.
        case end
    }

    private struct State {
        var reloads = false
        var ends = false
    }

    private let state = Mutex(State())
    private let calls: AsyncStream<Void>
    private let call: AsyncStream<Void>.Continuation

    init() { (calls, call) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func ask(_ wish: Wish) {
        state.withLock { state in
            switch wish {
            case .reload: state.reloads = true
            case .end: state.ends = true
            }
        }
        call.yield()
    }

    /// Does what is asked until the end is. One task at a time calls it.
    func serve(_ reload: () async throws -> Void) async rethrows {
        for await _ in calls {
            let asked = state.withLock { state in
                defer { state.reloads = false }
                return state
            }
            if asked.ends { return }
            if asked.reloads { try await reload() }
        }
    }
}
