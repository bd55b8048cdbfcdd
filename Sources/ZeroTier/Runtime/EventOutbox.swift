// What the node tells, between the machine and those who listen. A log callback may wait for long while peers go on sending.

import NetPrimitives

/// Events in order, within a bound. What peers cause gives way first, the oldest of it, and `missed` says how much that was.
struct EventOutbox: Sendable {
    /// The most that waits of what peers cause, and of all else.
    static let capacity = 1024

    private struct Numbered: Sendable {
        let number: UInt64
        let event: NodeEvent
    }

    // Two queues, so that messages of others take no place from what the node says about itself. The numbers join them again.
    private var own = BoundedQueue<Numbered>(capacity: EventOutbox.capacity)
    private var ofPeers = BoundedQueue<Numbered>(capacity: EventOutbox.capacity)
    private var nextNumber: UInt64 = 0
    private var missed = 0

    var isEmpty: Bool { own.isEmpty && ofPeers.isEmpty }

    /// Events that wait.
    var count: Int { own.count + ofPeers.count }

    mutating func append(_ event: NodeEvent) {
        nextNumber += 1
        let numbered = Numbered(number: nextNumber, event: event)
        let dropped = event.isOfPeer ? ofPeers.append(numbered) : own.append(numbered)
        if dropped != nil { missed += 1 }
    }

    /// Takes all that waits, oldest first.
    mutating func takeAll() -> [NodeEvent] {
        var events: [NodeEvent] = []
        events.reserveCapacity(count + 1)
        if missed > 0 { events.append(.missed(missed)) }
        missed = 0
        while !isEmpty {
            let isOwn = (own.first?.number ?? .max) < (ofPeers.first?.number ?? .max)
            if let next = isOwn ? own.popFirst() : ofPeers.popFirst() { events.append(next.event) }
        }
        return events
    }
}

extension NodeEvent {
    /// Whether any peer can cause any number of these.
    fileprivate var isOfPeer: Bool {
        switch self {
        case .message, .peerDirect, .peerRelayed, .peerUnreachable, .peerExpired, .path, .memberWaiting,
            .networkMemberChanged, .memberAddressMissing:
            true
        case .rootsAsked, .online, .offline, .networkReady, .networkChanged, .networkFailed, .networkLeft, .address,
            .route,
            .addressConflict, .controlledNetworkChanged, .localAddressesChanged, .identityCollision, .storageFailed,
            .warning, .missed, .stopped:
            false
        }
    }
}
