// UDP over a virtual network.

public import NetPrimitives
import NetStack

/// A datagram that came, or that may be sent.
public struct Datagram: Hashable, Sendable {
    /// The payload.
    public var bytes: [UInt8]
    /// Who sent it.
    public var source: SocketEndpoint

    /// Makes a datagram.
    public init(bytes: [UInt8], source: SocketEndpoint) {
        self.bytes = bytes
        self.source = source
    }
}

/// A datagram with its destination, for sending many at once.
public struct OutgoingDatagram: Hashable, Sendable {
    /// The payload.
    public var bytes: [UInt8]
    /// Where it goes.
    public var destination: SocketEndpoint

    /// Makes a datagram.
    public init(bytes: [UInt8], destination: SocketEndpoint) {
        self.bytes = bytes
        self.destination = destination
    }
}

/// Where a received datagram lies in a buffer that holds many.
public struct DatagramPlace: Hashable, Sendable {
    /// The payload's bytes in the buffer.
    public let range: Range<Int>
    /// Who sent it.
    public let source: SocketEndpoint
    /// The datagram was longer than its place; the rest is lost.
    public let isTruncated: Bool
}

/// A UDP socket of one address family. As a sequence it gives the datagrams that come, until it is closed or the
/// node is shut down. Datagrams that find its queue full are lost, as ever with UDP.
public final class DatagramSocket: Sendable, AsyncSequence {
    /// What the sequence consists of.
    public typealias Element = Datagram

    let driver: NodeDriver
    let id: SocketID
    /// Where it is bound.
    public let localEndpoint: SocketEndpoint

    init(driver: NodeDriver, id: SocketID, local: SocketEndpoint) {
        self.driver = driver
        self.id = id
        localEndpoint = local
    }

    deinit { close() }

    /// Sends one datagram, as a whole or not at all. Waits while the send queue is full; throws `timedOut` after `timeout`.
    public func send(_ bytes: [UInt8], to destination: SocketEndpoint, timeout: Duration? = nil) async throws {
        _ = try await driver.wait(for: .socket(id), within: timeout, orThrow: .queueFull(0, of: 1)) {
            [id] (core, now) throws(ZeroTierError) in
            try core.datagramSend(id, bytes, to: destination, now: now)
        }
    }

    /// The next datagram. Waits until there is one; throws `closed` when the socket is closed, `timedOut` after `timeout`.
    public func receive(timeout: Duration? = nil) async throws -> Datagram {
        try await driver.wait(for: .socket(id), within: timeout, orThrow: .noDatagram) {
            [id] (core, now) throws(ZeroTierError) in
            try core.datagramReceive(id, now: now)
        }
    }

    /// As `send`, for threads outside of Swift's concurrency.
    public func sendBlocking(
        _ bytes: [UInt8], to destination: SocketEndpoint, timeout: Duration? = nil
    ) throws(ZeroTierError) {
        _ = try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .queueFull(0, of: 1)) {
            (core, now) throws(ZeroTierError) in
            try core.datagramSend(id, bytes, to: destination, now: now)
        }
    }

    /// As `receive`, for threads outside of Swift's concurrency. Throws `timedOut` after `timeout`.
    public func receiveBlocking(timeout: Duration? = nil) throws(ZeroTierError) -> Datagram {
        try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .noDatagram) {
            (core, now) throws(ZeroTierError) in
            try core.datagramReceive(id, now: now)
        }
    }

    /// Begins to receive what is sent to a multicast group, on every network that leads there.
    public func join(group: IPAddress) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in try core.joinGroup(id, group, now: now) }
    }

    /// Ends what `join(group:)` began. So does closing the socket. Throws `invalidArgument` for a group that it is not in.
    public func leave(group: IPAddress) throws(ZeroTierError) {
        try driver.call { [id] (core, _) throws(ZeroTierError) in try core.leaveGroup(id, group) }
    }

    /// Closes the socket. Closing again does nothing.
    public func close() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.closeSocket(id, now: now) }
    }

    /// Takes the datagrams one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: DatagramSocket

        /// The next datagram; nil when the socket is closed or the node is shut down.
        public mutating func next() async throws -> Datagram? {
            do {
                return try await socket.receive()
            } catch let error as ZeroTierError where error.code == .closed || error.code == .nodeStopped {
                return nil
            }
        }
    }

    /// Iterators of one socket share its datagrams.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: self) }
}

extension ZeroTierError {
    static let noDatagram = ZeroTierError(.timedOut, "nothing came within the time given")

    static func queueFull(_ sent: Int, of count: Int) -> ZeroTierError {
        ZeroTierError(
            .timedOut,
            "the send queue stayed full for the time given: \(sent) of \(count) datagrams are in it. Send the rest later"
        )
    }
}
