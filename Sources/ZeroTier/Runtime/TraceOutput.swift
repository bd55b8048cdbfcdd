// Where the lines of a node's traces go. Read first: write(2), pipe(7).

import NetPrimitives
import Synchronization

/// One line of a trace, before it has its time.
struct TraceLine: Hashable, Sendable {
    let part: Node.Traces
    let text: String
}

/// Writes a node's traces: at most so many lines a second, without waiting for who reads them. May be called from any thread
/// that does not hold the node's lock.
final class TraceOutput: Sendable {
    private struct State {
        var limiter = RateLimiter(burst: TraceOutput.linesAtOnce, interval: .milliseconds(5))
        var leftOut = 0
    }

    /// Lines that are written at once, and in each second.
    static let linesAtOnce = 200
    /// Bytes of a line; the rest is cut. A pipe that can be written to takes so many without waiting.
    static let longestLine = 1024

    private let state = Mutex(State())
    private let mask = Atomic<UInt16>(0)
    private let name: String
    private let sink: (@Sendable (String) -> Void)?
    // Of all nodes, those whose sockets are traced.
    private static let nodesWithSockets = Atomic(0)

    /// For the node of that name. `sink` nil is standard error.
    init(name: String, sink: (@Sendable (String) -> Void)?) {
        self.name = name
        self.sink = sink
    }

    deinit { enable([]) }

    /// What is on.
    var enabled: Node.Traces { Node.Traces(rawValue: mask.load(ordering: .relaxed)) }

    /// Whether a node of this process has traces of sockets on.
    static var isAnySocketTraced: Bool { nodesWithSockets.load(ordering: .relaxed) > 0 }

    func enable(_ traces: Node.Traces) {
        let former = Node.Traces(rawValue: mask.exchange(traces.rawValue, ordering: .relaxed))
        let change = (traces.contains(.sockets) ? 1 : 0) - (former.contains(.sockets) ? 1 : 0)
        if change != 0 { TraceOutput.nodesWithSockets.add(change, ordering: .relaxed) }
    }

    /// Writes a line if its part is on.
    func write(_ part: Node.Traces, _ text: @autoclosure () -> String) {
        guard enabled.contains(part) else { return }
        write([TraceLine(part: part, text: text())], leftOut: 0, at: SystemClock.monotonic())
    }

    /// Writes lines; `leftOut` of them were lost before.
    func write(_ lines: [TraceLine], leftOut: Int, at now: MonotonicInstant) {
        // A fork has perhaps another thread's hold on the lock.
        if CallingThread.isForked { return }
        state.withLock { $0.leftOut += leftOut }
        for line in lines where enabled.contains(line.part) {
            let lost = state.withLock { state -> Int? in
                guard state.limiter.allow(now) else {
                    state.leftOut += 1
                    return nil
                }
                defer { state.leftOut = 0 }
                return state.leftOut
            }
            guard let lost else { continue }
            let isWritten = put(TraceText.line(line, of: name, after: lost))
            if !isWritten { state.withLock { $0.leftOut += lost + 1 } }
        }
    }

    private func put(_ line: String) -> Bool {
        if let sink {
            sink(line)
            return true
        }
        return TraceOutput.put(line, to: Environment.standardError)
    }

    // Between the question whether there is room and the writing, no other trace may take it.
    private static let turn = Mutex(())

    /// Writes a line if the descriptor takes it without waiting. Whether it did.
    static func put(_ line: String, to descriptor: Int32) -> Bool {
        let bytes = Array(line.utf8.prefix(longestLine - 1)) + [UInt8(ascii: "\n")]
        return turn.withLock { _ in Descriptor.writeAtOnce(bytes, to: descriptor) }
    }
}
