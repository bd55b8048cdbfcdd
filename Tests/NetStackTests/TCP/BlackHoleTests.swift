// Paths that lose long segments without a word.

import NetPrimitives
import Testing

@testable import NetStack

private let second = 1_000_000_000

@Suite struct BlackHoleTests {
    private func options(sack: Bool) -> ConnectionOptions {
        var options = ConnectionOptions()
        if !sack { options.congestionControl = .reno }
        return options
    }

    @Test(arguments: [1300, 1200, 1100, 700], [true, false])
    func `a stream passes a link that loses long segments`(largest: Int, hasSack: Bool) {
        for delay in [10_000_000, 60_000_000] {
            var pair = LinkPair(
                seed: 5, model: LinkModel(delay: delay, rate: 200_000, queue: 32 << 10), firstSends: 200_000,
                secondSends: 120_000, options: options(sack: hasSack), maximumSegmentSize: 2740)
            if !hasSack {
                pair.first.connection.offersSack = false
                pair.first.connection.offersTimestamps = false
            }
            _ = pair.run(limit: second * 3 / 10)
            pair.model.largest = largest
            // What is on its way arrives; after that only what is cut shorter.
            _ = pair.run(limit: second * 3 / 10)
            let before = (pair.first.received, pair.second.received)
            // Two time-outs, for the shortest three.
            _ = pair.run(limit: (largest < 1024 ? 5 : 3) * second)
            #expect(pair.first.received > before.0 + 4096 && pair.second.received > before.1 + 4096)
            let took = pair.run(limit: 60 * second)
            #expect(pair.first.sawEnd && pair.second.sawEnd && pair.first.isCorrect && pair.second.isCorrect)
            #expect(pair.second.received == 200_000 && pair.first.received == 120_000)
            #expect(took < 10 * second, "\(largest): \(took / 1_000_000) ms")
            #expect(pair.first.connection.sender.segmentSize == (largest < 1076 ? 512 : 1024))
        }
    }

    @Test func `the full size comes back within seconds when the link takes it again`() {
        var pair = LinkPair(
            seed: 6, model: LinkModel(delay: 5_000_000, rate: 100_000, queue: 16 << 10), firstSends: 40 << 20,
            secondSends: 0,
            maximumSegmentSize: 2740)
        _ = pair.run(limit: second / 2)
        pair.model.largest = 1200
        _ = pair.run(limit: 3 * second)
        #expect(pair.first.connection.sender.segmentSize == 1024)
        #expect(pair.second.received > 100_000)
        pair.model.largest = .max
        _ = pair.run(limit: 8 * second)
        #expect(pair.first.connection.sender.segmentSize == pair.first.connection.sender.fullSegmentSize)
    }

    @Test func `tries of the full size become rare, and cost no time-out`() {
        var pair = LinkPair(
            seed: 7, model: LinkModel(delay: 5_000_000, rate: 60_000, queue: 16 << 10), firstSends: 200 << 20,
            secondSends: 0,
            maximumSegmentSize: 2740)
        _ = pair.run(limit: second / 2)
        pair.model.largest = 1200
        _ = pair.run(limit: 2 * second)
        #expect(pair.first.connection.sender.segmentSize == 1024)
        let longBefore = pair.droppedLong
        let receivedBefore = pair.second.received
        _ = pair.run(limit: 9 * second)
        // After 1 and 5 s; the next would be after 21 s.
        #expect(pair.droppedLong - longBefore == 2)
        #expect(pair.second.received - receivedBefore > 9 * 40_000, "the link is full all the time")
        #expect(pair.first.connection.sender.segmentSize == 1024)
    }

    @Test func `a link that was cut is used in full again within two seconds`() {
        var pair = LinkPair(
            seed: 8, model: LinkModel(delay: 5_000_000, rate: 100_000, queue: 16 << 10), firstSends: 40 << 20,
            secondSends: 0,
            maximumSegmentSize: 2740)
        _ = pair.run(limit: second)
        pair.model.loss = 1
        _ = pair.run(limit: 2 * second)
        #expect(pair.first.connection.sender.segmentSize == 1024)
        pair.model.loss = 0
        _ = pair.run(limit: 5 * second)
        #expect(pair.first.connection.sender.segmentSize == pair.first.connection.sender.fullSegmentSize)
    }

    @Test func `short segments that are lost are not blamed on their length`() {
        var detection = BlackHoleDetection()
        for count in 1...8 {
            let isShorter = detection.timedOut(count: count, length: 300, time: count * second)
            #expect(!isShorter)
        }
        #expect(detection.limit == .max)
    }
}
