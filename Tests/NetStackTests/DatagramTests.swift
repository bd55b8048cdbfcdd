// UDP sockets over the link and over the loop-back.

import NetPrimitives
import Testing

@testable import NetStack

struct DatagramTests {
    private func sockets(
        _ network: TestNetwork, _ target: String, port: UInt16 = 7_000
    ) throws -> (SocketID, SocketID) {
        let isIPv4 = address(target).isIPv4
        let sender = try network.hosts[0].stack.udpOpen(isIPv4: isIPv4)
        let receiver = try network.hosts[1].stack.udpOpen(isIPv4: isIPv4)
        try network.hosts[1].stack.udpBind(receiver, to: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: port))
        return (sender, receiver)
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"], [0, 1, 1_000, 2_752, 2_753, 8_192, 65_507])
    func `a datagram of any size arrives whole, and the answer too`(_ target: String, size: Int) throws {
        let network = try TestNetwork.pair()
        let (sender, receiver) = try sockets(network, target)
        let payload = pattern(size)
        try network.hosts[0].sendTo(sender, payload, to: endpoint(target, 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(network.hosts[1].saw(receiver, .readable))
        let (datagram, bytes) = try network.hosts[1].receiveFrom(receiver, now: network.now)
        #expect(bytes == payload)
        #expect(datagram.length == size && !datagram.isTruncated)
        #expect(datagram.destination == address(target) && datagram.hopLimit == 64)
        let local = try network.hosts[0].stack.localEndpoint(sender)
        #expect(datagram.source.port == local.port && local.port >= 32_768)
        try network.hosts[1].sendTo(receiver, payload, to: datagram.source, now: network.now)
        network.run(for: .milliseconds(50))
        let answer = try network.hosts[0].receiveFrom(sender, now: network.now)
        #expect(answer.1 == payload)
        #expect(answer.0.source == endpoint(target, 7_000))
        #expect(throws: StackError.wouldBlock) { try network.hosts[0].receiveFrom(sender, now: network.now) }
    }

    @Test func `fragments of several datagrams share the link in small bursts and still arrive`() throws {
        let network = try TestNetwork.pair()
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        let other = try network.hosts[0].stack.udpOpen(isIPv4: true)
        let first = pattern(20_000, seed: 1)
        let second = pattern(20_000, seed: 2)
        try network.hosts[0].sendTo(sender, [1], to: endpoint("10.0.0.2", 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        _ = try network.hosts[1].receiveFrom(receiver, now: network.now)
        try network.hosts[0].sendTo(sender, first, to: endpoint("10.0.0.2", 7_000), now: network.now)
        try network.hosts[0].sendTo(other, second, to: endpoint("10.0.0.2", 7_000), now: network.now)
        for frame in network.hosts[0].takeFrames(now: network.now, room: 3) { network.send(frame, from: 0) }
        network.run(for: .milliseconds(50))
        let received = [
            try network.hosts[1].receiveFrom(receiver, now: network.now).1,
            try network.hosts[1].receiveFrom(receiver, now: network.now).1,
        ]
        #expect(received.contains(first) && received.contains(second))
    }

    @Test func `reordered and duplicated fragments still make the datagram`() throws {
        for seed in UInt64(1)...5 {
            var model = LinkConditions()
            model.jitter = .milliseconds(20)
            model.duplication = 0.3
            let network = try TestNetwork.pair(model: model, seed: seed)
            let (sender, receiver) = try sockets(network, "fd00::2")
            let payload = pattern(40_000, seed: seed)
            try network.hosts[0].sendTo(sender, payload, to: endpoint("fd00::2", 7_000), now: network.now)
            network.run(for: .seconds(1))
            #expect(try network.hosts[1].receiveFrom(receiver, now: network.now).1 == payload)
        }
    }

    @Test(arguments: ["10.0.0.2", "fd00::2"])
    func `a connected socket learns that nobody listens, once`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let socket = try host.stack.udpOpen(isIPv4: address(target).isIPv4)
        try host.stack.udpConnect(socket, to: endpoint(target, 9), now: network.now)
        try host.sendTo(socket, [1, 2, 3], now: network.now)
        network.run(for: .milliseconds(50))
        #expect(host.saw(socket, .error))
        #expect(try host.stack.readiness(of: socket).contains(.error))
        #expect(throws: StackError.refused) { try host.receiveFrom(socket, now: network.now) }
        #expect(throws: StackError.wouldBlock) { try host.receiveFrom(socket, now: network.now) }
        // An unconnected one is not told.
        let other = try host.stack.udpOpen(isIPv4: address(target).isIPv4)
        try host.sendTo(other, [1], to: endpoint(target, 10), now: network.now)
        network.run(for: .seconds(2))
        #expect(try host.stack.takeError(other) == nil)
    }

    @Test func `a connected socket hears only its peer and may still send elsewhere`() throws {
        let network = try TestNetwork.pair()
        let third = try network.add(3, addresses: ["10.0.0.3/24"])
        network.run(for: .seconds(5))
        let host = network.hosts[0]
        let socket = try host.stack.udpOpen(isIPv4: true)
        try host.stack.udpConnect(socket, to: endpoint("10.0.0.2", 7_000), now: network.now)
        #expect(try host.stack.localEndpoint(socket).address == address("10.0.0.1"))
        #expect(try host.stack.remoteEndpoint(socket) == endpoint("10.0.0.2", 7_000))
        let local = try host.stack.localEndpoint(socket)
        let stranger = try third.stack.udpOpen(isIPv4: true)
        try third.stack.udpBind(stranger, to: endpoint("0.0.0.0", 7_000))
        try third.sendTo(stranger, [9], to: local, now: network.now)
        network.run(for: .milliseconds(50))
        #expect(throws: StackError.wouldBlock) { try host.receiveFrom(socket, now: network.now) }
        try host.sendTo(socket, [5], to: endpoint("10.0.0.3", 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try third.receiveFrom(stranger, now: network.now).1 == [5])
        // Dissolving the connection opens it to all and forgets the address that connect chose.
        try host.stack.udpConnect(socket, to: nil, now: network.now)
        #expect(try host.stack.localEndpoint(socket).address == .anyIPv4)
        try third.sendTo(stranger, [6], to: local, now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try host.receiveFrom(socket, now: network.now).1 == [6])
    }

    @Test func `calls fail as they do on Linux`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let now = network.now
        let socket = try host.stack.udpOpen(isIPv4: true)
        #expect(throws: StackError.destinationRequired) { try host.sendTo(socket, [1], now: now) }
        #expect(throws: StackError.invalid) { try host.sendTo(socket, [1], to: endpoint("10.0.0.2", 0), now: now) }
        #expect(throws: StackError.addressFamily) { try host.sendTo(socket, [1], to: endpoint("fd00::2", 1), now: now) }
        #expect(throws: StackError.networkUnreachable) {
            try host.sendTo(socket, [1], to: endpoint("192.0.2.1", 1), now: now)
        }
        #expect(throws: StackError.accessDenied) {
            try host.sendTo(socket, [1], to: endpoint("255.255.255.255", 1), now: now)
        }
        #expect(throws: StackError.accessDenied) {
            try host.sendTo(socket, [1], to: endpoint("10.0.0.255", 1), now: now)
        }
        #expect(throws: StackError.messageTooLong) {
            try host.sendTo(socket, pattern(65_508), to: endpoint("10.0.0.2", 1), now: now)
        }
        #expect(throws: StackError.addressNotAvailable) { try host.stack.udpBind(socket, to: endpoint("10.0.0.9", 5)) }
        #expect(throws: StackError.addressFamily) { try host.stack.udpBind(socket, to: endpoint("::", 5)) }
        try host.stack.udpBind(socket, to: endpoint("10.0.0.1", 5_000))
        #expect(throws: StackError.invalid) { try host.stack.udpBind(socket, to: endpoint("10.0.0.1", 5_001)) }
        let second = try host.stack.udpOpen(isIPv4: true)
        #expect(throws: StackError.addressInUse) { try host.stack.udpBind(second, to: endpoint("0.0.0.0", 5_000)) }
        try host.stack.udpBind(second, to: endpoint("127.0.0.1", 5_000))
        host.stack.close(socket, now: now)
        #expect(throws: StackError.badSocket) { try host.sendTo(socket, [1], to: endpoint("10.0.0.2", 1), now: now) }
        var options = SocketOptions()
        options.pathMTUDiscovery = .always
        let third = try host.stack.udpOpen(isIPv4: true, options: options)
        #expect(throws: StackError.messageTooLong) {
            try host.sendTo(third, pattern(2_773), to: endpoint("10.0.0.2", 1), now: now)
        }
        try host.sendTo(third, pattern(2_772), to: endpoint("10.0.0.2", 1), now: now)
    }

    @Test func `the receive queue is bounded by bytes and says what was cut`() throws {
        let network = try TestNetwork.pair()
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        var options = SocketOptions()
        options.receiveBytes = 4_000
        try network.hosts[1].stack.setSocketOptions(receiver, options)
        for number in UInt8(0)..<10 {
            try network.hosts[0].sendTo(
                sender, [UInt8](repeating: number, count: 1_000), to: endpoint("10.0.0.2", 7_000), now: network.now)
        }
        network.run(for: .milliseconds(50))
        #expect(network.hosts[1].stack.statistics.dropped(.queueFull) == 7)
        let (datagram, bytes) = try network.hosts[1].receiveFrom(receiver, limit: 100, now: network.now)
        #expect(datagram.isTruncated && datagram.length == 1_000 && bytes == [UInt8](repeating: 0, count: 100))
        #expect(try network.hosts[1].stack.nextDatagramLength(receiver) == 1_000)
        #expect(try network.hosts[1].receiveFrom(receiver, now: network.now).1.first == 1)
    }

    @Test func `the send queue pushes back and says when there is room`() throws {
        let network = try TestNetwork.pair()
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        var options = SocketOptions()
        options.sendBytes = 3_000
        try network.hosts[0].stack.setSocketOptions(sender, options)
        var sent = 0
        #expect(throws: StackError.wouldBlock) {
            for _ in 0..<10 {
                try network.hosts[0].sendTo(sender, pattern(900), to: endpoint("10.0.0.2", 7_000), now: network.now)
                sent += 1
            }
        }
        #expect(sent == 3)
        network.run(for: .milliseconds(50))
        #expect(network.hosts[0].saw(sender, .writable))
        for _ in 0..<3 { #expect(try network.hosts[1].receiveFrom(receiver, now: network.now).1 == pattern(900)) }
    }

    @Test func `a group reaches its members and nobody else`() throws {
        let network = try TestNetwork.pair()
        let group = address("239.1.2.3")
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        let member = network.hosts[1]
        try network.hosts[0].sendTo(sender, [1], to: SocketEndpoint(group, port: 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(throws: StackError.wouldBlock) { try member.receiveFrom(receiver, now: network.now) }
        try member.stack.joinGroup(receiver, group, now: network.now)
        member.drainEvents()
        let joined = LinkGroup(MACAddress(0x0100_5e01_0203))
        #expect(member.groupChanges.contains(GroupChange(member.interface, joined, isJoined: true)))
        try network.hosts[0].sendTo(sender, [2], to: SocketEndpoint(group, port: 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        let (datagram, bytes) = try member.receiveFrom(receiver, now: network.now)
        #expect(bytes == [2] && datagram.destination == group && datagram.hopLimit == 1)
        try member.stack.leaveGroup(receiver, group)
        member.drainEvents()
        #expect(member.groupChanges.contains(GroupChange(member.interface, joined, isJoined: false)))
    }

    @Test func `a member on the sending stack hears the group too, unless told not to`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let group = SocketEndpoint(address("ff15::7"), port: 7_000)
        let receiver = try host.stack.udpOpen(isIPv4: false)
        try host.stack.udpBind(receiver, to: endpoint("::", 7_000))
        try host.stack.joinGroup(receiver, group.address, on: host.interface, now: network.now)
        var options = SocketOptions()
        for loops in [true, false] {
            options.multicastLoop = loops
            let sender = try host.stack.udpOpen(isIPv4: false, options: options)
            try host.sendTo(sender, [8], to: group, now: network.now)
            network.run(for: .milliseconds(50))
            if loops {
                #expect(try host.receiveFrom(receiver, now: network.now).1 == [8])
            } else {
                #expect(throws: StackError.wouldBlock) { try host.receiveFrom(receiver, now: network.now) }
            }
        }
    }

    @Test func `broadcast with permission reaches every socket of the port`() throws {
        let network = try TestNetwork.pair()
        var options = SocketOptions()
        options.allowsBroadcast = true
        options.reuseAddress = true
        let sender = try network.hosts[0].stack.udpOpen(isIPv4: true, options: options)
        let member = network.hosts[1]
        var receivers: [SocketID] = []
        for _ in 0..<2 {
            let socket = try member.stack.udpOpen(isIPv4: true, options: options)
            try member.stack.udpBind(socket, to: endpoint("0.0.0.0", 7_000))
            receivers.append(socket)
        }
        for target in ["255.255.255.255", "10.0.0.255"] {
            try network.hosts[0].sendTo(sender, [3], to: endpoint(target, 7_000), now: network.now)
            network.run(for: .milliseconds(50))
            for socket in receivers { #expect(try member.receiveFrom(socket, now: network.now).1 == [3]) }
        }
        // Unicast goes to the last bound alone.
        try network.hosts[0].sendTo(sender, [4], to: endpoint("10.0.0.2", 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(throws: StackError.wouldBlock) { try member.receiveFrom(receivers[0], now: network.now) }
        #expect(try member.receiveFrom(receivers[1], now: network.now).1 == [4])
    }

    @Test func `a dual-stack socket hears and speaks both families`() throws {
        let network = try TestNetwork.pair()
        let dual = try network.hosts[1].stack.udpOpen(isIPv4: false)
        try network.hosts[1].stack.udpBind(dual, to: endpoint("::", 7_000))
        let sender = try network.hosts[0].stack.udpOpen(isIPv4: true)
        try network.hosts[0].sendTo(sender, [1], to: endpoint("10.0.0.2", 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        let (datagram, _) = try network.hosts[1].receiveFrom(dual, now: network.now)
        #expect(datagram.source.address == address("10.0.0.1"))
        try network.hosts[1].sendTo(dual, [2], to: datagram.source, now: network.now)
        network.run(for: .milliseconds(50))
        #expect(try network.hosts[0].receiveFrom(sender, now: network.now).1 == [2])
        let other = try network.hosts[1].stack.udpOpen(isIPv4: true)
        #expect(throws: StackError.addressInUse) {
            try network.hosts[1].stack.udpBind(other, to: endpoint("0.0.0.0", 7_000))
        }
    }

    @Test(arguments: ["10.0.0.1", "fd00::1", "127.0.0.1", "::1", "0.0.0.0"])
    func `traffic with oneself never reaches the link`(_ target: String) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let isIPv4 = address(target).isIPv4
        let receiver = try host.stack.udpOpen(isIPv4: isIPv4)
        try host.stack.udpBind(receiver, to: SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 7_000))
        let sender = try host.stack.udpOpen(isIPv4: isIPv4)
        try host.sendTo(sender, pattern(9_000), to: endpoint(target, 7_000), now: network.now)
        #expect(host.takeFrames(now: network.now).isEmpty)
        let (datagram, bytes) = try host.receiveFrom(receiver, now: network.now)
        #expect(bytes == pattern(9_000))
        try host.sendTo(receiver, [1], to: datagram.source, now: network.now)
        #expect(host.takeFrames(now: network.now).isEmpty)
        #expect(try host.receiveFrom(sender, now: network.now).1 == [1])
        #expect(host.stack.statistics.loopbackPackets == 2)
        // Nobody at the port: the error comes over the loop-back too.
        let connected = try host.stack.udpOpen(isIPv4: isIPv4)
        try host.stack.udpConnect(connected, to: endpoint(target, 9), now: network.now)
        try host.sendTo(connected, [1], now: network.now)
        #expect(host.takeFrames(now: network.now).isEmpty)
        #expect(throws: StackError.refused) { try host.receiveFrom(connected, now: network.now) }
        try host.sendEcho(to: address(target), payload: pattern(100), now: network.now)
        #expect(host.takeFrames(now: network.now).isEmpty)
        #expect(host.echoReplies.count == 1)
    }

    @Test func `shutdown ends directions`() throws {
        let network = try TestNetwork.pair()
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        let host = network.hosts[0]
        try host.stack.udpConnect(sender, to: endpoint("10.0.0.2", 7_000), now: network.now)
        try host.stack.shutdown(sender, .write, now: network.now)
        #expect(throws: StackError.brokenPipe) { try host.sendTo(sender, [1], now: network.now) }
        // On an unconnected socket it is refused, and yet it takes effect (Linux).
        #expect(throws: StackError.notConnected) {
            try network.hosts[1].stack.shutdown(receiver, .read, now: network.now)
        }
        #expect(try network.hosts[1].receiveFrom(receiver, now: network.now).0.length == 0)
        #expect(try network.hosts[1].stack.readiness(of: receiver).contains(.readHangUp))
    }

    @Test func `sockets are bounded`() throws {
        var configuration = StackConfiguration()
        configuration.limits.datagramSockets = 3
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[0]
        let sockets = try (0..<3).map { _ in try host.stack.udpOpen(isIPv4: true) }
        #expect(throws: StackError.tooManySockets) { try host.stack.udpOpen(isIPv4: true) }
        host.stack.close(sockets[1], now: network.now)
        _ = try host.stack.udpOpen(isIPv4: true)
        #expect(host.stack.isOpen(sockets[1]) == false)
    }

    @Test func `losing the address ends the socket that is bound to it`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let socket = try host.stack.udpOpen(isIPv4: true)
        try host.stack.udpBind(socket, to: endpoint("10.0.0.1", 5_000))
        host.stack.removeAddress(address("10.0.0.1"), from: host.interface, now: network.now)
        host.drainEvents()
        #expect(host.saw(socket, .error))
        #expect(throws: StackError.networkDown) { try host.receiveFrom(socket, now: network.now) }
    }

    // Datagrams that may wait for more of them.
    private func waiting(_ host: StackHost) -> Int { host.stack.hasOnlyDatagrams ? host.stack.queuedDatagrams : 0 }

    @Test func `what a socket has sent before it is closed still leaves, and its port is free at once`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        try host.sendTo(sender, [0], to: endpoint("10.0.0.2", 7_000), now: network.now)
        network.run(for: .milliseconds(50))
        _ = try network.hosts[1].receiveFrom(receiver, now: network.now)
        let port = try host.stack.localEndpoint(sender).port
        for number in UInt8(1)...5 {
            try host.sendTo(sender, [number], to: endpoint("10.0.0.2", 7_000), now: network.now)
        }
        #expect(waiting(host) == 5)
        host.stack.close(sender, now: network.now)
        #expect(throws: StackError.badSocket) {
            try host.sendTo(sender, [9], to: endpoint("10.0.0.2", 7_000), now: network.now)
        }
        let next = try host.stack.udpOpen(isIPv4: true)
        try host.stack.udpBind(next, to: SocketEndpoint(.anyIPv4, port: port))
        network.run(for: .milliseconds(50))
        for number in UInt8(1)...5 {
            #expect(try network.hosts[1].receiveFrom(receiver, now: network.now).1 == [number])
        }
        #expect(waiting(host) == 0)
        let (queued, sockets) = (host.stack.queuedDatagrams, host.stack.socketCount)
        #expect(queued == 0 && sockets == 1)
    }

    @Test func `datagrams are not to wait once a sender waits for them, nor beside anything else`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let (sender, _) = try sockets(network, "10.0.0.2")
        var options = try host.stack.socketOptions(sender)
        options.sendBytes = 4_000
        try host.stack.setSocketOptions(sender, options)
        try host.sendTo(sender, pattern(1_000), to: endpoint("10.0.0.2", 7_000), now: network.now)
        #expect(waiting(host) == 1)
        #expect(throws: StackError.wouldBlock) {
            for _ in 0..<8 {
                try host.sendTo(sender, pattern(1_000), to: endpoint("10.0.0.2", 7_000), now: network.now)
            }
        }
        #expect(waiting(host) == 0)
        network.run(for: .milliseconds(50))
        try host.sendTo(sender, [1], to: endpoint("10.0.0.2", 7_000), now: network.now)
        #expect(waiting(host) == 1)
        _ = try host.stack.tcpConnect(to: endpoint("10.0.0.2", 80), now: network.now)
        #expect(waiting(host) == 0)
    }

    @Test func `a receive queue grows while all together are within their bound, and no further`() throws {
        var configuration = StackConfiguration()
        configuration.limits.datagramReceiveBytes = 20_000
        configuration.limits.datagramReceiveMaximum = 100_000
        configuration.limits.datagramBytes = 130_000
        let network = try TestNetwork.pair(configuration: configuration)
        let (sender, receiver) = try sockets(network, "10.0.0.2")
        let second = try network.hosts[1].stack.udpOpen(isIPv4: true)
        try network.hosts[1].stack.udpBind(second, to: SocketEndpoint(.anyIPv4, port: 7_001))
        func flood(_ port: UInt16) throws {
            for _ in 0..<200 {
                try network.hosts[0].sendTo(sender, pattern(1_000), to: endpoint("10.0.0.2", port), now: network.now)
                network.run(for: .milliseconds(2))
            }
        }
        func drain(_ socket: SocketID) -> Int {
            var count = 0
            while (try? network.hosts[1].receiveFrom(socket, now: network.now)) != nil { count += 1 }
            return count
        }
        let charge = DatagramQueue<InboundDatagram>.charge(1_000)
        try flood(7_000)
        try flood(7_001)
        let held = network.hosts[1].stack.receivedDatagramBytes
        #expect(held <= 130_000)
        // What the first took stays its own; the second has what each may have, whatever the others hold.
        #expect(drain(receiver) == 100_000 / charge)
        #expect(drain(second) >= 20_000 / charge)
        let left = network.hosts[1].stack.receivedDatagramBytes
        #expect(left == 0)
        // A limit that the application sets is kept.
        var options = try network.hosts[1].stack.socketOptions(second)
        options.receiveBytes = 50_000
        try network.hosts[1].stack.setSocketOptions(second, options)
        try flood(7_001)
        #expect(drain(second) == 50_000 / charge)
    }
}
