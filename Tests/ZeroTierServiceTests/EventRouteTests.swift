import Foundation
import JSONValues
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// What happens, told while it happens.
@Suite struct EventRouteTests {
    /// A stream that is read.
    private final class Reader {
        let connection: HTTPConnection
        private var text = ""

        init(_ lab: (port: UInt16, token: String)) throws {
            connection = try HTTPConnection(lab.port)
            try connection.send(
                "GET", "/zt/events", nil, headers: ["Host: localhost:\(lab.port)", "X-ZT1-Auth: \(lab.token)"])
        }

        /// Reads until a text comes, which is in lower case.
        func read(until wanted: String) throws {
            while !text.contains(wanted) {
                text += String(decoding: try connection.some(), as: UTF8.self).lowercased()
            }
            text = String(text[text.range(of: wanted)!.upperBound...])
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `changes of networks and members are told with their IDs`() async throws {
        try await ServiceLab.with { lab in
            let place = (port: lab.http.port, token: lab.token)
            let (ready, told) = AsyncStream.makeStream(of: Void.self)
            let reader = Task {
                try await onThread {
                    defer { told.finish() }
                    let reader = try Reader(place)
                    try reader.read(until: "content-type: text/event-stream")
                    try reader.read(until: "event: ready\ndata: {}\n\n")
                    told.yield()
                    try reader.read(until: "event: network\ndata: {\"nwid\":\"")
                    try reader.read(until: "event: member\ndata: {\"nwid\":\"")
                    try reader.read(until: "\"address\":\"1122334455\"}\n\n")
                }
            }
            for await _ in ready { break }
            let made = try await lab.value("POST", "/controller/network/\(lab.address)______")
            let id = try JSONField(try #require(made.json)).required("id").string()
            _ = try await lab.value("POST", "/controller/network/\(id)/member/1122334455", #"{"authorized":true}"#)
            try await reader.value
        }
    }

    // Requests that hang would have an hour.
    private static var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.stopTime = .seconds(3600)
        return limits
    }

    @Test(.timeLimit(.minutes(10)))
    func `streams need the token, have a bound, and end with the service at once`() async throws {
        try await ServiceLab.with(limits: Self.limits) { lab in
            let stranger = try await lab.send("GET", "/zt/events", headers: [])
            #expect(stranger.status == 401)
            let place = (port: lab.http.port, token: lab.token)
            let readers = try await onThread {
                let readers = try (0..<64).map { _ in try Reader(place) }
                for reader in readers { try reader.read(until: "ready") }
                return Readers(readers)
            }
            let oneMore = try await lab.ask("GET", "/zt/events")
            #expect(oneMore.status == 503)
            // Who leaves makes room.
            readers.removeLast()
            let hasRoom = try await eventually {
                // Something is to be told, or nobody notices.
                _ = try await lab.value("POST", "/controller/network/\(lab.address)______")
                let answer = try await lab.service.answer(
                    to: ServiceRequest(
                        method: "GET", target: "/zt/events", headers: [(name: "X-ZT1-Auth", value: lab.token)],
                        client: IPAddress("127.0.0.1")!))
                return answer.status == 200
            }
            #expect(hasRoom)
            await lab.http.stop()
            let areClosed = try await onThread { readers.areClosed }
            #expect(areClosed)
        }
    }

    private final class Readers: @unchecked Sendable {
        private var readers: [Reader]
        init(_ readers: [Reader]) { self.readers = readers }
        func removeLast() { readers.removeLast() }
        var areClosed: Bool { readers.allSatisfy { $0.connection.isClosed() } }
    }
}
