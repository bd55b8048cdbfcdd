// Failures, for people, and with `--json` for programs.

import ArgumentParser
import Glibc
import JSONValues
import ZeroTier

/// Why a subcommand failed, in words that name the thing and the reason.
struct Failure: Error, CustomStringConvertible {
    /// A stable name for programs; those of the library are its error codes.
    let code: String
    let message: String

    var description: String { message }

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: ZeroTierError, about subject: String? = nil) {
        code = error.code.rawValue
        message = (subject.map { "\($0): " } ?? "") + error.message
    }

    /// A call of the operating system on a file.
    init(_ error: SystemError) {
        code = "file"
        message = "cannot \(error)"
    }
}

extension ZeroTierCommand {
    /// Shows an error on the standard error and ends with its status: 64 for a command line that makes no sense, with a
    /// word about the usage; 1 for everything else. With `--json`, an object with `error` and `code`. Help and version
    /// are "errors" that go to the standard output.
    static func end(with error: any Error) -> Never {
        let status = exitCode(for: error)
        if status == .success {
            do {
                try Output.write(fullMessage(for: error))
            } catch {
                end(with: error)
            }
            Glibc.exit(0)
        }
        switch error {
        // Everything was said already.
        case is ExitCode: Glibc.exit(status.rawValue)
        // The reader has seen enough. As other tools do: no word, and the status of the signal.
        case let error as SystemError where error.number == EPIPE: Glibc.exit(128 + SIGPIPE)
        case let error as Failure: tell(error)
        case let error as ZeroTierError: tell(Failure(error))
        case let error as SystemError: tell(Failure("system", "cannot \(error)"))
        case _ where status == .validationFailure:
            let said = Array(CommandLine.arguments.dropFirst())
            if let problem = Spelling.unknownVerb((try? OriginalSwitches.arrange(said)) ?? said) {
                tell(Failure("usage", problem))
            } else if wantsJSON {
                tell(Failure("usage", message(for: error)))
            } else {
                Output.complain(fullMessage(for: error))
            }
        default: tell(Failure("failed", message(for: error)))
        }
        Glibc.exit(status.rawValue)
    }

    // The options may be wrong themselves, so they are not asked.
    private static var wantsJSON: Bool { !CommandLine.arguments.allSatisfy { $0 != "--json" && $0 != "-j" } }

    private static func tell(_ failure: Failure) {
        let object = JSONValue.object([("error", .string(failure.message)), ("code", .string(failure.code))])
        Output.complain(wantsJSON ? object.text : "Error: \(failure.message)")
    }
}
