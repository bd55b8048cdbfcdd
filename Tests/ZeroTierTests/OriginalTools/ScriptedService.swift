import Foundation
import Glibc
import Synchronization
import TestSupport

/// A service on the loopback interface that gives prepared answers and remembers what it was asked.
final class ScriptedService: Sendable {
    /// What came.
    struct Request: Sendable, Equatable {
        var line: String
        var headers: [String: String]
        var body: String
    }

    /// What is sent for a request.
    enum Answer: Sendable {
        case json(Int, String)
        /// Bytes of any kind; then the connection ends.
        case raw(String)
    }

    let port: UInt16
    private let listener: Int32
    private let answers: [String: Answer]
    private let seen = Mutex<[Request]>([])

    /// `answers` are by method and path, such as `GET /status`. Everything else is answered with 404.
    init(_ answers: [String: Answer]) {
        self.answers = answers
        (listener, port) = ScriptedService.listen()
        Foundation.Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                serve(connection)
                close(connection)
            }
        }
    }

    /// Ends it. The thread that serves holds it until then.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var requests: [Request] { seen.withLock { $0 } }

    /// A port of the loopback interface at which nobody listens.
    static func unusedPort() -> UInt16 {
        let (listener, port) = listen()
        close(listener)
        return port
    }

    private static func listen() -> (Int32, UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && Glibc.listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        precondition(isListening, "the loopback interface cannot be used")
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    private func serve(_ connection: Int32) {
        guard let request = read(connection) else { return }
        seen.withLock { $0.append(request) }
        let key = request.line.split(separator: " ").prefix(2).joined(separator: " ")
        let text: String
        switch answers[key] ?? .json(404, "") {
        case .json(let status, let body):
            text =
                "HTTP/1.1 \(status) Some\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Connection: close\r\n\r\n\(body)"
        case .raw(let bytes): text = bytes
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func read(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if let request = ScriptedService.parse(String(decoding: bytes, as: UTF8.self)) { return request }
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
    }

    // Nil while it is not whole.
    private static func parse(_ text: String) -> Request? {
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1] : ""
        }
        let body = String(text[end.upperBound...])
        guard body.utf8.count >= Int(headers["content-length"] ?? "0") ?? 0 else { return nil }
        return Request(line: lines[0], headers: headers, body: body)
    }
}

/// The original's tools, run by their own names.
struct OriginalTools {
    let directory = TemporaryDirectory()
    /// The working directory of what is run, and a state directory.
    var path: String { directory.path }

    /// What a program left behind.
    struct End: Equatable {
        var status: Int32
        var output: String
        var complaint: String
    }

    init() throws {
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
    }

    /// Files of a state directory: where a service listens and what it asks for.
    func announce(port: UInt16, token: String = OriginalTools.token) throws {
        try write("zerotier-one.port", String(port))
        try write("authtoken.secret", token)
    }

    static let token = "abcdefghijklmnopqrstuvwx"

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    /// Runs a tool in the directory, by a link of its name.
    func run(_ tool: String, _ arguments: [String], environment: [String: String] = [:]) async throws -> End {
        guard let program = Command.path else { throw CocoaError(.executableNotLoadable) }
        let folder = "\(path)/.names"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let link = "\(folder)/\(tool)"
        if !FileManager.default.fileExists(atPath: link) {
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: program)
        }
        let output = Pipe()
        // The shell gives the program the name; what it complains about goes beside.
        let complaints = "\(folder)/complaints.\(UInt32.random(in: 0...UInt32.max))"
        let process = try ChildProcess(
            "/bin/sh", ["-c", "exec \"$0\" \"$@\" 2> '\(complaints)'", link] + arguments,
            environment: ProcessInfo.processInfo.environment
                .merging(["ZEROTIER_HOME": path, "HOME": "\(path)/nobody"]) { $1 }.merging(environment) { $1 },
            directory: path, output: output)
        let end = await Command.end(of: process, output: output)
        return End(
            status: end.status, output: end.output, complaint: try String(contentsOfFile: complaints, encoding: .utf8))
    }

    /// Runs `zerotier-cli`.
    func ask(_ arguments: String..., environment: [String: String] = [:]) async throws -> End {
        try await run("zerotier-cli", arguments, environment: environment)
    }

    /// Runs `zerotier-idtool`.
    func tool(_ arguments: String...) async throws -> End { try await run("zerotier-idtool", arguments) }
}
