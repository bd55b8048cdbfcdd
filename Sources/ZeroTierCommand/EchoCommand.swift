// zerotier echo: a TCP or UDP echo service on a virtual network, and its client.

import ArgumentParser
import ZeroTier

struct EchoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "Send bytes over a virtual network and get them back.",
        subcommands: [Serve.self, Send.self])

    struct ServiceOptions: ParsableArguments {
        @Option(help: "The network to join.")
        var network: NetworkID

        @Option(help: "Port on the virtual network.")
        var port: UInt16 = 7

        @Flag(help: "UDP instead of TCP.")
        var udp = false

        @Flag(help: "The bytes go one way only: the receiver answers with their SHA-256 when the stream ends.")
        var discard = false

        @Option(help: "Seconds to wait for the network, and for the other side.")
        var timeout = 60
    }

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Answer.")

        @OptionGroup var service: ServiceOptions
        @OptionGroup var options: NodeOptions

        @Option(help: "Connect to this address instead of listening, then serve that connection.")
        var connect: IPAddress?

        @Option(help: "End after so many connections, or datagrams with --udp; 0 for never.")
        var count = 0

        @OptionGroup var report: ReportOptions

        func run() async throws {
            try await withSession(options, service, report) { node in
                if service.udp { return try await serveDatagrams(node) }
                if let connect {
                    let socket = try await node.connect(
                        to: SocketEndpoint(connect, port: service.port), timeout: .seconds(service.timeout))
                    report.show(try await serve(socket))
                    return
                }
                let listener = try node.listen(port: service.port)
                report.show(.listening(service.port, "TCP"))
                try await withThrowingDiscardingTaskGroup { group in
                    var accepted = 0
                    for try await socket in listener {
                        group.addTask {
                            do {
                                report.show(try await serve(socket))
                            } catch {
                                report.show(.failure(error))
                            }
                        }
                        accepted += 1
                        if accepted == count { break }
                    }
                }
            }
        }

        private func serve(_ socket: StreamSocket) async throws -> Report {
            report.show(.connected(socket.remoteEndpoint))
            defer { socket.close() }
            if service.discard { return try await Transfer.receiveAndConfirm(socket).report("received") }
            return try await Transfer.echo(socket).report("echoed")
        }

        private func serveDatagrams(_ node: Node) async throws {
            // It takes IPv4 too.
            let socket = try node.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: service.port))
            report.show(.listening(service.port, "UDP"))
            var served = 0
            for try await datagram in socket {
                try await socket.send(datagram.bytes, to: datagram.source)
                served += 1
                if served == count { return }
            }
        }
    }

    struct Send: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask, and check the answer.")

        @OptionGroup var service: ServiceOptions
        @OptionGroup var options: NodeOptions

        @Option(help: "Address of the service.")
        var to: IPAddress?

        @Flag(help: "Listen for the service to connect, instead of connecting to it.")
        var listen = false

        @Option(help: "Bytes to send; with --udp, bytes of each datagram.")
        var size = 1_000_000

        @Option(help: "Datagrams to send with --udp.")
        var count = 10

        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard listen != (to != nil) else { throw ValidationError("give either --to ADDRESS or --listen") }
            guard !(listen && service.udp) else { throw ValidationError("--listen is for TCP") }
        }

        func run() async throws {
            try await withSession(options, service, report) { node in
                if service.udp { return try await sendDatagrams(node) }
                let socket = try await open(node)
                report.show(.connected(socket.remoteEndpoint))
                let result =
                    service.discard
                    ? try await Transfer.sendAndConfirm(size, to: socket)
                    : try await Transfer.sendAndCompare(size, over: socket)
                report.show(result.report(service.discard ? "sent" : "echoed"))
                socket.close()
            }
        }

        private func open(_ node: Node) async throws -> StreamSocket {
            if let to {
                return try await node.connect(
                    to: SocketEndpoint(to, port: service.port), timeout: .seconds(service.timeout))
            }
            let listener = try node.listen(port: service.port)
            report.show(.listening(service.port, "TCP"))
            return try await listener.accept(timeout: .seconds(service.timeout))
        }

        private func sendDatagrams(_ node: Node) async throws {
            guard let to else { return }
            let socket = try node.datagramSocket(bind: SocketEndpoint(to.isIPv4 ? .anyIPv4 : .anyIPv6, port: 0))
            var answered = 0
            let start = ContinuousClock.now
            for number in 0..<count {
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
                // The first datagrams may be lost while the peer is being found, as with any network.
                for attempt in 1...10 {
                    try await socket.send(bytes, to: SocketEndpoint(to, port: service.port))
                    do {
                        let answer = try await socket.receive(timeout: .seconds(1))
                        guard answer.bytes == bytes else {
                            throw TransferError(message: "datagram \(number) came back with other bytes")
                        }
                        answered += 1
                        break
                    } catch let error as ZeroTierError where error.code == .timedOut && attempt < 10 {
                        continue
                    }
                }
            }
            let duration = ContinuousClock.now - start
            report.show(
                Report(
                    text: "\(answered) of \(count) datagrams of \(size) bytes came back in \(duration.inMilliseconds)",
                    json: .object([
                        ("event", .string("datagrams")), ("sent", .integer(Int64(count))),
                        ("answered", .integer(Int64(answered))), ("bytes", .integer(Int64(size))),
                        ("seconds", .number(duration.seconds)),
                    ])))
            if answered < count { throw ExitCode.failure }
        }
    }
}

/// Starts a node, joins the network, runs the body and shuts the node down, whatever happens.
private func withSession(
    _ options: NodeOptions, _ service: EchoCommand.ServiceOptions, _ report: ReportOptions,
    _ body: (Node) async throws -> Void
) async throws {
    var configuration = try options.configuration
    configuration.log = { event in report.show(.event(event)) }
    let node = try await Node.start(configuration)
    report.show(.started(node))
    do {
        let network = try await node.join(service.network, timeout: .seconds(service.timeout))
        report.show(.networks([network]))
        try await body(node)
        // What was written last is still on its way.
        await node.drain(timeout: .seconds(5))
    } catch {
        await node.shutdown()
        throw error
    }
    await node.shutdown()
}

extension Report {
    static func started(_ node: Node) -> Report {
        Report(
            text: "node \(node.id) on UDP port \(node.port)",
            json: .object([
                ("event", .string("started")), ("address", .text(node.id)), ("port", .integer(Int64(node.port))),
            ]))
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
            json: .object([("event", .string("failed")), ("message", .string("\(error)"))]))
    }
}
