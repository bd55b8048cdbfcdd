// Which node the sockets of a layer belong to at this moment.

import NetPrimitives
import Synchronization
import ZeroTier

/// The node of a socket layer: none, one, or one that is being replaced. Shared by the layer and its sockets.
final class NodeAttachment: Sendable {
    enum Current: Sendable {
        case none
        case node(SocketPort)
        /// A node is about to take over the stack of the former one.
        case restarting
    }

    struct State: Sendable {
        var current = Current.none
        /// Counts stacks: a socket of an earlier stack is dead.
        var epoch: UInt64 = 0
    }

    private let state = Mutex(State())
    /// Signalled at every change.
    let changes = WaitList()

    var now: State { state.withLock { $0 } }

    func attach(_ port: SocketPort) {
        state.withLock { state in
            state.current = .node(port)
            state.epoch += 1
        }
        changes.signal()
    }

    /// Writes a line of the node's traces of sockets, if there is a node and they are on.
    func trace(_ text: @autoclosure () -> String) {
        if case .node(let port) = now.current { port.trace(text()) }
    }

    func detach() {
        state.withLock { state in
            state.current = .none
            state.epoch += 1
        }
        changes.signal()
    }

    func restart(_ configuration: Node.Configuration) throws(ZeroTierError) -> Node {
        let port = state.withLock { state -> SocketPort? in
            guard case .node(let port) = state.current else { return nil }
            state.current = .restarting
            return port
        }
        guard let port, let kept = port.stopKeepingStack() else {
            detach()
            throw ZeroTierError(.nodeStopped, "there is no running node to be started again")
        }
        do throws(ZeroTierError) {
            let node = try Node(configuration, keeping: kept)
            state.withLock { $0.current = .node(SocketPort(node)) }
            changes.signal()
            return node
        } catch {
            detach()
            throw error
        }
    }

    /// Waits for the end of a restart; returns at once if there is none. May return early.
    func waitForRestart(_ thread: WaitingThread, until deadline: MonotonicInstant?) {
        changes.add(thread)
        if case .restarting = now.current { thread.parkInterruptibly(until: deadline) }
        changes.remove(thread)
    }
}
