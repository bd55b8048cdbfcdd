// What happens to a node, as a sequence of events.

import Synchronization

/// Something that happened. More cases may come: a `switch` outside of this package has `@unknown default`.
@nonexhaustive
public enum NodeEvent: Hashable, Sendable {
    /// The node has begun and asks these endpoints of its roots. `online` follows, or a `warning` that says why not.
    case rootsAsked([SocketEndpoint])
    /// A root answers: peers can be found.
    case online
    /// No root has answered for half a minute.
    case offline
    /// The peer is reached directly, at this endpoint.
    case peerDirect(NodeID, SocketEndpoint)
    /// The peer is reached through a root.
    case peerRelayed(NodeID)
    /// The peer does not answer any more, neither directly nor through a root. `peerDirect` follows when it is back on a
    /// direct path.
    case peerUnreachable(NodeID)
    /// A path to the peer changed. `peerDirect` tells which of its paths is used.
    case path(NodeID, SocketEndpoint, PathChange)
    /// The peer was silent for long and is forgotten.
    case peerExpired(NodeID)
    /// The network can be used, with these addresses.
    case networkReady(NetworkID, addresses: [IPPrefix])
    /// The network's configuration changed.
    case networkChanged(NetworkID)
    /// This node got an address on the network, or lost one. Leaving a network is not told for each address.
    case address(NetworkID, IPPrefix, isAdded: Bool)
    /// The network got a route, or lost one. Leaving a network is not told for each route.
    case route(NetworkID, NetworkStatus.Route, isAdded: Bool)
    /// The network cannot be used, or no longer; the error says why.
    case networkFailed(NetworkID, ZeroTierError)
    /// The network was left.
    case networkLeft(NetworkID)
    /// Another machine uses an address of ours on the network.
    case addressConflict(NetworkID, IPAddress)
    /// A node asks to be a member of a network that this node controls, and nobody let it in.
    case memberWaiting(NetworkID, NodeID)
    /// A network that this node controls was made, changed or deleted.
    case controlledNetworkChanged(NetworkID)
    /// A member of a network that this node controls was made, changed or deleted.
    case networkMemberChanged(NetworkID, NodeID)
    /// A member of a network that this node controls got no IPv4 or IPv6 address: none is left in the pools.
    case memberAddressMissing(NetworkID, NodeID)
    /// The addresses of this machine changed.
    case localAddressesChanged([SocketEndpoint])
    /// The roots know another node with this node's address. The node cannot work.
    case identityCollision
    /// State could not be stored; the node goes on.
    case storageFailed(ZeroTierError)
    /// Something is wrong; the error says what. The node goes on. Told at once, and every minute while a node does not
    /// come online.
    case warning(ZeroTierError)
    /// A message from another node's application.
    case message(from: NodeID, type: UInt64, data: [UInt8])
    /// This consumer, or the log, was too slow: so many events were dropped before the next one.
    case missed(Int)
    /// The node is shut down; no event follows.
    case stopped

    /// How a path changed.
    public enum PathChange: String, Hashable, Sendable {
        /// The peer answered on it: packets may take it.
        case learned
        /// Nothing came by it for some time.
        case silent
        /// Something came by it again.
        case revived
        /// It is forgotten.
        case lost
    }
}

/// The events of a node from this moment on. Every consumer gets all of them. A consumer that falls behind loses the
/// oldest, and `missed` tells it.
public struct NodeEvents: AsyncSequence, Sendable {
    /// What it consists of.
    public typealias Element = NodeEvent

    let subscription: EventSubscription

    /// Takes the events one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let subscription: EventSubscription

        /// The next event; nil after `stopped`, or when the task is cancelled.
        public mutating func next() async -> NodeEvent? { await subscription.next() }
    }

    /// Iterators of one sequence share its events.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: subscription) }
}

