import NetPrimitives
import Testing

@testable import NetStack

@Suite struct RetransmissionTests {
    private func sending(
        _ count: Int, options: [UInt8] = [2, 4, 0x05, 0xB4, 4, 2, 1, 3, 3, 7],
        algorithm: CongestionAlgorithm? = nil
    ) -> TestHost {
        var settings = ConnectionOptions()
        settings.congestionControl = algorithm
        var host = TestHost.established(options: settings, peerOptions: options)
        host.send(bytes(count))
        #expect(host.output().count == (count + 1459) / 1460)
        return host
    }

    @Test func `without any answer a probe leaves after two round trips, then all after the time-out, backing off`() {
        var host = sending(4 * 1460)
        // Round trip 10 ms: probe after 20 ms.
        let first = host.fire() ?? 0
        #expect(first >= 20_000_000 && first < 21_000_000)
        let probe = host.output()
        #expect(probe.count == 1 && probe[0].isRetransmission && probe[0].sequence == 3 * 1460)
        // RTO = 10 + max(4 * 5, 200) ms.
        #expect(host.fire() == 210_000_000)
        var again = host.output()
        #expect(again.map(\.sequence) == [0], "the window is one segment")
        #expect(host.connection.congestionWindow == 1460)
        #expect(host.fire() == 420_000_000)
        again = host.output()
        #expect(again.map(\.sequence) == [0])
        #expect(host.fire() == 840_000_000)
    }

    @Test func `after fifteen time-outs the connection is over`() {
        var host = sending(100)
        var sent = 0
        while host.connection.state == .established, sent < 100 {
            host.fire()
            sent += host.output().count
        }
        #expect(host.connection.state == .closed)
        #expect(host.connection.takeError() == .timedOut)
        #expect(sent >= 15 && sent <= 17)
        #expect(host.time - TestHost.startTime > 800_000_000_000)
    }

    @Test func `the user's time-out ends it earlier`() {
        var options = ConnectionOptions()
        options.userTimeout = .seconds(5)
        var host = TestHost.established(options: options)
        host.send(bytes(10))
        _ = host.output()
        let start = host.time
        _ = host.advance(30_000_000_000)
        #expect(host.connection.takeError() == .timedOut)
        #expect(host.time - start >= 5_000_000_000)
    }

