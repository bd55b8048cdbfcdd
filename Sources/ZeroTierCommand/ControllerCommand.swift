// zerotier controller: the networks that a running node controls, and their members.

import ArgumentParser
import ZeroTier

struct ControllerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "controller", abstract: "Networks of your own, on a node that runs with --controller.",
        discussion: """
            Three commands make a private network: \
            `zerotier controller network create --name home --subnet 10.147.17.0/24` shows its ID; on another machine \
            `zerotier join ID`; then `zerotier controller member authorize ID NODE` for each node that \
            `zerotier controller member list ID` shows as waiting.
            """,
        subcommands: [
            ControllerNetworkCommand.self, ControllerMemberCommand.self, ControllerRulesCommand.self,
            ControllerTokenCommand.self, ControllerImportCommand.self, ControllerExportCommand.self,
        ])
}

/// What all of them have: which node, and how the answer is shown.
struct ControllerOptions: ParsableArguments {
    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions

    /// Asks the node and shows the answer.
    func ask(_ words: [String], patience: Duration = .seconds(30)) throws {
        let request = (["controller"] + words.map(RequestWord.encode)).joined(separator: " ")
        try Output.write(
            ControlClient.ask(home: home.path(), request + (report.json ? " json" : ""), patience: patience))
    }
}

// MARK: Networks

struct ControllerNetworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network", abstract: "Make, show, change and delete networks.",
        subcommands: [List.self, Create.self, Show.self, Change.self, Delete.self])

    /// What an administrator may say about a network. What is not given stays as it is.
    struct Settings: ParsableArguments {
        @Option(help: "The name that members see.")
        var name: String?

        @Option(help: "yes: members must be let in. no: everybody is.")
        var `private`: Switch?

        @Option(
            help: ArgumentHelp(
                "Subnet such as 10.147.17.0/24; may be repeated.",
                discussion: """
                    Makes its route, and members get addresses of it: of those --pool that are inside of it, or else of all of \
                    it.
                    """),
            transform: Prefixes.read)
        var subnet: [IPPrefix] = []

        @Option(
            help: ArgumentHelp("Routes in place of the present ones; may be repeated.", valueName: "target[,gateway]"))
        var route: [String] = []

        @Option(
            help: ArgumentHelp(
                "Ranges of addresses in place of the present ones; may be repeated.",
                discussion: """
                    A range gives addresses if it is inside a route, and --ipv4 or --ipv6 is yes: --subnet does both.
                    """, valueName: "first-last"))
        var pool: [String] = []

        @Option(help: "Whether members get an IPv4 address of the ranges.")
        var ipv4: Switch?

        @Option(help: "Whether members get an IPv6 address of the ranges.")
        var ipv6: Switch?

        @Option(name: .customLong("6plane"), help: "Whether members get the address of the 6PLANE scheme.")
        var sixPlane: Switch?

        @Option(help: "Whether members get the address of the RFC 4193 scheme.")
        var rfc4193: Switch?

        @Option(help: "Whether broadcasts reach all members.")
        var broadcast: Switch?

        @Option(help: "Copies of one multicast frame; 0 for none.")
        var multicastLimit: Int?

        @Option(help: "The longest packet.")
        var mtu: Int?

        @Option(help: "The domain of the name servers.")
        var dnsDomain: String?

        @Option(help: "Name servers in place of the present ones; may be repeated.", transform: Parse.address)
        var dnsServer: [IPAddress] = []

        @Option(help: "Texts that let their bearers in, in place of the present ones; may be repeated.")
        var token: [String] = []

        @Option(
            help: ArgumentHelp(
                "Empties a list: routes, pools, dns-servers or tokens; may be repeated.", valueName: "list"))
        var clear: [String] = []

        /// As words for the node.
        var words: [String] {
            var words: [String] = []
            func add(_ key: String, _ value: (some CustomStringConvertible)?) {
                if let value { words.append("\(key)=\(value)") }
            }
            add("name", name)
            add("private", self.private)
            add("ipv4", ipv4)
            add("ipv6", ipv6)
            add("6plane", sixPlane)
            add("rfc4193", rfc4193)
            add("broadcast", broadcast)
            add("multicastLimit", multicastLimit)
            add("mtu", mtu)
            add("dnsDomain", dnsDomain)
            for value in route { add("route", value) }
            for value in pool { add("pool", value) }
            for value in subnet { add("subnet", value) }
            for value in dnsServer { add("dnsServer", value) }
            for value in token { add("token", value) }
            for value in clear { add("clear", value) }
            return words
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show all networks.")
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["network", "list"]) }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a network, and show how to join it.")
        @OptionGroup var settings: Settings
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["network", "create"] + settings.words) }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one network.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["network", "show", network]) }
    }

    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change a network. Members have it within a moment.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var settings: Settings
        @OptionGroup var options: ControllerOptions

        func validate() throws {
            if settings.words.isEmpty { throw ValidationError("nothing to change: give an option, such as --name") }
        }

        func run() async throws { try options.ask(["network", "set", network] + settings.words) }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a network with all its members.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["network", "delete", network]) }
    }
}

