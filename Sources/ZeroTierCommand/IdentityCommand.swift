// zerotier identity: make, show and check identities.

import ArgumentParser
import JSONValues
import ZeroTier

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity", abstract: "Make, show and check identities.",
        subcommands: [New.self, Show.self, Validate.self])

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an identity.")

        @Option(help: "File for the secret identity, made with mode 0600; must not exist. Default: print it.")
        var output: String?

        @OptionGroup var report: ReportOptions

        func run() async throws {
            // Before the work is done.
            if let output, Files.exists(output), !Files.isStream(output) {
                throw Failure(
                    "file",
                    "\(output) exists, and an identity that is lost cannot be made again: "
                        + "remove it or choose another name")
            }
            let identity = Identity.generate()
            let secret = identity.secretText ?? ""
            if let output { try Files.writeSecret(output, Array(secret.utf8)) }
            try report.show(
                Report(
                    text: output == nil ? secret : identity.publicText,
                    json: .object(
                        [("address", .text(identity.id)), ("public", .string(identity.publicText))]
                            + (output == nil ? [("secret", .string(secret))] : []))))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the public part of an identity.")

        @Argument(help: "File with an identity.")
        var file: String

        @OptionGroup var report: ReportOptions

        func run() async throws {
            let identity = try Files.identity(file)
            try report.show(
                Report(
                    text: identity.publicText,
                    json: .object([
                        ("address", .text(identity.id)), ("public", .string(identity.publicText)),
                        ("hasSecret", .bool(identity.hasSecret)),
                    ])))
        }
    }

    struct Validate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Check that an address follows from its keys.")

        @Argument(help: "File with an identity.")
        var file: String

        @OptionGroup var report: ReportOptions

        func run() async throws {
            let identity = try Files.identity(file)
            let isValid = identity.isValid
            try report.show(
                Report(
                    text: "\(identity.id) is \(isValid ? "valid" : "NOT valid")",
                    json: .object([("address", .text(identity.id)), ("valid", .bool(isValid))])))
            if !isValid { throw ExitCode.failure }
        }
    }
}
