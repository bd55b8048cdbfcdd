//  Passing on packets for others. Roots do it for everybody, other nodes for paths of proven members of
//  their networks. A relay cannot check the source, so it is bounded by where datagrams come from.

import NetPrimitives
import ZeroTierWire

/// How many bytes were relayed for whom.
struct RelayLedger: Sendable {
    private struct Account: Sendable {
        var source: SocketEndpoint
        // When the budget is full again, in nanoseconds: a token bucket in one number.
        var fullAt: UInt64 = 0
    }

    private var accounts: [Account] = []
    private var index: [SocketEndpoint: Int] = [:]
    private var recent = 0
    private var victim = 0
    private let limit: Int
    private let bytesPerSecond: UInt64
    private let burstNanoseconds: UInt64

    init(limits: PeerLimits) {
        limit = max(1, limits.relaySources)
        bytesPerSecond = UInt64(max(1, limits.relayedBytesPerSecond))
        burstNanoseconds = UInt64(max(1, limits.relayedBytesBurst)) * 1_000_000_000 / bytesPerSecond
    }

    var count: Int { accounts.count }

    /// Takes a datagram's bytes from the source's budget, or says no.
    mutating func allow(_ byteCount: Int, from source: SocketEndpoint, _ now: MonotonicInstant) -> Bool {
        let place = account(of: source, now)
        let cost = UInt64(byteCount) * 1_000_000_000 / bytesPerSecond
        let start = max(accounts[place].fullAt, now.nanoseconds)
        guard start - now.nanoseconds + cost <= burstNanoseconds else { return false }
        accounts[place].fullAt = start + cost
        return true
    }

    private mutating func account(of source: SocketEndpoint, _ now: MonotonicInstant) -> Int {
        if recent < accounts.count, accounts[recent].source == source { return recent }
        if let place = index[source] {
            recent = place
            return place
        }
        if accounts.count < limit {
            accounts.append(Account(source: source))
            recent = accounts.count - 1
        } else {
            recent = victimPlace(now)
            index[accounts[recent].source] = nil
            accounts[recent] = Account(source: source)
        }
        index[source] = recent
        return recent
    }

    // The next account in turn whose budget is full, so that forgetting it gives nothing away; or just the next one.
    private mutating func victimPlace(_ now: MonotonicInstant) -> Int {
        for step in 0..<16 {
            let place = (victim + step) % accounts.count
            if accounts[place].fullAt <= now.nanoseconds {
                victim = (place + 1) % accounts.count
                return place
            }
        }
        defer { victim = (victim + 1) % accounts.count }
        return victim
    }
}

/// The way that the last packet was passed on. What comes at the same instant from the same place to the same node goes there too:
/// a batch of datagrams is looked up, and its two ends introduced, once.
struct LastRelay: Sendable {
    /// Nil for a fragment, which does not say it.
    let source: Address?
    let destination: Address
    let arrives: PhysicalPath
    let leaves: PhysicalPath
    let at: MonotonicInstant

    /// Whether a packet goes the same way. A fragment does with the packet that it belongs to.
    @inline(__always)
    func holds(from source: Address?, to destination: Address, by path: PhysicalPath, _ now: MonotonicInstant) -> Bool {
        at == now && self.destination == destination && arrives == path && (source == nil || source == self.source)
    }
}

/// Paths of proven members of our networks, for which a node that is no root relays.
struct TrustedPaths: Sendable {
    private var entries: [(path: PhysicalPath, until: MonotonicInstant)] = []

    /// Trusts a path until an instant; the one whose trust ends first gives way when there are too many.
    mutating func add(_ path: PhysicalPath, until: MonotonicInstant) {
        if let index = entries.firstIndex(where: { $0.path == path }) {
            entries[index].until = until
            return
        }
        if entries.count >= ProtocolLimits.trustedPaths,
            let index = entries.indices.min(by: { entries[$0].until < entries[$1].until })
        {
            entries.remove(at: index)
        }
        entries.append((path, until))
    }

    func contains(_ path: PhysicalPath, _ now: MonotonicInstant) -> Bool {
        entries.contains { $0.path == path && $0.until > now }
    }
}

/// When two peers were told of each other, and by which endpoints.
struct Introductions: Sendable {
    private struct Pair: Hashable, Sendable {
        let low: Address
        let high: Address
    }

    private struct Introduction: Sendable {
        var at: MonotonicInstant
        var low: SocketEndpoint
        var high: SocketEndpoint
    }

    private var entries: [Pair: Introduction] = [:]
    private var order: BoundedQueue<Pair>

    init(limit: Int) {
        order = BoundedQueue(capacity: limit)
    }

    var count: Int { entries.count }

    /// Whether a pair may be introduced now: once in 30 s, or once a second when an endpoint is another than last time. A table that
    /// is full of pairs introduced lately says no to further ones.
    mutating func allow(
        _ first: (address: Address, endpoint: SocketEndpoint), _ second: (address: Address, endpoint: SocketEndpoint),
        _ now: MonotonicInstant
    ) -> Bool {
        let (low, high) = first.address < second.address ? (first, second) : (second, first)
        let pair = Pair(low: low.address, high: high.address)
        let introduction = Introduction(at: now, low: low.endpoint, high: high.endpoint)
        if let last = entries[pair] {
            let isSame = last.low == low.endpoint && last.high == high.endpoint
            guard now - last.at >= (isSame ? ProtocolLimits.unite : ProtocolLimits.reintroduction) else { return false }
            entries[pair] = introduction
            return true
        }
        forgetOld(now)
        if order.isFull, let oldest = order.first.flatMap({ entries[$0] }), now - oldest.at < ProtocolLimits.unite {
            return false
        }
        entries[pair] = introduction
        if let displaced = order.append(pair) { entries[displaced] = nil }
        return true
    }

