import Foundation
import JSONValues
import NetPrimitives
import Testing

@testable import ZeroTierService

/// The description of the interface is what the service does: its routes, who may ask, and what it refers to. `make schema` asks the
/// service by it.
@Suite struct DescriptionTests {
    private struct Operation {
        let name: String
        let method: ServiceRequest.Method
        /// The path with each of the values that its parameters have as examples.
        let targets: [String]
        let body: JSONField
        let answers: [(key: String, field: JSONField)]
    }

    private static var root: JSONField {
        get throws { try JSONField(JSONDocument(DescriptionRoutes.bytes).root) }
    }

    /// What a reference leads to, or the field itself.
    private static func resolved(_ field: JSONField, in root: JSONField) throws -> JSONField {
        guard let reference = try field.member("$ref")?.string() else { return field }
        try #require(reference.hasPrefix("#/"), "\(reference)")
        return try reference.dropFirst(2).split(separator: "/").reduce(root) { try $0.required(String($1)) }
    }

    private static func operations() throws -> [Operation] {
        let root = try root
        let methods: [String: ServiceRequest.Method] = ["get": .get, "post": .post, "delete": .delete]
        var operations: [Operation] = []
        for (path, item) in try root.required("paths").members() {
            for (name, body) in try item.members() {
                var targets = [path]
                for parameter in try body.member("parameters")?.elements() ?? [] {
                    let parameter = try resolved(parameter, in: root)
                    guard try parameter.required("in").string() == "path" else { continue }
                    let place = "{\(try parameter.required("name").string())}"
                    let examples =
                        try parameter.member("examples")?.members().map { try $0.field.required("value").string() }
                        ?? [try parameter.required("example").string()]
                    try #require(path.contains(place), "\(path) has no \(place)")
                    targets = targets.flatMap { target in examples.map { target.replacing(place, with: $0) } }
                }
                operations.append(
                    Operation(
                        name: "\(name) \(path)", method: try #require(methods[name]), targets: targets, body: body,
                        answers: try body.required("responses").members()))
            }
        }
        return operations
    }

    private func request(
        _ operation: Operation, _ target: String, _ headers: [(String, String)] = []
    ) -> ServiceRequest {
        let method: [ServiceRequest.Method: String] = [.get: "GET", .post: "POST", .delete: "DELETE"]
        return ServiceRequest(
            method: method[operation.method] ?? "", target: target,
            headers: headers.map { (name: $0.0, value: $0.1) }, client: IPAddress("127.0.0.1")!)
    }

    @Test func `it has every route, and no other`() async throws {
        try await ServiceLab.with { lab in
            var described: Set<Int> = []
            for operation in try Self.operations() {
                for target in operation.targets {
                    let path = try #require(request(operation, target).path)
                    let found = lab.service.routes.indices.filter { index in
                        let route = lab.service.routes[index]
                        return route.method == operation.method && route.arguments(of: path) != nil
                    }
                    #expect(found.count == 1, "\(operation.name): \(target)")
                    described.formUnion(found)
                }
            }
            // ZeroTier describes Central's API itself; the table of its clients stands in CentralTests.
            let central = CentralPath.standard.description
            for (index, route) in lab.service.routes.enumerated()
            where !described.contains(index) && !route.pattern.hasPrefix(central) {
                Issue.record("not described: \(route.method) \(route.pattern)")
            }
        }
    }

    @Test func `it says what needs a token`() async throws {
        try await ServiceLab.with { lab in
            for operation in try Self.operations() {
                let isOpen = try operation.body.member("security")?.elements().isEmpty ?? false
                for target in operation.targets {
                    let refusal = lab.service.refusal(of: request(operation, target))
                    #expect((refusal == nil) == isOpen, "\(operation.name)")
                }
                let statuses = operation.answers.map(\.key)
                for status in ["401", "403"] { #expect(statuses.contains(status), "\(operation.name): \(status)") }
            }
        }
    }

    @Test func `pages of other origins, and names that lead here, get nothing at any path`() async throws {
        let evil: [[(String, String)]] = [
            [("Host", "evil.example.com")], [("Host", "evil.example.com:9993"), ("Sec-Fetch-Site", "same-origin")],
            [("Host", "localhost.evil.com"), ("Origin", "http://localhost.evil.com")],
            [("Host", "localhost:9993"), ("Origin", "http://evil.example.com")],
            [("Host", "localhost:9993"), ("Origin", "null")],
            [("Host", "127.0.0.1:9993"), ("Origin", "http://127.0.0.1:80")],
            [("Host", "localhost:9993"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
            [("Host", "0.0.0.0:9993"), ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")],
        ]
        try await ServiceLab.with { lab in
            for operation in try Self.operations() {
                for target in operation.targets {
                    for headers in evil {
                        let all = headers + [("X-ZT1-Auth", lab.token)]
                        let refusal = lab.service.refusal(of: request(operation, target, all))
                        #expect(refusal?.status == 403, "\(operation.name) \(headers)")
                    }
                    // A link, a form or a frame on another site leads to the page, and to nothing else of ours.
                    for destination in ["document", "iframe", "object", "image"] {
                        let link = [
                            ("Host", "localhost:9993"), ("Sec-Fetch-Site", "cross-site"),
                            ("Sec-Fetch-Mode", "navigate"),
                            ("Sec-Fetch-Dest", destination),
                        ]
                        let isPage = target.hasPrefix("/app") && destination == "document"
                        let refusal = lab.service.refusal(of: request(operation, target, link))
                        #expect((refusal == nil) == isPage, "\(operation.name) \(destination)")
                    }
                }
            }
        }
    }

    @Test func `what it refers to is there, and everything is referred to`() throws {
        let root = try Self.root
        var references: Set<String> = []
        func look(_ field: JSONField) throws {
            switch field.value {
            case .object(let object):
                if case .string(let reference)? = object["$ref"] {
                    references.insert(reference)
                    _ = try Self.resolved(field, in: root)
                }
                for (_, member) in try field.members() { try look(member) }
            case .array: for element in try field.elements() { try look(element) }
            default: break
            }
        }
        try look(root)
        for kind in ["parameters", "responses", "schemas"] {
            for (name, _) in try root.required("components").required(kind).members() {
                #expect(references.contains("#/components/\(kind)/\(name)"))
            }
        }
        let names = try Self.operations().map { try $0.body.required("operationId").string() }
        #expect(Set(names).count == names.count)
    }

    @Test func `it is served as it stands in the repository, to who has no token yet`() async throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/ZeroTierService/Description/openapi.json")
        let text = [UInt8](try Data(contentsOf: file))
        try await ServiceLab.with { lab in
            let reply = try await lab.send("GET", "/zt/openapi.json", headers: [])
            #expect(reply.status == 200 && reply.body == text && reply.headers["content-type"] == "application/json")
            for headers in [["Origin: http://evil.example.com"], ["Sec-Fetch-Site: cross-site"]] {
                #expect(try await lab.send("GET", "/zt/openapi.json", headers: headers).status == 403)
            }
        }
    }
}
