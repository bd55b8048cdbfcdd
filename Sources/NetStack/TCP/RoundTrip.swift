// Round-trip estimation and the retransmission time-out.
// Read first: RFC 6298; the floor sits on the variance as in Linux, not on the whole time-out.

/// Smoothed round trip of one connection. All times in nanoseconds.
struct RoundTrip: Sendable {
    /// nil before the first sample.
    private(set) var smoothed: Int?
    private(set) var variance = 0
    /// The smallest sample of the last ten to twenty seconds.
    private(set) var minimum = Int.max
    private var previousMinimum = Int.max
    private var minimumSince = 0
    /// The time-out until there is a sample.
    var initialTimeout = TCPLimits.initialTimeoutNanoseconds

    private static let minimumWindow = 10_000_000_000

    /// Takes a sample.
    mutating func add(_ sample: Int, time: Int) {
        let sample = max(0, sample)
        if let smoothed {
            variance += (abs(smoothed - sample) - variance) / 4
            self.smoothed = smoothed + (sample - smoothed) / 8
        } else {
            smoothed = sample
            variance = sample / 2
        }
        if time - minimumSince > RoundTrip.minimumWindow {
            previousMinimum = minimum
            minimum = sample
            minimumSince = time
        }
        minimum = min(minimum, sample)
        if previousMinimum < minimum, time - minimumSince < RoundTrip.minimumWindow / 2 { minimum = previousMinimum }
    }

    /// RTO without back-off.
    var timeout: Int {
        guard let smoothed else { return initialTimeout }
        let timeout = smoothed + max(4 * variance, TCPLimits.minimumVarianceNanoseconds)
        return min(timeout, TCPLimits.maximumTimeoutNanoseconds)
    }

    /// RTO after some time-outs in a row.
    func timeout(backoff: Int) -> Int {
        min(timeout << min(max(0, backoff), 20), TCPLimits.maximumTimeoutNanoseconds)
    }
}
