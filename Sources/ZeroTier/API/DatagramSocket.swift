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

/// A UDP socket of one address family. As a sequence it gives the datagrams that come, until it is closed. Datagrams that
/// find its queue full are lost, as ever with UDP.
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

    /// Sends one datagram, as a whole or not at all. Waits while the send queue is full.
    public func send(_ bytes: [UInt8], to destination: SocketEndpoint) async throws(ZeroTierError) {
        _ = try await driver.wait(for: .socket(id), until: nil, orThrow: .internalTimeout) {
            [id] (core, now) throws(ZeroTierError) in
            try core.datagramSend(id, bytes, to: destination, now: now)
        }
    }

    /// The next datagram. Waits until there is one; throws `closed` when the socket is closed, `timedOut` after `timeout`.
    public func receive(timeout: Duration? = nil) async throws(ZeroTierError) -> Datagram {
        try await driver.wait(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 },
            orThrow: ZeroTierError(.timedOut, "nothing came within the time given")
        ) {
            [id] (core, now) throws(ZeroTierError) in
            try core.datagramReceive(id, now: now)
        }
    }

    /// As `send`, for threads outside of Swift's concurrency.
    public func sendBlocking(_ bytes: [UInt8], to destination: SocketEndpoint) throws(ZeroTierError) {
        _ = try driver.waitBlocking(for: .socket(id), until: nil, orThrow: .internalTimeout) {
            (core, now) throws(ZeroTierError) in
            try core.datagramSend(id, bytes, to: destination, now: now)
        }
    }

    /// As `receive`, for threads outside of Swift's concurrency. Throws `timedOut` after `timeout`.
    public func receiveBlocking(timeout: Duration? = nil) throws(ZeroTierError) -> Datagram {
        try driver.waitBlocking(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 },
            orThrow: ZeroTierError(.timedOut, "nothing came within the time given")
        ) { (core, now) throws(ZeroTierError) in
            try core.datagramReceive(id, now: now)
        }
    }

    /// Begins to receive what is sent to a multicast group, on every network that leads there.
    public func join(group: IPAddress) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in try core.joinGroup(id, group, now: now) }
    }

    /// Closes the socket. Closing again does nothing.
    public func close() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.closeSocket(id, now: now) }
    }

    /// Takes the datagrams one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: DatagramSocket

        /// The next datagram; nil when the socket or the node is closed, or the task is cancelled.
        public mutating func next() async throws(ZeroTierError) -> Datagram? {
            do throws(ZeroTierError) {
                return try await socket.receive()
            } catch {
                switch error.code {
                case .closed, .nodeStopped, .cancelled: return nil
                default: throw error
                }
            }
        }
    }

    /// Iterators of one socket share its datagrams.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: self) }
}
