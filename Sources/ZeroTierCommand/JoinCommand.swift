// zerotier join: let a running node join a network.

import ArgumentParser
import ZeroTier

struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Let a running node join a network.",
        discussion: """
            On a private network the administrator must then authorise the node, unless a token does. With a token it waits for \
            the controller's answer, at most 15 s, and fails if the token does not let the node in. The node then stays joined \
            and goes on asking: `zerotier leave` ends that.
            """)

    @OptionGroup var home: HomeOptions

    @Argument(help: "The network's ID: 16 hexadecimal digits.", transform: Parse.network)
    var network: NetworkID

    @Option(help: "A text that lets the node in without an administrator, if the network has it.")
    var token: String?

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let words = ["join", "\(network)"] + (token.map { [RequestWord.encode($0)] } ?? [])
        try Output.write(
            ControlClient.ask(
                home: home.path(), words.joined(separator: " ") + (report.json ? " json" : ""), patience: .seconds(30)))
    }
}
