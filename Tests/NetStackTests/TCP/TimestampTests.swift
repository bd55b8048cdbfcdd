import NetPrimitives
import Testing

@testable import NetStack

@Suite struct TimestampTests {
    @Test func `an old timestamp is acknowledged and dropped`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 100
        host.inject(.acknowledge, sequence: 0, payload: bytes(10))
        #expect(host.output().last?.options.timestamp?.echo == 100)
        host.peerTimestamp = 83
        let outcome = host.inject(.acknowledge, sequence: 10, payload: bytes(10))
        guard case .dropped(.oldTimestamp) = outcome else {
            Issue.record("taken")
            return
        }
        #expect(host.output().map(\.acknowledgment) == [10])
        #expect(host.connection.receiveAvailable == 10)
    }

    @Test func `what something sent again has overtaken is late, not old`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 100
        // The second segment arrives; the first is sent again and overtakes the third, which left 4 ms before.
        host.inject(.acknowledge, sequence: 10, payload: bytes(10, from: 10))
        _ = host.output()
        host.peerTimestamp = 104
        host.inject(.acknowledge, sequence: 0, payload: bytes(10))
        _ = host.output()
        host.peerTimestamp = 100
        host.inject(.acknowledge, sequence: 20, payload: bytes(10, from: 20))
        #expect(host.read() == bytes(30))
    }

    @Test func `timestamps wrap`() {
        var host = TestHost.established(peerOptions: [8, 10, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 0])
        host.peerTimestamp = 0xFFFF_FFFF
        host.inject(.acknowledge, sequence: 0, payload: bytes(1))
        _ = host.output()
        host.peerTimestamp = 3
        host.inject(.acknowledge, sequence: 1, payload: bytes(1))
        #expect(host.connection.receiveAvailable == 2)
        #expect(host.output().last?.options.timestamp?.echo == 3)
    }

    @Test func `after 24 days of silence any timestamp counts`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 1000
        host.inject(.acknowledge, sequence: 0, payload: bytes(1))
        host.time += 24 * 86_400 * 1_000_000_000
        host.peerTimestamp = 5
        host.inject(.acknowledge, sequence: 1, payload: bytes(1))
        #expect(host.connection.receiveAvailable == 2)
    }

    @Test func `a RST needs no timestamp`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 100
        host.inject(.acknowledge, sequence: 0, payload: bytes(1))
        host.peerTimestamp = 1
        host.inject(.reset, sequence: 1)
        #expect(host.connection.state == .closed)
    }

    @Test func `out-of-order data does not change what is echoed`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.peerTimestamp = 100
        host.inject(.acknowledge, sequence: 0, payload: bytes(10))
        host.peerTimestamp = 200
        host.inject(.acknowledge, sequence: 50, payload: bytes(10))
        #expect(host.output().last?.options.timestamp?.echo == 100)
    }

    @Test func `our values are milliseconds with the offset of the connection`() {
        var host = TestHost.established(peerOptions: TestHost.timestampOptions)
        host.send(bytes(1))
        _ = host.output()
        #expect(host.lastStamp == UInt32(host.time / 1_000_000) + 77)
    }
}
