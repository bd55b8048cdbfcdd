import NetPrimitives
import Testing

@testable import NetStack

/// Forward RTO-recovery, for peers without timestamps (RFC 5682).
@Suite struct SpuriousTimeoutTests {
    /// Eight segments are out, the probe brought nothing, the time-out has sent the first again; 4 more wait.
    private func timedOut(more: Int = 4) -> TestHost {
        var options = ConnectionOptions()
        options.congestionControl = .cubic
        var host = TestHost.established(options: options)
        host.send(bytes(8 * 1460))
        #expect(host.output().count == 8)
        host.fire()
        _ = host.output()
        host.send(bytes(more * 1460))
        host.fire()
        #expect(host.output().map(\.sequence) == [0])
        #expect(host.connection.sender.recovery.phase == .loss)
        return host
    }

    @Test func `what arrives late shows that the time-out was none`() {
        var host = timedOut()
        host.time += 5_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460)
        var sent = host.output() + host.advance(2_000_000)
        #expect(!sent.isEmpty && sent.allSatisfy { !$0.isRetransmission && $0.sequence >= 8 * 1460 })
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2 * 1460)
        #expect(host.connection.sender.recovery.phase == .open)
        #expect(host.connection.congestionWindow >= 10 * 1460)
        sent = host.output() + host.advance(2_000_000)
        #expect(sent.allSatisfy { !$0.isRetransmission }, "nothing else was lost")
    }

    @Test func `when only the new data arrives, the losses are repaired`() {
        var host = timedOut()
        host.time += 5_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460)
        let sent = host.output() + host.advance(2_000_000)
        #expect(sent.first?.sequence == 8 * 1460)
        host.inject(
            .acknowledge, sequence: 0, acknowledgment: 1460, options: host.sack((8 * 1460, 9 * 1460)))
        let again = host.output() + host.advance(5_000_000)
        #expect(again.first?.sequence == 1460 && again.first?.isRetransmission == true)
        #expect(host.connection.sender.recovery.phase == .loss)
    }

    @Test func `with nothing new to send the losses are repaired at once`() {
        var host = timedOut(more: 0)
        host.time += 5_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460)
        let again = host.output()
        #expect(again.first?.sequence == 1460 && again.first?.isRetransmission == true)
    }
}
