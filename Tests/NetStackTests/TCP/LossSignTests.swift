import NetPrimitives
import Testing

@testable import NetStack

/// What single ACKs let out while something may be missing. Segments of 1460 bytes, CUBIC, and a round trip of half a
/// millisecond, on which nothing is paced.
@Suite struct LossSignTests {
    static let withoutSack: [UInt8] = [2, 4, 0x05, 0xB4, 1, 3, 3, 7]
    private let roundTrip = 500_000
    static let withSack: [UInt8] = [2, 4, 0x05, 0xB4, 4, 2, 1, 3, 3, 7]

    private func sending(
        _ segments: Int, of queued: Int? = nil, options: [UInt8] = LossSignTests.withSack
    ) -> TestHost {
        var settings = ConnectionOptions()
        settings.congestionControl = .cubic
        var host = TestHost.established(options: settings, peerOptions: options, roundTrip: roundTrip)
        // The first window that is scaled.
        host.inject(.acknowledge, sequence: 0)
        host.send(bytes((queued ?? segments) * 1460))
        #expect(host.output().count == segments)
        host.time += roundTrip
        return host
    }

    @Test func `each of the first two duplicate ACKs lets a new segment out`() {
        // RFC 3042.
        var host = sending(10, of: 15)
        host.inject(.acknowledge, sequence: 0, options: host.sack((1460, 2920)))
        #expect(host.output().map(\.sequence) == [10 * 1460])
        host.inject(.acknowledge, sequence: 0, options: host.sack((1460, 4380)))
        #expect(host.output().map(\.sequence) == [11 * 1460])
    }

    @Test func `without SACK too, and what they stood for is not delivered again`() {
        var host = sending(10, of: 15, options: LossSignTests.withoutSack)
        host.inject(.acknowledge, sequence: 0)
        #expect(host.output().map(\.sequence) == [10 * 1460])
        host.inject(.acknowledge, sequence: 0)
        #expect(host.output().map(\.sequence) == [11 * 1460])
        // It was reordering. Of three segments acknowledged two were counted before.
        host.inject(.acknowledge, sequence: 0, acknowledgment: 3 * 1460)
        #expect(host.connection.congestionWindow == 11 * 1460)
    }

    @Test func `in recovery what an ACK delivers may leave again, though it moves nothing forward`() {
        // RFC 9937. The reordering window of a quarter round trip ends without the other segments.
        var host = sending(10)
        host.inject(.acknowledge, sequence: 0, options: host.sack((7 * 1460, 8 * 1460)))
        #expect(host.output().isEmpty)
        #expect(host.advance(150_000).map(\.sequence) == [0])
        host.inject(.acknowledge, sequence: 0, options: host.sack((3 * 1460, 4 * 1460), (7 * 1460, 8 * 1460)))
        #expect(host.output().map(\.sequence) == [1460])
        host.inject(.acknowledge, sequence: 0, options: host.sack((3 * 1460, 5 * 1460), (7 * 1460, 8 * 1460)))
        #expect(host.output().map(\.sequence) == [2 * 1460])
    }

    @Test func `an ACK that was overtaken still tells what arrived`() {
        var host = sending(10)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 4 * 1460)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 3 * 1460, options: host.sack((5 * 1460, 6 * 1460)))
        #expect(host.connection.sender.scoreboard.sackedBytes == 1460)
        // Below what is acknowledged by now, but not below that ACK: no D-SACK.
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 1460, options: host.sack((2 * 1460, 3 * 1460)))
        #expect(host.connection.sender.recovery.reorderingMultiplier == 1)
        #expect(host.connection.sender.acknowledged == 4 * 1460)
    }

    @Test func `after the one segment of a time-out two leave`() {
        // RFC 5681 3.1: slow start from one segment, by each ACK.
        var host = sending(1, of: 1)
        host.time -= roundTrip
        host.fire()
        #expect(host.output().count == 1, "the probe")
        host.fire()
        #expect(host.output().count == 1, "the time-out")
        host.time += roundTrip
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460)
        #expect(host.connection.congestionWindow == 2 * 1460)
        host.send(bytes(4 * 1460))
        #expect(host.output().count == 2)
    }

    @Test func `the window doubles by the ACKs of a full window, though nothing more is sent`() {
        var host = sending(10)
        for pair in 1...5 {
            host.inject(.acknowledge, sequence: 0, acknowledgment: pair * 2 * 1460)
            #expect(host.connection.congestionWindow == (10 + 2 * pair) * 1460)
        }
    }

    @Test func `a silence makes the window smaller once, not at each look at a closed window`() {
        var host = sending(10)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 10 * 1460)
        host.send(bytes(20 * 1460))
        #expect(host.output().count == 20)
        host.time += roundTrip
        host.inject(.acknowledge, sequence: 0, acknowledgment: 30 * 1460)
        host.send(bytes(39 * 1460))
        #expect(host.output().count == 39)
        host.time += roundTrip
        host.inject(.acknowledge, sequence: 0, acknowledgment: 69 * 1460, window: 0)
        let before = host.connection.congestionWindow
        #expect(before > 40 * 1460)
        host.send(bytes(100 * 1460))
        let timeout = host.connection.sender.roundTrip.timeout
        _ = host.advance(timeout + timeout / 2)
        for _ in 0..<5 { #expect(host.output().isEmpty) }
        #expect(host.connection.congestionWindow == before, "nothing was sent yet")
        host.inject(.acknowledge, sequence: 0, acknowledgment: 69 * 1460)
        #expect(!host.output().isEmpty)
        #expect(host.connection.congestionWindow == before / 2)
    }

    @Test func `the slowest of what an ACK delivers says how long others may take`() {
        var host = sending(10)
        // 0, 3 ... 6 are missing; 0 leaves again.
        for block in [(1460, 2 * 1460), (1460, 3 * 1460)] {
            host.inject(.acknowledge, sequence: 0, options: host.sack(block))
        }
        host.inject(.acknowledge, sequence: 0, options: host.sack((1460, 3 * 1460), (8 * 1460, 9 * 1460)))
        #expect(host.output().map(\.sequence) == [0])
        // It comes after a round trip and a fifth, and with it number 3, which took more than two.
        host.time += roundTrip * 6 / 5
        host.inject(.acknowledge, sequence: 0, acknowledgment: 4 * 1460, options: host.sack((8 * 1460, 9 * 1460)))
        #expect(host.output().map(\.sequence) == [4 * 1460, 5 * 1460, 6 * 1460])
        // Number 9 left with number 3 and may still come: only number 7 is left.
        #expect(host.connection.sender.scoreboard.lostBytes == 1460)
    }
}
