// A TCP connection. Every call may come from any task or thread; reading and writing at the same time is what a connection
// is for.

public import NetPrimitives
import NetStack
import Synchronization

/// A TCP connection over a virtual network. As a sequence it gives the bytes that come, in chunks, to the end of the
/// stream. A stream that ends in any other way throws. It is closed when the last reference to it goes.
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
    /// `timedOut` after `timeout`, and the connection stays as it was. `Node.Configuration.keepAlive` notices a peer that is
    /// gone without a word; that throws `timedOut` too.
    public func read(upTo count: Int = StreamSocket.chunkSize, timeout: Duration? = nil) async throws -> [UInt8]? {
        let bytes = try await driver.wait(for: .socket(id), within: timeout, orThrow: .nothingCame) {
            [id] (core, now) throws(ZeroTierError) in
            try core.streamRead(id, upTo: count, now: now)
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Exactly `count` bytes. Throws `closed` if the stream ends before, `timedOut` if they have not come within `timeout`.
    /// Then the bytes that have come are lost.
    public func read(exactly count: Int, timeout: Duration? = nil) async throws -> [UInt8] {
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

    /// Writes all bytes. Returns when the last of them are in the send buffer, before the peer has them. Throws `timedOut`
    /// if the buffer has not taken all of them within `timeout`; the message says how many it has taken. After that, and
    /// after `CancellationError`, the stream has only a part: call `abort`.
    public func write(_ bytes: [UInt8], timeout: Duration? = nil) async throws {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        var offset = 0
        while offset < bytes.count {
            let start = offset
            let taken = try await driver.wait(for: .socket(id), until: deadline) {
                [id] (core, now) throws(ZeroTierError) in
                try core.streamWrite(id, bytes, from: start, now: now)
            }
            guard let taken else { throw ZeroTierError.notTaken(start, of: bytes.count) }
            offset += taken
        }
    }

    /// As `write`, the bytes of a text in UTF-8.
    public func write(_ text: String, timeout: Duration? = nil) async throws {
        try await write(Array(text.utf8), timeout: timeout)
    }

    /// Ends the writing direction after everything written so far. The peer reads to the end. This side can still read.
    public func closeWrite() throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in try core.streamCloseWrite(id, now: now) }
    }

    /// Closes both directions. Written bytes are still delivered, even if the node is shut down meanwhile
    /// (`Node.shutdown`, `Node.drain`). Closing again does nothing.
    public func close() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.closeSocket(id, now: now) }
    }

    /// Ends the connection at once, with a reset for the peer.
    public func abort() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.abortStream(id, now: now) }
    }

    // Lends itself to `body`, then closes; or aborts if that throws, so that the peer learns that the stream is not whole.
    func ending<Result>(
        isolation: isolated (any Actor)? = #isolation, with body: (StreamSocket) async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body(self)
            close()
            return result
        } catch {
            abort()
            throw error
        }
    }

    /// Whether small writes leave at once instead of waiting for an acknowledgement. Off at first, as everywhere.
    public func setNoDelay(_ isOn: Bool) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setNoDelay(id, isOn, now: now)
        }
    }

    /// How this connection notices that a silent peer is gone; nil: it does not. At first as the node's configuration
    /// says.
    public func setKeepAlive(_ keepAlive: Node.KeepAlive?) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setKeepAlive(id, keepAlive, now: now)
        }
    }

    /// How long written bytes may stay without an acknowledgement (RFC 9293 3.9.1). After that the peer counts as gone,
    /// and reads and writes throw `timedOut`. Nil, the default: some minutes, by the number of repetitions.
    public func setUserTimeout(_ timeout: Duration?) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setUserTimeout(id, timeout, now: now)
        }
    }

    /// The congestion control of this connection. At first as the node's configuration says.
    public func setCongestionControl(_ choice: Node.CongestionControl) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setCongestionControl(id, choice, now: now)
        }
    }

    /// Takes the chunks one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: StreamSocket

        /// The next chunk; nil at the end of the stream, and only there.
        public mutating func next() async throws -> [UInt8]? { try await socket.read() }
    }

    /// Iterators of one connection share its stream.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: self) }

    // MARK: Threads

    /// As `read(upTo:)`, for threads outside of Swift's concurrency: blocks the thread. Throws `timedOut` after `timeout`.
    public func readBlocking(upTo count: Int = StreamSocket.chunkSize, timeout: Duration? = nil) throws(ZeroTierError)
        -> [UInt8]?
    {
        let bytes = try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .nothingCame) {
            (core, now) throws(ZeroTierError) in
            try core.streamRead(id, upTo: count, now: now)
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Reads into a buffer of the caller and returns how many bytes; 0 at the end of the stream. Blocks the thread. Throws
    /// `timedOut` after `timeout`.
    public func readBlocking(
        into buffer: inout MutableRawSpan, timeout: Duration? = nil
    ) throws(ZeroTierError) -> Int {
        try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .nothingCame) {
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
            let taken = try driver.waitBlocking(for: .socket(id), until: deadline) {
                (core, now) throws(ZeroTierError) in
                try core.streamWrite(id, bytes, from: start, now: now)
            }
            guard let taken else { throw .notTaken(start, of: bytes.byteCount) }
            offset += taken
        }
    }

    /// As `writeBlocking`, for an array.
    public func writeBlocking(_ bytes: [UInt8], timeout: Duration? = nil) throws(ZeroTierError) {
        try bytes.withBytes { (span) throws(ZeroTierError) in try writeBlocking(span, timeout: timeout) }
    }
}

extension ZeroTierError {
    static let nothingCame = ZeroTierError(
        .timedOut, "nothing came within the time given; the connection stays open: read again, or close it")

    static func notTaken(_ taken: Int, of count: Int) -> ZeroTierError {
        ZeroTierError(
            .timedOut,
            "the peer has not taken enough within the time given: \(taken) of \(count) bytes are in the send buffer. "
                + "Write the rest later, or abort the connection")
    }
}
