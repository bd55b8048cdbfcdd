// Networks: joining, the handle of a joined one, and leaving.

import NetPrimitives

extension Node {
    /// Joins a network and waits until it can be used. After `timeout` it throws why it cannot. The node then stays joined and
    /// goes on trying, until `leave`. `token`: a text of 1 to 128 bytes that lets this node in without an administrator, if the
    /// controller knows it. `settings`: what its controller may set; nil leaves them as they are stored.
    @discardableResult
    public func join(
        _ network: NetworkID, token: String? = nil, settings: NetworkSettings? = nil,
        timeout: Duration? = .seconds(60)
    ) async throws -> Network {
        let joined = try startJoining(network, token: token, settings: settings)
        try await joined.waitUntilReady(timeout: timeout)
        return joined
    }

    /// Joins a network and returns at once; its handle, `events` and `networks` tell how far it has come. Joining again
    /// shows the controller a new token at once, and without one does nothing. The token is kept until `leave`. Throws
    /// `invalidArgument` for an ID that no network can have, or a token.
    @discardableResult
    public func startJoining(
        _ network: NetworkID, token: String? = nil, settings: NetworkSettings? = nil
    ) throws(ZeroTierError) -> Network {
        try driver.call { (core, now) throws(ZeroTierError) in
            try core.join(network, token: token, settings: settings, now: now)
        }
        return Network(driver: driver, id: network)
    }

    /// A joined network; nil if it is not joined.
    public func network(_ id: NetworkID) throws(ZeroTierError) -> Network? {
        let isJoined = try driver.call { (core, _) throws(ZeroTierError) in core.network(id) != nil }
        return isJoined ? Network(driver: driver, id: id) : nil
    }

    /// The joined networks at this moment.
    public func networks() throws(ZeroTierError) -> [NetworkStatus] {
        try driver.call { (core, _) throws(ZeroTierError) in core.networks() }
    }

    /// The joined networks, and why those cannot be used that cannot.
    package func networksWithProblems() throws(ZeroTierError) -> [(status: NetworkStatus, problem: ZeroTierError?)] {
        try driver.call { (core, _) throws(ZeroTierError) in
            core.networks().map { ($0, core.problem(of: $0.id)) }
        }
    }

    /// Joins a network by a token, and waits until its controller has said something to it. Throws what it said if it does not
    /// let this node in. The node then stays joined and shows the token every 5 s. False if there was no answer in time.
    package func joinNow(_ network: NetworkID, token: String) async throws -> Bool {
        let wasRefused = try driver.call { (core, _) throws(ZeroTierError) in
            core.network(network).map { $0.state != .requestingConfiguration && $0.state != .ok } ?? false
        }
        try startJoining(network, token: token)
        // What was said before is no answer to this token. A controller may pass over a question that follows another one
        // within a second: the next one comes after 5 s.
        let deadline = SystemClock.monotonic() + .seconds(wasRefused ? 8 : 15)
        let answered = try await driver.wait(for: .node, until: deadline) { (core, _) throws(ZeroTierError) -> Bool? in
            let state = core.network(network)?.state
            if state == .ok || state == nil { return true }
            return wasRefused || state == .requestingConfiguration ? nil : true
        }
        let (state, problem) = try driver.call { (core, _) throws(ZeroTierError) in
            (core.network(network)?.state, core.problem(of: network))
        }
        if let problem, answered == true || state != .requestingConfiguration { throw problem }
        return answered == true
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
}

/// A network that a node has joined. The handle does not keep the node running. The network stays joined until `leave`,
/// over restarts on the same storage too.
public struct Network: Sendable, Identifiable {
    let driver: NodeDriver
    /// The network's ID.
    public let id: NetworkID

    /// The network at this moment. Throws `notJoined` if it was left.
    public var status: NetworkStatus {
        get throws(ZeroTierError) {
            try driver.call { [id] (core, _) throws(ZeroTierError) in
                guard let status = core.network(id) else {
                    throw ZeroTierError(.notJoined, "network \(id) is not joined")
                }
                return status
            }
        }
    }

    /// This node's addresses on the network at this moment. Empty until the network can be used, after it was left, and after
    /// the node was shut down.
    public var addresses: [IPPrefix] { (try? status)?.addresses ?? [] }

    /// Waits until the network can be used. After `timeout` it throws why it cannot; at once if the controller does not know
    /// the network.
    public func waitUntilReady(timeout: Duration? = .seconds(60)) async throws {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        let ready = try await driver.wait(for: .node, until: deadline) { [id] (core, _) throws(ZeroTierError) in
            try core.checkUsable()
            return try core.readyNetwork(id)
        }
        if ready != nil { return }
        throw try driver.call { [id] (core, _) throws(ZeroTierError) in core.whyNotReady(id) }
    }

    /// The network now, and then each time it has changed. Only the latest state is told: a slow reader misses states in
    /// between. Ends when the network is left, the node is shut down or the task is cancelled.
    public var changes: NetworkChanges {
        NetworkChanges(network: self, subscription: driver.hub.subscribe())
    }

    /// What the controller may set on this node.
    public var settings: NetworkSettings {
        get throws(ZeroTierError) {
            try driver.call { [id] (core, _) throws(ZeroTierError) in try core.settings(of: id) }
        }
    }

    /// Changes what the controller may set: addresses and routes come and go at once. Kept until `leave`.
    public func setSettings(_ settings: NetworkSettings) throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in
            try core.setSettings(settings, of: id, now: now)
        }
    }

    /// Leaves the network: its addresses are gone, its sockets fail. Leaving again does nothing.
    public func leave() throws(ZeroTierError) {
        try driver.call { [id] (core, now) throws(ZeroTierError) in core.leave(id, now: now) }
    }
}

extension Network: CustomStringConvertible {
    /// Such as `network ff00070009000000`.
    public var description: String { "network \(id)" }
}

/// The states of a network, one after the other: `Network.changes`.
public struct NetworkChanges: AsyncSequence, Sendable {
    /// What it consists of.
    public typealias Element = NetworkStatus

    let network: Network
    let subscription: EventSubscription

    /// Takes the states one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let network: Network
        let subscription: EventSubscription
        var last: NetworkStatus?

        /// The next state that differs from the one before; nil when the network was left, the node was shut down or the task
        /// is cancelled.
        public mutating func next() async -> NetworkStatus? {
            while !Task.isCancelled {
                guard let status = try? network.status else { return nil }
                if status != last {
                    last = status
                    return status
                }
                repeat {
                    guard let event = await subscription.next() else { return nil }
                    if event.mayConcern(network.id) { break }
                } while true
            }
            return nil
        }
    }

    /// Iterators of one sequence share what wakes them: make a sequence for each consumer.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(network: network, subscription: subscription)
    }
}

extension NodeEvent {
    // Whether the network's state may have changed with this event.
    fileprivate func mayConcern(_ network: NetworkID) -> Bool {
        switch self {
        case .networkReady(let id, _), .networkChanged(let id), .networkFailed(let id, _), .networkLeft(let id),
            .addressConflict(let id, _):
            id == network
        case .missed, .stopped: true
        default: false
        }
    }
}
