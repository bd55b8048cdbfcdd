import Foundation
import Glibc
import JSONValues
import NetPrimitives
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// The service on sockets: what it takes, what it bounds, and how it ends.
@Suite struct HTTPServiceTests {
    private func limits(_ change: (inout HTTPLimits) -> Void) -> HTTPLimits {
        var limits = HTTPLimits()
        change(&limits)
        return limits
    }

    // MARK: Forms

    @Test func `HEAD has the head of GET, and nothing else`() async throws {
        try await ServiceLab.with { lab in
            let (port, token) = (lab.http.port, lab.token)
            for path in ["/peer", "/network", "/nosuch", "/metrics", "/unstable/controller/network"] {
                let get = try await lab.ask("GET", path)
                let head = try await lab.ask("HEAD", path)
                #expect(head.status == get.status && head.headers["content-type"] == get.headers["content-type"])
                if path != "/metrics" { #expect(head.headers["content-length"] == String(get.body.count), "\(path)") }
            }
            // The next answer on the connection begins where the head ended.
            let statuses = try await onThread {
                let connection = try HTTPConnection(port)
                for method in ["HEAD", "GET", "HEAD"] {
                    try connection.send(method, "/status", nil, headers: ["X-ZT1-Auth: \(token)"])
                }
                return try ["HEAD", "GET", "HEAD"].map { try connection.reply(to: $0).status }
            }
            #expect(statuses == [200, 200, 200])
        }
    }

    @Test func `answers have no headers for pages of others, and are not kept`() async throws {
        try await ServiceLab.with { lab in
            for (method, path) in [("GET", "/status"), ("OPTIONS", "/status"), ("GET", "/nosuch"), ("GET", "/health")] {
                let reply = try await lab.ask(method, path)
                #expect(!reply.headers.keys.contains { $0.hasPrefix("access-control") }, "\(reply.headers)")
                #expect(reply.headers["cache-control"] == "no-store")
                #expect(reply.headers["x-content-type-options"] == "nosniff")
            }
            let preflight = try await lab.send(
                "OPTIONS", "/status",
                headers: ["Origin: http://evil.example.com", "Access-Control-Request-Headers: x-zt1-auth"])
            #expect(preflight.status == 403)
            // A form that a page can send without being asked.
            let form = try await lab.send(
                "POST", "/network/ff00070009000000?auth=\(lab.token)", "{}",
                headers: ["Origin: http://evil.example.com", "Content-Type: text/plain"])
            #expect(form.status == 403)
            #expect(try lab.node.networks().isEmpty)
        }
    }

    @Test(
        arguments: [
            "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain",
            "multipart/form-data; boundary=x", "",
        ])
    func `a body is JSON whatever it is called`(type: String) async throws {
        try await ServiceLab.with { lab in
            let name = String(repeating: "n", count: 100)
            let rest = String(repeating: " ", count: 20_000)
            let made = try await lab.ask(
                "POST", "/controller/network", "{\"name\":\"\(name)\"\(rest)}",
                headers: type.isEmpty ? [] : ["Content-Type: \(type)"])
            #expect(made.status == 200 && made["name"] == .string(name), "\(made.text)")
        }
    }

    @Test func `methods that no route has`() async throws {
        try await ServiceLab.with { lab in
            for (method, path) in [
                ("POST", "/status"), ("DELETE", "/peer"), ("PATCH", "/controller/network"), ("OPTIONS", "/status"),
                ("GET", "/config/settings"), ("DELETE", "/controller/network"), ("TRACE", "/status"),
            ] {
                let reply = try await lab.ask(method, path)
                #expect(reply.status == 404 && reply.body.isEmpty, "\(method) \(path)")
            }
        }
    }

    @Test func `scripts`() async throws {
        try await ServiceLab.with { lab in
            let script = try await lab.ask("GET", "/network?jsonp=cb")
            #expect(script.text == "cb([]);" && script.headers["content-type"] == "application/javascript")
            let none = try await lab.ask("GET", "/nosuch?jsonp=cb")
            #expect(none.status == 404 && none.text == "cb(null);")
            #expect(try await lab.ask("GET", "/network?jsonp=a%3Cb").status == 400)
            // What is refused has changed nothing.
            #expect(try await lab.ask("POST", "/network/ff00070009000000?jsonp=a%3Cb", "{}").status == 400)
            #expect(try await lab.ask("POST", "/controller/network?jsonp=", "{}").status == 400)
            #expect(try lab.node.networks().isEmpty && lab.node.controller.networks().isEmpty)
        }
    }

    @Test func `chunks, pipelines, and bodies in pieces`() async throws {
        try await ServiceLab.with { lab in
            let (port, token) = (lab.http.port, lab.token)
            let replies = try await onThread {
                let connection = try HTTPConnection(port)
                try connection.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + "5\r\n{\"nam\r\n")
                Thread.sleep(forTimeInterval: 0.05)
                try connection.send("7\r\ne\":\"x\"}\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                var replies = [try connection.reply(to: "POST"), try connection.reply(to: "GET")]
                // curl asks whether a long body is wanted.
                try connection.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nExpect: 100-continue\r\n"
                        + "Content-Length: 12\r\n\r\n")
                try connection.send("{\"name\":\"y\"}")
                replies.append(try connection.reply(to: "POST"))
                // A client that sends nothing more still gets its answer.
                try connection.send("GET", "/health", nil, headers: [])
                connection.endSending()
                replies.append(try connection.reply(to: "GET"))
                return replies
            }
            #expect(replies.map(\.status) == [200, 200, 200, 200])
            #expect(replies[0]["name"] == .string("x") && replies[2]["name"] == .string("y"))
        }
    }

