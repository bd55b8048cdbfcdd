// The verbs of the original's `zerotier-cli`, hidden beside our own. Verbs that our node can serve print what scripts
// parse, byte for byte. The others say what to type instead.

import ArgumentParser
import ZeroTier

/// A verb that the running node answers.
private protocol AskingVerb: AsyncParsableCommand {
    var home: HomeOptions { get }
    var report: ReportOptions { get }
    var request: String { get }
}

extension AskingVerb {
    func run() async throws {
        let answer = try ControlClient.ask(home: home.path(), request + (report.json ? " json" : ""))
        if !answer.isEmpty { try Output.write(answer) }
    }
}

private func hidden(_ name: String, _ abstract: String) -> CommandConfiguration {
    CommandConfiguration(commandName: name, abstract: abstract, shouldDisplay: false)
}

struct InfoVerb: AskingVerb {
    static let configuration = hidden("info", "As `zerotier-cli info`: see `status`.")
    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions
    var request: String { "info" }
}

struct ListPeersVerb: AskingVerb {
    static let configuration = hidden("listpeers", "As `zerotier-cli listpeers`: see `peers`.")
    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions
    var request: String { "listpeers" }
}

struct ListNetworksVerb: AskingVerb {
    static let configuration = hidden("listnetworks", "As `zerotier-cli listnetworks`: see `networks`.")
    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions
    var request: String { "listnetworks" }
}

struct ListMoonsVerb: AskingVerb {
    static let configuration = hidden("listmoons", "As `zerotier-cli listmoons`.")
    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions
    var request: String { "listmoons" }
}

struct GetVerb: AskingVerb {
    static let configuration = hidden("get", "As `zerotier-cli get`: one member of a network.")
    @OptionGroup var home: HomeOptions
    @Argument(transform: Parse.network) var network: NetworkID
    @Argument var member: String
    @OptionGroup var report: ReportOptions
    var request: String { "get \(network) \(member.prefix { $0.isLetter || $0.isNumber })" }
}

struct OrbitVerb: AskingVerb {
    static let configuration = hidden("orbit", "As `zerotier-cli orbit`: use the roots of a moon.")
    @OptionGroup var home: HomeOptions
    @Argument(transform: Parse.hexadecimal) var moon: UInt64
    @Argument(transform: Parse.hexadecimal) var seed: UInt64
    @OptionGroup var report: ReportOptions
    var request: String { "orbit \(String(moon, radix: 16)) \(String(seed, radix: 16))" }
}

struct DeorbitVerb: AskingVerb {
    static let configuration = hidden("deorbit", "As `zerotier-cli deorbit`: forget a moon.")
    @OptionGroup var home: HomeOptions
    @Argument(transform: Parse.hexadecimal) var moon: UInt64
    @OptionGroup var report: ReportOptions
    var request: String { "deorbit \(String(moon, radix: 16))" }
}

/// One of ours too: the settings are the original's.
struct SetVerb: AskingVerb {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Say what a network's controller may set on a running node.",
        discussion: """
            allowManaged: addresses and routes, 1 by default. A list of prefixes such as 10.0.0.0/8,fd00::/8 allows those \
            inside one of them. allowGlobal: the same in global address space. allowDefault: a route to everywhere. \
            allowDNS: name servers. Shows the network as JSON, with all four settings. They are kept until the network is left.
            """)

    @OptionGroup var home: HomeOptions
    @Argument(help: "The network's ID: 16 hexadecimal digits.", transform: Parse.network)
    var network: NetworkID
    @Argument(
        help: ArgumentHelp("The setting and 1 or 0, such as allowGlobal=1.", valueName: "setting=value"),
        transform: Setting.init)
    var setting: Setting
    @OptionGroup var report: ReportOptions

    var request: String { "set \(network) \(setting.name) \(setting.value)" }

    /// A setting as it is given.
    struct Setting: Sendable {
        let name: String
        let value: String

        init(_ text: String) throws {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, !text.contains(where: \.isWhitespace) else {
                throw ValidationError("a setting is like allowGlobal=1")
            }
            // Refused here: that needs no node.
            var settings = NetworkSettings()
            do throws(ZeroTierError) {
                try OriginalVerb.change(&settings, parts[0], parts[1])
            } catch {
                throw ValidationError(error.message)
            }
            (name, value) = (parts[0], parts[1])
        }
    }
}

/// Verbs that have no meaning here.
private protocol ForeignVerb: AsyncParsableCommand {
    static var answer: String { get }
}

extension ForeignVerb {
    func run() async throws { throw Failure("usage", Self.answer) }
}

struct DumpVerb: ForeignVerb {
    static let configuration = hidden("dump", "As `zerotier-cli dump`: see `status`, `peers` and `networks`.")
    @Argument(parsing: .captureForPassthrough) var rest: [String] = []
    static let answer =
        "type `zerotier status --json; zerotier peers --json; zerotier networks --json`, which show all that a node "
        + "knows, and no secrets"
}

struct BondVerb: ForeignVerb {
    static let configuration = CommandConfiguration(
        commandName: "bond", abstract: "As `zerotier-cli bond`: there are no bonds.", shouldDisplay: false,
        aliases: ["listbonds"])
    @Argument(parsing: .captureForPassthrough) var rest: [String] = []
    static let answer = "this program does not bond paths; `zerotier peers --json` shows the paths of each peer"
}

/// The original's switches stand before the verb, ours behind it.
enum OriginalSwitches {
    static func arrange(_ arguments: [String]) throws(Failure) -> [String] {
        var moved: [String] = []
        var rest = arguments[...]
        while let first = rest.first, first.hasPrefix("-"), !first.hasPrefix("--") {
            switch first.dropFirst().first {
            case "j" where first == "-j", "D" where first.utf8.count > 2: moved.append(first)
            case "v" where first == "-v": moved.append("--version")
            case "q" where first == "-q": break
            case "p", "T", "H":
                throw Failure(
                    "usage",
                    "a node is asked by its state directory, not by a port and a token: type --home in place of \(first). "
                        + "A service is asked by `zerotier cli`"
                )
            default: return moved + rest
            }
            rest.removeFirst()
        }
        if let first = rest.first, first.hasPrefix("/") {
            throw Failure(
                "usage",
                "a node has no paths to ask for: type `zerotier status --json`, `zerotier peers --json` or "
                    + "`zerotier networks --json`. A service is asked by `zerotier cli \(first)`")
        }
        return rest + moved
    }
}
