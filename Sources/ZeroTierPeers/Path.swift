//  One way to a peer: a local socket and a remote endpoint that answered us. Read first: zerotier/ZeroTierOne
//  node/Path.hpp (facts only). Unlike there a path belongs to one peer, and only authentic packets keep it alive.

import NetPrimitives
import ZeroTierWire

extension PhysicalPath {
    /// Whether anything for an endpoint leaves from the path's socket: one of its family.
    func leads(to endpoint: SocketEndpoint) -> Bool { endpoint.address.isIPv4 == remote.address.isIPv4 }

    /// The socket to try an endpoint from that was told by this path: that of the path if it leads there.
    func socket(for endpoint: SocketEndpoint) -> Int32 { leads(to: endpoint) ? localSocket : PhysicalPath.anySocket }
}

/// A path that was confirmed by a reply, and how it does.
struct Path: Sendable {
    /// Where datagrams go.
    let physical: PhysicalPath
    /// The remote address's scope; loopback, where allowed, counts as private.
    let scope: AddressScope
    /// When the last authentic packet came by it; nil after our own address changed, until it answers again.
    var lastReceive: MonotonicInstant?
    /// When we last sent something on it.
    var lastSend: MonotonicInstant
    /// Until when packets that come by it may be relayed by a node that is no root.
    var trustedUntil: MonotonicInstant = .zero
    /// Whether it was alive when it was last told of; nil before.
    var toldAlive: Bool?
    /// Round trip time.
    var latency: Duration?
    /// Greater is better; redirects raise it.
    var priority = 1
    /// A later path from the same address and socket was confirmed: this one is the port before a restart.
    var isSuperseded = false
    /// When we began to doubt the path and asked for a sign of life that has not come yet.
    var doubtedSince: MonotonicInstant?
    /// When the last such question left.
    var lastDoubtProbe: MonotonicInstant = .zero
    /// How long our datagrams on it may be.
    var datagramSize = DatagramSize()
    /// ECHOs that are answered.
    var echoGate = RateLimiter(burst: ProtocolLimits.echoBurst, interval: ProtocolLimits.echoInterval)

    init(physical: PhysicalPath, scope: AddressScope, now: MonotonicInstant) {
        self.physical = physical
        self.scope = scope
        lastReceive = now
        lastSend = now
    }

    /// Whether this is the path of a datagram; time to live does not count.
    @inline(__always)
    func matches(_ other: PhysicalPath) -> Bool {
        physical.remote == other.remote && physical.localSocket == other.localSocket
    }

    /// Whether the path has the same remote address and local socket, whatever the port.
    func isSibling(of other: PhysicalPath) -> Bool {
        physical.remote.address == other.remote.address && physical.localSocket == other.localSocket
    }

    /// Whether the path may be used at all.
    func isUnexpired(_ now: MonotonicInstant) -> Bool {
        guard let lastReceive else { return false }
        return now - lastReceive < ProtocolLimits.pathExpiration
    }

    /// Whether the path was heard from lately, and does not leave a question unanswered.
    func isAlive(_ now: MonotonicInstant) -> Bool {
        guard let lastReceive,
            now.nanoseconds &- lastReceive.nanoseconds < ProtocolLimits.pathAliveNanoseconds || now < lastReceive
        else { return false }
        guard let doubtedSince else { return true }
        return now - doubtedSince < doubtPatience
    }

    /// How long an answer to a question may take.
    var doubtPatience: Duration {
        min(max(ProtocolLimits.pathDoubtPatience, (latency ?? .zero) * 3), ProtocolLimits.longestPathDoubt)
    }

    /// Quality as the reference computes it, lower is better: latency in milliseconds, weighed by scope.
    func quality(_ now: MonotonicInstant) -> Int64 {
        var value = latency.map { max(0, $0.milliseconds) } ?? 65_535
        let silence = lastReceive.map { (now - $0).milliseconds } ?? 140_000
        if silence >= ProtocolLimits.pathAlive.milliseconds { value += 65_535 + min(silence, 140_000) }
        // One is added so that the scope counts between paths faster than the unit.
        return (value + 1) * Int64(8 - min(7, scope.rawValue))
    }

    /// Something authentic came by the path.
    @inline(__always)
    mutating func noteReceipt(_ now: MonotonicInstant) {
        lastReceive = now
        doubtedSince = nil
    }

    /// A round trip was measured.
    mutating func noteRoundTrip(_ measured: Duration) {
        let sample = min(measured, ProtocolLimits.longestRoundTrip)
        latency = latency.map { ($0 + sample) / 2 } ?? sample
    }
}
