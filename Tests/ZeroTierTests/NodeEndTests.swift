import Foundation
import NetPrimitives
import Testing

@testable import ZeroTier

/// What becomes of connections when a node ends, or a peer does.
extension DriverTests {
    @Suite struct NodeEndTests {
        private func pattern(_ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        }

        private func code(_ body: () async throws -> Void) async -> ZeroTierError.Code? {
            do {
                try await body()
                return nil
            } catch {
                return (error as? ZeroTierError)?.code
            }
        }

        @Test func `what was written before a close reaches the peer although the node is shut down`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            let bytes = pattern(3_000_000)
            async let received: [UInt8] = {
                var all: [UInt8] = []
                for try await chunk in peer { all += chunk }
                return all
            }()
            try await socket.write(bytes)
            socket.close()
            await nodes.first.shutdown()
            #expect(try await received == bytes)
            await nodes.shutdown()
        }

        @Test func `a stream that ended without a close is delivered as well, one that did not is reset`() async throws
        {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let ended = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let endedPeer = try await listener.accept(timeout: .seconds(10))
            let open = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let openPeer = try await listener.accept(timeout: .seconds(10))
            let bytes = pattern(1_000_000)
            async let received: [UInt8] = {
                var all: [UInt8] = []
                for try await chunk in endedPeer { all += chunk }
                return all
            }()
            try await ended.write(bytes)
            try ended.closeWrite()
            await nodes.first.shutdown()
            #expect(try await received == bytes)
            #expect(await code { while try await openPeer.read() != nil {} } == .connectionReset)
            withExtendedLifetime(open) {}
            await nodes.shutdown()
        }

