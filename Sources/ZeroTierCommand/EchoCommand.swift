// zerotier echo: a TCP or UDP echo service on a virtual network, and its client.

import ArgumentParser
import JSONValues
import ZeroTier
import ZeroTierService

struct EchoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "Send bytes over a virtual network and get them back.",
        subcommands: [Serve.self, Send.self])

    struct ServiceOptions: ParsableArguments {
        @Option(help: "The network to join.", transform: Parse.network)
        var network: NetworkID

        @Option(help: "Port on the virtual network.")
        var port: UInt16 = 7

        @Flag(help: "UDP instead of TCP.")
        var udp = false

        @Flag(help: "The bytes go one way only: the receiver answers with their SHA-256 when the stream ends.")
        var discard = false

        @Option(help: "Seconds to wait for the network, and for the other side; a sender gives up when nothing moves.")
        var timeout = 60

        func validate() throws {
            try Limits.check(Int(port), Limits.ports, "--port")
            try Limits.check(timeout, Limits.seconds, "--timeout")
            guard !(udp && discard) else { throw ValidationError("--discard is for TCP") }
        }
    }

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Answer.")

        @OptionGroup var service: ServiceOptions
        @OptionGroup var state: StateOptions
        @OptionGroup var options: NodeOptions

        @Option(
            help: "Connect to this address instead of listening, then serve that connection.", transform: Parse.address)
        var connect: IPAddress?

        @Option(help: "End after so many connections, or datagrams with --udp; 0 for never.")
        var count = 0

        @OptionGroup var log: LogOptions

        func validate() throws {
            try Limits.check(count, 0...Limits.requests.upperBound, "--count")
            guard !(service.udp && connect != nil) else { throw ValidationError("--connect is for TCP") }
        }

        func run() async throws {
            try await withSession(state, options, service, log) { node in
                if service.udp { return try await serveDatagrams(node) }
                if let connect {
                    let socket = try await node.connect(
                        to: SocketEndpoint(connect, port: service.port), timeout: .seconds(service.timeout))
                    log.log(try await serve(socket))
                    return
                }
                let listener = try node.listen(port: service.port)
                log.log(.listening(service.port, "TCP"))
                try await withThrowingDiscardingTaskGroup { group in
                    var accepted = 0
                    for try await socket in listener {
                        group.addTask {
                            do {
                                log.log(try await serve(socket))
                            } catch {
                                log.log(.failure(error))
                            }
                        }
                        accepted += 1
                        if accepted == count { break }
                    }
                }
            }
        }

        private func serve(_ socket: StreamSocket) async throws -> Report {
            log.log(.connected(socket.remoteEndpoint))
            defer { socket.close() }
            if service.discard { return try await Transfer.receiveAndConfirm(socket).report("received") }
            return try await Transfer.echo(socket).report("echoed")
        }

        private func serveDatagrams(_ node: Node) async throws {
            // It takes IPv4 too.
            let socket = try node.datagramSocket(port: service.port)
            log.log(.listening(service.port, "UDP"))
            var served = 0
            for try await datagram in socket {
                do {
                    try await socket.send(datagram.bytes, to: datagram.source)
                } catch let error as ZeroTierError where error.code != .closed && error.code != .nodeStopped {
                    // Port 0, and an address without a route, cannot be answered. The others still can.
                    continue
                }
                served += 1
                if served == count { return }
            }
        }
    }

    struct Send: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask, and check the answer.")

        @OptionGroup var service: ServiceOptions
        @OptionGroup var state: StateOptions
        @OptionGroup var options: NodeOptions

        @Option(help: "Address of the service.", transform: Parse.address)
        var to: IPAddress?

        @Flag(help: "Listen for the service to connect, instead of connecting to it.")
        var listen = false

        @Option(help: "Bytes to send; with --udp, bytes of each datagram. Default: 1000000; with --udp 1000.")
        var size: Int?

        @Option(help: "Datagrams to send with --udp.")
        var count = 10

        @OptionGroup var log: LogOptions

        func validate() throws {
            guard listen != (to != nil) else { throw ValidationError("give either --to ADDRESS or --listen") }
            guard !(listen && service.udp) else { throw ValidationError("--listen is for TCP") }
            try Limits.check(count, Limits.requests, "--count")
            guard let size else { return }
            guard service.udp else { return try Limits.check(size, Limits.streamBytes, "--size") }
            let range = to?.isIPv4 == true ? Limits.datagramBytes4 : Limits.datagramBytes6
            try Limits.check(size, range, "--size of a datagram")
        }

        private var timeout: Duration { .seconds(service.timeout) }

        func run() async throws {
            try await withSession(state, options, service, log) { node in
                if service.udp { return try await sendDatagrams(node, size ?? 1000) }
                let socket = try await open(node)
                log.log(.connected(socket.remoteEndpoint))
                let size = size ?? 1_000_000
                let result =
                    service.discard
                    ? try await Transfer.sendAndConfirm(size, to: socket, patience: timeout)
                    : try await Transfer.sendAndCompare(size, over: socket, patience: timeout)
                socket.close()
                try log.show(result.report(service.discard ? "sent" : "echoed"))
            }
        }

        private func open(_ node: Node) async throws -> StreamSocket {
            if let to {
                return try await node.connect(to: SocketEndpoint(to, port: service.port), timeout: timeout)
            }
            let listener = try node.listen(port: service.port)
            log.log(.listening(service.port, "TCP"))
            return try await listener.accept(timeout: timeout)
        }

        private func sendDatagrams(_ node: Node, _ size: Int) async throws {
            guard let to else { return }
            let socket = try node.datagramSocket(bind: SocketEndpoint(to.isIPv4 ? .anyIPv4 : .anyIPv6, port: 0))
            let service = SocketEndpoint(to, port: service.port)
            let start = ContinuousClock.now
            for number in 0..<count { try await ask(socket, service, number, size) }
            let duration = ContinuousClock.now - start
            try log.show(
                Report(
                    text: "\(count) of \(count) datagrams of \(size) bytes came back in \(duration.inMilliseconds)",
                    json: .object([
                        ("event", .string("datagrams")), ("sent", .integer(Int64(count))),
                        ("answered", .integer(Int64(count))), ("bytes", .integer(Int64(size))),
                        ("seconds", .number(duration.seconds)),
                    ])))
        }

        // Sends a datagram again each second until it comes back: the first ones may be lost while the peer is being
        // found, as with any network.
        private func ask(_ socket: DatagramSocket, _ service: SocketEndpoint, _ number: Int, _ size: Int) async throws {
            let bytes = Send.pattern(number, size)
            let deadline = ContinuousClock.now + timeout
            while true {
                try await socket.send(bytes, to: service)
                let attempt = min(deadline, ContinuousClock.now + .seconds(1))
                while let answer = try await Send.receive(socket, until: attempt) {
                    if answer == bytes { return }
                    // The second answer to an earlier one that was sent again.
                    let isEarlier = (max(0, number - 16)..<number).contains { Send.pattern($0, size) == answer }
                    guard isEarlier else {
                        throw Failure("transferFailed", "datagram \(number) came back with other bytes")
                    }
                }
                guard ContinuousClock.now < deadline else {
                    throw ZeroTierError(.timedOut, "datagram \(number) did not come back within \(timeout)")
                }
            }
        }

        // Nil when the time is over.
        private static func receive(
            _ socket: DatagramSocket, until deadline: ContinuousClock.Instant
        ) async throws -> [UInt8]? {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return nil }
            do {
                return try await socket.receive(timeout: left).bytes
            } catch let error as ZeroTierError where error.code == .timedOut {
                return nil
            }
        }

        private static func pattern(_ number: Int, _ size: Int) -> [UInt8] {
            (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
        }
    }
}

