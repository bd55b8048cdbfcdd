// Accepting TCP connections.

import NetPrimitives
import NetStack

/// Accepts TCP connections. As a sequence it gives them one by one, until it is closed or the node is shut down. It is
/// closed when the last reference to it goes.
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
    public func accept(timeout: Duration? = nil) async throws -> StreamSocket {
        try await driver.wait(for: .socket(id), within: timeout, orThrow: .nobodyConnected) {
            [id, driver] (core, now) throws(ZeroTierError) in
            try core.accept(id, now: now).map {
                StreamSocket(driver: driver, id: $0.id, local: $0.local, remote: $0.remote)
            }
        }
    }

    /// As `accept`, for threads outside of Swift's concurrency: blocks the thread. Throws `timedOut` after `timeout`.
    public func acceptBlocking(timeout: Duration? = nil) throws(ZeroTierError) -> StreamSocket {
        try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .nobodyConnected) {
            (core, now) throws(ZeroTierError) in
            try core.accept(id, now: now).map {
                StreamSocket(driver: driver, id: $0.id, local: $0.local, remote: $0.remote)
            }
        }
    }

    /// Accepts connections and lends each to `body`, in a task of its own: at most `limit` at a time, and the others wait
    /// in the backlog. A connection is closed when its `body` returns. It is reset when its `body` throws: `onError` is
    /// told, and the others go on. Returns when the listener is closed or the node is shut down, and the last `body` has
    /// ended. In a cancelled task every `body` is cancelled too.
    public func serve(
        atMost limit: Int = 1024, onError: @escaping @Sendable (any Error, StreamSocket) -> Void = { _, _ in },
        _ body: @escaping @Sendable (StreamSocket) async throws -> Void
    ) async throws {
        guard limit > 0 else {
            throw ZeroTierError(.invalidArgument, "at least one connection is served, not \(limit)")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var connections = makeAsyncIterator()
            var running = 0
            while true {
                if running == limit {
                    try await group.next()
                    running -= 1
                }
                guard let socket = try await connections.next() else { break }
                running += 1
                group.addTask {
                    do {
                        try await socket.ending(with: body)
                    } catch {
                        if !(error is CancellationError) { onError(error, socket) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Stops listening. Connections that were accepted stay; those that were not are reset.
    public func close() {
        try? driver.call { [id] (core, now) throws(ZeroTierError) in core.closeSocket(id, now: now) }
    }

    /// Takes the connections one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let listener: Listener

        /// The next connection; nil when the listener is closed or the node is shut down.
        public mutating func next() async throws -> StreamSocket? {
            do {
                return try await listener.accept()
            } catch let error as ZeroTierError where error.code == .closed || error.code == .nodeStopped {
                return nil
            }
        }
    }

    /// Iterators of one listener share its connections.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }
}

extension ZeroTierError {
    fileprivate static let nobodyConnected = ZeroTierError(.timedOut, "nobody connected within the time given")
}
