// zerotier ping: echo requests over a virtual network, by a running node or one of its own.

import ArgumentParser
import ZeroTier

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Send echo requests over a virtual network.",
        discussion: "If a node runs in --home, it pings. Otherwise a node is started for it, which needs --network.")

    @Argument(help: "The address to ping.")
    var address: IPAddress

    @OptionGroup var options: NodeOptions

    @Option(help: "The network to join, if no node runs.")
    var network: NetworkID?

    @Option(help: "How many requests.")
    var count = 4

    @Option(help: "Seconds to wait for an answer.")
    var timeout = 10

    @OptionGroup var report: ReportOptions

    func run() async throws {
        if let home = options.home, ControlClient.isRunning(home: home) {
            for _ in 0..<count {
                writeLine(try ControlClient.ask(home: home, "ping \(address)" + (report.json ? " json" : "")))
                try await Task.sleep(for: .seconds(1))
            }
            return
        }
        guard let network else { throw ValidationError("no node runs, so --network is needed to start one") }
        let node = try await Node.start(try options.configuration)
        let result = await Result { try await ping(node, network) }
        await node.shutdown()
        if try result.get() == 0 { throw ExitCode.failure }
    }

    // How many answers came.
    private func ping(_ node: Node, _ network: NetworkID) async throws -> Int {
        try await node.join(network, timeout: .seconds(60))
        var answered = 0
        for sequence in 0..<count {
            if await pingOnce(node, sequence) { answered += 1 }
            if sequence + 1 < count { try await Task.sleep(for: .seconds(1)) }
        }
        return answered
    }

    private func pingOnce(_ node: Node, _ sequence: Int) async -> Bool {
        do {
            report.show(.echo(try await node.ping(address, sequence: sequence, timeout: .seconds(timeout))))
            return true
        } catch {
            report.show(
                Report(
                    text: "\(address): \(error.message)",
                    json: .object([("address", .text(address)), ("error", .string(error.message))])))
            return false
        }
    }
}

extension Result where Failure == any Error {
    /// What an asynchronous body gives or throws.
    init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}

extension Report {
    static func echo(_ result: EchoResult) -> Report {
        Report(
            text: "\(result.address): sequence \(result.sequence), \(result.roundTrip.inMilliseconds)",
            json: .object([
                ("address", .text(result.address)), ("sequence", .integer(Int64(result.sequence))),
                ("roundTripMilliseconds", .milliseconds(result.roundTrip)),
                ("hopLimit", .integer(Int64(result.hopLimit))),
            ]))
    }
}
