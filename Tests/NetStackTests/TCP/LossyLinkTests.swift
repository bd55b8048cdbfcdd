import NetPrimitives
import Testing

@testable import NetStack

@Suite struct LossyLinkTests {
    private func expectWhole(_ pair: borrowing LinkPair, _ label: String) {
        #expect(pair.first.isCorrect && pair.second.isCorrect, "\(label): bytes differ")
        #expect(pair.second.received == pair.first.toSend, "\(label): \(pair.second.received) of \(pair.first.toSend)")
        #expect(pair.first.received == pair.second.toSend, "\(label): \(pair.first.received) of \(pair.second.toSend)")
        #expect(pair.first.sawEnd && pair.second.sawEnd, "\(label): no end of stream")
        #expect(pair.first.error == nil && pair.second.error == nil, "\(label)")
    }

    @Test(arguments: [0.0, 0.01, 0.05, 0.1, 0.2])
    func `streams arrive whole in both directions over a bad link`(loss: Double) {
        for seed in 1...3 {
            let model = LinkModel(
                loss: loss, duplication: 0.02, reordering: 0.1, delay: 5_000_000, corruption: 0.005)
            var pair = LinkPair(seed: UInt64(seed), model: model, firstSends: 60_000, secondSends: 40_000)
            _ = pair.run(limit: 3_600_000_000_000)
            expectWhole(pair, "loss \(loss) seed \(seed)")
        }
    }

    @Test func `streams arrive whole without options of the peer`() {
        var options = ConnectionOptions()
        options.congestionControl = .reno
        for seed in 1...3 {
            let model = LinkModel(loss: 0.03, duplication: 0.01, reordering: 0.05, delay: 2_000_000)
            var pair = LinkPair(
                seed: UInt64(seed), model: model, firstSends: 80_000, secondSends: 0, options: options)
            pair.first.connection.offersSack = false
            pair.first.connection.offersTimestamps = false
            pair.first.connection.offersScale = false
            _ = pair.run(limit: 3_600_000_000_000)
            expectWhole(pair, "seed \(seed)")
        }
    }

    @Test func `a round trip of zero works`() {
        var pair = LinkPair(
            seed: 9, model: LinkModel(loss: 0.01, delay: 0), firstSends: 200_000, secondSends: 50_000)
        let took = pair.run(limit: 600_000_000_000)
        expectWhole(pair, "zero delay")
        #expect(took < 60_000_000_000)
    }

    @Test func `a clean link of 20 ms is filled within a few round trips`() {
        let model = LinkModel(delay: 10_000_000, rate: 12_500_000, queue: 400 << 10)
        var pair = LinkPair(seed: 3, model: model, firstSends: 2 << 20, secondSends: 0)
        let took = pair.run(limit: 60_000_000_000)
        expectWhole(pair, "clean")
        // 2 MiB at 100 Mbit/s are 0.17 s, slow start adds seven round trips.
        #expect(took < 400_000_000, "\(took) ns, \(pair.retransmitted) of \(pair.segments) again")
    }

    @Test func `1 % loss at 20 ms does not collapse the throughput`() {
        var total = 0
        for seed in 1...3 {
            let model = LinkModel(loss: 0.01, delay: 10_000_000)
            var pair = LinkPair(seed: UInt64(seed), model: model, firstSends: 2 << 20, secondSends: 0)
            let took = pair.run(limit: 120_000_000_000)
            expectWhole(pair, "seed \(seed)")
            total += took
        }
        // Reno's law for 1 % is 1460 x 1.22 / (0.02 x 0.1) = 0.9 MB/s, CUBIC's is the same here: 2 MiB in 2.4 s.
        #expect(total / 3 < 3_200_000_000, "mean of \(total / 3) ns")
    }

    @Test func `the same seed gives the same run`() {
        var digests: [Int] = []
        for _ in 0..<2 {
            let model = LinkModel(loss: 0.05, duplication: 0.05, reordering: 0.2, delay: 3_000_000)
            var pair = LinkPair(seed: 77, model: model, firstSends: 100_000, secondSends: 50_000)
            let took = pair.run(limit: 600_000_000_000)
            digests.append(took &* 31 &+ pair.segments)
        }
        #expect(digests[0] == digests[1])
    }
}
