// The node: what a program makes, joins networks with, and opens sockets on.

package import NetPrimitives

/// A ZeroTier node in this process. Make as many as you like: each has its own identity, port, networks and sockets.
///
///     try await Node.with(.init(storage: .directory("state"))) { node in
///         try await node.join(NetworkID("8056c2e21c000001")!)
///         try await node.withConnection(to: SocketEndpoint("10.147.17.5:80")!) { socket in
///             try await socket.write("GET / HTTP/1.0\r\n\r\n")
///             for try await line in socket.lines() { print(line) }
///         }
///     }
///
/// Every call may come from any task or thread. Calls that wait have a time limit, `timeout`, and throw `timedOut` at its
/// end; nil is no limit. In a cancelled task they throw `CancellationError`. Every other error is a `ZeroTierError`.
///
/// A node that is no longer referred to shuts down by itself, a moment later. To start another one on its directory, call
/// `shutdown` first: it returns when all is released.
public final class Node: Sendable {
    let driver: NodeDriver
    /// The node's address. On a private network, this is what the administrator authorises.
    public let id: NodeID
    /// The identity without its secret.
    public let identity: Identity
    /// The UDP port.
    public let port: UInt16

    init(driver: NodeDriver, identity: Identity, port: UInt16) {
        self.driver = driver
        self.identity = identity
        self.port = port
        id = identity.id
    }

    deinit { driver.requestStop() }

    /// Makes and starts a node. Throws if something is wrong with the configuration, the stored state or the port. The
    /// start needs no network: the node comes online when there is one.
    public static func start(_ configuration: Configuration = Configuration()) async throws(ZeroTierError) -> Node {
        // Making an identity takes a moment: not on the caller's actor.
        try await offActor { () throws(ZeroTierError) in try Node(configuration) }
    }

    /// Starts a node, lends it to `body`, and shuts it down when `body` returns, throws or is cancelled. Bytes written to
    /// connections that `body` closed are delivered first, as `shutdown` says.
    public static func with<Result>(
        _ configuration: Configuration = Configuration(), isolation: isolated (any Actor)? = #isolation,
        _ body: (Node) async throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let node = try await start(configuration)
        do {
            let result = try await body(node)
            await node.shutdown()
            return result
        } catch {
            await node.shutdown()
            throw error
        }
    }

    /// As `start`, blocking the thread. It takes some tenths of a second if a new identity has to be made
    /// (`Identity.generate`).
    public convenience init(_ configuration: Configuration) throws(ZeroTierError) {
        let parts = try NodeStart.run(configuration)
        self.init(driver: parts.driver, identity: parts.identity, port: parts.port)
    }

    @concurrent
    private static func offActor<Result: Sendable>(
        _ body: @Sendable () throws(ZeroTierError) -> Result
    ) async throws(ZeroTierError) -> Result { try body() }

    // MARK: Life

    /// Shuts the node down: closes its sockets, stores what it learned, releases threads, descriptors and memory. Connections that
    /// were closed before, or whose writing direction was, still deliver what was written. That takes milliseconds, or up to
    /// `Configuration.shutdownLinger` if a peer does not take it; that peer then gets a reset. Other connections are reset at
    /// once. May be called often, from anywhere: every call returns when the node has ended. It is not cancelled, because a node
    /// has to end in a cancelled task too.
    public func shutdown() async { await driver.stop() }

    /// As `shutdown`, blocking the thread. In `Configuration.log` it returns at once, and the node ends after that.
    public func shutdownBlocking() { driver.stopBlocking() }

    /// Waits until closed connections have delivered what was written to them. Returns false if they have not within
    /// `timeout`. `shutdown` does this by itself; call `drain` to wait longer, or to go on afterwards.
    @discardableResult
    public func drain(timeout: Duration? = nil) async throws -> Bool {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        let isDelivered: Bool? = try await driver.wait(for: .delivery, until: deadline) {
            (core, _) throws(ZeroTierError) in core.lingeringSockets == 0 ? true : nil
        }
        return isDelivered ?? false
    }

    /// What happens from now on. Each sequence is a consumer of its own.
    public var events: NodeEvents { NodeEvents(subscription: driver.hub.subscribe()) }

    /// Waits until a root answers. After `timeout` it throws `noRootAnswered`, and says why.
    public func waitUntilOnline(timeout: Duration? = .seconds(30)) async throws {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        let isOnline: Bool? = try await driver.wait(for: .node, until: deadline) { (core, _) throws(ZeroTierError) in
            try core.checkUsable()
            return core.isOnline ? true : nil
        }
        if isOnline != nil { return }
        let reason = try driver.call { (core, _) throws(ZeroTierError) in core.whyOffline }
        // Nil: it came online in this moment.
        guard let reason, let timeout else { return }
        throw ZeroTierError(.noRootAnswered, "not online within \(timeout): \(reason)")
    }

    // MARK: State

    /// The node at this moment.
    public func status() throws(ZeroTierError) -> NodeStatus {
        try driver.call { (core, now) throws(ZeroTierError) in core.status(now: now) }
    }

    /// The planet in force; nil if there is none. If `Configuration.root` made this node a root, other nodes need it.
    public func planet() throws(ZeroTierError) -> RootSet? {
        try driver.call { (core, _) throws(ZeroTierError) in core.planet }
    }

    /// The peers at this moment.
    public func peers() throws(ZeroTierError) -> [PeerStatus] {
        try driver.call { (core, now) throws(ZeroTierError) in core.peers(now: now) }
    }
}

extension Node {
    /// The addresses of this machine that peers would be told.
    package static func usableAddresses(allowLoopback: Bool) -> [IPAddress] {
        LocalNetwork(InterfaceWatcher.scan(), allowLoopback: allowLoopback).usable
    }

    /// From that moment on nothing leaves this node: its identity is another's then. Called again, the later call counts.
    package func fallSilent(at moment: MonotonicInstant) {
        try? driver.call { (core, _) throws(ZeroTierError) in core.port.silence = moment }
    }

    /// A UDP port that is free at this moment, for tools that must know it beforehand.
    package static func findFreePort() throws(ZeroTierError) -> UInt16 {
        do throws(SystemError) {
            return try UDPPort(port: 0, mode: .plain).port
        } catch {
            throw ZeroTierError(error)
        }
    }
}
