import NetPrimitives
import Testing

@testable import NetStack

@Suite struct CongestionMarkTests {
    private func open(_ answer: SegmentFlags, algorithm: CongestionAlgorithm = .cubic) -> TestHost {
        var options = ConnectionOptions()
        options.requestsCongestionMarks = true
        options.congestionControl = algorithm
        var host = TestHost(options: options, maximumSegmentSize: 1460)
        let syn = host.output()
        #expect(syn.map(\.flags) == [[.synchronize, .congestionEcho, .windowReduced]])
        #expect(!syn[0].isMarkable)
        host.time += 10_000_000
        host.inject(
            [.synchronize, .acknowledge, answer], sequence: -1, acknowledgment: 0, window: 65_535,
            options: [2, 4, 0x05, 0xB4, 4, 2, 1, 3, 3, 7])
        expectAll(host.output(), markable: false)
        return host
    }

    private func expectAll(
        _ segments: [SentSegment], markable: Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(segments.allSatisfy { $0.isMarkable == markable }, sourceLocation: sourceLocation)
    }

    @Test func `data can be marked once both ends have agreed, and only data`() {
        var host = open(.congestionEcho)
        host.send(bytes(3_000))
        expectAll(host.output(), markable: true)
        host.fire()
        let again = host.output()
        #expect(again.count == 1 && again[0].isRetransmission && !again[0].isMarkable)
    }

    @Test(arguments: [SegmentFlags([]), [.congestionEcho, .windowReduced]])
    func `without ECE alone in the SYN-ACK nothing is marked and no echo believed`(answer: SegmentFlags) {
        var host = open(answer)
        host.send(bytes(3_000))
        expectAll(host.output(), markable: false)
        let window = host.connection.congestionWindow
        host.inject([.acknowledge, .congestionEcho], sequence: 0, acknowledgment: 1460)
        #expect(host.connection.congestionWindow >= window)
    }

    @Test func `a SYN that is sent again does not ask`() {
        var options = ConnectionOptions()
        options.requestsCongestionMarks = true
        var host = TestHost(options: options, maximumSegmentSize: 1460)
        _ = host.output()
        host.fire()
        #expect(host.output().map(\.flags) == [.synchronize])
        host.inject([.synchronize, .acknowledge, .congestionEcho], sequence: -1, acknowledgment: 0)
        _ = host.output()
        host.send(bytes(100))
        expectAll(host.output(), markable: false)
    }

    @Test func `an echo reduces once per window, and the next segment says so`() {
        var host = open(.congestionEcho)
        host.send(bytes(10 * 1460))
        #expect(host.output().count == 10)
        host.time += 10_000_000
        host.inject([.acknowledge, .congestionEcho], sequence: 0, acknowledgment: 1460)
        let window = host.connection.congestionWindow
        // Beta of RFC 8511; the ACK itself is one segment of growth.
        #expect(window >= 10 * 1460 * 85 / 100 && window < 11 * 1460)
        host.inject([.acknowledge, .congestionEcho], sequence: 0, acknowledgment: 2920)
        #expect(host.connection.congestionWindow >= window, "the same congestion")
        host.send(bytes(20_000))
        host.inject([.acknowledge, .congestionEcho], sequence: 0, acknowledgment: 9 * 1460)
        let sent = host.output() + host.advance(5_000_000)
        #expect(sent.count > 1)
        #expect(sent.map { $0.flags.contains(.windowReduced) } == [true] + sent.dropFirst().map { _ in false })
        #expect(sent.allSatisfy { !$0.isRetransmission && $0.isMarkable })
    }

    @Test func `a peer that asks is granted`() {
        var host = TestHost.established()
        host.connection.agreeOnMarks(true)
        host.send(bytes(100))
        expectAll(host.output(), markable: true)
    }
}
