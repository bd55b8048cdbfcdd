import NetPrimitives
import Testing

@testable import NetStack

@Suite struct PacingTests {
    @Test func `a burst is a millisecond, at least two segments and at most 256 KiB`() {
        #expect(Pacer.quantum(rate: 1_000, segment: 1000) == 2_000)
        #expect(Pacer.quantum(rate: 10_000_000, segment: 1000) == 10_000)
        #expect(Pacer.quantum(rate: 1e12, segment: 1000) == 256 << 10)
        #expect(Pacer.quantum(rate: .infinity, segment: 200_000) == 400_000)
    }

    @Test func `an empty bucket waits until it is half full`() {
        var pacer = Pacer()
        // 10 bytes a microsecond: bursts of 10000.
        let taken1 = pacer.allowance(100_000, rate: 1e7, segment: 1000, time: 0)
        #expect(taken1 == 10_000)
        pacer.sent(10_000, rate: 1e7, time: 0)
        #expect(pacer.deadline == nil)
        let taken2 = pacer.allowance(100_000, rate: 1e7, segment: 1000, time: 0)
        #expect(taken2 == 0)
        #expect(pacer.deadline == 500_000)
        let taken3 = pacer.allowance(100_000, rate: 1e7, segment: 1000, time: 500_000)
        #expect(taken3 == 5_000)
        #expect(pacer.deadline == nil)
        pacer.sent(5_000, rate: 1e7, time: 500_000)
        // One that comes late gets what it missed, but no more than a burst.
        let taken4 = pacer.allowance(100_000, rate: 1e7, segment: 1000, time: 9_000_000)
        #expect(taken4 == 10_000)
    }

    @Test func `a sender below its rate never waits`() {
        var pacer = Pacer()
        for turn in 0..<1_000 {
            let time = turn * 200_000
            let taken5 = pacer.allowance(1_900, rate: 1e7, segment: 1000, time: time)
            #expect(taken5 == 1_900)
            pacer.sent(1_900, rate: 1e7, time: time)
        }
        #expect(pacer.deadline == nil)
    }

    @Test(arguments: [CongestionAlgorithm.cubic, .bbr])
    func `what the window allows is spread over the round trip`(algorithm: CongestionAlgorithm) {
        var options = ConnectionOptions()
        options.congestionControl = algorithm
        var host = TestHost.established(options: options, roundTrip: 40_000_000)
        host.send(bytes(60_000))
        #expect(host.output().count == 10, "the initial window is not paced")
        host.time += 40_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 10 * 1460)
        var times: [Int] = []
        let start = host.time
        var turns = 0
        while turns < 100, times.count < 19 {
            times += host.output().map { _ in host.time - start }
            guard host.fire() != nil else { break }
            turns += 1
        }
        // The twentieth alone is no burst: it goes with the next ACK.
        #expect(times.count == 19)
        // No burst of more than three segments, and the window takes between a quarter and a whole round trip.
        for index in times.indices.dropFirst(3) { #expect(times[index] > times[index - 3]) }
        #expect(times[18] > 10_000_000 && times[18] < 40_000_000, "\(times)")
    }

    @Test func `a short path is not paced`() {
        var host = TestHost.established(roundTrip: 500_000)
        host.send(bytes(60_000))
        #expect(host.output().count == 10)
        host.time += 500_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 10 * 1460)
        #expect(host.output().count == 20)
        #expect(host.connection.sender.pacer.deadline == nil)
    }
}
