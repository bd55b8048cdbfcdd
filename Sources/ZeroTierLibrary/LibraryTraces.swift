// What the nodes of the process trace.

import Synchronization
package import ZeroTier

/// What the program said; it holds for all nodes of the process, now and later.
package enum LibraryTraces {
    private static let said = Mutex<Node.Traces?>(nil)

    /// Nil while the program has said nothing.
    static var chosen: Node.Traces? { said.withLock { $0 } }

    package static func choose(_ traces: Node.Traces) {
        said.withLock { $0 = traces }
        for library in LibraryInstances.all + [LibraryNode.shared] { try? library.node?.setTraces(traces) }
    }
}
