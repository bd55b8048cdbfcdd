//  Which packets of one peer came before. An authentic packet that comes a second time is a recording, whatever is in it.
//
//  Two generations of packet IDs are remembered. When the younger is full, the older is forgotten. From a peer that promised
//  growing numbers (`Hello.Promises`) nothing is taken that is older than what was forgotten, so no recording passes. The IDs of
//  all others say nothing about time: a recording passes when it has been forgotten.
//
//  The generations are small while few packets come, and grow with their number. A look takes two probes of a hash table.

import NetPrimitives
import ZeroTierWire

/// The IDs of a peer's packets.
struct ReplayFilter: Sendable {
    /// What a packet is.
    enum Verdict: Sendable {
        /// It was not here before.
        case fresh
        /// It was here, from another endpoint: what a node sends from all its sockets has one ID.
        case again
        /// It was here, or is older than what can be told.
        case replayed
        /// It is older than what can be told: a recording, or the peer's clock was set back.
        case outdated
    }

    /// IDs of one time, in an open hash table. 0 is a free place.
    private struct Generation: Sendable {
        var places: [UInt64]
        var count = 0
        /// The greatest number among them.
        var newest: UInt64 = 0

        init(capacity: Int) { places = Array(repeating: 0, count: capacity * 2) }

        var capacity: Int { places.count / 2 }

        @inline(__always)
        func contains(_ key: UInt64) -> Bool {
            guard count > 0 else { return false }
            return places[place(of: key)] == key
        }

        @inline(__always)
        mutating func insert(_ key: UInt64) {
            places[place(of: key)] = key
            count += 1
        }

        // At most half of the places are taken, so the walk ends.
        @inline(__always)
        private func place(of key: UInt64) -> Int {
            let mask = places.count - 1
            var index = Int(truncatingIfNeeded: mix(key)) & mask
            while places[index] != 0, places[index] != key { index = (index + 1) & mask }
            return index
        }

        mutating func clear() {
            for index in places.indices { places[index] = 0 }
            count = 0
            newest = 0
        }
    }

    private var young: Generation?
    private var old: Generation?
    /// Numbers up to this are too old to tell, from a peer whose numbers grow.
    private(set) var floor: UInt64 = 0
    /// The greatest number that came from a peer whose numbers grow.
    private(set) var newest: UInt64 = 0
    private var youngSince = MonotonicInstant.zero
    /// Whether the peer promised growing numbers.
    private(set) var isGrowing = false

    /// Places taken in memory, of eight bytes.
    var placeCount: Int { (young?.places.count ?? 0) + (old?.places.count ?? 0) }

    /// Judges a packet and remembers it. `number`: the ID that its sender chose. `endpoint`: a number for where it came from, when
    /// packets of its verb leave from all sockets; else nil.
    mutating func judge(_ number: UInt64, from endpoint: UInt64?, _ now: MonotonicInstant) -> Verdict {
        if isGrowing, number <= floor { return .outdated }
        // 0 is the free place; an ID of 0 is like any other.
        let key = number == 0 ? UInt64.max : number
        if contains(key) {
            guard let endpoint else { return .replayed }
            let copy = mix(number ^ mix(endpoint)) | 1
            if contains(copy) { return .replayed }
            remember(copy, 0, now)
            return .again
        }
        remember(key, isGrowing ? number : 0, now)
        if let endpoint { remember(mix(number ^ mix(endpoint)) | 1, 0, now) }
        if isGrowing, number > newest { newest = number }
        return .fresh
    }

    /// The peer's newest HELLO, which had this number, said whether its numbers grow. What it sent long before is not taken.
    mutating func setGrowing(_ isPromised: Bool, at number: UInt64) {
        guard isPromised != isGrowing else { return }
        isGrowing = isPromised
        floor = isPromised ? number - min(number, ReplayFilter.promiseSlack) : 0
        newest = isPromised ? number : 0
    }

    /// Whether a number is so much older than the newest one that only a clock that was set back explains it in an answer to
    /// something that we asked just now.
    func isOfClockSetBack(_ number: UInt64) -> Bool { number < newest - min(newest, ReplayFilter.setBack) }

    /// The peer's clock was set back: its numbers begin anew with this one.
    mutating func beginAnew(at number: UInt64) {
        young = nil
        old = nil
        floor = number - min(number, 1)
        newest = number
    }

    /// Packets of so much earlier than the promise may still be on their way: 2 s.
    private static let promiseSlack = UInt64(2000) << 20
    /// A minute: twice what an answer may take.
    private static let setBack = UInt64(60_000) << 20

    @inline(__always)
    private func contains(_ key: UInt64) -> Bool {
        if let young, young.contains(key) { return true }
        if let old, old.contains(key) { return true }
        return false
    }

    @inline(__always)
    private mutating func remember(_ key: UInt64, _ number: UInt64, _ now: MonotonicInstant) {
        if young == nil {
            young = Generation(capacity: ProtocolLimits.replayGenerationLeast)
            youngSince = now
        } else if let count = young?.count, let capacity = young?.capacity, count >= capacity {
            turn(now)
        }
        young?.insert(key)
        if let last = young?.newest, number > last { young?.newest = number }
    }

    /// The younger generation is full: it becomes the older one. Its successor is larger when it filled up fast, smaller when it
    /// took long.
    private mutating func turn(_ now: MonotonicInstant) {
        guard let full = young else { return }
        if let forgotten = old, isGrowing { floor = max(floor, forgotten.newest) }
        let age = now - youngSince
        var capacity = full.capacity
        if age < ProtocolLimits.replayGenerationFast {
            capacity = min(capacity * 2, ProtocolLimits.replayGenerationMost)
        }
        if age > ProtocolLimits.replayGenerationSlow {
            capacity = max(capacity / 2, ProtocolLimits.replayGenerationLeast)
        }
        var next = old
        old = nil
        young = nil
        if next?.capacity == capacity { next?.clear() } else { next = Generation(capacity: capacity) }
        old = full
        young = next
        youngSince = now
    }
}

/// The IDs of our own packets before sealing. They only grow: Unix time in milliseconds above 20 bits that count. Over restarts
/// too, as long as the wall clock does not go back.
struct PacketNumbers: Sendable {
    private var last: UInt64 = 0
    /// The time of the last look at the clock.
    private var clock: UInt64 = 0

    /// Tells the time.
    @inline(__always)
    mutating func note(_ now: Now) { clock = UInt64(max(0, now.unixMilliseconds)) << 20 }

    /// The next one. The distance to the last is drawn, so that outsiders cannot guess the IDs of fragments of the old suites; it
    /// is more than 7, since the inner section of HELLO leaves the low three bits out of its nonce.
    @inline(__always)
    mutating func next(using random: inout RandomSource) -> PacketID {
        let draw = UInt64(random.nextUInt32())
        let step = 8 + (draw & 0x7f)
        last = max(last &+ step, clock &+ (draw >> 17))
        return PacketID(last)
    }
}
