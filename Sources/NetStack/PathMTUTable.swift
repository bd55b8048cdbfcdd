// Path MTUs that routers reported. Read first: RFC 1191, RFC 8201; RFC 5927 for what to believe.

import NetPrimitives

/// The largest known packet to a destination.
struct PathMTUTable: Sendable {
    private struct Entry: Sendable {
        let mtu: Int
        let expires: MonotonicInstant
    }

    private var entries: OpenTable<ScopedAddress, Entry>
    // By age, to bound the table; keys that were renewed occur more than once.
    private var order = RingQueue<ScopedAddress>()

    init(hashKey: SipHasher.Key) {
        entries = OpenTable(hashKey: hashKey)
    }

    var isEmpty: Bool { entries.count == 0 }
    var count: Int { entries.count }

    /// The MTU to a destination, if a lower one than the interface's is known.
    func mtu(_ key: ScopedAddress, _ now: MonotonicInstant) -> Int? {
        guard entries.count > 0, let entry = entries[key], entry.expires > now else { return nil }
        return entry.mtu
    }

    /// Notes a lower MTU; an increase is ignored while the old value is believed. True if something changed.
    mutating func lower(_ key: ScopedAddress, to mtu: Int, limit: Int, now: MonotonicInstant) -> Bool {
        if let entry = entries[key], entry.expires > now, entry.mtu <= mtu { return false }
        if entries[key] == nil {
            while entries.count >= limit, let oldest = order.popFirst() { entries.remove(oldest) }
            order.append(key)
        }
        entries.set(key, Entry(mtu: mtu, expires: now + StackConstants.pathMTULifetime))
        return true
    }
}
