// Sockets between nodes, and what stopping and restarting a node does to them.

import Foundation
import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

@Suite(.serialized) struct TwoNodeTests {
    @Test func `streams, datagrams and time-outs between two nodes`() async throws {
        let lab = try await Lab()
        try await blocking {
            let (listening, address) = try lab.second.listener(lab.secondAddress)
            let serving = Background { () throws -> [UInt8] in
                let (socket, remote) = try lab.second.accept(listening)
                #expect(remote.address == lab.firstAddress)
                let all = try lab.second.receiveAll(socket)
                try lab.second.send(socket, all)
                try lab.second.close(socket)
                return all
            }
            let client = try lab.first.stream(10)
            try lab.first.connect(client, to: address, retryingFor: .seconds(20))
            let bytes = pattern(1_000_000)
            #expect(try lab.first.send(client, bytes) == bytes.count)
            try lab.first.shutdown(client, .send)
            #expect(try lab.first.receiveAll(client) == bytes)
            #expect(try serving.value() == bytes)

            let server = try lab.second.udp(10)
            try lab.second.bind(server, to: SocketEndpoint(.anyIPv6, port: 53))
            let socket = try lab.first.udp(10)
            try lab.first.send(socket, pattern(5_000), to: SocketEndpoint(lab.secondAddress, port: 53))
            #expect(try lab.second.receive(server, 9_000) == pattern(5_000))

            // Nobody is there: not before the time is over, and not long after.
            let nobody = SocketEndpoint(
                IPAddress(v6High: lab.secondAddress.high, low: lab.secondAddress.low ^ 0x77), port: 5)
            for useOption in [false, true] {
                let start = Date()
                let lost = try lab.first.stream(10)
                if useOption { try lab.first.setOption(lost, .connectTimeout, .duration(.seconds(1))) }
                let number = errno {
                    if useOption {
                        try lab.first.connect(lost, to: nobody)
                    } else {
                        try lab.first.connect(lost, to: nobody, retryingFor: .seconds(1))
                    }
                }
                #expect(number == .timedOut)
                #expect(Date().timeIntervalSince(start) > 0.9)
                #expect(Date().timeIntervalSince(start) < 6)
            }
            let waiting = try lab.first.stream(10)
            try lab.first.setOption(waiting, .sendTimeout, .duration(.milliseconds(50)))
            #expect(errno { try lab.first.connect(waiting, to: nobody) } == .inProgress)
            try lab.first.setNonBlocking(waiting, true)
            #expect(errno { try lab.first.connect(waiting, to: nobody) } == .already)
            #expect(lab.first.state(waiting) == [])
            #expect(errno { _ = try lab.first.receive(waiting, 1) } == .tryAgain)
            try lab.first.setNonBlocking(waiting, false)
            try lab.first.setOption(waiting, .sendTimeout, .duration(nil))
            let connecting = Background { try lab.first.connect(waiting, to: nobody) }
            usleep(50_000)
            try lab.first.close(waiting)
            #expect(errno { try connecting.value() } == .badDescriptor)
        }
        await lab.shutdown()
    }

    @Test func `a restart keeps connections, listeners and blocked calls`() async throws {
        let lab = try await Lab()
        try await blocking {
            let (listening, address) = try lab.second.listener(lab.secondAddress)
            let client = try lab.first.stream(10)
            try lab.first.connect(client, to: address, retryingFor: .seconds(20))
            let (server, _) = try lab.second.accept(listening)
            let (own, ownAddress) = try lab.first.listener(lab.firstAddress)
            try lab.first.send(client, [1])
            #expect(try lab.second.receive(server, 1) == [1])

            let receiving = Background { try lab.first.receive(client, 1) }
            let accepting = Background { try lab.first.accept(own).remote }
            usleep(30_000)
            let node = try lab.first.restart(lab.firstConfiguration)
            defer { node.shutdownBlocking() }
            if try node.networks().isEmpty { try node.startJoining(Lab.network) }
            try lab.second.send(server, [2])
            #expect(try receiving.value() == [2])
            let bytes = Background { try lab.second.receive(server, 200_000, .waitAll) }
            try lab.first.send(client, pattern(200_000))
            #expect(try bytes.value() == pattern(200_000))
            let other = try lab.second.stream(10)
            try lab.second.connect(other, to: ownAddress, retryingFor: .seconds(20))
            #expect(try accepting.value() == lab.second.localEndpoint(other))
        }
        await lab.shutdown()
    }

