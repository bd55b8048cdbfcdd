// The command `zerotier`: one file per subcommand.

import ArgumentParser

@main
struct ZeroTierCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zerotier",
        abstract: "Nodes, roots and tools of virtual Ethernet networks, without privileges.",
        discussion: """
            Start with `zerotier demo`: it needs neither the Internet nor privileges.

            A node of your own: `zerotier run --home DIR` in one terminal, `zerotier join --home DIR NETWORK` in another.
            """,
        subcommands: [
            DemoCommand.self, RunCommand.self, RootCommand.self, JoinCommand.self, LeaveCommand.self, PingCommand.self,
            EchoCommand.self, StatusCommand.self, PeersCommand.self, NetworksCommand.self, IdentityCommand.self,
            WorldCommand.self, DemoPartyCommand.self,
        ])
}
