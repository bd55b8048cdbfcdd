// Driver: the original's `zerotier-cli`, as a name of this program and as `zerotier cli`.

import ArgumentParser
import Glibc
import ZeroTier

/// The tool that asks a service over HTTP.
enum OriginalClient {
    /// Does what the arguments say. Returns the exit status; throws what keeps it from printing.
    static func run(_ arguments: [String]) async throws -> Int32 {
        let parsed: ClientArguments
        do throws(ClientArguments.Ending) {
            parsed = try ClientArguments(arguments)
        } catch {
            switch error {
            case .version: try Output.write(libraryVersionText)
            case .help(nil): try Output.write(ClientHelp.text)
            case .help(let wrong?):
                Output.complain("\(Report.printable(wrong)) is no switch, or one without its value")
                try Output.write(ClientHelp.text)
                return ClientAnswer.failed
            }
            return 0
        }
        let answer = try await answer(parsed)
        try Output.put(answer.output, STDOUT_FILENO, "write the standard output")
        if let complaint = answer.complaint { Output.complain(complaint) }
        return answer.status
    }

    private static func answer(_ arguments: ClientArguments) async throws -> ClientAnswer {
        let verb: ClientVerb
        do throws(ClientVerb.Mistake) {
            verb = try ClientVerb(arguments.words)
        } catch {
            return ClientAnswer(error)
        }
        if verb == .help { return .help }
        let service: ServiceClient
        do throws(Failure) {
            service = try ClientAccess(arguments).service
        } catch {
            return ClientAnswer(withoutAccess: error.message)
        }
        guard let request = verb.request else {
            return try await ClientDump.write(service, home: ClientAccess.home(arguments))
        }
        do throws(ServiceClient.Unreached) {
            let reply = try await service.send(request)
            return ClientAnswer(reply, to: verb, asJSON: arguments.asJSON, now: SystemClock.now().unixMilliseconds)
        } catch {
            return ClientAnswer(unreached: error.cause, verb: verb, host: service.host, port: service.port)
        }
    }
}

/// `zerotier cli`.
struct ClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cli", abstract: "The original's zerotier-cli: ask a ZeroTier service of this machine.",
        discussion: "`zerotier cli help` shows its switches and verbs; zerotier-cli(1) explains them.")

    @Argument(parsing: .captureForPassthrough, help: "As of zerotier-cli.")
    var arguments: [String] = []

    func run() async throws {
        let status = try await OriginalClient.run(arguments)
        if status != 0 { throw ExitCode(status) }
    }
}
