import CZeroTierSystem
import Foundation
import NetPrimitives
import Synchronization
import Testing

@testable import ZeroTier

/// Network namespaces, each a thread's own: addresses and interfaces are what the test makes of them. Where the user may not make
/// one, as outside of the continuous integration perhaps, there is nothing that could be looked at.
private enum Namespace {
    // Glibc's module does not show it.
    private static func enter() -> Bool {
        let unshare = unsafeBitCast(dlsym(nil, "unshare"), to: (@convention(c) (Int32) -> Int32).self)
        let newNetwork: Int32 = 0x4000_0000
        return unshare(newNetwork) == 0
    }

    /// Whether this user may have one, and there is a tool to fill it.
    static let isPossible: Bool = {
        guard FileManager.default.isExecutableFile(atPath: tool) else { return false }
        let end = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let isEntered = enter()
            answer.withLock { $0 = isEntered }
            end.signal()
        }
        end.wait()
        return answer.withLock { $0 }
    }()
    private static let answer = Mutex(false)

    private static let tool =
        ["/usr/sbin/ip", "/usr/bin/ip"].first { FileManager.default.isExecutableFile(atPath: $0) } ?? "/sbin/ip"

    /// Runs `body` on a thread in a namespace with nothing but a loopback interface that is down.
    static func run(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        guard enter() else { throw Failure(what: "no namespace") }
                        try body()
                    })
            }
        }
    }

    struct Failure: Error { let what: String }

    /// One command of ip(8) in the namespace of the calling thread.
    static func ip(_ words: String) throws {
        // Foundation's Process wants more than a namespace of this kind has.
        guard system("\(tool) \(words)") == 0 else { throw Failure(what: "ip \(words)") }
    }

    /// Gives the loopback interface an IPv6 address. The kernel makes the route to it a little later: what is sent there before
    /// is lost.
    static func add(_ address: String) throws {
        try ip("address add \(address)/64 dev lo nodad")
        for _ in 0..<1000 {
            if system("\(tool) -6 route get \(address) 2>/dev/null | grep -q '^local'") == 0 { return }
            usleep(10_000)
        }
        throw Failure(what: "no route to \(address)")
    }
}

// A datagram to an endpoint.
private func send(_ bytes: [UInt8], by port: inout UDPPort, _ path: PhysicalPath) {
    var batch = TransmitBatch()
    #expect(batch.append(bytes.count, to: path) { $0.copy(from: bytes, at: 0) })
    var cursor = UDPPort.Cursor()
    #expect(port.send(batch, from: &cursor) == .sent)
}

// The paths of what comes at a socket, until there are so many or nothing comes for a while.
private func arrivals(_ count: Int, at socket: UDPPort.Socket) -> [PhysicalPath] {
    var receiver = UDPReceiver()
    var result: [PhysicalPath] = []
    while result.count < count, csystem_wait_readable(socket.descriptor.number, 2000) == 1 {
        _ = receiver.receive(from: socket) { batch, _ in result += batch.datagrams.map(\.path) }
    }
    return result
}

extension DriverTests {
    @Suite(.enabled(if: Namespace.isPossible, "this user may make network namespaces, and there is ip(8)"))
    struct NamespaceTests {
        @Test(arguments: [UDPMode.automatic, .plain])
        func `an answer leaves from the IPv6 address that was asked`(mode: UDPMode) async throws {
            try await Namespace.run {
                try Namespace.ip("link set lo up")
                for host in 1...4 { try Namespace.add("fd77::\(host)") }
                var server = try UDPPort(port: 0, mode: mode)
                var client = try UDPPort(addresses: [IPAddress("fd77::1")!], port: 0, mode: .automatic)
                let asked = ["fd77::2", "fd77::3", "fd77::4", "fd77::2"].map { IPAddress($0)! }
                for address in asked {
                    let to = SocketEndpoint(address, port: server.port)
                    send([1], by: &client, PhysicalPath(localSocket: 0, remote: to))
                }
                let wildcard = server.sockets.first { !$0.local.address.isIPv4 }
                let socket = try #require(wildcard)
                let paths = arrivals(asked.count, at: socket)
                #expect(paths.map(\.remote) == Array(repeating: client.sockets[0].local, count: asked.count))
                #expect(Set(paths.map(\.localSocket)).count == 3)
                for path in paths { send([2], by: &server, path) }
                let answers = arrivals(asked.count, at: client.sockets[0]).map(\.remote.address)
                #expect(answers.sorted() == asked.sorted())
            }
        }

        @Test func `an interface that comes later is used, unless its name is refused`() async throws {
            try await Namespace.run {
                func add(_ name: String, _ address: String) throws {
                    try Namespace.ip("link add \(name) type veth peer name \(name)-end")
                    try Namespace.ip("address add \(address)/24 dev \(name)")
                    try Namespace.ip("link set \(name) up")
                    try Namespace.ip("link set \(name)-end up")
                }
                try Namespace.ip("link set lo up")
                try add("first", "10.77.1.1")
                var configuration = Node.Configuration(storage: .store(MemoryStore(identity: TestIdentity.first)))
                configuration.planet = try Constellation.makePlanet(port: 9)
                configuration.refusedInterfaces = ["bad"]
                let (used, refused) = (IPAddress("10.77.3.1")!, IPAddress("10.77.2.1")!)
                let seen = Told()
                configuration.log = { event in
                    if case .localAddressesChanged(let endpoints) = event { seen.add(endpoints.map(\.address)) }
                }
                let node = try Node(configuration)
                defer { node.shutdownBlocking() }
                try add("bad0", refused.description)
                try add("good0", used.description)
                for _ in 0..<3000 where !seen.has(used) { usleep(10_000) }
                #expect(seen.has(used))
                #expect(!seen.has(refused))
                // What comes there is dropped, and what comes at the other one is looked at.
                var client = try UDPPort(addresses: [IPAddress("10.77.1.1")!], port: 0, mode: .plain)
                func refusals() throws -> UInt64 { try node.status().drops[.kernel(.interfaceNotUsed)] ?? 0 }
                let to = SocketEndpoint(used, port: node.port)
                send([1], by: &client, PhysicalPath(localSocket: 0, remote: to))
                for count in 1...3 as ClosedRange<UInt64> {
                    let to = SocketEndpoint(refused, port: node.port)
                    send([1], by: &client, PhysicalPath(localSocket: 0, remote: to))
                    for _ in 0..<3000 where try refusals() < count { usleep(10_000) }
                    #expect(try refusals() == count)
                }
            }
        }
    }
}

// Addresses that a node told of, from any thread.
private final class Told: Sendable {
    private let addresses = Mutex<Set<IPAddress>>([])

    func add(_ new: [IPAddress]) { addresses.withLock { $0.formUnion(new) } }
    func has(_ address: IPAddress) -> Bool { addresses.withLock { $0.contains(address) } }
}
