// zerotier status: the state of a running node.

import ArgumentParser

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show a running node's state.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions

    func run() async throws {
        try Output.write(ControlClient.ask(home: home.path(), "status" + (report.json ? " json" : "")))
    }
}
