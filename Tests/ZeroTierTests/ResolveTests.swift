import NetPrimitives
import Testing

@testable import ZeroTier

extension DriverTests {
    /// Names, asked by a node of a name server on its own loopback interface.
    @Suite struct ResolveTests {
        private static let server = SocketEndpoint("127.0.0.1:53")!

        private func start() async throws -> Node {
            try await Node.start(
                Constellation.configuration(TestIdentity.first, try Constellation.makePlanet(port: 1)))
        }

        // The answer to a question: one record for each address.
        private func answer(
            _ question: [UInt8], flags: UInt16 = 0x8180, id: UInt16? = nil, _ addresses: [IPAddress] = []
        ) -> [UInt8] {
            var writer = ByteWriter()
            writer.uint16(id ?? UInt16(question[0]) << 8 | UInt16(question[1]))
            writer.uint16(flags)
            writer.uint16(1)
            writer.uint16(UInt16(addresses.count))
            writer.bytes([0, 0, 0, 0])
            writer.bytes(Array(question[12...]))
            for address in addresses {
                writer.bytes([0xc0, 12, 0, address.isIPv4 ? 1 : 28, 0, 1, 0, 0, 0, 60, 0, UInt8(address.byteCount)])
                writer.bytes(address.bytes)
            }
            return writer.bytes
        }

        private func asksForIPv4(_ question: [UInt8]) -> Bool { question[question.count - 3] == 1 }

        private func code(_ body: () async throws -> [IPAddress]) async -> ZeroTierError.Code? {
            do {
                _ = try await body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }

        // Runs a name server while `body` asks.
        private func with<Result>(
            _ node: Node, _ serve: @escaping @Sendable (DatagramSocket, Datagram) async throws -> Void,
            _ body: () async throws -> Result
        ) async throws -> Result {
            let socket = try node.datagramSocket(bind: Self.server)
            let server = Task {
                while let question = try? await socket.receive() { try? await serve(socket, question) }
            }
            defer {
                socket.close()
                server.cancel()
            }
            return try await body()
        }

        @Test func `addresses of both versions are found`() async throws {
            let node = try await start()
            let (four, six) = (IPAddress("10.1.2.3")!, IPAddress("fd00::7")!)
            try await with(node) { socket, question in
                let addresses = asksForIPv4(question.bytes) ? [four] : [six]
                try await socket.send(answer(question.bytes, addresses), to: question.source)
            } _: {
                let found = try await node.resolve("www.example.test", servers: [Self.server])
                #expect(found == [four, six])
            }
            await node.shutdown()
        }

        @Test func `a network's own name servers are asked where its member allows it`() async throws {
            let port = try Node.findFreePort()
            let planet = try Constellation.makePlanet(port: port)
            var settings = Constellation.configuration(TestIdentity.root, planet)
            settings.port = port
            settings.isController = true
            let controller = try await Node.start(settings)
            let network = try await controller.controller.create {
                $0.isPrivate = false
                $0.assign(IPPrefix("10.77.0.0/24")!)
            }
            let server = try await controller.join(network.id, timeout: .seconds(20)).addresses[0].address
            try await controller.controller.change(network.id) {
                $0.nameServers = [server]
                $0.nameDomain = "lab.test"
            }
            let names = try controller.datagramSocket(bind: SocketEndpoint(server, port: 53))
            let answering = Task {
                while let question = try? await names.receive() {
                    let addresses = asksForIPv4(question.bytes) ? [IPAddress("10.1.2.3")!] : []
                    try? await names.send(answer(question.bytes, addresses), to: question.source)
                }
            }
            let node = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
            let joined = try await node.join(network.id, timeout: .seconds(20))
            #expect(try joined.status.nameServers.isEmpty)
            #expect(await code { try await node.resolve("www.lab.test") } == .noNameServer)
            try joined.setSettings(NetworkSettings(allowsDNS: true))
            #expect(try joined.status.nameServers == [server] && joined.status.nameDomain == "lab.test")
            #expect(try await node.resolve("www.lab.test", timeout: .seconds(20)) == [IPAddress("10.1.2.3")!])
            names.close()
            answering.cancel()
            for node in [node, controller] { await node.shutdown() }
        }

        @Test func `answers with another number, to another question or from another port are dropped`() async throws {
            let node = try await start()
            let (right, wrong) = (IPAddress("10.1.2.3")!, IPAddress("10.6.6.6")!)
            let stranger = try node.datagramSocket(bind: SocketEndpoint("127.0.0.1:0")!)
            try await with(node) { socket, question in
                let bytes = question.bytes
                let number = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
                try await stranger.send(answer(bytes, [wrong]), to: question.source)
                try await socket.send(answer(bytes, id: number ^ 1, [wrong]), to: question.source)
                var other = bytes
                other[13] ^= 1
                try await socket.send(answer(other, [wrong]), to: question.source)
                try await socket.send([], to: question.source)
                try await socket.send(answer(bytes, asksForIPv4(bytes) ? [right] : []), to: question.source)
            } _: {
                let found = try await node.resolve("www.example.test", servers: [Self.server])
                #expect(found == [right])
            }
            await node.shutdown()
        }

        @Test func `an answer that is too long for a datagram is asked for by TCP`() async throws {
            let node = try await start()
            let addresses = (1...9).map { IPAddress(v4: 0x0a01_0000 + $0) }
            let listener = try node.listen(on: Self.server)
            let stream = Task {
                for try await connection in listener {
                    let length = try await connection.read(exactly: 2)
                    let question = try await connection.read(exactly: Int(length[0]) << 8 | Int(length[1]))
                    let message = answer(question, asksForIPv4(question) ? addresses : [])
                    // In two parts, cut inside of the length.
                    try await connection.write([UInt8(message.count >> 8)])
                    try await Task.sleep(for: .milliseconds(20))
                    try await connection.write([UInt8(message.count & 0xff)] + message)
                }
            }
            try await with(node) { socket, question in
                try await socket.send(answer(question.bytes, flags: 0x8380), to: question.source)
            } _: {
                let found = try await node.resolve("many.example.test", servers: [Self.server])
                #expect(found == addresses)
            }
            listener.close()
            _ = await stream.result
            await node.shutdown()
        }

        @Test func `a server that is not there gives way to the next at once`() async throws {
            let node = try await start()
            let found = IPAddress("10.1.2.3")!
            let silent = SocketEndpoint("127.0.0.1:54")!
            try await with(node) { socket, question in
                try await socket.send(
                    answer(question.bytes, asksForIPv4(question.bytes) ? [found] : []), to: question.source)
            } _: {
                let addresses = try await node.resolve("www.example.test", servers: [silent, Self.server])
                #expect(addresses == [found])
            }
            #expect(
                await code { try await node.resolve("www.example.test", servers: [silent]) } == .nameServerFailed)
            await node.shutdown()
        }

