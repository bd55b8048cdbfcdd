// TCP: connections and listeners. Every call may come from any task or thread; reading and writing at the same time is
// what a connection is for.

public import NetPrimitives
import NetStack
import Synchronization

/// A TCP connection over a virtual network. As a sequence it gives the bytes that come, in chunks, to the end of the
/// stream. Closed when the last reference goes.
public final class StreamSocket: Sendable, AsyncSequence {
    /// What the sequence consists of.
    public typealias Element = [UInt8]

    /// The most that one chunk of the sequence holds.
    public static let chunkSize = 65_536

    let driver: NodeDriver
    let id: SocketID
    /// This node's end.
    public let localEndpoint: SocketEndpoint
    /// The peer's end.
    public let remoteEndpoint: SocketEndpoint

    init(driver: NodeDriver, id: SocketID, local: SocketEndpoint, remote: SocketEndpoint) {
        self.driver = driver
        self.id = id
        localEndpoint = local
        remoteEndpoint = remote
    }

    deinit { close() }

    // MARK: Tasks

    /// The next bytes, at most `count`, which is at least 1; nil at the end of the stream. Waits until there are some; throws
    /// `timedOut` after `timeout`, and the connection stays as it was. A peer that is gone without a word is found out by
    /// `Node.Configuration.keepAlive`, and `timedOut` is thrown then too.
    public func read(
        upTo count: Int = StreamSocket.chunkSize, timeout: Duration? = nil
    ) async throws(ZeroTierError) -> [UInt8]? {
        let bytes = try await driver.wait(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 }, orThrow: .nothingCame
        ) {
            [id] (core, now) throws(ZeroTierError) in
            try core.streamRead(id, upTo: count, now: now)
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Exactly `count` bytes. Throws `closed` if the stream ends before, `timedOut` if they have not come within `timeout`:
    /// what has come by then is lost.
    public func read(exactly count: Int, timeout: Duration? = nil) async throws(ZeroTierError) -> [UInt8] {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        var result: [UInt8] = []
        while result.count < count {
            let left = deadline.map { Swift.max(.zero, $0 - SystemClock.monotonic()) }
            guard let chunk = try await read(upTo: count - result.count, timeout: left) else {
                throw ZeroTierError(.closed, "the stream ended after \(result.count) of \(count) bytes")
            }
            result.append(contentsOf: chunk)
        }
        return result
    }

    /// Writes all bytes; returns when the last of them are in the send buffer, before the peer has them. Throws `timedOut`
    /// if the buffer has not taken all of them within `timeout`: how many it has taken is in the message, and what to do is
    /// to `abort`, since the stream has a part.
    public func write(_ bytes: [UInt8], timeout: Duration? = nil) async throws(ZeroTierError) {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        var offset = 0
        while offset < bytes.count {
            let start = offset
            offset += try await driver.wait(
                for: .socket(id), until: deadline, orThrow: .notTaken(start, of: bytes.count)
            ) {
                [id] (core, now) throws(ZeroTierError) in
                try core.streamWrite(id, bytes, from: start, now: now)
            }
        }
    }

    /// Ends the writing direction after everything written so far. The peer reads to the end, reading goes on here.
    public func closeWrite() throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in try core.streamCloseWrite(id, now: now) }
    }

    /// Closes both directions; what was written is still delivered, also if the node is shut down meanwhile
    /// (`Node.shutdown`, `Node.drain`). Closing again does nothing.
    public func close() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.closeSocket(id, now: now) }
    }

    /// Ends the connection at once, with a reset for the peer.
    public func abort() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.abortStream(id, now: now) }
    }

    /// Whether small writes leave at once instead of waiting for an acknowledgement. Off at first, as everywhere.
    public func setNoDelay(_ isOn: Bool) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setNoDelay(id, isOn, now: now)
        }
    }

    /// Whether and how this connection finds out that a silent peer is gone; nil: it does not. At first as the node's
    /// configuration says.
    public func setKeepAlive(_ keepAlive: Node.KeepAlive?) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setKeepAlive(id, keepAlive, now: now)
        }
    }

    /// How this connection finds out how fast it may send. At first as the node's configuration says.
    public func setCongestionControl(_ choice: Node.CongestionControl) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setCongestionControl(id, choice, now: now)
        }
    }

    /// Takes the chunks one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: StreamSocket

        /// The next chunk; nil at the end of the stream.
        public mutating func next() async throws(ZeroTierError) -> [UInt8]? { try await socket.read() }
    }

    /// Iterators of one connection share its stream.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: self) }

    // MARK: Threads

    /// As `read(upTo:)`, for threads outside of Swift's concurrency: blocks the thread. Throws `timedOut` after `timeout`.
    public func readBlocking(upTo count: Int = StreamSocket.chunkSize, timeout: Duration? = nil) throws(ZeroTierError)
        -> [UInt8]?
    {
        let bytes = try driver.waitBlocking(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 },
            orThrow: .nothingCame
        ) { (core, now) throws(ZeroTierError) in
            try core.streamRead(id, upTo: count, now: now)
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Reads into a buffer of the caller and returns how many bytes; 0 at the end of the stream. Blocks the thread. Throws
    /// `timedOut` after `timeout`.
    public func readBlocking(
        into buffer: inout MutableRawSpan, timeout: Duration? = nil
    ) throws(ZeroTierError) -> Int {
        try driver.waitBlocking(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 }, orThrow: .nothingCame
        ) {
            (core, now) throws(ZeroTierError) in
            try core.streamRead(id, into: &buffer, now: now)
        }
    }

    /// Writes all bytes of a buffer, from the caller's memory straight into the send buffer. Blocks the thread.
    /// Throws `timedOut` as `write` does.
    public func writeBlocking(_ bytes: RawSpan, timeout: Duration? = nil) throws(ZeroTierError) {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        var offset = 0
        while offset < bytes.byteCount {
            let start = offset
            offset += try driver.waitBlocking(
                for: .socket(id), until: deadline, orThrow: .notTaken(start, of: bytes.byteCount)
            ) {
                (core, now) throws(ZeroTierError) in
                try core.streamWrite(id, bytes, from: start, now: now)
            }
        }
    }

    /// As `writeBlocking`, for an array.
    public func writeBlocking(_ bytes: [UInt8], timeout: Duration? = nil) throws(ZeroTierError) {
        try bytes.withBytes { (span) throws(ZeroTierError) in try writeBlocking(span, timeout: timeout) }
    }
}

