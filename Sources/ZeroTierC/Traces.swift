// Switches what nodes trace. Read first: the header; Node.Traces.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import Synchronization
import ZeroTier

/// What the program said; it holds for all nodes of the process, now and later.
enum LibraryTraces {
    private static let said = Mutex<Node.Traces?>(nil)

    /// Nil while the program has said nothing.
    static var chosen: Node.Traces? { said.withLock { $0 } }

    static func choose(_ traces: Node.Traces) {
        said.withLock { $0 = traces }
        for library in LibraryInstances.all + [LibraryNode.shared] { try? library.node?.setTraces(traces) }
    }
}

@c @implementation
public func zts_trace_set(_ modules: UnsafePointer<CChar>?) -> Int32 {
    Generation.first.outcome { () throws(CallFailure) in
        guard let modules = unsafe modules else { throw .because(.argument, "modules is NULL") }
        // Sound: a C string by the interface's promise.
        let names = unsafe String(cString: modules)
        guard let traces = Node.Traces(names) else { throw .because(.argument, Node.Traces.whyUnknown(names)) }
        LibraryTraces.choose(traces)
    }
}
