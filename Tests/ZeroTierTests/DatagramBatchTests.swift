import Foundation
import NetPrimitives
import Testing

@testable import ZeroTier

extension DriverTests {
    /// Many datagrams by one call, between two nodes and inside of one.
    @Suite struct DatagramBatchTests {
        private static let loopback = IPAddress("127.0.0.1")!

        // Tells which it is in its first two bytes.
        private func numbered(_ index: Int, _ size: Int) -> [UInt8] {
            [UInt8(truncatingIfNeeded: index >> 8), UInt8(truncatingIfNeeded: index)]
                + [UInt8](repeating: UInt8(truncatingIfNeeded: index &* 7), count: size - 2)
        }

        private func alone(
            _ body: (_ first: DatagramSocket, _ second: DatagramSocket) async throws -> Void
        ) async throws {
            let planet = try Constellation.makePlanet(port: 1)
            let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
            let first = try node.datagramSocket(bind: SocketEndpoint(Self.loopback, port: 0))
            let second = try node.datagramSocket(bind: SocketEndpoint(Self.loopback, port: 0))
            try await body(first, second)
            await node.shutdown()
        }

        private func code(_ body: () async throws -> Void) async -> ZeroTierError.Code? {
            do {
                try await body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }

        private func refusal(_ body: () throws -> Void) -> ZeroTierError.Code? {
            do {
                try body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }

        // Runs a blocking call outside of the tasks' threads.
        private func onThread<Result: Sendable>(
            _ body: @escaping @Sendable () throws -> Result
        ) async throws -> Result {
            try await withCheckedThrowingContinuation { continuation in
                Foundation.Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
            }
        }

        @Test func `batches between two nodes keep their order, boundaries and source`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let server = try nodes.second.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 53))
            let client = try nodes.first.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 0))
            _ = try await nodes.first.ping(address)
            let target = SocketEndpoint(address, port: 53)
            let sent = (0..<50).map { numbered($0, 20 + 31 * $0) }
            try await client.send(all: sent, to: target)
            var received: [Datagram] = []
            while received.count < sent.count {
                let some = try await server.receive(upTo: 16, timeout: .seconds(10))
                #expect((1...16).contains(some.count))
                received += some
            }
            #expect(received.map(\.bytes) == sent)
            #expect(received.allSatisfy { $0.source.port == client.localEndpoint.port })

            // Back, each by its own address, and by threads.
            try await onThread { [received] in
                try server.sendBlocking(all: received.map { OutgoingDatagram(bytes: $0.bytes, destination: $0.source) })
            }
            let answer = try await onThread {
                var answer: [[UInt8]] = []
                while answer.count < 50 {
                    answer += try client.receiveBlocking(upTo: 100, timeout: .seconds(10)).map(\.bytes)
                }
                return answer
            }
            #expect(answer == sent)
            await nodes.shutdown()
        }

        @Test func `a batch larger than the send queue waits for room and stays in order`() async throws {
            try await alone { first, second in
                let sent = (0..<2_000).map { numbered($0, 1_000) }
                try await first.send(all: sent, to: second.localEndpoint)
                var received: [[UInt8]] = []
                while received.count < sent.count {
                    received += try await second.receive(upTo: 300, timeout: .seconds(10)).map(\.bytes)
                }
                #expect(received == sent)
                try await onThread { try second.sendBlocking(all: sent, to: first.localEndpoint) }
                received = []
                while received.count < sent.count {
                    received += try await first.receive(upTo: .max, timeout: .seconds(10)).map(\.bytes)
                }
                #expect(received == sent)
            }
        }

        @Test func `a batch ends at the first datagram that cannot be sent`() async throws {
            try await alone { first, second in
                let batch = [numbered(0, 10), [UInt8](repeating: 0, count: 65_508), numbered(2, 10)]
                let target = second.localEndpoint
                #expect(await code { try await first.send(all: batch, to: target) } == .messageTooLong)
                let each = batch.map { OutgoingDatagram(bytes: $0, destination: target) }
                #expect(await code { try await first.send(all: each) } == .messageTooLong)
                #expect(refusal { try first.sendBlocking(all: batch, to: target) } == .messageTooLong)
                let error = #expect(throws: ZeroTierError.self) { try first.sendBlocking(all: each) }
                #expect(error?.message.contains("datagram 1 ") == true)
                var received = 0
                while received < 4 {
                    let some = try await second.receive(upTo: 10, timeout: .seconds(10))
                    #expect(some.allSatisfy { $0.bytes == batch[0] })
                    received += some.count
                }
                #expect(received == 4)
                #expect(refusal { _ = try second.receiveBlocking(upTo: 1, timeout: .milliseconds(20)) } == .timedOut)
                // None is no error.
                try await first.send(all: [], to: target)
                try first.sendBlocking(all: [])
            }
        }

        @Test func `one buffer holds many datagrams, to send and to receive`() async throws {
            try await alone { first, second in
                let target = second.localEndpoint
                let bytes = (0..<950).map { UInt8(truncatingIfNeeded: $0 / 100) }
                try bytes.withBytes { try first.sendBlocking($0, inDatagramsOf: 100, to: target) }
                var buffer = [UInt8](repeating: 0xee, count: 5 * 128 + 127)
                var places: [DatagramPlace] = []
                var lengths: [Int] = []
                while lengths.count < 10 {
                    try buffer.withMutableBytes {
                        try second.receiveBlocking(into: &$0, stride: 128, &places, timeout: .seconds(10))
                    }
                    #expect((1...5).contains(places.count))
                    for (index, place) in places.enumerated() {
                        #expect(place.range.lowerBound == index * 128 && !place.isTruncated)
                        #expect(place.source == first.localEndpoint)
                        #expect(buffer[place.range].allSatisfy { Int($0) == lengths.count })
                        lengths.append(place.range.count)
                    }
                }
                #expect(lengths == [Int](repeating: 100, count: 9) + [50])
                #expect(buffer[(5 * 128)...].allSatisfy { $0 == 0xee }, "no whole stride")

                // A datagram stays in its own place.
                try bytes.withBytes { try first.sendBlocking($0, inDatagramsOf: 950, to: target) }
                try buffer.withMutableBytes {
                    try second.receiveBlocking(into: &$0, stride: 64, &places, timeout: .seconds(10))
                }
                #expect(places.map(\.range) == [0..<64] && places[0].isTruncated)
            }
        }

        @Test func `counts, sizes and strides that cannot be are refused, and none is not sent`() async throws {
            try await alone { first, second in
                let target = second.localEndpoint
                #expect(await code { _ = try await second.receive(upTo: 0) } == .invalidArgument)
                #expect(refusal { _ = try second.receiveBlocking(upTo: -1) } == .invalidArgument)
                let bytes = numbered(0, 10)
                for size in [0, -1] {
                    let refused = refusal {
                        try bytes.withBytes { try first.sendBlocking($0, inDatagramsOf: size, to: target) }
                    }
                    #expect(refused == .invalidArgument)
                }
                try [UInt8]().withBytes { try first.sendBlocking($0, inDatagramsOf: 10, to: target) }
                try bytes.withBytes { try first.sendBlocking($0, inDatagramsOf: .max, to: target) }
                #expect(try await second.receive(upTo: 2, timeout: .seconds(10)).map(\.bytes) == [bytes])
                var buffer = bytes
                var places: [DatagramPlace] = []
                for stride in [0, -1, 11] {
                    let refused = refusal {
                        try buffer.withMutableBytes { try second.receiveBlocking(into: &$0, stride: stride, &places) }
                    }
                    #expect(refused == .invalidArgument)
                }
                let late = refusal {
                    try buffer.withMutableBytes {
                        try second.receiveBlocking(into: &$0, stride: 10, &places, timeout: .milliseconds(20))
                    }
                }
                #expect(late == .timedOut && places.isEmpty)
                #expect(await code { _ = try await second.receive(upTo: 3, timeout: .milliseconds(20)) } == .timedOut)
            }
        }

        @Test func `closing the socket ends batches that wait`() async throws {
            try await alone { first, second in
                let waiting = Task { await code { _ = try await second.receive(upTo: 3) } }
                try await Task.sleep(for: .milliseconds(20))
                second.close()
                #expect(await waiting.value == .closed)
                #expect(await code { try await second.send(all: [[1]], to: first.localEndpoint) } == .closed)
            }
        }
    }
}
