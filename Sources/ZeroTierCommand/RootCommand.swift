// zerotier root: a root of one's own, with its planet.

import ArgumentParser
import JSONValues
import ZeroTier
import ZeroTierService

struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: "Run a root of your own until it is interrupted.",
        discussion: """
            On the first start it makes an identity, a signing key and the file `planet` in the state directory. Give that \
            file to every node that is to use this root: `zerotier run --planet FILE`.
            """)

    @Option(
        help: ArgumentHelp(
            "State directory; made if there is none. Default: $ZEROTIER_HOME, or else /var/lib/zerotier-root for the "
                + "superuser and ~/.local/state/zerotier-root for others.", valueName: "directory"))
    var home: String?

    @Option(help: "UDP port. Default: that of the last run, or else 9993.")
    var udpPort: UInt16?

    @Option(
        help: """
            Where nodes reach this root; may be repeated. Default: those of the stored planet, or else the addresses of \
            this machine.
            """,
        transform: Parse.endpoint)
    var endpoint: [SocketEndpoint] = []

    @Option(help: "Local address to use; may be repeated. Default: all.", transform: Parse.address)
    var bind: [IPAddress] = []

    @Flag(help: "Also serve nodes on this machine by its loopback interface.")
    var loopbackPaths = false

    @Flag(help: "One system call per datagram, as on systems without segmentation offload.")
    var plainUDP = false

    // For the demo: its processes must not outlive it, however it ends.
    @Flag(help: .private) var endWithInput = false

    @OptionGroup var relay: RelayOptions
    @OptionGroup var log: LogOptions

    private static let standardPort: UInt16 = 9993

    func validate() throws {
        if let udpPort { try Limits.check(Int(udpPort), Limits.ports, "--udp-port") }
        guard endpoint.count <= 32 else { throw ValidationError("a root has at most 32 endpoints") }
        guard Set(endpoint).count == endpoint.count else { throw ValidationError("an --endpoint is given twice") }
    }

    func run() async throws {
        if endWithInput { endWithStandardInput() }
        let home = try self.home ?? Home.standardOfRoot()
        let store = try lockHome(home)
        try await remembering(in: store) { try await run(home, store) }
    }

    private func run(_ home: String, _ store: DirectoryStore) async throws {
        // The start tells if it cannot be read.
        let earlier = try? store.read(RootCommand.planetFile).map { (bytes) throws(ZeroTierError) in
            try RootSet(bytes: bytes)
        }
        var configuration = Node.Configuration(storage: .store(store))
        configuration.root = Node.Root(endpoints: endpoint)
        configuration.port = try udpPort ?? lastPort(store, earlier) ?? RootCommand.standardPort
        configuration.bindAddresses = bind
        configuration.allowsLoopbackPaths = loopbackPaths
        configuration.usesOffload = !plainUDP
        configuration.relayedBytesPerSecond = relay.relayLimit
        try await serve(configuration, home: home, join: [], log: log) { node in
            guard let planet = try node.planet() else { return }
            log.log(.rootPlanet(planet, earlier: earlier, file: store.location(of: RootCommand.planetFile)))
            for doubt in doubts(planet, node.port) { log.log(doubt) }
        }
    }

    private static let planetFile = "planet"

    // Only if it is this root's: a planet that another command left has nothing to do with its port.
    private func lastPort(_ store: DirectoryStore, _ earlier: RootSet?) throws(ZeroTierError) -> UInt16? {
        guard earlier != nil, let bytes = try store.read("port") else { return nil }
        return UInt16(String(decoding: bytes, as: UTF8.self))
    }

    // An endpoint that is right behind a router that forwards a port, and a mistake otherwise.
    private func doubts(_ planet: RootSet, _ port: UInt16) -> [Report] {
        let endpoints = planet.roots.flatMap(\.endpoints)
        var doubts: [Report] = []
        if !endpoints.contains(where: { $0.port == port }) {
            doubts.append(
                .doubt("no endpoint of the planet has port \(port), on which this root listens"))
        }
        let own = Set(Node.usableAddresses(allowLoopback: true) + bind)
        if !endpoints.contains(where: { own.contains($0.address) }) {
            doubts.append(.doubt("no endpoint of the planet has an address of this machine"))
        }
        return doubts
    }
}

extension Report {
    /// The planet of a root, and whether it differs from the one before.
    fileprivate static func rootPlanet(_ planet: RootSet, earlier: RootSet?, file: String) -> Report {
        func list(_ planet: RootSet?) -> String {
            (planet?.roots.flatMap(\.endpoints) ?? []).map(\.description).joined(separator: " ")
        }
        let change: (name: String, text: String, level: LogLevel) =
            switch earlier {
            case planet: ("kept", "as before", .info)
            case nil: ("made", "new", .info)
            default:
                (
                    "signed",
                    "a new version: before, nodes reached this root at \(list(earlier)). Those that still do learn it from "
                        + "this root, the others need the file", .warning
                )
            }
        return Report(
            text: "planet in \(file): \(list(planet)) (\(change.text))",
            json: .object([
                ("event", .string("planet")), ("file", .string(file)), ("change", .string(change.name)),
                ("endpoints", .array(planet.roots.flatMap(\.endpoints).map { .text($0) })),
                ("earlierEndpoints", .array((earlier?.roots ?? []).flatMap(\.endpoints).map { .text($0) })),
            ]), level: change.level)
    }

    fileprivate static func doubt(_ text: String) -> Report {
        Report(
            text: "\(text): right behind a router that forwards to it, otherwise give --endpoint",
            json: .object([("event", .string("doubt")), ("message", .string(text))]), level: .warning)
    }
}
