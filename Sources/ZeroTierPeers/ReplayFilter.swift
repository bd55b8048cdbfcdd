//  Which packets of one peer came before. An authentic packet that comes a second time is a recording, whatever is in it.
//
//  From a peer that promised growing numbers (`Hello.Promises`) the latest numbers are kept in their order:
//
//      forgotten | . . . . . . . . .  |  greater than all: fresh, appended
//              floor               newest
//
//  A number up to the floor is never taken, so no recording passes. One between is looked up, and put in its place if it is late.
//
//  The IDs of all others say nothing about time. Two generations of them are remembered in hash tables; when the younger is full,
//  the older is forgotten, and a recording of what was in it passes. The same tables hold the endpoints from which copies of one
//  packet came.
//
//  All of that is small while few packets come, and grows with their number.

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

    private var order = NumberOrder()
    private var table = NumberTable()
    /// Numbers up to this are too old to tell, from a peer whose numbers grow.
    private(set) var floor: UInt64 = 0
    /// The greatest number that came from a peer whose numbers grow.
    private(set) var newest: UInt64 = 0
    /// Whether the peer promised growing numbers.
    private(set) var isGrowing = false
    /// The number that came last from a peer that did not.
    private(set) var latest: UInt64 = 0

    /// Places taken in memory, of eight bytes.
    var placeCount: Int { order.room + table.placeCount }

    /// Judges a packet and remembers it. `number`: the ID that its sender chose. `endpoint`: a number for where it came from, when
    /// packets of its verb leave from all sockets; else nil.
    @inline(__always)
    mutating func judge(_ number: UInt64, from endpoint: UInt64?, _ now: MonotonicInstant) -> Verdict {
        // In order, as nearly all come.
        if isGrowing, number > newest, endpoint == nil, order.append(number) {
            newest = number
            return .fresh
        }
        return judgeOther(number, from: endpoint, now)
    }

    @inline(never)
    private mutating func judgeOther(
        _ number: UInt64, from endpoint: UInt64?, _ now: MonotonicInstant
    ) -> Verdict {
        guard isGrowing else { return judgeUnordered(number, from: endpoint, now) }
        if number <= floor { return .outdated }
        if order.contains(number) { return judgeCopy(number, from: endpoint, now) }
        if order.isFull {
            floor = max(floor, order.makeRoom(now))
            if number <= floor { return .outdated }
        }
        order.insert(number)
        newest = max(newest, number)
        if let endpoint { rememberCopy(number, from: endpoint, now) }
        return .fresh
    }

    private mutating func judgeUnordered(
        _ number: UInt64, from endpoint: UInt64?, _ now: MonotonicInstant
    ) -> Verdict {
        latest = number
        // 0 is the free place; an ID of 0 is like any other.
        let key = number == 0 ? UInt64.max : number
        if table.contains(key) { return judgeCopy(number, from: endpoint, now) }
        table.remember(key, 0, now)
        if let endpoint { rememberCopy(number, from: endpoint, now) }
        return .fresh
    }

    private mutating func judgeCopy(_ number: UInt64, from endpoint: UInt64?, _ now: MonotonicInstant) -> Verdict {
        guard let endpoint, !table.contains(ReplayFilter.copyKey(number, endpoint)) else { return .replayed }
        rememberCopy(number, from: endpoint, now)
        return .again
    }

    private mutating func rememberCopy(_ number: UInt64, from endpoint: UInt64, _ now: MonotonicInstant) {
        // Of what is forgotten of copies, nothing more is taken.
        let forgotten = table.remember(ReplayFilter.copyKey(number, endpoint), isGrowing ? number : 0, now)
        if isGrowing { floor = max(floor, forgotten) }
    }

    private static func copyKey(_ number: UInt64, _ endpoint: UInt64) -> UInt64 { mix(number ^ mix(endpoint)) | 1 }

    /// The peer's newest HELLO or OK(HELLO), which had this number, said whether its numbers grow. What it sent long before is not
    /// taken.
    mutating func setGrowing(_ isPromised: Bool, at number: UInt64) {
        guard isPromised != isGrowing else { return }
        isGrowing = isPromised
        guard isPromised else {
            for number in order.latest(table.capacity) { table.remember(number, 0, .zero) }
            order = NumberOrder()
            floor = 0
            newest = 0
            return
        }
        floor = number - min(number, ReplayFilter.promiseSlack)
        // What came before the promise counts as well, in its order.
        for known in table.keys(above: floor, upTo: number &+ ReplayFilter.setBack) {
            if order.isFull { floor = max(floor, order.makeRoom(.zero)) }
            order.insert(known)
        }
        newest = max(number, order.last)
    }

    /// Whether a number is so much older than the newest one that no path delays its packet by that.
    @inline(__always)
    func isLate(_ number: UInt64) -> Bool { isGrowing && number < newest &- min(newest, ReplayFilter.lateness) }

    /// Whether a number is so much older than the newest one that only a clock that was set back explains it in an answer to
    /// something that we asked just now.
    func isOfClockSetBack(_ number: UInt64) -> Bool { number < newest - min(newest, ReplayFilter.setBack) }

    /// The peer's clock was set back: its numbers begin anew with this one.
    mutating func beginAnew(at number: UInt64) {
        order = NumberOrder()
        table = NumberTable()
        floor = number - min(number, 1)
        newest = number
    }

    /// Packets of so much earlier than the promise may still be on their way: 2 s.
    private static let promiseSlack = UInt64(2000) << 20
    /// 3 s, more than any round trip that counts.
    private static let lateness = UInt64(3000) << 20
    /// A minute: twice what an answer may take.
    private static let setBack = UInt64(60_000) << 20
}

