// How the tools speak to a running node: a Unix socket in its state directory, for its owner alone. A request is one line
// of words, the answer is a line `ok` or `error`, and text.

import ArgumentParser
import ZeroTier

/// The server's end, in the process of the running node.
struct ControlServer: Sendable {
    static let fileName = "control.socket"

    private let listener: LocalListener
    private let node: Node

    init(node: Node, home: String) throws {
        self.node = node
        listener = try LocalListener(path: "\(home)/\(ControlServer.fileName)")
    }

    /// Begins to serve, on a thread of its own.
    func start() throws {
        try listener.start { [node] request in
            // A node that is asked to wait for something is asked by a task.
            let answer = await ControlServer.answer(to: request, node)
            return (answer.isOk ? "ok\n" : "error\n") + answer.text
        }
    }

    func stop() { listener.stop() }

    private static func answer(to request: String, _ node: Node) async -> (isOk: Bool, text: String) {
        var words = request.split(separator: " ").map(String.init)
        let asJSON = words.last == "json"
        if asJSON { words.removeLast() }
        let argument = words.count > 1 ? words[1] : ""
        do {
            switch words.first {
            case "status": return (true, Report.status(try node.status()).rendered(asJSON: asJSON))
            case "peers": return (true, Report.peers(try node.peers()).rendered(asJSON: asJSON))
            case "networks": return (true, Report.networks(try node.networks()).rendered(asJSON: asJSON))
            case "join":
                let network = try parse(argument)
                try node.startJoining(network)
                return (true, Report.networks(try node.networks().filter { $0.id == network }).rendered(asJSON: asJSON))
            case "leave":
                let network = try parse(argument)
                try node.leave(network)
                return (
                    true,
                    Report(text: "left \(network)", json: .object([("left", .text(network))])).rendered(asJSON: asJSON)
                )
            case "ping":
                let result = try await ping(words, node)
                return (true, Report.echo(result).rendered(asJSON: asJSON))
            default: return (false, "unknown request \(request)")
            }
        } catch let error as ZeroTierError {
            return (false, error.message)
        } catch {
            return (false, "\(error)")
        }
    }

    // The words are "ping", the address, the sequence number and the seconds to wait.
    private static func ping(_ words: [String], _ node: Node) async throws -> EchoResult {
        guard words.count == 4, let address = IPAddress(words[1]), let sequence = Int(words[2]),
            let seconds = Int(words[3]), (1...3600).contains(seconds)
        else { throw ZeroTierError(.invalidArgument, "not an address, a number and 1 to 3600 seconds: \(words)") }
        return try await node.ping(address, sequence: sequence, timeout: .seconds(seconds))
    }

    private static func parse(_ text: String) throws -> NetworkID {
        guard let network = NetworkID(text) else {
            throw ZeroTierError(.invalidArgument, "a network ID has exactly 16 hexadecimal digits, not \(text)")
        }
        return network
    }
}

/// The tools' end.
enum ControlClient {
    /// Sends a request and returns the answer's text. Throws what the node says against it, or that there is no node.
    static func ask(home: String, _ request: String) throws(ControlError) -> String {
        guard let answer = try? LocalListener.ask(path: "\(home)/\(ControlServer.fileName)", request) else {
            throw ControlError(message: "no node runs in \(home): start one with `zerotier run --home \(home)`")
        }
        let parts = answer.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let text = parts.count > 1 ? String(parts[1]) : ""
        guard parts.first == "ok" else { throw ControlError(message: text) }
        return text
    }

    /// Whether a node runs in a directory.
    static func isRunning(home: String) -> Bool { (try? ask(home: home, "status")) != nil }
}

/// What a running node, or its absence, has against a request.
struct ControlError: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}
