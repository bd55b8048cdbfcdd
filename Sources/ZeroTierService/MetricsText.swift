// Text of metrics. Read first: Prometheus, "Text-based format", version 0.0.4.

/// Families of samples, one after the other.
struct MetricsText {
    /// What a family counts.
    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private(set) var text = ""

    /// Begins a family. Its samples follow.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// A sample. `labels` are in alphabetical order; their values have neither quotation marks nor backslashes nor line feeds.
    mutating func sample(_ name: String, _ value: some BinaryInteger, _ labels: [(String, String)] = []) {
        let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        text += name + (list.isEmpty ? "" : "{\(list)}") + " \(value)\n"
    }
}

/// Observations of one thing, counted by size.
struct LatencyHistogram {
    /// Upper ends of the buckets, in milliseconds; one without end follows.
    static let bounds: [Int64] = [1, 3, 6, 10, 30, 60, 100, 300, 600, 1000]

    private var counts = [UInt64](repeating: 0, count: bounds.count)
    private var count: UInt64 = 0
    private var sum: Int64 = 0

    mutating func observe(_ milliseconds: Int64) {
        count += 1
        sum += milliseconds
        for (index, bound) in LatencyHistogram.bounds.enumerated() where milliseconds <= bound { counts[index] += 1 }
    }

    func write(_ name: String, _ labels: [(String, String)], into metrics: inout MetricsText) {
        metrics.sample("\(name)_count", count, labels)
        metrics.sample("\(name)_sum", sum, labels)
        for (bound, count) in zip(LatencyHistogram.bounds, counts) {
            metrics.sample("\(name)_bucket", count, labels + [("le", String(bound))])
        }
        metrics.sample("\(name)_bucket", count, labels + [("le", "+Inf")])
    }
}
