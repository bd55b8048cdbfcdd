import Foundation
import JSONValues
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// A node that is its own root and a controller, with a service on real sockets.
final class ServiceLab: Sendable {
    let folder: String
    let store: DirectoryStore
    let node: Node
    let service: NodeService
    let http: HTTPService
    let token: String
    let metricsToken: String

    private init(
        _ folder: String, _ store: DirectoryStore, _ node: Node, _ service: NodeService, _ http: HTTPService,
        _ token: String, _ metricsToken: String
    ) {
        self.folder = folder
        self.store = store
        self.node = node
        self.service = service
        self.http = http
        self.token = token
        self.metricsToken = metricsToken
    }

    static func with(
        isController: Bool = true, limits: HTTPLimits = HTTPLimits(), scope: HTTPService.Scope = .loopback,
        localConfiguration: String? = nil, _ body: (ServiceLab) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try DirectoryStore(path: folder)
        if let localConfiguration {
            try store.write("local.conf", Array(localConfiguration.utf8), isSecret: false)
        }
        // Making one takes seconds of a core.
        try store.write("identity.secret", Array(identity(0).utf8), isSecret: true)
        var configuration = Node.Configuration(storage: .store(store))
        configuration.allowsLoopbackPaths = true
        configuration.isController = isController
        let node = try await start(configuration)
        let files = ServiceFiles(store)
        let (token, metricsToken) = (try files.token(), try files.metricsToken())
        let service = NodeService(
            node, home: folder,
            access: ServiceAccess(
                token: token, metricsToken: metricsToken, hosts: ["given.example.com"],
                central: CentralFace(path: .standard, tokens: try files.centralTokens())),
            settings: try LocalSettings(store) { Issue.record("the service says: \($0)") })
        let http = try await HTTPService.start(service, scope, port: 0, limits: limits) {
            Issue.record("the service says: \($0)")
        }
        let lab = ServiceLab(folder, store, node, service, http, token, metricsToken)
        do {
            try await body(lab)
        } catch {
            await lab.end()
            throw error
        }
        await lab.end()
    }

    // A root says its port before it has one, and another program may have taken that meanwhile.
    private static func start(_ given: Node.Configuration) async throws -> Node {
        var configuration = given
        for _ in 0..<10 {
            configuration.port = try Node.findFreePort()
            configuration.root = Node.Root(endpoints: [SocketEndpoint("127.0.0.1:\(configuration.port)")!])
            do {
                return try await Node.start(configuration)
            } catch {
                guard error.code == .portTaken else { throw error }
            }
        }
        return try await Node.start(configuration)
    }

    private static func identity(_ index: Int) -> String { VectorFiles.lines("identities.txt")[index] }

    private func end() async {
        await http.stop()
        await node.shutdown()
    }

    /// Another node that uses this one as its root.
    func member() async throws -> Node {
        var configuration = Node.Configuration(storage: .store(MemoryStore(identity: Self.identity(1))))
        configuration.planet = try node.planet()
        configuration.allowsLoopbackPaths = true
        return try await Node.start(configuration)
    }

    var address: String { "\(node.id)" }

    /// Asks as tools do: with the token in a header, on a connection of its own.
    func ask(
        _ method: String, _ path: String, _ body: String? = nil, headers: [String] = []
    ) async throws -> HTTPReply {
        try await send(method, path, body, headers: ["X-ZT1-Auth: \(token)"] + headers)
    }

    /// Asks with these headers and no others.
    func send(
        _ method: String, _ path: String, _ body: String? = nil, headers: [String]
    ) async throws -> HTTPReply {
        let port = http.port
        return try await onThread {
            let connection = try HTTPConnection(port)
            try connection.send(method, path, body, headers: ["Host: localhost:\(port)"] + headers)
            return try connection.reply(to: method)
        }
    }

    /// Asks without sockets.
    func value(_ method: String, _ path: String, _ body: String = "") async throws -> (status: Int, json: JSONValue?) {
        let answer = try await service.answer(
            to: ServiceRequest(
                method: method, target: path, headers: [("X-ZT1-Auth", token)], client: IPAddress("127.0.0.1")!,
                body: Array(body.utf8)))
        switch answer.body {
        case .none: return (answer.status, nil)
        case .bytes(let bytes): return (answer.status, try? JSONDocument(bytes).root)
        case .stream: return (answer.status, nil)
        case .parts(let next):
            var bytes: [UInt8] = []
            while let part = try await next() { bytes += part }
            return (answer.status, try JSONDocument(bytes).root)
        }
    }
}

/// Runs what blocks where it keeps no task from going on.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

/// Looks again until something is so, for at most 20 s.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    // On a busy machine the time may be over before the second look.
    return try await condition()
}
