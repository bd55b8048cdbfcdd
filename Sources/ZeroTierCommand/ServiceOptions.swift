// The service for the tools of the field: options, and its life beside a node.

import ArgumentParser
import Glibc
import JSONValues
import NetPrimitives
import ZeroTier
import ZeroTierService

/// Whether and where a node serves these tools.
struct ServiceOptions: ParsableArguments {
    @Flag(
        help: """
            Serve the field's REST interface, at this machine's loopback addresses alone unless \
            settings.allowManagementFrom of local.conf names networks. The token is in authtoken.secret.
            """)
    var service = false

    @Option(help: "TCP port of the service; 0 for any free one. Default: the number of the UDP port.")
    var servicePort: UInt16?

    @Option(help: "Name by which the service may be asked, besides its addresses; may be repeated.")
    var serviceHost: [String] = []

    @Option(
        help: "Path below which the service has Central's API, for its clients.", transform: ServiceOptions.readPath)
    var centralPath: CentralPath?

    func validate() throws {
        guard service || (servicePort == nil && serviceHost.isEmpty && centralPath == nil) else {
            throw ValidationError("--service-port, --service-host and --central-path are for a node with --service")
        }
    }

    private static func readPath(_ text: String) throws -> CentralPath {
        guard let path = CentralPath(text) else {
            throw ValidationError(
                "a path is expected, such as /api/v1, below which the service has nothing else, not \(text)")
        }
        return path
    }

    /// What is to be known before the node starts. Nil without a service.
    func prepare(_ store: DirectoryStore, _ log: LogOptions) throws -> PreparedService? {
        service ? try PreparedService(self, store, log) : nil
    }
}

/// A service whose node is not there yet: its files were read, and nobody can ask it.
struct PreparedService: Sendable {
    private let port: UInt16?
    private let home: String
    private let files: ServiceFiles
    private let access: ServiceAccess
    private let log: LogOptions
    let settings: LocalSettings

    fileprivate init(_ options: ServiceOptions, _ store: DirectoryStore, _ log: LogOptions) throws(ZeroTierError) {
        port = options.servicePort
        self.log = log
        home = store.path
        files = ServiceFiles(store)
        settings = try LocalSettings(store) { log.log(.serviceTrouble($0)) }
        LogLine.least = settings.current.logLevel
        access = ServiceAccess(
            token: try files.token(), metricsToken: try files.metricsToken(),
            hosts: options.serviceHost + PreparedService.ownNames,
            central: CentralFace(path: options.centralPath ?? .standard, tokens: try files.centralTokens()))
    }

    /// Begins to serve a node.
    func start(_ node: Node) async throws(ZeroTierError) -> HTTPService {
        let http = try await listen(node, port: port ?? node.port)
        do throws(ZeroTierError) {
            try files.announce(port: http.port, process: getpid())
        } catch {
            await http.stop()
            throw error
        }
        log.log(.serviceStarted(http, home: home))
        return http
    }

    /// Reads settings and tokens again, where nothing listens.
    func readAgain() {
        takeSettings()
        log.log(.serviceReloaded)
    }

    // What cannot be used is told, and stays as it was.
    private func takeSettings() {
        do throws(ZeroTierError) {
            try settings.reload()
            LogLine.least = settings.current.logLevel
        } catch {
            log.log(.serviceTrouble("\(error.message); the settings before it stay in force"))
        }
        do throws(ZeroTierError) {
            access.setTokens(try files.token(), metricsToken: try files.metricsToken())
        } catch {
            log.log(.serviceTrouble("\(error.message); the tokens before it stay in force"))
        }
    }

    /// The same while a node runs. Gives the service in force: another one if other addresses may ask now, or if there was none.
    func reload(_ http: HTTPService?, of node: Node) async -> HTTPService? {
        takeSettings()
        // The line comes last: a client that waits for it may ask at once.
        defer { log.log(.serviceReloaded) }
        if let http, http.scope == scope { return http }
        await http?.stop()
        do throws(ZeroTierError) {
            let running = try await listen(node, port: http?.port ?? port ?? node.port)
            log.log(.serviceStarted(running, home: home))
            try files.announce(port: running.port, process: getpid())
            return running
        } catch {
            log.log(.serviceTrouble("nobody is served until the next reload: \(error.message)"))
            return nil
        }
    }

    private var scope: HTTPService.Scope { settings.current.managers.isEmpty ? .loopback : .everywhere }

    private func listen(_ node: Node, port: UInt16) async throws(ZeroTierError) -> HTTPService {
        try await HTTPService.start(
            NodeService(node, home: home, access: access, settings: settings), scope, port: port,
            limits: PreparedService.limits()
        ) { [log] in log.log(.serviceTrouble($0)) }
    }

    /// Ends it.
    func stop(_ http: HTTPService) async {
        await http.stop()
        do throws(ZeroTierError) {
            try files.withdraw()
        } catch {
            log.log(.serviceTrouble(error.message))
        }
    }

    // As many connections as there are descriptors for, with some left for all else.
    private static func limits() -> HTTPLimits {
        var limits = HTTPLimits()
        var files = rlimit()
        // Sound: both calls are given the whole structure.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0 else { return limits }
        files.rlim_cur = min(files.rlim_max, max(files.rlim_cur, wantedFiles))
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        // At each of two addresses.
        let free = (Int(clamping: files.rlim_cur) - reservedFiles) / 2
        limits.connections = min(limits.connections, max(8, free))
        limits.waiting = min(limits.waiting, max(0, free - limits.connections))
        return limits
    }

    private static let wantedFiles: rlim_t = 20_000
    private static let reservedFiles = 256

    // The name of this machine, whole and up to its first dot.
    private static var ownNames: [String] {
        var bytes = [CChar](repeating: 0, count: 256)
        // Sound: the last byte stays zero.
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return [] }
        let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? [] : [name, String(name.prefix { $0 != "." })]
    }
}

extension Report {
    fileprivate static func serviceStarted(_ http: HTTPService, home: String) -> Report {
        let places = http.addresses.map { address in
            "http://" + (address.isIPv4 ? "\(address)" : "[\(address)]") + ":\(http.port)"
        }
        // A browser of this machine finds it there, whatever else the service listens at.
        let page = "http://127.0.0.1:\(http.port)/app/"
        return Report(
            text: "service at \(places.joined(separator: " and ")), page at \(page), token in \(home)/authtoken.secret",
            json: .object([
                ("event", .string("service")), ("port", .integer(Int64(http.port))),
                ("addresses", .array(http.addresses.map { .text($0) })), ("page", .string(page)),
            ]))
    }

    fileprivate static let serviceReloaded = Report(
        text: "read the service's settings and tokens again", json: .object([("event", .string("serviceReloaded"))]))

    fileprivate static func serviceTrouble(_ text: String) -> Report {
        Report(
            text: text, json: .object([("event", .string("serviceTrouble")), ("message", .string(text))]),
            level: .warning)
    }
}
