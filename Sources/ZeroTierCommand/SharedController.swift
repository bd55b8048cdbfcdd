// zerotier run --controller --store: one of several controllers with one identity and one database. Its node runs while it has the
// lease. Read first: Docs/decisions/0037-the-lease.md.

import ArgumentParser
import Foundation
import Glibc
import JSONValues
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierController
import ZeroTierService
import ZeroTierStore
import ZeroTierStorePostgres
import ZeroTierWire

/// Where a controller keeps its records, if not in its state directory.
struct StoreOptions: ParsableArguments {
    static let variable = "ZEROTIER_STORE"

    @Option(
        help: ArgumentHelp(
            "Keep the networks in a PostgreSQL database that several controllers share, of which one answers at a time: "
                + "postgres://USER@HOST/NAME?sslmode=verify-full. They have the same identity.secret. For a password use "
                + "~/.pgpass, --store-file or $\(variable).", valueName: "url"))
    var store: String?

    @Option(help: ArgumentHelp("File with that URL, which only its owner can read.", valueName: "file"))
    var storeFile: String?

    @Option(help: "The name by which the others call this controller. Default: the host's name.")
    var storeName: String?

    /// The database; nil if there is none.
    func database() throws -> DatabaseAddress? {
        if let store {
            let address = try read(store, "--store")
            guard !address.hasPassword else {
                throw Failure(
                    "usage",
                    "--store has a password, which every user of this machine can see: put the URL into a file and name that "
                        + "with --store-file, or set \(StoreOptions.variable)")
            }
            return address
        }
        if let storeFile {
            if let mode = FileSystem.facts(of: storeFile)?.mode, mode & 0o077 != 0 {
                throw Failure("file", "\(storeFile) can be read by others: chmod 600 \(storeFile)")
            }
            let text = String(decoding: try Files.read(storeFile), as: UTF8.self)
            return try read(text.trimmingCharacters(in: .whitespacesAndNewlines), storeFile)
        }
        guard let given = ProcessInfo.processInfo.environment[StoreOptions.variable], !given.isEmpty else { return nil }
        return try read(given, StoreOptions.variable)
    }

    private func read(_ text: String, _ place: String) throws -> DatabaseAddress {
        do throws(StoreError) {
            return try DatabaseAddress(text)
        } catch {
            throw Failure("usage", "\(place): \(error.message)")
        }
    }

    var isGiven: Bool { store != nil || storeFile != nil || storeName != nil }

    /// The name of this controller.
    var name: String { storeName ?? ProcessInfo.processInfo.hostName }
}

/// One of several controllers: its lease, and its node while it has it.
final class SharedController: Sendable {
    private enum Turn: Sendable {
        case hold
        case stop
        case reload
        case end
    }

    private struct State: Sendable {
        var node: ZeroTier.Node?
        var http: HTTPService?
        var until = MonotonicInstant.zero
    }

    private let home: String
    private let database: DatabaseAddress
    private let address: Address
    private let log: LogOptions
    private let service: PreparedService?
    private let state = Mutex(State())
    private let keeper: Mutex<LeaseKeeper?> = Mutex(nil)
    private let turns: AsyncStream<Turn>
    private let turning: AsyncStream<Turn>.Continuation

    /// `home` has the identity that all of them share. `service` is open while the node runs.
    init(
        home: String, database: DatabaseAddress, log: LogOptions, service: PreparedService?
    ) throws(Failure) {
        self.home = home
        self.service = service
        self.database = database
        self.log = log
        let path = "\(home)/identity.secret"
        guard Files.exists(path) else {
            throw Failure(
                "file",
                "\(path) is missing: controllers that share a database share one identity. Copy the file from another of them; "
                    + "for the first one, `zerotier identity new --output \(path)` makes it")
        }
        address = Address(try Files.identity(path).id.value)
        (turns, turning) = AsyncStream.makeStream(of: Turn.self)
    }