// MARK: Members

struct ControllerMemberCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "member", abstract: "Show members and those who wait, let them in and out.",
        subcommands: [List.self, Show.self, Authorize.self, Deauthorize.self, Change.self, Delete.self])

    /// One member of one network.
    struct Place: ParsableArguments {
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @Argument(help: "The node's address: 10 hexadecimal digits.", transform: Nodes.read)
        var node: NodeID

        var words: [String] { [network, "\(node)"] }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show all members of a network, and who waits to be let in.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["member", "list", network]) }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show one member, with what lets it in, its tags and its capabilities.")
        @OptionGroup var place: Place
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["member", "show"] + place.words) }
    }

    struct Authorize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "authorize", abstract: "Let a node in.")
        @OptionGroup var place: Place
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["member", "set"] + place.words + ["authorized=yes"]) }
    }

    struct Deauthorize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "deauthorize", abstract: "Let a member out: others refuse it within a moment.")
        @OptionGroup var place: Place
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["member", "set"] + place.words + ["authorized=no"]) }
    }

    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change a member, or make one before it asks.")
        @OptionGroup var place: Place

        @Option(help: "A name for administrators.")
        var name: String?

        @Option(help: "Addresses in place of the present ones; may be repeated.", transform: Parse.address)
        var address: [IPAddress] = []

        @Option(help: "Whether it gets addresses of the ranges.")
        var assign: Switch?

        @Option(help: "Whether it may pass frames of other stations.")
        var bridge: Switch?

        @Option(
            help: ArgumentHelp(
                "Gives it a tag, both by name or number; may be repeated.", valueName: "tag=value"))
        var tag: [String] = []

        @Option(help: ArgumentHelp("Takes a tag away; may be repeated.", valueName: "tag"))
        var noTag: [String] = []

        @Option(
            help: ArgumentHelp(
                "Gives it a capability of the rules, by name or number; may be repeated.", valueName: "capability"))
        var capability: [String] = []

        @Option(help: ArgumentHelp("Takes a capability away; may be repeated.", valueName: "capability"))
        var noCapability: [String] = []

        @Option(
            help: ArgumentHelp(
                "Empties a list: addresses, tags or capabilities; may be repeated. Addresses of the ranges are given anew.",
                valueName: "list"))
        var clear: [String] = []

        @OptionGroup var options: ControllerOptions

        private var words: [String] {
            var words = name.map { ["name=\($0)"] } ?? []
            words += (assign.map { ["assign=\($0)"] } ?? []) + (bridge.map { ["bridge=\($0)"] } ?? [])
            words += address.map { "address=\($0)" }
            words += tag.map { "tag=\($0)" } + noTag.map { "noTag=\($0)" }
            words += capability.map { "capability=\($0)" } + noCapability.map { "noCapability=\($0)" }
            return words + clear.map { "clear=\($0)" }
        }

        func validate() throws {
            if words.isEmpty { throw ValidationError("nothing to change: give an option, such as --name") }
        }

        func run() async throws { try options.ask(["member", "set"] + place.words + words) }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Forget a member with its addresses.")
        @OptionGroup var place: Place
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["member", "delete"] + place.words) }
    }
}
