// Switches what nodes trace. Read first: the header; Node.Traces.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import ZeroTier
import ZeroTierLibrary

@c @implementation
public func zts_trace_set(_ modules: UnsafePointer<CChar>?) -> Int32 {
    Generation.first.outcome {
        guard let modules = unsafe modules else { throw CallFailure.because(.argument, "modules is NULL") }
        // Sound: a C string by the interface's promise.
        let names = unsafe String(cString: modules)
        guard let traces = Node.Traces(names) else {
            throw CallFailure.because(.argument, Node.Traces.whyUnknown(names))
        }
        LibraryTraces.choose(traces)
    }
}
