// zerotier controller rules, zerotier controller token: what members may do, and what lets them in.

import ArgumentParser
import Foundation
import ZeroTier

struct ControllerRulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Show, set and clear the rules of a network.",
        subcommands: [Show.self, Set.self, Clear.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show the rules of a network as text; with --json, as controllers keep them."
        )
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["rules", "show", network]) }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Give a network the rules of a file. Members have them within a moment.",
            discussion: """
                The file has a text of rules, or JSON as `zerotier rules compile` shows it. Tags and capabilities that the rules \
                define are given to members by `zerotier controller member set`. `zerotier rules test` tries a file first.
                """)
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @Argument(help: "File with the rules.")
        var file: String
        @OptionGroup var options: ControllerOptions

        func run() async throws {
            let loaded = try LoadedRules(file: file)
            for warning in loaded.warnings { Output.complain("\(file): \(warning)") }
            try options.ask(["rules", "set", network, loaded.text])
        }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "clear", abstract: "Allow everything on a network.",
            discussion: """
                Its rules go, and with them what its tags and capabilities mean. Members keep their numbers, and later rules with the \
                same numbers count for them: `zerotier controller member set --clear tags --clear capabilities` takes them away.
                """)
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["rules", "clear", network]) }
    }
}

struct ControllerTokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Texts that let their bearers in: `zerotier join NETWORK --token TEXT`.",
        subcommands: [List.self, Add.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the tokens of a network.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["token", "list", network]) }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Make a token, or prolong one, and show it.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @Argument(help: "The token: 1 to 128 bytes. Default: one that is drawn.")
        var token: String?
        @Option(help: "Hours for which it lets nodes in. Default: for ever.")
        var hours: Int?
        @OptionGroup var options: ControllerOptions

        func validate() throws {
            if let hours { try Limits.check(hours, 1...876_000, "--hours") }
        }

        func run() async throws {
            let expires = hours.map { Int64(Date().timeIntervalSince1970 * 1000) + Int64($0) * 3_600_000 } ?? 0
            try options.ask(["token", "add", network, token ?? Add.drawn(), "\(expires)"])
        }

        // 120 bits, in characters that can be read aloud.
        private static func drawn() -> String {
            let characters = Array("abcdefghijkmnpqrstuvwxyz23456789")
            return String((0..<24).map { _ in characters[Int.random(in: characters.indices)] })
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Let a token let nobody in any more. Who came by it stays a member.")
        @Argument(help: "The network's ID.", transform: Parse.known)
        var network: String
        @Argument(help: "The token.")
        var token: String
        @OptionGroup var options: ControllerOptions
        func run() async throws { try options.ask(["token", "remove", network, token]) }
    }
}
