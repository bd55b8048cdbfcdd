// The pace of ICMP errors and resets. Read first: RFC 4443 2.4 (f); CVE-2020-25705 for why the burst is random.

import NetPrimitives

/// A global bucket whose size changes every second, so that nobody can count what is left, and one per destination.
struct ErrorLimiter: Sendable {
    private var slice: UInt64 = .max
    private var burst = 0
    private var spent = 0
    private var destinations: OpenTable<ScopedAddress, MonotonicInstant>
    private var order = RingQueue<ScopedAddress>()

    init(hashKey: SipHasher.Key) {
        destinations = OpenTable(hashKey: hashKey)
    }

    /// Whether a message of no particular destination may go (echo replies, resets).
    mutating func allow(now: MonotonicInstant, random: inout RandomSource) -> Bool {
        // Twenty slices a second, each with its own random share of about a twentieth of the rate.
        let current = now.nanoseconds / 50_000_000
        if current != slice {
            slice = current
            let share = StackConstants.errorsPerSecond / 20
            burst = share - random.next(below: max(1, StackConstants.errorBurst / 5))
            spent = 0
        }
        guard spent < burst else { return false }
        spent += 1
        return true
    }

    /// Whether an error may go to a destination.
    mutating func allow(
        _ destination: ScopedAddress, limit: Int, now: MonotonicInstant, random: inout RandomSource
    ) -> Bool {
        if let last = destinations[destination], now - last < StackConstants.errorInterval { return false }
        guard allow(now: now, random: &random) else { return false }
        if destinations[destination] == nil {
            while destinations.count >= limit, let oldest = order.popFirst() { destinations.remove(oldest) }
            order.append(destination)
        }
        destinations.set(destination, now)
        return true
    }
}
