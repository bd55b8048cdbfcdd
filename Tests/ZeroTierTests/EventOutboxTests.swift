import Foundation
import NetPrimitives
import Synchronization
import Testing
import ZeroTierWire

@testable import ZeroTier

private func numbered(_ number: Int) -> NodeEvent { .message(from: NodeID(7), type: UInt64(number), data: []) }

@Suite struct EventOutboxTests {
    @Test func `what peers cause gives way, the oldest of it, and what the node says stays in its place`() {
        var outbox = EventOutbox()
        let room = EventOutbox.capacity
        outbox.append(.online)
        for number in 0..<room { outbox.append(numbered(number)) }
        outbox.append(.offline)
        for number in room..<room + 10 { outbox.append(numbered(number)) }
        outbox.append(.peerExpired(NodeID(7)))
        #expect(outbox.count == room + 2)
        let expected: [NodeEvent] =
            [.missed(11), .online] + (11..<room).map(numbered) + [.offline] + (room..<room + 10).map(numbered)
            + [.peerExpired(NodeID(7))]
        #expect(outbox.takeAll() == expected)
        #expect(outbox.isEmpty && outbox.takeAll() == [])
        // A node that goes on and off for ever has its own bound.
        for _ in 0..<room { outbox.append(.online) }
        outbox.append(numbered(1))
        outbox.append(.offline)
        #expect(outbox.count == room + 1)
        #expect(
            outbox.takeAll() == [.missed(1)] + Array(repeating: .online, count: room - 1) + [numbered(1), .offline])
    }
}

/// A log that waits in its first call, and what it was told.
private final class SlowLog: Sendable {
    private struct State {
        var told: [NodeEvent] = []
        var isWaiting = false
    }
    private let state = Mutex(State())
    private let gate = DispatchSemaphore(value: 0)

    var isWaiting: Bool { state.withLock { $0.isWaiting } }
    var told: [NodeEvent] { state.withLock { $0.told } }

    func note(_ event: NodeEvent) {
        let isFirst = state.withLock { state in
            state.told.append(event)
            defer { state.isWaiting = state.isWaiting || event == numbered(0) }
            return event == numbered(0)
        }
        if isFirst { gate.wait() }
    }

    func goOn() { gate.signal() }
}

extension DriverTests {
    @Suite struct OutboxTests {
        private func tell(_ driver: NodeDriver, _ messages: Range<Int>, thenNetworks: Int = 0) throws -> Int {
            try driver.call { (core, now) throws(ZeroTierError) in
                for number in messages {
                    core.take(.userMessage(from: Address(7), type: UInt64(number), data: []), now)
                }
                for number in 0..<thenNetworks { core.take(.networkChanged(network(number)), now) }
                return core.outbox.count
            }
        }

        private func network(_ number: Int) -> ZeroTierWire.NetworkID {
            ZeroTierWire.NetworkID(0x8056_c2e2_1c00_0000 + UInt64(number))
        }

        @Test(.timeLimit(.minutes(2))) func `events wait within a bound while the log waits`() async throws {
            let planet = try Constellation.makePlanet(port: try Node.findFreePort())
            var settings = Constellation.configuration(TestIdentity.first, planet)
            let log = SlowLog()
            settings.log = { log.note($0) }
            let node = try await Node.start(settings)
            let driver = node.driver
            // The thread that tells the first message waits in the log.
            Foundation.Thread.detachNewThread { _ = try? self.tell(driver, 0..<1) }
            while !log.isWaiting { try await Task.sleep(for: .milliseconds(5)) }
            let kept = EventOutbox.capacity
            var most = 0
            for round in 0..<50 {
                let first = 1 + round * 100
                most = max(most, try tell(driver, first..<first + 100, thenNetworks: round < 10 ? 2 : 0))
            }
            #expect(most <= 2 * kept)
            log.goOn()
            while log.told.last != numbered(5000) { try await Task.sleep(for: .milliseconds(5)) }
            let told = log.told
            #expect(told.contains(.missed(5000 - kept)))
            #expect(told.count { if case .networkChanged = $0 { true } else { false } } == 20)
            let messages = told.filter { if case .message = $0 { true } else { false } }
            #expect(messages == [numbered(0)] + (5001 - kept...5000).map(numbered))
            await node.shutdown()
        }
    }
}
