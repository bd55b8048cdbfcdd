// The clock and the wire that the machines' tests stand on: were they wrong, those would show nothing.

import NetPrimitives
import TestSupport
import Testing

@Suite struct VirtualTimeTests {
    /// A world in which items arrive, and nothing else happens.
    private final class Arrivals: VirtualWorld {
        var clock = VirtualClock()
        var wire = VirtualWire<Int>()
        var seen: [(item: Int, at: MonotonicInstant)] = []
        var begun = 0

        func begin() { begun += 1 }
        func nextInstant() -> MonotonicInstant? { wire.next }
        func happen() { while let item = wire.take(arrivedBy: now.monotonic) { seen.append((item, now.monotonic)) } }
    }

    @Test func `what is sent arrives at its time, and in the order of departure where that is the same`() {
        let world = Arrivals()
        let start = world.now.monotonic
        var random = RandomSource(seed: 3)
        let delays = (0..<2000).map { _ in Int64(random.next(below: 300)) }
        for (item, delay) in delays.enumerated() { world.wire.send(item, arrivingAt: start + .milliseconds(delay)) }
        #expect(!world.run(for: .seconds(1)))
        #expect(world.seen.map(\.item) == delays.indices.sorted { (delays[$0], $0) < (delays[$1], $1) })
        #expect(world.seen.allSatisfy { $0.at == start + .milliseconds(delays[$0.item]) })
        #expect(world.wire.next == nil && world.now.monotonic == start + .seconds(1))
    }

    @Test func `a run ends when its condition holds, else at its end, with what happens just then`() {
        let world = Arrivals()
        let start = world.now.monotonic
        for item in 1...3 { world.wire.send(item, arrivingAt: start + .seconds(Int64(item))) }
        #expect(world.run(for: .seconds(5), until: { world.seen.count == 1 }))
        #expect(world.now.monotonic == start + .seconds(1))
        #expect(!world.run(for: .seconds(1), until: { world.seen.count == 3 }))
        #expect(world.seen.map(\.item) == [1, 2] && world.wire.first == 3 && world.begun == 2)
    }

    @Test func `the clock moves both times together and never goes back`() {
        var clock = VirtualClock(unixMilliseconds: 1000)
        let start = clock.now.monotonic
        clock.advance(by: .milliseconds(250))
        #expect(clock.now.monotonic == start + .milliseconds(250) && clock.now.unixMilliseconds == 1250)
        clock.advance(to: start)
        #expect(clock.now.monotonic == start + .milliseconds(250))
    }
}
