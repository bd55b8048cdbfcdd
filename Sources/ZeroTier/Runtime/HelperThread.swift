// The thread for what takes longer than a packet may: validating identities, writing files.

import Synchronization
import ZeroTierController
import ZeroTierPeers

/// Runs work in order, one piece at a time, on a thread of its own.
final class HelperThread: Sendable {
    /// Something that takes long.
    enum Work: Sendable {
        case job(PeerJob)
        case store(name: String, bytes: [UInt8], isSecret: Bool)
        case remove(name: String)
        /// Of the controller.
        case sign(SigningJob)
        case commit([RecordWrite], ControllerTicket)
    }

    // Bounded by what is stored and validated: one piece per stored object's name, the validations that are pending, one commit
    // and the signatures that the controller has under way.
    private struct State {
        var queue: [Work] = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let own = WaitingThread()

    func submit(_ piece: Work) {
        state.withLock { state in
            // A later state of an object makes the earlier one not worth writing.
            if let name = piece.name { state.queue.removeAll { $0.name == name } }
            state.queue.append(piece)
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
                if isStopping, !piece.outlivesNode { continue }
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
    // What was decided is written; what only the node would hear of is not worth the time.
    fileprivate var outlivesNode: Bool {
        switch self {
        case .job, .sign: false
        case .store, .remove, .commit: true
        }
    }

    fileprivate var name: String? {
        switch self {
        case .job, .sign, .commit: nil
        case .store(let name, _, _), .remove(let name): name
        }
    }
}
