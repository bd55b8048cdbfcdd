import NetPrimitives
import Testing

@testable import NetStack

/// Whole connections over paths that lose and reorder. The full table is `bench wan`.
@Suite struct WideAreaTests {
    /// Nanoseconds that a transfer takes; the bytes are compared.
    private func transfer(
        _ count: Int, _ algorithm: CongestionAlgorithm, _ model: LinkModel, seed: UInt64
    ) -> Int {
        var options = ConnectionOptions()
        options.congestionControl = algorithm
        var pair = LinkPair(seed: seed, model: model, firstSends: count, secondSends: 0, options: options)
        let took = pair.run(limit: 120_000_000_000)
        #expect(pair.second.received == count && pair.second.isCorrect, "\(algorithm) seed \(seed)")
        return took
    }

    @Test func `BBR takes a loss of 1 % for noise, CUBIC for a full queue`() {
        let model = LinkModel(loss: 0.01, delay: 20_000_000, rate: 6_250_000)
        for seed: UInt64 in [1, 2] {
            let bbr = transfer(2 << 20, .bbr, model, seed: seed)
            // 2 MiB at 50 Mbit/s are 0.34 s, startup is eight round trips.
            #expect(bbr < 1_200_000_000, "\(bbr)")
            #expect(2 * bbr < transfer(2 << 20, .cubic, model, seed: seed))
        }
    }

    @Test(arguments: [CongestionAlgorithm.cubic, .bbr])
    func `packets that come 3 ms late cost little`(algorithm: CongestionAlgorithm) {
        var model = LinkModel(delay: 10_000_000, rate: 12_500_000, queue: 1 << 20)
        let even = transfer(1 << 20, algorithm, model, seed: 1)
        model.reordering = 0.03
        for seed: UInt64 in 1...4 {
            let took = transfer(1 << 20, algorithm, model, seed: seed)
            #expect(Double(took) < Double(even) / 0.6, "seed \(seed): \(took) instead of \(even)")
        }
    }

    @Test(arguments: CongestionAlgorithm.allCases)
    func `a shallow queue is filled and nothing is lost for good`(algorithm: CongestionAlgorithm) {
        let model = LinkModel(delay: 20_000_000, rate: 6_250_000, queue: 64 << 10)
        let took = transfer(2 << 20, algorithm, model, seed: 5)
        #expect(took < 2_500_000_000, "\(took)")
    }
}
