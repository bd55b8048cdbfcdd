// The socket layer's way to a node: calls on its stack under the node's lock, and a stack that outlives its node.
// Read first: Docs/architecture.md, "Locks and wake-ups".

package import NetPrimitives
package import NetStack
import Synchronization
import ZeroTierNode

/// A running node as the socket layer sees it. Does not keep the node running.
package struct SocketPort: Sendable {
    private let driver: NodeDriver
    /// The longest wait of a thread that takes the datagrams meanwhile: one that waits elsewhere can be cancelled.
    private static let longestLead = Duration.seconds(1)

    /// The port of a node.
    package init(_ node: Node) { driver = node.driver }

    /// Whether both are ports of the same node.
    package func isSame(as other: SocketPort) -> Bool { driver === other.driver }

    /// Runs `body` with the node's stack under the node's lock, then sends what it caused. nil if the node is stopping.
    package func call<Result: Sendable, Failure: Error>(
        _ body: (inout NetworkStack, inout WaitingRoom, Now) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        try driver.socketCall { (core, now) throws(Failure) in
            try body(&core.node.stack, &core.room, now)
        }
    }

    /// Lets a thread wait for a wake-up or the deadline; nil is none. The thread takes the node's datagrams meanwhile if no
    /// other does. May return early: look again in any case. False if a handler of a signal interrupted the wait: any, or
    /// with `restarts`, which wants no deadline, one without SA_RESTART.
    package func park(_ thread: WaitingThread, until deadline: MonotonicInstant?, restarts: Bool) -> Bool {
        switch driver.lead(for: thread, until: deadline, atMost: SocketPort.longestLead) {
        case .done: true
        case .handled: restarts
        case .interrupted: false
        case .follows: thread.parkInterruptibly(until: deadline, restarts: restarts)
        }
    }

    /// Whether a node of this process has traces of sockets on.
    package static var isAnyTraced: Bool { TraceOutput.isAnySocketTraced }

    /// Writes a line of the node's traces of sockets, if they are on. Not to be called with the node's lock held.
    package func trace(_ text: @autoclosure () -> String) { driver.traces.write(.sockets, text()) }

    /// Stops the node and keeps its stack: connections live on, and nothing is told to their peers. Blocks until the node
    /// has ended. nil if the node was stopping already.
    package func stopKeepingStack() -> KeptStack? { driver.stopKeepingStack() }
}

/// A stack between two nodes.
package final class KeptStack: Sendable {
    struct Parts: ~Copyable {
        var stack: StackHandover
        var room: WaitingRoom

        consuming func giveStack() -> StackHandover { stack }
    }

    private let parts: Mutex<Parts?>

    init(_ parts: consuming Parts) {
        self.parts = Mutex(consume parts)
    }

    /// Gives the stack away, once.
    func take() -> Parts? {
        parts.withLock { parts -> Parts? in
            var taken: Parts?
            swap(&taken, &parts)
            return taken
        }
    }
}

extension Node {
    /// Starts a node that goes on with the stack of another; both should have the same identity. The stack is used up also
    /// if the start fails.
    package convenience init(_ configuration: Configuration, keeping stack: KeptStack) throws(ZeroTierError) {
        let parts = try NodeStart.run(configuration, keeping: stack)
        self.init(driver: parts.driver, identity: parts.identity, port: parts.port)
    }
}
