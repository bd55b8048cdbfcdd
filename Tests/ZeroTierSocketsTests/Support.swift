// Threads that block, and nodes on this machine's loopback interface, for tests of blocking sockets.

import Foundation
import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

/// A blocking call on a thread of its own.
final class Background<Value: Sendable>: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    private var result: Result<Value, any Error>?

    init(_ body: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            result = Result { try body() }
            done.signal()
        }
    }

    /// Waits for the call's result.
    func value() throws -> Value {
        #expect(done.wait(timeout: .now() + 25) == .success, "the call did not return")
        return try #require(result).get()
    }
}

/// Runs a body of blocking calls outside of the tasks' threads.
func blocking(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

/// The number of the error that a call throws.
func errno(_ body: () throws -> Void) -> SocketErrno? {
    do {
        try body()
        return nil
    } catch {
        return (error as? SocketError)?.number
    }
}

/// Waits, with a generous bound, until something holds that only time brings about.
func eventually(_ what: String = "", _ condition: () throws -> Bool) throws {
    for _ in 0..<2_000 {
        if try condition() { return }
        usleep(5_000)
    }
    Issue.record("did not happen: \(what)")
}

func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) } }

/// What is asked of one socket, by its descriptor.
extension SocketLayer {
    func localEndpoint(_ descriptor: Int32) throws -> SocketEndpoint { try self[descriptor].localEndpoint() }
    func remoteEndpoint(_ descriptor: Int32) throws -> SocketEndpoint { try self[descriptor].remoteEndpoint() }
    func family(_ descriptor: Int32) throws -> Int32 { try self[descriptor].family }
    func isNonBlocking(_ descriptor: Int32) throws -> Bool { try self[descriptor].isNonBlocking }
    func setNonBlocking(_ descriptor: Int32, _ isOn: Bool) throws { try self[descriptor].setNonBlocking(isOn) }
    func bytesAvailable(_ descriptor: Int32) throws -> Int { try self[descriptor].bytesAvailable() }
    func eventDescriptor(_ descriptor: Int32) throws -> Int32 { try self[descriptor].eventDescriptor() }

    func send(_ descriptor: Int32, _ bytes: RawSpan, flags: MessageFlags, to: SocketEndpoint? = nil) throws -> Int {
        try self[descriptor].send(bytes, flags: flags, to: to)
    }

    func receive(_ descriptor: Int32, into target: inout MutableRawSpan, flags: MessageFlags) throws -> Int {
        try self[descriptor].receive(into: &target, flags: flags).count
    }

    func receiveFrom(
        _ descriptor: Int32, into target: inout MutableRawSpan, flags: MessageFlags
    ) throws -> ReceivedMessage { try self[descriptor].receive(into: &target, flags: flags) }

    func sendMessage(
        _ descriptor: Int32, pieces: Int, flags: MessageFlags, to destination: SocketEndpoint?,
        _ piece: (_ index: Int, _ use: (RawSpan) -> Void) -> Void
    ) throws -> Int { try self[descriptor].sendMessage(pieces: pieces, flags: flags, to: destination, piece) }

    func receiveMessage(
        _ descriptor: Int32, pieces: Int, flags: MessageFlags,
        _ piece: (_ index: Int, _ use: (inout MutableRawSpan) -> Void) -> Void
    ) throws -> ReceivedMessage { try self[descriptor].receiveMessage(pieces: pieces, flags: flags, .receive, piece) }

    func sendBatch(_ descriptor: Int32, _ batch: some OutgoingBatch, flags: MessageFlags) throws -> Int {
        try self[descriptor].sendBatch(batch, flags: flags)
    }

    func receiveBatch(
        _ descriptor: Int32, _ batch: some IncomingBatch, flags: MessageFlags, until deadline: MonotonicInstant?
    ) throws -> Int { try self[descriptor].receiveBatch(batch, flags: flags, until: deadline) }

    func setOption(_ descriptor: Int32, _ option: SocketOption, _ value: SocketOptionValue) throws {
        try self[descriptor].setOption(option, value)
    }

    func option(_ descriptor: Int32, _ option: SocketOption) throws -> SocketOptionValue {
        try self[descriptor].option(option)
    }

    func joinGroup(_ descriptor: Int32, _ group: IPAddress, interface: IPAddress? = nil) throws {
        try self[descriptor].changeGroup(group, interface: interface, isJoin: true)
    }

    func leaveGroup(_ descriptor: Int32, _ group: IPAddress, interface: IPAddress? = nil) throws {
        try self[descriptor].changeGroup(group, interface: interface, isJoin: false)
    }
}

extension SocketLayer {
    func stream(_ family: Int32 = 2) throws -> Int32 { try socket(family: family, type: 1, protocol: 0) }
    func udp(_ family: Int32 = 2) throws -> Int32 { try socket(family: family, type: 2, protocol: 0) }

    @discardableResult
    func send(_ descriptor: Int32, _ bytes: [UInt8], _ flags: MessageFlags = [], to: SocketEndpoint? = nil) throws
        -> Int
    {
        try bytes.withBytes { span in try send(descriptor, span, flags: flags, to: to) }
    }

