// zerotier rules: tables of rules as text, JSON and what is sent; and what they would do with a frame.

import ArgumentParser
import JSONValues
import NetPrimitives
import ZeroTierRules
import ZeroTierWire

struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Compile, show and try rules of networks.",
        discussion: "The language is that of the field; Docs/rules.md has it by examples.",
        subcommands: [Compile.self, Show.self, Test.self])

    struct Compile: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compile a text of rules to what controllers take.",
            discussion: """
                Shows JSON: rules, capabilities and tags under "config", and their names. An error has the line and column, \
                and says what would be right. What can hardly be meant is told on the standard error.
                """)

        @Argument(help: "File with the rules.")
        var file: String

        @Flag(help: "Show the tables as they are sent, in hexadecimal digits.")
        var wire = false

        @OptionGroup var report: ReportOptions

        func run() async throws {
            let loaded = try LoadedRules(file: file)
            for warning in loaded.warnings { Output.complain("\(file): \(warning)") }
            if wire {
                try report.show(.wire(loaded.set))
            } else {
                let json = loaded.set.compiledJSON
                try report.show(Report(text: json.indentedText, json: json))
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show rules as text.",
            discussion: """
                FILE has JSON (a table, a network's record, or what `zerotier rules compile` shows), the hexadecimal digits of a \
                table as it is sent, or text. With --network, the rules that a running node has of a network, how many frames \
                each decided on, and the frames that were refused last.
                """)

        @Argument(help: "File with rules.")
        var file: String?

        @Option(help: "A network that a running node has joined.", transform: Parse.networkText)
        var network: String?

        @OptionGroup var home: HomeOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (file == nil) != (network == nil) else { throw ValidationError("give either a file or --network") }
        }

        func run() async throws {
            if let network {
                return try Output.write(
                    ControlClient.ask(home: home.path(), "rules \(network)" + (report.json ? " json" : "")))
            }
            let set = try LoadedRules(file: file ?? "").set
            var text = set.text
            if text.hasSuffix("\n") { text.removeLast() }
            try report.show(Report(text: text, json: .object([("text", .string(set.text))])))
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try rules on a frame between two members, and show which rule decides and why.",
            discussion: """
                The sender decides first, then the receiver; both as in a running node. The frame is given by its fields, or by \
                --packet and its number. Members have the default tags and capabilities of the rules, and the sender the \
                frame's source address, unless options say otherwise.
                """)

        @Argument(help: "File with the rules: text, JSON, or hexadecimal digits.")
        var file: String

        @OptionGroup var members: TrialOptions
        @OptionGroup var frame: FrameOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let loaded = try LoadedRules(file: file)
            let trial = try FrameTrial(loaded, members, try frame.frame())
            try report.show(trial.report())
        }
    }
}

/// The two members of a trial.
struct TrialOptions: ParsableArguments {
    @Option(help: "Address of the sender: ten hexadecimal digits.", transform: Parse.node)
    var from = Address(0x11_1111_1111)

    @Option(help: "Address of the receiver.", transform: Parse.node)
    var to = Address(0x22_2222_2222)

    @Option(help: ArgumentHelp("A tag of the sender; may be repeated.", valueName: "tag=value"))
    var fromTag: [String] = []

    @Option(help: ArgumentHelp("A tag of the receiver; may be repeated.", valueName: "tag=value"))
    var toTag: [String] = []

    @Option(help: ArgumentHelp("A capability of the sender; may be repeated.", valueName: "capability"))
    var fromCap: [String] = []

    @Option(help: ArgumentHelp("A capability of the receiver; may be repeated.", valueName: "capability"))
    var toCap: [String] = []

    @Option(
        help: ArgumentHelp(
            "An IP address that the controller assigned to the sender; may be repeated. Default: the frame's source.",
            valueName: "address"), transform: Parse.address)
    var fromIP: [IPAddress] = []

    @Flag(help: "Without the default tags and capabilities of the rules.")
    var noDefaults = false

    @Flag(help: "The sender has not seen the receiver's tags yet, as with the first frame.")
    var firstContact = false

    @Option(help: "What the match `random` draws from.")
    var seed: UInt64 = 1

    func validate() throws {
        guard from != to else { throw ValidationError("--from and --to are two nodes") }
        guard !from.isReserved, !to.isReserved else {
            throw ValidationError("no node has an address that is 0 or begins with ff")
        }
    }
}

/// Rules out of a file, in whatever form.
struct LoadedRules {
    let set: RuleSet
    /// Where the rules stand, if the file is a text.
    let compiled: CompiledRules?
    /// The text as it was written, or one that compiles to the same.
    let text: String

    var warnings: [RuleTextError] { compiled?.warnings ?? [] }

    init(file: String) throws(Failure) {
        let bytes = try Files.read(file)
        let digits = bytes.filter { $0 > 0x20 }
        if let first = digits.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            do throws(JSONError) {
                set = try JSONDocument(bytes).read { (root) throws(JSONError) in try RuleSet(root) }
            } catch {
                throw Failure("rules", "\(file): \(error)")
            }
            compiled = nil
            text = set.text
        } else if !digits.isEmpty, let wire = Hexadecimal.decode(String(decoding: digits, as: UTF8.self)) {
            do throws(WireError) {
                set = RuleSet(rules: try Rule.table(decoding: wire, limit: ProtocolLimits.baseRules))
            } catch {
                throw Failure("rules", "\(file) is no table of rules as they are sent: \(error)")
            }
            compiled = nil
            text = set.text
        } else {
            do throws(RuleTextError) {
                let made = try CompiledRules(text: bytes)
                set = made.set
                compiled = made
                text = String(decoding: bytes, as: UTF8.self)
            } catch {
                throw Failure("rules", "\(file): \(error)")
            }
        }
    }
}

extension Report {
    fileprivate static func wire(_ set: RuleSet) -> Report {
        let rules = Hexadecimal.encode(Rule.encode(set.rules))
        let capabilities = set.capabilities.map { (id: $0.id, hex: Hexadecimal.encode(Rule.encode($0.rules))) }
        let text = ["rules \(rules)"] + capabilities.map { "capability \($0.id) \($0.hex)" }
        return Report(
            text: text.joined(separator: "\n"),
            json: .object([
                ("rules", .string(rules)),
                (
                    "capabilities",
                    .array(capabilities.map { .object([("id", JSONValue($0.id)), ("rules", .string($0.hex))]) })
                ),
            ]))
    }
}
