// Many messages by one call: sendmmsg(2) and recvmmsg(2) over the socket layer.

import Foundation
import NetPrimitives
import Synchronization
import Testing
import ZeroTier
import ZeroTierSockets

/// Messages to send, in pieces.
private final class Outgoing: OutgoingBatch {
    let messages: [(pieces: [[UInt8]], destination: SocketEndpoint?)]
    private let done = Mutex<[Int: Int]>([:])
    /// Messages that cannot be sent at all.
    let refused: Set<Int>

    init(_ messages: [[UInt8]], to destination: SocketEndpoint? = nil, refusing: Set<Int> = []) {
        self.messages = messages.map { ([$0], destination) }
        refused = refusing
    }

    init(pieces: [[[UInt8]]]) {
        messages = pieces.map { ($0, nil) }
        refused = []
    }

    /// Bytes sent, by message.
    var lengths: [Int: Int] { done.withLock { $0 } }

    var count: Int { messages.count }
    func message(_ index: Int) throws(SocketError) -> (pieces: Int, destination: SocketEndpoint?) {
        if refused.contains(index) { throw SocketError(.invalid) }
        return (messages[index].pieces.count, messages[index].destination)
    }
    func piece(_ index: Int, of message: Int, _ use: (RawSpan) -> Void) {
        messages[message].pieces[index].withBytes { use($0) }
    }
    func sent(_ message: Int, bytes: Int) { done.withLock { $0[message] = bytes } }
}

/// Room for messages, in pieces of one size.
private final class Incoming: IncomingBatch {
    let count: Int
    let pieces: Int
    private let memory: Mutex<[[[UInt8]]]>
    private let results = Mutex<[ReceivedMessage?]>([])

    init(_ count: Int, pieces: Int = 1, of size: Int = 2_000) {
        self.count = count
        self.pieces = pieces
        let room = [[UInt8]](repeating: [UInt8](repeating: 0, count: size), count: pieces)
        memory = Mutex([[[UInt8]]](repeating: room, count: count))
        results.withLock { $0 = [ReceivedMessage?](repeating: nil, count: count) }
    }

    var messages: [ReceivedMessage] { results.withLock { $0 }.compactMap { $0 } }
    var bytes: [[UInt8]] {
        let all = memory.withLock { $0 }
        return results.withLock { $0 }.enumerated().compactMap { index, message in
            message.map { Array(all[index].flatMap { $0 }.prefix($0.count)) }
        }
    }

    func pieces(_ message: Int) throws(SocketError) -> Int { pieces }
    func piece(_ index: Int, of message: Int, _ use: (inout MutableRawSpan) -> Void) {
        memory.withLock { memory in memory[message][index].withMutableBytes { use(&$0) } }
    }
    func received(_ message: Int, _ result: ReceivedMessage) { results.withLock { $0[message] = result } }
}

