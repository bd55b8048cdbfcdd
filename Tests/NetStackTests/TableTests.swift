// The stack's own data structures against naive models, and the reference vector of the hash.

import NetPrimitives
import Testing

@testable import NetStack

private struct NumberKey: OpenTableKey {
    let value: UInt64
    func mix(into hasher: inout SipHasher) { hasher.combine(value) }
}

struct TableTests {
    @Test func `the open table agrees with a dictionary through random work`() {
        var random = RandomSource(seed: 3)
        var table = OpenTable<NumberKey, Int>(hashKey: SipHasher.Key(1, 2))
        var model: [UInt64: Int] = [:]
        for step in 0..<20_000 {
            let key = UInt64(random.next(below: 300))
            switch random.next(below: 3) {
            case 0 where model.count < 200, 1 where model.count < 200:
                table.set(NumberKey(value: key), step)
                model[key] = step
            default:
                #expect(table.remove(NumberKey(value: key)) == model.removeValue(forKey: key))
            }
            #expect(table.count == model.count)
            let probe = UInt64(random.next(below: 300))
            #expect(table[NumberKey(value: probe)] == model[probe])
        }
    }

    @Test func `the timer queue agrees with a sorted list`() {
        var random = RandomSource(seed: 4)
        var queue = TimerQueue<Int>()
        let timers = (0..<50).map { queue.add($0) }
        var model: [Int: (UInt64, Int)] = [:]
        var order = 0
        var time: UInt64 = 0
        for _ in 0..<20_000 {
            let owner = random.next(below: 50)
            switch random.next(below: 4) {
            case 0, 1:
                let at = time + UInt64(random.next(below: 1_000))
                if model[owner]?.0 != at {
                    order += 1
                    model[owner] = (at, order)
                }
                queue.set(timers[owner], MonotonicInstant(nanoseconds: at))
            case 2:
                queue.cancel(timers[owner])
                model[owner] = nil
            default:
                time += UInt64(random.next(below: 100))
                while let first = model.min(by: { $0.value < $1.value }), first.value.0 <= time {
                    #expect(queue.popDue(MonotonicInstant(nanoseconds: time)) == first.key)
                    model[first.key] = nil
                }
                #expect(queue.popDue(MonotonicInstant(nanoseconds: time)) == nil)
            }
            #expect(queue.count == model.count)
            #expect(queue.next?.nanoseconds == model.values.map(\.0).min())
        }
    }

    @Test func `a lazy timer fires no later than asked for`() {
        var queue = TimerQueue<Int>()
        let timer = queue.add(1)
        queue.setLazily(timer, MonotonicInstant(nanoseconds: 100))
        queue.setLazily(timer, MonotonicInstant(nanoseconds: 200))
        #expect(queue.next?.nanoseconds == 100)
        queue.setLazily(timer, MonotonicInstant(nanoseconds: 50))
        #expect(queue.next?.nanoseconds == 50)
        queue.setLazily(timer, nil)
        #expect(queue.next == nil)
    }

    @Test func `a reserved timer wakes nobody until it has an owner`() {
        var queue = TimerQueue<Int>()
        let early = MonotonicInstant(nanoseconds: 10)
        let late = MonotonicInstant(nanoseconds: 20)
        let reserved = queue.reserve()
        let named = queue.add(1)
        queue.set(reserved, early)
        queue.set(named, late)
        #expect(queue.popDue(late) == 1)
        #expect(queue.popDue(late) == nil)
        queue.setOwner(reserved, 2)
        queue.set(reserved, early)
        #expect(queue.popDue(late) == 2)
        // The place of a reservation is used again like any other.
        let other = queue.reserve()
        queue.remove(other)
        queue.remove(other)
        #expect(queue.add(3) == other)
        #expect(queue.reserve() != other)
    }