/// One consumer's queue.
final class EventSubscription: Sendable {
    private struct State {
        var queue: [NodeEvent] = []
        var head = 0
        var missed = 0
        var isFinished = false
        var waiting: [(id: UInt64, continuation: CheckedContinuation<NodeEvent?, Never>)] = []
        var nextID: UInt64 = 0
        var cancelled: Set<UInt64> = []

        mutating func pop() -> NodeEvent? {
            if missed > 0 {
                defer { missed = 0 }
                return .missed(missed)
            }
            guard head < queue.count else { return nil }
            defer {
                head += 1
                if head == queue.count || head > 64 {
                    queue.removeFirst(head)
                    head = 0
                }
            }
            return queue[head]
        }
    }

    private let capacity: Int
    private let state = Mutex(State())
    private let hub: EventHub
    private let id: UInt64

    init(id: UInt64, hub: EventHub, capacity: Int) {
        self.id = id
        self.hub = hub
        self.capacity = capacity
    }

    deinit { hub.remove(id) }

    // Called by the hub, never under the node's lock.
    func deliver(_ event: NodeEvent, isLast: Bool) {
        let resumed = state.withLock { state -> [(CheckedContinuation<NodeEvent?, Never>, NodeEvent?)] in
            guard !state.isFinished else { return [] }
            if isLast { state.isFinished = true }
            if state.queue.count - state.head == capacity {
                state.head += 1
                state.missed += 1
                if state.head >= capacity {
                    state.queue.removeFirst(state.head)
                    state.head = 0
                }
            }
            state.queue.append(event)
            var result: [(CheckedContinuation<NodeEvent?, Never>, NodeEvent?)] = []
            while !state.waiting.isEmpty {
                guard let next = state.pop() else {
                    if !isLast { break }
                    result.append((state.waiting.removeFirst().continuation, nil))
                    continue
                }
                result.append((state.waiting.removeFirst().continuation, next))
            }
            return result
        }
        for (continuation, event) in resumed { continuation.resume(returning: event) }
    }

    func next() async -> NodeEvent? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let event = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isImmediate, event) = state.withLock { state -> (Bool, NodeEvent?) in
                    if state.cancelled.remove(id) != nil { return (true, nil) }
                    if let event = state.pop() { return (true, event) }
                    if state.isFinished { return (true, nil) }
                    state.waiting.append((id, continuation))
                    return (false, nil)
                }
                if isImmediate { continuation.resume(returning: event) }
            }
        } onCancel: {
            let continuation = state.withLock { state -> CheckedContinuation<NodeEvent?, Never>? in
                guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiting.remove(at: index).continuation
            }
            continuation?.resume(returning: nil)
        }
        // A cancellation came after the event: the next wait has to see it.
        state.withLock { state in _ = state.cancelled.remove(id) }
        return event
    }
}

/// Hands every event to every consumer.
final class EventHub: Sendable {
    private struct WeakSubscription {
        let id: UInt64
        weak var subscription: EventSubscription?
    }

    private struct State {
        var subscriptions: [WeakSubscription] = []
        var nextID: UInt64 = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

    func subscribe() -> EventSubscription {
        let (subscription, isFinished) = state.withLock { state in
            state.nextID += 1
            let subscription = EventSubscription(id: state.nextID, hub: self, capacity: capacity)
            if !state.isFinished {
                state.subscriptions.append(WeakSubscription(id: state.nextID, subscription: subscription))
            }
            return (subscription, state.isFinished)
        }
        if isFinished { subscription.deliver(.stopped, isLast: true) }
        return subscription
    }

    func remove(_ id: UInt64) {
        state.withLock { state in state.subscriptions.removeAll { $0.id == id } }
    }

    /// Must not be called under the node's lock: consumers' tasks are resumed here.
    func publish(_ event: NodeEvent) {
        let isLast = event == .stopped
        let consumers = state.withLock { state -> [EventSubscription] in
            if state.isFinished { return [] }
            if isLast { state.isFinished = true }
            return state.subscriptions.compactMap { $0.subscription }
        }
        for consumer in consumers { consumer.deliver(event, isLast: isLast) }
    }
}
