// A client of HTTP on this machine, as plain as can be: what it sends is what a test says.

import Foundation
import Glibc
package import JSONValues

/// An answer as it came.
package struct HTTPReply: Sendable {
    package var status: Int
    /// Names in lower case.
    package var headers: [String: String]
    package var body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
    /// Nil if it is no JSON.
    package var json: JSONValue? { try? JSONDocument(body).root }

    /// A part of a JSON answer, such as `settings.primaryPort`.
    package subscript(_ path: String) -> JSONValue? {
        var field = json.map { JSONField($0) }
        for key in path.split(separator: ".") { field = field?.member(String(key)) }
        return field?.value
    }
}

/// What went wrong on a connection.
package struct ConnectionFailure: Error {
    package let text: String

    package init(text: String) { self.text = text }
}

/// One connection to a service on this machine, as plain as can be.
package final class HTTPConnection {
    private let descriptor: Int32
    private var received: [UInt8] = []

    package init(_ port: UInt16, seconds: Int = 60) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw ConnectionFailure(text: "socket: \(errno)") }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let number = errno
            close(descriptor)
            throw ConnectionFailure(text: "connect: \(number)")
        }
    }

    deinit { close(descriptor) }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ConnectionFailure(text: "send: \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// A request with these headers, and the length of its body if it has one.
    package func send(_ method: String, _ path: String, _ body: String?, headers: [String]) throws {
        let length = body.map { ["Content-Length: \($0.utf8.count)"] } ?? []
        try send(
            (["\(method) \(path) HTTP/1.1"] + headers + length).joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
    }

    /// Nothing more is sent.
    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next answer. Throws at the end of the connection.
    package func reply(to method: String) throws -> HTTPReply {
        let head = try line("\r\n\r\n")
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw ConnectionFailure(text: "no answer of HTTP: \(lines[0])")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 {
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        if status == 100 { return try reply(to: method) }
        var body: [UInt8] = []
        if method == "HEAD" { return HTTPReply(status: status, headers: headers, body: []) }
        if headers["transfer-encoding"] == "chunked" {
            while true {
                let size = String(decoding: try line("\r\n"), as: UTF8.self)
                guard let count = Int(size, radix: 16) else { throw ConnectionFailure(text: "no chunk: \(size)") }
                body += try bytes(count)
                _ = try bytes(2)
                if count == 0 { break }
            }
        } else {
            body = try bytes(Int(headers["content-length"] ?? "") ?? 0)
        }
        return HTTPReply(status: status, headers: headers, body: body)
    }

    /// The next bytes that come, whatever they are. Throws at the end of the connection.
    package func some() throws -> [UInt8] {
        if received.isEmpty { try fill() }
        defer { received = [] }
        return received
    }

    /// Whether the other end has closed. Waits for that.
    package func isClosed() -> Bool {
        while true {
            do {
                try fill()
            } catch let failure as ConnectionFailure {
                return failure.text == "the end" || failure.text == "receive: \(ECONNRESET)"
            } catch {
                return false
            }
        }
    }

    /// Whether the other end closes within some seconds.
    package func isClosed(within seconds: Int) -> Bool {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return isClosed()
    }

    // What comes before an end, which is taken too.
    private func line(_ end: String) throws -> [UInt8] {
        let end = Array(end.utf8)
        var index = 0
        while true {
            while index + end.count <= received.count {
                if received[index..<index + end.count].elementsEqual(end) {
                    let found = Array(received[..<index])
                    received.removeFirst(index + end.count)
                    return found
                }
                index += 1
            }
            try fill()
        }
    }

    private func bytes(_ count: Int) throws -> [UInt8] {
        while received.count < count { try fill() }
        let found = Array(received[..<count])
        received.removeFirst(count)
        return found
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var count = recv(descriptor, &chunk, chunk.count, 0)
        // Signals that other tests send come to any thread.
        while count < 0, errno == EINTR { count = recv(descriptor, &chunk, chunk.count, 0) }
        if count == 0 { throw ConnectionFailure(text: "the end") }
        guard count > 0 else { throw ConnectionFailure(text: "receive: \(errno)") }
        received += chunk[..<count]
    }
}

/// The descriptors of this process.
package enum OpenFiles {
    /// Lets the process have as many as the system allows: both ends of a connection may be in it.
    package static func allowMany() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
