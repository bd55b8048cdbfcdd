// The node: what a program makes, joins networks with, and opens sockets on.

import NetPrimitives
import NetStack

/// A ZeroTier node in this process. Make as many as you like: each has its own identity, port, networks and sockets.
///
///     let node = try await Node.start(.init(storage: .directory("state")))
///     let network = try await node.join(NetworkID("8056c2e21c000001")!)
///     let socket = try await node.connect(to: SocketEndpoint("10.147.17.5:80")!)
///     try await socket.write(Array("GET / HTTP/1.0\r\n\r\n".utf8))
///     for try await chunk in socket { ... }
///     await node.shutdown()
///
/// Every call may come from any task or thread. A node that is no longer referred to shuts down by itself, a moment later:
/// who wants to start another one on its directory calls `shutdown`, which returns when all is released.
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

    /// Makes and starts a node. Throws what is wrong with the configuration, the stored state or the port; needs no
    /// network: without one the node starts too, and comes online when there is one.
    public static func start(_ configuration: Configuration = Configuration()) async throws(ZeroTierError) -> Node {
        // Making an identity takes a moment: not on the caller's actor.
        try await offActor { () throws(ZeroTierError) in try Node(configuration) }
    }

    /// As `start`, blocking: some tenths of a second when a new identity has to be made, `Identity.generate`.
    public convenience init(_ configuration: Configuration) throws(ZeroTierError) {
        let parts = try NodeStart.run(configuration)
        self.init(driver: parts.driver, identity: parts.identity, port: parts.port)
    }

    @concurrent
    private static func offActor<Result: Sendable>(
        _ body: @Sendable () throws(ZeroTierError) -> Result
    ) async throws(ZeroTierError) -> Result { try body() }

    // MARK: Life

    /// Shuts the node down: closes its sockets, stores what it learned, releases threads, descriptors and memory. What was
    /// written to connections that were closed before, or whose writing direction was, is still delivered: that takes
    /// milliseconds, or up to `Configuration.shutdownLinger` if a peer does not take it, which then gets a reset. Other
    /// connections are reset at once. May be called often, from anywhere; every call returns when it is done.
    public func shutdown() async { await driver.stop() }

    /// As `shutdown`, blocking the thread. Called in `Configuration.log` it returns at once, and the node ends after that.
    public func shutdownBlocking() { driver.stopBlocking() }

    /// Waits until what was written to connections that are closed meanwhile has been delivered, at most so long. `shutdown`
    /// does this by itself; call `drain` to wait longer, or to go on afterwards.
    public func drain(timeout: Duration) async {
        let end = SystemClock.monotonic() + timeout
        while SystemClock.monotonic() < end {
            let left = try? driver.call { (core, _) throws(ZeroTierError) in core.lingeringSockets }
            guard let left, left > 0 else { return }
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { return }
        }
    }

    /// What happens from now on. Each sequence is a consumer of its own.
    public var events: NodeEvents { NodeEvents(subscription: driver.hub.subscribe()) }

    /// Waits until a root answers. Throws `noRootAnswered`, and why, after the time given.
    public func waitUntilOnline(timeout: Duration = .seconds(30)) async throws(ZeroTierError) {
        do throws(ZeroTierError) {
            _ = try await driver.wait(
                for: .node, until: SystemClock.monotonic() + timeout, orThrow: .internalTimeout
            ) { (core, _) throws(ZeroTierError) in
                try core.checkUsable()
                return core.isOnline ? true : nil
            }
        } catch {
            guard error == .internalTimeout else { throw error }
            let reason = try driver.call { (core, _) throws(ZeroTierError) in core.whyOffline }
            // It came online in this moment.
            guard let reason else { return }
            throw ZeroTierError(.noRootAnswered, "not online within \(timeout): \(reason)")
        }
    }

    // MARK: Networks

    /// Joins a network and waits until it can be used. Throws why it cannot after the time given; the node then stays
    /// joined and goes on trying, until `leave`. `settings`: what its controller may set; nil leaves them as they are stored.
    @discardableResult
    public func join(
        _ network: NetworkID, settings: NetworkSettings? = nil, timeout: Duration = .seconds(60)
    ) async throws(ZeroTierError) -> NetworkStatus {
        try startJoining(network, settings: settings)
        let deadline = SystemClock.monotonic() + timeout
        do throws(ZeroTierError) {
            return try await driver.wait(for: .node, until: deadline, orThrow: .internalTimeout) {
                (core, now) throws(ZeroTierError) in
                try core.checkUsable()
                return try core.readyNetwork(network)
            }
        } catch {
            guard error == .internalTimeout else { throw error }
            throw try driver.call { (core, _) throws(ZeroTierError) in core.whyNotReady(network) }
        }
    }

    /// Joins a network and returns at once; `events` and `networks` tell how far it comes. Joining again does nothing. Throws
    /// `invalidArgument` for an ID that no network can have.
    public func startJoining(
        _ network: NetworkID, settings: NetworkSettings? = nil
    ) throws(ZeroTierError) {
        try driver.call { (core, now) throws(ZeroTierError) in
            try core.join(network, settings: settings, now: now)
        }
    }

    /// What the controller of a joined network may set on this node.
    public func settings(of network: NetworkID) throws(ZeroTierError) -> NetworkSettings {
        try driver.call { (core, _) throws(ZeroTierError) in try core.settings(of: network) }
    }

    /// Changes what the controller of a joined network may set: addresses and routes come and go at once. Kept until `leave`.
    public func setSettings(_ settings: NetworkSettings, of network: NetworkID) throws(ZeroTierError) {
        try driver.call { (core, now) throws(ZeroTierError) in try core.setSettings(settings, of: network, now: now) }
    }

    /// Leaves a network: its addresses are gone, its sockets fail. Leaving one that was not joined does nothing.
    public func leave(_ network: NetworkID) throws(ZeroTierError) {
        try driver.call { (core, now) throws(ZeroTierError) in core.leave(network, now: now) }
    }

    // MARK: State

    /// The node at this moment.
    public func status() throws(ZeroTierError) -> NodeStatus {
        try driver.call { (core, now) throws(ZeroTierError) in core.status(now: now) }
    }

    /// The joined networks at this moment.
    public func networks() throws(ZeroTierError) -> [NetworkStatus] {
        try driver.call { (core, _) throws(ZeroTierError) in core.networks() }
    }

    /// The planet in force; nil if there is none. Of a root by itself, the one that other nodes need.
    public func planet() throws(ZeroTierError) -> Planet? {
        try driver.call { (core, _) throws(ZeroTierError) in core.planet }
    }

    /// The peers at this moment.
    public func peers() throws(ZeroTierError) -> [PeerStatus] {
        try driver.call { (core, now) throws(ZeroTierError) in core.peers(now: now) }
    }

    // MARK: Sockets

    /// Connects by TCP. While the way to the peer is still being made (network, path, address), the attempt is kept alive
    /// until the time is over. Cancelling the task ends it at once.
    public func connect(
        to remote: SocketEndpoint, from local: SocketEndpoint? = nil, timeout: Duration = .seconds(60)
    ) async throws(ZeroTierError) -> StreamSocket {
        let deadline = SystemClock.monotonic() + timeout
        while true {
            do throws(ZeroTierError) {
                let id = try await driver.wait(for: .node, until: deadline, orThrow: .internalTimeout) {
                    (core, now) throws(ZeroTierError) in
                    try Node.startStream(to: remote, from: local, &core, now)
                }
                do throws(ZeroTierError) {
                    let progress = try await driver.wait(
                        for: .socket(id), until: deadline, orThrow: .internalTimeout
                    ) { (core, now) throws(ZeroTierError) in
                        try core.connectProgress(id, now: now)
                    }
                    if let socket = finish(progress, id, remote) { return socket }
                } catch {
                    abandon(id)
                    throw error
                }
                guard SystemClock.monotonic() + Node.pauseBetweenAttempts < deadline else { throw .internalTimeout }
                guard (try? await Task.sleep(for: Node.pauseBetweenAttempts)) != nil else { throw .taskCancelled }
            } catch {
                throw error == .internalTimeout ? explainTimeout(remote, timeout) : error
            }
        }
    }

    /// As `connect`, for threads outside of Swift's concurrency: blocks the thread.
    public func connectBlocking(
        to remote: SocketEndpoint, from local: SocketEndpoint? = nil, timeout: Duration = .seconds(60)
    ) throws(ZeroTierError) -> StreamSocket {
        let deadline = SystemClock.monotonic() + timeout
        while true {
            do throws(ZeroTierError) {
                let id = try driver.waitBlocking(for: .node, until: deadline, orThrow: .internalTimeout) {
                    (core, now) throws(ZeroTierError) in
                    try Node.startStream(to: remote, from: local, &core, now)
                }
                do throws(ZeroTierError) {
                    let progress = try driver.waitBlocking(
                        for: .socket(id), until: deadline, orThrow: .internalTimeout
                    ) { (core, now) throws(ZeroTierError) in
                        try core.connectProgress(id, now: now)
                    }
                    if let socket = finish(progress, id, remote) { return socket }
                } catch {
                    abandon(id)
                    throw error
                }
                // Nothing to wait for but time.
                let next = SystemClock.monotonic() + Node.pauseBetweenAttempts
                guard next < deadline else { throw .internalTimeout }
                do throws(ZeroTierError) {
                    let _: Bool = try driver.waitBlocking(for: .node, until: next, orThrow: .internalTimeout) {
                        (core, _) throws(ZeroTierError) in
                        try core.checkUsable()
                        return nil
                    }
                } catch  where error == .internalTimeout {}
            } catch {
                throw error == .internalTimeout ? explainTimeout(remote, timeout) : error
            }
        }
    }

    // After "host unreachable".
    private static let pauseBetweenAttempts: Duration = .milliseconds(250)

    // Nil: wait for a route, while a network is still on its way to being usable.
    private static func startStream(
        to remote: SocketEndpoint, from local: SocketEndpoint?, _ core: inout DriverCore, _ now: Now
    ) throws(ZeroTierError) -> SocketID? {
        try core.checkUsable()
        do throws(StackError) {
            return try core.openStream(to: remote, from: local, now: now)
        } catch {
            let mayCome = error == .networkUnreachable || error == .addressNotAvailable
            if mayCome, core.hasUnreadyNetworks { return nil }
            throw ZeroTierError(error, doing: "connect to \(remote)")
        }
    }

    // The connection; nil: another attempt.
    private func finish(
        _ progress: DriverCore.ConnectProgress, _ id: SocketID, _ remote: SocketEndpoint
    ) -> StreamSocket? {
        switch progress {
        case .connected(let own): return StreamSocket(driver: driver, id: id, local: own, remote: remote)
        case .tryAgain:
            abandon(id)
            return nil
        }
    }

    private func abandon(_ id: SocketID) {
        try? driver.call { (core, now) throws(ZeroTierError) in core.abortStream(id, now: now) }
    }

    private func explainTimeout(_ remote: SocketEndpoint, _ timeout: Duration) -> ZeroTierError {
        let reason = try? driver.call { (core, _) throws(ZeroTierError) in core.whyNoAnswer(remote.address) }
        return ZeroTierError(
            .timedOut, "\(remote) did not answer within \(timeout)" + (reason.map { ": \($0)" } ?? ""))
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

    /// Opens a UDP socket on an address of this node, or on all: `anyIPv4` for IPv4, `anyIPv6` for both families, with
    /// IPv4 addresses as such. Port 0 is any free one.
    public func datagramSocket(bind local: SocketEndpoint) throws(ZeroTierError) -> DatagramSocket {
        let (id, bound) = try driver.call { (core, now) throws(ZeroTierError) in
            try core.openDatagram(bind: local, now: now)
        }
        return DatagramSocket(driver: driver, id: id, local: bound)
    }

    /// Sends an echo request and waits for the answer. Asks again every second while the way to the address is made.
    public func ping(
        _ address: IPAddress, sequence: Int = 0, payload: [UInt8] = Array(repeating: 0x5a, count: 56),
        timeout: Duration = .seconds(10)
    ) async throws(ZeroTierError) -> EchoResult {
        let deadline = SystemClock.monotonic() + timeout
        while true {
            let attempt = min(deadline, SystemClock.monotonic() + .seconds(1))
            if let result = try await ask(address, sequence, payload, until: attempt) { return result }
            guard SystemClock.monotonic() < deadline else {
                let reason = try driver.call { (core, _) throws(ZeroTierError) in core.whyNoAnswer(address) }
                throw ZeroTierError(
                    .timedOut, "\(address) did not answer within \(timeout)" + (reason.map { ": \($0)" } ?? ""))
            }
        }
    }

    // One request. Nil if no answer came in time.
    private func ask(
        _ address: IPAddress, _ sequence: Int, _ payload: [UInt8], until deadline: MonotonicInstant
    ) async throws(ZeroTierError) -> EchoResult? {
        let number = UInt16(truncatingIfNeeded: sequence)
        let key = try driver.call { (core, now) throws(ZeroTierError) in
            try core.sendEcho(to: address, sequence: number, payload, now: now)
        }
        defer { try? driver.call { (core, _) throws(ZeroTierError) in core.echoes[key] = nil } }
        do throws(ZeroTierError) {
            return try await driver.wait(
                for: .echo(identifier: key.identifier, sequence: key.sequence), until: deadline,
                orThrow: .internalTimeout
            ) { (core, _) throws(ZeroTierError) in
                switch core.echoes[key] {
                case .reply(let roundTrip, let hopLimit):
                    return EchoResult(address: address, sequence: sequence, roundTrip: roundTrip, hopLimit: hopLimit)
                case .failed(let error): throw error
                case .waiting, nil: return nil
                }
            }
        } catch {
            switch error.code {
            case .timedOut: return nil
            // Perhaps only until the network or the path is there; not faster than once a second.
            case .hostUnreachable, .networkUnreachable:
                let left = max(.zero, deadline - SystemClock.monotonic())
                guard (try? await Task.sleep(for: left)) != nil else { throw .taskCancelled }
                return nil
            default: throw error
            }
        }
    }
}

extension Node {
    /// The addresses of this machine that peers would be told of.
    package static func usableAddresses(allowLoopback: Bool) -> [IPAddress] {
        LocalNetwork(InterfaceWatcher.scan(), allowLoopback: allowLoopback).usable
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
