// Driver: the original's `zerotier-idtool`, as a name of this program and as `zerotier idtool`.
// Read first: `zerotier/ZeroTierOne one.cpp` for the facts.

import ArgumentParser
import Glibc
import JSONValues
import NetPrimitives
import ZeroTier
import ZeroTierCrypto
import ZeroTierWire

/// The tool for identities and worlds.
enum IdentityTool {
    private typealias WireIdentity = ZeroTierWire.Identity

    /// Bytes of a file that is signed or checked.
    private static let messageLimit = 1 << 30

    static let help = """
        zerotier-idtool of swift-zerotier \(libraryVersionText): identities, signatures and lists of roots.

        Usage: zerotier-idtool <command> [<argument> ...]

        Commands:
          generate [<secret> [<public> [<prefix>]]]
                                  make an identity, into files; without them, print it. Its address may begin with digits of
                                  your choice; each of them takes 16 times as long
          validate <identity>     check that an address follows from its keys
          getpublic <identity>    print an identity without its secret
          sign <identity> <file>  sign a file's contents with an identity's secret
          verify <identity> <file> <signature>
                                  check a signature
          initmoon <identity>     print the JSON of a moon with this first root. Keep it: it has the key for all later versions
          genmoon <file>          sign the moon in a file of such JSON, into the working directory
          help                    this help

        An identity is a file's name or the text itself; a signature too.
        """

    /// Does what the arguments say. Returns the exit status; throws what went wrong.
    static func run(_ arguments: [String]) async throws -> Int32 {
        let rest = Array(arguments.dropFirst())
        switch (arguments.first, rest.count) {
        case ("generate"?, 0...3): try await generate(rest)
        case ("validate"?, 1): try validate(rest[0])
        case ("getpublic"?, 1): try put(try identity(rest[0]).text(includeSecret: false))
        case ("sign"?, 2): try sign(rest[0], rest[1])
        case ("verify"?, 3): try verify(rest[0], rest[1], rest[2])
        case ("initmoon"?, 1): try initializeMoon(rest[0])
        case ("genmoon"?, 1): try makeMoon(rest[0])
        case ("initmoon"?, 0), ("genmoon"?, 0), ("help"?, _), ("-h"?, _), ("--help"?, _): try Output.write(help)
        case ("-v"?, 0), ("--version"?, 0): try Output.write(libraryVersionText)
        default:
            if let command = arguments.first {
                Output.complain("\(Report.printable(command)) with \(rest.count) arguments is no command")
            }
            try Output.write(help)
            return EXIT_FAILURE
        }
        return EXIT_SUCCESS
    }

    // The bytes without an end of line, as who reads them into a variable or a file expects.
    private static func put(_ text: String) throws(SystemError) {
        try Output.put(Array(text.utf8), STDOUT_FILENO, "write the standard output")
    }

    // MARK: Identities

    private static func identity(_ argument: String) throws(Failure) -> WireIdentity {
        let bytes = Array(argument.utf8)
        if bytes.count > 32, bytes[10] == UInt8(ascii: ":") {
            guard let identity = WireIdentity(text: argument) else {
                throw Failure("invalidIdentity", "the first argument is not an identity in text form")
            }
            return identity
        }
        guard let identity = WireIdentity(text: String(decoding: try Files.read(argument), as: UTF8.self)) else {
            throw Failure("invalidIdentity", "\(argument): this is not an identity in text form")
        }
        return identity
    }

    private static func generate(_ arguments: [String]) async throws {
        let prefix = try arguments.count > 2 ? VanitySearch.prefix(arguments[2]) : ""
        // Before the work is done.
        if let secret = arguments.first, Files.exists(secret), !Files.isStream(secret), !Files.isEmpty(secret) {
            throw Failure(
                "file",
                "\(secret) exists, and an identity that is lost cannot be made again: remove it or choose another name")
        }
        let identity = try await VanitySearch.identity(prefix: prefix)
        guard let secret = arguments.first else { return try put(identity.text(includeSecret: true)) }
        try Files.writeSecret(secret, Array(identity.text(includeSecret: true).utf8))
        try Output.write("\(secret) written")
        guard arguments.count > 1 else { return }
        try Files.replace(arguments[1], Array(identity.text(includeSecret: false).utf8))
        try Output.write("\(arguments[1]) written")
    }