@Suite struct BatchTests {
    private func alone(
        _ body: @escaping @Sendable (SocketLayer, _ client: Int32, _ server: Int32) throws -> Void
    ) async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            let client = try layer.udp()
            let server = try layer.udp()
            for socket in [client, server] {
                try layer.bind(socket, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 0))
            }
            try layer.connect(client, to: try layer.localEndpoint(server))
            try body(layer, client, server)
        }
        await node.shutdown()
    }

    private func take(
        _ layer: SocketLayer, _ socket: Int32, _ count: Int, _ flags: MessageFlags = []
    ) throws -> [[UInt8]] {
        let batch = Incoming(count)
        let taken = try layer.receiveBatch(socket, batch, flags: flags, until: nil)
        #expect(batch.messages.count == taken)
        return batch.bytes
    }

    @Test func `a batch keeps order, boundaries, sources and destinations`() async throws {
        try await alone { (layer, client, server) throws in
            let sent = (1...20).map { pattern(50 * $0) }
            let out = Outgoing(sent)
            #expect(try layer.sendBatch(client, out, flags: []) == 20)
            #expect(out.lengths == Dictionary(uniqueKeysWithValues: sent.enumerated().map { ($0, $1.count) }))
            let batch = Incoming(20)
            #expect(try layer.receiveBatch(server, batch, flags: [], until: nil) == 20)
            #expect(batch.bytes == sent)
            let own = try layer.localEndpoint(client)
            #expect(batch.messages.allSatisfy { $0.source == own && !$0.isTruncated })
            // Back, from a socket that is not connected.
            #expect(try layer.sendBatch(server, Outgoing(sent, to: own), flags: []) == 20)
            #expect(try take(layer, client, 20) == sent)
            #expect(errno { _ = try layer.sendBatch(server, Outgoing([[1]]), flags: []) } == .destinationRequired)
            #expect(try layer.sendBatch(client, Outgoing([[UInt8]]()), flags: []) == 0)
            #expect(try take(layer, server, 0) == [])
        }
    }

    @Test func `messages in pieces are put together and laid apart`() async throws {
        try await alone { (layer, client, server) throws in
            let bytes = pattern(100)
            let out = Outgoing(pieces: [[Array(bytes[..<30]), [], Array(bytes[30...])], [], [bytes, bytes]])
            #expect(try layer.sendBatch(client, out, flags: []) == 3)
            #expect(out.lengths == [0: 100, 1: 0, 2: 200])
            let batch = Incoming(3, pieces: 4, of: 40)
            #expect(try layer.receiveBatch(server, batch, flags: [], until: nil) == 3)
            #expect(batch.bytes == [bytes, [], Array((bytes + bytes)[..<160])])
            #expect(batch.messages.map(\.isTruncated) == [false, false, true])
            let large = [UInt8](repeating: 0, count: 40_000)
            let tooLong = Outgoing(pieces: [[bytes], [large, large]])
            #expect(try layer.sendBatch(client, tooLong, flags: []) == 1)
        }
    }

    @Test func `the call ends before the first that fails, and the next call says why`() async throws {
        try await alone { (layer, client, server) throws in
            let large = [UInt8](repeating: 0, count: 65_508)
            #expect(try layer.sendBatch(client, Outgoing([[1], large, [3]]), flags: []) == 1)
            #expect(errno { _ = try layer.sendBatch(client, Outgoing([large, [3]]), flags: []) } == .messageTooLong)
            #expect(try layer.sendBatch(client, Outgoing([[3], [4]], refusing: [1]), flags: []) == 1)
            #expect(try layer.sendBatch(client, Outgoing([[5]]), flags: []) == 1)
            #expect(try take(layer, server, 3) == [[1], [3], [5]])
        }
    }

    @Test func `a batch larger than the send queue goes on as there is room, in order`() async throws {
        try await alone { (layer, client, server) throws in
            let sent = (0..<1_000).map { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
            let messages = sent.map { $0 + [UInt8](repeating: 0, count: 998) }
            // A call that does not block ends where there is no room.
            let out = Outgoing(messages)
            let count = try layer.sendBatch(client, out, flags: .dontWait)
            #expect((1...1_000).contains(count) && out.lengths.count == count)
            var heads: [[UInt8]] = []
            while heads.count < count { heads += try take(layer, server, 64, .waitForOne).map { Array($0[..<2]) } }
            #expect(heads == Array(sent[..<count]))
            #expect(try layer.sendBatch(client, Outgoing(messages), flags: []) == 1_000)
            #expect(try take(layer, server, 1_000).map { Array($0[..<2]) } == sent)
            // No more than the limit.
            #expect(try layer.sendBatch(client, Outgoing([[UInt8]](repeating: [7], count: 1_025)), flags: []) == 1_024)
        }
    }

    @Test func `receiving waits for all, for one, for none, or for a time`() async throws {
        try await alone { (layer, client, server) throws in
            #expect(errno { _ = try take(layer, server, 4, .dontWait) } == .tryAgain)
            try layer.setNonBlocking(server, true)
            #expect(errno { _ = try take(layer, server, 4) } == .tryAgain)
            try layer.setNonBlocking(server, false)

            let one = Background { try take(layer, server, 4, .waitForOne) }
            usleep(20_000)
            _ = try layer.sendBatch(client, Outgoing([[1], [2]]), flags: [])
            // One hold of the lock: both have come, or the second waits.
            let first = try one.value()
            #expect(first == [[1], [2]] || first == [[1]])
            if first.count == 1 { #expect(try take(layer, server, 1) == [[2]]) }

            let all = Background { try take(layer, server, 3) }
            for byte in [UInt8(1), 2, 3] {
                usleep(10_000)
                try layer.send(client, [byte])
            }
            #expect(try all.value() == [[1], [2], [3]])

            // Times: the socket's and the call's. That a time is over is no error of the next call.
            try layer.setOption(server, .receiveTimeout, .duration(.milliseconds(30)))
            try layer.send(client, [4])
            #expect(try take(layer, server, 2) == [[4]])
            try layer.setOption(server, .receiveTimeout, .duration(nil))
            let start = SystemClock.monotonic()
            let batch = Incoming(2)
            try layer.send(client, [5])
            let deadline = start + .milliseconds(30)
            #expect(try layer.receiveBatch(server, batch, flags: [], until: deadline) == 1)
            #expect(SystemClock.monotonic() >= deadline && batch.bytes == [[5]])
            #expect(errno { _ = try layer.receiveBatch(server, batch, flags: [], until: deadline) } == .tryAgain)
            try layer.send(client, [6])
            #expect(try layer.receive(server, 1) == [6])
        }
    }

    @Test func `an unreachable port is told once, before what waits`() async throws {
        try await alone { (layer, client, server) throws in
            let port = try layer.localEndpoint(server)
            try layer.close(server)
            #expect(try layer.sendBatch(client, Outgoing([[1]]), flags: []) == 1)
            #expect(layer.wait(client, .input).contains(.error))
            #expect(errno { _ = try take(layer, client, 2) } == .refused)
            #expect(errno { _ = try take(layer, client, 2, .dontWait) } == .tryAgain)
            #expect(try layer.sendBatch(client, Outgoing([[1]], to: port), flags: []) == 1)
            #expect(layer.wait(client, .input).contains(.error))
            #expect(errno { _ = try layer.sendBatch(client, Outgoing([[1]]), flags: []) } == .refused)
        }
    }

    @Test func `closing the descriptor ends a batch that waits`() async throws {
        try await alone { layer, _, server in
            let waiting = Background { try take(layer, server, 3) }
            usleep(20_000)
            try layer.close(server)
            #expect(errno { _ = try waiting.value() } == .badDescriptor)
        }
    }

    @Test func `a stream's messages are calls one after the other`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            let (client, server) = try layer.pair()
            let out = Outgoing(pieces: [[pattern(3_000), pattern(10)], [pattern(5)]])
            #expect(try layer.sendBatch(client, out, flags: []) == 2)
            #expect(out.lengths == [0: 3_010, 1: 5])
            let batch = Incoming(3, pieces: 2, of: 1_000)
            #expect(try layer.receiveBatch(server, batch, flags: .waitAll, until: SystemClock.monotonic()) >= 1)
            let rest = 3_015 - batch.messages.reduce(0) { $0 + $1.count }
            let whole = batch.bytes.flatMap { $0 } + (rest > 0 ? try layer.receive(server, rest, .waitAll) : [])
            #expect(whole == pattern(3_000) + pattern(10) + pattern(5))
            let deadline = SystemClock.monotonic() + .milliseconds(30)
            #expect(errno { _ = try layer.receiveBatch(server, Incoming(1), flags: [], until: deadline) } == .tryAgain)
            #expect(SystemClock.monotonic() >= deadline)
        }
        await node.shutdown()
    }
}
