import CSystem
import NetPrimitives
import Testing

@testable import ZeroTier

/// A port on 127.0.0.1 with its receiver.
private struct Party: ~Copyable {
    var port: UDPPort
    var receiver = UDPReceiver()

    init(_ mode: UDPMode) throws {
        port = try UDPPort(addresses: [IPAddress(v4: 0x7f00_0001)], port: 0, mode: mode)
    }

    var endpoint: SocketEndpoint { port.sockets[0].local }

    // Everything that comes until `count` datagrams are here or a second has passed without any.
    mutating func receive(_ count: Int) -> [[UInt8]] {
        var result: [[UInt8]] = []
        while result.count < count {
            let socket = port.sockets[0]
            guard csystem_wait_readable(socket.descriptor.number, 1000) == 1 else { break }
            _ = receiver.receive(from: socket) { batch, _ in
                for index in batch.datagrams.indices {
                    result.append(batch.withDatagram(index) { $0.copyBytes(0, $0.byteCount) })
                }
            }
        }
        return result
    }
}

private func pattern(_ number: Int, _ length: Int) -> [UInt8] {
    (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number &* 7) }
}

/// What opens descriptors and starts threads runs one after the other, since some of it counts them.
@Suite(.serialized) enum DriverTests {}

extension DriverTests {
    @Suite struct UDPPortTests {
        @Test(arguments: [UDPMode.automatic, .plain], [UDPMode.automatic, .plain])
        func `a run of equal datagrams with a shorter last one arrives whole and in order`(
            sending: UDPMode, receiving: UDPMode
        ) throws {
            var sender = try Party(sending)
            var receiver = try Party(receiving)
            let path = PhysicalPath(localSocket: 0, remote: receiver.endpoint)
            var batch = TransmitBatch()
            let lengths = Array(repeating: 1400, count: 40) + [333]
            for (number, length) in lengths.enumerated() {
                #expect(batch.append(length, to: path) { $0.copy(from: pattern(number, length), at: 0) })
            }
            var cursor = UDPPort.Cursor()
            #expect(sender.port.send(batch, from: &cursor) == .sent)
            #expect(sender.port.statistics.datagramsSent == 41)
            if sending == .plain { #expect(sender.port.statistics.sendCalls == 41) }
            if sender.port.sockets[0].segments { #expect(sender.port.statistics.sendCalls == 1) }
            let received = receiver.receive(41)
            #expect(received == lengths.enumerated().map { pattern($0.offset, $0.element) })
        }

        @Test(arguments: [UDPMode.automatic, .plain])
        func `datagrams to several remotes and with a time to live of their own arrive`(mode: UDPMode) throws {
            var sender = try Party(mode)
            var first = try Party(mode)
            var second = try Party(mode)
            var batch = TransmitBatch()
            let toFirst = PhysicalPath(localSocket: 0, remote: first.endpoint)
            let toSecond = PhysicalPath(localSocket: 0, remote: second.endpoint, timeToLive: 2)
            let everywhere = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: first.endpoint)
            for (number, path) in [toFirst, toSecond, toFirst, everywhere].enumerated() {
                #expect(batch.append(100, to: path) { $0.copy(from: pattern(number, 100), at: 0) })
            }
            var cursor = UDPPort.Cursor()
            #expect(sender.port.send(batch, from: &cursor) == .sent)
            #expect(Set(first.receive(3)) == [pattern(0, 100), pattern(2, 100), pattern(3, 100)])
            #expect(second.receive(1) == [pattern(1, 100)])
        }

        @Test func `a path by a socket that does not exist is counted and not sent`() throws {
            var sender = try Party(.automatic)
            var batch = TransmitBatch()
            let remote = SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: 9)
            #expect(batch.append(10, to: PhysicalPath(localSocket: 7, remote: remote)) { _ in })
            let sixth = SocketEndpoint(IPAddress(v6High: 0, low: 1), port: 9)
            #expect(batch.append(10, to: PhysicalPath(localSocket: PhysicalPath.anySocket, remote: sixth)) { _ in })
            var cursor = UDPPort.Cursor()
            #expect(sender.port.send(batch, from: &cursor) == .sent)
            #expect(sender.port.statistics.sendFailures == 2)
            #expect(sender.port.statistics.datagramsSent == 0)
        }

        @Test func `what a cursor has not passed is counted in datagrams, not in runs`() throws {
            var batch = TransmitBatch()
            let paths = (1...2).map { port in
                PhysicalPath(localSocket: 0, remote: SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: port))
            }
            for path in [paths[0], paths[0], paths[0], paths[1], paths[1]] {
                #expect(batch.append(100, to: path) { _ in })
            }
            var cursor = UDPPort.Cursor()
            #expect(cursor.datagramsLeft(of: batch) == 5)
            cursor.datagram = 2
            #expect(cursor.datagramsLeft(of: batch) == 3)
            cursor = UDPPort.Cursor()
            cursor.run = 1
            #expect(cursor.datagramsLeft(of: batch) == 2)
            cursor.run = 2
            #expect(cursor.datagramsLeft(of: batch) == 0)
        }

