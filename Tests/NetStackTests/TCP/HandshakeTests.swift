import NetPrimitives
import Testing

@testable import NetStack

@Suite struct HandshakeTests {
    @Test(arguments: [false, true]) func `the options of a SYN-ACK stand in the order of a SYN`(hasTimestamp: Bool) {
        var reply = ReplySegment(
            sourcePort: 1, destinationPort: 2, sequence: SequenceNumber(3), acknowledgment: SequenceNumber(4),
            flags: [.synchronize, .acknowledge])
        reply.maximumSegmentSize = 1460
        reply.sackPermitted = true
        reply.windowScale = 8
        if hasTimestamp { reply.timestamp = SegmentOptions.Timestamp(value: 5, echo: 6) }
        var packet = [UInt8](repeating: 0xEE, count: reply.length)
        do {
            var span = packet.mutableSpan
            var raw = span.mutableBytes
            #expect(reply.write(into: &raw, at: 0, pseudoHeaderSum: 0) == reply.length)
        }
        let sack: [UInt8] = hasTimestamp ? [4, 2, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6] : [1, 1, 4, 2]
        #expect(Array(packet[20...]) == [2, 4, 0x05, 0xB4] + sack + [1, 3, 3, 8])
    }

    @Test func `a SYN offers the segment size, SACK, timestamps and a window scale`() {
        var host = TestHost()
        let syn = host.output()
        #expect(syn.count == 1)
        #expect(syn[0].flags == .synchronize && syn[0].sequence == -1)
        #expect(syn[0].options.maximumSegmentSize == 1460)
        #expect(syn[0].options.sackPermitted && syn[0].options.windowScale == 10)
        #expect(syn[0].options.timestamp != nil)
        #expect(host.connection.takeEvents().isEmpty)
    }

    @Test func `the SYN-ACK establishes, is acknowledged at once and tells connected`() {
        var host = TestHost()
        _ = host.output()
        host.time += 30_000_000
        host.inject([.synchronize, .acknowledge], sequence: -1, options: TestHost.timestampOptions)
        #expect(host.connection.state == .established)
        let ack = host.output()
        #expect(ack.count == 1 && ack[0].flags == .acknowledge && ack[0].sequence == 0 && ack[0].acknowledgment == 0)
        #expect(ack[0].options.timestamp?.echo == 50)
        #expect(host.connection.takeEvents().contains(.connected))
        #expect(host.connection.segmentSize == 1448)
        #expect(host.connection.roundTripTime == .milliseconds(30))
    }

    @Test func `the SYN is repeated after 1, 2, 4 ... seconds, then the attempt times out after 127`() {
        var host = TestHost()
        _ = host.output()
        var gaps: [Int] = []
        for _ in 0..<6 {
            gaps.append((host.fire() ?? 0) / 1_000_000_000)
            let again = host.output()
            #expect(again.count == 1 && again[0].flags == .synchronize)
        }
        #expect(gaps == [1, 2, 4, 8, 16, 32])
        #expect(host.fire() == 64_000_000_000)
        #expect(host.connection.state == .closed)
        #expect(host.connection.takeError() == .timedOut)
        #expect(host.connection.takeError() == nil)
        #expect(host.output().isEmpty && host.connection.nextDeadline == nil)
    }

    @Test func `a user time-out ends the attempt at the first retransmission after it`() {
        var options = ConnectionOptions()
        options.userTimeout = .milliseconds(300)
        var host = TestHost(options: options)
        _ = host.output()
        #expect(host.fire() == 1_000_000_000)
        #expect(host.connection.takeError() == .timedOut)
    }

    @Test func `a RST for the SYN is a refusal, any other RST is nothing`() {
        var host = TestHost()
        _ = host.output()
        host.inject(.reset, sequence: 0)
        host.inject([.reset, .acknowledge], sequence: 0, acknowledgment: 5)
        #expect(host.connection.state == .synSent)
        host.inject([.reset, .acknowledge], sequence: 0, acknowledgment: 0)
        #expect(host.connection.state == .closed)
        #expect(host.connection.takeError() == .refused)
        #expect(host.connection.takeEvents().isSuperset(of: [.error, .closed]))
    }

    @Test func `an ACK of something else is answered with a RST that carries its number`() {
        var host = TestHost()
        _ = host.output()
        let outcome = host.inject(.acknowledge, sequence: 100, acknowledgment: 77)
        guard case .reply(let reset) = outcome else {
            Issue.record("no reset")
            return
        }
        #expect(reset.flags == .reset)
        #expect(reset.sequence == host.ourInitial + 1 + 77)
        #expect(host.connection.state == .synSent)
    }

