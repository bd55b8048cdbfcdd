// The algorithm of most of the Internet: back to the window of the last loss along a cubic curve.
// Read first: RFC 9438, RFC 8511 (what a mark is worth); slow start is `HybridSlowStart`.

/// RFC 9438. Windows in segments, as `Double`: integer arithmetic here has overflowed in other stacks.
struct Cubic: CongestionController {
    private var slowStart = HybridSlowStart()
    private var maximum = 0.0
    private var previousMaximum = 0.0
    private var epoch: Int?
    private var inflection = 0.0
    private var friendly = 0.0
    private var beforeReduction = 0.0
    // Growth that did not make a whole byte yet.
    private var credit = 0.0

    private static let scale = 0.4
    private static let decrease = 0.7
    /// RFC 8511: a queue that marks is shorter than one that overflows.
    private static let decreaseAfterMark = 0.85

    mutating func grow(_ state: inout CongestionState, by delivered: Int, roundTrip: Int, time: Int) {
        var delivered = delivered
        if state.isSlowStart {
            let growth = slowStart.isConservative ? delivered / 4 : delivered
            let room = state.threshold - state.window
            if growth <= room {
                state.window += growth
                return
            }
            state.window = state.threshold
            delivered -= room
        }
        guard delivered > 0 else { return }
        state.window = avoid(state.window, by: delivered, segment: state.segment, roundTrip: roundTrip, time: time)
    }

    mutating func note(_ state: inout CongestionState, roundTrip: Int, acknowledged: Int, next: Int) {
        guard state.isSlowStart else { return }
        if slowStart.sample(roundTrip, acknowledged: acknowledged, next: next) { state.threshold = state.window }
    }

    mutating func reduce(_ state: inout CongestionState, _ signal: CongestionSignal, inFlight: Int) {
        let current = Double(state.window) / Double(state.segment)
        previousMaximum = maximum
        beforeReduction = current
        // RFC 9438 4.7: fast convergence.
        maximum = current < maximum ? current * (1 + Cubic.decrease) / 2 : current
        epoch = nil
        credit = 0
        let factor = signal == .mark ? Cubic.decreaseAfterMark : Cubic.decrease
        state.threshold = max(Int(Double(state.window) * factor), 2 * state.segment)
        slowStart = HybridSlowStart()
    }

    mutating func undo(_ state: inout CongestionState, window: Int, threshold: Int) {
        state.window = max(state.window, window)
        state.threshold = threshold
        maximum = previousMaximum
        epoch = nil
    }

    mutating func restart(_ state: inout CongestionState, afterTimeouts count: Int) {
        decay(&state, afterTimeouts: count)
        epoch = nil
    }

    private mutating func avoid(_ window: Int, by delivered: Int, segment: Int, roundTrip: Int, time: Int) -> Int {
        let current = Double(window) / Double(segment)
        let acknowledged = Double(delivered) / Double(segment)
        if epoch == nil {
            epoch = time
            friendly = current
            if current < maximum {
                inflection = Cubic.cubeRoot((maximum - current) / Cubic.scale)
            } else {
                inflection = 0
                maximum = current
            }
        }
        let elapsed = Double(max(0, time - (epoch ?? time))) * 1e-9
        let ahead = elapsed + Double(roundTrip) * 1e-9
        // RFC 9438 4.2: never below the window, at most half as much again per round trip.
        let target = min(max(curve(ahead), current), current * 1.5)
        // RFC 9438 4.3: what Reno would have.
        let rate = friendly < beforeReduction ? 3 * (1 - Cubic.decrease) / (1 + Cubic.decrease) : 1.0
        friendly += rate * acknowledged / current
        var grown: Double
        if curve(elapsed) < friendly {
            grown = max(current, friendly)
        } else {
            grown = current + (target - current) / current * acknowledged
        }
        grown = min(grown, current + acknowledged) * Double(segment) + credit
        let whole = max(window, Int(min(grown, Double(TCPLimits.bufferLimit))))
        credit = min(max(0, grown - Double(whole)), 1)
        return whole
    }

    private func curve(_ seconds: Double) -> Double {
        let distance = seconds - inflection
        return Cubic.scale * distance * distance * distance + maximum
    }

    /// Newton's iteration; the argument is the cube of a time in seconds, so ten digits are plenty.
    private static func cubeRoot(_ value: Double) -> Double {
        guard value > 0 else { return 0 }
        var root = max(value / 3, 1)
        for _ in 0..<80 {
            let next = (2 * root + value / (root * root)) / 3
            if abs(next - root) < 1e-10 * root { return next }
            root = next
        }
        return root
    }
}
