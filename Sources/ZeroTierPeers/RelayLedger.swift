//  What a relay remembers: how much it passed on for whom, which way the last packet went, whom it relays for without being a root,
//  and whom it introduced.

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

/// When two peers were told of each other, and by which endpoints. Each peer that sends to others, and each source prefix of such,
/// has a share of the room, so that the pairs of one leave room for those of the others.
struct Introductions: Sendable {
    private struct Pair: Hashable, Sendable {
        let low: Address
        let high: Address
    }

    private struct Introduction: Sendable {
        var at: MonotonicInstant
        var low: SocketEndpoint
        var high: SocketEndpoint
        /// When they were told for the first time: that they were told again does not keep the entry, or those behind it.
        let since: MonotonicInstant
        /// Whose packet caused it, and from which prefix that came.
        let sender: Address
        let prefix: IPAddress
    }

    private var entries: [Pair: Introduction] = [:]
    private var order: BoundedQueue<Pair>
    private var ofSender: [Address: Int] = [:]
    private var ofPrefix: [IPAddress: Int] = [:]
    private let limitPerSender: Int
    private let limitPerPrefix: Int

    init(limit: Int) {
        order = BoundedQueue(capacity: limit)
        limitPerSender = max(1, limit / ProtocolLimits.introductionShare)
        limitPerPrefix = max(1, limit / 2)
    }

    var count: Int { entries.count }

    /// Whether a pair may be introduced now because of a packet of the first one: once in 30 s, or once a second when an endpoint is
    /// another than last time. Who has used up its share, or finds the table full, waits until earlier pairs are 30 s old.
    mutating func allow(
        _ first: (address: Address, endpoint: SocketEndpoint), _ second: (address: Address, endpoint: SocketEndpoint),
        _ now: MonotonicInstant
    ) -> Bool {
        let (low, high) = first.address < second.address ? (first, second) : (second, first)
        let pair = Pair(low: low.address, high: high.address)
        forgetOld(now)
        if var last = entries[pair] {
            let isSame = last.low == low.endpoint && last.high == high.endpoint
            guard now - last.at >= (isSame ? ProtocolLimits.unite : ProtocolLimits.reintroduction) else { return false }
            last.at = now
            last.low = low.endpoint
            last.high = high.endpoint
            entries[pair] = last
            return true
        }
        let prefix = first.endpoint.address.sourcePrefix
        guard !order.isFull, ofSender[first.address] ?? 0 < limitPerSender, ofPrefix[prefix] ?? 0 < limitPerPrefix
        else { return false }
        entries[pair] = Introduction(
            at: now, low: low.endpoint, high: high.endpoint, since: now, sender: first.address, prefix: prefix)
        ofSender[first.address, default: 0] += 1
        ofPrefix[prefix, default: 0] += 1
        _ = order.append(pair)
        return true
    }

    private mutating func forgetOld(_ now: MonotonicInstant) {
        while let pair = order.first, let entry = entries[pair], now - entry.since >= ProtocolLimits.unite {
            _ = order.popFirst()
            entries[pair] = nil
            ofSender[entry.sender] = ofSender[entry.sender].flatMap { $0 > 1 ? $0 - 1 : nil }
            ofPrefix[entry.prefix] = ofPrefix[entry.prefix].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
    }
}