    /// Runs until a signal comes.
    func run(_ given: ZeroTier.Node.Configuration, name: String, join: [ZeroTier.NetworkID]) async throws {
        let hasService = service != nil
        let signals = await watchSignals(endingSignals) { [turning] in
            turning.yield($0 == SIGHUP && hasService ? .reload : .end)
        }
        defer { for source in signals { source.cancel() } }
        let control = try ControlServer(home: NodeHome(home, service))
        defer { control.stop() }
        let keeper = try LeaseKeeper(database, controller: address, name: name) { [self] news in take(news) }
        self.keeper.withLock { $0 = keeper }
        try keeper.start()
        let result = await Result {
            try control.serve { [self] request in try await answer(request) }
            log.log(
                Report(
                    text: "controller \(address) is \(keeper.name), database \(database), state in \(home)",
                    json: .object([
                        ("event", .string("sharedController")), ("address", .text(address)),
                        ("name", .string(keeper.name)), ("database", .text(database)), ("home", .string(home)),
                    ])))
            try await follow(keeper, given, join)
        }
        control.stop()
        await stopNode()
        keeper.stop()
        try result.get()
    }

    private func follow(
        _ keeper: LeaseKeeper, _ given: ZeroTier.Node.Configuration, _ join: [ZeroTier.NetworkID]
    ) async throws {
        for await turn in turns {
            switch turn {
            case .hold: try await startNode(keeper, given, join)
            case .stop:
                await stopNode()
                keeper.standBy()
            case .reload: await reload()
            case .end: return
            }
        }
    }

    // On the keeper's thread.
    private func take(_ news: LeaseKeeper.News) {
        switch news {
        case .holding(let row, let until):
            let (isFirst, node) = state.withLock { state in
                defer { state.until = until }
                return (state.until == .zero, state.node)
            }
            node?.fallSilent(at: until)
            guard isFirst else { return }
            tell("took the lease as \(row.holder), epoch \(row.epoch)", "leaseTaken", row)
            turning.yield(.hold)
        case .ended(let row):
            state.withLock { $0.until = .zero }
            let next = row.map { $0.holder == keeper.withLock { $0?.name } ? "" : ": \($0.holder) has it" } ?? ""
            tell("the lease is over" + next, "leaseOver", row, .warning)
            turning.yield(.stop)
        case .standby(let row):
            var text = "standby"
            if let row, row.left > .zero {
                text += ": \(row.holder) has the lease since \(SharedController.time(row))"
            }
            tell(text, "standby", row)
        case .failing(let reason):
            log.log(
                Report(
                    text: "cannot ask the database: \(reason)",
                    json: .object([("event", .string("databaseFailing")), ("reason", .string(reason))]), level: .warning
                ))
        }
    }

    private func tell(_ text: String, _ event: String, _ row: LeaseRow?, _ level: LogLevel = .info) {
        var members: [(String, JSONValue)] = [("event", .string(event))]
        if let row { members += SharedController.members(row) }
        log.log(Report(text: text, json: .object(members), level: level))
    }

    private func startNode(
        _ keeper: LeaseKeeper, _ given: ZeroTier.Node.Configuration, _ join: [ZeroTier.NetworkID]
    ) async throws {
        // It may be over already.
        guard let store = keeper.store() else { return }
        var configuration = given
        configuration.controllerStore = store
        configuration.silence = state.withLock { $0.until }
        configuration.isController = true
        configuration.log = { [log, turning] event in
            log.log(.event(event))
            if event == .identityCollision { turning.yield(.end) }
        }
        let node: ZeroTier.Node
        do throws(ZeroTierError) {
            node = try await ZeroTier.Node.start(configuration)
        } catch {
            // The store of a lease that is over: another controller answers.
            guard keeper.store() != nil else { return }
            throw error
        }
        let until = state.withLock { state in
            state.node = node
            return state.until
        }
        node.fallSilent(at: until)
        for network in join { try node.startJoining(network) }
        log.log(
            Report(
                text: "node \(node.id) on UDP port \(node.port), state in \(home)",
                json: .object([
                    ("event", .string("started")), ("address", .text(node.id)),
                    ("port", .integer(Int64(node.port))), ("home", .string(home)),
                ])))
        let http = try await service?.start(node)
        state.withLock { $0.http = http }
    }

