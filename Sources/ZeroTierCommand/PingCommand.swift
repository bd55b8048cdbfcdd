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

    func validate() throws {
        guard count > 0, timeout > 0 else { throw ValidationError("--count and --timeout are at least 1") }
    }

    func run() async throws {
        if let home = options.home, ControlClient.isRunning(home: home) {
            return try await series { sequence in
                let request = "ping \(address) \(sequence) \(timeout)" + (report.json ? " json" : "")
                do throws(ControlError) {
                    writeLine(try ControlClient.ask(home: home, request))
                    return true
                } catch {
                    // Without a node there is nothing more to ask.
                    guard ControlClient.isRunning(home: home) else { throw error }
                    report.show(failure(error.message))
                    return false
                }
            }
        }
        guard let network else { throw ValidationError("no node runs, so --network is needed to start one") }
        let node = try await Node.start(try options.configuration)
        let result = await Result {
            try await node.join(network, timeout: .seconds(60))
            try await series { sequence in await pingOnce(node, sequence) }
        }
        await node.shutdown()
        try result.get()
    }

    // A request a second. Fails if no answer came.
    private func series(_ body: (Int) async throws -> Bool) async throws {
        var answered = 0
        for sequence in 0..<count {
            if try await body(sequence) { answered += 1 }
            if sequence + 1 < count { try await Task.sleep(for: .seconds(1)) }
        }
        if answered == 0 { throw ExitCode.failure }
    }

    private func pingOnce(_ node: Node, _ sequence: Int) async -> Bool {
        do {
            report.show(.echo(try await node.ping(address, sequence: sequence, timeout: .seconds(timeout))))
            return true
        } catch {
            report.show(failure(error.message))
            return false
        }
    }

    private func failure(_ message: String) -> Report {
        Report(
            text: "\(address): \(message)",
            json: .object([("address", .text(address)), ("error", .string(message))]))
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
