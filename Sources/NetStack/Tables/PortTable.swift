// Which socket holds which port, the rules by which two may share one, and the receiver of packets to a port. Read
// first: ip(7), socket(7) (SO_REUSEADDR, SO_REUSEPORT): the behaviour is Linux's.

import NetPrimitives

/// The addresses that a bound socket covers.
struct BindScope: Sendable, Equatable {
    /// Unspecified covers all addresses of its family, and both families when `isDual`.
    var address: IPAddress
    /// An IPv6 wildcard that takes IPv4 too.
    var isDual = false
    /// Only this interface.
    var interface: InterfaceID?

    /// Whether a packet could be for both scopes.
    func overlaps(_ other: BindScope) -> Bool {
        if let mine = interface, let theirs = other.interface, mine != theirs { return false }
        let sharesFamily =
            address.isIPv4 == other.address.isIPv4 || (isDual && address.isUnspecified)
            || (other.isDual && other.address.isUnspecified)
        guard sharesFamily else { return false }
        return address.isUnspecified || other.address.isUnspecified || address == other.address
    }

    /// How well the scope fits a packet to `destination` on an interface: nil not at all, else more is better.
    func score(_ destination: IPAddress, _ arrival: InterfaceID) -> Int? {
        var score = 0
        if let interface {
            guard interface == arrival else { return nil }
            score += 4
        }
        if address.isUnspecified {
            if destination.isIPv4 == address.isIPv4 { score += 1 } else if !isDual { return nil }
        } else {
            guard address == destination else { return nil }
            score += 2
        }
        return score
    }
}

/// One socket's hold on a port.
struct Binding: Sendable {
    enum Role: Sendable {
        /// A UDP socket or a TCP listener: packets to the port are looked up here.
        case receiver
        /// A TCP port that is bound only.
        case reservation
        /// A connection, or the memory of one.
        case connection
    }

    var owner: SocketID
    var scope: BindScope
    var role: Role
    var reuseAddress: Bool
    var reusePort: Bool
}

/// Names a binding; -1 names none.
typealias BindingIndex = Int32

/// All bindings, by protocol and port.
struct PortTable: Sendable {
    private struct Node: Sendable {
        var binding: Binding
        var key: PortKey
        var previous: BindingIndex
        var next: BindingIndex
    }
    private struct Lists: Sendable {
        var receivers: BindingIndex = -1
        var others: BindingIndex = -1
    }

    private var lists: OpenTable<PortKey, Lists>
    private var nodes: ContiguousArray<Node?> = []
    private var free: [BindingIndex] = []

    init(hashKey: SipHasher.Key) {
        lists = OpenTable(hashKey: hashKey)
    }

    /// Bindings that exist.
    var count: Int { nodes.count - free.count }

    /// Whether anything but connections holds the port.
    func hasReceivers(_ protocolNumber: UInt8, _ port: UInt16) -> Bool {
        guard let entry = lists[PortKey(protocolNumber, port)] else { return false }
        if entry.receivers >= 0 { return true }
        var index = entry.others
        while index >= 0, let node = nodes[Int(index)] {
            if node.binding.role == .reservation { return true }
            index = node.next
        }
        return false
    }

    /// Whether a socket may hold the port beside those that hold it. `ignoring` is the socket's own former binding.
    func allows(
        _ protocolNumber: UInt8, _ port: UInt16, _ candidate: Binding, ignoring: BindingIndex = -1
    ) -> Bool {
        guard let entry = lists[PortKey(protocolNumber, port)] else { return true }
        return isFree(entry.receivers, protocolNumber, candidate, ignoring)
            && isFree(entry.others, protocolNumber, candidate, ignoring)
    }