    private func reload() async {
        guard let service else { return }
        let (node, http) = state.withLock { ($0.node, $0.http) }
        guard let node else { return service.readAgain() }
        let running = await service.reload(http, of: node)
        state.withLock { $0.http = running }
    }

    private func stopNode() async {
        let (node, http) = state.withLock { state in
            defer { (state.node, state.http) = (nil, nil) }
            return (state.node, state.http)
        }
        if let http { await service?.stop(http) }
        await node?.shutdown()
    }

    // MARK: Questions

    private func answer(_ request: String) async throws -> String {
        let node = state.withLock { $0.node }
        let words = request.split(separator: " ").map(String.init)
        if words.first == "status" {
            return "ok\n" + (try status(node).rendered(asJSON: words.last == "json"))
        }
        guard let node else {
            guard let keeper = keeper.withLock({ $0 }), case .standby(let row?) = keeper.lease.state else {
                throw ZeroTierError(.controllerDisabled, "this controller is a standby, and none has the lease")
            }
            throw ZeroTierError(
                .controllerDisabled,
                "this controller is a standby: ask \(row.holder), "
                    + "which has the lease since \(SharedController.time(row))")
        }
        return try await ControlServer.answer(to: request, node, home: NodeHome(home, service))
    }

    private func status(_ node: ZeroTier.Node?) throws -> Report {
        guard let keeper = keeper.withLock({ $0 }) else { throw ZeroTierError(.nodeStopped, "the controller begins") }
        let (lease, failure) = keeper.lease
        var lines: [String] = []
        var members: [(String, JSONValue)] = []
        if let node {
            let report = Report.status(try node.status(), try node.problems())
            lines.append(report.text)
            if case .object(let object) = report.json { members = object.members.map { ($0.key, $0.value) } }
        } else {
            lines.append("node \(address), standby")
            members += [
                ("address", .text(address)), ("version", .string(libraryVersionText)), ("online", .bool(false)),
            ]
        }
        var controller: [(String, JSONValue)] = [("name", .string(keeper.name)), ("database", .text(database))]
        let row: LeaseRow?
        switch lease {
        case .holding(let held, _):
            row = held
            controller.append(("role", .string("active")))
            let since = SharedController.time(held)
            lines.append("controller: active as \(held.holder) since \(since), epoch \(held.epoch)")
        case .standby(let seen), .ended(let seen):
            row = seen
            let counts = keeper.counts
            controller.append(("role", .string("standby")))
            let holder = seen.map { row in
                row.left > .zero
                    ? "holder \(row.holder) since \(SharedController.time(row))"
                    : "no holder, \(row.holder) was the last"
            }
            lines.append("controller: standby as \(keeper.name), \(holder ?? "holder unknown")")
            lines.append("records: \(counts.networks) networks, \(counts.members) members")
            controller += [
                ("networks", .integer(Int64(counts.networks))), ("members", .integer(Int64(counts.members))),
            ]
        }
        lines.append("database: \(database)" + (failure.map { ", failing: \($0)" } ?? ""))
        controller += row.map { SharedController.members($0) } ?? []
        controller.append(("failure", .text(failure)))
        members.append(("controller", .object(controller)))
        return Report(text: lines.joined(separator: "\n"), json: .object(members))
    }

    private static func members(_ row: LeaseRow) -> [(String, JSONValue)] {
        [
            ("holder", .string(row.holder)), ("epoch", .integer(Int64(clamping: row.epoch))),
            ("since", .integer(row.since)),
        ]
    }

    private static func time(_ row: LeaseRow) -> String {
        Date(timeIntervalSince1970: Double(row.since) / 1000).formatted(.iso8601)
    }
}
