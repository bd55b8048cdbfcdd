// Threads of the program that are cancelled while they wait in a call: they leave nothing behind that others wait for.
// Read first: pthread_cancel(3).

import Foundation
import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

/// A thread of the program with a blocking call, to be cancelled in it.
private final class CancelledProgram: @unchecked Sendable {
    private final class Body {
        let run: @Sendable () throws -> Void
        init(_ run: @escaping @Sendable () throws -> Void) { self.run = run }
    }

    private let body: Body
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () throws -> Void) {
        self.body = Body(body)
        pthread_create(
            &thread, nil,
            { context in
                let body = Unmanaged<Body>.fromOpaque(context!)
                do {
                    try CallingThread.run { try body._withUnsafeGuaranteedRef { try $0.run() } }
                    Issue.record("it returned")
                } catch {
                    Issue.record(error)
                }
                return nil
            }, Unmanaged.passUnretained(self.body).toOpaque())
    }

    /// Cancels the thread; `end` waits until it has ended.
    func cancel() { pthread_cancel(thread) }

    func end() {
        var result: UnsafeMutableRawPointer?
        #expect(pthread_join(thread, &result) == 0)
        #expect(result == UnsafeMutableRawPointer(bitPattern: -1), "PTHREAD_CANCELED")
    }
}

@Suite(.serialized) struct CancellationTests {
    // Long enough for a thread to be asleep in its call; whether it is does not change what the tests say.
    private func settle() { usleep(50_000) }

    @Test func `after a send was cancelled in its middle, others send, receive and close`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, server) = try layer.pair()
            let sending = CancelledProgram { try layer.send(client, [UInt8](repeating: 1, count: 8 << 20)) }
            try eventually("bytes") { try layer.bytesAvailable(server) > 0 }
            settle()
            sending.cancel()
            sending.end()
            let other = Background { try layer.send(client, [2, 3]) }
            let reading = Background { try layer.receiveAll(server) }
            #expect(try other.value() == 2)
            #expect(try layer.send(server, [4]) == 1)
            #expect(try layer.receive(client, 1) == [4])
            try layer.close(client)
            let all = try reading.value()
            #expect(all.suffix(2) == [2, 3] && all.dropLast(2).allSatisfy { $0 == 1 } && all.count < 8 << 20)
        }
    }

    @Test func `after a send of pieces was cancelled in its middle, others send`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, server) = try layer.pair()
            let piece = [UInt8](repeating: 1, count: 4 << 20)
            let sending = CancelledProgram {
                _ = try layer.sendMessage(client, pieces: 3, flags: [], to: nil) { _, use in piece.withBytes { use($0) }
                }
            }
            try eventually("bytes") { try layer.bytesAvailable(server) > 0 }
            settle()
            sending.cancel()
            sending.end()
            let other = Background { try layer.send(client, [2, 3]) }
            let reading = Background { try layer.receiveAll(server) }
            #expect(try other.value() == 2)
            try layer.close(client)
            #expect(try reading.value().suffix(2) == [2, 3])
        }
    }

    @Test func `after a receive of all was cancelled in its middle, others receive`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, server) = try layer.pair()
            let receiving = CancelledProgram { _ = try layer.receive(server, 10, .waitAll) }
            try layer.send(client, [1, 2])
            try eventually("the bytes are taken") { try layer.bytesAvailable(server) == 0 }
            settle()
            receiving.cancel()
            receiving.end()
            let other = Background { try layer.receive(server, 2) }
            try layer.send(client, [3, 4])
            #expect(try other.value() == [3, 4])
        }
    }

    @Test func `what comes after a cancellation is for the others`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let datagrams = try layer.udp()
            try layer.bind(datagrams, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 0))
            let receiving = CancelledProgram { _ = try layer.receive(datagrams, 10) }
            settle()
            receiving.cancel()
            receiving.end()
            try layer.send(datagrams, [5], to: layer.localEndpoint(datagrams))
            #expect(try layer.receive(datagrams, 10) == [5])
        }
    }

    // A socket that a cancelled call still held would keep its number.
    @Test func `a thousand cancelled calls of every kind hold no socket`() async throws {
        let lab = try await Lab()
        try await blocking {
            let layer = lab.first
            let nobody = SocketEndpoint(Lab.network.sixPlaneAddress(of: NodeID(0x12_3456_7890)), port: 9)
            let kinds: [@Sendable (Int32, Int32, Int32) throws -> Void] = [
                { stream, _, _ in _ = try layer.receive(stream, 1) },
                { stream, _, _ in _ = try layer.receive(stream, 4, .waitAll) },
                { stream, _, _ in _ = try layer.send(stream, [UInt8](repeating: 1, count: 4 << 20)) },
                { _, listening, _ in _ = try layer.accept(listening) },
                { _, _, datagrams in _ = try layer.receiveFrom(datagrams, 10) },
                { stream, listening, datagrams in
                    var entries = [stream, listening, datagrams].map { PollEntry($0, .input) }
                    _ = try layer.poll(&entries, timeout: nil)
                },
                { stream, _, _ in
                    var (read, write, except) = (DescriptorSet(), DescriptorSet(), DescriptorSet())
                    read[stream] = true
                    _ = try layer.select(
                        count: Int(stream) + 1, read: &read, write: &write, except: &except, timeout: .seconds(100))
                },
            ]
            let number = try layer.udp()
            try layer.close(number)
            for _ in 0..<5 {
                let (client, server) = try layer.pair()
                let (listening, _) = try layer.listener()
                let datagrams = try layer.udp()
                try layer.bind(datagrams, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 0))
                let connecting = try (0..<4).map { _ in try layer.stream(10) }
                var programs: [CancelledProgram] = []
                for index in 0..<196 {
                    let kind = kinds[index % kinds.count]
                    programs.append(CancelledProgram { try kind(client, listening, datagrams) })
                }
                for socket in connecting { programs.append(CancelledProgram { try layer.connect(socket, to: nobody) }) }
                settle()
                for program in programs { program.cancel() }
                for program in programs { program.end() }
                for socket in connecting + [client, server, listening, datagrams] { try layer.close(socket) }
                let next = try layer.udp()
                #expect(next == number)
                try layer.close(next)
            }
        }
        await lab.shutdown()
    }

    @Test func `a lookup that is cancelled ends with the question under way, and leaves no socket`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let silent = try layer.udp()
            try layer.bind(silent, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 53))
            let servers = (1...8).map { _ in SocketEndpoint(IPAddress("127.0.0.1")!, port: 53) }
            let asking = CancelledProgram {
                _ = try node.resolveBlocking("a.test", servers: servers, endsWithFirst: true)
            }
            _ = try layer.receive(silent, 512)
            asking.cancel()
            asking.end()
            // Eight servers, three rounds: it did not ask them all.
            var asked = 1
            while layer.state(silent).contains(.input) {
                _ = try layer.receive(silent, 512)
                asked += 1
            }
            #expect(asked <= 2)
        }
    }
}
