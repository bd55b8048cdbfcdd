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
        var answered = 0
        do {
            _ = try await node.join(network, timeout: .seconds(60))
            for sequence in 0..<count {
                do {
                    let result = try await node.ping(address, sequence: sequence, timeout: .seconds(timeout))
                    report.show(.echo(result))
                    answered += 1
                } catch  where error.code != .cancelled {
                    report.show(
                        Report(
                            text: "\(address): \(error.message)",
                            json: .object([("address", .text(address)), ("error", .string(error.message))])))
                }
                if sequence + 1 < count { try await Task.sleep(for: .seconds(1)) }
            }
        } catch {
            await node.shutdown()
            throw error
        }
        await node.shutdown()
        if answered == 0 { throw ExitCode.failure }
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
