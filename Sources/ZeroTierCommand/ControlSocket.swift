// How the tools speak to a running node: by a Unix socket in its state directory, which only its owner can open. A
// request is one line of words. The answer is a line `ok`, perhaps with the number of warnings, or `error` with a code; then a
// line for each warning, and text.

import Glibc
import JSONValues
import ZeroTier

/// The server's end, in the process of the running node.
struct ControlServer: Sendable {
    static let fileName = "control.socket"

    private let listener: LocalListener
    private let home: NodeHome

    static func path(_ home: String) -> String { "\(home)/\(fileName)" }

    /// Makes the socket. Requests wait until `start`. The caller holds the directory's lock.
    init(home: NodeHome) throws(ZeroTierError) {
        listener = try LocalListener(path: ControlServer.path(home.path))
        self.home = home
    }

    /// Begins to serve a node, on a thread of its own.
    func start(_ node: Node) throws(ZeroTierError) {
        try serve { [home] request in try await ControlServer.answer(to: request, node, home: home) }
    }

    /// The same for whatever answers.
    func serve(_ answer: @escaping @Sendable (String) async throws -> String) throws(ZeroTierError) {
        try listener.start { request in
            // A task asks the node, since an answer may have to wait.
            do {
                return try await answer(request)
            } catch let error as ZeroTierError {
                return "error \(error.code)\n" + error.message
            } catch {
                return "error \(ZeroTierError.Code.failed)\n\(error)"
            }
        }
    }

    func stop() { listener.stop() }

    // A text has its warnings before it, as many lines as the head says.
    static func answer(to request: String, _ node: Node, home: NodeHome) async throws -> String {
        var words = request.split(separator: " ").map(String.init)
        let asJSON = words.last == "json"
        if asJSON { words.removeLast() }
        do {
            return try await reply(to: words, asJSON: asJSON, node, home)
        } catch let error as ZeroTierError {
            throw error.advised(words, node)
        }
    }

    private static func reply(
        to words: [String], asJSON: Bool, _ node: Node, _ home: NodeHome
    ) async throws -> String {
        guard words.first == "controller" else {
            return "ok\n" + (try await answer(to: words, asJSON: asJSON, node, home))
        }
        let report = try await ControllerVerb.answer(words, node)
        let lines = asJSON ? [] : report.warnings
        return (["ok \(lines.count)"] + lines + [report.rendered(asJSON: asJSON)]).joined(separator: "\n")
    }

    private static func answer(
        to words: [String], asJSON: Bool, _ node: Node, _ home: NodeHome
    ) async throws -> String {
        let argument = words.count > 1 ? words[1] : ""
        switch words.first {
        case "status": return Report.status(try node.status(), try node.problems()).rendered(asJSON: asJSON)
        case "peers": return Report.peers(try node.peers()).rendered(asJSON: asJSON)
        case "networks": return Report.networks(try node.networksWithProblems()).rendered(asJSON: asJSON)
        case "join":
            let network = try parse(argument)
            // A person with a token expects to be let in now.
            if let token = try token(words) {
                _ = try await node.joinNow(network, token: token)
            } else {
                try node.startJoining(network)
            }
            let joined = try node.networksWithProblems().filter { $0.status.id == network }
            return Report.networks(joined).rendered(asJSON: asJSON)
        case "leave":
            let network = try parse(argument)
            guard try node.networks().contains(where: { $0.id == network }) else {
                throw ZeroTierError(.notJoined, "the node has not joined network \(network)")
            }
            try node.leave(network)
            return Report(text: "left \(network)", json: .object([("left", .text(network))])).rendered(asJSON: asJSON)
        case "info", "listpeers", "listnetworks", "listmoons", "get", "set", "orbit", "deorbit":
            return try OriginalVerb.answer(words, asJSON: asJSON, node, home: home)
        case "rules": return try RuleAnswers.rules(parse(argument), node).rendered(asJSON: asJSON)
        case "diagnose": return try RuleAnswers.frame(words, node).rendered(asJSON: asJSON)
        case "ping": return Report.echo(try await ping(words, node)).rendered(asJSON: asJSON)
        default: throw ZeroTierError(.invalidArgument, "unknown request \(words.joined(separator: " "))")
        }
    }