    // MARK: Bounds

    @Test func `a body that is too large is refused before it comes, and the others go on`() async throws {
        try await ServiceLab.with(limits: limits { $0.body = 1000 }) { lab in
            let (port, token) = (lab.http.port, lab.token)
            let announced = try await onThread {
                let connection = try HTTPConnection(port)
                try connection.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nContent-Length: 17000000000\r\n\r\n")
                return try connection.reply(to: "POST")
            }
            #expect(announced.status == 413 && announced.headers["connection"] == "close")
            let chunked = try await onThread {
                let connection = try HTTPConnection(port)
                try connection.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nTransfer-Encoding: chunked\r\n\r\n")
                try connection.send("3e9\r\n" + String(repeating: " ", count: 1001) + "\r\n0\r\n\r\n")
                return try connection.reply(to: "POST")
            }
            #expect(chunked.status == 413)
            let whole = try await lab.ask("POST", "/controller/network", "{}" + String(repeating: " ", count: 998))
            #expect(whole.status == 200)
        }
    }

    @Test func `bodies that are too large together wait for another time`() async throws {
        try await ServiceLab.with(limits: limits { $0.bodies = 1000 }) { lab in
            let busy = try await lab.ask("POST", "/controller/network", "{}" + String(repeating: " ", count: 2000))
            #expect(busy.status == 503 && busy["error"] == .integer(503))
            for _ in 0..<3 {
                let text = "{}" + String(repeating: " ", count: 900)
                #expect(try await lab.ask("POST", "/controller/network", text).status == 200)
            }
        }
    }

