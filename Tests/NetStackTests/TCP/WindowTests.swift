import NetPrimitives
import Testing

@testable import NetStack

@Suite struct WindowTests {
    @Test func `a closed window is probed at growing intervals and sending resumes when it opens`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2], window: 1460)
        host.send(bytes(3000))
        #expect(host.output().count == 1)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460, window: 0)
        #expect(host.output().isEmpty)
        var gaps: [Int] = []
        for _ in 0..<4 {
            gaps.append(host.fire() ?? 0)
            let probe = host.output()
            #expect(probe.count == 1 && probe[0].payload.isEmpty && probe[0].sequence == 1459)
            host.inject(.acknowledge, sequence: 0, acknowledgment: 1460, window: 0)
        }
        #expect(gaps[0] >= 200_000_000 && gaps[1] > gaps[0] && gaps[2] > gaps[1])
        host.inject(.acknowledge, sequence: 0, acknowledgment: 1460, window: 8000)
        #expect(host.output().map(\.payload.count) == [1460, 80])
    }

    @Test func `a peer that answers probes is never given up, a silent one is`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2], window: 0)
        host.send(bytes(100))
        #expect(host.output().isEmpty)
        for _ in 0..<30 {
            host.fire()
            #expect(host.output().count == 1)
            host.inject(.acknowledge, sequence: 0, acknowledgment: 0, window: 0)
        }
        #expect(host.connection.state == .established)
        #expect((host.connection.nextDeadline?.nanoseconds ?? 0) <= UInt64(host.time + 120_000_000_000))
        for _ in 0..<20 {
            host.fire()
            _ = host.output()
        }
        #expect(host.connection.takeError() == .timedOut)
    }

    @Test func `an orphan does not wait for ever for a window that stays closed`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2], window: 0)
        host.send(bytes(100))
        host.connection.close(now: host.now)
        var probes = 0
        while host.connection.state != .closed, probes < 50 {
            _ = host.output()
            host.fire()
            host.inject(.acknowledge, sequence: 0, acknowledgment: 0, window: 0)
            probes += 1
        }
        #expect(probes < 12)
        _ = host.output()
        #expect(host.connection.isReleasable == true)
    }

    @Test func `our window closes with the buffer and never moves its right edge back`() {
        var options = ConnectionOptions()
        options.receiveBufferMaximum = 8000
        options.autotune = false
        var host = TestHost.established(options: options, peerOptions: [2, 4, 0x05, 0xB4, 4, 2])
        var offset = 0
        var edge = 0
        while offset < 8000 {
            let count = min(1000, 8000 - offset)
            host.inject(.acknowledge, sequence: offset, payload: bytes(count, from: offset))
            offset += count
            for ack in host.output() {
                #expect(ack.acknowledgment + ack.window >= edge)
                edge = ack.acknowledgment + ack.window
            }
        }
        #expect(edge == 8000)
        // Beyond the window nothing is taken, but answered.
        let outcome = host.inject(.acknowledge, sequence: 8000, payload: bytes(10))
        guard case .dropped(.outOfWindow) = outcome else {
            Issue.record("taken")
            return
        }
        let answer = host.output()
        #expect(answer.count == 1 && answer[0].window == 0 && answer[0].acknowledgment == 8000)
    }

    @Test func `a quarter of the buffer read is told, less is not`() {
        var options = ConnectionOptions()
        options.receiveBufferMaximum = 16_000
        options.autotune = false
        var host = TestHost.established(options: options, peerOptions: [2, 4, 0x05, 0xB4, 4, 2])
        for index in 0..<11 {
            host.inject(.acknowledge, sequence: 1000 * index, payload: bytes(1000, from: 1000 * index))
        }
        _ = host.output()
        #expect(host.read(2000).count == 2000)
        #expect(host.output().isEmpty)
        #expect(host.read(2500).count == 2500)
        let update = host.output()
        #expect(update.count == 1 && update[0].window == 16_000 - 11_000 + 4500)
    }

    @Test func `a window that closed opens by two segments`() {
        var options = ConnectionOptions()
        options.receiveBufferMaximum = 64_000
        options.autotune = false
        var host = TestHost.established(options: options, peerOptions: [2, 4, 0x05, 0xB4, 4, 2])
        for index in 0..<64 {
            host.inject(.acknowledge, sequence: 1000 * index, payload: bytes(1000, from: 1000 * index))
        }
        #expect(host.output().last?.window == 0)
        #expect(host.read(1500).count == 1500)
        #expect(host.output().isEmpty)
        #expect(host.read(1000).count == 1000)
        #expect(host.output().last?.window == 2500)
    }

    @Test func `a silly window is used only when nothing else opens`() {
        var host = TestHost.established(peerOptions: [2, 4, 0x05, 0xB4, 4, 2], window: 20_000)
        host.send(bytes(10_000))
        let first = host.output().reduce(0) { $0 + $1.payload.count }
        #expect(first == 10_000)
        host.inject(.acknowledge, sequence: 0, acknowledgment: 10_000, window: 100)
        host.send(bytes(5000))
        #expect(host.output().isEmpty)
        host.fire()
        #expect(host.output().map(\.payload.count) == [100])
    }

    @Test func `the buffer grows with what the application takes per round trip, up to its ceiling`() {
        var options = ConnectionOptions()
        options.receiveBufferMaximum = 1 << 20
        var host = TestHost.established(options: options, peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 100
        var offset = 0
        #expect(host.connection.receiver.capacity == 64 << 10)
        for _ in 0..<40 {
            let edge = host.connection.receiver.advertisedEdge
            while offset + 1448 <= edge {
                host.inject(.acknowledge, sequence: offset, payload: bytes(1448, from: offset), endsBatch: false)
                offset += 1448
            }
            host.connection.endBatch(now: host.now)
            _ = host.output()
            _ = host.read()
            host.connection.endBatch(now: host.now)
            _ = host.output()
            host.time += 20_000_000
            host.peerTimestamp = (host.peerTimestamp ?? 0) + 20
        }
        #expect(host.connection.receiver.capacity == 1 << 20)
    }
}
