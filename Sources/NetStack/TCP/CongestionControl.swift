// How much may be in flight.
// Read first: RFC 9438 (CUBIC), RFC 9406 (HyStart++), RFC 5681 (Reno), RFC 6937 (what recovery does with it: Recovery).

/// The congestion window of one connection and the algorithm that moves it. Sizes in bytes, times in nanoseconds.
struct CongestionControl: Sendable {
    /// The congestion window. During recovery the proportional rate reduction sets it.
    var window: Int
    /// Slow start below, congestion avoidance from here on.
    private(set) var threshold = Int.max
    private var controller: Controller
    private var start = SlowStart()
    private var segment: Int

    private enum Controller: Sendable {
        case cubic(Cubic)
        case reno(Reno)
    }

    init(_ algorithm: CongestionAlgorithm, segmentSize: Int) {
        segment = segmentSize
        // RFC 6928: ten segments, but no more than 14600 bytes unless that is less than two.
        window = min(
            TCPLimits.initialWindowSegments * segmentSize,
            max(2 * segmentSize, TCPLimits.initialWindowSegments * 1460))
        controller =
            switch algorithm {
            case .cubic: .cubic(Cubic())
            case .reno: .reno(Reno())
            }
    }

    var isSlowStart: Bool { window < threshold }

    /// The segment size changed: path MTU or negotiation.
    mutating func setSegmentSize(_ size: Int) {
        segment = size
        window = max(window, size)
    }

    /// An ACK delivered bytes outside of recovery while the window was what held us back.
    mutating func acknowledge(_ delivered: Int, roundTrip: Int, time: Int) {
        var delivered = delivered
        if isSlowStart {
            let growth = start.isConservative ? delivered / 4 : delivered
            let room = threshold - window
            if growth <= room {
                window += growth
                delivered = 0
            } else {
                window = threshold
                delivered -= room
            }
        }
        if delivered > 0 {
            switch controller {
            case .cubic(var cubic):
                window = cubic.grow(window, by: delivered, segment: segment, roundTrip: roundTrip, time: time)
                controller = .cubic(cubic)
            case .reno(var reno):
                window = reno.grow(window, by: delivered, segment: segment)
                controller = .reno(reno)
            }
        }
        window = min(window, TCPLimits.bufferLimit)
    }

    /// A round-trip sample of slow start: may end it before the queue overflows.
    mutating func sample(_ roundTrip: Int, acknowledged: Int, next: Int) {
        guard isSlowStart else { return }
        if start.sample(roundTrip, acknowledged: acknowledged, next: next) { threshold = window }
    }

    /// A loss event: sets the threshold that recovery is to arrive at.
    mutating func reduce() {
        let reduced: Int
        switch controller {
        case .cubic(var cubic):
            reduced = cubic.reduce(window, segment: segment)
            controller = .cubic(cubic)
        case .reno: reduced = window / 2
        }
        threshold = max(reduced, 2 * segment)
        start = SlowStart()
    }

    /// Recovery is complete.
    mutating func finishRecovery() { window = max(threshold, segment) }

    /// After a time-out the window begins at one segment.
    mutating func collapse() { window = segment }

    /// The loss was none.
    mutating func undo(window: Int, threshold: Int) {
        self.window = max(self.window, window)
        self.threshold = threshold
        if case .cubic(var cubic) = controller {
            cubic.undo()
            controller = .cubic(cubic)
        }
    }

    /// Nothing was sent for some time-outs: the path is no longer known (RFC 5681 4.1, decaying as Linux does it).
    mutating func restart(afterTimeouts count: Int) {
        guard count > 0 else { return }
        let initial = min(window, TCPLimits.initialWindowSegments * segment)
        if threshold != .max { threshold = max(threshold, window * 3 / 4) }
        window = max(initial, window >> min(count, 30))
        if case .cubic(var cubic) = controller {
            cubic.restart()
            controller = .cubic(cubic)
        }
    }
}

/// RFC 5681 congestion avoidance: one segment per window.
private struct Reno: Sendable {
    var credit = 0

    mutating func grow(_ window: Int, by delivered: Int, segment: Int) -> Int {
        credit += delivered
        guard credit >= window else { return window }
        credit -= window
        return window + segment
    }
}

/// RFC 9438. Windows in segments, as `Double`: integer arithmetic here has overflowed in other stacks.
private struct Cubic: Sendable {
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

    mutating func grow(_ window: Int, by delivered: Int, segment: Int, roundTrip: Int, time: Int) -> Int {
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

    mutating func reduce(_ window: Int, segment: Int) -> Int {
        let current = Double(window) / Double(segment)
        previousMaximum = maximum
        beforeReduction = current
        // RFC 9438 4.7: fast convergence.
        maximum = current < maximum ? current * (1 + Cubic.decrease) / 2 : current
        epoch = nil
        credit = 0
        return Int(Double(window) * Cubic.decrease)
    }

    mutating func undo() {
        maximum = previousMaximum
        epoch = nil
    }

    mutating func restart() { epoch = nil }

    private func curve(_ seconds: Double) -> Double {
        let distance = seconds - inflection
        return Cubic.scale * distance * distance * distance + maximum
    }

    /// Newton's iteration; the argument is the square of a time in seconds, so ten digits are plenty.
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

/// RFC 9406: leaves slow start when the round trip grows, at first on probation.
private struct SlowStart: Sendable {
    private var roundEnd = -1
    private var lastMinimum = Int.max
    private var currentMinimum = Int.max
    private var samples = 0
    private var baseline: Int?
    private var conservativeRounds = 0

    private static let minimumThreshold = 4_000_000
    private static let maximumThreshold = 16_000_000
    private static let samplesNeeded = 8
    private static let conservativeRoundLimit = 5

    /// Whether slow start is on probation.
    var isConservative: Bool { baseline != nil }

    /// Takes a sample; true: slow start is over.
    mutating func sample(_ roundTrip: Int, acknowledged: Int, next: Int) -> Bool {
        if acknowledged > roundEnd {
            roundEnd = next
            lastMinimum = currentMinimum
            currentMinimum = .max
            samples = 0
            if baseline != nil {
                conservativeRounds += 1
                if conservativeRounds >= SlowStart.conservativeRoundLimit { return true }
            }
        }
        currentMinimum = min(currentMinimum, roundTrip)
        samples += 1
        if let baseline {
            if samples >= SlowStart.samplesNeeded, currentMinimum < baseline {
                self.baseline = nil
                conservativeRounds = 0
            }
        } else if samples >= SlowStart.samplesNeeded, lastMinimum != .max {
            let threshold = min(max(lastMinimum / 8, SlowStart.minimumThreshold), SlowStart.maximumThreshold)
            if currentMinimum >= lastMinimum + threshold {
                baseline = currentMinimum
                conservativeRounds = 0
            }
        }
        return false
    }
}
