import NetPrimitives
import Testing

@testable import NetStack

@Suite struct DataTests {
    @Test func `a write leaves as equal segments, the last with PSH`() {
        var host = TestHost.established()
        let payload = bytes(4000)
        #expect(host.send(payload) == 4000)
        let sent = host.output()
        #expect(sent.map(\.payload.count) == [1460, 1460, 1080])
        #expect(sent.map(\.sequence) == [0, 1460, 2920])
        #expect(sent.map { $0.flags.contains(.push) } == [false, false, true])
        #expect(sent.flatMap(\.payload) == payload)
    }

    @Test func `the initial window is ten segments and opens by what is acknowledged`() {
        var host = TestHost.established()
        host.send(bytes(60_000))
        #expect(host.output().count == 10)
        host.time += 10_000_000
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2920, window: 1000)
        var sent = host.output()
        #expect(sent.count == 2, "two segments are the least burst; the rest keeps its pace")
        sent += host.advance(3_000_000)
        // The fourth alone is no burst; the next ACK takes it along.
        #expect(sent.count == 3)
        #expect(host.connection.congestionWindow == 12 * 1460)
    }

    @Test func `the peer's window is a limit to the byte`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2], window: 4000)
        host.send(bytes(20_000))
        let sent = host.output()
        #expect(sent.map(\.payload.count) == [1460, 1460])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2920, window: 4000)
        #expect(host.output().map(\.payload.count) == [1460, 1460])
    }

    @Test func `received bytes are read once and in order`() {
        var host = TestHost.established()
        host.inject([.acknowledge, .push], sequence: 0, payload: bytes(1000))
        #expect(host.connection.takeEvents() == .readable)
        #expect(host.connection.receiveAvailable == 1000)
        host.inject(.acknowledge, sequence: 1000, payload: bytes(500, from: 1000))
        #expect(host.connection.takeEvents().isEmpty, "only the edge from empty counts")
        var peeked = [UInt8](repeating: 0, count: 100)
        do {
            var span = peeked.mutableSpan
            var raw = span.mutableBytes
            let count = host.connection.peek(into: &raw, at: 0, count: 100)
            #expect(count == 100)
        }
        #expect(peeked == bytes(100))
        #expect(host.read(100) == bytes(100))
        #expect(host.read() == bytes(1400, from: 100))
    }

    @Test func `Nagle holds a second short segment until the first is acknowledged`() {
        var host = TestHost.established()
        host.send(bytes(10))
        #expect(host.output().map(\.payload.count) == [10])
        host.send(bytes(10, from: 10))
        #expect(host.output().isEmpty)
        // A full segment may leave (Minshall): only short ones wait.
        host.send(bytes(1500, from: 20))
        #expect(host.output().map(\.payload.count) == [1460])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 10)
        #expect(host.output().map(\.payload.count) == [50])
    }

    @Test func `without Nagle every write leaves at once`() {
        var options = ConnectionOptions()
        options.noDelay = true
        var host = TestHost.established(options: options)
        for index in 0..<3 {
            host.send(bytes(10, from: 10 * index))
            #expect(host.output().map(\.payload.count) == [10])
        }
    }

    @Test func `cork holds what is not full for 200 ms`() {
        var options = ConnectionOptions()
        options.cork = true
        var host = TestHost.established(options: options)
        host.connection.setOptions(options, now: host.now)
        host.send(bytes(1500))
        #expect(host.output().map(\.payload.count) == [1460])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460)
        #expect(host.output().isEmpty)
        #expect(host.advance(199_000_000).isEmpty)
        #expect(host.advance(2_000_000).map(\.payload.count) == [40])
        host.send(bytes(5, from: 1500))
        #expect(host.output().isEmpty)
        options.cork = false
        host.connection.setOptions(options, now: host.now)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1500)
        #expect(host.output().map(\.payload.count) == [5])
    }

    @Test func `what a cork holds is released without ending it`() {
        var options = ConnectionOptions()
        options.cork = true
        var host = TestHost.established(options: options)
        host.connection.setOptions(options, now: host.now)
        host.send(bytes(40))
        #expect(host.output().isEmpty)
        host.connection.releaseCorked()
        #expect(host.output().map(\.payload.count) == [40])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 40)
        host.connection.releaseCorked()
        host.send(bytes(10, from: 40))
        #expect(host.output().isEmpty, "nothing was held when it was released")
        #expect(host.advance(200_000_000).map(\.payload.count) == [10])
    }

    @Test func `every second full segment of a batch is acknowledged, once`() {
        var host = TestHost.established()
        host.connection.receiver.noteQuickOver()
        for index in 0..<8 {
            host.inject(
                .acknowledge, sequence: 1460 * index, payload: bytes(1460, from: 1460 * index), endsBatch: index == 7)
        }
        let acks = host.output()
        #expect(acks.count == 1 && acks[0].acknowledgment == 8 * 1460 && acks[0].payload.isEmpty)
    }

    @Test func `a single short segment is acknowledged after 40 ms`() {
        var host = TestHost.established()
        host.connection.receiver.noteQuickOver()
        host.inject([.acknowledge, .push], sequence: 0, payload: bytes(1))
        #expect(host.output().isEmpty)
        #expect(host.advance(39_999_999).isEmpty)
        let ack = host.advance(1)
        #expect(ack.count == 1 && ack[0].acknowledgment == 1)
        #expect(host.advance(500_000_000).isEmpty)
    }

    @Test func `a pushed write that was read whole is acknowledged at once, unless answers follow`() {
        var host = TestHost.established()
        host.connection.receiver.noteQuickOver()
        func push(_ sequence: Int) { host.inject([.acknowledge, .push], sequence: sequence, payload: bytes(10)) }
        push(0)
        #expect(host.output().isEmpty)
        // A part is still there: more reading will follow.
        _ = host.read(4)
        #expect(host.output().isEmpty)
        _ = host.read()
        #expect(host.output().map(\.acknowledgment) == [10])
        // Without PSH the peer has more to send.
        host.inject(.acknowledge, sequence: 10, payload: bytes(10))
        _ = host.read()
        #expect(host.output().isEmpty)
        #expect(host.advance(40_000_000).count == 1)
        // Now the application answers: nothing leaves before the answer.
        push(20)
        host.send(bytes(3))
        #expect(host.output().map(\.acknowledgment) == [30])
        host.inject(.acknowledge, sequence: 30, acknowledgment: 3)
        push(30)
        _ = host.read()
        #expect(host.output().isEmpty)
        // Until it once did not.
        #expect(host.advance(40_000_000).map(\.acknowledgment) == [40])
        push(40)
        _ = host.read()
        #expect(host.output().map(\.acknowledgment) == [50])
    }

    @Test func `a delayed ACK travels with data and then is not sent alone`() {
        var host = TestHost.established()
        host.connection.receiver.noteQuickOver()
        host.inject([.acknowledge, .push], sequence: 0, payload: bytes(1))
        host.send(bytes(3))
        let sent = host.output()
        #expect(sent.count == 1 && sent[0].payload.count == 3 && sent[0].acknowledgment == 1)
        host.inject(.acknowledge, sequence: 1, acknowledgment: 3)
        #expect(host.advance(100_000_000).isEmpty)
    }

    @Test func `the first segments are acknowledged without delay`() {
        var host = TestHost.established()
        host.inject(.acknowledge, sequence: 0, payload: bytes(100))
        #expect(host.output().count == 1)
    }

    @Test func `a full send buffer takes no more and tells when a third is free`() {
        var options = ConnectionOptions()
        options.sendBufferMaximum = 9000
        options.autotune = false
        var host = TestHost.established(options: options)
        #expect(host.send(bytes(20_000)) == 9000)
        #expect(host.connection.isWritable == false)
        #expect(host.output().count == 7)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 2920)
        #expect(host.connection.takeEvents().isEmpty)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 4380)
        #expect(host.connection.takeEvents() == .writable)
        #expect(host.connection.isWritable == true)
    }

    @Test func `short bursts wait while more than a full one is in flight, and never with nothing in flight`() {
        var options = ConnectionOptions()
        options.congestionControl = .cubic
        // So short a round trip is not paced.
        var host = TestHost.established(
            options: options, peerOptions: TestHost.timestampOptions, roundTrip: 900_000)
        host.peerTimestamp = 51
        host.inject(.acknowledge, sequence: 0)
        host.connection.sender.congestion.window = 200 * 1448
        host.connection.sender.capacity = 1 << 20
        host.send(bytes(180 * 1448))
        #expect(host.output().count == 180)
        host.connection.sender.tuneCapacity()
        host.send(bytes(60 * 1448))
        let before = host.output()
        #expect(before.isEmpty, "20 segments fit, 25 make a burst worth sending")
        host.inject(.acknowledge, sequence: 0, acknowledgment: 30 * 1448)
        #expect(host.output().count >= 25)
    }

    @Test func `an idle connection gives its memory back`() {
        var host = TestHost.established()
        host.send(bytes(1000))
        _ = host.output()
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1000, payload: bytes(2000))
        _ = host.output()
        _ = host.read()
        host.connection.endBatch(now: host.now)
        #expect(host.connection.memoryHeld > 0)
        _ = host.advance(3_000_000_000)
        #expect(host.connection.memoryHeld == 0)
        #expect(host.connection.nextDeadline == nil)
        host.inject(.acknowledge, sequence: 2000, acknowledgment: 1000, payload: bytes(2000))
        #expect(host.read() == bytes(2000))
    }

    @Test func `a smaller path sends what is in flight again in its size`() {
        var host = TestHost.established()
        host.send(bytes(2920))
        #expect(host.output().count == 2)
        host.connection.limitSegmentSize(to: 1000, sequence: host.ourInitial + 1, now: host.now)
        #expect(host.output().map(\.payload.count) == [1000, 1000, 920])
        host.connection.limitSegmentSize(to: 500, sequence: host.ourInitial + 90_000, now: host.now)
        #expect(host.connection.segmentSize == 1000)
    }

    @Test func `congestion marks are echoed until the peer says it has reduced`() {
        var host = TestHost.established()
        host.connection.echoesCongestion = true
        host.inject(.acknowledge, sequence: 0, payload: bytes(10), marked: true)
        #expect(host.output()[0].flags.contains(.congestionEcho))
        host.inject(.acknowledge, sequence: 10, payload: bytes(10))
        #expect(host.output()[0].flags.contains(.congestionEcho))
        host.inject([.acknowledge, .windowReduced], sequence: 20, payload: bytes(10))
        #expect(!host.output()[0].flags.contains(.congestionEcho))
    }
}
