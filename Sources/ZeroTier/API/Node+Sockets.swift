// Sockets of a node: connecting, listening, datagrams and echo requests; with a scope, or without.

import NetPrimitives
import NetStack

extension Node {
    // MARK: TCP

    /// Connects by TCP. While the way to the peer is still being made (network, path, address), the attempt is kept alive
    /// until the time is over. Then it throws `timedOut`, and says why.
    public func connect(
        to remote: SocketEndpoint, from local: SocketEndpoint? = nil, timeout: Duration? = .seconds(60)
    ) async throws -> StreamSocket {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        guard let socket = try await driver.connect(to: remote, from: local, until: deadline) else {
            throw noAnswer(remote.address, "\(remote)", timeout)
        }
        return socket
    }

    /// As `connect`, for threads outside of Swift's concurrency: blocks the thread.
    public func connectBlocking(
        to remote: SocketEndpoint, from local: SocketEndpoint? = nil, timeout: Duration? = .seconds(60)
    ) throws(ZeroTierError) -> StreamSocket {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        guard let socket = try driver.connectBlocking(to: remote, from: local, until: deadline) else {
            throw noAnswer(remote.address, "\(remote)", timeout)
        }
        return socket
    }

    /// Connects, lends the connection to `body` and ends it. When `body` returns, the connection is closed, and written bytes
    /// are still delivered. When `body` throws or is cancelled, the connection is reset. `timeout` limits the connecting
    /// only.
    public func withConnection<Result>(
        to remote: SocketEndpoint, from local: SocketEndpoint? = nil, timeout: Duration? = .seconds(60),
        isolation: isolated (any Actor)? = #isolation, _ body: (StreamSocket) async throws -> Result
    ) async throws -> Result {
        try await connect(to: remote, from: local, timeout: timeout).ending(with: body)
    }

    /// Listens for TCP connections on an address of this node, or on all of them.
    public func listen(on local: SocketEndpoint, backlog: Int = 128) throws(ZeroTierError) -> Listener {
        let (id, bound) = try driver.call { (core, now) throws(ZeroTierError) in
            try core.listen(on: local, backlog: backlog, now: now)
        }
        return Listener(driver: driver, id: id, local: bound)
    }

    /// Listens for TCP connections on all addresses of both families. Port 0 is any free one.
    public func listen(port: UInt16, backlog: Int = 128) throws(ZeroTierError) -> Listener {
        try listen(on: SocketEndpoint(.anyIPv6, port: port), backlog: backlog)
    }

    /// Listens on all addresses of both families, lends the listener to `body` and closes it. Accepted connections stay.
    public func withListener<Result>(
        port: UInt16, backlog: Int = 128, isolation: isolated (any Actor)? = #isolation,
        _ body: (Listener) async throws -> Result
    ) async throws -> Result {
        let listener = try listen(port: port, backlog: backlog)
        defer { listener.close() }
        return try await body(listener)
    }

    // MARK: UDP

    /// Opens a UDP socket on an address of this node, or on all of them: `anyIPv4` for IPv4, `anyIPv6` for both
    /// families. IPv4 addresses stay IPv4 addresses there. Port 0 is any free one.
    public func datagramSocket(bind local: SocketEndpoint) throws(ZeroTierError) -> DatagramSocket {
        let (id, bound) = try driver.call { (core, now) throws(ZeroTierError) in
            try core.openDatagram(bind: local, now: now)
        }
        return DatagramSocket(driver: driver, id: id, local: bound)
    }

    /// Opens a UDP socket on all addresses of both families. Port 0 is any free one.
    public func datagramSocket(port: UInt16 = 0) throws(ZeroTierError) -> DatagramSocket {
        try datagramSocket(bind: SocketEndpoint(.anyIPv6, port: port))
    }

    /// Opens a UDP socket on all addresses of both families, lends it to `body` and closes it. Port 0 is any free one.
    public func withDatagramSocket<Result>(
        port: UInt16 = 0, isolation: isolated (any Actor)? = #isolation,
        _ body: (DatagramSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try datagramSocket(port: port)
        defer { socket.close() }
        return try await body(socket)
    }

    // MARK: Echo

    /// Sends an echo request and waits for the answer. Asks again every second while the way to the address is being made.
    /// After `timeout` it throws `timedOut`, and says why.
    @discardableResult
    public func ping(
        _ address: IPAddress, sequence: Int = 0, payload: [UInt8] = Array(repeating: 0x5a, count: 56),
        timeout: Duration? = .seconds(10)
    ) async throws -> EchoResult {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        while true {
            let second = SystemClock.monotonic() + .seconds(1)
            let attempt = deadline.map { min($0, second) } ?? second
            if let result = try await ask(address, sequence, payload, until: attempt) { return result }
            if let deadline, SystemClock.monotonic() >= deadline { throw noAnswer(address, "\(address)", timeout) }
        }
    }

    // One request. Nil if no answer came in time.
    private func ask(
        _ address: IPAddress, _ sequence: Int, _ payload: [UInt8], until deadline: MonotonicInstant
    ) async throws -> EchoResult? {
        let number = UInt16(truncatingIfNeeded: sequence)
        let key = try driver.call { (core, now) throws(ZeroTierError) in
            try core.sendEcho(to: address, sequence: number, payload, now: now)
        }
        defer { try? driver.call { (core, _) throws(ZeroTierError) in core.echoes[key] = nil } }
        do {
            return try await driver.wait(
                for: .echo(key), until: deadline
            ) { (core, _) throws(ZeroTierError) in
                switch core.echoes[key]?.outcome {
                case .reply(let roundTrip, let hopLimit):
                    return EchoResult(address: address, sequence: sequence, roundTrip: roundTrip, hopLimit: hopLimit)
                case .failed(let error): throw error
                case .waiting, nil: return nil
                }
            }
        } catch let error as ZeroTierError {
            switch error.code {
            case .timedOut: return nil
            // This may pass as soon as the network or the path is there. Once a second is enough.
            case .hostUnreachable, .networkUnreachable:
                try await Task.sleep(for: max(.zero, deadline - SystemClock.monotonic()))
                return nil
            default: throw error
            }
        }
    }

    // The time is over: tells the likely reason.
    private func noAnswer(_ address: IPAddress, _ name: String, _ timeout: Duration?) -> ZeroTierError {
        let reason = try? driver.call { (core, _) throws(ZeroTierError) in core.whyNoAnswer(address) }
        let time = timeout.map { " within \($0)" } ?? ""
        return ZeroTierError(.timedOut, "\(name) did not answer\(time)" + (reason.map { ": \($0)" } ?? ""))
    }
}
