import NetPrimitives
import Testing

@testable import NetStack

@Suite struct KeepAliveTests {
    private func options() -> ConnectionOptions {
        var options = ConnectionOptions()
        options.keepAlive = true
        options.keepAliveIdle = .seconds(10)
        options.keepAliveInterval = .seconds(2)
        options.keepAliveCount = 3
        return options
    }

    @Test func `an idle connection is probed, and an answer starts the wait anew`() {
        var host = TestHost.established(options: options())
        #expect(host.advance(9_999_000_000).isEmpty)
        let probe = host.advance(2_000_000)
        #expect(probe.count == 1 && probe[0].sequence == -1 && probe[0].payload.isEmpty)
        host.inject(.acknowledge, sequence: 0)
        let quiet = host.advance(9_990_000_000)
        #expect(quiet.isEmpty)
        #expect(host.advance(20_000_000).count == 1)
    }

    @Test func `a silent peer is given up after the count of probes`() {
        var host = TestHost.established(options: options())
        let sent = host.advance(30_000_000_000)
        #expect(sent.filter { !$0.flags.contains(.reset) }.count == 3)
        #expect(sent.last?.flags == [.reset, .acknowledge])
        #expect(host.connection.takeError() == .timedOut)
    }

    @Test func `traffic puts the probe off without touching a timer per segment`() {
        var host = TestHost.established(options: options())
        for index in 0..<5 {
            #expect(host.advance(6_000_000_000).isEmpty)
            host.inject(.acknowledge, sequence: index, payload: bytes(1))
            #expect(host.output().count == 1)
        }
    }

    @Test func `switched on later it runs, switched off it stops`() {
        var host = TestHost.established()
        #expect(host.connection.nextDeadline == nil)
        host.connection.setOptions(options(), now: host.now)
        #expect(host.connection.nextDeadline != nil)
        host.connection.setOptions(ConnectionOptions(), now: host.now)
        #expect(host.connection.nextDeadline == nil)
    }

    @Test func `we answer the peer's probes, with or without a byte`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 0, payload: bytes(10))
        _ = host.output()
        host.time += 1_000_000_000
        host.inject(.acknowledge, sequence: 9)
        #expect(host.output().map(\.acknowledgment) == [10])
        host.time += 1_000_000_000
        host.inject(.acknowledge, sequence: 9, payload: [9])
        #expect(host.output().map(\.acknowledgment) == [10])
        #expect(host.connection.receiveAvailable == 10)
    }
}
