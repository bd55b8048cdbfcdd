import NetPrimitives
import Testing

@testable import NetStack

@Suite struct CloseTests {
    @Test func `we close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, closed`() {
        var host = TestHost.established()
        host.connection.close(now: host.now)
        #expect(host.connection.state == .finWait1)
        let fin = host.output()
        #expect(fin.count == 1 && fin[0].flags == [.finish, .acknowledge] && fin[0].sequence == 0)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1)
        #expect(host.connection.state == .finWait2)
        host.inject([.finish, .acknowledge], sequence: 0, acknowledgment: 1)
        #expect(host.connection.state == .timeWait)
        #expect(host.connection.isReleasable == false, "the last ACK has not left")
        #expect(host.output().map(\.acknowledgment) == [1])
        #expect(host.connection.isReleasable == true)
        _ = host.advance(59_999_000_000)
        #expect(host.connection.state == .timeWait)
        _ = host.advance(2_000_000)
        #expect(host.connection.state == .closed)
    }

    @Test func `the peer closes first: CLOSE-WAIT, LAST-ACK, closed`() {
        var host = TestHost.established()
        host.inject([.finish, .acknowledge], sequence: 0, payload: bytes(10))
        #expect(host.connection.state == .closeWait)
        #expect(host.connection.takeEvents().contains(.readable))
        #expect(host.output().map(\.acknowledgment) == [11])
        #expect(host.connection.isEndOfStream == false)
        #expect(host.read() == bytes(10))
        #expect(host.connection.isEndOfStream == true)
        host.send(bytes(5))
        host.connection.close(now: host.now)
        #expect(host.connection.state == .lastAck)
        let last = host.output()
        #expect(last.count == 1 && last[0].flags == [.finish, .acknowledge, .push] && last[0].payload.count == 5)
        host.inject(.acknowledge, sequence: 11, acknowledgment: 6)
        #expect(host.connection.state == .closed && host.connection.isReleasable)
        #expect(host.connection.takeError() == nil)
    }

    @Test func `both close at once: CLOSING, TIME-WAIT`() {
        var host = TestHost.established()
        host.connection.shutdownWrite(now: host.now)
        #expect(host.output().count == 1)
        host.inject([.finish, .acknowledge], sequence: 0, acknowledgment: 0)
        #expect(host.connection.state == .closing)
        #expect(host.output().map(\.acknowledgment) == [1])
        host.inject(.acknowledge, sequence: 1, acknowledgment: 1)
        #expect(host.connection.state == .timeWait)
    }

    @Test func `FIN and the ACK of ours in one segment go straight to TIME-WAIT`() {
        var host = TestHost.established()
        host.connection.shutdownWrite(now: host.now)
        _ = host.output()
        host.inject([.finish, .acknowledge], sequence: 0, acknowledgment: 1)
        #expect(host.connection.state == .timeWait)
    }

