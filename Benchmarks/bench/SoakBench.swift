// Nodes that come and go in one process: what a thousand lives leave behind. Read first: proc(5).

import Foundation
import ZeroTier

/// Start, join, transfer, shutdown, again and again.
enum SoakBench {
    /// What the process holds at one moment.
    struct Footprint {
        var residentKilobytes = 0
        var threads = 0
        var descriptors = 0

        static func now() -> Footprint {
            Footprint(
                residentKilobytes: status("VmRSS:"), threads: status("Threads:"),
                // The listing itself needs a descriptor; it does so every time.
                descriptors: (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1)
        }

        private static func status(_ name: String) -> Int {
            let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
            return line.split(whereSeparator: { " \t".contains($0) }).lazy.compactMap { Int($0) }.first ?? -1
        }
    }

    private static let network = NetworkID.adHoc(ports: 0...65535)
    private static let port: UInt16 = 80
    private static let transferSize = 1_000_000
    /// The process has found its size after so many cycles. A shorter run only compares threads and descriptors.
    private static let warmUp = 100
    /// What resident memory may have grown by after that.
    private static let growthLimitKilobytes = 2048

    /// Runs the cycles, prints what is held now and then, and fails if something grew.
    static func run(cycles: Int) async throws -> [String: Double] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("zerotier-soak-\(getpid())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let world = try makeWorld(folder)
        let bytes = (0..<transferSize).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        let reference = min(warmUp, max(1, cycles / 10))
        var before = Footprint()
        for cycle in 1...max(2, cycles) {
            try await live(world, bytes)
            guard cycle == reference || cycle % max(1, cycles / 20) == 0 || cycle == cycles else { continue }
            let held = Footprint.now()
            if cycle == reference { before = held }
            // At once, also into a pipe.
            PeerProcess.say(
                "cycle \(cycle): \(held.residentKilobytes) kB resident, "
                    + "\(held.threads) threads, \(held.descriptors) descriptors")
        }
        let after = Footprint.now()
        let growth = after.residentKilobytes - before.residentKilobytes
        guard after.threads == before.threads, after.descriptors == before.descriptors else {
            throw NodeBench.Failure(description: "threads or descriptors were left behind")
        }
        guard growth <= growthLimitKilobytes || cycles <= warmUp else {
            throw NodeBench.Failure(description: "resident memory grew by \(growth) kB since cycle \(reference)")
        }
        return [
            "soak.cycles": Double(cycles), "soak.resident_growth_kb": Double(growth),
            "soak.threads": Double(after.threads), "soak.descriptors": Double(after.descriptors),
        ]
    }

    // MARK: One cycle

    private struct World {
        let planet: RootSet
        let rootPort: UInt16
        let folder: URL

        func configuration(_ name: String, port: UInt16 = 0) -> Node.Configuration {
            var configuration = Node.Configuration(storage: .directory(folder.appendingPathComponent(name).path))
            configuration.planet = planet
            configuration.allowsLoopbackPaths = true
            configuration.bindAddresses = [IPAddress(v4: 0x7f00_0001)]
            configuration.port = port
            return configuration
        }
    }

    // Identities are made once: a node that starts again has one.
    private static func makeWorld(_ folder: URL) throws -> World {
        let root = Identity.generate()
        for (name, identity) in [("root", root), ("first", Identity.generate()), ("second", Identity.generate())] {
            let directory = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            try Data((identity.secretText ?? "").utf8).write(to: directory.appendingPathComponent("identity.secret"))
        }
        let port = try Node.findFreePort()
        let planet = try RootSet(
            id: 7,
            roots: [.init(identity: root, endpoints: [SocketEndpoint(IPAddress(v4: 0x7f00_0001), port: port)])],
            key: RootSet.SigningKey())
        return World(planet: planet, rootPort: port, folder: folder)
    }

    private static func live(_ world: World, _ bytes: [UInt8]) async throws {
        let root = try await Node.start(world.configuration("root", port: world.rootPort))
        let first = try await Node.start(world.configuration("first"))
        let second = try await Node.start(world.configuration("second"))
        try await first.join(network)
        guard let address = try await second.join(network).addresses.first?.address else {
            throw NodeBench.Failure(description: "no address")
        }
        let listener = try second.listen(port: port)
        async let received = takeOne(listener)
        let socket = try await first.connect(to: SocketEndpoint(address, port: port), timeout: .seconds(30))
        try await socket.write(bytes)
        try socket.closeWrite()
        guard try await received == bytes, try await socket.read() == nil else {
            throw NodeBench.Failure(description: "the transfer did not come whole")
        }
        await first.shutdown()
        await second.shutdown()
        await root.shutdown()
    }

    private static func takeOne(_ listener: Listener) async throws -> [UInt8] {
        let socket = try await listener.accept(timeout: .seconds(30))
        var all: [UInt8] = []
        while let chunk = try await socket.read() { all += chunk }
        socket.close()
        return all
    }
}
