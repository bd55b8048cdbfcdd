import JSONValues
import NetPrimitives
import TestSupport
import Testing

@testable import ZeroTierService

/// Targets, patterns and scripts.
@Suite struct RequestTests {
    private func request(_ target: String, method: String = "GET") -> ServiceRequest {
        ServiceRequest(method: method, target: target, headers: [], client: IPAddress("::1")!)
    }

    @Test(
        arguments: [
            ("/status", ["status"]), ("/", [""]), ("/a/", ["a", ""]), ("/a%2fb/c", ["a/b", "c"]), ("/%61", ["a"]),
            ("status", nil), ("", nil), ("/%", nil), ("/%6", nil), ("/%zz", nil), ("/%+1", nil), ("/%ff", nil),
            ("/a+b", ["a+b"]), ("*", nil),
        ] as [(String, [String]?)])
    func paths(target: String, path: [String]?) { #expect(request(target).path == path) }

    @Test func queries() {
        let query = request("/x?a=1&b=%20&c&d=e=f&=g&a=2&h=%zz&i=1+2").query
        #expect(query.map(\.name) == ["a", "b", "c", "d", "", "a", "h", "i"])
        #expect(query.map(\.value) == ["1", " ", "", "e=f", "g", "2", "%zz", "1 2"])
        #expect(request("/x?a=1&a=2").parameter("a") == "1" && request("/x").parameter("a") == nil)
    }

    @Test func methods() {
        #expect(request("/", method: "HEAD").method == .get && request("/", method: "PUT").method == .post)
        #expect(request("/", method: "DELETE").method == .delete)
        for method in ["OPTIONS", "PATCH", "TRACE", "CONNECT", "get", ""] {
            #expect(request("/", method: method).method == nil)
        }
    }

    @Test(
        arguments: [
            ("/network/{network}", "/network/8056C2E21C00000f", ["8056c2e21c00000f"]),
            ("/network/{network}", "/network/8056c2e21c00000", nil), ("/network/{network}", "/network", nil),
            ("/network/{network}", "/network/8056c2e21c00000g", nil),
            ("/network/{network}", "/network/+056c2e21c000001", nil),
            ("/peer/{node}", "/peer/ABCDEF0123", ["abcdef0123"]), ("/peer/{node}", "/peer/abcdef01234", nil),
            ("/c/{controller}", "/c/ABCDEF0123______", ["abcdef0123"]), ("/c/{controller}", "/c/abcdef0123_____", nil),
            ("/c/{controller}", "/c/______", nil), ("/moon/{moon}", "/moon/abcdef0123", ["abcdef0123"]),
            ("/moon/{moon}", "/moon/000000ABCDEF0123", ["000000abcdef0123"]),
            ("/b/{word}", "/b/eth0%2f", ["eth0/"]), ("/b/{word}", "/b/", nil),
        ] as [(String, String, [String]?)])
    func patterns(pattern: String, target: String, arguments: [String]?) {
        let route = ServiceRoute(.get, pattern) { _ in .emptyObject }
        #expect(route.arguments(of: request(target).path ?? []) == arguments)
    }

    @Test(arguments: ["f", "a.b.c", "_$", "jQuery1.x2", String(repeating: "a", count: 64)])
    func `a script calls the function that is named`(name: String) async throws {
        #expect(ScriptAnswer.refusal(of: name) == nil)
        let answer = try await ScriptAnswer.wrap(.json(.string("\u{2028}</script>")), name)
        guard case .bytes(let bytes) = answer.body else { throw ConnectionFailure(text: "no bytes") }
        #expect(String(decoding: bytes, as: UTF8.self) == #"\#(name)("\u2028</script>");"#)
        #expect(answer.contentType == "application/javascript" && answer.status == 200)
        let nothing = try await ScriptAnswer.wrap(.empty(404), name)
        guard case .bytes(let null) = nothing.body else { throw ConnectionFailure(text: "no bytes") }
        #expect(String(decoding: null, as: UTF8.self) == "\(name)(null);" && nothing.status == 404)
    }

    @Test(
        arguments: [
            "", "1a", "a b", "a(", "alert(1)//", "a..b", ".a", "a.", "a[0]", "ä", "a;b", "<b>", "a\n",
            String(repeating: "a", count: 65),
        ])
    func `a name that is none is refused`(name: String) throws {
        let answer = try #require(ScriptAnswer.refusal(of: name))
        #expect(answer.status == 400 && answer.contentType == "application/json")
    }

    @Test func `a list in parts becomes one script, unless it is too long`() async throws {
        let lab = Counter()
        let short = ServiceAnswer(
            status: 200, contentType: ServiceAnswer.jsonType, body: .parts { await lab.next() < 3 ? [0x31] : nil })
        guard case .bytes(let bytes) = try await ScriptAnswer.wrap(short, "f").body else {
            throw ConnectionFailure(text: "no bytes")
        }
        #expect(String(decoding: bytes, as: UTF8.self) == "f(111);")
        let endless = ServiceAnswer(
            status: 200, contentType: ServiceAnswer.jsonType, body: .parts { [UInt8](repeating: 0x31, count: 1 << 20) })
        #expect(try await ScriptAnswer.wrap(endless, "f").status == 400)
    }

    private actor Counter {
        private var value = -1

        func next() -> Int {
            value += 1
            return value
        }
    }
}