    @Test func `a ring queue keeps order over its seam`() {
        var queue = RingQueue<Int>()
        var next = 0
        var expected = 0
        for round in 1..<200 {
            for _ in 0..<(round % 13) {
                queue.append(next)
                next += 1
            }
            for _ in 0..<(round % 11) {
                guard let value = queue.popFirst() else { break }
                #expect(value == expected)
                expected += 1
            }
            #expect(queue.count == next - expected)
        }
    }

    private func binding(
        _ text: String, _ slot: UInt32, role: Binding.Role = .receiver, reuseAddress: Bool = false,
        reusePort: Bool = false, isDual: Bool = false
    ) -> Binding {
        Binding(
            owner: SocketID(.datagram, SlotID(index: slot, generation: 1)),
            scope: BindScope(address: address(text), isDual: isDual), role: role, reuseAddress: reuseAddress,
            reusePort: reusePort)
    }

    @Test func `ports are shared as Linux shares them`() {
        var table = PortTable(hashKey: SipHasher.Key(1, 2))
        _ = table.insert(6, 80, binding("10.0.0.1", 1, role: .reservation))
        #expect(!table.allows(6, 80, binding("10.0.0.1", 2)))
        #expect(!table.allows(6, 80, binding("0.0.0.0", 2)))
        #expect(table.allows(6, 80, binding("10.0.0.2", 2)))
        #expect(table.allows(6, 81, binding("10.0.0.1", 2)))
        #expect(table.allows(17, 80, binding("10.0.0.1", 2)))
        #expect(table.allows(6, 80, binding("::", 2)))
        #expect(!table.allows(6, 80, binding("::", 2, isDual: true)))

        // REUSEADDR on both lets a second in, unless the first listens.
        _ = table.insert(6, 90, binding("10.0.0.1", 3, role: .reservation, reuseAddress: true))
        #expect(table.allows(6, 90, binding("10.0.0.1", 4, reuseAddress: true)))
        #expect(!table.allows(6, 90, binding("10.0.0.1", 4)))
        _ = table.insert(6, 91, binding("10.0.0.1", 5, role: .receiver, reuseAddress: true))
        #expect(!table.allows(6, 91, binding("10.0.0.1", 6, reuseAddress: true)))
        // A listener of the other family is another matter: each has its own connections.
        #expect(table.allows(6, 91, binding("::", 6, reuseAddress: true, isDual: true)))
        #expect(!table.allows(6, 91, binding("::", 6, isDual: true)))
        // Connections of a listener that had it let the next one in.
        _ = table.insert(6, 92, binding("10.0.0.1", 7, role: .connection, reuseAddress: true))
        #expect(table.allows(6, 92, binding("10.0.0.1", 8, reuseAddress: true)))
        _ = table.insert(6, 93, binding("10.0.0.1", 9, role: .connection))
        #expect(!table.allows(6, 93, binding("10.0.0.1", 10, reuseAddress: true)))
        // REUSEPORT on both, for listeners too.
        _ = table.insert(6, 94, binding("10.0.0.1", 11, reusePort: true))
        #expect(table.allows(6, 94, binding("10.0.0.1", 12, reusePort: true)))
        #expect(!table.allows(6, 94, binding("10.0.0.1", 12)))
    }

    @Test func `the receiver is the best fit, then the newest, or by hash among those that share`() {
        var table = PortTable(hashKey: SipHasher.Key(1, 2))
        let interface = InterfaceID(SlotID(index: 1, generation: 1))
        let wild = table.insert(17, 53, binding("0.0.0.0", 1, reuseAddress: true))
        let exact = table.insert(17, 53, binding("10.0.0.1", 2, reuseAddress: true))
        func receiver(_ text: String, _ hash: UInt64 = 0) -> UInt32? {
            table.receiver(17, 53, address(text), interface, flowHash: hash)?.slot.index
        }
        #expect(receiver("10.0.0.1") == 2)
        #expect(receiver("10.0.0.9") == 1)
        let newer = table.insert(17, 53, binding("10.0.0.1", 3, reuseAddress: true))
        #expect(receiver("10.0.0.1") == 3)
        table.remove(newer)
        #expect(receiver("10.0.0.1") == 2)
        table.remove(exact)
        #expect(receiver("10.0.0.1") == 1)
        #expect(receiver("fd00::1") == nil)
        table.remove(wild)
        #expect(receiver("10.0.0.1") == nil)
        #expect(table.count == 0)
        for slot in UInt32(1)...3 { _ = table.insert(17, 53, binding("0.0.0.0", slot, reusePort: true)) }
        let chosen = Set((0..<30).compactMap { receiver("10.0.0.1", UInt64($0)) })
        #expect(chosen == [1, 2, 3])
    }