        @Test(arguments: [UDPMode.automatic, .plain])
        func `a datagram longer than the receive buffer is counted`(mode: UDPMode) throws {
            var sender = try Party(.plain)
            var receiver = try Party(mode)
            var batch = TransmitBatch()
            let path = PhysicalPath(localSocket: 0, remote: receiver.endpoint)
            let length = UDPReceiver.plainBytes + 1
            #expect(batch.append(length, to: path) { $0.copy(from: pattern(1, length), at: 0) })
            #expect(batch.append(100, to: path) { $0.copy(from: pattern(2, 100), at: 0) })
            var cursor = UDPPort.Cursor()
            #expect(sender.port.send(batch, from: &cursor) == .sent)
            // Buffers for joined datagrams hold the longest that UDP has.
            if receiver.port.sockets[0].coalesces {
                #expect(receiver.receive(2) == [pattern(1, length), pattern(2, 100)])
                #expect(receiver.port.truncated == 0)
            } else {
                #expect(receiver.receive(1) == [pattern(2, 100)])
                #expect(receiver.port.truncated == 1)
            }
        }

        @Test func `a port in use is an error that names it`() throws {
            let first = try Party(.automatic)
            let number = first.endpoint.port
            do {
                _ = try UDPPort(addresses: [IPAddress(v4: 0x7f00_0001)], port: number, mode: .automatic)
                Issue.record("the port was bound twice")
            } catch {
                #expect(error.number == SystemError.addressInUse)
                #expect(error.description.contains("127.0.0.1:\(number)"))
            }
        }

        @Test func `wildcard sockets share one port`() throws {
            let port = try UDPPort(port: 0, mode: .automatic)
            #expect(port.port != 0)
            #expect(port.sockets.allSatisfy { $0.local.port == port.port })
            #expect(port.sockets.indices.allSatisfy { port.sockets[$0].id == Int32($0) })
        }

        @Test func `a timer and an event wake the poller, and nothing else does`() throws {
            let poller = try Poller()
            let event = try WakeEvent()
            let timer = try WakeTimer()
            try poller.add(event.descriptor, token: 1, for: .readable)
            try poller.add(timer.descriptor, token: 2, for: .readable)
            var ready = Poller.ReadyList()
            func tokens(milliseconds: Int32? = nil) -> [UInt64] {
                poller.wait(&ready, milliseconds: milliseconds)
                return (0..<ready.count).map { ready[$0].token }
            }
            #expect(tokens(milliseconds: 0).isEmpty)
            event.signal()
            #expect(tokens() == [1])
            event.drain()
            timer.arm(at: SystemClock.monotonic() + .milliseconds(5))
            #expect(tokens() == [2])
            timer.drain()
            #expect(tokens(milliseconds: 0).isEmpty)
            timer.arm(at: .zero)
            #expect(tokens() == [2])
            timer.arm(at: nil)
            #expect(tokens(milliseconds: 0).isEmpty)
        }

        @Test func `usable addresses leave out loopback, tunnels, link-local and temporary ones`() {
            func entry(_ interface: String, _ text: String, loopback: Bool = false, temporary: Bool = false)
                -> InterfaceAddress
            {
                InterfaceAddress(
                    interface: interface, prefix: IPPrefix(text)!, isLoopback: loopback, isTemporary: temporary)
            }
            let all = [
                entry("lo", "127.0.0.1/8", loopback: true), entry("eth0", "10.1.2.3/24"), entry("tun0", "10.9.0.1/24"),
                entry("ztabc", "172.22.1.1/16"), entry("eth0", "fe80::1/64"), entry("eth0", "2001:db8::1/64"),
                entry("eth0", "2001:db8::2/64", temporary: true), entry("eth1", "192.168.7.1/24"),
            ]
            let refused = [IPPrefix("192.168.7.0/24")!]
            #expect(
                InterfaceWatcher.usable(all, allowLoopback: false, refusedPrefixes: refused).map(\.description)
                    == ["10.1.2.3", "2001:db8::1"])
            #expect(
                InterfaceWatcher.usable(all, allowLoopback: true, refusedPrefixes: refused).map(\.description)
                    == ["127.0.0.1", "10.1.2.3", "2001:db8::1"])
            #expect(InterfaceWatcher.scan().contains { $0.isLoopback })
        }
    }
}
