// zerotier run: a node in the foreground.

import ArgumentParser
import Dispatch
import Glibc
import JSONValues
import ZeroTier
import ZeroTierService
import ZeroTierStorePostgres

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a node until it is interrupted.",
        discussion: "`status`, `peers`, `networks`, `join`, `leave` and `ping` speak to it by its state directory.")

    @OptionGroup var state: HomeOptions
    @OptionGroup var options: NodeOptions

    @Option(help: "Network to join; may be repeated.", transform: Parse.network)
    var join: [NetworkID] = []

    @Flag(help: "Control networks of its own: see `zerotier controller`.")
    var controller = false

    @OptionGroup var store: StoreOptions

    @OptionGroup var service: ServiceOptions

    // For the demo, as of a root.
    @Flag(help: .private) var endWithInput = false

    @OptionGroup var log: LogOptions

    func validate() throws {
        if !controller, store.isGiven { throw ValidationError("--store is for a controller: give --controller too") }
    }

    func run() async throws {
        if endWithInput { endWithStandardInput() }
        let database = controller ? try store.database() : nil
        let home = try state.path()
        let directory = try lockHome(home)
        try await remembering(in: directory) { try await run(home, directory, database) }
    }

    private func run(_ home: String, _ directory: DirectoryStore, _ database: DatabaseAddress?) async throws {
        var configuration = try options.configuration(.store(directory))
        configuration.isController = controller
        let prepared = try service.prepare(directory, log)
        if configuration.port == 0, let port = prepared?.settings.current.primaryPort { configuration.port = port }
        if let database {
            let shared = try SharedController(home: home, database: database, log: log, service: prepared)
            return try await shared.run(configuration, name: store.name, join: join)
        }
        try await serve(configuration, home: home, join: join, log: log, service: prepared)
    }
}

/// Takes a state directory, before anything in it or on the network is touched.
func lockHome(_ home: String) throws(ZeroTierError) -> DirectoryStore {
    let store = try DirectoryStore(path: home)
    guard try store.read(StateFiles.unfinished) == nil else {
        throw ZeroTierError(
            .storageUnavailable,
            "a restore into \(store.path) did not end, so its state is not whole: do it again, with --replace")
    }
    try LastFailure.forget(in: store)
    return store
}

/// Does what runs a node in a directory. What it ends with, if that is a failure, is kept there for `zerotier status`.
func remembering(in store: DirectoryStore, _ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as CancellationError {
        throw error
    } catch {
        LastFailure.keep(error, in: store)
        throw error
    }
}

/// Runs a node until SIGINT or SIGTERM, or until its identity turns out to be unusable. SIGHUP makes a service read its settings
/// again, and ends a node without one. The caller holds the directory. `started` is called before anything is printed about the node.
func serve(
    _ configuration: Node.Configuration, home: String, join: [NetworkID], log: LogOptions,
    service: PreparedService? = nil, started: (Node) throws -> Void = { _ in }
) async throws {
    var configuration = configuration
    // Made before the node: no event is too early.
    let wishes = RunningWishes()
    configuration.log = { event in
        log.log(.event(event))
        if event == .identityCollision || event == .stopped { wishes.ask(.end) }
    }
    // Before anything is printed: a reader who sees that the node runs may end it at once.
    let hasService = service != nil
    let signals = await watchSignals(endingSignals) { wishes.ask($0 == SIGHUP && hasService ? .reload : .end) }
    defer { for source in signals { source.cancel() } }
    // Before the node sends anything: without it nobody could speak to the node.
    let control = try ControlServer(home: NodeHome(home, service))
    defer { control.stop() }
    let node = try await Node.start(configuration)
    var http: HTTPService?
    let result = await Result {
        try control.start(node)
        try started(node)
        log.log(
            Report(
                text: "node \(node.id) on UDP port \(node.port), state in \(home)",
                json: .object([
                    ("event", .string("started")), ("address", .text(node.id)),
                    ("port", .integer(Int64(node.port))), ("home", .string(home)),
                ])))
        http = try await service?.start(node)
        for network in join { try node.startJoining(network) }
        await wishes.serve {
            http = await service?.reload(http, of: node)
        }
    }
    // While the node is there: requests that are open are answered.
    if let http { await service?.stop(http) }
    control.stop()
    await node.shutdown()
    try result.get()
}

/// The signals that a node goes by.
var endingSignals: [Int32] { [SIGINT, SIGTERM] + (isIgnored(SIGHUP) ? [] : [SIGHUP]) }

// A parent such as nohup(1) may not want the program to end with the terminal.
private func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    // Sound: the call fills the structure; the handler is only compared.
    guard unsafe sigaction(number, nil, &action) == 0 else { return false }
    let handler = unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    return unsafe handler == unsafeBitCast(SIG_IGN, to: Int.self)
}

/// Calls `body` at signals. They do nothing else from now on.
///
/// Until this returns they do what they did before: if they were ignored in the meantime, one could be lost.
func watchSignals(
    _ numbers: [Int32], _ body: @escaping @Sendable (Int32) -> Void
) async -> [any DispatchSourceSignal] {
    var sources: [any DispatchSourceSignal] = []
    for number in numbers {
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler { body(number) }
        await withCheckedContinuation { continuation in
            source.setRegistrationHandler { continuation.resume() }
            source.resume()
        }
        sources.append(source)
    }
    return sources
}
