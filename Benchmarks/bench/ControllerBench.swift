// What a large network costs its controller. The machine with the store of SQLite, one thread that writes and one that signs, as in
// a node, without packets: requests come at their times, and an answer counts from when its request should have come to when it
// leaves. Then two nodes at rest, one of which controls small networks.

import Foundation
import NetPrimitives
import ZeroTier
import ZeroTierStore
import ZeroTierWire

enum ControllerBench {
    private static let requestsPerSecond = 1000
    /// Of the requests under load, one in so many comes from a node that is no member yet.
    private static let newcomerShare = 10

    /// `controller [MEMBERS [SECONDS]]`; `controller idle DIRECTORY` is a node at rest, for the call before; `controller home
    /// DIRECTORY NETWORKS MEMBERS` makes the state directory of a controller with so many networks of so many members.
    static func run(_ arguments: [String]) async throws -> [String: Double] {
        if arguments.first == "idle" { return try await rest(arguments.count > 1 ? arguments[1] : nil) }
        if arguments.first == "home" { return try makeHome(Array(arguments.dropFirst())) }
        let members = arguments.first.flatMap { Int($0) } ?? 100_000
        let seconds = arguments.count > 1 ? Int(arguments[1]) ?? 20 : 20
        let folder = NSTemporaryDirectory() + "bench-controller-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var values = try large(folder + "/large.db", members, seconds)
        values.merge(try idle(folder)) { $1 }
        return values
    }

    // MARK: One large network

    private static func large(_ path: String, _ members: Int, _ seconds: Int) throws -> [String: Double] {
        var values: [String: Double] = ["controller.members": Double(members)]
        let identity = try owner()
        let id = ZeroTierWire.NetworkID(controller: identity.address, number: 1)
        do {
            let rig = try ControllerRig(identity, SQLiteStore(path: path))
            try rig.create(id)
            let time = Bench.seconds { rig.flood(id, 0..<members) }
            rig.end()
            values["controller.first_requests_per_s"] = Double(members) / time
        }
        let store = try SQLiteStore(path: path)
        var loaded: ControllerRig?
        values["controller.load_s"] = try Bench.seconds { loaded = try ControllerRig(identity, store) }
        guard let rig = loaded else { return values }
        let (known, new) = rig.load(id, members, perSecond: requestsPerSecond, seconds, newcomerShare)
        values["controller.answers"] = Double(known.count + new.count)
        values["controller.request_p50_ms"] = Bench.quantile(known, 0.5) * 1e3
        values["controller.request_p99_ms"] = Bench.quantile(known, 0.99) * 1e3
        values["controller.first_request_p99_ms"] = Bench.quantile(new, 0.99) * 1e3
        values["controller.list_ms"] = rig.list(id) * 1e3
        values["controller.rss_mb"] = ProcessCosts.residentKilobytes() / 1024
        rig.end()
        return values
    }

    static func owner() throws -> ZeroTierWire.Identity {
        let text = try String(contentsOfFile: "Simulation/Fixtures/identities.txt", encoding: .utf8)
        guard let identity = text.split(separator: "\n").compactMap({ ZeroTierWire.Identity(text: $0) }).first else {
            throw NodeBench.Failure(description: "no identities in Simulation/Fixtures/identities.txt")
        }
        return identity
    }

    // MARK: Small networks at rest

    private static func makeHome(_ arguments: [String]) throws -> [String: Double] {
        guard arguments.count == 3, let networks = UInt32(arguments[1]), let members = Int(arguments[2]) else {
            throw NodeBench.Failure(description: "controller home DIRECTORY NETWORKS MEMBERS")
        }
        try makeHome(arguments[0], networks: networks, members: members)
        return ["members": Double(networks) * Double(members)]
    }

    private static func makeHome(_ home: String, networks: UInt32, members: Int) throws {
        let identity = try owner()
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let rig = try ControllerRig(identity, SQLiteStore(path: home + "/controller.db"))
        for number in 0..<networks {
            let id = ZeroTierWire.NetworkID(controller: identity.address, number: number + 1)
            try rig.create(id)
            rig.flood(id, 0..<members)
        }
        rig.end()
        _ = FileManager.default.createFile(
            atPath: home + "/identity.secret", contents: Data(identity.text(includeSecret: true).utf8),
            attributes: [.posixPermissions: 0o600])
    }

    private static func idle(_ folder: String) throws -> [String: Double] {
        let home = folder + "/idle"
        try makeHome(home, networks: 10, members: 100)
        let plain = try child(["idle"])
        let controller = try child(["idle", home])
        return ["controller.idle_plain_kb": plain, "controller.idle_more_kb": controller - plain]
    }

    private static func child(_ arguments: [String]) throws -> Double {
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["controller"] + arguments
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let values = try JSONSerialization.jsonObject(with: bytes) as? [String: Double]
        guard let size = values?["rss_kb"] else { throw NodeBench.Failure(description: "no node at rest") }
        return size
    }

    private static func rest(_ home: String?) async throws -> [String: Double] {
        var settings = Node.Configuration(storage: home.map { .directory($0) } ?? .memory)
        settings.isController = home != nil
        settings.bindAddresses = [PeerProcess.loopback]
        let node = try await Node.start(settings)
        if home != nil, try node.controller.networks().count != 10 {
            throw NodeBench.Failure(description: "not all networks are there")
        }
        try await Task.sleep(for: .seconds(3))
        let size = ProcessCosts.residentKilobytes()
        await node.shutdown()
        return ["rss_kb": size]
    }
}
