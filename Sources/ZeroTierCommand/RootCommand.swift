// zerotier root: a root of one's own, with its planet.

import ArgumentParser
import Foundation
import ZeroTier

struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: "Run a root of your own until it is interrupted.",
        discussion: """
            On the first start it makes an identity, a signing key and the file `planet` in the state directory. Give that \
            file to every node that is to use this root: `zerotier run --planet FILE`.
            """)

    @Option(help: "State directory; made if there is none.")
    var home: String

    @Option(help: "UDP port.")
    var udpPort: UInt16 = 9993

    @Option(
        help: "Where nodes reach this root; may be repeated. Default: the addresses of this machine.",
        transform: Parse.endpoint)
    var endpoint: [SocketEndpoint] = []

    @Option(help: "Local address to use; may be repeated. Default: all.", transform: Parse.address)
    var bind: [IPAddress] = []

    @Flag(help: "Also serve nodes on this machine by its loopback interface.")
    var loopbackPaths = false

    @Flag(help: "One system call per datagram, as on systems without segmentation offload.")
    var plainUDP = false

    // For the demo, whose processes are not to outlive it, however it ends.
    @Flag(help: .private) var endWithInput = false

    @OptionGroup var report: ReportOptions

    func validate() throws {
        try Limits.check(Int(udpPort), Limits.ports, "--udp-port")
        guard endpoint.count <= 32 else { throw ValidationError("a root has at most 32 endpoints") }
        guard Set(endpoint).count == endpoint.count else { throw ValidationError("an --endpoint is given twice") }
    }

    func run() async throws {
        if endWithInput { endWithStandardInput() }
        let store = try lockHome(home)
        var configuration = Node.Configuration(storage: .store(store))
        configuration.planet = try RootState(store: store).planet(try endpoints())
        configuration.port = udpPort
        configuration.bindAddresses = bind
        configuration.allowsLoopbackPaths = loopbackPaths
        configuration.usesOffload = !plainUDP
        let file = store.location(of: RootState.planetFile)
        report.log(
            Report(
                text: "planet in \(file)", json: .object([("event", .string("planet")), ("file", .string(file))])))
        try await serve(configuration, home: home, join: [], report: report)
    }

    private func endpoints() throws(Failure) -> [SocketEndpoint] {
        if !endpoint.isEmpty { return endpoint }
        let addresses = bind.isEmpty ? Node.usableAddresses(allowLoopback: loopbackPaths) : bind
        guard !addresses.isEmpty else {
            throw Failure("noAddress", "this machine has no address that nodes could reach: give --endpoint")
        }
        return addresses.prefix(32).map { SocketEndpoint($0, port: udpPort) }
    }
}

/// The files of a root in its state directory, which the caller holds. What is damaged is left as it is.
private struct RootState {
    static let planetFile = "planet"
    private static let identityFile = "identity.secret"
    private static let keyFile = "planet.key"

    let store: DirectoryStore

    /// The stored planet if it names this root with these endpoints, else a new version of it.
    func planet(_ endpoints: [SocketEndpoint]) throws -> Planet {
        let identity = try identity()
        let roots = [Planet.Root(identity: try Identity(text: identity.publicText), endpoints: endpoints)]
        let file = store.location(of: RootState.planetFile)
        guard let bytes = try store.read(RootState.planetFile) else {
            return try write(UInt64.random(in: 1...UInt64.max), roots, key: key() ?? makeKey())
        }
        let stored = try parse(RootState.planetFile, bytes) { (bytes) throws(ZeroTierError) in
            try Planet(bytes: bytes)
        }
        if stored.roots == roots { return stored }
        guard stored.roots.count == 1, stored.roots[0].identity == roots[0].identity else {
            throw Failure(
                "invalidWorld",
                "\(file) names other roots than this one alone; it was left as it is. For one root of several use "
                    + "`zerotier run --home \(store.path) --planet FILE`, for a root of its own another --home.")
        }
        guard let key = try key(), try stored.isSigned(with: key) else {
            throw Failure(
                "invalidWorld",
                "\(file) has other endpoints, and \(store.location(of: RootState.keyFile)), which could sign a new version, "
                    + "is missing or another one; both were left as they are.")
        }
        return try write(stored.id, roots, key: key)
    }

    private func write(_ id: UInt64, _ roots: [Planet.Root], key: Planet.SigningKey) throws -> Planet {
        let planet = try Planet(id: id, roots: roots, key: key)
        try store.write(RootState.planetFile, planet.bytes, isSecret: false)
        return planet
    }

    private func identity() throws -> Identity {
        guard let bytes = try store.read(RootState.identityFile) else {
            let identity = Identity.generate()
            try store.write(RootState.identityFile, Array((identity.secretText ?? "").utf8), isSecret: true)
            return identity
        }
        return try parse(RootState.identityFile, bytes) { (bytes) throws(ZeroTierError) in
            let identity = try Identity(text: String(decoding: bytes, as: UTF8.self))
            guard identity.hasSecret, identity.isValid else {
                throw ZeroTierError(.invalidIdentity, "this identity has no secret, or its address or secret is wrong")
            }
            return identity
        }
    }

    private func key() throws -> Planet.SigningKey? {
        guard let bytes = try store.read(RootState.keyFile) else { return nil }
        return try parse(RootState.keyFile, bytes) { (bytes) throws(ZeroTierError) in
            try Planet.SigningKey(bytes: bytes)
        }
    }

    private func makeKey() throws -> Planet.SigningKey {
        let key = Planet.SigningKey()
        try store.write(RootState.keyFile, key.bytes, isSecret: true)
        return key
    }

    private func parse<Value>(
        _ name: String, _ bytes: [UInt8], _ body: ([UInt8]) throws(ZeroTierError) -> Value
    ) throws(Failure) -> Value {
        do throws(Failure) {
            return try Files.parse(store.location(of: name), bytes, body)
        } catch {
            throw Failure(error.code, error.message + "; the file was left as it is: restore or remove it")
        }
    }
}

extension Planet {
    /// Whether this key signed it: signatures have no randomness, so the same contents give the same bytes.
    func isSigned(with key: SigningKey) throws(ZeroTierError) -> Bool {
        try Planet(id: id, timestampMilliseconds: timestampMilliseconds, roots: roots, key: key) == self
    }
}