    @Test func `after a stop everything is ENETDOWN until the next start, and close works`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            let (client, server) = try layer.pair()
            let (listening, address) = try layer.listener()
            let fresh = try layer.stream()
            let receiving = Background { _ = try layer.receive(client, 1) }
            let accepting = Background { _ = try layer.accept(listening) }
            let polling = Background { layer.wait(server, .input) }
            usleep(30_000)
            node.shutdownBlocking()
            #expect(errno { try receiving.value() } == .networkDown)
            #expect(errno { try accepting.value() } == .networkDown)
            #expect(try polling.value().contains(.error))
            layer.detach()
            #expect(errno { try layer.send(client, [1]) } == .networkDown)
            #expect(errno { _ = try layer.receive(server, 1) } == .networkDown)
            #expect(errno { _ = try layer.localEndpoint(client) } == .networkDown)
            #expect(layer.state(client).isSuperset(of: [.error, .hangUp]))
            try layer.close(server)

            let next = try Node(Lab.configuration(TestIdentity.first, try Lab.planet(port: 9)))
            defer { next.shutdownBlocking() }
            layer.attach(next)
            #expect(errno { try layer.send(client, [1]) } == .networkDown)
            try layer.close(client)
            try layer.close(listening)
            #expect(errno { try layer.connect(fresh, to: address) } == .refused)
            let (again, peer) = try layer.pair()
            try layer.send(again, [1])
            #expect(try layer.receive(peer, 1) == [1])
        }
    }
}

@Suite(.serialized) struct FamilyTests {
    @Test func `listeners on one port of both families live beside each other, each with its own connections`()
        async throws
    {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            for isIPv6First in [true, false] {
                var listeners: [Bool: Int32] = [:]
                var port: UInt16 = 0
                for isIPv6 in isIPv6First ? [true, false] : [false, true] {
                    let listener = try layer.stream(isIPv6 ? 10 : 2)
                    try layer.setOption(listener, .reuseAddress, .integer(1))
                    try layer.bind(listener, to: SocketEndpoint(isIPv6 ? .anyIPv6 : .anyIPv4, port: port))
                    port = try layer.localEndpoint(listener).port
                    try layer.listen(listener, backlog: 4)
                    listeners[isIPv6] = listener
                }
                for isIPv6 in [true, false] {
                    let client = try layer.stream(isIPv6 ? 10 : 2)
                    try layer.connect(client, to: SocketEndpoint(IPAddress(isIPv6 ? "::1" : "127.0.0.1")!, port: port))
                    let (server, remote) = try layer.accept(listeners[isIPv6]!)
                    #expect(remote == (try layer.localEndpoint(client)))
                    for socket in [client, server] { try layer.close(socket) }
                }
                // Of one family there is one, as on Linux; and without the option none beside another.
                let second = try layer.stream()
                try layer.setOption(second, .reuseAddress, .integer(1))
                #expect(
                    errno {
                        try layer.bind(second, to: SocketEndpoint(.anyIPv4, port: port))
                        try layer.listen(second, backlog: 4)
                    } == .addressInUse)
                for listener in listeners.values { try layer.close(listener) }
            }
            let (plain, address) = try layer.listener(.anyIPv6)
            let other = try layer.stream()
            #expect(errno { try layer.bind(other, to: SocketEndpoint(.anyIPv4, port: address.port)) } == .addressInUse)
            try layer.close(plain)
        }
    }

    @Test func `the network that datagrams to groups leave by is chosen by an address of ours`() async throws {
        let lab = try await Lab()
        try await blocking {
            let first = try lab.first.udp(10)
            #expect(try lab.first.option(first, .multicastInterface) == .address(.anyIPv4))
            try lab.first.setOption(first, .multicastInterface, .address(lab.firstAddress))
            #expect(try lab.first.option(first, .multicastInterface) == .address(lab.firstAddress))
            #expect(
                errno { try lab.first.setOption(first, .multicastInterface, .address(lab.secondAddress)) }
                    == .addressNotAvailable)
            #expect(
                errno { try lab.first.setOption(try lab.first.stream(), .multicastInterface, .address(.anyIPv4)) }
                    == .noSuchOption)
        }
        await lab.shutdown()
    }
}
