// zerotier leave: let a running node leave a network.

import ArgumentParser
import ZeroTier

struct LeaveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave", abstract: "Let a running node leave a network.")

    @OptionGroup var home: HomeOptions

    @Argument(help: "The network's ID: 16 hexadecimal digits.", transform: Parse.known)
    var network: String

    @OptionGroup var report: ReportOptions

    func run() async throws {
        try Output.write(ControlClient.ask(home: home.path(), "leave \(network)" + (report.json ? " json" : "")))
    }
}
