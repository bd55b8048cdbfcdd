// zerotier ping: echo requests over a virtual network, by a running node or one of its own.

import ArgumentParser
import JSONValues
import ZeroTier

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Send echo requests over a virtual network.",
        discussion:
            "A node that runs in --home pings. Without --home and --network it is the node of `zerotier run`. "
            + "Otherwise a node is started, which needs --network and takes the other options of a node."
    )

    @Argument(help: "The address to ping.", transform: Parse.address)
    var address: IPAddress

    @OptionGroup var state: StateOptions
    @OptionGroup var options: NodeOptions

    @Option(help: "The network to join, if no node runs.", transform: Parse.network)
    var network: NetworkID?

    @Option(help: "How many requests.")
    var count = 4

    @Option(help: "Seconds to wait for an answer.")
    var timeout = 10

    @OptionGroup var report: ReportOptions

    func validate() throws {
        try Limits.check(count, Limits.requests, "--count")
        try Limits.check(timeout, Limits.seconds, "--timeout")
    }

    func run() async throws {
        let running = try state.home ?? (network == nil ? Home.standard() : nil)
        if let home = running, try ControlClient.isRunning(home: home) {
            let given = (network == nil ? [] : ["--network"]) + options.given
            guard given.isEmpty else {
                throw Failure(
                    "usage",
                    "the node that runs in \(home) pings, on its networks and with its options: leave out "
                        + given.joined(separator: ", "))
            }
            return try await series { sequence in
                let request = "ping \(address) \(sequence) \(timeout)" + (report.json ? " json" : "")
                let answer: String
                do throws(Failure) {
                    // It answers at the end of the time, if not before.
                    answer = try ControlClient.ask(
                        home: home, request, patience: .seconds(timeout) + ControlClient.patience)
                } catch {
                    // Without a node there is nothing more to ask.
                    guard try ControlClient.isRunning(home: home) else { throw error }
                    try report.show(failure(error.message))
                    return false
                }
                try Output.write(answer)
                return true
            }
        }
        guard let network else {
            throw Failure(
                "usage", "no node runs in \(try state.home ?? Home.standard()), so --network is needed to start one")
        }
        try await Node.with(try options.configuration(state.storage)) { node in
            try await node.join(network, timeout: .seconds(60))
            try await series { sequence in try await pingOnce(node, sequence) }
        }
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

    private func pingOnce(_ node: Node, _ sequence: Int) async throws -> Bool {
        let result: EchoResult
        do {
            result = try await node.ping(address, sequence: sequence, timeout: .seconds(timeout))
        } catch let error as ZeroTierError {
            try report.show(failure(error.message))
            return false
        }
        try report.show(.echo(result))
        return true
    }

    private func failure(_ message: String) -> Report {
        Report(
            text: "\(address): \(message)",
            json: .object([("address", .text(address)), ("error", .string(message))]))
    }
}

extension Result where Failure == any Error {
    /// The result or error of an asynchronous body.
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