    @Test func `a hole with three segments behind it is sent again at once, and only the hole`() {
        var host = sending(8 * 1460, algorithm: .cubic)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 2920)))
        #expect(host.output().isEmpty)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 4380)))
        #expect(host.output().isEmpty)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 5840)))
        let again = host.output()
        #expect(again.map(\.sequence) == [0] && again[0].payload.count == 1460 && again[0].isRetransmission)
        host.time += 10_000_000
        #expect(host.connection.sender.recovery.phase == .recovery)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 8 * 1460)
        #expect(host.output().isEmpty)
        #expect(host.connection.sender.recovery.phase == .open)
        // CUBIC leaves seven tenths of ten segments.
        #expect(host.connection.congestionWindow == 7 * 1460)
    }

    @Test func `two segments behind a hole wait a quarter of a round trip for reordering`() {
        var host = sending(6 * 1460)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 2920)))
        #expect(host.output().isEmpty)
        let wait = host.fire() ?? 0
        #expect(wait > 2_000_000 && wait < 3_000_000)
        #expect(host.output().map(\.sequence) == [0])
    }

    @Test func `what arrives within the reordering window is not sent again`() {
        var host = sending(6 * 1460)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 2920)))
        host.time += 1_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2920)
        #expect(host.connection.sender.recovery.isReorderingSeen == true)
        #expect(host.connection.sender.recovery.phase == .open)
        #expect(host.output().isEmpty)
    }

    @Test func `a lost tail is found by the retransmission before it, not by the time-out`() {
        var host = sending(10 * 1460)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 5 * 1460)))
        var again = host.output().filter(\.isRetransmission).map(\.sequence)
        #expect(again == [0])
        host.time += 10_000_000
        // The retransmission arrived; what left before it and did not is lost, though nothing behind it was SACKed.
        host.inject(.acknowledge, sequence: 0, acknowledgment: 5 * 1460)
        again = host.output().map(\.sequence)
        #expect(again.first == 5 * 1460)
        #expect(host.connection.sender.scoreboard.lostBytes > 0)
    }

    @Test func `several holes are all repaired in one round trip`() {
        var host = sending(10 * 1460)
        host.time += 10_000_000
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 0,
            options: host.sack((9 * 1460, 10 * 1460), (5 * 1460, 8 * 1460), (1460, 4 * 1460)))
        var again = host.output()
        for _ in 0..<3 {
            host.inject(
                .acknowledge, sequence: 0, acknowledgment: 0,
                options: host.sack((9 * 1460, 10 * 1460), (5 * 1460, 8 * 1460), (1460, 4 * 1460)))
            again += host.output()
        }
        again += host.advance(2_000_000)
        #expect(again.map(\.sequence) == [0, 4 * 1460, 8 * 1460])
    }

    @Test func `a lost retransmission is detected by what was sent after it`() {
        var host = sending(10 * 1460)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 10 * 1460)))
        #expect(host.output().map(\.sequence) == [0])
        host.time += 1_000_000
        host.send(bytes(4 * 1460))
        let fresh = host.output()
        #expect(!fresh.isEmpty && fresh.allSatisfy { !$0.isRetransmission })
        host.time += 10_000_000
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 0,
            options: host.sack((1460, 10 * 1460 + fresh.count * 1460)))
        var again = host.output()
        if again.isEmpty {
            host.fire()
            again = host.output()
        }
        #expect(again.first?.sequence == 0 && again.first?.isRetransmission == true)
    }

    @Test func `SACK blocks that lie, wrap or overlap change nothing that is not in flight`() {
        var host = sending(4 * 1460)
        for blocks in [
            (50_000, 60_000), (-5_000, -100), (2_000, 1_000), (0, 2_000_000_000), (-2_000_000_000, 5_000),
            (1_000, 1_000),
        ] {
            host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack(blocks))
        }
        #expect(host.connection.sender.scoreboard.sackedBytes == 0)
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((100, 200), (150, 300), (100, 300)))
        #expect(host.connection.sender.scoreboard.sackedBytes == 200)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 4 * 1460)
        #expect(host.connection.sender.scoreboard.sackedBytes == 0 && host.connection.sender.outstanding == 0)
    }

    @Test func `a receiver that reneges is served from the start after the time-out`() {
        var host = sending(4 * 1460)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 4 * 1460)))
        #expect(host.output().map(\.sequence) == [0])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460)
        _ = host.output()
        // The next unacknowledged byte had been SACKed, but the ACK stops before it.
        var repeated: [Int] = []
        for _ in 0..<4 {
            host.fire()
            repeated += host.output().map(\.sequence)
        }
        #expect(repeated.contains(1460))
    }

    @Test func `without SACK the third duplicate ACK repeats the first segment and partial ACKs the next`() {
        var host = sending(8 * 1460, options: [2, 4, 0x05, 0xB4])
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0)
        #expect(host.output().isEmpty)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0)
        #expect(host.output().map(\.sequence) == [0])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2920)
        #expect(host.output().map(\.sequence) == [2920])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 8 * 1460)
        #expect(host.connection.sender.recovery.phase == .open)
    }

    @Test func `a window update is no duplicate ACK`() {
        var host = sending(8 * 1460, options: [2, 4, 0x05, 0xB4])
        for window in 0..<5 {
            host.inject(.acknowledge, sequence: 0, acknowledgment: 0, window: UInt16(60_000 + window))
        }
        #expect(host.output().isEmpty)
    }

    @Test func `a spurious time-out is undone when the timestamp says that the original arrived`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 60
        host.send(bytes(8 * 1448))
        #expect(host.output().count == 8)
        let stamp = host.lastStamp
        host.fire()
        _ = host.output()
        host.fire()
        #expect(host.connection.sender.recovery.phase == .loss)
        #expect(host.output().map(\.sequence) == [0])
        host.time += 5_000_000
        host.peerTimestamp = 300
        host.lastStamp = stamp
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1448)
        #expect(host.connection.sender.recovery.phase == .open)
        #expect(host.connection.congestionWindow >= 10 * 1448)
        #expect(host.output().isEmpty, "the rest is still thought to be on its way")
    }

    @Test func `a probe prefers new data, and a D-SACK for a repeated one keeps the window`() {
        var host = sending(4 * 1460)
        host.fire()
        #expect(host.output().map(\.sequence) == [3 * 1460])
        let window = host.connection.congestionWindow
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 4 * 1460, options: host.sack((3 * 1460, 4 * 1460)))
        #expect(host.connection.congestionWindow >= window)
        #expect(host.connection.sender.timing.probeEnd == nil)
    }

    @Test func `a probe that an ACK makes needless does not hold up what waits to be sent`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2, 1, 3, 3, 7])
        host.send(bytes(40 * 1460))
        let first = host.output()
        #expect(first.count == 10)
        // The probe is due, and before it leaves everything is acknowledged.
        host.fire()
        #expect(host.connection.sender.timing.isProbeDue)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 10 * 1460)
        #expect(host.connection.sender.outstanding == 0)
        #expect(host.output().first?.sequence == 10 * 1460, "there is no timer that would send it later")
    }

    @Test func `an ACK for what was never sent is challenged and changes nothing`() {
        var host = sending(1460)
        let outcome = host.inject(.acknowledge, sequence: 0, acknowledgment: 5000)
        guard case .dropped(.badAcknowledgment) = outcome else {
            Issue.record("accepted")
            return
        }
        #expect(host.output().map(\.acknowledgment) == [0])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 5000)
        #expect(host.output().isEmpty, "one challenge per half second")
        #expect(host.connection.sender.outstanding == 1460)
    }

    @Test func `the window shrinks once per round trip of losses, not per loss`() {
        var host = sending(10 * 1460, algorithm: .cubic)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((1460, 5 * 1460)))
        _ = host.output()
        let threshold = host.connection.sender.congestion.threshold
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 0, options: host.sack((6 * 1460, 10 * 1460), (1460, 5 * 1460)))
        _ = host.output()
        #expect(host.connection.sender.congestion.threshold == threshold)
    }
}
