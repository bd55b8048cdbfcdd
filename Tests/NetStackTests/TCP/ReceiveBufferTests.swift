import Testing

@testable import NetStack

@Suite struct ReceiveBufferTests {
    @Test func `a round trip without end does not overflow the tuning`() {
        var receiver = Receiver(options: ConnectionOptions())
        let trip = 75_000_000_000
        receiver.taken(1, roundTrip: trip, minimumRoundTrip: .max, time: trip)
        receiver.taken(1, roundTrip: trip, minimumRoundTrip: .max, time: 2 * trip + 1)
        // 100 TB within one more.
        for _ in 0..<100 { receiver.taken(1_000_000_000_000, roundTrip: trip, minimumRoundTrip: .max, time: 3 * trip) }
        receiver.taken(1, roundTrip: trip, minimumRoundTrip: .max, time: 3 * trip + 2)
        #expect(receiver.capacity <= TCPLimits.bufferLimit)
    }

    @Test func `buffers stay in the cache on a short path and grow with the round trip`() {
        #expect(TCPLimits.bufferCeiling(minimumRoundTrip: 100_000) == 1 << 20)
        #expect(TCPLimits.bufferCeiling(minimumRoundTrip: 10_000_000) == 30_000_000)
        #expect(TCPLimits.bufferCeiling(minimumRoundTrip: 1_000_000_000) == TCPLimits.bufferLimit)
        #expect(TCPLimits.bufferCeiling(minimumRoundTrip: .max) == TCPLimits.bufferLimit)
        for (roundTrip, ceiling) in [(100_000, 1 << 20), (20_000_000, 32 << 20)] {
            var receiver = Receiver(options: ConnectionOptions())
            for turn in 1...200 {
                receiver.taken(
                    20 << 20, roundTrip: roundTrip, minimumRoundTrip: roundTrip, time: turn * (roundTrip + 1))
            }
            #expect(receiver.capacity == ceiling)
        }
    }

    @Test func `a sender that fills the window behind a gap gets twice of it, once`() {
        var host = TestHost.established()
        let before = host.connection.receiver.capacity
        for index in 1...40 {
            host.inject(.acknowledge, sequence: 1400 * index, payload: bytes(1400, from: 1400 * index))
        }
        #expect(host.connection.receiver.capacity == 2 * before)
        host.inject(.acknowledge, sequence: 0, payload: bytes(1400))
        #expect(host.read() == bytes(41 * 1400))
    }
}
