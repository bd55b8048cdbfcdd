//  A firewall that keeps state and translates nothing: in comes only what answers, from the very endpoint that was asked to the
//  very endpoint that asked.

import NetPrimitives

/// A firewall before a network of public addresses, of one family.
struct SimulatedFirewall: Sendable {
    private struct Flow: Hashable, Sendable {
        let inside: SocketEndpoint
        let outside: SocketEndpoint
    }

    /// The network behind it.
    let inside: IPPrefix
    /// How long it remembers a flow after the last datagram out.
    let expiry: Duration
    /// Addresses that were given to hosts.
    var hostsSeen = 0
    private var flows: [Flow: MonotonicInstant] = [:]

    init(inside: IPPrefix, expiry: Duration) {
        self.inside = inside
        self.expiry = expiry
    }

    /// A datagram on its way out.
    mutating func noteOut(from source: SocketEndpoint, to destination: SocketEndpoint, _ now: MonotonicInstant) {
        flows[Flow(inside: source, outside: destination)] = now
    }

    /// Whether a datagram from outside comes in.
    func admits(from source: SocketEndpoint, to destination: SocketEndpoint, _ now: MonotonicInstant) -> Bool {
        flows[Flow(inside: destination, outside: source)].map { now - $0 < expiry } ?? false
    }
}
