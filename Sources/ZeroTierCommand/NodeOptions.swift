// Options that several subcommands share.

import ArgumentParser
import ZeroTier
import ZeroTierService

/// How a node of this process is made.
struct NodeOptions: ParsableArguments {
    @Option(help: "File with the planet: the roots to use. Default: the stored one, or else the standard one.")
    var planet: String?

    @Option(help: "UDP port; 0 for the last run's or a random one.")
    var udpPort: UInt16 = 0

    @Option(help: "Local address to use; may be repeated. Default: all.", transform: Parse.address)
    var bind: [IPAddress] = []

    @Flag(help: "Reach peers on this machine by its loopback interface too. Off by default, as in every ordinary node.")
    var loopbackPaths = false

    @Flag(help: "Never use direct paths, only the roots.")
    var relayOnly = false

    @Option(name: .customLong("protocol"), help: "Protocol version to announce: 12, or 11 for the older cipher.")
    var protocolVersion = 12

    @Flag(help: "One system call per datagram, as on systems without segmentation offload.")
    var plainUDP = false

    @OptionGroup var relay: RelayOptions

    func validate() throws { try Limits.check(protocolVersion, 11...12, "--protocol") }

    func configuration(_ storage: Node.Storage) throws -> Node.Configuration {
        var configuration = Node.Configuration(storage: storage)
        if let planet { configuration.planet = try Files.planet(planet) }
        configuration.port = udpPort
        configuration.bindAddresses = bind
        configuration.allowsLoopbackPaths = loopbackPaths
        configuration.isRelayOnly = relayOnly
        configuration.protocolVersion = protocolVersion
        configuration.usesOffload = !plainUDP
        configuration.relayedBytesPerSecond = relay.relayLimit
        return configuration
    }

    /// The options whose value is not the default.
    var given: [String] {
        var names: [String] = []
        if planet != nil { names.append("--planet") }
        if udpPort != 0 { names.append("--udp-port") }
        if !bind.isEmpty { names.append("--bind") }
        if loopbackPaths { names.append("--loopback-paths") }
        if relayOnly { names.append("--relay-only") }
        if protocolVersion != 12 { names.append("--protocol") }
        if plainUDP { names.append("--plain-udp") }
        return names + relay.given
    }
}

/// How much a node relays for others.
struct RelayOptions: ParsableArguments {
    private static let standard = Node.Configuration().relayedBytesPerSecond

    @Option(
        help: ArgumentHelp(
            "Bytes a second that are relayed for one source, as a root or for members of its networks.",
            valueName: "bytes"))
    var relayLimit = RelayOptions.standard

    func validate() throws { try Limits.check(relayLimit, Node.Configuration.relayLimits, "--relay-limit") }

    var given: [String] { relayLimit == RelayOptions.standard ? [] : ["--relay-limit"] }
}

/// The state directory of a node that can do without one.
struct StateOptions: ParsableArguments {
    @Option(help: "State directory. Without it the node has a new identity and forgets everything.")
    var home: String?

    var storage: Node.Storage { home.map { .directory($0) } ?? .memory }
}

/// The state directory: of the running node that is asked, or of the node that is started.
struct HomeOptions: ParsableArguments {
    @Option(
        name: [.long, .customShort("D", allowingJoined: true)],
        help: ArgumentHelp(
            "State directory of the node. Default: $ZEROTIER_HOME, or else /var/lib/zerotier for the superuser and "
                + "~/.local/state/zerotier for others.", valueName: "directory"))
    var home: String?

    func path() throws(Failure) -> String {
        if let home { return home }
        return try Home.standard()
    }
}

/// How a report is shown.
struct ReportOptions: ParsableArguments {
    @Flag(
        name: [.long, .customShort("j")],
        help: """
            Report as JSON, one value a line. An error is one too, on the standard error: an object with "error" and \
            "code".
            """)
    var json = false

    /// Shows a result. Throws if that is not possible.
    func show(_ report: Report) throws { try Output.write(report.rendered(asJSON: json)) }
}

extension LogLevel: ExpressibleByArgument {}

/// Which events are shown, and in which form.
struct LogOptions: ParsableArguments {
    @OptionGroup var report: ReportOptions

    @Flag(help: "Lines of the log without time and level.")
    var plainLog = false

    @Option(
        help: """
            The least grave lines of the log that are written: info, warning or error. Default: settings.logLevel of \
            local.conf if there is a service, else info.
            """)
    var logLevel: LogLevel?

    /// Shows an event, if that is possible and it is grave enough.
    func log(_ report: Report) {
        guard report.level >= logLevel ?? LogLine.least else { return }
        Output.log(LogLine.render(report, asJSON: self.report.json, isPlain: plainLog))
    }

    /// Shows a result. Throws if that is not possible.
    func show(_ report: Report) throws { try self.report.show(report) }
}
