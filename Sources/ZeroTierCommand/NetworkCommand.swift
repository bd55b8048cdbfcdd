// zerotier network: the IDs of networks that need no controller.

import ArgumentParser
import JSONValues
import ZeroTier

struct NetworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network", abstract: "Work out network IDs.", subcommands: [AdHoc.self])

    struct AdHoc: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "adhoc", abstract: "Show the ID of an ad-hoc network.",
            discussion: """
                An ad-hoc network has no controller and no access control: everybody who knows the ID can join. Encrypt \
                and authenticate above it, as on any open network.

                --ports: IPv6, and TCP connections to these ports only; UDP and everything else pass on all ports. --ipv4: everything, with IPv4 addresses \
                N.x.y.z/8 that follow from the nodes' addresses.
                """)

        @Option(help: "The ports to which connections may be opened, such as 7-9.", transform: Parse.ports)
        var ports: ClosedRange<UInt16>?

        @Option(help: ArgumentHelp("First number of the nodes' IPv4 addresses, such as 10.", valueName: "number"))
        var ipv4: Int?

        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (ports == nil) != (ipv4 == nil) else { throw ValidationError("give either --ports or --ipv4") }
            guard let ipv4 else { return }
            try Limits.check(ipv4, 1...223, "--ipv4")
            guard ipv4 != 127 else { throw ValidationError("--ipv4 127 is every machine's own network") }
        }

        func run() async throws {
            let network = ports.map { NetworkID.adHoc(ports: $0) } ?? AdHoc.network(firstOctet: ipv4 ?? 0)
            try report.show(Report(text: network.description, json: .object([("network", .text(network))])))
        }

        // ff, the number, five bytes that nobody uses, 01.
        private static func network(firstOctet: Int) -> NetworkID {
            NetworkID(0xff << 56 | UInt64(firstOctet) << 48 | 1)
        }
    }
}
