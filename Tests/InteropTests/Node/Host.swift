// The node of this process, its sockets, and the commands that are about the node itself.

import Glibc
import Synchronization
import ZeroTier

/// The one node and its sockets.
final class Host: Sendable {
    private struct State {
        var node: Node?
        var start: ContinuousClock.Instant?
        var onlineAfter: Duration?
        var streams: [Int: StreamSocket] = [:]
        var listeners: [Int: Listener] = [:]
        var datagrams: [Int: DatagramSocket] = [:]
        var nextSocket = 1
    }

    private let state = Mutex(State())

    func run(_ command: Command) async {
        do {
            if let words = try await perform(command) { command.answer(words.isEmpty ? "ok" : "ok " + words) }
        } catch let error as CommandError {
            command.answer("error what=\(error.what) \(error.details)")
        } catch let error as ZeroTierError {
            // Values hold no spaces.
            let message = error.message.map { $0 == " " ? "_" : $0 }
            command.answer("error what=\(error.code) message=\(String(message))")
        } catch {
            command.answer("error what=cancelled")
        }
    }

    // The answer's words after `ok`; nil if the command answered by itself.
    private func perform(_ command: Command) async throws -> String? {
        switch command.name {
        case "identity": return "identity=\(Identity.generate().secretText ?? "-")"
        case "world": return try makeWorld(command)
        case "start": return try await start(command)
        case "online": return try await waitOnline(command)
        case "join":
            try node().startJoining(try command.network())
            return ""
        case "leave":
            try node().leave(try command.network())
            return ""
        case "ready": return try await waitReady(command)
        case "status": return try status(command)
        case "paths": return try paths(command)
        case "stats": return try statistics()
        case "ping": return try await ping(command)
        case "stop":
            try await node().shutdown()
            return ""
        case "quit":
            command.answer("ok")
            exit(0)
        default:
            if let words = try await performControl(command) { return words }
            return try await performTraffic(command)
        }
    }

    // MARK: Node

    func node() throws -> Node {
        guard let node = state.withLock({ $0.node }) else { throw CommandError(what: "not-started") }
        return node
    }

    private func start(_ command: Command) async throws -> String {
        var configuration = Node.Configuration()
        if let home = command.text("home") { configuration.storage = .directory(home) }
        if let file = command.text("planet") { configuration.planet = try RootSet(bytes: try readFile(file)) }
        configuration.port = try command.port()
        configuration.protocolVersion = command.count("protocol", 12)
        configuration.isController = command.count("controller", 0) != 0
        let origin = ContinuousClock.now
        configuration.log = { [weak self] event in
            let elapsed = ContinuousClock.now - origin
            if event == .online { self?.state.withLock { $0.onlineAfter = $0.onlineAfter ?? elapsed } }
            writeError("\(elapsed.inMilliseconds.short) ms: \(event)\n")
        }
        state.withLock { state in
            state.start = origin
            state.onlineAfter = nil
        }
        let node = try await Node.start(configuration)
        state.withLock { $0.node = node }
        return "id=\(node.id) port=\(node.port)"
    }

    private func waitOnline(_ command: Command) async throws -> String {
        let node = try node()
        try await node.waitUntilOnline(timeout: command.timeout)
        let after = state.withLock { state -> Duration in
            let first = state.onlineAfter ?? state.start.map { ContinuousClock.now - $0 } ?? .zero
            state.onlineAfter = first
            return first
        }
        return "ms=\(after.inMilliseconds.short) id=\(node.id) port=\(node.port)"
    }

    private func makeWorld(_ command: Command) throws -> String {
        var roots: [RootSet.Root] = []
        for index in 0..<4 {
            guard let text = command.text("root\(index)") else { break }
            let halves = text.split(separator: "@")
            guard halves.count == 2 else { throw CommandError(what: "root") }
            let endpoints = halves[1].split(separator: ",").compactMap { SocketEndpoint(String($0)) }
            roots.append(RootSet.Root(identity: try Identity(text: String(halves[0])), endpoints: endpoints))
        }
        let planet = try RootSet(
            id: command.number("id", 1), timestampMilliseconds: command.number("timestamp", 1), roots: roots,
            key: RootSet.SigningKey())
        try writeFile(try command.required("file"), planet.bytes)
        return "bytes=\(planet.bytes.count)"
    }

    // MARK: Networks