        @Test func `what is not found is told apart`() async throws {
            let node = try await start()
            try await with(node) { socket, question in
                let isKnown = question.bytes.contains(0x78)
                try await socket.send(
                    answer(question.bytes, flags: isKnown ? 0x8180 : 0x8183), to: question.source)
            } _: {
                #expect(await code { try await node.resolve("a.test", servers: [Self.server]) } == .nameNotFound)
                #expect(await code { try await node.resolve("x.test", servers: [Self.server]) } == .nameNotFound)
            }
            #expect(await code { try await node.resolve("a.test") } == .noNameServer)
            #expect(await code { try await node.resolve("a b") } == .invalidArgument)
            #expect(try await node.resolve("127.0.0.1") == [IPAddress("127.0.0.1")!])
            await node.shutdown()
            #expect(await code { try await node.resolve("a.test") } == .nodeStopped)
        }

        @Test func `the time limit, cancellation and the node's end are ends of a lookup`() async throws {
            let node = try await start()
            let silent = try node.datagramSocket(bind: Self.server)
            let servers = [Self.server]
            #expect(
                await code { try await node.resolve("a.test", servers: servers, timeout: .milliseconds(200)) }
                    == .timedOut)
            _ = try await silent.receive(timeout: .seconds(10))
            let task = Task { try await node.resolve("a.test", servers: servers, timeout: .seconds(600)) }
            _ = try await silent.receive(timeout: .seconds(10))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let last = Task { try await node.resolve("a.test", servers: servers, timeout: .seconds(600)) }
            _ = try await silent.receive(timeout: .seconds(10))
            await node.shutdown()
            #expect(await code { try await last.value } == .nodeStopped)
        }

        @Test func `a connect by name tries the addresses in their order`() async throws {
            let node = try await start()
            // Nothing listens at the first; the second is this node.
            let (refusing, right) = (IPAddress("127.0.0.2")!, IPAddress("::1")!)
            let listener = try node.listen(on: SocketEndpoint(right, port: 80))
            let words = [("127.0.0.1", 80, nil), ("localhost", 80, right)] as [(String, UInt16, IPAddress?)]
            for (host, port, expected) in words {
                let socket = try? await node.connect(to: host, port: port, timeout: .seconds(20))
                #expect(socket?.remoteEndpoint.address == expected, "\(host)")
            }
            // By a name server of a network there is no name here, and the error is that of the lookup.
            #expect(await connectCode { try await node.connect(to: "www.example.test", port: 80) } == .noNameServer)
            #expect(
                await connectCode { try await node.connect(to: "\(refusing)", port: 80, timeout: .seconds(20)) }
                    == .connectionRefused)
            let greeting = try await node.withConnection(to: "localhost", port: 80, timeout: .seconds(20)) { socket in
                try await socket.write("hello")
                _ = try await listener.accept(timeout: .seconds(20))
                let peer = try await listener.accept(timeout: .seconds(20))
                return try await peer.read(exactly: 5, timeout: .seconds(20))
            }
            #expect(greeting == Array("hello".utf8))
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await node.connect(to: "localhost", port: 80)
            }
            await #expect(throws: CancellationError.self) { try await late.value }
            await node.shutdown()
        }

        private func connectCode(_ body: () async throws -> StreamSocket) async -> ZeroTierError.Code? {
            do {
                _ = try await body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }

        @Test func `a lookup leaves no socket behind`() async throws {
            let node = try await start()
            let silent = try node.datagramSocket(bind: Self.server)
            for _ in 0..<3 {
                _ = await code {
                    try await node.resolve("a.test", servers: [Self.server], timeout: .milliseconds(20))
                }
            }
            let open = try node.driver.call { (core, _) throws(ZeroTierError) in core.openSockets.count }
            #expect(open == 1)
            silent.close()
            await node.shutdown()
        }
    }
}