/// Starts a node, joins the network, runs the body, and always shuts the node down.
private func withSession(
    _ state: StateOptions, _ options: NodeOptions, _ service: EchoCommand.ServiceOptions, _ log: LogOptions,
    _ body: (Node) async throws -> Void
) async throws {
    var configuration = try options.configuration(state.storage)
    configuration.log = { event in log.log(.event(event)) }
    try await Node.with(configuration) { node in
        log.log(.started(node))
        let network = try await node.join(service.network, timeout: .seconds(service.timeout))
        log.log(.joined(try network.status))
        try await body(node)
    }
}

extension Report {
    static func started(_ node: Node) -> Report {
        Report(
            text: "node \(node.id) on UDP port \(node.port)",
            json: .object([
                ("event", .string("started")), ("address", .text(node.id)), ("port", .integer(Int64(node.port))),
            ]))
    }

    static func joined(_ network: NetworkStatus) -> Report {
        Report(
            text: "joined \(network.id): \(network.addresses.map(\.description).joined(separator: " "))",
            json: .object([("event", .string("joined")), ("network", Report.network(network))]))
    }

    static func listening(_ port: UInt16, _ transport: String) -> Report {
        Report(
            text: "listening on \(transport) port \(port)",
            json: .object([
                ("event", .string("listening")), ("transport", .string(transport)), ("port", .integer(Int64(port))),
            ]))
    }

    static func connected(_ remote: SocketEndpoint) -> Report {
        Report(
            text: "connected with \(remote)",
            json: .object([("event", .string("connected")), ("remote", .text(remote))]))
    }

    static func failure(_ error: any Error) -> Report {
        Report(
            text: "failed: \(error)",
            json: .object([("event", .string("failed")), ("message", .string("\(error)"))]), level: .warning)
    }
}
