// Which ephemeral port a socket gets. Read first: RFC 6056 3.3.4 (algorithm 4, double-hash port selection).

import NetPrimitives

/// Chooses ephemeral ports so that an outsider cannot guess them, and one destination sees few collisions.
struct PortAllocator: Sendable {
    private let range: ClosedRange<UInt16>
    private let offsetKey: SipHasher.Key
    private let bucketKey: SipHasher.Key
    private var counters: [UInt16] = Array(repeating: 0, count: 64)

    init(range: ClosedRange<UInt16>, random: inout RandomSource) {
        self.range = range
        offsetKey = SipHasher.Key(random.nextUInt64(), random.nextUInt64())
        bucketKey = SipHasher.Key(random.nextUInt64(), random.nextUInt64())
        for index in counters.indices { counters[index] = UInt16(truncatingIfNeeded: random.nextUInt32()) }
    }

    /// How many ports there are to choose from.
    var count: Int { Int(range.upperBound) - Int(range.lowerBound) + 1 }

    private func hash(_ key: SipHasher.Key, _ local: IPAddress, _ remote: SocketEndpoint) -> UInt64 {
        var hasher = SipHasher(key)
        hasher.combine(local.high)
        hasher.combine(local.low)
        hasher.combine(remote.address.high)
        hasher.combine(remote.address.low)
        hasher.combine(UInt64(remote.port))
        return hasher.finish()
    }

    /// A port for a connection to a destination: the first that `isFree` takes.
    mutating func port(from local: IPAddress, to remote: SocketEndpoint, isFree: (UInt16) -> Bool) -> UInt16? {
        let offset = hash(offsetKey, local, remote)
        let bucket = Int(hash(bucketKey, local, remote) % UInt64(counters.count))
        for _ in 0..<count {
            let step = offset &+ UInt64(counters[bucket])
            counters[bucket] &+= 1
            let port = range.lowerBound + UInt16(step % UInt64(count))
            if isFree(port) { return port }
        }
        return nil
    }

    /// A port for `bind` to port 0: the first from a random start that `isFree` takes.
    func port(random: inout RandomSource, isFree: (UInt16) -> Bool) -> UInt16? {
        let start = random.next(below: count)
        for step in 0..<count {
            let port = range.lowerBound + UInt16((start + step) % count)
            if isFree(port) { return port }
        }
        return nil
    }
}
