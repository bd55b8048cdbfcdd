import Testing

@testable import NetStack

@Suite struct ReceiveBufferTests {
    @Test func `a round trip without end does not overflow the tuning`() {
        var receiver = Receiver(options: ConnectionOptions())
        let trip = 75_000_000_000
        receiver.taken(1, roundTrip: trip, time: trip)
        receiver.taken(1, roundTrip: trip, time: 2 * trip + 1)
        // 100 TB within one more.
        for _ in 0..<100 { receiver.taken(1_000_000_000_000, roundTrip: trip, time: 3 * trip) }
        receiver.taken(1, roundTrip: trip, time: 3 * trip + 2)
        #expect(receiver.capacity <= TCPLimits.bufferLimit)
    }
}
