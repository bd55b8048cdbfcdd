// Networks of one's own. A program makes, changes and deletes them here, and decides about their members.

import NetPrimitives
import ZeroTierController
import ZeroTierWire

extension Node {
    /// Lets this node control networks of its own, as `Configuration.isController` does from the start. Their records are in
    /// `controller.db` of the state directory; those of a node without one end with it. Doing it again does nothing.
    public func enableController() async throws(ZeroTierError) {
        try await NetworkController.enable(driver)
    }

    /// The networks that this node controls. Calls throw `controllerDisabled` unless the node is a controller.
    public var controller: NetworkController { NetworkController(driver: driver) }
}

/// The controller of a node. It does not keep the node running.
///
///     let network = try await node.controller.create { $0.assign(IPPrefix("10.147.17.0/24")!) }
///     for await change in node.controller.changes {
///         guard case .memberWaiting(let id, let member) = change, id == network.id else { continue }
///         try await node.controller.authorize(member, on: id)
///     }
///
/// What a change makes that does not do what it seems to is in the `warnings` of what its call returns.
///
/// A change is durable when its call returns; a call that throws has changed nothing. A call whose task is cancelled throws
/// `CancellationError`, and its change may be made all the same.
public struct NetworkController: Sendable {
    let driver: NodeDriver

    @concurrent
    fileprivate static func enable(_ driver: NodeDriver) async throws(ZeroTierError) { try driver.enableController() }

    // MARK: Networks

    /// The networks, by ascending ID.
    public func networks() throws(ZeroTierError) -> [ControlledNetwork] {
        try read { engine, _ in
            let subnets = engine.subnets
            return engine.networkIDs.compactMap { ControlledNetwork($0, engine, subnets) }
        }
    }

    /// A network; nil if there is none.
    public func network(_ id: NetworkID) throws(ZeroTierError) -> ControlledNetwork? {
        try read { engine, _ in ControlledNetwork(id.wire, engine, engine.subnets) }
    }