    private func waitReady(_ command: Command) async throws -> String {
        let id = try command.network()
        let start = ContinuousClock.now
        while true {
            let network = try node().networks().first { $0.id == id }
            if let network, network.state == .ok,
                let own = network.addresses.first(where: { $0.address.isIPv4 == command.isIPv4 })
            {
                return "ms=\((ContinuousClock.now - start).inMilliseconds.short) address=\(own.address)"
            }
            guard ContinuousClock.now - start < command.timeout else {
                throw CommandError(what: "timeout", details: "status=\(network?.state.rawValue ?? "-")")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func status(_ command: Command) throws -> String {
        let status = try node().status()
        var words = "online=\(status.isOnline ? 1 : 0) id=\(status.id) port=\(status.port)"
        if command.text("network") != nil {
            let id = try command.network()
            let network = try node().networks().first { $0.id == id }
            let addresses = network?.addresses.map(\.address) ?? []
            words += " ready=\(network?.state == .ok ? 1 : 0) status=\(network?.state.rawValue ?? "-")"
            words += " address4=\(addresses.first { $0.isIPv4 }?.description ?? "-")"
            words += " address6=\(addresses.first { !$0.isIPv4 }?.description ?? "-")"
            let routes = (network?.routes ?? []).map { "\($0.target)@\($0.via?.description ?? "-")" }.sorted()
            words += " mtu=\(network?.mtu ?? 0) routes=\(routes.isEmpty ? "-" : routes.joined(separator: ","))"
        }
        return words + " rss_kb=\(residentKilobytes()) cpu_ms=\(processorMilliseconds().short)"
    }

    private func paths(_ command: Command) throws -> String {
        guard let id = NodeID(try command.required("peer")) else { throw CommandError(what: "peer") }
        let peer = try node().peers().first { $0.id == id }
        let paths = (peer?.paths ?? []).filter(\.isAlive).map { "\($0.endpoint.address)/\($0.endpoint.port)" }
        return "count=\(paths.count) paths=\(paths.isEmpty ? "-" : paths.joined(separator: ","))"
    }

    private func statistics() throws -> String {
        let status = try node().status()
        let suites = status.packetsBySuite
        var words = "suite0=\(suites.authenticatedOnly) suite1=\(suites.salsa) suite3=\(suites.gmacSIV)"
        words += " sent=\(status.datagramsSent) calls=\(status.sendCalls) relayed=\(status.relayedPackets)"
        words += " root=\(status.isRoot ? 1 : 0)"
        for (reason, count) in status.drops.sorted(by: { $0.key < $1.key }) { words += " drop-\(reason)=\(count)" }
        for peer in try node().peers() {
            words += " peer-\(peer.id)=\(peer.isDirect ? "direct" : "relayed"),protocol\(peer.protocolVersion)"
        }
        return words
    }

    private func ping(_ command: Command) async throws -> String {
        guard let address = IPAddress(try command.required("address")) else { throw CommandError(what: "address") }
        let result = try await node().ping(address, timeout: command.timeout)
        return "us=\((result.roundTrip.inMilliseconds * 1000).short) hops=\(result.hopLimit)"
    }

    // MARK: Sockets

    func keep(_ socket: StreamSocket) -> Int {
        state.withLock { state in
            defer { state.nextSocket += 1 }
            state.streams[state.nextSocket] = socket
            return state.nextSocket
        }
    }

    func keep(_ listener: Listener) -> Int {
        state.withLock { state in
            defer { state.nextSocket += 1 }
            state.listeners[state.nextSocket] = listener
            return state.nextSocket
        }
    }

    func keep(_ socket: DatagramSocket) -> Int {
        state.withLock { state in
            defer { state.nextSocket += 1 }
            state.datagrams[state.nextSocket] = socket
            return state.nextSocket
        }
    }

    func stream(_ command: Command) throws -> StreamSocket {
        guard let socket = state.withLock({ $0.streams[command.count("socket", 0)] }) else {
            throw CommandError(what: "socket")
        }
        return socket
    }

    func listener(_ command: Command) throws -> Listener {
        guard let listener = state.withLock({ $0.listeners[command.count("socket", 0)] }) else {
            throw CommandError(what: "socket")
        }
        return listener
    }

    func close(_ command: Command) {
        let number = command.count("socket", 0)
        let (stream, listener, datagram) = state.withLock { state in
            (
                state.streams.removeValue(forKey: number), state.listeners.removeValue(forKey: number),
                state.datagrams.removeValue(forKey: number)
            )
        }
        stream?.close()
        listener?.close()
        datagram?.close()
    }
}
