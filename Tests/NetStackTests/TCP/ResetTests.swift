import NetPrimitives
import Testing

@testable import NetStack

@Suite struct ResetTests {
    @Test func `the exact sequence number resets, data stays readable, then the error`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 0, payload: bytes(10))
        host.inject(.reset, sequence: 10)
        #expect(host.connection.state == .closed)
        #expect(host.read() == bytes(10))
        #expect(host.connection.takeError() == .reset)
        #expect(host.connection.isEndOfStream == true)
    }

    @Test func `a RST elsewhere in the window is challenged, outside ignored`() {
        var host = TestHost.established()
        host.inject(.reset, sequence: 100)
        #expect(host.connection.state == .established)
        let challenge = host.output()
        #expect(challenge.count == 1 && challenge[0].flags == .acknowledge && challenge[0].acknowledgment == 0)
        host.time += 600_000_000
        host.inject(.reset, sequence: -10)
        host.inject(.reset, sequence: 5_000_000)
        #expect(host.output().isEmpty && host.connection.state == .established)
    }

    @Test func `a SYN in the window is challenged, at most twice a second`() {
        var host = TestHost.established()
        for _ in 0..<5 { host.inject(.synchronize, sequence: 200) }
        #expect(host.output().count == 1)
        host.time += 499_000_000
        host.inject(.synchronize, sequence: 200)
        #expect(host.output().isEmpty)
        host.time += 2_000_000
        host.inject(.synchronize, sequence: 200)
        #expect(host.output().count == 1)
        #expect(host.connection.state == .established)
    }

    @Test func `text for nobody is reset with the number that the peer waits for`() {
        // Our FIN was lost: a reset behind it would only be challenged.
        var host = TestHost.established()
        host.connection.close(now: host.now)
        #expect(host.output().map(\.flags) == [[.finish, .acknowledge]])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 0, payload: bytes(1))
        let reset = host.output()
        #expect(reset.map(\.flags) == [.reset] && reset.map(\.sequence) == [0])
        let isReleasable = host.connection.isReleasable
        #expect(isReleasable)
        // The same with a reading side that was shut.
        var other = TestHost.established()
        other.connection.shutdownRead()
        other.connection.shutdownWrite(now: other.now)
        _ = other.output()
        other.inject(.acknowledge, sequence: 0, acknowledgment: 0, payload: bytes(1))
        #expect(other.output().map(\.sequence) == [0])
        #expect(other.connection.takeError() == .reset)
    }

    @Test func `a RST after the peer closed is a broken pipe`() {
        var host = TestHost.established()
        host.inject([.finish, .acknowledge], sequence: 0)
        host.send(bytes(1))
        _ = host.output()
        host.inject(.reset, sequence: 1)
        #expect(host.connection.takeError() == .brokenPipe)
    }

    @Test func `segments without ACK are dropped`() {
        var host = TestHost.established()
        let outcome = host.inject([], sequence: 0, payload: bytes(10))
        guard case .dropped(.badFlags) = outcome else {
            Issue.record("taken")
            return
        }
        #expect(host.connection.receiveAvailable == 0)
    }

    @Test func `a closed connection answers with a RST, but not to a RST`() {
        var host = TestHost.established()
        host.inject(.reset, sequence: 0)
        if case .reply(let reset) = host.inject(.acknowledge, sequence: 0, acknowledgment: 7) {
            #expect(reset.flags == .reset && reset.sequence == host.ourInitial + 8)
        } else {
            Issue.record("no reset")
        }
        if case .dropped(.closed) = host.inject(.reset, sequence: 0) {} else { Issue.record("RST to RST") }
    }

    @Test func `the RST for a stranger without ACK acknowledges all that came`() throws {
        let bytes = makeSegment(
            source: 5, destination: 6, sequence: 1000, acknowledgment: 0, flags: [.synchronize, .finish], window: 0,
            payload: [1, 2, 3], sum: 0)
        let header = try needed(SegmentHeader(parsing: bytes.span.bytes, at: 0, length: bytes.count))
        let reset = try needed(ReplySegment(resetting: header))
        #expect(reset.flags == [.reset, .acknowledge])
        #expect(reset.acknowledgment.value == 1005 && reset.sequence.value == 0)
        #expect(reset.sourcePort == 6 && reset.destinationPort == 5)
    }

    @Test func `every state survives every combination of flags at interesting places`() {
        // No trap, no endless output, no spin: the rest is covered by the named tests.
        for flags in 0..<64 {
            for sequence in [-70_000, -1, 0, 1, 65_000, 5_000_000] {
                for acknowledgment in [-70_000, 0, 1, 101, 5_000_000] {
                    var host = TestHost.established()
                    switch flags % 4 {
                    case 0: host.send(bytes(100))
                    case 1: host.connection.shutdownWrite(now: host.now)
                    case 2: host.connection.close(now: host.now)
                    default: host.inject([.finish, .acknowledge], sequence: 0)
                    }
                    _ = host.output()
                    host.inject(
                        SegmentFlags(rawValue: UInt8(flags)), sequence: sequence, acknowledgment: acknowledgment,
                        payload: flags & 3 == 1 ? bytes(20) : [])
                    #expect(host.output().count < 20)
                    if let deadline = host.connection.nextDeadline {
                        #expect(deadline.nanoseconds >= UInt64(host.time))
                    }
                }
            }
        }
    }
}