    @Test func `ephemeral ports are in range, differ, wander unpredictably and run out`() {
        var random = RandomSource(seed: 5)
        var allocator = PortAllocator(range: 40_000...40_099, random: &random)
        let remote = endpoint("10.0.0.2", 80)
        var used: Set<UInt16> = []
        for _ in 0..<100 {
            let port = allocator.port(from: address("10.0.0.1"), to: remote) { !used.contains($0) }
            #expect(port.map { (40_000...40_099).contains($0) && used.insert($0).inserted } == true)
        }
        #expect(allocator.port(from: address("10.0.0.1"), to: remote) { !used.contains($0) } == nil)
        // Two stacks with different seeds start elsewhere.
        var starts: Set<UInt16> = []
        for seed in UInt64(0)..<20 {
            var source = RandomSource(seed: seed)
            var other = PortAllocator(range: 32_768...60_999, random: &source)
            if let port = other.port(from: address("10.0.0.1"), to: remote, isFree: { _ in true }) {
                starts.insert(port)
            }
        }
        #expect(starts.count > 15)
    }

    @Test func `routes: the longest prefix wins, then the metric, then age`() {
        var table = RouteTable()
        let a = InterfaceID(SlotID(index: 1, generation: 1))
        let b = InterfaceID(SlotID(index: 2, generation: 1))
        func route(_ text: String, _ id: InterfaceID, _ metric: Int = 0, gateway: String? = nil) -> StackRoute {
            StackRoute(
                IPPrefix(text) ?? IPPrefix(.anyIPv4, length: 0), interface: id,
                gateway: gateway.map { address($0) }, metric: metric)
        }
        table.insert(route("0.0.0.0/0", a, gateway: "10.0.0.254"))
        table.insert(route("10.1.0.0/16", b, 5))
        table.insert(route("10.1.0.0/16", a, 1))
        table.insert(route("10.1.2.0/24", b))
        func best(_ text: String, _ id: InterfaceID? = nil) -> StackRoute? { table.best(to: address(text), on: id) }
        #expect(best("10.1.2.3")?.interface == b)
        #expect(best("10.1.9.9")?.interface == a)
        #expect(best("10.1.9.9", b)?.metric == 5)
        #expect(best("8.8.8.8")?.gateway == address("10.0.0.254"))
        #expect(best("fd00::1") == nil)
        table.remove { $0.interface == a }
        #expect(best("8.8.8.8") == nil)
        #expect(best("10.1.9.9")?.interface == b)
    }

    @Test func `the longest prefix agrees with a linear search`() {
        var random = RandomSource(seed: 6)
        var table = RouteTable()
        var model: [StackRoute] = []
        let id = InterfaceID(SlotID(index: 1, generation: 1))
        for _ in 0..<300 {
            let prefix = IPPrefix(IPAddress(v4: random.nextUInt32() & 0x0303_0303), length: random.next(below: 33))
            let route = StackRoute(prefix, interface: id, metric: random.next(below: 4))
            table.insert(route)
            model.removeAll { $0.prefix == route.prefix }
            model.append(route)
        }
        for _ in 0..<2_000 {
            let target = IPAddress(v4: random.nextUInt32() & 0x0303_0303)
            let expected = model.filter { $0.prefix.contains(target) }.max { $0.prefix.length < $1.prefix.length }
            #expect(table.best(to: target, on: nil)?.prefix == expected?.prefix)
        }
    }

