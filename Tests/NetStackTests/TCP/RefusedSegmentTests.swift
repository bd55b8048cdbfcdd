// A refused segment changes nothing: a blind attacker who guesses a sequence number moves no state of a connection.
// RFC 5961, RFC 7323 5.3, RFC 9293 3.10.7.4. `TestHost.inject` compares the connection for every refusal in this folder.

import NetPrimitives
import Testing

@testable import NetStack

struct RefusedSegmentTests {
    private func timestampHost() -> TestHost {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 60
        host.inject(.acknowledge, sequence: 0, payload: [1, 2, 3])
        _ = host.output()
        return host
    }

    private func isRefused(_ outcome: SegmentOutcome) -> Bool { outcome.isRefusal }

    @Test func `a valid sequence number with a wild acknowledgment does not move what is echoed`() {
        for wild in [1_000_000, -20_000_000] {
            var host = timestampHost()
            host.peerTimestamp = 60 + 1_000_000_000
            #expect(isRefused(host.inject(.acknowledge, sequence: 3, acknowledgment: wild, payload: [9])))
            host.peerTimestamp = 61
            // The peer's next segment is no old one.
            #expect(!isRefused(host.inject(.acknowledge, sequence: 3, payload: [4])))
            _ = host.output()
            let bytes = host.read()
            #expect(bytes == [1, 2, 3, 4])
        }
    }

    @Test func `a copy of old bytes is answered with its own time, which is not kept`() throws {
        var host = timestampHost()
        host.peerTimestamp = 60 + 500_000_000
        #expect(isRefused(host.inject(.acknowledge, sequence: 0, payload: [1, 2, 3])))
        let answer = try needed(host.output().first)
        #expect(answer.options.timestamp?.value != nil && answer.options.timestamp?.echo == 60 + 500_000_000)
        host.peerTimestamp = 61
        #expect(!isRefused(host.inject(.acknowledge, sequence: 3, payload: [4])))
        #expect(try needed(host.output().first).options.timestamp?.echo == 61)
    }

    @Test func `a refused segment does not keep a dead peer alive`() {
        var options = ConnectionOptions()
        options.keepAlive = true
        options.keepAliveIdle = .seconds(10)
        options.keepAliveInterval = .seconds(1)
        options.keepAliveCount = 3
        var host = TestHost.established(options: options)
        for _ in 0..<40 {
            _ = host.advance(1_000_000_000)
            host.inject(.acknowledge, sequence: 0, acknowledgment: 5_000_000)
        }
        let state = host.connection.state
        #expect(state == .closed, "forged segments kept it open")
    }

    @Test func `marks of a refused segment are neither echoed nor obeyed`() {
        var host = timestampHost()
        // Both ends answer marks: otherwise there is nothing to refuse.
        host.connection.agreeOnMarks(true)
        host.send(bytes(10_000))
        _ = host.output()
        for flags: SegmentFlags in [[.acknowledge, .congestionEcho], [.acknowledge, .windowReduced], .acknowledge] {
            host.inject(flags, sequence: 3, acknowledgment: 9_000_000, payload: [1], marked: true)
        }
        var isCongestionSeen = host.connection.isCongestionSeen
        var isObeyed = host.connection.sender.isReductionDue
        #expect(!isCongestionSeen && !isObeyed)
        host.peerTimestamp = 61
        host.inject([.acknowledge, .congestionEcho], sequence: 3, payload: [1], marked: true)
        isCongestionSeen = host.connection.isCongestionSeen
        isObeyed = host.connection.sender.isReductionDue
        #expect(isCongestionSeen && isObeyed)
    }

    @Test func `no segment that is refused changes a connection, in whatever state`() {
        var random = RandomSource(seed: 31)
        let wild = [-3_000_000, -70_000, -2, -1, 0, 1, 2, 500, 70_000, 3_000_000]
        let options: [[UInt8]] = [
            [], [1, 1, 8, 10, 0, 0, 0, 70, 0, 0, 0, 0], [1, 1, 8, 10, 0x70, 0, 0, 0, 0, 0, 0, 1],
            [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9],
        ]
        for round in 0..<400 {
            var host = round % 2 == 0 ? timestampHost() : TestHost.established()
            host.connection.agreeOnMarks(round % 3 == 0)
            switch round % 5 {
            case 1: host.send(bytes(4_000))
            case 2: host.connection.shutdownWrite(now: host.now)
            case 3: host.inject([.acknowledge, .finish], sequence: round % 2 == 0 ? 3 : 0)
            case 4: host.inject(.acknowledge, sequence: 40, payload: [7, 7])
            default: break
            }
            _ = host.output()
            for _ in 0..<30 {
                // The comparison is in `inject`. Later, so that a time that is written down shows.
                host.time += 1_000
                host.inject(
                    SegmentFlags(rawValue: UInt8(random.next(below: 256))),
                    sequence: wild[random.next(below: wild.count)],
                    acknowledgment: wild[random.next(below: wild.count)],
                    window: UInt16(random.next(below: 65_536)), options: options[random.next(below: options.count)],
                    payload: bytes(random.next(below: 3) * 9), marked: random.next(below: 4) == 0)
            }
        }
    }

    @Test func `a FIN that is not the peer's does not prolong the wait after a connection`() throws {
        var host = TestHost.established()
        host.connection.shutdownWrite(now: host.now)
        _ = host.output()
        host.inject([.acknowledge, .finish], sequence: 0, acknowledgment: 1)
        var rest = try needed(host.connection.makeTimeWait())
        let deadline = rest.deadline
        let later = Now.at(host.time + 5_000_000_000)
        func feed(sequence: Int, acknowledgment: Int) {
            let segment = makeSegment(
                source: host.remote.port, destination: host.local.port,
                sequence: (host.peerInitial + 1 + sequence).value,
                acknowledgment: (host.ourInitial + 1 + acknowledgment).value, flags: [.finish, .acknowledge],
                window: 1, sum: rest.pseudoHeaderSum)
            guard let header = SegmentHeader(parsing: segment.span.bytes, at: 0, length: segment.count) else { return }
            _ = rest.receive(header, packet: segment.span.bytes, now: later)
        }
        feed(sequence: 99, acknowledgment: 1)
        feed(sequence: 0, acknowledgment: 77)
        #expect(rest.deadline == deadline)
        feed(sequence: 0, acknowledgment: 1)
        #expect(rest.deadline > deadline)
    }
}
