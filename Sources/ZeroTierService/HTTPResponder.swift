// Requests of HTTP to values, and answers back.

import HTTPTypes
import HummingbirdCore
import NIOCore
import NetPrimitives
import Synchronization

/// Answers the requests of all connections.
final class HTTPResponder: Sendable {
    private let service: NodeService
    private let limits: HTTPLimits
    // Bytes of bodies that are held.
    private let held = Atomic<Int>(0)

    init(_ service: NodeService, _ limits: HTTPLimits) {
        self.service = service
        self.limits = limits
    }

    /// Answers one request. What it throws ends the connection.
    func respond(_ incoming: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        guard let text = channel.remoteAddress?.ipAddress, let client = IPAddress(text) else {
            return channel.close(promise: nil)
        }
        var headers = incoming.headers.map { (name: $0.name.canonicalName, value: $0.value) }
        if let host = incoming.head.authority { headers.append((name: "host", value: host)) }
        var request = ServiceRequest(
            method: incoming.method.rawValue, target: incoming.head.path ?? "", headers: headers, client: client)
        let isHead = incoming.method == .head
        // Before anything of the body is taken.
        if let refusal = service.refusal(of: request) { return try await write(refusal, isHead, writer, channel) }
        if let field = incoming.headers[.contentLength], let length = Int(field), length > limits.body {
            return try await write(HTTPResponder.tooLarge(limits.body), isHead, writer, channel)
        }
        if incoming.headers[.expect]?.lowercased() == "100-continue" {
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        var kept = 0
        defer { held.subtract(kept, ordering: .relaxed) }
        for try await part in incoming.body {
            let count = part.readableBytes
            guard request.body.count + count <= limits.body else {
                return try await write(HTTPResponder.tooLarge(limits.body), isHead, writer, channel)
            }
            kept += count
            guard held.add(count, ordering: .relaxed).newValue <= limits.bodies else {
                let busy = ServiceAnswer.error(503, "too many large requests at a time: try again in a moment")
                return try await write(busy, isHead, writer, channel)
            }
            request.body.append(contentsOf: part.readableBytesView)
        }
        try await write(try await service.answer(to: request), isHead, writer, channel)
    }

    private static func tooLarge(_ limit: Int) -> ServiceAnswer {
        .error(413, "a body has at most \(limit) bytes")
    }

    // A written answer is on its way to the connection's thread. Before it is there, the next write does not hear that the client
    // takes nothing: this task would hold one answer after the other.
    private static func awaitHandover(_ channel: any Channel) async throws {
        try await channel.eventLoop.submit {}.get()
    }

    private func write(
        _ answer: ServiceAnswer, _ isHead: Bool, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        var head = HTTPResponse(status: HTTPResponse.Status(code: answer.status))
        head.headerFields[.contentType] = answer.contentType
        // Answers are of this moment, and never a page or a script by accident.
        head.headerFields[.cacheControl] = "no-store"
        head.headerFields[.xContentTypeOptions] = "nosniff"
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { head.headerFields[name] = value }
        }
        // The rest of the body is not wanted.
        if answer.status == 413 { head.headerFields[.connection] = "close" }
        var parts: (@Sendable () async throws -> [UInt8]?)?
        var bytes: [UInt8] = []
        switch answer.body {
        case .none: break
        case .bytes(let all): bytes = all
        case .stream(let next):
            if isHead { return try await writer.writeResponse(head) }
            var body = try await writer.writeHead(head)
            while let part = await next() {
                try await body.write(ByteBuffer(bytes: part))
                try await HTTPResponder.awaitHandover(channel)
            }
            return try await body.finish(nil)
        case .parts(let next):
            parts = next
            while bytes.count <= limits.wholeList, parts != nil {
                if let part = try await next() { bytes += part } else { parts = nil }
            }
        }
        guard let parts else {
            head.headerFields[.contentLength] = String(bytes.count)
            if isHead { return try await writer.writeResponse(head) }
            try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
            return try await HTTPResponder.awaitHandover(channel)
        }
        guard !isHead else {
            var length = bytes.count
            while let part = try await parts() { length += part.count }
            head.headerFields[.contentLength] = String(length)
            return try await writer.writeResponse(head)
        }
        var body = try await writer.writeHead(head)
        try await body.write(ByteBuffer(bytes: bytes))
        try await HTTPResponder.awaitHandover(channel)
        while let part = try await parts() {
            try await body.write(ByteBuffer(bytes: part))
            try await HTTPResponder.awaitHandover(channel)
        }
        try await body.finish(nil)
    }
}
