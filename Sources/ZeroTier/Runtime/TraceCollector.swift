// What the machines did, gathered for traces under the node's lock: they count and tell, and do not print.

import NetPrimitives
import NetStack
import ZeroTierNode

/// The traces of one node that wait for the lock to be released. There is one only while something is on.
final class TraceCollector {
    /// What is on.
    let parts: Node.Traces
    private var lines: [TraceLine] = []
    private var leftOut = 0
    private var counts: [TraceCount]
    private var lookedAt: MonotonicInstant
    private var mayHaveChanged = false

    /// Lines that may wait.
    static let capacity = 256
    /// How often counters are looked at, at most.
    static let pause = Duration.milliseconds(100)

    /// Begins with what is counted now.
    init(_ parts: Node.Traces, _ statistics: NodeStatistics, now: MonotonicInstant) {
        self.parts = parts
        counts = TraceCount.all(statistics, of: parts)
        lookedAt = now
    }

    var isEmpty: Bool { lines.isEmpty }

    /// When the counters are to be looked at.
    var deadline: MonotonicInstant? { mayHaveChanged ? lookedAt + TraceCollector.pause : nil }

    func add(_ line: @autoclosure () -> TraceLine?, of part: Node.Traces) {
        guard parts.contains(part), let line = line(), parts.contains(line.part) else { return }
        if lines.count < TraceCollector.capacity { lines.append(line) } else { leftOut += 1 }
    }

    /// An event of the machines.
    func note(_ event: ZeroTierNode.NodeEvent, _ stack: borrowing NetworkStack) {
        guard case .socket(let id, let edges) = event else {
            return add(TraceText.line(event), of: parts)
        }
        guard parts.contains(.tcp), !edges.isDisjoint(with: [.connected, .closed, .error, .acceptable]),
            let state = try? stack.information(id)
        else { return }
        add(
            TraceText.connection(
                edges, state, local: try? stack.localEndpoint(id), remote: try? stack.remoteEndpoint(id)),
            of: .tcp)
    }

    /// The machines have done something: looks at the counters if it is time.
    func look(_ statistics: @autoclosure () -> NodeStatistics, now: MonotonicInstant) {
        guard now >= lookedAt + TraceCollector.pause else {
            mayHaveChanged = true
            return
        }
        let latest = TraceCount.all(statistics(), of: parts)
        for line in TraceText.lines(from: counts, to: latest) { add(line, of: line.part) }
        counts = latest
        lookedAt = now
        mayHaveChanged = false
    }

    /// Takes what waits, and how many did not find room.
    func take() -> (lines: [TraceLine], leftOut: Int) {
        defer {
            lines = []
            leftOut = 0
        }
        return (lines, leftOut)
    }
}

extension DriverCore {
    /// Switches traces. Not from within the collector.
    mutating func setTraces(_ parts: Node.Traces, on output: TraceOutput, now: Now) {
        output.enable(parts)
        traces = parts.isEmpty ? nil : TraceCollector(parts, node.statistics, now: now.monotonic)
    }

    /// After every change, while something is on. Whether there are lines.
    mutating func collectTraces(now: Now) -> Bool {
        guard let traces else { return false }
        traces.look(node.statistics, now: now.monotonic)
        return !traces.isEmpty
    }

    mutating func takeTraces() -> (lines: [TraceLine], leftOut: Int) { traces?.take() ?? ([], 0) }

    /// A socket call of the interface.
    func traceCall(_ text: @autoclosure () -> String) {
        traces?.add(TraceText.call(text()), of: .sockets)
    }
}
