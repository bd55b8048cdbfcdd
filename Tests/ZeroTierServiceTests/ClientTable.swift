import JSONValues
import TestSupport
import Testing

@testable import ZeroTierService

/// What one client sends, and what it reads from the answer.
struct ClientRow: Sendable, CustomTestStringConvertible {
    let id: String
    let method: String
    /// `ADDR` is the node's address, `NET` the network's ID, `MEM` a member's address.
    let path: String
    var body: String?
    var status = 200
    /// Places and what must be there, such as `routes[].via:text?` or `v4AssignMode.zt=true`: see `Reads`.
    let reads: String

    init(_ id: String, _ method: String, _ path: String, _ reads: String) {
        self.init(id, method, path, nil, reads)
    }

    init(_ id: String, _ method: String, _ path: String, _ body: String?, status: Int = 200, _ reads: String) {
        self.id = id
        self.method = method
        self.path = path
        self.body = body
        self.status = status
        self.reads = reads
    }

    var testDescription: String { "\(id) \(method) \(path)" }
}

/// Reads places of an answer as a client does.
///
///     name:text               a member of this type: text, int, bool, list, object; with ? null too
///     via:none                not there
///     [].id:text              each element of a list; there must be one at least
///     routes[].target:text    the same below a member
///     private=true            a member with this value, in JSON
enum Reads {
    /// What is wrong, in words; nil if all is there.
    static func problem(_ value: JSONValue?, _ reads: String) -> String? {
        for read in reads.split(separator: " ") {
            let isValue = read.contains("=")
            let parts = read.split(separator: isValue ? "=" : ":", maxSplits: 1).map(String.init)
            // A check of the whole value has no place.
            let (place, wanted) = parts.count == 2 ? (parts[0], parts[1]) : ("", parts[0])
            guard let problem = check(value, steps(place), wanted, isValue) else { continue }
            return "\(read): \(problem)"
        }
        return nil
    }

    private static func steps(_ place: String) -> [String] {
        place.split(separator: ".").flatMap { part -> [String] in
            guard part.hasSuffix("[]") else { return [String(part)] }
            let name = String(part.dropLast(2))
            return name.isEmpty ? ["[]"] : [name, "[]"]
        }
    }

    private static func check(_ value: JSONValue?, _ steps: [String], _ wanted: String, _ isValue: Bool) -> String? {
        guard let step = steps.first else { return judge(value, wanted, isValue) }
        let rest = Array(steps.dropFirst())
        if step == "[]" {
            guard case .array(let elements)? = value, !elements.isEmpty else { return "no list with an element" }
            return elements.lazy.compactMap { check($0, rest, wanted, isValue) }.first
        }
        guard case .object(let object)? = value else { return "no object at \(step)" }
        return check(object[step], rest, wanted, isValue)
    }

    private static func judge(_ value: JSONValue?, _ wanted: String, _ isValue: Bool) -> String? {
        if isValue { return value?.text == wanted ? nil : "it is \(value?.text ?? "not there")" }
        if wanted == "none" { return value == nil ? nil : "it is there" }
        if wanted.hasSuffix("?"), value == .null { return nil }
        let isRight =
            switch (wanted.prefix { $0 != "?" }, value) {
            case ("text", .string?), ("int", .integer?), ("int", .unsigned?), ("bool", .bool?), ("list", .array?),
                ("object", .object?):
                true
            case ("number", .integer?), ("number", .number?): true
            default: false
            }
        return isRight ? nil : "it is \(value?.text.prefix(80) ?? "not there")"
    }
}

extension ServiceLab {
    /// Sends a row's request, with the token or with `headers` in its place, and reads its answer. Gives the answer.
    @discardableResult
    func check(
        _ row: ClientRow, network: String = "", member: String = "", headers given: [String]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> HTTPReply {
        func filled(_ text: String) -> String {
            text.replacing("ADDR", with: address).replacing("NET", with: network).replacing("MEM", with: member)
        }
        let type = row.body == nil ? [] : ["Content-Type: application/json"]
        let headers = given ?? (["X-ZT1-Auth: \(token)"] + type)
        let reply = try await send(row.method, filled(row.path), row.body.map(filled), headers: headers)
        #expect(reply.status == row.status, "\(row.testDescription): \(reply.text)", sourceLocation: sourceLocation)
        if !row.reads.isEmpty {
            #expect(
                reply.headers["content-type"] == "application/json", "\(row.testDescription)",
                sourceLocation: sourceLocation)
            let problem = Reads.problem(reply.json, filled(row.reads))
            #expect(
                problem == nil, "\(row.testDescription): \(problem ?? "") in \(reply.text)",
                sourceLocation: sourceLocation)
        }
        return reply
    }

    /// Makes a network as a client does, and gives its ID.
    func makeNetwork(_ body: String = #"{"name":"n"}"#) async throws -> String {
        let made = try await ask("POST", "/controller/network/\(address)______", body)
        guard case .string(let id)? = made["id"] else { throw ConnectionFailure(text: "no network: \(made.text)") }
        return id
    }
}