/// Growing numbers, the latest ones, ascending.
private struct NumberOrder: Sendable {
    private var numbers: [UInt64] = []
    /// How many there may be: four times the capacity. When there are as many, the earlier half goes.
    private(set) var room = 0
    /// When room was last made.
    private var since = MonotonicInstant.zero

    var isFull: Bool { numbers.count >= room }
    /// The greatest number; 0 without any.
    var last: UInt64 { numbers.last ?? 0 }

    /// Adds a number that is greater than all. False when there is no room.
    @inline(__always)
    mutating func append(_ number: UInt64) -> Bool {
        guard numbers.count < room else { return false }
        numbers.append(number)
        return true
    }

    func contains(_ number: UInt64) -> Bool {
        let index = index(of: number)
        return index < numbers.count && numbers[index] == number
    }

    /// Adds a number that is not there, in its place: near the end, unless a path was changed.
    mutating func insert(_ number: UInt64) { numbers.insert(number, at: index(of: number)) }

    /// The greatest ones, at most so many.
    func latest(_ count: Int) -> ArraySlice<UInt64> { numbers.suffix(count) }

    /// Makes room: more when it filled up fast, else by forgetting the earlier half; less when it took long. Gives the greatest
    /// number that was forgotten, or 0.
    mutating func makeRoom(_ now: MonotonicInstant) -> UInt64 {
        let age = now - since
        since = now
        let least = 4 * ProtocolLimits.replayGenerationLeast
        let isFast = age < ProtocolLimits.replayGenerationFast && room < 4 * ProtocolLimits.replayGenerationMost
        if room == 0 || isFast {
            room = max(least, room * 2)
            numbers.reserveCapacity(room)
            return 0
        }
        let isSlow = age > ProtocolLimits.replayGenerationSlow && room > least
        if isSlow { room /= 2 }
        let forgotten = numbers[numbers.count - room / 2 - 1]
        if isSlow {
            // Gives the memory back.
            numbers = Array(numbers.suffix(room / 2))
            numbers.reserveCapacity(room)
        } else {
            numbers.removeFirst(numbers.count - room / 2)
        }
        return forgotten
    }

