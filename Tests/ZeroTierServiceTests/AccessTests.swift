import JSONValues
import NetPrimitives
import Testing

@testable import ZeroTierService

/// Who may ask.
@Suite struct AccessTests {
    private static let token = "abcdefghijklmnopqrstuvwx"
    private static let metricsToken = "zyxwvutsrqponmlkjihgfedc"
    private static let access = ServiceAccess(
        token: token, metricsToken: metricsToken, hosts: ["Given.example.com", "machine"])

    private func status(
        _ target: String, _ headers: [(String, String)] = [], from client: String = "127.0.0.1",
        managers: [String] = []
    ) -> Int {
        let request = ServiceRequest(
            method: "GET", target: target, headers: headers.map { (name: $0.0, value: $0.1) },
            client: IPAddress(client)!)
        return Self.access.refusal(of: request, managers: managers.map { IPPrefix($0)! })?.status ?? 200
    }

    @Test(
        arguments: [
            ("/status", [("X-ZT1-Auth", token)], 200), ("/status", [("x-zt1-auth", token)], 200),
            ("/status?auth=\(token)", [], 200), ("/status?a=b&auth=\(token)&c", [], 200),
            ("/status?auth=%61bcdefghijklmnopqrstuvwx", [], 200),
            ("/status", [("Authorization", "Bearer \(token)")], 200),
            ("/status", [("authorization", "bEARER \(token)")], 200),
            ("/status", [("Authorization", "Bearer  \(token)")], 401), ("/status", [("Authorization", token)], 401),
            ("/status", [("Authorization", "token \(token)")], 401), ("/status", [], 401),
            ("/status", [("X-ZT1-Auth", "")], 401), ("/status", [("X-ZT1-Auth", "\(token) ")], 401),
            ("/status", [("X-ZT1-Auth", String(token.dropLast()))], 401),
            ("/status", [("X-ZT1-Auth", token.uppercased())], 401),
            ("/status", [("X-ZT1-Auth", String(repeating: "a", count: 8000))], 401),
            // The first that is there decides.
            ("/status?auth=\(token)", [("X-ZT1-Auth", "wrong")], 401),
            ("/status?auth=wrong", [("X-ZT1-Auth", token)], 200),
            ("/status?auth=wrong", [("Authorization", "Bearer \(token)")], 401),
            ("/status?auth=", [("Authorization", "Bearer \(token)")], 401),
            ("/health", [], 200), ("/nosuch", [], 401), ("/controller", [("X-ZT1-Auth", metricsToken)], 401),
            ("/metrics", [("X-ZT1-Auth", metricsToken)], 200), ("/metrics", [("X-ZT1-Auth", token)], 200),
            ("/metrics?auth=\(metricsToken)", [], 200), ("/metrics", [], 401),
        ] as [(String, [(String, String)], Int)])
    func tokens(target: String, headers: [(String, String)], expected: Int) {
        #expect(status(target, headers) == expected, "\(target) \(headers)")
    }

    @Test(
        arguments: [
            ("127.0.0.1", [], true), ("127.9.9.9", [], true), ("::1", [], true), ("::ffff:127.0.0.1", [], true),
            ("10.1.2.3", [], false), ("fd00::5", [], false), ("10.1.2.3", ["10.0.0.0/8"], true),
            ("::ffff:10.1.2.3", ["10.0.0.0/8"], true), ("11.1.2.3", ["10.0.0.0/8"], false),
            // Without bits an entry is one address, and not every one.
            ("10.1.2.3", ["10.9.9.9"], false), ("10.9.9.9", ["10.9.9.9"], true),
            // Bits of the host mean nothing.
            ("fd00::5", ["fd00::1/64"], true), ("fd01::5", ["fd00::1/64"], false), ("10.1.2.3", ["0.0.0.0/0"], true),
            ("fd00::5", ["0.0.0.0/0"], false),
        ] as [(String, [String], Bool)])
    func addresses(client: String, managers: [String], isAllowed: Bool) {
        let expected = isAllowed ? 200 : 401
        #expect(status("/status", [("X-ZT1-Auth", Self.token)], from: client, managers: managers) == expected)
        #expect(status("/health", from: client, managers: managers) == expected)
        // Metrics are for who has a token, wherever.
        #expect(status("/metrics", [("X-ZT1-Auth", Self.metricsToken)], from: client, managers: managers) == 200)
        #expect(status("/metrics", from: client, managers: managers) == 401)
    }

    @Test(
        arguments: [
            ("localhost", 200), ("localhost:9993", 200), ("LOCALHOST:9993", 200), ("127.0.0.1:9993", 200),
            ("[::1]:9993", 200), ("[fd00::1]", 200), ("192.0.2.7:80", 200), ("zerotier:9993", 200), ("machine", 200),
            ("given.example.com:1", 200), ("box.local", 200), ("host.docker.internal:9993", 200),
            ("a.home.arpa", 200), ("x.localhost:9993", 200),
            ("evil.example.com", 403), ("evil.example.com:9993", 403), ("127.0.0.1.evil.com", 403), ("", 403),
            ("localhost.evil.com", 403), ("local.", 403), ("[::1", 403), ("[::1]x", 403), ("[evil.com]", 403),
            ("localhost:9993:1", 403), ("localhost:x", 403), ("home.arpa.evil.com", 403), ("::1", 403),
        ])
    func `pages that let their own name lead here are refused`(host: String, expected: Int) {
        #expect(status("/status", [("Host", host), ("X-ZT1-Auth", Self.token)]) == expected, "\(host)")
        #expect(status("/health", [("Host", host)]) == expected, "\(host)")
    }

    @Test func `two Host headers are none`() {
        let two = [("Host", "localhost"), ("Host", "evil.example.com"), ("X-ZT1-Auth", Self.token)]
        #expect(status("/status", two) == 400)
    }

    @Test(
        arguments: [
            ([("Origin", "http://localhost:9993")], 200), ([("Origin", "HTTP://LOCALHOST:9993")], 200),
            ([("Origin", "http://localhost")], 403), ([("Origin", "https://localhost:9993")], 403),
            ([("Origin", "http://evil.example.com")], 403), ([("Origin", "null")], 403), ([("Origin", "")], 403),
            ([("Sec-Fetch-Site", "cross-site")], 403), ([("Sec-Fetch-Site", "same-site")], 403),
            ([("Sec-Fetch-Site", "same-origin")], 200), ([("Sec-Fetch-Site", "none")], 200),
        ] as [([(String, String)], Int)])
    func `pages of others are refused, even with the token`(headers: [(String, String)], expected: Int) {
        let all = [("Host", "localhost:9993"), ("X-ZT1-Auth", Self.token)] + headers
        #expect(status("/status", all) == expected, "\(headers)")
        #expect(status("/health", [("Host", "localhost:9993")] + headers) == expected, "\(headers)")
    }

    @Test func `an empty secret opens nothing`() {
        #expect(!ServiceAccess.areEqual([], []) && !ServiceAccess.areEqual([1], []))
        #expect(ServiceAccess.areEqual([1, 2], [1, 2]) && !ServiceAccess.areEqual([1, 2], [1, 3]))
    }
}
