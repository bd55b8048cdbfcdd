import Foundation
import JSONValues
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// Tokens of Central's API.
@Suite struct CentralTokenTests {
    private static let token = "abcdefghijklmnopqrstuvwxyz012345"

    private func body(_ name: String, _ token: String) -> String {
        JSONValue.object([("token", .string(token)), ("tokenName", .string(name))]).text
    }

    private func status(_ lab: ServiceLab, _ path: String, _ credential: String?) async throws -> Int {
        try await lab.send("GET", path, headers: credential.map { ["Authorization: \($0)"] } ?? []).status
    }

    @Test func `a token is drawn, made, used and deleted as by Terraform`() async throws {
        try await ServiceLab.with { lab in
            let owner = ["Authorization: bearer \(lab.token)", "Content-Type: application/json; charset=utf-8"]
            let user = try await lab.send("GET", "/api/v1/status", headers: owner)["user.id"]
            #expect(user == .string(lab.address))
            let path = "/api/v1/user/\(lab.address)/token"
            guard case .string(let token)? = try await lab.send("GET", "/api/v1/randomToken", headers: owner)["token"],
                case .string(let name)? = try await lab.send("GET", "/api/v1/randomToken", headers: owner)["token"]
            else {
                Issue.record("no token")
                return
            }
            #expect(token.utf8.count == 32 && token != name)
            // Drawing makes nothing.
            #expect(try await status(lab, "/api/v1/network", "bearer \(token)") == 401)
            let made = try await lab.send("POST", path, body(name, token), headers: owner)
            #expect(made.status == 200 && made["tokenName"] == .string(name) && !made.text.contains(token))
            for scheme in ["bearer", "Bearer", "token"] {
                for target in ["/network", "/status", "/randomToken"] {
                    #expect(try await status(lab, "/api/v1\(target)", "\(scheme) \(token)") == 200)
                }
            }
            // It opens Central's API alone.
            for target in [
                "/status", "/controller", "/controller/network", "/config", "/metrics", "/api/v1x/network", "/api",
            ] {
                #expect(try await status(lab, target, "bearer \(token)") == 401, "\(target)")
            }
            #expect(try await status(lab, "/status", "token \(lab.token)") == 401)
            #expect(
                try await lab.send("GET", "/api/v1/status", headers: owner)["user.tokens"] == .array([.string(name)]))
            let deleted = try await lab.send("DELETE", "\(path)/\(name)", headers: ["Authorization: bearer \(token)"])
            #expect(deleted.status == 200)
            #expect(try await status(lab, "/api/v1/network", "bearer \(token)") == 401)
            #expect(try await lab.send("DELETE", "\(path)/\(name)", headers: owner).status == 404)
        }
    }

    @Test(
        arguments: [
            nil, "", "bearer", "bearer ", "bearer \(token)", "token \(token)", "bearer \(token) ", "Basic \(token)",
            token,
            "bearer \(token.uppercased())",
        ])
    func `wrong and missing ones are 401, and change nothing`(credential: String?) async throws {
        try await ServiceLab.with { lab in
            _ = try await lab.value("POST", "/api/v1/user/\(lab.address)/token", body("other", Self.token + "6"))
            #expect(try await status(lab, "/api/v1/network", credential) == 401)
            for path in ["/network", "/user/\(lab.address)/token"] {
                let reply = try await lab.send(
                    "POST", "/api/v1\(path)", body("mine", Self.token),
                    headers: credential.map { ["Authorization: \($0)"] } ?? [])
                #expect(reply.status == 401 && reply.text == "{}")
            }
            #expect(try await status(lab, "/api/v1/network", "bearer \(lab.metricsToken)") == 401)
            let names = try await lab.value("GET", "/api/v1/user/\(lab.address)").json
            #expect(JSONField(names ?? .null).member("tokens")?.value == .array([.string("other")]))
            #expect(try await lab.ask("GET", "/controller/network").text == "[]")
        }
    }

    @Test func `names and tokens are bounded, and none is there twice`() async throws {
        try await ServiceLab.with { lab in
            let path = "/api/v1/user/\(lab.address)/token"
            func make(_ name: String, _ token: String) async throws -> (Int, String) {
                let (status, json) = try await lab.value("POST", path, body(name, token))
                return (status, json?.text ?? "")
            }
            let second = String(Self.token.reversed())
            let mistakes: [(name: String, token: String, field: String)] = [
                ("", Self.token, "tokenName"), (String(repeating: "n", count: 129), Self.token, "tokenName"),
                ("a\u{202e}b", Self.token, "tokenName"), ("a\u{7}b", Self.token, "tokenName"),
                ("a", String(Self.token.dropLast()), "token: "), ("a", String(repeating: "t", count: 1025), "token: "),
                ("a", Self.token + " x", "token: "), ("a", Self.token + "é", "token: "),
            ]
            for mistake in mistakes {
                let (status, text) = try await make(mistake.name, mistake.token)
                #expect(status == 400 && text.contains(mistake.field) && !text.contains(mistake.token), "\(text)")
            }
            #expect(try await make("a b/ü", Self.token).0 == 200)
            #expect(try await make("a b/ü", second).0 == 409)
            #expect(try await make("c", Self.token).0 == 409)
            for number in 1..<CentralTokens.limit {
                #expect(try await make("t\(number)", "\(Self.token)\(number)").0 == 200)
            }
            let (status, text) = try await make("more", second)
            #expect(status == 503 && text.contains("\(CentralTokens.limit)"))
            #expect(try await lab.value("DELETE", "\(path)/a%20b%2F%C3%BC").status == 200)
            #expect(try await make("more", second).0 == 200)
        }
    }

    @Test func `the file holds digests, is its owner's, and is read at the next start`() async throws {
        try await ServiceLab.with { lab in
            let (status, _) = try await lab.value("POST", "/api/v1/user/\(lab.address)/token", body("ci", Self.token))
            #expect(status == 200)
            let path = "\(lab.folder)/\(CentralTokens.fileName)"
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            var files = 0
            for case let name as String in try #require(FileManager.default.enumerator(atPath: lab.folder)) {
                guard let bytes = FileManager.default.contents(atPath: "\(lab.folder)/\(name)") else { continue }
                files += 1
                #expect(bytes.range(of: Data(Self.token.utf8)) == nil, "\(name)")
            }
            #expect(files > 3)
            let again = try CentralTokens(lab.store)
            #expect(again.names == ["ci"] && again.opens(Array(Self.token.utf8)))
            #expect(!again.opens(Array(Self.token.utf8.dropLast()) + [UInt8(ascii: "6")]) && !again.opens([]))
            #expect(try again.remove("ci") && !again.opens(Array(Self.token.utf8)))
            #expect(try CentralTokens(lab.store).names.isEmpty)
        }
    }

    @Test func `equal tokens of two services have digests of their own`() throws {
        let stores = [MemoryStore(), MemoryStore()]
        let files = try stores.map { store -> [UInt8] in
            try CentralTokens(store).add("ci", Self.token)
            return try store.read(CentralTokens.fileName) ?? []
        }
        #expect(files[0] != files[1] && !files[0].isEmpty)
    }

    @Test(
        arguments: [
            "", "{", "[]", #"{"salt":"00","tokens":[]}"#, #"{"salt":"0123456789abcdef0123456789abcdef"}"#,
            #"{"salt":"0123456789abcdef0123456789abcdef","tokens":[{"name":"a","sha512":"xy"}]}"#,
        ])
    func `a damaged file stops the start and stays as it was`(text: String) throws {
        let store = MemoryStore()
        try store.write(CentralTokens.fileName, Array(text.utf8), isSecret: true)
        let error = #expect(throws: ZeroTierError.self) { try CentralTokens(store) }
        #expect(error?.code == .storageUnsafe && error?.message.contains(CentralTokens.fileName) == true)
        #expect(try store.read(CentralTokens.fileName) == Array(text.utf8))
    }

    @Test func `another path serves it, and the standard one does not`() async throws {
        try await ServiceLab.with { lab in
            let face = CentralFace(
                path: try #require(CentralPath("/central")), tokens: try CentralTokens(lab.store))
            let service = NodeService(
                lab.node, home: lab.folder,
                access: ServiceAccess(token: "t", metricsToken: "m", hosts: [], central: face),
                settings: try LocalSettings(lab.store) { Issue.record("the service says: \($0)") })
            func status(_ target: String) async throws -> Int {
                try await service.answer(
                    to: ServiceRequest(
                        method: "GET", target: target, headers: [("Authorization", "bearer t")],
                        client: IPAddress("127.0.0.1")!)
                ).status
            }
            #expect(try await status("/central/network") == 200)
            #expect(try await status("/api/v1/network") == 404)
        }
    }
}
