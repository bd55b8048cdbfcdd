// TCP inside of one stack: the rows of socket(7) and tcp(7) that need no second node.

import Foundation
import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

private let loopback = IPAddress("127.0.0.1")!

private func alone(_ body: @escaping @Sendable (SocketLayer) throws -> Void) async throws {
    let (layer, node) = try Lab.alone()
    try await blocking { try body(layer) }
    layer.detach()
    await node.shutdown()
}

@Suite struct StreamTests {
    @Test func `binding follows Linux's rules`() async throws {
        try await alone { layer in
            let first = try layer.stream()
            #expect(try layer.localEndpoint(first) == SocketEndpoint(.anyIPv4, port: 0))
            try layer.bind(first, to: SocketEndpoint(loopback, port: 0))
            let address = try layer.localEndpoint(first)
            #expect(address.port >= 32_768)
            #expect(errno { try layer.bind(first, to: address) } == .invalid)
            let second = try layer.stream()
            #expect(errno { try layer.bind(second, to: address) } == .addressInUse)
            #expect(errno { try layer.bind(second, to: SocketEndpoint(.anyIPv4, port: address.port)) } == .addressInUse)
            #expect(errno { try layer.bind(second, to: SocketEndpoint("10.1.2.3:5")!) } == .addressNotAvailable)
            #expect(errno { try layer.bind(second, to: SocketEndpoint(.anyIPv6, port: 5)) } == .familyNotSupported)
            #expect(errno { _ = try layer.remoteEndpoint(first) } == .notConnected)
            // Dual stack takes IPv4's port too, unless it is IPv6 only.
            let six = try layer.stream(10)
            #expect(errno { try layer.bind(six, to: SocketEndpoint(.anyIPv4, port: 7)) } == .invalid)
            try layer.bind(six, to: SocketEndpoint(.anyIPv6, port: 7))
            #expect(errno { try layer.setOption(six, .ipv6Only, .integer(1)) } == .invalid)
            #expect(errno { try layer.bind(second, to: SocketEndpoint(.anyIPv4, port: 7)) } == .addressInUse)
            let only = try layer.stream(10)
            try layer.setOption(only, .ipv6Only, .integer(1))
            try layer.bind(only, to: SocketEndpoint(.anyIPv6, port: 8))
            try layer.bind(second, to: SocketEndpoint(.anyIPv4, port: 8))
        }
    }

    @Test func `listening, accepting and names`() async throws {
        try await alone { layer in
            let (listening, address) = try layer.listener()
            #expect(try layer.integer(listening, .acceptsConnections) == 1)
            try layer.listen(listening, backlog: 20)
            #expect(layer.state(listening) == [])
            #expect(errno { _ = try layer.receive(listening, 1) } == .notConnected)
            #expect(errno { try layer.send(listening, [1]) } == .brokenPipe)
            #expect(errno { _ = try layer.bytesAvailable(listening) } == .invalid)
            #expect(errno { try layer.connect(listening, to: address) } == .isConnected)
            try layer.setOption(listening, .noDelay, .integer(1))
            let client = try layer.stream()
            #expect(errno { _ = try layer.receive(client, 1) } == .notConnected)
            #expect(errno { try layer.send(client, [1]) } == .brokenPipe)
            #expect(layer.state(client) == [.output, .hangUp])
            try layer.connect(client, to: address)
            #expect(errno { try layer.connect(client, to: address) } == .isConnected)
            #expect(errno { try layer.listen(client, backlog: 1) } == .invalid)
            #expect(layer.wait(listening, .input) == .input)
            let (server, remote) = try layer.accept(listening)
            #expect(try remote == layer.localEndpoint(client))
            #expect(try layer.remoteEndpoint(client) == address)
            #expect(try layer.localEndpoint(server) == address)
            #expect(try layer.integer(server, .noDelay) == 1)
            #expect(try !layer.isNonBlocking(server))
            #expect(layer.state(client) == .output)
            try layer.setNonBlocking(listening, true)
            #expect(errno { _ = try layer.accept(listening) } == .tryAgain)
            #expect(errno { _ = try layer.accept(client) } == .invalid)
            #expect(errno { _ = try layer.accept(try layer.udp()) } == .notSupported)
            #expect(errno { try layer.listen(try layer.udp(), backlog: 1) } == .notSupported)
        }
    }

