//  The service as a function: requests as text, put to a node that is a controller, and what must hold of every answer.

import Dispatch
import JSONValues
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierService
import ZeroTierWire

/// Requests one after the other, with the byte 0x1e between two: a line with method and target, headers, an empty line, a body.
/// `@token`, `@metrics`, `@network`, `@node` stand for what no input can know.
package func fuzzService(_ bytes: [UInt8]) { ServiceScene.shared.run(bytes) }

/// A node with its service, one for all inputs. What an input changes is undone after it.
final class ServiceScene: Sendable {
    static let shared = ServiceScene()

    private static let token = "k3y0fth3n0d3k3y0fth3n0d3"
    private static let metricsToken = "m3tr1cs0nlym3tr1cs0nly00"
    private static let separator: UInt8 = 0x1e
    private static let statuses: Set<Int> = [200, 308, 400, 401, 403, 404, 500, 503]

    private let node: Node
    private let service: NodeService
    private let settings: LocalSettings
    private let network: String
    private let executor = QueueExecutor()
    // Inputs of two threads, one after the other.
    private let turn = Mutex(())

    private init() {
        do {
            let store = MemoryStore(identity: FuzzFixture.victim.text(includeSecret: true))
            var configuration = Node.Configuration(storage: .store(store))
            configuration.port = try Node.findFreePort()
            configuration.root = Node.Root(endpoints: [
                SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: configuration.port)
            ])
            configuration.isController = true
            node = try Node(configuration)
            settings = try LocalSettings(store) { preconditionFailure("the service says: \($0)") }
        } catch {
            preconditionFailure("no node to ask: \(error)")
        }
        service = NodeService(
            node, home: "/nowhere",
            access: ServiceAccess(token: Self.token, metricsToken: Self.metricsToken, hosts: ["given.example.com"]),
            settings: settings)
        network = "\(node.id)000001"
        prepare()
    }

    func run(_ bytes: [UInt8]) {
        turn.withLock { _ in
            let before = state
            for text in bytes.split(separator: Self.separator).prefix(8) { ask(Array(text)) }
            if state != before { prepare() }
        }
    }

    // MARK: The node

    /// What requests can change.
    private struct State: Equatable {
        var controlled: [String] = []
        var joined: [String] = []
        var moons: [UInt64] = []
        var local = JSONValue.null
    }

    private var state: State {
        attempt {
            var state = State()
            for id in try node.controller.networkIDs() {
                state.controlled.append(try node.controller.networkRecord(id)?.text ?? "")
                for (member, _) in try node.controller.memberRevisions(of: id, after: nil, limit: .max) ?? [] {
                    state.controlled.append(try node.controller.memberText(member, of: id))
                }
            }
            for network in try node.networks() {
                state.joined.append("\(network.id) \(try node.settings(of: network.id))")
            }
            state.moons = try node.moons().map(\.id).sorted()
            state.local = settings.current.root
            return state
        }
    }

    // Nothing is joined, and one network has one member.
    private func prepare() {
        attempt {
            for network in try node.networks() { try node.leave(network.id) }
            for moon in try node.moons() { try node.deorbit(moon.id) }
        }
        wait { [self] in
            for id in try node.controller.networkIDs() { _ = try await node.controller.deleteRecord(of: id) }
            let all = settings.current.settings.map { (key: $0.key, value: JSONValue.null) }
            if !all.isEmpty { try settings.set(all) }
        }
        for (path, body) in [
            ("/controller/network/\(network)", #"{"name":"first"}"#),
            ("/controller/network/\(network)/member/1122334455", #"{"authorized":true}"#),
        ] {
            let answer = answer(
                to: ServiceRequest(
                    method: "POST", target: path, headers: [(name: "x-zt1-auth", value: Self.token)],
                    client: IPAddress(v4: 0x7f00_0001), body: Array(body.utf8)))
            precondition(answer.status == 200, "the scene is not made: \(answer.text)")
        }
    }

    // MARK: Requests

    private func ask(_ text: [UInt8]) {
        let filled = fill(text)
        let end = filled.firstRange(of: Array("\n\n".utf8))
        let head = String(decoding: filled[..<(end?.lowerBound ?? filled.endIndex)], as: UTF8.self)
        let body = end.map { Array(filled[$0.upperBound...]) } ?? []
        let lines = head.split(separator: "\n", omittingEmptySubsequences: false)
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 1)
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(parts[0]), value: parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        let request = ServiceRequest(
            method: String(words.first ?? ""), target: words.count > 1 ? String(words[1]) : "", headers: headers,
            client: IPAddress(v4: 0x7f00_0001), body: body)
        let before = state
        let answer = answer(to: request)
        check(answer, to: request, hasToken: head.contains(Self.token))
        if answer.status >= 400 || request.method == .get {
            precondition(state == before, "\(answer.status) \(head): something was changed")
        }
    }

    private func fill(_ text: [UInt8]) -> [UInt8] {
        var filled = text
        for (name, value) in [
            ("@token", Self.token), ("@metrics", Self.metricsToken), ("@network", network), ("@node", "\(node.id)"),
        ] {
            filled = filled.replacing(Array(name.utf8), with: Array(value.utf8))
        }
        return filled
    }

    private struct Heard: Sendable {
        var status = 0
        var contentType: String?
        var bytes: [UInt8] = []
        var hasBody = false
        var isStream = false

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private func answer(to request: ServiceRequest) -> Heard {
        wait { [service] in
            let answer = try await service.answer(to: request)
            var heard = Heard(status: answer.status, contentType: answer.contentType)
            switch answer.body {
            case .none: break
            case .bytes(let bytes): (heard.bytes, heard.hasBody) = (bytes, true)
            case .parts(let next):
                heard.hasBody = true
                while let part = try await next() { heard.bytes += part }
            case .stream(let next):
                (heard.hasBody, heard.isStream) = (true, true)
                heard.bytes = await next() ?? []
            }
            return heard
        }
    }

    private func check(_ answer: Heard, to request: ServiceRequest, hasToken: Bool) {
        precondition(Self.statuses.contains(answer.status), "the status \(answer.status)")
        precondition(answer.hasBody == (answer.contentType != nil), "\(answer.status): a body and its type")
        if !hasToken { checkStranger(answer, request) }
        if answer.status == 500 {
            do throws(JSONError) {
                _ = try JSONDocument(request.body)
                preconditionFailure("500 for JSON: \(answer.text)")
            } catch {
                precondition(error.isNoJSON, "500 for JSON: \(answer.text)")
            }
        }
        switch answer.contentType {
        case "application/json":
            precondition(Self.isJSON(answer.bytes), "no JSON: \(answer.text.prefix(200))")
        case "application/javascript":
            let open = answer.bytes.firstIndex(of: UInt8(ascii: "("))
            precondition(answer.text.hasSuffix(");"), "no script: \(answer.text.prefix(200))")
            guard let open else { preconditionFailure("no script: \(answer.text.prefix(200))") }
            let value = Array(answer.bytes[(open + 1)...].dropLast(2))
            precondition(Self.isJSON(value), "no value: \(answer.text.prefix(200))")
        default: break
        }
    }

    // One level more than a body may have: the status has local.conf in it.
    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        var limits = JSONLimits()
        limits.depth += 8
        return (try? JSONDocument(bytes, limits: limits)) != nil
    }

    // Nobody without the token hears more than that.
    private func checkStranger(_ answer: Heard, _ request: ServiceRequest) {
        if [400, 401, 403].contains(answer.status) { return }
        let isOpen = ["health", "app"].contains(request.path?.first) || request.path == ["zt", "openapi.json"]
        let isReader = request.path == ["metrics"]
        precondition(isOpen || isReader, "\(answer.status) for a stranger: \(answer.text.prefix(200))")
    }

    // MARK: Waiting

    private func attempt<Value>(_ body: () throws -> Value) -> Value {
        do {
            return try body()
        } catch {
            preconditionFailure("the node does not do what it should: \(error)")
        }
    }

    // Not on the pool of the runtime: a test that waits takes a thread of it.
    private func wait<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) -> Value {
        let answered = Answered<Value>()
        Task(executorPreference: executor) {
            do {
                answered.set(try await body())
            } catch {
                preconditionFailure("the node does not do what it should: \(error)")
            }
        }
        return answered.take()
    }
}

/// A value that another thread makes.
private final class Answered<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func set(_ value: Value) {
        self.value.withLock { $0 = value }
        done.signal()
    }

    func take() -> Value {
        done.wait()
        guard let value = value.withLock({ $0 }) else { preconditionFailure("a value was told and is not there") }
        return value
    }
}

/// Runs tasks on a thread of its own.
private final class QueueExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "service fuzz")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