        @Test func `a peer that takes nothing does not hold up a shutdown for long, and gets a reset`() async throws {
            let port = try Node.findFreePort()
            let planet = try Constellation.makePlanet(port: port)
            var settings = Constellation.configuration(TestIdentity.root, planet)
            settings.port = port
            let root = try await Node.start(settings)
            var first = Constellation.configuration(TestIdentity.first, planet)
            first.shutdownLinger = .milliseconds(200)
            let sender = try await Node.start(first)
            let second = try await Node.start(Constellation.configuration(TestIdentity.second, planet))
            for node in [sender, second] { try await node.waitUntilOnline(timeout: .seconds(20)) }
            try await sender.join(Constellation.network)
            let address = try #require(try await second.join(Constellation.network).addresses.first?.address)
            let listener = try second.listen(port: 80)
            let socket = try await sender.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            // Until both buffers are full.
            #expect(
                await code { try await socket.write([UInt8](repeating: 1, count: 64 << 20), timeout: .seconds(1)) }
                    == .timedOut)
            socket.close()
            await sender.shutdown()
            #expect(await code { while try await peer.read(timeout: .seconds(10)) != nil {} } == .connectionReset)
            await second.shutdown()
            await root.shutdown()
        }

        @Test func `reads and writes have time limits that say what to do`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            let late = await #expect(throws: ZeroTierError.self) { try await socket.read(timeout: .milliseconds(20)) }
            #expect(late?.code == .timedOut && late?.message.contains("read again") == true)
            #expect(await code { _ = try await socket.read(exactly: 3, timeout: .milliseconds(20)) } == .timedOut)
            let full = await #expect(throws: ZeroTierError.self) {
                try await socket.write([UInt8](repeating: 1, count: 64 << 20), timeout: .milliseconds(500))
            }
            #expect(full?.code == .timedOut && full?.message.contains("abort") == true)
            // Nothing was lost by the limits.
            try await peer.write([1, 2, 3])
            #expect(try await socket.read(exactly: 3, timeout: .seconds(10)) == [1, 2, 3])
            await nodes.shutdown()
        }

        @Test func `connections ask a silent peer as the configuration says, both ends of them`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            func keepAlive(_ socket: StreamSocket) throws -> (Bool, Duration, Duration, Int) {
                try socket.driver.call { (core, _) throws(ZeroTierError) in
                    do {
                        let options = try core.node.stack.connectionOptions(socket.id)
                        return (
                            options.keepAlive, options.keepAliveIdle, options.keepAliveInterval,
                            options.keepAliveCount
                        )
                    } catch {
                        throw ZeroTierError(.failed, "\(error)")
                    }
                }
            }
            for end in [socket, peer] {
                #expect(try keepAlive(end) == (true, .seconds(60), .seconds(10), 6))
            }
            try socket.setKeepAlive(.init(idle: .seconds(5), interval: .seconds(2), count: 3))
            #expect(try keepAlive(socket) == (true, .seconds(5), .seconds(2), 3))
            try socket.setKeepAlive(nil)
            #expect(try keepAlive(socket).0 == false)
            await nodes.shutdown()
        }

        // Without its wake-up it would wait for all of the time it is given.
        @Test(.timeLimit(.minutes(3)))
        func `drain waits for what closed connections still have to deliver, and no longer than told`()
            async throws
        {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            // More than the peer's buffer takes while nobody reads.
            let bytes = pattern(3_000_000)
            let writing = Task { try await socket.write(bytes) }
            var all: [UInt8] = []
            while all.count < 500_000, let chunk = try await peer.read() { all += chunk }
            async let rest: [UInt8] = {
                var rest: [UInt8] = []
                while let chunk = try await peer.read() { rest += chunk }
                return rest
            }()
            try await writing.value
            socket.close()
            #expect(try await nodes.first.drain(timeout: .seconds(3600)))
            let left = try nodes.first.driver.call { (core, _) throws(ZeroTierError) in core.lingeringSockets }
            #expect(left == 0)
            all += try await rest
            #expect(all == bytes)

            let second = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let silent = try await listener.accept(timeout: .seconds(10))
            #expect(
                await code {
                    try await second.write([UInt8](repeating: 1, count: 64 << 20), timeout: .milliseconds(500))
                } == .timedOut)
            second.close()
            let start = ContinuousClock.now
            #expect(try await !nodes.first.drain(timeout: .milliseconds(300)))
            #expect(ContinuousClock.now - start >= .milliseconds(300))
            withExtendedLifetime(silent) {}
            await nodes.shutdown()
        }

        @Test(.timeLimit(.minutes(3))) func `a peer that was killed is told of as unreachable`()
            async throws
        {
            let nodes = try await Constellation()
            let events = nodes.first.events
            let address = try await nodes.join()
            let peer = nodes.second.id
            _ = try await nodes.first.ping(address)
            for await event in events {
                if case .peerDirect(peer, _) = event { break }
            }
            nodes.second.driver.state.withLock { state in state.core = nil }
            let pinging = Task {
                while !Task.isCancelled { _ = try? await nodes.first.ping(address, timeout: .seconds(1)) }
            }
            for await event in events {
                if event == .peerUnreachable(peer) { break }
                // Nobody heard it behind a root.
                if event == .peerRelayed(peer) { Issue.record("a dead peer was told of as relayed") }
                if event == .stopped { Issue.record("the node stopped") }
            }
            pinging.cancel()
            let status = try nodes.first.peers().first { $0.id == peer }
            #expect(status?.isReachable == false && status?.isDirect == false)
            await nodes.shutdown()
        }

        @Test func `a reader of a peer that was killed is told, not left waiting`() async throws {
            let nodes = try await Constellation()
            let address = try await nodes.join()
            let listener = try nodes.second.listen(port: 80)
            let socket = try await nodes.first.connect(to: SocketEndpoint(address, port: 80))
            let peer = try await listener.accept(timeout: .seconds(10))
            try socket.setKeepAlive(.init(idle: .seconds(1), interval: .seconds(1), count: 2))
            // As a kill: its datagrams come and go no more, and it says nothing.
            nodes.second.driver.state.withLock { state in state.core = nil }
            let error = await #expect(throws: ZeroTierError.self) { try await socket.read() }
            #expect(error?.code == .timedOut || error?.code == .hostUnreachable, "\(String(describing: error))")
            withExtendedLifetime(peer) {}
            await nodes.shutdown()
        }
    }
}