    private static func validate(_ argument: String) throws {
        let identity = try identity(argument)
        guard identity.validate() else {
            throw Failure(
                "invalidIdentity",
                "\(shown(argument)) is NOT a valid identity: the address does not follow from the keys")
        }
        guard identity.hasMatchingSecret else {
            throw Failure(
                "invalidIdentity", "\(shown(argument)) is NOT a valid identity: the secret belongs to other keys")
        }
        try Output.write("\(shown(argument)) is a valid identity")
    }

    // Of an identity that was typed as text, the public part alone: the screen, and who logs it, need no secret.
    private static func shown(_ argument: String) -> String {
        WireIdentity(text: argument)?.text(includeSecret: false) ?? Report.printable(argument)
    }

    // MARK: Signatures

    private static func sign(_ argument: String, _ file: String) throws {
        let identity = try identity(argument)
        guard let secret = identity.secretKeys else {
            throw Failure("invalidIdentity", "\(shown(argument)) has no secret to sign with")
        }
        guard identity.hasMatchingSecret else {
            throw Failure(
                "invalidIdentity", "\(shown(argument)): the secret belongs to other keys: nobody could verify")
        }
        try put(Hexadecimal.encode(secret.sign(try Files.read(file, limit: messageLimit))))
    }

    private static func verify(_ argument: String, _ file: String, _ signature: String) throws {
        let identity = try identity(argument)
        let message = try Files.read(file, limit: messageLimit)
        guard identity.publicKeys.verify(try self.signature(signature), of: message) else {
            throw Failure("failed", "\(file) signature check FAILED")
        }
        try Output.write("\(file) signature valid")
    }

    private static func signature(_ argument: String) throws(Failure) -> [UInt8] {
        let size = PublicKeys.signatureSize
        if let bytes = Hexadecimal.decode(argument), bytes.count == size { return bytes }
        let text = String(decoding: try Files.read(argument), as: UTF8.self)
        let digits = text.filter { !$0.isWhitespace }
        guard let bytes = Hexadecimal.decode(digits), bytes.count == size else {
            throw Failure("invalidArgument", "\(argument): a signature has \(2 * size) hexadecimal digits")
        }
        return bytes
    }

    // MARK: Moons

    private static func initializeMoon(_ argument: String) throws {
        let identity = try identity(argument)
        guard identity.validate() else {
            throw Failure("invalidIdentity", "\(shown(argument)): the address does not follow from the keys")
        }
        var random = RandomSource(seed: SystemRandom.bytes(32))
        let draft = WorldDraft(root: identity.withoutSecret, signer: SecretKeys.generate(using: &random))
        try Output.write(draft.json.indentedText(by: 1))
    }

    private static func makeMoon(_ file: String) throws {
        let bytes = try Files.read(file)
        let draft: WorldDraft
        do throws(JSONError) {
            draft = try JSONDocument(bytes).read { (root) throws(JSONError) in try WorldDraft(root) }
        } catch {
            throw Failure("invalidWorld", "\(file): \(error)")
        }
        let now = UInt64(max(0, SystemClock.now().unixMilliseconds))
        let digits = String(draft.id, radix: 16)
        let name = String(repeating: "0", count: 16 - digits.count) + digits + ".moon"
        try Files.replace(name, draft.signed(timestampMilliseconds: now).encoded)
        try Output.write("wrote \(name) (signed world with timestamp \(now))")
    }
}

/// `zerotier idtool`.
struct IdentityToolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idtool", abstract: "The original's zerotier-idtool: identities, signatures and moons.",
        discussion: "`zerotier idtool help` shows its commands; zerotier-idtool(1) explains them.")

    @Argument(parsing: .captureForPassthrough, help: "As of zerotier-idtool.")
    var arguments: [String] = []

    func run() async throws {
        let status = try await IdentityTool.run(arguments)
        if status != 0 { throw ExitCode(status) }
    }
}