    private static func token(_ words: [String]) throws(ZeroTierError) -> String? {
        guard words.count > 2 else { return nil }
        guard let token = RequestWord.decode(words[2]), words.count == 3 else {
            throw ZeroTierError(.invalidArgument, "not a network and a token: \(words)")
        }
        return token
    }

    // The words are "ping", the address, the sequence number and the seconds to wait.
    private static func ping(_ words: [String], _ node: Node) async throws -> EchoResult {
        guard words.count == 4, let address = IPAddress(words[1]), let sequence = Int(words[2]),
            let seconds = Int(words[3]), Limits.seconds.contains(seconds)
        else {
            throw ZeroTierError(
                .invalidArgument, "not an address, a number and 1 to \(Limits.seconds.upperBound) seconds: \(words)")
        }
        return try await node.ping(address, sequence: sequence, timeout: .seconds(seconds))
    }

    static func parse(_ text: String) throws(ZeroTierError) -> NetworkID {
        guard let network = NetworkID(text) else {
            throw ZeroTierError(.invalidArgument, "a network ID has exactly 16 hexadecimal digits, not \(text)")
        }
        return network
    }
}

/// The tools' end.
enum ControlClient {
    /// The code of "no node runs".
    static let notRunning = "notRunning"
    /// How long an answer may take that needs no waiting.
    static let patience: Duration = .seconds(5)

    /// Sends a request and returns the answer's text; warnings go to the standard error. Throws the node's error, or why the node
    /// cannot be asked.
    static func ask(
        home: String, _ request: String, patience: Duration = ControlClient.patience
    ) throws(Failure) -> String {
        let answer: String
        do throws(ZeroTierError) {
            answer = try LocalListener.ask(path: ControlServer.path(home), request, patience: patience)
        } catch {
            throw failure(error, home)
        }
        let parts = answer.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let text = parts.count > 1 ? String(parts[1]) : ""
        let verdict = parts[0].split(separator: " ").map(String.init)
        guard verdict.first == "ok" else { throw Failure(verdict.count > 1 ? verdict[1] : "failed", text) }
        guard verdict.count > 1, let count = Int(verdict[1]), count > 0 else { return text }
        let lines = text.split(separator: "\n", maxSplits: count, omittingEmptySubsequences: false)
        for line in lines.prefix(count) { Output.complain("warning: \(line)") }
        return lines.count > count ? String(lines[count]) : ""
    }

    /// Whether a node runs in a directory. Throws if that cannot be told.
    static func isRunning(home: String) throws(Failure) -> Bool {
        do throws(Failure) {
            _ = try ask(home: home, "status")
            return true
        } catch  where error.code == notRunning {
            return false
        }
    }

    private static func lastFailure(_ home: String) -> String? {
        LastFailure.read(home).map { "the last one failed at \($0.time): \($0.message)" }
    }

    private static func advice(_ home: String) -> String {
        guard home == (try? Home.standard()) else { return "start one with `zerotier run --home \(home)`" }
        let start = "start one with `zerotier run`, or name the state directory of one that runs by --home"
        guard let root = try? Home.standardOfRoot(), root != home, Files.exists(ControlServer.path(root)) else {
            return start
        }
        return start + ", as of the root in \(root)"
    }

    private static func failure(_ error: ZeroTierError, _ home: String) -> Failure {
        switch error.systemError {
        // No socket, or one that a node left when it was killed.
        case ENOENT, ECONNREFUSED, ENOTDIR:
            Failure(notRunning, "no node runs in \(home): " + (lastFailure(home) ?? advice(home)))
        case ETIMEDOUT:
            Failure(
                "noAnswer",
                "the node in \(home) runs and does not answer: it is stopped or hangs. Continue or end its process, which "
                    + "`fuser \(home)/\(ControlServer.fileName)` names")
        case EACCES, EPERM:
            Failure(
                "notAccessible",
                "cannot tell whether a node runs in \(home), which belongs to another user (\(error.message)): "
                    + "only the user who runs a node can speak to it")
        default: Failure(error, about: "the node in \(home)")
        }
    }
}
