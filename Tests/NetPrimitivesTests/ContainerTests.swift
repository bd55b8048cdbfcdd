import NetPrimitives
import Testing

/// A noncopyable element that counts how often it died.
private struct Tracked: ~Copyable {
    let value: Int
    let log: Log
    final class Log { var died: [Int] = [] }
    deinit { log.died.append(value) }
}

@Suite struct SlotTableTests {
    @Test func `a removed entity's ID never names its successor`() {
        let log = Tracked.Log()
        var table = SlotTable<Tracked>()
        let first = table.insert(Tracked(value: 1, log: log))
        _ = table.remove(first)
        let second = table.insert(Tracked(value: 2, log: log))
        #expect(first.index == second.index)
        let (old, new, value) = (table.contains(first), table.contains(second), table[second].value)
        #expect(!old && new && value == 2)
        #expect(log.died == [1])
    }

    @Test func `entities survive growth and all die with the table`() {
        let log = Tracked.Log()
        do {
            var table = SlotTable<Tracked>()
            let ids = (0..<100).map { table.insert(Tracked(value: $0, log: log)) }
            for (value, id) in ids.enumerated() {
                let found = table[id].value
                #expect(found == value)
            }
            let (count, all) = (table.count, table.ids)
            #expect(count == 100 && all == ids)
        }
        #expect(log.died.sorted() == Array(0..<100))
    }

    @Test func `removing twice gives nothing the second time`() {
        var table = SlotTable<Int>()
        let id = table.insert(7)
        let (once, twice, count) = (table.remove(id), table.remove(id), table.count)
        #expect(once == 7 && twice == nil && count == 0)
    }
}

@Suite struct DeadlineQueueTests {
    private func at(_ nanoseconds: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: nanoseconds) }

    @Test func `deadlines come out in order of time, then of scheduling`() {
        var queue = DeadlineQueue<Int>()
        queue.schedule(1, at: at(30))
        queue.schedule(2, at: at(10))
        queue.schedule(3, at: at(10))
        #expect(queue.next() == at(10))
        #expect(queue.popDue(at(9)) == nil)
        #expect(queue.popDue(at(30)) == 2)
        #expect(queue.popDue(at(30)) == 3)
        #expect(queue.popDue(at(30)) == 1)
        #expect(queue.next() == nil)
    }

    @Test func `a rescheduled key fires once, at its last deadline`() {
        var queue = DeadlineQueue<Int>()
        queue.schedule(1, at: at(10))
        queue.schedule(1, at: at(20))
        #expect(queue.popDue(at(15)) == nil)
        queue.schedule(1, at: at(5))
        #expect(queue.popDue(at(15)) == 1)
        #expect(queue.popDue(at(100)) == nil)
    }

    @Test func `the queue equals a sorted list under random operations and does not grow by rescheduling`() {
        var random = RandomSource(seed: 42)
        var queue = DeadlineQueue<Int>()
        var model: [Int: UInt64] = [:]
        for _ in 0..<5000 {
            let key = random.next(below: 50)
            switch random.next(below: 4) {
            case 0:
                queue.cancel(key)
                model[key] = nil
            case 1:
                let now = UInt64(random.next(below: 1000))
                if let popped = queue.popDue(at(now)) {
                    let earliest = model.values.min()
                    #expect(model[popped] == earliest)
                    model[popped] = nil
                } else {
                    #expect(model.values.allSatisfy { $0 > now })
                }
            default:
                let time = UInt64(random.next(below: 1000))
                queue.schedule(key, at: at(time))
                model[key] = time
            }
            #expect(queue.count == model.count)
            #expect(queue.next()?.nanoseconds == model.values.min())
        }
    }
}

@Suite struct BoundedQueueTests {
    @Test func `the oldest gives way when the queue is full`() {
        var queue = BoundedQueue<Int>(capacity: 3)
        for value in 1...3 { #expect(queue.append(value) == nil) }
        #expect(queue.append(4) == 1)
        #expect(queue.tryAppend(5) == false)
        #expect([queue.popFirst(), queue.popFirst(), queue.popFirst(), queue.popFirst()] == [2, 3, 4, nil])
    }

    @Test func `removing by condition keeps the order of the rest`() {
        var queue = BoundedQueue<Int>(capacity: 10)
        for value in 0..<14 { queue.append(value) }
        #expect(queue.removeAll { $0.isMultiple(of: 2) } == [4, 6, 8, 10, 12])
        #expect(queue.count == 5)
        #expect(queue.first == 5)
    }
}

@Suite struct RateLimiterTests {
    @Test func `a burst passes, then one per interval`() {
        var limiter = RateLimiter(burst: 3, interval: .seconds(1))
        var now = MonotonicInstant(nanoseconds: 5_000_000_000)
        for _ in 0..<3 { #expect(limiter.allow(now) == true) }
        #expect(limiter.allow(now) == false)
        #expect(limiter.nextAllowed(now) == now + .seconds(1))
        now = now + .milliseconds(999)
        #expect(limiter.allow(now) == false)
        now = now + .milliseconds(1)
        #expect(limiter.allow(now) == true)
        #expect(limiter.allow(now) == false)
        #expect(!limiter.isFull(now))
        #expect(limiter.isFull(now + .seconds(3)))
    }
}

@Suite struct RandomSourceTests {
    @Test func `the block function gives RFC 8439's keystream`() {
        // RFC 8439 appendix A.1, test vector 1: all-zero key and nonce, counter 0.
        var random = RandomSource(seed: [UInt8](repeating: 0, count: 32))
        #expect(
            random.bytes(16) == [
                0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
            ])
    }

    @Test func `the same seed gives the same numbers and forks differ`() {
        var left = RandomSource(seed: 9)
        var right = RandomSource(seed: 9)
        #expect((0..<50).allSatisfy { _ in left.nextUInt64() == right.nextUInt64() })
        var fork = left.fork()
        #expect(fork.nextUInt64() != left.nextUInt64())
        #expect((0..<1000).allSatisfy { _ in (0..<7).contains(left.next(below: 7)) })
    }
}
