// Options that several subcommands share.

public import ArgumentParser
import Foundation
public import ZeroTier

/// How a node of this process is made.
struct NodeOptions: ParsableArguments {
    @Option(help: "State directory. Without it the node has a new identity and forgets everything.")
    var home: String?

    @Option(help: "File with the planet: the roots to use. Default: the stored one, or else the standard one.")
    var planet: String?

    @Option(help: "UDP port; 0 for the last run's or a random one.")
    var udpPort: UInt16 = 0

    @Option(help: "Local address to use; may be repeated. Default: all.")
    var bind: [IPAddress] = []

    @Flag(help: "Also reach peers on this machine by its loopback interface. Off, as with every ordinary node.")
    var loopbackPaths = false

    @Flag(help: "Never use direct paths, only the roots.")
    var relayOnly = false

    @Option(name: .customLong("protocol"), help: "Protocol version to announce: 12, or 11 for the older cipher.")
    var protocolVersion = 12

    @Flag(help: "One system call per datagram, as on systems without segmentation offload.")
    var plainUDP = false

    var configuration: Node.Configuration {
        get throws {
            var configuration = Node.Configuration(storage: home.map { .directory($0) } ?? .memory)
            if let planet { configuration.planet = try Planet(bytes: readFile(planet)) }
            configuration.port = udpPort
            configuration.bindAddresses = bind
            configuration.allowsLoopbackPaths = loopbackPaths
            configuration.isRelayOnly = relayOnly
            configuration.protocolVersion = protocolVersion
            configuration.usesOffload = !plainUDP
            return configuration
        }
    }
}

/// Which running node is spoken to.
struct HomeOptions: ParsableArguments {
    @Option(help: "State directory of the running node.")
    var home: String
}

/// How a report is shown.
struct ReportOptions: ParsableArguments {
    @Flag(help: "Report as JSON, one value a line.")
    var json = false

    func show(_ report: Report) { writeLine(report.rendered(asJSON: json)) }
}

extension IPAddress: ExpressibleByArgument {
    /// Reads the value of an option.
    public init?(argument: String) { self.init(argument) }
}

extension SocketEndpoint: ExpressibleByArgument {
    /// Reads the value of an option.
    public init?(argument: String) { self.init(argument) }
}

extension NetworkID: ExpressibleByArgument {
    /// Reads the value of an option.
    public init?(argument: String) { self.init(argument) }
}

func readFile(_ path: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else {
        throw ValidationError("cannot read \(path)")
    }
    return Array(data)
}

/// Writes a file whose secrets are for its owner alone, if `isSecret`.
func writeFile(_ path: String, _ bytes: [UInt8], isSecret: Bool = false) throws {
    guard
        FileManager.default.createFile(
            atPath: path, contents: Data(bytes), attributes: [.posixPermissions: isSecret ? 0o600 : 0o644])
    else { throw ValidationError("cannot write \(path)") }
}

/// Writes a line at once, also into a pipe.
func writeLine(_ text: String) {
    FileHandle.standardOutput.write(Data((text + "\n").utf8))
}

func writeError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
