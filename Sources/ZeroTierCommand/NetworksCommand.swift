// zerotier networks: the networks of a running node.

import ArgumentParser

struct NetworksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "networks", abstract: "Show a running node's networks and its addresses on them.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions

    func run() async throws {
        try Output.write(ControlClient.ask(home: home.path(), "networks" + (report.json ? " json" : "")))
    }
}
