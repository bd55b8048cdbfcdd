// zerotier root: a root of one's own, with its planet.

import ArgumentParser
import Foundation
import ZeroTier

struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: "Run a root of your own until it is interrupted.",
        discussion: """
            On the first start it makes an identity, a signing key and the file `planet` in the state directory. Give that \
            file to every node that is to use this root: `zerotier run --planet FILE`.
            """)

    @Option(help: "State directory.")
    var home: String

    @Option(help: "UDP port.")
    var udpPort: UInt16 = 9993

    @Option(help: "Where nodes reach this root; may be repeated. Default: the addresses of this machine.")
    var endpoint: [SocketEndpoint] = []

    @Option(help: "Local address to use; may be repeated. Default: all.")
    var bind: [IPAddress] = []

    @Flag(help: "Also serve nodes on this machine by its loopback interface.")
    var loopbackPaths = false

    @Flag(help: "One system call per datagram, as on systems without segmentation offload.")
    var plainUDP = false

    // For the demo, whose processes are not to outlive it, however it ends.
    @Flag(help: .private) var endWithInput = false

    @OptionGroup var report: ReportOptions

    func run() async throws {
        if endWithInput { endWithStandardInput() }
        let planet = try makePlanet()
        var configuration = Node.Configuration(storage: .directory(home))
        configuration.planet = planet
        configuration.port = udpPort
        configuration.bindAddresses = bind
        configuration.allowsLoopbackPaths = loopbackPaths
        configuration.usesOffload = !plainUDP
        report.show(
            Report(
                text: "planet in \(planetFile)",
                json: .object([("event", .string("planet")), ("file", .string(planetFile))])))
        try await serve(configuration, home: home, join: [], report: report)
    }

    private var planetFile: String { "\(home)/planet" }

    // The stored planet if it names this root with these endpoints, else a new version of it.
    private func makePlanet() throws -> Planet {
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let identityFile = "\(home)/identity.secret"
        let identity: Identity
        if FileManager.default.fileExists(atPath: identityFile) {
            identity = try Identity(text: String(decoding: readFile(identityFile), as: UTF8.self))
        } else {
            identity = Identity.generate()
            try writeFile(identityFile, Array((identity.secretText ?? "").utf8), isSecret: true)
        }
        var endpoints = endpoint
        if endpoints.isEmpty {
            let addresses = bind.isEmpty ? Node.usableAddresses(allowLoopback: loopbackPaths) : bind
            endpoints = addresses.prefix(32).map { SocketEndpoint($0, port: udpPort) }
        }
        guard !endpoints.isEmpty else {
            throw ValidationError("this machine has no address that nodes could reach: give --endpoint")
        }
        let roots = [Planet.Root(identity: try Identity(text: identity.publicText), endpoints: endpoints)]
        if FileManager.default.fileExists(atPath: planetFile),
            let stored = try? Planet(bytes: readFile(planetFile)), stored.roots == roots
        {
            return stored
        }
        let id = (try? Planet(bytes: readFile(planetFile)).id) ?? UInt64.random(in: 1...UInt64.max)
        let planet = try Planet(id: id, roots: roots, key: loadSigningKey("\(home)/planet.key"))
        try writeFile(planetFile, planet.bytes)
        return planet
    }
}