    @Test func `who has no token gets no body taken`() async throws {
        try await ServiceLab.with { lab in
            let port = lab.http.port
            let reply = try await onThread {
                let connection = try HTTPConnection(port)
                try connection.send("POST /controller/network HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
                return try connection.reply(to: "POST")
            }
            #expect(reply.status == 401 && reply.text == "{}")
        }
    }

    @Test(
        arguments: [
            "GET /health HTTP/1.1\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n",
            "GET /health HTTP/1.1\r\n" + (0..<200).map { "X\($0): 1\r\n" }.joined() + "\r\n",
            "GET /health HTTP/1.1\r\n" + (0..<90).map { "X\($0): \(String(repeating: "a", count: 1000))\r\n" }.joined()
                + "\r\n",
            "GET /health HTTP/9.9\r\n\r\n", "nonsense\r\n\r\n", "BREW / HTTP/1.1\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
            "GET /a b c\r\n\r\n",
            "POST /health HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "POST /health HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        ])
    func `what is no request, or has too much of a head, is 400 and the end`(text: String) async throws {
        try await ServiceLab.with { lab in
            let port = lab.http.port
            let (status, isClosed) = try await onThread {
                let connection = try HTTPConnection(port)
                // The other end may have closed before all of it is sent.
                try? connection.send(text)
                let reply = try connection.reply(to: "GET")
                return (reply.status, connection.isClosed())
            }
            #expect(status == 400 && isClosed)
            #expect(try await lab.ask("GET", "/health").status == 200)
        }
    }

    @Test func `a target that is too long`() async throws {
        try await ServiceLab.with { lab in
            let long = try await lab.ask("GET", "/" + String(repeating: "a", count: 8000))
            #expect(long.status == 404)
            let port = lab.http.port
            let isRefused = try await onThread {
                let connection = try HTTPConnection(port)
                try? connection.send("GET /\(String(repeating: "a", count: 4_000_000)) HTTP/1.1\r\n\r\n")
                return (try? connection.reply(to: "GET").status) ?? 400 >= 400
            }
            #expect(isRefused)
        }
    }

    @Test func `slow clients are let go: silent ones, slow heads, slow bodies, slow readers`() async throws {
        let quick = limits {
            $0.idleTime = .milliseconds(500)
            $0.bodyTime = .milliseconds(500)
            $0.answerTime = .milliseconds(500)
        }
        try await ServiceLab.with(limits: quick) { lab in
            let network = try await lab.makeNetwork(
                "{\"rulesSource\":\"# \(String(repeating: "x", count: 200_000))\\naccept;\"}")
            let (port, token) = (lab.http.port, lab.token)
            async let silent = onThread { try HTTPConnection(port).isClosed() }
            async let head = onThread {
                let connection = try HTTPConnection(port)
                for _ in 0..<40 {
                    do { try connection.send("G") } catch { return true }
                    Thread.sleep(forTimeInterval: 0.1)
                }
                return false
            }
            async let body = onThread {
                let connection = try HTTPConnection(port)
                try connection.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nContent-Length: 1000\r\n\r\n")
                for _ in 0..<40 {
                    do { try connection.send(" ") } catch { return true }
                    Thread.sleep(forTimeInterval: 0.1)
                }
                return false
            }
            async let reader = onThread {
                let connection = try HTTPConnection(port)
                // More answers than all buffers take.
                for _ in 0..<200 {
                    do {
                        try connection.send(
                            "GET", "/controller/network/\(network)", nil, headers: ["X-ZT1-Auth: \(token)"])
                    } catch { break }
                }
                // Nothing shows a client that the other end has given up, but for the answers that do not come.
                Thread.sleep(forTimeInterval: 10)
                var count = 0
                while (try? connection.reply(to: "GET")) != nil { count += 1 }
                return count < 200
            }
            #expect(try await silent)
            #expect(try await head)
            #expect(try await body)
            #expect(try await reader)
            #expect(try await lab.ask("GET", "/health").status == 200)
        }
    }

    @Test func `more connections than there is room for wait, and are served when others end`() async throws {
        try await ServiceLab.with(limits: limits { $0.connections = 4 }) { lab in
            let port = lab.http.port
            let statuses = try await onThread {
                var connections = try (0..<20).map { _ in try HTTPConnection(port) }
                for connection in connections { try connection.send("GET", "/health", nil, headers: []) }
                var statuses: [Int] = []
                while !connections.isEmpty { statuses.append(try connections.removeFirst().reply(to: "GET").status) }
                return statuses
            }
            #expect(statuses == [Int](repeating: 200, count: 20))
        }
    }

    @Test func `who has said nothing takes nobody's place, and is served when it speaks`() async throws {
        let crowded = limits {
            $0.connections = 2
            $0.waiting = 100
            $0.patience = .seconds(600)
            $0.idleTime = .seconds(600)
        }
        try await ServiceLab.with(limits: crowded) { lab in
            let port = lab.http.port
            // They have their answer, and may ask again.
            let kept = try await onThread {
                let all = try (0..<2).map { _ in
                    let connection = try HTTPConnection(port)
                    try connection.send("GET", "/health", nil, headers: [])
                    #expect(try connection.reply(to: "GET").status == 200)
                    return connection
                }
                return Held(connections: all)
            }
            let silent = try await onThread { Held(connections: try (0..<10).map { _ in try HTTPConnection(port) }) }
            let answered = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        try await onThread {
                            let connection = try HTTPConnection(port)
                            try connection.send("GET", "/health", nil, headers: ["Connection: close"])
                            return try connection.reply(to: "GET").status
                        }
                    }
                }
                // The silent ones would have the two places now, for ten minutes.
                kept.closeFirst(2)
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answered == [Int](repeating: 200, count: 5))
            // One after the other: the last three stay when the service ends.
            let late = try await onThread { () -> [Int] in
                var statuses: [Int] = []
                for _ in 0..<7 {
                    try silent.connections[0].send("GET", "/health", nil, headers: ["Connection: close"])
                    statuses.append(try silent.connections[0].reply(to: "GET").status)
                    silent.closeFirst(1)
                }
                return statuses
            }
            #expect(late == [Int](repeating: 200, count: 7))
        }
    }

    @Test func `who has said nothing is closed at last, and first when nobody else can come`() async throws {
        let crowded = limits {
            $0.connections = 1
            $0.waiting = 4
            $0.patience = .milliseconds(200)
            $0.idleTime = .seconds(600)
        }
        try await ServiceLab.with(limits: crowded) { lab in
            let port = lab.http.port
            let silent = try await onThread { Held(connections: try (0..<20).map { _ in try HTTPConnection(port) }) }
            for _ in 0..<5 { #expect(try await lab.ask("GET", "/status").status == 200) }
            let left = try await onThread { silent.connections.count { !$0.isClosed(within: 1) } }
            #expect(left <= 5)
        }
    }

    @Test func `who does nothing gives way when there is no room, and who waits for an answer does not`() async throws {
        let crowded = limits {
            $0.connections = 8
            $0.patience = .milliseconds(200)
            $0.idleTime = .seconds(600)
            $0.bodyTime = .seconds(600)
            $0.answerTime = .seconds(600)
        }
        try await ServiceLab.with(limits: crowded) { lab in
            let (port, token) = (lab.http.port, lab.token)
            // It waits for events: that is the service's turn.
            let events = try await onThread {
                let connection = try HTTPConnection(port)
                try connection.send("GET", "/zt/events", nil, headers: ["X-ZT1-Auth: \(token)"])
                #expect(String(decoding: try connection.some(), as: UTF8.self).hasPrefix("HTTP/1.1 200"))
                return Held(connections: [connection])
            }
            // They say nothing, a part of a head, a part of a body, and nothing more after an answer.
            let beginnings = [
                "", "GET /health HT",
                "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nContent-Length: 9\r\n\r\n{",
                "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "POST /controller/network HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
            ]
            let silent = try await onThread {
                let all = try (0..<20).map { number in
                    let connection = try HTTPConnection(port)
                    try connection.send(beginnings[number % beginnings.count])
                    return connection
                }
                return Held(connections: all)
            }
            for _ in 0..<20 { #expect(try await lab.ask("GET", "/status").status == 200) }
            let left = try await onThread { silent.connections.count { !$0.isClosed(within: 1) } }
            // Two of them have said nothing, wait, and take nobody's place.
            #expect(left < 10)
            // It hears what happens still.
            let network = try await lab.makeNetwork()
            let told = try await onThread { () -> String in
                var text = ""
                while !text.contains("event: network") {
                    text += String(decoding: try events.connections[0].some(), as: UTF8.self)
                }
                return text
            }
            #expect(told.contains(network))
        }
    }

    // MARK: Addresses and the end

    @Test func `it listens at both loopback addresses with one port, and nowhere else`() async throws {
        try await ServiceLab.with { lab in
            let addresses = lab.http.addresses.map(\.description)
            #expect(addresses.first == "127.0.0.1" && addresses.allSatisfy { ["127.0.0.1", "::1"].contains($0) })
            #expect(lab.http.port != 0)
        }
        try await ServiceLab.with(scope: .everywhere) { lab in
            let reply = try await lab.ask("GET", "/health")
            #expect(reply.status == 200 && lab.http.addresses.contains { $0.isUnspecified })
        }
    }

    @Test func `a port that is taken is an error that says what to do`() async throws {
        try await ServiceLab.with { lab in
            do throws(ZeroTierError) {
                let other = try await HTTPService.start(lab.service, .loopback, port: lab.http.port) { _ in }
                await other.stop()
                Issue.record("two services have one port")
            } catch {
                #expect(error.code == .portTaken && error.systemError == EADDRINUSE)
                #expect(error.message.contains("\(lab.http.port)") && error.message.contains("--service-port"))
            }
        }
    }

    @Test func `the end waits for requests that are open, but not for ever`() async throws {
        try await ServiceLab.with(limits: limits { $0.stopTime = .seconds(10) }) { lab in
            let (port, token) = (lab.http.port, lab.token)
            let connections = try await onThread {
                let open = try HTTPConnection(port)
                try open.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nContent-Length: 12\r\n\r\n{\"name\"")
                let hanging = try HTTPConnection(port)
                try hanging.send(
                    "POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: \(token)\r\nContent-Length: 12\r\n\r\n")
                let idle = try HTTPConnection(port)
                try idle.send("GET", "/health", nil, headers: [])
                _ = try idle.reply(to: "GET")
                Thread.sleep(forTimeInterval: 0.3)
                return Held(connections: [open, hanging, idle])
            }
            async let stopped: Void = lab.http.stop()
            let (isIdleClosed, status, isHangingClosed) = try await onThread {
                let isIdleClosed = connections.connections[2].isClosed()
                try connections.connections[0].send(":\"z\"}")
                let reply = try connections.connections[0].reply(to: "POST")
                return (isIdleClosed, reply.status, connections.connections[1].isClosed())
            }
            #expect(isIdleClosed && status == 200 && isHangingClosed)
            await stopped
            #expect(throws: ConnectionFailure.self) { try HTTPConnection(port) }
            // Its change was made.
            #expect(try lab.node.controller.networks().map(\.settings.name) == ["z"])
        }
    }

    private final class Held: @unchecked Sendable {
        private(set) var connections: [HTTPConnection]

        init(connections: [HTTPConnection]) { self.connections = connections }

        func closeFirst(_ count: Int) { connections.removeFirst(count) }
    }
}
