// The honest pair: one endless transfer, which says how far it is.
//
//   flood serve HOME PLANET NETWORK,...      "ready ADDRESS%NETWORK,...", then "at NANOSECONDS BYTES" ten times a second
//   flood send HOME PLANET NETWORK,... ADDRESS   "here ...", "connected", "lost REASON" when a connection ends, and connects again
//
// Port 7 of the server echoes, for newcomers.

import CFlood
import Glibc
import NetPrimitives
import Synchronization
import ZeroTier

enum Honest {
    private static let sinkPort: UInt16 = 7001
    private static let echoPort: UInt16 = 7

    static func run(_ role: String, _ words: [String]) async throws {
        guard words.count >= 3 else { throw FloodFailure("serve|send HOME PLANET NETWORK,... [ADDRESS]") }
        let networks = words[2].split(separator: ",").compactMap { UInt64($0, radix: 16) }.map { NetworkID($0) }
        var configuration = Node.Configuration(storage: .directory(words[0]))
        configuration.planet = try RootSet(bytes: try readFile(words[1]))
        let node = try await Node.start(configuration)
        var addresses: [String] = []
        for network in networks {
            let status = try await node.join(network, timeout: .seconds(30))
            addresses += status.addresses.map { "\($0.address)%\(network)" }
        }
        if role == "serve" {
            try serve(node, addresses)
        } else {
            guard words.count == 4, let remote = IPAddress(words[3]) else { throw FloodFailure("send needs ADDRESS") }
            say("here \(addresses.joined(separator: ","))")
            await send(node, to: SocketEndpoint(remote, port: sinkPort))
        }
    }

    private static func serve(_ node: Node, _ addresses: [String]) throws -> Never {
        let sink = try node.listen(port: sinkPort)
        let echo = try node.listen(port: echoPort)
        let received = Received()
        Task.detached {
            for try await socket in echo {
                Task { for try await bytes in socket { try await socket.write(bytes) } }
            }
        }
        Task.detached {
            for try await socket in sink {
                Task { for try await bytes in socket { received.add(bytes.count) } }
            }
        }
        say("ready \(addresses.joined(separator: ","))")
        while true {
            say("at \(cflood_nanoseconds()) \(received.bytes)")
            cflood_sleep(100_000_000)
        }
    }

    private static func send(_ node: Node, to remote: SocketEndpoint) async {
        let block = [UInt8](repeating: 0x5a, count: 262_144)
        while true {
            do {
                let socket = try await node.connect(to: remote, timeout: .seconds(30))
                say("connected")
                while true { try await socket.write(block) }
            } catch {
                say("lost \(error)")
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private final class Received: Sendable {
        private let count = Atomic<Int>(0)

        var bytes: Int { count.load(ordering: .relaxed) }

        func add(_ more: Int) { count.add(more, ordering: .relaxed) }
    }
}

/// Writes a line at once: standard output is a pipe.
func say(_ line: String) {
    var bytes = Array((line + "\n").utf8)
    // Sound: the array lives through the call.
    _ = unsafe bytes.withUnsafeMutableBytes { unsafe write(1, $0.baseAddress, $0.count) }
}

/// A whole file.
func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FloodFailure("cannot read \(path)") }
    defer { _ = close(descriptor) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        // Sound: the buffer lives through the call.
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { return result }
        result += buffer[..<count]
    }
}

/// Writes a whole file.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FloodFailure("cannot write \(path)") }
    defer { _ = close(descriptor) }
    // Sound: the array lives through the call.
    let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    guard count == bytes.count else { throw FloodFailure("cannot write \(path)") }
}
