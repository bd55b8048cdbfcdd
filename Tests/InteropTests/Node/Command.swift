// The line protocol: a command's words, and its answer.

import Synchronization
import ZeroTier

/// Why a command failed, in the words of its answer.
struct CommandError: Error {
    let what: String
    var details = ""
}

/// One line of input.
struct Command: Sendable {
    let tag: String
    let name: String
    private var arguments: [String: String] = [:]

    /// Nil unless the line is `TAG COMMAND key=value ...`.
    init?(_ line: String) {
        var words = line.split(separator: " ").makeIterator()
        guard let tag = words.next(), let name = words.next() else { return nil }
        self.tag = String(tag)
        self.name = String(name)
        while let word = words.next() {
            guard let mark = word.firstIndex(of: "=") else { return nil }
            arguments[String(word[..<mark])] = String(word[word.index(after: mark)...])
        }
    }

    func text(_ key: String) -> String? { arguments[key] }

    func required(_ key: String) throws -> String {
        guard let value = arguments[key] else { throw CommandError(what: "missing-" + key) }
        return value
    }

    func number(_ key: String, _ fallback: UInt64) -> UInt64 {
        arguments[key].flatMap { UInt64($0) } ?? fallback
    }

    func count(_ key: String, _ fallback: Int) -> Int { Int(clamping: number(key, UInt64(fallback))) }

    /// `timeout`, which is in milliseconds.
    var timeout: Duration { .milliseconds(count("timeout", 30_000)) }

    func network() throws -> NetworkID {
        guard let id = NetworkID(try required("network")) else { throw CommandError(what: "network") }
        return id
    }

    func port() throws -> UInt16 {
        guard let port = UInt16(exactly: number("port", 0)) else { throw CommandError(what: "port") }
        return port
    }

    func remote() throws -> SocketEndpoint {
        guard let address = IPAddress(try required("address")) else { throw CommandError(what: "address") }
        return SocketEndpoint(address, port: try port())
    }

    /// `family` is 4 or 6; without it that of `address`, or else IPv6.
    var isIPv4: Bool {
        if let family = arguments["family"] { return family == "4" }
        return arguments["address"].flatMap { IPAddress($0) }?.isIPv4 ?? false
    }

    /// Where a listener or datagram socket of the command is bound.
    func local() throws -> SocketEndpoint { SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: try port()) }

    /// Writes the answer's line.
    func answer(_ words: String) {
        Command.output.withLock { _ in writeOutput("\(tag) \(words)\n") }
    }

    // Held while a line is written.
    private static let output = Mutex<Void>(())
}

/// Numbers in the answers.
extension Double {
    /// With one digit after the point.
    var short: String { String((self * 10).rounded() / 10) }
}

extension Duration {
    var inMilliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}

extension UInt64 {
    var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Gives up on `body` after the time given, cancelling it.
func within<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw CommandError(what: "timeout") }
        return result
    }
}