    @Test func `a refused connection says so, once, and the socket can try again`() async throws {
        try await alone { layer in
            let nobody = SocketEndpoint(loopback, port: 9)
            let socket = try layer.stream()
            #expect(errno { try layer.connect(socket, to: nobody) } == .refused)
            #expect(errno { try layer.connect(socket, to: nobody) } == .refused)
            let other = try layer.stream()
            try layer.setNonBlocking(other, true)
            #expect(errno { try layer.connect(other, to: nobody) } == .inProgress)
            #expect(layer.wait(other, .output).isSuperset(of: [.output, .error, .hangUp]))
            #expect(try layer.integer(other, .error) == 111)
            #expect(try layer.integer(other, .error) == 0)
            #expect(errno { try layer.connect(other, to: nobody) } == .aborted)
            #expect(errno { try layer.connect(other, to: nobody) } == .inProgress)
            #expect(
                errno { try layer.connect(try layer.stream(), to: SocketEndpoint("10.9.9.9:1")!) }
                    == .networkUnreachable)
            #expect(errno { try layer.connect(socket, to: SocketEndpoint(.anyIPv6, port: 1)) } == .familyNotSupported)
        }
    }

    @Test func `a connect that does not block reports its progress`() async throws {
        try await alone { layer in
            let (listening, address) = try layer.listener()
            let socket = try layer.stream()
            try layer.setNonBlocking(socket, true)
            let number = errno { try layer.connect(socket, to: address) }
            #expect(number == .inProgress)
            #expect(layer.wait(socket, .output) == .output)
            #expect(try layer.integer(socket, .error) == 0)
            #expect(errno { try layer.connect(socket, to: address) } == .isConnected)
            #expect(errno { _ = try layer.receive(socket, 1) } == .tryAgain)
            let (server, _) = try layer.accept(listening)
            try layer.send(server, [7])
            #expect(layer.wait(socket, .input) == .input)
            #expect(try layer.receive(socket, 5) == [7])
        }
    }

    @Test func `peek, wait for all, do not wait, and bytes available`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            #expect(errno { _ = try layer.receive(server, 4, .dontWait) } == .tryAgain)
            try layer.setOption(server, .receiveTimeout, .duration(.milliseconds(30)))
            #expect(errno { _ = try layer.receive(server, 4) } == .tryAgain)
            try layer.setOption(server, .receiveTimeout, .duration(nil))
            try layer.send(client, [1, 2, 3])
            #expect(layer.wait(server, .input) == .input)
            #expect(try layer.bytesAvailable(server) == 3)
            #expect(try layer.receive(server, 2, .peek) == [1, 2])
            #expect(try layer.receive(server, 0) == [])
            #expect(try layer.send(client, []) == 0)
            #expect(try layer.receive(server, 9, [.waitAll, .dontWait]) == [1, 2, 3])
            let all = Background { try layer.receive(server, 6, .waitAll) }
            for byte in UInt8(0)..<6 { try layer.send(client, [byte], byte < 5 ? .more : []) }
            #expect(try all.value() == [0, 1, 2, 3, 4, 5])
            let peeked = Background { try layer.receive(server, 4, [.waitAll, .peek]) }
            for byte in UInt8(0)..<4 { try layer.send(client, [byte]) }
            #expect(try peeked.value() == [0, 1, 2, 3])
            #expect(try layer.receive(server, 4, .waitAll) == [0, 1, 2, 3])
        }
    }

    @Test func `waiting for all ends with a stream that has ended already`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            try layer.send(client, [1, 2, 3])
            try layer.shutdown(client, .send)
            try layer.shutdown(server, .send)
            try eventually { layer.state(server) == [.input, .output, .hangUp] }
            let all = Background { try layer.receive(server, 9, .waitAll) }
            #expect(try all.value() == [1, 2, 3])
            #expect(try layer.receive(server, 9, .waitAll) == [])
        }
    }

    @Test func `shutdown takes back an attempt to connect`() async throws {
        try await alone { layer in
            let (_, address) = try layer.listener(backlog: 0)
            try layer.connect(try layer.stream(), to: address)
            let socket = try layer.stream()
            let connecting = Background { try layer.connect(socket, to: address) }
            try eventually { layer.state(socket) == [] }
            try layer.shutdown(socket, .send)
            #expect(errno { try connecting.value() } == .reset)
            #expect(layer.state(socket) == [.output, .hangUp])
            try layer.setNonBlocking(socket, true)
            #expect(errno { try layer.connect(socket, to: address) } == .inProgress)
            try layer.shutdown(socket, .both)
            #expect(layer.state(socket) == [.output, .error, .hangUp])
            #expect(try layer.integer(socket, .error) == 104)
        }
    }

    @Test func `a connect that joins an attempt says so when its time is over`() async throws {
        try await alone { layer in
            let (_, address) = try layer.listener(backlog: 0)
            try layer.connect(try layer.stream(), to: address)
            let socket = try layer.stream()
            try layer.setOption(socket, .sendTimeout, .duration(.milliseconds(20)))
            #expect(errno { try layer.connect(socket, to: address) } == .inProgress)
            #expect(errno { try layer.connect(socket, to: address) } == .already)
        }
    }

    @Test func `there is no urgent data`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            #expect(errno { try layer.send(client, [1], .outOfBand) } == .notSupported)
            #expect(errno { _ = try layer.receive(server, 1, .outOfBand) } == .notSupported)
        }
    }

    @Test func `low-water mark holds poll back`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            try layer.setOption(server, .receiveLowWater, .integer(3))
            try layer.send(client, [1])
            try eventually { try layer.bytesAvailable(server) == 1 }
            #expect(layer.state(server) == .output)
            let poll = Background { layer.wait(server, .input) }
            try layer.send(client, [2])
            try layer.send(client, [3])
            #expect(try poll.value() == .input)
            #expect(try layer.bytesAvailable(server) == 3)
        }
    }

    @Test func `a full buffer blocks, gives a part, or EAGAIN; and poll wakes when there is room`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            try layer.setOption(client, .sendBuffer, .integer(200_000))
            let bytes = Array(repeatElement(pattern(100_003), count: 30).joined())
            try layer.setNonBlocking(client, true)
            var sent = 0
            while sent < bytes.count {
                do {
                    sent += try layer.send(client, Array(bytes[sent..<min(sent + 100_000, bytes.count)]))
                } catch let error as SocketError {
                    #expect(error.number == .tryAgain)
                    if layer.state(client) == [] { break }
                    usleep(1_000)
                }
            }
            let reader = Background { () throws -> [UInt8] in try layer.receiveAll(server) }
            #expect(layer.wait(client, .output) == .output)
            try layer.setNonBlocking(client, false)
            #expect(try layer.send(client, Array(bytes[sent...])) == bytes.count - sent)
            try layer.shutdown(client, .send)
            #expect(try reader.value() == bytes)
        }
    }

    @Test func `a send time-out gives what was taken`() async throws {
        try await alone { layer in
            let (client, _) = try layer.pair()
            try layer.setOption(client, .sendTimeout, .duration(.milliseconds(50)))
            let bytes = [UInt8](repeating: 1, count: 20_000_000)
            var total = 0
            // On a busy machine the time is over before the buffers are full: then the next send takes the rest.
            let last = errno {
                while total < bytes.count {
                    let count = try layer.send(client, bytes)
                    #expect(count > 0 && count < bytes.count)
                    total += count
                }
            }
            #expect(last == .tryAgain)
        }
    }

    @Test func `blocking sends of two threads do not mix`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            let size = 600_000
            let ones = Background { try layer.send(client, [UInt8](repeating: 1, count: size)) }
            let twos = Background { try layer.send(client, [UInt8](repeating: 2, count: size)) }
            var all: [UInt8] = []
            while all.count < 2 * size { all += try layer.receive(server, 65_536) }
            #expect(try ones.value() == size)
            #expect(try twos.value() == size)
            let changes = zip(all, all.dropFirst()).count { $0 != $1 }
            #expect(changes == 1)
        }
    }

    @Test func `messages in pieces are one stretch of the stream`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            let pieces: [[UInt8]] = [[1, 2], [], [3], [4, 5, 6]]
            let sent = try layer.sendMessage(client, pieces: 4, flags: [], to: nil) { index, use in
                pieces[index].withBytes { use($0) }
            }
            #expect(sent == 6)
            var targets: [[UInt8]] = [[0], [0, 0, 0], [0, 0]]
            try eventually { try layer.bytesAvailable(server) == 6 }
            let peeked = try layer.receiveMessage(server, pieces: 3, flags: .peek) { index, use in
                targets[index].withMutableBytes { use(&$0) }
            }
            #expect(peeked.count == 6 && targets == [[1], [2, 3, 4], [5, 6]])
            targets = [[0], [0, 0, 0], [0, 0]]
            let taken = try layer.receiveMessage(server, pieces: 3, flags: []) { index, use in
                targets[index].withMutableBytes { use(&$0) }
            }
            #expect(taken.count == 6 && targets == [[1], [2, 3, 4], [5, 6]])
        }
    }

    @Test func `shutdown ends one direction at a time`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            #expect(errno { try layer.shutdown(try layer.stream(), .both) } == .notConnected)
            try layer.shutdown(client, .send)
            try layer.shutdown(client, .send)
            #expect(errno { try layer.send(client, [1]) } == .brokenPipe)
            #expect(try layer.receive(server, 1) == [])
            #expect(try layer.receive(server, 1) == [])
            #expect(layer.state(server) == [.input, .output])
            try layer.send(server, [9])
            #expect(try layer.receive(client, 1) == [9])
            let blocked = Background { try layer.receive(client, 1) }
            usleep(20_000)
            try layer.shutdown(client, .receive)
            #expect(try blocked.value() == [])
            try layer.shutdown(server, .send)
            #expect(layer.wait(server, [.input]).contains(.hangUp))
        }
    }

    @Test func `shutting a listener wakes accept with EINVAL and resets who waits`() async throws {
        try await alone { layer in
            let (listening, address) = try layer.listener()
            let accepting = Background { _ = try layer.accept(listening) }
            usleep(20_000)
            try layer.shutdown(listening, .both)
            #expect(errno { try accepting.value() } == .invalid)
            #expect(layer.state(listening) == [.output, .hangUp])
            #expect(errno { try layer.connect(try layer.stream(), to: address) } == .refused)
            try layer.listen(listening, backlog: 1)
            try layer.connect(try layer.stream(), to: address)
            _ = try layer.accept(listening)
        }
    }

    @Test func `a reset is told once, after the data`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            try layer.send(client, [1, 2])
            try eventually { try layer.bytesAvailable(server) == 2 }
            try layer.setOption(client, .linger, .linger(Linger(isOn: true, seconds: 0)))
            try layer.close(client)
            try eventually { layer.state(server).isSuperset(of: [.input, .output, .error, .hangUp]) }
            #expect(try layer.receive(server, 8) == [1, 2])
            #expect(errno { _ = try layer.receive(server, 8) } == .reset)
            #expect(try layer.receive(server, 8) == [])
            #expect(errno { try layer.send(server, [1]) } == .brokenPipe)
            #expect(errno { _ = try layer.remoteEndpoint(server) } == .notConnected)
            // Unread data at close resets too.
            let (other, peer) = try layer.pair()
            try layer.send(other, [1])
            try eventually { try layer.bytesAvailable(peer) == 1 }
            try layer.close(peer)
            #expect(errno { _ = try layer.receive(other, 1) } == .reset)
        }
    }

    @Test func `disconnecting resets the peer and frees the socket for another connection`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            try layer.connect(client, to: nil)
            #expect(layer.state(client).isSuperset(of: [.output, .error, .hangUp]))
            #expect(try layer.integer(client, .error) == 104)
            #expect(errno { _ = try layer.receive(server, 1) } == .reset)
            let (listening, address) = try layer.listener()
            try layer.connect(client, to: address)
            _ = try layer.accept(listening)
        }
    }

    @Test func `close with linger waits for delivery`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            let bytes = pattern(2_000_000)
            let reader = Background { try layer.receiveAll(server) }
            try layer.setOption(client, .linger, .linger(Linger(isOn: true, seconds: 20)))
            try layer.send(client, bytes)
            try layer.close(client)
            #expect(try reader.value() == bytes)
        }
    }

    @Test func `closing a descriptor wakes whoever waits for it, and its number waits for them`() async throws {
        try await alone { layer in
            // The receiver's peer sends nothing: only the close can end the wait.
            let (client, silent) = try layer.pair()
            let (full, server) = try layer.pair()
            let (listening, _) = try layer.listener()
            let receiving = Background { _ = try layer.receive(client, 1) }
            let accepting = Background { _ = try layer.accept(listening) }
            let sending = Background { _ = try layer.send(server, [UInt8](repeating: 0, count: 50_000_000)) }
            let polling = Background { layer.wait(client, .priority) }
            usleep(50_000)
            try layer.close(client)
            try layer.close(full)
            try layer.close(listening)
            #expect(try layer.receive(silent, 1) == [])
            #expect(errno { try receiving.value() } == .badDescriptor)
            #expect(errno { try accepting.value() } == .badDescriptor)
            #expect(try polling.value() == .invalid)
            // The reset wakes the sender, which has sent a part.
            try sending.value()
            #expect(layer.state(client) == .invalid)
            let reused = try [layer.stream(), layer.stream(), layer.stream()]
            #expect(reused == [client, full, listening].sorted())
        }
    }

    @Test func `IPv6 sockets speak IPv4 by mapped addresses`() async throws {
        try await alone { layer in
            let listening = try layer.stream(10)
            try layer.listen(listening, backlog: 4)
            let port = try layer.localEndpoint(listening).port
            let four = try layer.stream()
            try layer.connect(four, to: SocketEndpoint(loopback, port: port))
            let (server, remote) = try layer.accept(listening)
            #expect(remote.address == IPAddress("::ffff:127.0.0.1")!)
            #expect(try layer.localEndpoint(server).address == IPAddress("::ffff:127.0.0.1")!)
            let six = try layer.stream(10)
            try layer.connect(six, to: SocketEndpoint(IPAddress("::ffff:127.0.0.1")!, port: port))
            #expect(try layer.localEndpoint(six).address == IPAddress("::ffff:127.0.0.1")!)
            let only = try layer.stream(10)
            try layer.setOption(only, .ipv6Only, .integer(1))
            let mapped = SocketEndpoint(IPAddress("::ffff:127.0.0.1")!, port: port)
            #expect(errno { try layer.connect(only, to: mapped) } == .networkUnreachable)
            #expect(errno { try layer.bind(only, to: mapped) } == .invalid)
            try layer.connect(only, to: SocketEndpoint(IPAddress("::1")!, port: port))
        }
    }

    @Test func `the event descriptor follows readiness`() async throws {
        try await alone { layer in
            func isReadable(_ descriptor: Int32) -> Bool {
                var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                return Foundation.poll(&entry, 1, 0) == 1
            }
            let (client, server) = try layer.pair()
            let event = try layer.eventDescriptor(server)
            #expect(try layer.eventDescriptor(server) == event)
            #expect(!isReadable(event))
            try layer.send(client, [1, 2])
            try eventually { isReadable(event) }
            #expect(try layer.receive(server, 1) == [1])
            #expect(isReadable(event))
            #expect(try layer.receive(server, 1) == [2])
            #expect(!isReadable(event))
            try layer.close(client)
            try eventually { isReadable(event) }
            #expect(try layer.receive(server, 1) == [])
            #expect(isReadable(event))
        }
    }

    @Test func `select keeps the bits of what is ready and refuses what does not exist`() async throws {
        try await alone { layer in
            let (client, server) = try layer.pair()
            var (read, write, except) = (DescriptorSet(), DescriptorSet(), DescriptorSet())
            read[server] = true
            write[client] = true
            except[client] = true
            #expect(
                try layer.select(count: 100, read: &read, write: &write, except: &except, timeout: .seconds(5)) == 1)
            #expect(!read[server] && write[client] && !except[client])
            write.removeAll()
            read[server] = true
            #expect(
                try layer.select(count: 100, read: &read, write: &write, except: &except, timeout: .milliseconds(10))
                    == 0)
            read[77] = true
            #expect(
                errno {
                    _ = try layer.select(count: 100, read: &read, write: &write, except: &except, timeout: .zero)
                } == .badDescriptor)
            #expect(
                errno {
                    _ = try layer.select(count: 1_025, read: &read, write: &write, except: &except, timeout: .zero)
                } == .invalid)
            var entries = [PollEntry(-1, .input), PollEntry(500, .input), PollEntry(server, [.input, .outputNormal])]
            #expect(try layer.poll(&entries, timeout: nil) == 2)
            #expect(entries.map(\.ready) == [[], .invalid, .outputNormal])
        }
    }

    @Test func `five thousand TCP sockets at once`() async throws {
        try await alone { layer in
            let (listening, address) = try layer.listener(backlog: 4_096)
            var clients: [Int32] = []
            var servers: [Int32] = []
            for _ in 0..<2_500 {
                let client = try layer.stream()
                try layer.connect(client, to: address)
                clients.append(client)
                servers.append(try layer.accept(listening).descriptor)
            }
            var entries = servers.map { PollEntry($0, .input) }
            let poll = Background { [entries] in
                var own = entries
                return try layer.poll(&own, timeout: .seconds(20))
            }
            try layer.send(clients[2_400], [5])
            #expect(try poll.value() == 1)
            #expect(try layer.poll(&entries, timeout: .zero) == 1)
            #expect(entries[2_400].ready == .input)
            layer.closeAll()
        }
    }
}
