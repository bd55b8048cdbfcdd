// The thread for what takes longer than a packet may: validating identities, writing files.

import Synchronization
import ZeroTierPeers

/// Runs work in order, one piece at a time, on a thread of its own.
final class HelperThread: Sendable {
    /// Something that takes long.
    enum Work: Sendable {
        case job(PeerJob)
        case store(name: String, bytes: [UInt8], isSecret: Bool)
        case remove(name: String)
    }

    // Bounded by what is stored and validated: one piece per stored object's name, and the validations that are pending.
    private struct State {
        var queue: [Work] = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let own = WaitingThread()

    func submit(_ work: [Work]) {
        guard !work.isEmpty else { return }
        state.withLock { state in
            for piece in work {
                // A later state of an object makes the earlier one not worth writing.
                if let name = piece.name { state.queue.removeAll { $0.name == name } }
                state.queue.append(piece)
            }
        }
        own.wake()
    }

    /// What is in the queue is still done; `run` returns after it.
    func stop() {
        state.withLock { $0.isStopping = true }
        own.wake()
    }

    func run(_ perform: (Work) -> Void) {
        while true {
            let (work, isStopping) = state.withLock { state -> ([Work], Bool) in
                defer { state.queue = [] }
                return (state.queue, state.isStopping)
            }
            for piece in work {
                // Nobody waits for validations any more when the node is going.
                if isStopping, case .job = piece { continue }
                perform(piece)
            }
            if work.isEmpty {
                if isStopping { return }
                own.park(until: nil)
            }
        }
    }
}

extension HelperThread.Work {
    fileprivate var name: String? {
        switch self {
        case .job: nil
        case .store(let name, _, _), .remove(let name): name
        }
    }
}
