// zerotier run: a node in the foreground.

import ArgumentParser
import Dispatch
import Foundation
import ZeroTier

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a node until it is interrupted.",
        discussion: "`status`, `peers`, `networks`, `join` and `leave` speak to it by its state directory.")

    @OptionGroup var options: NodeOptions

    @Option(help: "Network to join; may be repeated.")
    var join: [NetworkID] = []

    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard options.home != nil else { throw ValidationError("a node that is to be spoken to needs --home DIR") }
    }

    func run() async throws {
        try await serve(try options.configuration, home: options.home ?? "", join: join, report: report)
    }
}

/// Runs a node until SIGINT or SIGTERM, or until its identity turns out to be unusable.
func serve(_ configuration: Node.Configuration, home: String, join: [NetworkID], report: ReportOptions) async throws {
    var configuration = configuration
    configuration.log = { event in report.show(.event(event)) }
    let node = try await Node.start(configuration)
    let control = try ControlServer(node: node, home: home)
    try control.start()
    report.show(
        Report(
            text: "node \(node.id) on UDP port \(node.port), state in \(home)",
            json: .object([
                ("event", .string("started")), ("address", .text(node.id)), ("port", .integer(Int64(node.port))),
                ("home", .string(home)),
            ])))
    for network in join { try node.startJoining(network) }
    await waitForEnd(of: node)
    control.stop()
    await node.shutdown()
}

/// Returns at SIGINT, SIGTERM, or when the node cannot go on.
func waitForEnd(of node: Node) async {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler { continuation.yield() }
        source.resume()
        return source
    }
    let watcher = Task {
        for await event in node.events where event == .identityCollision || event == .stopped {
            continuation.yield()
        }
    }
    for await _ in stream { break }
    watcher.cancel()
    for source in sources { source.cancel() }
}
