// zerotier peers: the peers of a running node.

import ArgumentParser

struct PeersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "Show a running node's peers: address, role, direct or relayed, version, latency.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions

    func run() async throws {
        try Output.write(ControlClient.ask(home: home.path(), "peers" + (report.json ? " json" : "")))
    }
}
