//  Packets by verb, ERRORs by code, and what a root's HELLO tells of our clock.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct PacketCounterTests {
    private func number(_ star: Star, _ low: UInt64) -> UInt64 { UInt64(star.hub.now.unixMilliseconds) << 20 | low }

    @Test func `packets are counted by verb at both ends`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(a.engine.counters.sent(.hello) > 0 && a.engine.counters.received(.ok) > 0)
        #expect(star.root.engine.counters.received(.hello) > 0)
        let (sent, received) = (a.engine.counters.sent(.frame), b.engine.counters.received(.frame))
        for _ in 0..<3 { star.hub.sendFrame(a, to: b.address) }
        star.hub.run(.milliseconds(100))
        #expect(a.engine.counters.sent(.frame) == sent + 3)
        #expect(b.engine.counters.received(.frame) == received + 3)
        // What is passed on is nobody's packet.
        #expect(star.root.engine.counters.received(.frame) == 0 && star.root.engine.counters.sent(.frame) == 0)
    }

    @Test func `errors are counted by their code, and packets that are not authentic by their peer`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let reason = ErrorReply.Reason.needMembershipCertificate(NetworkID(7))
        let error = ErrorReply(inReplyTo: .frame, packetID: PacketID(1), reason: reason)
        star.hub.send(a, .error, error.encoded, to: b.address)
        star.hub.run(.milliseconds(100))
        let code = ErrorReply.Code.needMembershipCertificate.rawValue
        #expect(a.engine.counters.errorsSent(code) == 1 && b.engine.counters.errorsReceived(code) == 1)
        #expect(a.engine.counters.errorsSent(0xff) == 0)
        var forged = Prober(b.identity, to: a.identity).packet(Verb.echo.rawValue, [1, 2], id: number(star, 5))
        forged[forged.count - 1] ^= 1
        star.hub.receive(a, [forged], from: b.sockets[0])
        #expect(try #require(star.hub.snapshot(a, of: b)).traffic.packetsRefused == 1)
    }

    @Test func `a root's clock is compared with ours, a leaf's is not`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        func hello(_ sender: TestNode, ahead: Int64, _ low: UInt64) {
            let time = UInt64(star.hub.now.unixMilliseconds + ahead)
            let bytes = Prober(sender.identity, to: a.identity).hello(id: number(star, low), timestamp: time)
            star.hub.receive(a, [bytes], from: sender.sockets[0])
        }
        hello(star.root, ahead: 3_600_000, 9)
        #expect(a.engine.rootClockAhead == 3_600_000)
        hello(b, ahead: -7_200_000, 10)
        #expect(a.engine.rootClockAhead == 3_600_000)
    }
}
