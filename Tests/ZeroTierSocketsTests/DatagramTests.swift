// UDP inside of one stack: the rows of udp(7) that need no second node.

import Foundation
import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

@Suite struct DatagramTests {
    private func alone(_ body: @escaping @Sendable (SocketLayer) throws -> Void) async throws {
        let (layer, node) = try Lab.alone()
        try await blocking { try body(layer) }
        await node.shutdown()
    }

    @Test func `datagrams keep their boundaries, are cut, and can be peeked at`() async throws {
        try await alone { layer in
            let server = try layer.udp()
            try layer.bind(server, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 0))
            let address = try layer.localEndpoint(server)
            let client = try layer.udp()
            #expect(errno { try layer.send(client, [1]) } == .destinationRequired)
            #expect(errno { try layer.send(client, [1], to: SocketEndpoint(address.address, port: 0)) } == .invalid)
            #expect(errno { try layer.send(client, [1], to: SocketEndpoint("10.9.9.9:1")!) } == .networkUnreachable)
            let large = [UInt8](repeating: 0, count: 65_508)
            #expect(errno { try layer.send(client, large, to: address) } == .messageTooLong)
            #expect(errno { try layer.send(client, [1], to: SocketEndpoint(.anyIPv6, port: 1)) } == .familyNotSupported)
            for bytes in [pattern(5), [], pattern(3_000)] { try layer.send(client, bytes, to: address) }
            #expect(layer.wait(server, .input) == .input)
            #expect(try layer.bytesAvailable(server) == 5)
            #expect(try layer.receiveFrom(server, 2, [.peek, .wholeLength]).message.count == 5)
            let cut = try layer.receiveFrom(server, 2)
            #expect(cut.bytes == Array(pattern(5)[..<2]) && cut.message.isTruncated)
            #expect(try cut.message.source?.port == layer.localEndpoint(client).port)
            #expect(try layer.receive(server, 10) == [])
            var pieces = [[UInt8](repeating: 0, count: 1_000), [UInt8](repeating: 0, count: 4_000)]
            let message = try layer.receiveMessage(server, pieces: 2, flags: []) { index, use in
                pieces[index].withMutableBytes { use(&$0) }
            }
            #expect(message.count == 3_000 && !message.isTruncated)
            #expect(Array((pieces[0] + pieces[1])[..<3_000]) == pattern(3_000))
            #expect(errno { _ = try layer.receive(server, 1, .dontWait) } == .tryAgain)
        }
    }

    @Test func `a connected socket hears one peer only and is told of refusals once`() async throws {
        try await alone { layer in
            let first = try layer.udp()
            try layer.bind(first, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 0))
            let stranger = try layer.udp()
            let socket = try layer.udp()
            try layer.connect(socket, to: try layer.localEndpoint(first))
            try layer.send(stranger, [1], to: try layer.localEndpoint(socket))
            try layer.send(socket, [2])
            let got = try layer.receiveFrom(first, 5)
            try layer.send(first, [3], to: got.message.source)
            #expect(try layer.receive(socket, 5) == [3])
            try layer.close(first)
            try layer.send(socket, [4])
            #expect(layer.wait(socket, .input).contains(.error))
            #expect(errno { _ = try layer.receive(socket, 1) } == .refused)
            #expect(errno { _ = try layer.receive(socket, 1, .dontWait) } == .tryAgain)
            try layer.connect(socket, to: nil)
            #expect(errno { _ = try layer.remoteEndpoint(socket) } == .notConnected)
            #expect(errno { try layer.send(socket, [1]) } == .destinationRequired)
        }
    }

    @Test func `shutting an unconnected socket is ENOTCONN, yet wakes who receives`() async throws {
        try await alone { layer in
            let socket = try layer.udp()
            let receiving = Background { try layer.receive(socket, 1) }
            usleep(20_000)
            #expect(errno { try layer.shutdown(socket, .receive) } == .notConnected)
            #expect(try receiving.value() == [])
        }
    }

    @Test func `an IPv6 socket exchanges with IPv4 by mapped addresses`() async throws {
        try await alone { layer in
            let six = try layer.udp(10)
            try layer.bind(six, to: SocketEndpoint(.anyIPv6, port: 0))
            let port = try layer.localEndpoint(six).port
            let four = try layer.udp()
            try layer.send(four, [1], to: SocketEndpoint(IPAddress("127.0.0.1")!, port: port))
            let got = try layer.receiveFrom(six, 5)
            let source = try #require(got.message.source)
            #expect(source.address == IPAddress("::ffff:127.0.0.1")!)
            try layer.send(six, [2], to: source)
            #expect(try layer.receive(four, 5) == [2])
        }
    }
}