    private func isFree(
        _ first: BindingIndex, _ protocolNumber: UInt8, _ candidate: Binding, _ ignoring: BindingIndex
    ) -> Bool {
        var index = first
        while index >= 0, let node = nodes[Int(index)] {
            let other = node.binding
            if index != ignoring, other.scope.overlaps(candidate.scope) {
                let sharesPort = other.reusePort && candidate.reusePort
                // With REUSEADDR a TCP listener shares only with one of the other family, as in lwIP: IPv4 connections are
                // the IPv4 listener's. All other sockets share if both agree.
                let isListener =
                    protocolNumber == IPProtocol.tcp && other.role == .receiver
                    && other.scope.address.isIPv4 == candidate.scope.address.isIPv4
                let sharesAddress = other.reuseAddress && candidate.reuseAddress && !isListener
                if !sharesPort, !sharesAddress { return false }
            }
            index = node.next
        }
        return true
    }

    /// Adds a binding; the newest receiver of a port is found first.
    mutating func insert(_ protocolNumber: UInt8, _ port: UInt16, _ binding: Binding) -> BindingIndex {
        let key = PortKey(protocolNumber, port)
        var entry = lists[key] ?? Lists()
        let isReceiver = binding.role == .receiver
        let next = isReceiver ? entry.receivers : entry.others
        let node = Node(binding: binding, key: key, previous: -1, next: next)
        let index: BindingIndex
        if let reused = free.popLast() {
            index = reused
            nodes[Int(index)] = node
        } else {
            index = BindingIndex(nodes.count)
            nodes.append(node)
        }
        if next >= 0 { nodes[Int(next)]?.previous = index }
        if isReceiver { entry.receivers = index } else { entry.others = index }
        lists.set(key, entry)
        return index
    }

    /// Removes a binding.
    mutating func remove(_ index: BindingIndex) {
        guard index >= 0, let node = nodes[Int(index)] else { return }
        nodes[Int(index)] = nil
        free.append(index)
        if node.next >= 0 { nodes[Int(node.next)]?.previous = node.previous }
        if node.previous >= 0 {
            nodes[Int(node.previous)]?.next = node.next
            return
        }
        guard var entry = lists[node.key] else { return }
        if node.binding.role == .receiver { entry.receivers = node.next } else { entry.others = node.next }
        if entry.receivers < 0, entry.others < 0 { lists.remove(node.key) } else { lists.set(node.key, entry) }
    }

    /// A binding's facts.
    func binding(_ index: BindingIndex) -> Binding? { index < 0 ? nil : nodes[Int(index)]?.binding }

    /// The socket that receives a packet to a port: the best fit; among equals that share by REUSEPORT the one that
    /// `flowHash` chooses, else the newest.
    func receiver(
        _ protocolNumber: UInt8, _ port: UInt16, _ destination: IPAddress, _ arrival: InterfaceID, flowHash: UInt64
    ) -> SocketID? {
        guard let entry = lists[PortKey(protocolNumber, port)] else { return nil }
        var best: SocketID?
        var bestScore = -1
        var equals = 0
        var allShare = true
        var index = entry.receivers
        while index >= 0, let node = nodes[Int(index)] {
            if let score = node.binding.scope.score(destination, arrival) {
                if score > bestScore {
                    best = node.binding.owner
                    bestScore = score
                    equals = 1
                    allShare = node.binding.reusePort
                } else if score == bestScore {
                    equals += 1
                    allShare = allShare && node.binding.reusePort
                }
            }
            index = node.next
        }
        guard equals > 1, allShare else { return best }
        var chosen = Int(flowHash % UInt64(equals))
        index = entry.receivers
        while index >= 0, let node = nodes[Int(index)] {
            if node.binding.scope.score(destination, arrival) == bestScore {
                if chosen == 0 { return node.binding.owner }
                chosen -= 1
            }
            index = node.next
        }
        return best
    }

    /// Calls the body with every receiver of a port, newest first: for packets to groups.
    func forEachReceiver(_ protocolNumber: UInt8, _ port: UInt16, _ body: (Binding) -> Void) {
        guard let entry = lists[PortKey(protocolNumber, port)] else { return }
        var index = entry.receivers
        while index >= 0, let node = nodes[Int(index)] {
            body(node.binding)
            index = node.next
        }
    }
}
