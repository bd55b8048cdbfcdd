// The command `zerotier`: one file per subcommand.

import ArgumentParser
import ZeroTier

@main
struct ZeroTierCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zerotier",
        abstract: "Nodes, roots and tools of virtual Ethernet networks, without privileges.",
        discussion: """
            Start with `zerotier demo`: it needs neither the Internet nor privileges.

            A node of your own: `zerotier run --home DIR` in one terminal, `zerotier join --home DIR NETWORK` in another. \
            A network without a controller: `zerotier network adhoc --ports 7-9` shows its ID.
            """,
        version: "\(libraryVersion.major).\(libraryVersion.minor).\(libraryVersion.revision)",
        subcommands: [
            DemoCommand.self, RunCommand.self, RootCommand.self, JoinCommand.self, LeaveCommand.self, PingCommand.self,
            EchoCommand.self, StatusCommand.self, PeersCommand.self, NetworksCommand.self, NetworkCommand.self,
            IdentityCommand.self, WorldCommand.self, DemoPartyCommand.self,
        ])

    static func main() async {
        Output.prepare()
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }
}