    /// Makes a network: with this ID, which begins with this node's address, or one that is drawn.
    @discardableResult
    public func create(
        _ id: NetworkID? = nil, _ describe: @Sendable (inout ControlledNetwork.Settings) -> Void = { _ in }
    ) async throws -> ControlledNetwork {
        let made = try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.createNetwork(id?.wire, ticket, now: now) { NetworkController.change(&$0, describe) }
        }
        return try found(NetworkID(made))
    }

    /// Changes a network. Members that are online have the new configuration within a moment.
    @discardableResult
    public func change(
        _ id: NetworkID, _ change: @Sendable (inout ControlledNetwork.Settings) -> Void
    ) async throws -> ControlledNetwork {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeNetwork(id.wire, ticket, now: now) { NetworkController.change(&$0, change) }
        }
        return try found(id)
    }

    /// Deletes a network with all its members.
    public func delete(_ id: NetworkID) async throws {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.deleteNetwork(id.wire, ticket, now: now)
        }
    }

    // MARK: Members

    /// The members of a network that have a record, let in or not, by ascending address. Very many are read in parts, between
    /// which the node does other things: who comes or goes meanwhile is in the list, or not.
    public func members(of network: NetworkID) throws(ZeroTierError) -> [NetworkMember] {
        var members: [NetworkMember] = []
        while true {
            let page = try self.members(of: network, after: members.last?.id, limit: NetworkController.pageSize)
            members += page
            if page.count < NetworkController.pageSize { return members }
        }
    }

    /// A part of the members, by ascending address: the first ones, or those behind one, at most `limit`.
    public func members(
        of network: NetworkID, after former: NodeID?, limit: Int
    ) throws(ZeroTierError) -> [NetworkMember] {
        let members: [NetworkMember]? = try read { engine, now in
            guard engine.network(network.wire) != nil else { return nil }
            return engine.members(of: network.wire, after: former?.address, limit: max(1, limit)).map { record in
                NetworkMember(record, of: network, engine, now: now)
            }
        }
        guard let members else { throw ZeroTierError(.networkUnknown(network.wire)) }
        return members
    }

    // Some milliseconds under the node's lock.
    private static let pageSize = 1024

    /// A member; nil if there is none with a record.
    public func member(_ node: NodeID, of network: NetworkID) throws(ZeroTierError) -> NetworkMember? {
        try read { engine, now in
            engine.member(node.address, of: network.wire).map { NetworkMember($0, of: network, engine, now: now) }
        }
    }

    /// Nodes that ask for a network and have no record, by ascending address. They are forgotten after ten minutes of silence.
    public func waitingNodes(of network: NetworkID) throws(ZeroTierError) -> [NodeID] {
        try read { engine, _ in engine.waitingNodes(of: network.wire).map { NodeID($0.address) } }
    }

    /// Lets a node in, or out: other members refuse it within a moment. It need not have asked before. A node that is let out
    /// before it ever was a member is not let in by a token either.
    @discardableResult
    public func authorize(
        _ node: NodeID, on network: NetworkID, _ isAuthorized: Bool = true
    ) async throws -> NetworkMember {
        try await change(node, of: network) {
            $0.isAuthorized = isAuthorized
            $0.isRefused = !isAuthorized
        }
    }

    /// Changes a member, or makes one before it asks.
    @discardableResult
    public func change(
        _ node: NodeID, of network: NetworkID, _ change: @Sendable (inout NetworkMember.Settings) -> Void
    ) async throws -> NetworkMember {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeMember(node.address, of: network.wire, ticket, now: now) { record in
                var settings = NetworkMember.Settings(record)
                change(&settings)
                settings.apply(to: &record)
            }
        }
        guard let member = try member(node, of: network) else {
            throw ZeroTierError(.memberUnknown(network.wire, node.address))
        }
        return member
    }

    /// Forgets a member with its addresses, and lets it out if it was let in.
    public func remove(_ node: NodeID, from network: NetworkID) async throws {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.deleteMember(node.address, of: network.wire, ticket, now: now)
        }
    }

    // MARK: Changes

    /// What happens from now on to networks and members. Ends when the node is shut down or the task is cancelled.
    public var changes: ControllerChanges { ControllerChanges(subscription: driver.hub.subscribe()) }

    // MARK: Ways to the machine

    private static func change(
        _ record: inout NetworkRecord, _ change: (inout ControlledNetwork.Settings) -> Void
    ) {
        var settings = ControlledNetwork.Settings(record)
        change(&settings)
        settings.apply(to: &record)
    }

    private func found(_ id: NetworkID) throws(ZeroTierError) -> ControlledNetwork {
        guard let network = try network(id) else { throw ZeroTierError(.networkUnknown(id.wire)) }
        return network
    }

    private func read<Result: Sendable>(
        _ body: (inout ControllerEngine, Now) -> Result
    ) throws(ZeroTierError) -> Result {
        try driver.call { (core, now) throws(ZeroTierError) in
            try core.readController(now: now) { engine in body(&engine, now) }
        }
    }

    @discardableResult
    func administer<Result: Sendable>(
        _ body: (inout ControllerEngine, AdministrationTicket, Now) throws(ControllerError) -> Result
    ) async throws -> Result {
        let begun = try driver.call { (core, now) throws(ZeroTierError) -> BegunAdministration<Result> in
            let (result, number) = try core.beginAdministration(now: now) {
                (engine, ticket) throws(ControllerError) in try body(&engine, ticket, now)
            }
            return BegunAdministration(result: result, number: number)
        }
        let number = begun.number
        defer { try? driver.call { (core, _) throws(ZeroTierError) in core.endAdministration(number) } }
        _ = try await driver.wait(for: .administration(number), until: nil) { (core, _) throws(ZeroTierError) in
            try core.takeAdministration(number)
        }
        return begun.result
    }
}

// A change that is under way.
private struct BegunAdministration<Result: Sendable>: Sendable {
    let result: Result
    let number: UInt64
}

/// Something that happened to the networks of a controller. It is durable when it is told.
@nonexhaustive
public enum ControllerChange: Hashable, Sendable {
    /// A node asks to be a member that nobody let in. Told once, and again after it was silent for long.
    case memberWaiting(NetworkID, NodeID)
    /// A network was made, changed or deleted.
    case networkChanged(NetworkID)
    /// A member was made, changed or deleted, by an administrator or because it was let in or got an address.
    case memberChanged(NetworkID, NodeID)
    /// A member asked and got no IPv4 or IPv6 address, because none is left in the pools. Told once, until it has one.
    case addressMissing(NetworkID, NodeID)
    /// The reader was too slow: so many events of the node were dropped, perhaps changes among them. Read everything anew.
    case missed(Int)
}

/// The changes of a controller from the moment when this was made.
public struct ControllerChanges: AsyncSequence, Sendable {
    /// What it consists of.
    public typealias Element = ControllerChange

    let subscription: EventSubscription

    /// Takes the changes one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let subscription: EventSubscription

        /// The next change; nil when the node is shut down or the task is cancelled.
        public mutating func next() async -> ControllerChange? {
            while let event = await subscription.next() {
                switch event {
                case .memberWaiting(let network, let node): return .memberWaiting(network, node)
                case .controlledNetworkChanged(let network): return .networkChanged(network)
                case .networkMemberChanged(let network, let node): return .memberChanged(network, node)
                case .memberAddressMissing(let network, let node): return .addressMissing(network, node)
                case .missed(let count): return .missed(count)
                default: continue
                }
            }
            return nil
        }
    }

    /// Iterators of one sequence share its changes: make a sequence for each consumer.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: subscription) }
}