    private mutating func forgetOld(_ now: MonotonicInstant) {
        while let pair = order.first, let entry = entries[pair], now - entry.at >= ProtocolLimits.uniteMemory {
            _ = order.popFirst()
            entries[pair] = nil
        }
    }
}

extension PeerEngine {
    /// A datagram whose destination is not ours. `source` is nil for fragments, which do not say it.
    mutating func relay(
        _ datagram: inout MutableRawSpan, length: Int, from source: Address?, to destination: Address,
        isFragment: Bool, path: PhysicalPath, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let time = now.monotonic
        if let last = lastRelay, last.holds(from: source, to: destination, by: path, time) {
            if let refused = refusal(length, from: path, time) { return refused }
            return passOn(&datagram, length: length, isFragment: isFragment, last, &replies) ?? .handled
        }
        // Ours, sent to an endpoint that has become ours meanwhile: it would come back here.
        guard source != identity.address else { return drop(.ownSource) }
        guard roots.includesUs || trustedPaths.contains(path, time) else { return drop(.relayNotAllowed) }
        // Before anything is looked up: what leads nowhere costs its source as much as what arrives.
        if let refused = refusal(length, from: path, time) { return refused }
        let known = topology.find(destination)
        var way = known.flatMap { ownWay($0, .alive, time) ?? ownWay($0, .unexpired, time) }
        let isDirect = way != nil
        if way == nil, let upstream = bestUpstream(time), topology.peers[upstream].address != source {
            way = ownWay(upstream, .any, time)
        }
        guard let way else { return drop(.relayUnknownDestination) }
        // Back to where it came from would only go in circles.
        if way.path.remote == path.remote, !isDirect { return drop(.relayUnknownDestination) }
        let relay = LastRelay(source: source, destination: destination, arrives: path, leaves: way.path, at: time)
        if let dropped = passOn(&datagram, length: length, isFragment: isFragment, relay, &replies) { return dropped }
        lastRelay = relay
        // A path that has been silent is asked whether it lives: nobody else would notice that what is relayed gets lost.
        markSent(way, now)
        // Only a root's RENDEZVOUS is listened to.
        // The header's source may be anybody's: the packet has to come from where that peer is, or from another root.
        if roots.includesUs, !isFragment, let source, let sender = topology.lookUp(source), sender != way.owner,
            topology.peers[sender].pathIndex(path) != nil
                || upstreamPeers.contains(where: { topology.peers[$0].paths.contains { $0.matches(path) } })
        {
            introduce(sender, way.owner, now)
        }
        return .handled
    }

    /// Why a packet of a source is not passed on, whoever it is for; nil: its bytes are taken from the source's budget.
    private mutating func refusal(_ length: Int, from path: PhysicalPath, _ time: MonotonicInstant) -> Opened? {
        guard length <= ProtocolLimits.maximumPacketLength else { return drop(.tooLong) }
        guard relays.allow(length, from: path.remote, time) else { return drop(.relayBudget) }
        return nil
    }

    /// Writes a packet to where it leaves. Nil: it is on its way.
    private mutating func passOn(
        _ datagram: inout MutableRawSpan, length: Int, isFragment: Bool, _ relay: LastRelay,
        _ replies: inout TransmitBatch
    ) -> Opened? {
        let isWithinLimit =
            isFragment ? FragmentHeader.incrementHops(in: &datagram) : PacketHeader.incrementHops(in: &datagram)
        guard isWithinLimit else { return drop(.relayHopLimit) }
        let bytes = datagram.bytes
        guard replies.append(length, to: relay.leaves, { $0.copy(from: bytes, sourceOffset: 0, count: length, at: 0) })
        else { return drop(.noRoomToReply) }
        relayedPackets &+= 1
        return nil
    }

    /// Tells two peers of each other's endpoint, of the best scope that both have.
    private mutating func introduce(_ first: PeerID, _ second: PeerID, _ now: Now) {
        guard let (one, other) = commonPaths(first, second, now.monotonic) else { return }
        let firstAddress = topology.peers[first].address
        let secondAddress = topology.peers[second].address
        guard introductions.allow((firstAddress, one.remote), (secondAddress, other.remote), now.monotonic) else {
            return
        }
        let toFirst = Rendezvous(peer: secondAddress, endpoint: other.remote).encoded
        let toSecond = Rendezvous(peer: firstAddress, endpoint: one.remote).encoded
        // In random order, so that neither always has the first word.
        if random.next(below: 2) == 0 {
            enqueue(.rendezvous, toFirst, to: first, .path(one), expectsReply: false, isWish: true, now: now)
            enqueue(.rendezvous, toSecond, to: second, .path(other), expectsReply: false, isWish: true, now: now)
        } else {
            enqueue(.rendezvous, toSecond, to: second, .path(other), expectsReply: false, isWish: true, now: now)
            enqueue(.rendezvous, toFirst, to: first, .path(one), expectsReply: false, isWish: true, now: now)
        }
    }

    private func commonPaths(
        _ first: PeerID, _ second: PeerID, _ time: MonotonicInstant
    ) -> (PhysicalPath, PhysicalPath)? {
        for scope in AddressScope.allCases.reversed() {
            for isIPv4 in [false, true] {
                guard
                    let one = PathSelection.best(topology.peers[first].paths, scope: scope, isIPv4: isIPv4, time),
                    let other = PathSelection.best(topology.peers[second].paths, scope: scope, isIPv4: isIPv4, time)
                else { continue }
                return (topology.peers[first].paths[one].physical, topology.peers[second].paths[other].physical)
            }
        }
        return nil
    }
}
