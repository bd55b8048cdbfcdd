// The plain algorithm, against which the others are measured.
// Read first: RFC 5681.

/// RFC 5681: doubles per round trip in slow start, then one segment per window, half at a loss.
struct Reno: CongestionController {
    // Bytes delivered towards the next segment.
    private var credit = 0

    mutating func grow(_ state: inout CongestionState, by delivered: Int, roundTrip: Int, time: Int) {
        var delivered = delivered
        if state.isSlowStart {
            let growth = min(delivered, state.threshold - state.window)
            state.window += growth
            delivered -= growth
        }
        guard delivered > 0 else { return }
        credit += delivered
        guard credit >= state.window else { return }
        credit -= state.window
        state.window += state.segment
    }

    func note(_ state: inout CongestionState, roundTrip: Int, acknowledged: Int, next: Int) {}

    mutating func reduce(_ state: inout CongestionState, _ signal: CongestionSignal, inFlight: Int) {
        credit = 0
        state.threshold = max(state.window / 2, 2 * state.segment)
    }

    func undo(_ state: inout CongestionState, window: Int, threshold: Int) {
        state.window = max(state.window, window)
        state.threshold = threshold
    }

    func restart(_ state: inout CongestionState, afterTimeouts count: Int) { decay(&state, afterTimeouts: count) }
}