    func receive(_ descriptor: Int32, _ count: Int, _ flags: MessageFlags = []) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = try bytes.withMutableBytes { span in try receive(descriptor, into: &span, flags: flags) }
        return Array(bytes[..<min(taken, count)])
    }

    func receiveFrom(_ descriptor: Int32, _ count: Int, _ flags: MessageFlags = []) throws -> (
        bytes: [UInt8], message: ReceivedMessage
    ) {
        var bytes = [UInt8](repeating: 0, count: count)
        let message = try bytes.withMutableBytes { span in try receiveFrom(descriptor, into: &span, flags: flags) }
        return (Array(bytes[..<min(message.count, count)]), message)
    }

    /// Receives until the end of the stream.
    func receiveAll(_ descriptor: Int32) throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = try receive(descriptor, 65_536)
            if piece.isEmpty { return all }
            all += piece
        }
    }

    func integer(_ descriptor: Int32, _ option: SocketOption) throws -> Int {
        guard case .integer(let value) = try self.option(descriptor, option) else { return .min }
        return value
    }

    /// What poll says at this moment, without the NORM bits.
    func state(_ descriptor: Int32) -> PollEvents {
        var entries = [PollEntry(descriptor, [.input, .output, .priority])]
        _ = try? poll(&entries, timeout: .zero)
        return entries[0].ready
    }

    func wait(_ descriptor: Int32, _ events: PollEvents) -> PollEvents {
        var entries = [PollEntry(descriptor, events)]
        _ = try? poll(&entries, timeout: .seconds(20))
        return entries[0].ready
    }

    /// A listener on the node's own loop-back and its address.
    func listener(_ address: IPAddress = IPAddress("127.0.0.1")!, backlog: Int = 8) throws -> (Int32, SocketEndpoint) {
        let descriptor = try stream(address.isIPv4 ? 2 : 10)
        try bind(descriptor, to: SocketEndpoint(address, port: 0))
        try listen(descriptor, backlog: backlog)
        return (descriptor, try localEndpoint(descriptor))
    }

    /// Two ends of a connection over the loop-back: the connecting one and the accepted one.
    func pair() throws -> (Int32, Int32) {
        let (listening, address) = try listener()
        let client = try stream()
        try connect(client, to: address)
        let (server, _) = try accept(listening)
        try close(listening)
        return (client, server)
    }
}

/// Identities made for these tests alone, so that no test waits for key work.
enum TestIdentity {
    static let root =
        "412c79af4f:0:73512da55ea4a54c7b7fafdcf15e2f03ea37a0d71b9827c501af635abd5f9b10a1118b573c77f"
        + "dc46265f3142e9c7ff0a669f43505e9f33a6b2d8b88fe5392b9:b94c8e0dddcc71e20cc4371890242d3d054233"
        + "cfbb32d7cdb379260d5e3007474e264cf58433a6be4bcef1ba5d5fd9f77a4d51dd44870fdbe088ff295d22df5c"
    static let first =
        "e579b42b36:0:7acd18a7aca2aaca14ce51ab803b8929fcf63760a003ac87eb7ad1e70fb3ad58e535aa14069d2"
        + "9ac420d60a89a762277107478b42aec317d478294505a4353fb:d449b6af95a6c9f563b425fe9d9ff4c06744af"
        + "88a71a0f9acc5826aab8e41f6ebaf7169b1ef2f5b5f0a8acf9ab95c142c2ed7cf28b5db5c736f7040a85e080ba"
    static let second =
        "166176ae31:0:83300697c08f423609326a70946daaea51b4411ca72d06aad910fbb8e1439760ddeabcc71c440"
        + "487f6b0dc2dd244f1a177d89f130c578e98edf9239178161e42:b56563563a9dd84b6c177cb65aece183ba7e68"
        + "be63082d9f19dc722279013160751e65da893b45e0a535d99fff0565d6a85ed1b5b22fdbbb35938a69b5ddeaf9"
}

/// Nodes with a planet of their own on this machine.
struct Lab: Sendable {
    static let network = NetworkID.adHoc(ports: 1...65535)

    let root: Node
    let first: SocketLayer
    let second: SocketLayer
    let firstConfiguration: Node.Configuration
    let secondNode: Node
    let firstNode: Node
    let firstAddress: IPAddress
    let secondAddress: IPAddress

    static func configuration(_ identity: String, _ planet: RootSet) -> Node.Configuration {
        var configuration = Node.Configuration(storage: .store(MemoryStore(identity: identity)))
        configuration.planet = planet
        configuration.allowsLoopbackPaths = true
        return configuration
    }

    static func planet(port: UInt16) throws -> RootSet {
        let root = try Identity(text: Identity(text: TestIdentity.root).publicText)
        return try RootSet(
            id: 77, roots: [.init(identity: root, endpoints: [SocketEndpoint(IPAddress("127.0.0.1")!, port: port)])],
            key: RootSet.SigningKey())
    }

    /// A layer over a node that knows nobody: for what happens inside of one stack.
    static func alone() throws -> (SocketLayer, Node) {
        let node = try Node(configuration(TestIdentity.first, try planet(port: 9)))
        let layer = SocketLayer()
        layer.attach(node)
        return (layer, node)
    }

    init() async throws {
        let port = try Node.findFreePort()
        let planet = try Lab.planet(port: port)
        var settings = Lab.configuration(TestIdentity.root, planet)
        settings.port = port
        root = try await Node.start(settings)
        firstConfiguration = Lab.configuration(TestIdentity.first, planet)
        firstNode = try await Node.start(firstConfiguration)
        secondNode = try await Node.start(Lab.configuration(TestIdentity.second, planet))
        try await firstNode.waitUntilOnline(timeout: .seconds(20))
        try await secondNode.waitUntilOnline(timeout: .seconds(20))
        firstAddress = try #require(try await firstNode.join(Lab.network).addresses.first?.address)
        secondAddress = try #require(try await secondNode.join(Lab.network).addresses.first?.address)
        first = SocketLayer()
        second = SocketLayer()
        first.attach(firstNode)
        second.attach(secondNode)
    }

    func shutdown() async {
        await firstNode.shutdown()
        await secondNode.shutdown()
        await root.shutdown()
    }
}
