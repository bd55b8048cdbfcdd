// The other processes of a measurement: a root, and a node that serves. Each is this program again, and ends when its
// standard input does.

import Foundation
import Synchronization
import ZeroTier

/// Roots and servers as child processes on the loopback interface.
enum PeerProcess {
    /// The ad-hoc network of IPv6, and that of IPv4: both need no controller.
    static let network = NetworkID.adHoc(ports: 0...65535)
    static let networkIPv4 = NetworkID(0xff1c_0000_0000_0001)
    static let loopback = IPAddress(v4: 0x7f00_0001)

    /// What the server does on each port.
    enum Port {
        static let sink: UInt16 = 7001
        static let echo: UInt16 = 7002
        static let accept: UInt16 = 7003
        static let datagrams: UInt16 = 7004
        /// A sink that tasks read, not threads.
        static let taskSink: UInt16 = 7005
        /// Accepts and holds.
        static let hold: UInt16 = 7006
    }

    /// `peer root|server|relayed DIRECTORY [PORT]`: says "ready" and the server's addresses; answers "costs".
    static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 2 else { throw NodeBench.Failure(description: "peer root|server|relayed DIRECTORY") }
        let node = try await Node.start(
            configuration(
                arguments[1], port: arguments.count > 2 ? UInt16(arguments[2]) : nil,
                isRelayed: arguments[0] == "relayed"))
        let held = Held()
        if arguments[0] == "root" {
            say("ready")
        } else {
            let addresses = try await join(node)
            try serve(node, addresses, held)
            say("ready " + addresses.map(\.description).joined(separator: " "))
        }
        while let line = readLine() {
            if line == "costs" { say(try ProcessCosts.now(node).description) }
            if line == "release" { say("\(held.release())") }
        }
        await node.shutdown()
    }

    /// Joins both networks; the addresses, that of IPv6 first.
    static func join(_ node: Node) async throws -> [IPAddress] {
        var addresses: [IPAddress] = []
        for network in [network, networkIPv4] {
            let status = try await node.join(network)
            guard let address = status.addresses.first?.address else {
                throw NodeBench.Failure(description: "no address in \(network)")
            }
            addresses.append(address)
        }
        return addresses
    }

    // Standard output is a pipe here, and would be held back.
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    /// A node whose state lies in `directory` and whose planet lies beside it.
    static func configuration(
        _ directory: String, port: UInt16? = nil, isRelayed: Bool = false
    ) throws -> Node.Configuration {
        var configuration = Node.Configuration(storage: .directory(directory))
        let planet = URL(fileURLWithPath: directory).deletingLastPathComponent().appendingPathComponent("planet")
        configuration.planet = try RootSet(bytes: [UInt8](Data(contentsOf: planet)))
        configuration.allowsLoopbackPaths = true
        configuration.bindAddresses = [loopback]
        configuration.port = port ?? 0
        configuration.isRelayOnly = isRelayed
        return configuration
    }

    // MARK: What the server does

    /// Connections that nobody uses.
    private final class Held: Sendable {
        private let sockets = Mutex<[StreamSocket]>([])

        func add(_ socket: StreamSocket) { sockets.withLock { $0.append(socket) } }

        /// Resets them; how many there were.
        func release() -> Int {
            let taken = sockets.withLock { sockets in
                defer { sockets = [] }
                return sockets
            }
            for socket in taken { socket.abort() }
            return taken.count
        }
    }

    private static func serve(_ node: Node, _ addresses: [IPAddress], _ held: Held) throws {
        let sink = try node.listen(port: Port.sink, backlog: 64)
        let echo = try node.listen(port: Port.echo, backlog: 64)
        let accepting = try node.listen(port: Port.accept, backlog: 1024)
        let tasks = try node.listen(port: Port.taskSink, backlog: 64)
        let holding = try node.listen(port: Port.hold, backlog: 4096)
        let datagrams = try node.datagramSocket(bind: SocketEndpoint(addresses[0], port: Port.datagrams))
        Thread.detachNewThread { DatagramBench.read(datagrams) }
        Thread.detachNewThread {
            while let socket = try? sink.acceptBlocking() { Thread.detachNewThread { drain(socket) } }
        }
        Thread.detachNewThread {
            while let socket = try? echo.acceptBlocking() { Thread.detachNewThread { answer(socket) } }
        }
        Thread.detachNewThread { while let socket = try? accepting.acceptBlocking() { socket.close() } }
        Thread.detachNewThread { while let socket = try? holding.acceptBlocking() { held.add(socket) } }
        Task.detached {
            for try await socket in tasks {
                Task.detached {
                    for try await _ in socket {}
                    try await socket.write([1])
                    socket.close()
                }
            }
        }
    }

    private static func drain(_ socket: StreamSocket) {
        var buffer = [UInt8](repeating: 0, count: 262_144)
        while let count = try? buffer.withMutableBytes({ try socket.readBlocking(into: &$0) }), count > 0 {}
        try? socket.writeBlocking([1])
        socket.close()
    }

    private static func answer(_ socket: StreamSocket) {
        try? socket.setNoDelay(true)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while let count = try? buffer.withMutableBytes({ try socket.readBlocking(into: &$0) }), count > 0 {
            guard (try? socket.writeBlocking(Array(buffer[..<count]))) != nil else { break }
        }
        socket.close()
    }

    // MARK: Starting them

    /// A child process that is ended with this one.
    final class Child {
        private let process = Process()
        private let input = Pipe()
        private let output = Pipe()
        /// The server's addresses: IPv6, IPv4.
        private(set) var addresses: [IPAddress] = []

        init(_ arguments: [String]) throws {
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = arguments
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            let words = readLine().split(separator: " ")
            guard words.first == "ready" else { throw NodeBench.Failure(description: "\(arguments) did not start") }
            addresses = words.dropFirst().compactMap { IPAddress(String($0)) }
        }

        private func readLine() -> String {
            var line: [UInt8] = []
            while let byte = (try? output.fileHandleForReading.read(upToCount: 1))?.first, byte != 0x0a {
                line.append(byte)
            }
            return String(decoding: line, as: UTF8.self)
        }

        private func ask(_ command: String) -> String {
            try? input.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
            return readLine()
        }

        /// What the child has spent so far.
        func costs() throws -> ProcessCosts {
            guard let costs = ProcessCosts(ask("costs")) else {
                throw NodeBench.Failure(description: "a child process does not say what it costs")
            }
            return costs
        }

        /// Ends the connections that the child holds; how many there were.
        func release() -> Int { Int(ask("release")) ?? 0 }

        func end() {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
    }

    /// A folder with a planet whose root is a child.
    static func withRoot<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("zerotier-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let identity = Identity.generate()
        let rootFolder = folder.appendingPathComponent("root")
        try FileManager.default.createDirectory(at: rootFolder, withIntermediateDirectories: true)
        try Data((identity.secretText ?? "").utf8).write(to: rootFolder.appendingPathComponent("identity.secret"))
        let port = try Node.findFreePort()
        let planet = try RootSet(
            id: 7,
            roots: [.init(identity: identity, endpoints: [SocketEndpoint(loopback, port: port)])],
            key: RootSet.SigningKey())
        try Data(planet.bytes).write(to: folder.appendingPathComponent("planet"))
        let root = try Child(["peer", "root", rootFolder.path, "\(port)"])
        defer { root.end() }
        return try await body(folder.path)
    }
}