    @Test func `a SYN alone opens simultaneously`() {
        var host = TestHost()
        _ = host.output()
        host.inject(.synchronize, sequence: -1, options: TestHost.timestampOptions)
        #expect(host.connection.state == .synReceived)
        let answer = host.output()
        #expect(answer.count == 1 && answer[0].flags == [.synchronize, .acknowledge])
        #expect(answer[0].sequence == -1 && answer[0].acknowledgment == 0)
        host.inject([.synchronize, .acknowledge], sequence: -1, acknowledgment: 0, options: TestHost.timestampOptions)
        #expect(host.connection.state == .established)
        #expect(host.connection.takeEvents().contains(.connected))
    }

    @Test func `without options of the peer there is no scale, no SACK and the standard segment`() {
        var host = TestHost.established(peerOptions: [])
        #expect(host.connection.segmentSize == 536)
        host.send(bytes(10))
        let sent = host.output()
        #expect(sent.count == 1 && sent[0].options.timestamp == nil)
        #expect(sent[0].window == 65_535)
    }

    @Test func `tiny segment sizes are raised and window scales beyond 14 clamped`() {
        let host = TestHost.established(peerOptions: [2, 4, 0, 1, 3, 3, 200])
        #expect(host.connection.segmentSize == 48)
        #expect(host.connection.peerScale == 14)
    }

    @Test func `the segment size of the application limits both directions`() {
        var options = ConnectionOptions()
        options.maximumSegmentSize = 600
        var host = TestHost(options: options)
        #expect(host.output()[0].options.maximumSegmentSize == 600)
        host.inject([.synchronize, .acknowledge], sequence: -1, options: TestHost.timestampOptions)
        #expect(host.connection.segmentSize == 588)
    }

    @Test func `hard ICMP errors end an attempt, soft ones only name its time-out`() {
        var host = TestHost()
        _ = host.output()
        host.connection.receive(
            unreachable: .hostUnreachable, isHard: true, sequence: host.ourInitial + 500, now: host.now)
        #expect(host.connection.state == .synSent)
        host.connection.receive(
            unreachable: .networkUnreachable, isHard: false, sequence: host.ourInitial, now: host.now)
        _ = host.advance(200_000_000_000)
        #expect(host.connection.takeError() == .networkUnreachable)

        var other = TestHost()
        _ = other.output()
        other.connection.receive(
            unreachable: .hostUnreachable, isHard: true, sequence: other.ourInitial, now: other.now)
        #expect(other.connection.takeError() == .hostUnreachable)
    }

    @Test func `a SYN is sent again at once when the link becomes usable`() {
        var host = TestHost()
        _ = host.output()
        host.time += 50_000_000
        host.connection.linkBecameUsable(now: host.now)
        #expect(host.output().map(\.flags) == [.synchronize])
    }

    @Test func `initial sequence numbers differ by 4-tuple, move with the clock and do not repeat by seed`() {
        var random = RandomSource(seed: 1)
        let one = InitialSequence(random: &random)
        let two = InitialSequence(random: &random)
        let local = SocketEndpoint(IPAddress(v4: 1), port: 1)
        let remote = SocketEndpoint(IPAddress(v4: 2), port: 2)
        let other = SocketEndpoint(IPAddress(v4: 2), port: 3)
        let now = Now.at(1_000_000_000)
        let later = Now.at(1_000_400_000)
        let first = one.sequence(local: local, remote: remote, now: now)
        #expect(one.sequence(local: local, remote: remote, now: later) - first == 100)
        #expect(one.sequence(local: local, remote: other, now: now) != first)
        #expect(two.sequence(local: local, remote: remote, now: now) != first)
        #expect(one.timestampOffset(local: local, remote: remote) != one.timestampOffset(local: local, remote: other))
    }

    @Test func `the keyed hash is SipHash`() {
        // Key 00..0f, message 00..27, by an implementation that gives the 15-byte vector of the SipHash paper.
        let key = KeyedHash(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        let hash = key.hash(
            0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908, 0x1716_1514_1312_1110, 0x1F1E_1D1C_1B1A_1918,
            0x2726_2524_2322_2120)
        #expect(hash == 0x0E3E_A96B_5304_A7D0)
    }
}
