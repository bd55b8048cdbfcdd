// Where a packet goes: routes by longest prefix, on-link prefixes of the interfaces' addresses.
// Read first: RFC 1122 3.3.1, RFC 4861 5.2.

package import NetPrimitives

/// A managed route, as a network's configuration gives it.
package struct StackRoute: Hashable, Sendable {
    /// Destinations; host bits do not matter.
    package var prefix: IPPrefix
    /// The interface by which it goes.
    package var interface: InterfaceID
    /// The router's address on that interface; nil when the destinations are on the link.
    package var gateway: IPAddress?
    /// Less is better among routes with prefixes of one length.
    package var metric: Int
    /// The source address to use, if the interface has it.
    package var preferredSource: IPAddress?

    /// Makes a route.
    package init(
        _ prefix: IPPrefix, interface: InterfaceID, gateway: IPAddress? = nil, metric: Int = 0,
        preferredSource: IPAddress? = nil
    ) {
        self.prefix = prefix.network
        self.interface = interface
        self.gateway = gateway
        self.metric = metric
        self.preferredSource = preferredSource
    }
}

/// The routes of all interfaces, best first: longer prefix, then lower metric, then older.
struct RouteTable: Sendable {
    private struct Entry: Sendable {
        let route: StackRoute
        /// Learned from an advertisement; nil for managed ones.
        var expires: MonotonicInstant?
    }

    private var entries: [Entry] = []

    init() {}

    var count: Int { entries.count }

    var routes: [StackRoute] { entries.map(\.route) }

    private func insertionPlace(_ route: StackRoute) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            let other = entries[middle].route
            let comesBefore =
                other.prefix.length > route.prefix.length
                || (other.prefix.length == route.prefix.length && other.metric <= route.metric)
            if comesBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Adds a route; one with equal prefix, interface and gateway is replaced.
    mutating func insert(_ route: StackRoute, expires: MonotonicInstant? = nil) {
        remove { $0.prefix == route.prefix && $0.interface == route.interface && $0.gateway == route.gateway }
        entries.insert(Entry(route: route, expires: expires), at: insertionPlace(route))
    }

    /// Removes the routes for which the condition holds.
    mutating func remove(where condition: (StackRoute) -> Bool) {
        entries.removeAll { condition($0.route) }
    }

    /// How many learned routes an interface has.
    func learnedCount(_ interface: InterfaceID) -> Int {
        entries.reduce(0) { $0 + ($1.expires != nil && $1.route.interface == interface ? 1 : 0) }
    }

    /// Whether there is a route with equal prefix, interface and gateway.
    func contains(like route: StackRoute) -> Bool {
        entries.contains {
            $0.route.prefix == route.prefix && $0.route.interface == route.interface
                && $0.route.gateway == route.gateway
        }
    }

    /// Removes a learned route with equal prefix, interface and gateway; managed ones stay.
    mutating func removeLearned(like route: StackRoute) {
        entries.removeAll {
            $0.expires != nil && $0.route.prefix == route.prefix && $0.route.interface == route.interface
                && $0.route.gateway == route.gateway
        }
    }

    /// Forgets learned routes whose time is over; true if there were any.
    mutating func expire(_ now: MonotonicInstant) -> Bool {
        let before = entries.count
        entries.removeAll { ($0.expires ?? .distantFuture) <= now }
        return entries.count != before
    }

    /// When the next learned route ends.
    var nextExpiry: MonotonicInstant? { entries.compactMap(\.expires).min() }

    /// The best route to an address, on one interface or on any.
    func best(to destination: IPAddress, on interface: InterfaceID?) -> StackRoute? {
        for entry in entries {
            if let interface, entry.route.interface != interface { continue }
            if entry.route.prefix.contains(destination) { return entry.route }
        }
        return nil
    }
}

/// The decision where a packet goes.
struct OutboundRoute: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// To a neighbour that must be known by MAC.
        case unicast
        /// To a group or broadcast; the MAC follows from the address.
        case group
        /// Back to this stack.
        case loopback
    }

    var kind: Kind
    var interface: InterfaceID
    var source: IPAddress
    /// The neighbour: the gateway or the destination itself.
    var nextHop: IPAddress
    /// Bytes of the largest packet on the path.
    var mtu: Int
    /// Whether the destination is a broadcast address.
    var isBroadcast = false
}