    /// Where a number is or would be.
    private func index(of number: UInt64) -> Int {
        var low = 0
        var high = numbers.count
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Two generations of numbers in hash tables.
private struct NumberTable: Sendable {
    /// Numbers of one time, in an open hash table. 0 is a free place.
    private struct Generation: Sendable {
        var places: [UInt64] = []
        var count = 0
        /// The greatest packet number that belongs to them.
        var newest: UInt64 = 0

        init() {}

        init(capacity: Int) { places = Array(repeating: 0, count: capacity * 2) }

        var capacity: Int { places.count / 2 }

        func contains(_ key: UInt64) -> Bool {
            guard count > 0 else { return false }
            return places[place(of: key)] == key
        }

        mutating func insert(_ key: UInt64, _ number: UInt64) {
            places[place(of: key)] = key
            count += 1
            newest = max(newest, number)
        }

        mutating func clear() {
            for index in places.indices { places[index] = 0 }
            count = 0
            newest = 0
        }

        // At most half of the places are taken, so the walk ends.
        private func place(of key: UInt64) -> Int {
            let mask = places.count - 1
            var index = Int(truncatingIfNeeded: mix(key)) & mask
            while places[index] != 0, places[index] != key { index = (index + 1) & mask }
            return index
        }
    }

    private var young = Generation()
    private var old = Generation()
    private var since = MonotonicInstant.zero

    var placeCount: Int { young.places.count + old.places.count }
    /// How many fit in a generation now.
    var capacity: Int { max(young.capacity, ProtocolLimits.replayGenerationLeast) }

    func contains(_ key: UInt64) -> Bool { young.contains(key) || old.contains(key) }

    /// What is remembered within bounds.
    func keys(above low: UInt64, upTo high: UInt64) -> [UInt64] {
        Set((young.places + old.places).filter { $0 > low && $0 <= high }).sorted()
    }

    /// Remembers a key that belongs to a packet's number. Gives the greatest such number that was forgotten for it, or 0.
    @discardableResult
    mutating func remember(_ key: UInt64, _ number: UInt64, _ now: MonotonicInstant) -> UInt64 {
        var forgotten: UInt64 = 0
        if young.capacity == 0 {
            young = Generation(capacity: ProtocolLimits.replayGenerationLeast)
            since = now
        } else if young.count >= young.capacity {
            forgotten = old.newest
            turn(now)
        }
        young.insert(key, number)
        return forgotten
    }

    /// The younger generation is full: it becomes the older one. Its successor is larger when it filled up fast, smaller when it
    /// took long.
    private mutating func turn(_ now: MonotonicInstant) {
        var capacity = young.capacity
        let age = now - since
        if age < ProtocolLimits.replayGenerationFast {
            capacity = min(capacity * 2, ProtocolLimits.replayGenerationMost)
        }
        if age > ProtocolLimits.replayGenerationSlow {
            capacity = max(capacity / 2, ProtocolLimits.replayGenerationLeast)
        }
        swap(&old, &young)
        if young.capacity == capacity { young.clear() } else { young = Generation(capacity: capacity) }
        since = now
    }
}

/// The IDs of our own packets before sealing. They only grow: Unix time in milliseconds above 20 bits that count. Over restarts
/// too, as long as the wall clock does not go back.
struct PacketNumbers: Sendable {
    private var last: UInt64 = 0
    /// The time of the last look at the clock.
    private var clock: UInt64 = 0
    /// Drawn, for so many numbers more: a draw for each would cost a percent of a stream.
    private var bits: UInt32 = 0
    private var drawsLeft = 0

    /// Tells the time.
    @inline(__always)
    mutating func note(_ now: Now) { clock = UInt64(max(0, now.unixMilliseconds)) << 20 }

    /// The next one. The distance to the last is drawn, so that outsiders cannot guess the IDs of fragments of the old suites; it
    /// is more than 7, since the inner section of HELLO leaves the low three bits out of its nonce.
    @inline(__always)
    mutating func next(using random: inout RandomSource) -> PacketID {
        if drawsLeft == 0 {
            bits = random.nextUInt32()
            drawsLeft = 4
        }
        drawsLeft -= 1
        last = last &+ 8 &+ UInt64(bits & 0x7f)
        bits >>= 7
        if last < clock { last = clock &+ UInt64(random.nextUInt32() >> 17) }
        return PacketID(last)
    }
}

extension Verb {
    /// A number for the endpoint at the other end of a path, for packets that leave from all sockets of a node with one ID; nil for
    /// all others, which come once.
    @inline(__always)
    func copyEndpoint(_ path: PhysicalPath) -> UInt64? {
        guard traits.leavesFromAllSockets else { return nil }
        let address = path.remote.address
        return mix(address.high ^ mix(address.low)) ^ UInt64(path.remote.port) << 32
            ^ UInt64(UInt32(bitPattern: path.localSocket))
    }
}