    @Test func `a path MTU is lowered, bounded and forgotten after ten minutes`() {
        var table = PathMTUTable(hashKey: SipHasher.Key(1, 2))
        let id = InterfaceID(SlotID(index: 1, generation: 1))
        let start = MonotonicInstant(nanoseconds: 1)
        let key = ScopedAddress(id, address("10.0.0.1"))
        #expect(table.lower(key, to: 1_400, limit: 8, now: start) == true)
        #expect(table.lower(key, to: 1_500, limit: 8, now: start) == false)
        #expect(table.lower(key, to: 1_300, limit: 8, now: start) == true)
        #expect(table.mtu(key, start) == 1_300)
        let end = start + .seconds(600)
        #expect(table.mtu(key, end + .nanoseconds(-1)) == 1_300)
        #expect(table.mtu(key, end) == nil)
        for number in UInt32(0)..<100 {
            _ = table.lower(ScopedAddress(id, IPAddress(v4: number)), to: 1_280, limit: 8, now: start)
        }
        #expect(table.count == 8)
    }

    @Test func `answers keep their pace: about a thousand a second to a station, one error to a destination`() {
        var limiter = ErrorLimiter(hashKey: SipHasher.Key(1, 2))
        var random = RandomSource(seed: 8)
        let limits = StackLimits()
        let id = InterfaceID(SlotID(index: 1, generation: 1))
        let (greedy, modest) = (StationKey(id, MACAddress(6)), StationKey(id, MACAddress(8)))
        var counts = [0, 0]
        for step in 0..<20_000 {
            let now = MonotonicInstant(nanoseconds: UInt64(step) * 100_000)
            if limiter.allow(greedy, limits: limits, now: now, random: &random) { counts[0] += 1 }
            if step % 200 == 199, limiter.allow(modest, limits: limits, now: now, random: &random) { counts[1] += 1 }
        }
        // Two seconds.
        #expect(counts[0] > 1_600 && counts[0] <= 2_000)
        #expect(counts[1] == 100, "what one station is sent took from another")
        let target = address("10.0.0.1")
        let start = MonotonicInstant(nanoseconds: 60_000_000_000)
        func allow(_ station: StationKey, _ after: Duration) -> Bool {
            limiter.allow(target, by: station, limits: limits, now: start + after, random: &random)
        }
        #expect(allow(greedy, .zero))
        #expect(!allow(greedy, .milliseconds(999)))
        // Whoever forges an address spends his own errors, not those of its owner.
        #expect(allow(modest, .milliseconds(999)))
        #expect(allow(greedy, .seconds(1)))
    }

    @Test func `stations whose answers are paced are bounded, and many of them leave some to each`() {
        var limiter = ErrorLimiter(hashKey: SipHasher.Key(1, 2))
        var random = RandomSource(seed: 9)
        let limits = StackLimits()
        let id = InterfaceID(SlotID(index: 1, generation: 1))
        let now = MonotonicInstant(nanoseconds: 5_000_000_000)
        var allowed = 0
        for number in UInt64(1)...3_000 {
            for _ in 0..<60
            where limiter.allow(
                StationKey(id, MACAddress(number * 2)), limits: limits, now: now, random: &random)
            { allowed += 1 }
        }
        #expect(limiter.stationCount == limits.answeredStations)
        #expect(allowed < StackConstants.errorsPerSecondToAll / 20 + 3_000 * StackConstants.errorsBeyondAll)
        #expect(limiter.allow(StationKey(id, MACAddress(9_998)), limits: limits, now: now, random: &random))
    }

    @Test func `a path MTU table and hash with another key order nothing differently`() {
        // Results must not depend on where entries lie.
        for key in [SipHasher.Key(1, 2), SipHasher.Key(3, 4)] {
            var table = OpenTable<NumberKey, UInt64>(hashKey: key)
            for value in UInt64(0)..<1_000 { table.set(NumberKey(value: value), value * 2) }
            for value in UInt64(0)..<1_000 { #expect(table[NumberKey(value: value)] == value * 2) }
        }
    }
}
