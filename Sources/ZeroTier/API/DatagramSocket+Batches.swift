// Many datagrams by one call: the node's lock is taken once for all that fit, and they leave together.
// Read first: Docs/architecture.md, "The way of a packet out"; sendmmsg(2), recvmmsg(2).

public import NetPrimitives

extension DatagramSocket {
    // MARK: Tasks

    /// Sends datagrams to one destination, in their order. Returns when all are in the send queue, and waits while that is
    /// full. If one cannot be sent, throws its error: the datagrams before it are sent, those behind it are not. `timedOut`,
    /// after `timeout`, is the same: its message says how many are sent.
    public func send(all datagrams: [[UInt8]], to destination: SocketEndpoint, timeout: Duration? = nil) async throws {
        try await send(datagrams.count, timeout) { [id] (core, start, now) throws(ZeroTierError) in
            try core.datagramsSend(id, datagrams, to: destination, from: start, now: now)
        }
    }

    /// As above, each datagram to a destination of its own.
    public func send(all datagrams: [OutgoingDatagram], timeout: Duration? = nil) async throws {
        try await send(datagrams.count, timeout) { [id] (core, start, now) throws(ZeroTierError) in
            try core.datagramsSend(id, datagrams, from: start, now: now)
        }
    }

    // Calls `body` with the number of datagrams already sent until all are.
    private func send(
        _ count: Int, _ timeout: Duration?,
        _ body: @Sendable (inout DriverCore, _ start: Int, Now) throws(ZeroTierError) -> Int?
    ) async throws {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        var sent = 0
        while sent < count {
            let start = sent
            let some = try await driver.wait(for: .socket(id), until: deadline) {
                (core, now) throws(ZeroTierError) in try body(&core, start, now)
            }
            guard let some else { throw ZeroTierError.queueFull(sent, of: count) }
            sent += some
        }
    }

    /// The datagrams that have come, oldest first: at least one, at most `count`. Waits until there is one; throws `closed`
    /// when the socket is closed, `timedOut` after `timeout`, `invalidArgument` for a count below 1.
    public func receive(upTo count: Int, timeout: Duration? = nil) async throws -> [Datagram] {
        try await driver.wait(for: .socket(id), within: timeout, orThrow: .noDatagram) {
            [id] (core, now) throws(ZeroTierError) in
            try core.datagramsReceive(id, upTo: count, now: now)
        }
    }

    // MARK: Threads

    /// As `send(all:to:)`, for threads outside of Swift's concurrency: blocks the thread.
    public func sendBlocking(
        all datagrams: [[UInt8]], to destination: SocketEndpoint, timeout: Duration? = nil
    ) throws(ZeroTierError) {
        try sendBlocking(datagrams.count, timeout) { (core, start, now) throws(ZeroTierError) in
            try core.datagramsSend(id, datagrams, to: destination, from: start, now: now)
        }
    }

    /// As `send(all:)`, for threads outside of Swift's concurrency: blocks the thread.
    public func sendBlocking(all datagrams: [OutgoingDatagram], timeout: Duration? = nil) throws(ZeroTierError) {
        try sendBlocking(datagrams.count, timeout) { (core, start, now) throws(ZeroTierError) in
            try core.datagramsSend(id, datagrams, from: start, now: now)
        }
    }

    /// Sends a buffer as datagrams of `size` bytes each; the last one has what is left. They keep their order and go from
    /// the caller's memory straight into the send queue. Blocks the thread until all are in it. An empty buffer is no
    /// datagram. Throws as `send(all:to:)`, and `invalidArgument` for a size below 1.
    public func sendBlocking(
        _ bytes: RawSpan, inDatagramsOf size: Int, to destination: SocketEndpoint, timeout: Duration? = nil
    ) throws(ZeroTierError) {
        guard size > 0 else { throw ZeroTierError(.invalidArgument, "a datagram of a buffer has at least one byte") }
        let rest = bytes.byteCount % size
        try sendBlocking(bytes.byteCount / size + (rest > 0 ? 1 : 0), timeout) {
            (core, start, now) throws(ZeroTierError) in
            try core.datagramsSend(id, bytes, inDatagramsOf: size, to: destination, from: start, now: now)
        }
    }

    // Calls `body` with the number of datagrams already sent until all are.
    private func sendBlocking(
        _ count: Int, _ timeout: Duration?,
        _ body: (inout DriverCore, _ start: Int, Now) throws(ZeroTierError) -> Int?
    ) throws(ZeroTierError) {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        var sent = 0
        while sent < count {
            let start = sent
            let some = try driver.waitBlocking(for: .socket(id), until: deadline) {
                (core, now) throws(ZeroTierError) in try body(&core, start, now)
            }
            guard let some else { throw .queueFull(sent, of: count) }
            sent += some
        }
    }

    /// As `receive(upTo:timeout:)`, for threads outside of Swift's concurrency: blocks the thread.
    public func receiveBlocking(upTo count: Int, timeout: Duration? = nil) throws(ZeroTierError) -> [Datagram] {
        try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .noDatagram) {
            (core, now) throws(ZeroTierError) in
            try core.datagramsReceive(id, upTo: count, now: now)
        }
    }

    /// Copies the datagrams that have come into a buffer of the caller, oldest first. The first begins where the buffer does,
    /// each further one `stride` bytes behind the one before. A longer datagram is cut. `places` then says where each one
    /// lies; its memory is used again. Takes at least one, and at most as many as there are whole strides. Blocks the thread
    /// until there is one; throws `timedOut` after `timeout`, `invalidArgument` for a stride below 1 or beyond the buffer.
    public func receiveBlocking(
        into buffer: inout MutableRawSpan, stride: Int, _ places: inout [DatagramPlace], timeout: Duration? = nil
    ) throws(ZeroTierError) {
        guard stride > 0, stride <= buffer.byteCount else {
            throw ZeroTierError(
                .invalidArgument, "a stride of \(stride) bytes does not go into a buffer of \(buffer.byteCount)")
        }
        places.removeAll(keepingCapacity: true)
        _ = try driver.waitBlocking(for: .socket(id), within: timeout, orThrow: .noDatagram) {
            (core, now) throws(ZeroTierError) in
            try core.datagramsReceive(id, into: &buffer, stride: stride, &places, now: now)
        }
    }
}
