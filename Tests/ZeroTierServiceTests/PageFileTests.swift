import Foundation
import JSONValues
import NetPrimitives
import Testing

@testable import ZeroTierService

/// The files of the page: all of them, as they are in the repository, and what is told with them.
@Suite struct PageFileTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/ZeroTierService/App")

    private static var sources: [(name: String, text: String)] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
                ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8))
            }
        }
    }

    @Test func `what is served is what stands in the folder`() throws {
        let served = PageRoutes.files.map { (name: $0.name, text: String(decoding: $0.bytes, as: UTF8.self)) }
        let sources = try Self.sources
        #expect(served.map(\.name).sorted() == sources.map(\.name))
        for (name, text) in sources { #expect(served.first { $0.name == name }?.text == text, "\(name)") }
        #expect(PageRoutes.files.first?.name == "index.html")
    }

    @Test func `nothing of the page takes markup, or asks somebody else`() throws {
        let forbidden = [
            "inner" + "HTML", "outer" + "HTML", "insertAdjacent" + "HTML", "document." + "write", "srcdoc", "eval(",
            "new Function", "DOMParser", "createContextualFragment", "localStorage", "document.cookie", "javascript:",
            "setTimeout(\"", "importScripts", "XMLHttpRequest", "EventSource(", "WebSocket",
        ]
        for (name, text) in try Self.sources {
            for word in forbidden where text.contains(word) { Issue.record("\(name) has \(word)") }
            // Names of namespaces and pages to read are in comments, or are names.
            for line in text.split(separator: "\n") where line.contains("://") {
                let isName =
                    line.contains("www.w3.org/2000/svg") || line.hasPrefix("/**") || line.contains("\"https://\"")
                #expect(isName, "\(name): \(line)")
            }
            if name == "index.html" {
                #expect(!text.contains(" style=") && !text.contains("onclick") && !text.contains("<script>"))
            }
        }
    }

    @Test func `files need an address that may ask, and no token`() async throws {
        try await ServiceLab.with { lab in
            for file in PageRoutes.files {
                let reply = try await lab.send("GET", "/app/\(file.name)", headers: [])
                #expect(reply.status == 200 && reply.body == file.bytes)
                #expect(reply.headers["content-type"] == file.contentType)
                #expect(
                    reply.headers["content-security-policy"]
                        == "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                        + "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
                #expect(reply.headers["referrer-policy"] == "no-referrer")
                #expect(reply.headers["x-content-type-options"] == "nosniff")
                #expect(reply.headers["cache-control"] == "no-store")
            }
            let page = try await lab.send("GET", "/app/", headers: [])
            #expect(page.status == 200 && page.body == PageRoutes.files[0].bytes)
            let head = try await lab.send("HEAD", "/app/", headers: [])
            #expect(head.status == 200 && head.headers["content-length"] == String(page.body.count))
            let other = try await lab.send("GET", "/app", headers: [])
            #expect(other.status == 308 && other.headers["location"] == "app/")
            for path in ["/app/nosuch.js", "/app/index.html/", "/app//index.html", "/app/..%2fidentity.secret"] {
                let reply = try await lab.send("GET", path, headers: [])
                #expect(reply.status == 404, "\(path)")
            }
            let posted = try await lab.send("POST", "/app/", "{}", headers: [])
            #expect(posted.status == 404)
        }
    }

    @Test(
        arguments: [
            ([("Sec-Fetch-Site", "none")], 200), ([("Sec-Fetch-Site", "same-origin")], 200),
            // A link leads here; a frame, a script or a request does not.
            ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")], 200),
            ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")], 403),
            ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "script")], 403),
            ([("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")], 403),
            ([("Host", "evil.example.com"), ("Sec-Fetch-Mode", "navigate")], 403),
            ([("Origin", "http://evil.example.com"), ("Host", "localhost")], 403),
        ] as [([(String, String)], Int)])
    func `pages of others may lead here, and do no more`(headers: [(String, String)], expected: Int) {
        let access = ServiceAccess(token: "t", metricsToken: "m", hosts: [])
        func status(_ target: String, _ client: String, _ more: [(String, String)] = []) -> Int {
            let request = ServiceRequest(
                method: "GET", target: target, headers: (headers + more).map { (name: $0.0, value: $0.1) },
                client: IPAddress(client)!)
            return access.refusal(of: request, managers: [])?.status ?? 200
        }
        #expect(status("/app/", "127.0.0.1") == expected)
        // Addresses that may not ask do not get the page either.
        #expect(status("/app/", "192.0.2.1") == (expected == 200 ? 401 : expected))
        // Such a link does not lead to what needs the token.
        if headers.contains(where: { $0.1 == "cross-site" }) {
            #expect(status("/status", "127.0.0.1", [("X-ZT1-Auth", "t")]) == 403)
        }
    }
}
