// Slow start that ends before the queue overflows.
// Read first: RFC 9406 (HyStart++).

/// RFC 9406: leaves slow start when the round trip grows, at first on probation.
struct HybridSlowStart: Sendable {
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
                if conservativeRounds >= HybridSlowStart.conservativeRoundLimit { return true }
            }
        }
        currentMinimum = min(currentMinimum, roundTrip)
        samples += 1
        if let baseline {
            if samples >= HybridSlowStart.samplesNeeded, currentMinimum < baseline {
                self.baseline = nil
                conservativeRounds = 0
            }
        } else if samples >= HybridSlowStart.samplesNeeded, lastMinimum != .max {
            let threshold = min(
                max(lastMinimum / 8, HybridSlowStart.minimumThreshold), HybridSlowStart.maximumThreshold)
            if currentMinimum >= lastMinimum + threshold {
                baseline = currentMinimum
                conservativeRounds = 0
            }
        }
        return false
    }
}
