// The pace of ICMP errors, echo replies and resets. Read first: RFC 4443 2.4 (f); CVE-2020-25705 for why the burst is random
// and nobody sees another's.

import NetPrimitives

/// A bucket for each station. The station is the frame's source, which nobody can forge, so one station takes nothing from
/// another. The bucket's size changes twenty times a second, so that nobody can count what is left.
struct ErrorLimiter: Sendable {
    private struct Bucket: Sendable {
        var slice: UInt64
        var left: Int
        var spent = 0
    }

    /// A destination named by a station. A station that invents addresses spends only its own errors.
    private struct Destination: OpenTableKey {
        let station: StationKey
        let address: IPAddress

        func mix(into hasher: inout SipHasher) {
            station.mix(into: &hasher)
            hasher.combine(address.high)
            hasher.combine(address.low)
        }
    }

    private var slice: UInt64 = .max
    // To all stations in this slice.
    private var spent = 0
    private var stations: OpenTable<StationKey, Bucket>
    private var stationOrder = RingQueue<StationKey>()
    private var destinations: OpenTable<Destination, MonotonicInstant>
    private var order = RingQueue<Destination>()

    init(hashKey: SipHasher.Key) {
        stations = OpenTable(hashKey: hashKey)
        destinations = OpenTable(hashKey: hashKey)
    }

    /// Stations that are remembered.
    var stationCount: Int { stations.count }

    /// Whether a message may go to a station.
    mutating func allow(
        _ station: StationKey, limits: StackLimits, now: MonotonicInstant, random: inout RandomSource
    ) -> Bool {
        // Twenty slices a second, each with its own random share of about a twentieth of the rate.
        let current = now.nanoseconds / 50_000_000
        if current != slice {
            slice = current
            spent = 0
        }
        var bucket = stations[station] ?? Bucket(slice: .max, left: 0)
        if bucket.slice == .max { remember(station, limits.answeredStations) }
        if bucket.slice != current {
            let share = StackConstants.errorsPerSecond / 20
            let left = share - random.next(below: max(1, StackConstants.errorBurst / 5))
            bucket = Bucket(slice: current, left: left)
        }
        let isWithinAll = spent < StackConstants.errorsPerSecondToAll / 20
        let isAllowed = bucket.left > 0 && (isWithinAll || bucket.spent < StackConstants.errorsBeyondAll)
        if isAllowed {
            bucket.left -= 1
            bucket.spent += 1
            spent += 1
        }
        stations.set(station, bucket)
        return isAllowed
    }

    private mutating func remember(_ station: StationKey, _ limit: Int) {
        while stations.count >= limit, let oldest = stationOrder.popFirst() { stations.remove(oldest) }
        stationOrder.append(station)
    }

    /// Whether an error may go to a destination by way of a station: one a second.
    mutating func allow(
        _ address: IPAddress, by station: StationKey, limits: StackLimits, now: MonotonicInstant,
        random: inout RandomSource
    ) -> Bool {
        let destination = Destination(station: station, address: address)
        if let last = destinations[destination], now - last < StackConstants.errorInterval { return false }
        guard allow(station, limits: limits, now: now, random: &random) else { return false }
        if destinations[destination] == nil {
            while destinations.count >= limits.errorDestinations, let oldest = order.popFirst() {
                destinations.remove(oldest)
            }
            order.append(destination)
        }
        destinations.set(destination, now)
        return true
    }
}
