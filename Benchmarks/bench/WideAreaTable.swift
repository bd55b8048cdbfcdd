// The table of wide-area paths: every congestion control on each, what two of them make of one, and reordering.

import NetStack

/// Runs `WideAreaBench` over a grid of paths.
enum WideAreaTable {
    private static let algorithms = [CongestionAlgorithm.bbr, .cubic, .reno]

    /// `arguments`: seconds of virtual time per run (20), seeds per cell (3). Prints the table, then a JSON object.
    static func run(_ arguments: [String]) {
        let seconds = arguments.first.flatMap(Double.init) ?? 20
        let seeds = arguments.dropFirst().first.flatMap { Int($0) } ?? 3
        var values: [(name: String, value: Double)] = []
        print("1 Gbit/s, Mbit/s of payload, median of \(seeds) seeds: first 2 s / later")
        row("round trip", "loss", "queue", algorithms.map(\.rawValue))
        for roundTrip in [10.0, 50, 100] {
            for loss in [0.0, 0.001, 0.01] {
                for queue in [256 << 10, 1 << 20, 8 << 20] {
                    var path = WideAreaBench.Path()
                    path.roundTrip = roundTrip
                    path.loss = loss
                    path.queue = queue
                    let cells = algorithms.map { algorithm in
                        let outcome = WideAreaBench.median(
                            WideAreaBench.Run(path: path, flows: [algorithm], seconds: seconds), seeds: seeds)
                        let later = outcome.mean(from: 2, to: seconds)
                        let name = "\(algorithm.rawValue)_\(Int(roundTrip))ms_loss\(loss * 100)_queue\(queue >> 10)k"
                        values.append((name, later))
                        return "\(Int(outcome.mean(from: 0, to: 2)))/\(Int(later))"
                    }
                    row("\(Int(roundTrip)) ms", "\(loss * 100) %", "\(queue >> 10) KiB", cells)
                }
            }
        }
        values += reordering(seconds: seconds, seeds: seeds)
        values += sharing(seconds: 3 * seconds, seeds: seeds)
        let fields = values.map { "\"wan.\($0.name)\": \(($0.value * 10).rounded() / 10)" }
        print("{" + fields.joined(separator: ", ") + "}")
    }

    private static func reordering(seconds: Double, seeds: Int) -> [(name: String, value: Double)] {
        print("reordering: packets up to 3 ms late, 20 ms, 1 MiB: the worst seed")
        row("share", "", "", algorithms.map(\.rawValue))
        var values: [(name: String, value: Double)] = []
        for share in [0.0, 0.03, 0.1] {
            let cells = algorithms.map { algorithm in
                var path = WideAreaBench.Path()
                path.roundTrip = 20
                path.reordering = share
                let worst = (1...max(1, seeds)).map { seed in
                    WideAreaBench.measure(
                        WideAreaBench.Run(path: path, flows: [algorithm], seconds: seconds / 4, seed: UInt64(seed))
                    ).total
                }.min()
                values.append(("\(algorithm.rawValue)_reordering\(Int(share * 100))", worst ?? 0))
                return "\(Int(worst ?? 0))"
            }
            row("\(Int(share * 100)) %", "", "", cells)
        }
        return values
    }

    private static func sharing(seconds: Double, seeds: Int) -> [(name: String, value: Double)] {
        print("two flows over one queue, 50 ms: Mbit/s of each")
        row("rate", "queue", "", ["bbr", "cubic"])
        var values: [(name: String, value: Double)] = []
        for (megabits, products) in [(100.0, 0.25), (100, 1), (1000, 0.25), (1000, 1)] {
            var path = WideAreaBench.Path()
            path.rate = megabits * 125_000
            path.queue = Int(Double(path.product) * products)
            let outcome = WideAreaBench.median(
                WideAreaBench.Run(path: path, flows: [.bbr, .cubic], seconds: seconds), seeds: seeds)
            values.append(
                ("share_bbr_\(Int(megabits))m_\(products)bdp", outcome.goodput[0] / max(outcome.total, 1)))
            row("\(Int(megabits))", "\(products) BDP", "", outcome.goodput.map { "\(Int($0))" })
        }
        return values
    }

    private static func row(_ first: String, _ second: String, _ third: String, _ cells: [String]) {
        let columns = [first, second, third] + cells
        print(columns.map { $0 + String(repeating: " ", count: max(1, 12 - $0.count)) }.joined())
    }
}