/// Accepts TCP connections. As a sequence it gives them one by one, until it is closed.
public final class Listener: Sendable, AsyncSequence {
    /// What the sequence consists of.
    public typealias Element = StreamSocket

    let driver: NodeDriver
    let id: SocketID
    /// Where it listens.
    public let localEndpoint: SocketEndpoint

    init(driver: NodeDriver, id: SocketID, local: SocketEndpoint) {
        self.driver = driver
        self.id = id
        localEndpoint = local
    }

    deinit { close() }

    /// The next connection. Waits until there is one; throws `closed` when the listener is closed, `timedOut` after
    /// `timeout`.
    public func accept(timeout: Duration? = nil) async throws(ZeroTierError) -> StreamSocket {
        try await driver.wait(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 },
            orThrow: ZeroTierError(.timedOut, "nobody connected within the time given")
        ) {
            [id, driver] (core, now) throws(ZeroTierError) in
            try core.accept(id, now: now).map {
                StreamSocket(driver: driver, id: $0.id, local: $0.local, remote: $0.remote)
            }
        }
    }

    /// As `accept`, for threads outside of Swift's concurrency: blocks the thread. Throws `timedOut` after `timeout`.
    public func acceptBlocking(timeout: Duration? = nil) throws(ZeroTierError) -> StreamSocket {
        try driver.waitBlocking(
            for: .socket(id), until: timeout.map { SystemClock.monotonic() + $0 },
            orThrow: ZeroTierError(.timedOut, "nobody connected within the time given")
        ) { (core, now) throws(ZeroTierError) in
            try core.accept(id, now: now).map {
                StreamSocket(driver: driver, id: $0.id, local: $0.local, remote: $0.remote)
            }
        }
    }

    /// Stops listening. Connections that were accepted stay; those that were not are reset.
    public func close() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.closeSocket(id, now: now) }
    }

    /// Takes the connections one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let listener: Listener

        /// The next connection; nil when the listener or the node is closed, or the task is cancelled.
        public mutating func next() async throws(ZeroTierError) -> StreamSocket? {
            do throws(ZeroTierError) {
                return try await listener.accept()
            } catch {
                switch error.code {
                case .closed, .nodeStopped, .cancelled: return nil
                default: throw error
                }
            }
        }
    }

    /// Iterators of one listener share its connections.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }
}

extension ZeroTierError {
    // For waits without a time limit.
    static let internalTimeout = ZeroTierError(.timedOut, "the time is over")

    static let nothingCame = ZeroTierError(
        .timedOut, "nothing came within the time given; the connection stays open: read again, or close it")

    static func notTaken(_ taken: Int, of count: Int) -> ZeroTierError {
        ZeroTierError(
            .timedOut,
            "the peer has not taken enough within the time given: \(taken) of \(count) bytes are in the send buffer. "
                + "Write the rest later, or abort the connection")
    }
}