    @Test func `the FIN waits for the data before it and travels with its last segment`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2], window: 1460)
        host.send(bytes(2000))
        host.connection.shutdownWrite(now: host.now)
        #expect(host.connection.isSendClosed == true)
        let first = host.output()
        #expect(first.count == 1 && !first[0].flags.contains(.finish))
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460, window: 1460)
        let second = host.output()
        #expect(second.count == 1 && second[0].payload.count == 540 && second[0].flags.contains(.finish))
    }

    @Test func `a lost FIN is sent again, alone or with its data`() {
        var host = TestHost.established()
        host.send(bytes(100))
        host.connection.shutdownWrite(now: host.now)
        #expect(host.output().count == 1)
        var seen = 0
        for _ in 0..<3 {
            host.fire()
            for segment in host.output() {
                #expect(segment.flags.contains(.finish))
                seen += 1
            }
        }
        #expect(seen >= 2)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 100)
        host.fire()
        let alone = host.output()
        #expect(alone.count == 1 && alone[0].payload.isEmpty && alone[0].sequence == 100)
        #expect(alone[0].flags.contains(.finish))
    }

    @Test func `half closed, the other direction goes on`() {
        var host = TestHost.established()
        host.connection.shutdownWrite(now: host.now)
        _ = host.output()
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1, payload: bytes(3000))
        #expect(host.read() == bytes(3000))
        #expect(host.send(bytes(1)) == 0)
        host.inject([.finish, .acknowledge], sequence: 3000, acknowledgment: 1)
        #expect(host.connection.isEndOfStream && host.connection.state == .timeWait)
    }

    @Test func `a FIN before missing data waits for it`() {
        var host = TestHost.established()
        host.inject([.finish, .acknowledge], sequence: 100, payload: bytes(50, from: 100))
        #expect(host.connection.state == .established)
        #expect(host.output().map(\.acknowledgment) == [0])
        host.inject(.acknowledge, sequence: 0, payload: bytes(100))
        #expect(host.connection.state == .closeWait)
        #expect(host.output().map(\.acknowledgment) == [151])
        #expect(host.read() == bytes(150))
    }

    @Test func `closing with unread data resets`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 0, payload: bytes(10))
        _ = host.output()
        host.connection.close(now: host.now)
        #expect(host.connection.state == .closed && !host.connection.isReleasable)
        #expect(host.output().map(\.flags) == [[.reset, .acknowledge]])
        #expect(host.connection.isReleasable == true)
    }

    @Test func `data that comes after close resets`() {
        var host = TestHost.established()
        host.connection.close(now: host.now)
        _ = host.output()
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1, payload: bytes(10))
        #expect(host.output().last?.flags == .reset)
        #expect(host.connection.isReleasable == true)
    }

    @Test func `abort resets and forgets what was queued`() {
        var host = TestHost.established()
        host.send(bytes(100))
        host.connection.abort(now: host.now)
        let sent = host.output()
        #expect(sent.count == 1 && sent[0].flags.contains(.reset) && sent[0].sequence == 0)
        #expect(host.connection.isReleasable && host.connection.memoryHeld == 0)
    }

    @Test func `an orphan in FIN-WAIT-2 is forgotten after a minute, a half-closed connection is not`() {
        var host = TestHost.established()
        host.connection.close(now: host.now)
        _ = host.output()
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1)
        _ = host.advance(61_000_000_000)
        #expect(host.connection.state == .closed && host.connection.isReleasable)

        var half = TestHost.established()
        half.connection.shutdownWrite(now: half.now)
        _ = half.output()
        half.inject(.acknowledge, sequence: 0, acknowledgment: 1)
        _ = half.advance(600_000_000_000)
        #expect(half.connection.state == .finWait2)
    }

    @Test func `closing an attempt ends it without a word`() {
        var host = TestHost()
        _ = host.output()
        host.connection.close(now: host.now)
        #expect(host.connection.isReleasable && host.output().isEmpty)
    }

    @Test func `the end of an interface ends with its error and silence`() {
        var host = TestHost.established()
        host.send(bytes(10))
        host.connection.fail(.networkDown)
        #expect(host.connection.takeError() == .networkDown)
        #expect(host.output().isEmpty && host.connection.nextDeadline == nil)
    }

    @Test func `TIME-WAIT answers a repeated FIN, ignores RST, and lets a newer SYN open again`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 60
        host.connection.close(now: host.now)
        _ = host.output()
        host.inject([.finish, .acknowledge], sequence: 0, acknowledgment: 1)
        _ = host.output()
        guard var rest = host.connection.makeTimeWait() else {
            Issue.record("no TIME-WAIT")
            return
        }
        func segment(_ flags: SegmentFlags, _ sequence: Int, _ stamp: UInt8) -> [UInt8] {
            makeSegment(
                source: 2000, destination: 1000, sequence: (host.peerInitial + 1 + sequence).value, acknowledgment: 0,
                flags: flags, window: 100, options: [1, 1, 8, 10, 0, 0, 0, stamp, 0, 0, 0, 0],
                sum: host.connection.pseudoHeaderSum)
        }
        func receive(_ rest: inout TimeWait, _ bytes: [UInt8], _ now: Now) -> TimeWait.Outcome? {
            SegmentHeader(parsing: bytes.span.bytes, at: 0, length: bytes.count).map {
                rest.receive($0, packet: bytes.span.bytes, now: now)
            }
        }
        if case .ignore = receive(&rest, segment(.reset, 1, 61), host.now) {} else { Issue.record("RST counts") }
        if case .reply(let ack) = receive(&rest, segment([.finish, .acknowledge], 0, 60), host.now) {
            #expect(ack.flags == .acknowledge && ack.acknowledgment == host.peerInitial + 2)
        } else {
            Issue.record("no answer")
        }
        if case .reply = receive(&rest, segment(.synchronize, 1, 59), host.now) {} else { Issue.record("old SYN") }
        if case .reopen = receive(&rest, segment(.synchronize, 500, 61), host.now) {} else { Issue.record("new SYN") }
        #expect(!rest.canReuse(now: host.now))
        #expect(rest.canReuse(now: .at(host.time + 1_000_000_000)))
        #expect(rest.deadline.nanoseconds == UInt64(host.time + 60_000_000_000))
    }
}
