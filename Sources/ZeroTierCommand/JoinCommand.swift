// zerotier join: let a running node join a network.

import ArgumentParser
import ZeroTier

struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Let a running node join a network.",
        discussion: "On a private network the administrator must then authorise the node's address.")

    @OptionGroup var home: HomeOptions

    @Argument(help: "The network's ID: 16 hexadecimal digits.", transform: Parse.network)
    var network: NetworkID

    @OptionGroup var report: ReportOptions

    func run() async throws {
        try Output.write(ControlClient.ask(home: home.path(), "join \(network)" + (report.json ? " json" : "")))
    }
}
