import CZeroTierSystem
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

/// A port on every address of this machine.
private struct Everywhere: ~Copyable {
    var port: UDPPort
    var receiver = UDPReceiver()

    init(_ mode: UDPMode) throws { port = try UDPPort(port: 0, mode: mode) }

    // The paths of the IPv4 datagrams that come until `count` are here or some time has passed without any.
    mutating func receive(_ count: Int, milliseconds: Int32 = 1000) -> [PhysicalPath] {
        var result: [PhysicalPath] = []
        guard let socket = port.sockets.first(where: { $0.local.address.isIPv4 }) else { return [] }
        while result.count < count, csystem_wait_readable(socket.descriptor.number, milliseconds) == 1 {
            _ = receiver.receive(from: socket) { batch, _ in result += batch.datagrams.map(\.path) }
        }
        return result
    }
}

extension UDPPort {
    fileprivate mutating func sendOne(_ bytes: [UInt8], to remote: SocketEndpoint) throws {
        try sendOne(bytes, by: PhysicalPath(localSocket: 0, remote: remote))
    }

    fileprivate mutating func sendOne(_ bytes: [UInt8], by path: PhysicalPath) throws {
        var batch = TransmitBatch()
        #expect(batch.append(bytes.count, to: path) { $0.copy(from: bytes, at: 0) })
        var cursor = Cursor()
        #expect(send(batch, from: &cursor) == .sent)
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
        func `single datagrams of many senders are received up to sixteen at a call, in order and with their sources`(
            mode: UDPMode
        ) throws {
            var receiver = try Party(mode)
            var senders: [SlotID] = []
            var parties = SlotTable<Party>()
            for _ in 0..<8 { senders.append(parties.insert(try Party(.plain))) }
            // Of one sender's none equals the one before in length, so that the kernel joins nothing; one is larger.
            let rounds = 12
            func length(_ sender: Int, _ round: Int) -> Int {
                sender == 3 && round == 5 ? 9000 : 40 + 8 * round + 100 * sender
            }
            for round in 0..<rounds {
                for (number, id) in senders.enumerated() {
                    try parties[id].port.sendOne(
                        pattern(number * 16 + round, length(number, round)), to: receiver.endpoint)
                }
            }
            let all = rounds * senders.count
            var received: [SocketEndpoint: [[UInt8]]] = [:]
            var calls: [Int] = []
            while calls.reduce(0, +) < all {
                let socket = receiver.port.sockets[0]
                guard csystem_wait_readable(socket.descriptor.number, 1000) == 1 else { break }
                var count = 0
                var lasts = 0
                let found = receiver.receiver.receive(from: socket) { batch, isLast in
                    if isLast { lasts += 1 }
                    for index in batch.datagrams.indices {
                        let bytes = batch.withDatagram(index) { $0.copyBytes(0, $0.byteCount) }
                        received[batch.datagrams[index].path.remote, default: []].append(bytes)
                        count += 1
                    }
                }
                #expect(lasts == 1)
                #expect(found != .nothing)
                calls.append(count)
            }
            for (number, id) in senders.enumerated() {
                let sent = (0..<rounds).map { pattern(number * 16 + $0, length(number, $0)) }
                #expect(received[parties[id].endpoint] == sent, "sender \(number)")
            }
            #expect(received.count == senders.count)
            // All were there before the first call. The first buffers are few, in case the kernel joins.
            let first = receiver.port.sockets[0].coalesces ? [UDPReceiver.coalescedBuffers] : []
            let singles = (all - first.reduce(0, +)) / UDPReceiver.singleBuffers
            #expect(calls.starts(with: first + Array(repeating: UDPReceiver.singleBuffers, count: min(singles, 2))))
            #expect(calls.allSatisfy { $0 <= UDPReceiver.singleBuffers })
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

        @Test(arguments: [UDPMode.automatic, .plain])
        func `an answer leaves from the address that was asked`(mode: UDPMode) throws {
            var server = try Everywhere(mode)
            var client = try Party(.automatic)
            // 127.0.0.0/8 is this machine's; the kernel would answer from 127.0.0.1.
            let asked = [2, 3, 2].map { IPAddress(v4: 0x7f00_0000 | $0) }
            for (number, address) in asked.enumerated() {
                try client.port.sendOne(pattern(number, 50), to: SocketEndpoint(address, port: server.port.port))
            }
            let arrived = server.receive(3)
            #expect(arrived.map(\.remote) == Array(repeating: client.endpoint, count: 3))
            #expect(arrived[0].localSocket == arrived[2].localSocket)
            #expect(arrived[0].localSocket != arrived[1].localSocket)
            for path in arrived { try server.port.sendOne([1, 2, 3], by: path) }
            var from: [IPAddress] = []
            while from.count < 3, csystem_wait_readable(client.port.sockets[0].descriptor.number, 1000) == 1 {
                _ = client.receiver.receive(from: client.port.sockets[0]) { batch, _ in
                    from += batch.datagrams.map(\.path.remote.address)
                }
            }
            #expect(from.sorted() == asked.sorted())
        }

        @Test func `a run that is cut up by the kernel leaves from the address that was asked`() throws {
            var server = try Everywhere(.automatic)
            var client = try Party(.automatic)
            let asked = IPAddress(v4: 0x7f00_0005)
            try client.port.sendOne([1], to: SocketEndpoint(asked, port: server.port.port))
            let path = try #require(server.receive(1).first)
            var batch = TransmitBatch()
            for number in 0..<20 {
                #expect(batch.append(1000, to: path) { $0.copy(from: pattern(number, 1000), at: 0) })
            }
            var cursor = UDPPort.Cursor()
            #expect(server.port.send(batch, from: &cursor) == .sent)
            #expect(client.receive(20) == (0..<20).map { pattern($0, 1000) })
        }

        @Test func `from an address that is gone datagrams leave by the kernel's choice`() throws {
            var server = try Everywhere(.automatic)
            var client = try Party(.automatic)
            let known = server.port.locals
            let locals = try #require(known)
            // TEST-NET-1: nobody has it.
            guard case .number(let gone) = locals.meaning(of: IPAddress(v4: 0xc000_0201)) else {
                Issue.record("an address without a number")
                return
            }
            try server.port.sendOne([7], by: PhysicalPath(localSocket: gone, remote: client.endpoint))
            #expect(client.receive(1) == [[7]])
            #expect(server.port.statistics.sendFailures == 0)
        }

        @Test(arguments: [UDPMode.automatic, .plain])
        func `what arrives at an interface that is not to be used is dropped and counted, and nothing leaves from it`(
            mode: UDPMode
        ) throws {
            var server = try Everywhere(mode)
            var client = try Party(.automatic)
            let (refused, used) = (IPAddress(v4: 0x7f00_0002), IPAddress(v4: 0x7f00_0003))
            server.port.locals?.refuse([refused])
            server.port.sources = [used]
            try client.port.sendOne([1], to: SocketEndpoint(used, port: server.port.port))
            try client.port.sendOne([2], to: SocketEndpoint(refused, port: server.port.port))
            #expect(server.receive(1).count == 1)
            for _ in 0..<100 where server.port.refused == 0 { _ = server.receive(1, milliseconds: 10) }
            #expect(server.port.refused == 1)
            let anywhere = PhysicalPath(localSocket: PhysicalPath.anySocket, remote: client.endpoint)
            try server.port.sendOne([3], by: anywhere)
            #expect(client.receive(1) == [[3]])
            server.port.sources = []
            var batch = TransmitBatch()
            #expect(batch.append(1, to: anywhere) { _ in })
            var cursor = UDPPort.Cursor()
            #expect(server.port.send(batch, from: &cursor) == .sent)
            #expect(server.port.statistics.sendFailures == 1)
        }

        @Test func `addresses are numbered once, and not beyond the limit`() {
            let locals = LocalAddresses()
            let numbers = (0..<LocalAddresses.limit).map { locals.meaning(of: IPAddress(v4: 0x7f01_0000 | UInt32($0))) }
            #expect(Set(numbers.map { "\($0)" }).count == LocalAddresses.limit)
            #expect(locals.meaning(of: IPAddress(v4: 0x7f02_0000)) == .unnumbered)
            #expect(locals.meaning(of: IPAddress(v4: 0x7f01_0000)) == .number(LocalAddresses.firstNumber))
            #expect(locals.address(LocalAddresses.firstNumber + 1) == IPAddress(v4: 0x7f01_0001))
            #expect(locals.address(LocalAddresses.firstNumber + Int32(LocalAddresses.limit)) == nil)
            #expect(locals.numbers { $0 == IPAddress(v4: 0x7f01_0002) } == [LocalAddresses.firstNumber + 2])
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

        @Test func `a port leaves from the addresses that are left where an interface is refused`() throws {
            let all = [("eth0", "10.1.2.3/24"), ("eth1", "192.168.7.1/24")].map { name, text in
                InterfaceAddress(interface: name, prefix: IPPrefix(text)!, isLoopback: false, isTemporary: false)
            }
            var port = try UDPPort(port: 0, mode: .plain)
            _ = port.use(LocalNetwork(all, allowLoopback: false))
            var sources = port.sources
            #expect(sources == nil)
            _ = port.use(LocalNetwork(all, allowLoopback: false, refusedInterfaces: ["eth0"]))
            sources = port.sources
            #expect(sources?.map(\.description) == ["192.168.7.1"])
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
                LocalNetwork(all, allowLoopback: false, refusedPrefixes: refused).usable.map(\.description)
                    == ["10.1.2.3", "2001:db8::1"])
            #expect(
                LocalNetwork(all, allowLoopback: true, refusedPrefixes: refused).usable.map(\.description)
                    == ["127.0.0.1", "10.1.2.3", "2001:db8::1"])
            #expect(InterfaceWatcher.scan().contains { $0.isLoopback })
            let chosen = LocalNetwork(all, allowLoopback: false, refusedInterfaces: ["eth0", "lo"])
            #expect(chosen.usable.map(\.description) == ["192.168.7.1"])
            #expect(chosen.refused.contains(IPAddress("10.1.2.3")!))
            #expect(chosen.has(IPAddress("127.3.4.5")!))
            #expect(!chosen.has(IPAddress("10.1.2.4")!))
            #expect(LocalNetwork(all, allowLoopback: false, refusedInterfaces: ["wlan"]).hasRefusals)
        }
    }
}
