// The command `zerotier`: one file per subcommand.

import ArgumentParser
import Glibc
import ZeroTier

@main
struct ZeroTierCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zerotier",
        abstract: "Nodes, roots and tools of virtual Ethernet networks, without privileges.",
        discussion: """
            Start with `zerotier demo`: it needs neither the Internet nor privileges.

            A node of your own: `zerotier run` in one terminal, `zerotier join NETWORK` in another; with --home DIR for more \
            than one. A network without a controller: `zerotier network adhoc --ports 7-9` shows its ID. One of your own, with \
            members that you let in: `zerotier run --controller`, `zerotier controller network create`.

            The verbs and switches of zerotier-cli are understood, too: info, listpeers, listnetworks, listmoons, get, set, \
            orbit, deorbit and -j, -D. The original's tools themselves are `zerotier cli` and `zerotier idtool`, and this \
            program under the names zerotier-cli and zerotier-idtool.
            """,
        version: libraryVersionText,
        subcommands: [
            DemoCommand.self, RunCommand.self, RootCommand.self, JoinCommand.self, LeaveCommand.self, SetVerb.self,
            PingCommand.self,
            EchoCommand.self, StatusCommand.self, PeersCommand.self, NetworksCommand.self, NetworkCommand.self,
            ControllerCommand.self, RulesCommand.self, DiagnoseCommand.self, IdentityCommand.self, WorldCommand.self,
            BackupCommand.self, RestoreCommand.self,
            ClientCommand.self, IdentityToolCommand.self, DemoPartyCommand.self, InfoVerb.self, ListPeersVerb.self,
            ListNetworksVerb.self, ListMoonsVerb.self, GetVerb.self, OrbitVerb.self, DeorbitVerb.self,
            DumpVerb.self, BondVerb.self,
        ])

    static func main() async {
        Output.prepare()
        do {
            if let status = try await OriginalTool.run(CommandLine.arguments) { Glibc.exit(status) }
            var command = try await asyncParseAsRoot(
                try OriginalSwitches.arrange(Array(CommandLine.arguments.dropFirst())))
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
