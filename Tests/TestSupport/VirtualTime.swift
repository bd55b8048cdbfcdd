// Virtual time for tests: a clock that stands still until it is moved, what is on its way, and worlds that run by both.

package import NetPrimitives

/// A clock that moves only when it is told to, and never back.
package struct VirtualClock {
    /// What it shows.
    package private(set) var now: Now

    /// Makes a clock that shows one second of monotonic time. `unixMilliseconds`: the wall clock at that moment.
    package init(unixMilliseconds: Int64 = 1_750_000_000_000) {
        now = Now(monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: unixMilliseconds)
    }

    /// Moves to an instant, if that is later.
    package mutating func advance(to instant: MonotonicInstant) {
        if instant > now.monotonic { now = now.advanced(by: instant - now.monotonic) }
    }

    /// Moves by a duration, which is not negative.
    package mutating func advance(by duration: Duration) { advance(to: now.monotonic + duration) }
}

/// What is on its way, and when it arrives. Of what arrives at one instant the first sent comes first.
package struct VirtualWire<Item> {
    private struct Flight {
        let at: MonotonicInstant
        let order: Int
        let item: Item

        func isBefore(_ other: Flight) -> Bool { (at, order) < (other.at, other.order) }
    }

    // A binary heap: thousands may be on their way.
    private var flights: [Flight] = []
    private var order = 0

    /// Makes a wire with nothing on it.
    package init() {}

    /// When the next item arrives; nil when there is none.
    package var next: MonotonicInstant? { flights.first?.at }

    /// The next item to arrive.
    package var first: Item? { flights.first?.item }

    /// Sends an item, to arrive at an instant.
    package mutating func send(_ item: Item, arrivingAt instant: MonotonicInstant) {
        flights.append(Flight(at: instant, order: order, item: item))
        order += 1
        var index = flights.count - 1
        while index > 0, flights[index].isBefore(flights[(index - 1) / 2]) {
            flights.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Takes the next item that has arrived by an instant.
    package mutating func take(arrivedBy instant: MonotonicInstant) -> Item? {
        guard let first = flights.first, first.at <= instant else { return nil }
        flights.swapAt(0, flights.count - 1)
        flights.removeLast()
        var index = 0
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < flights.count && flights[child].isBefore(flights[smallest]) {
                smallest = child
            }
            if smallest == index { return first.item }
            flights.swapAt(index, smallest)
            index = smallest
        }
    }
}

/// Things that happen in virtual time.
package protocol VirtualWorld: AnyObject {
    /// The one clock of the world.
    var clock: VirtualClock { get set }

    /// Called at the begin of each run: what was done to the world meanwhile takes effect.
    func begin()

    /// When something happens next; nil when nothing ever does.
    func nextInstant() -> MonotonicInstant?

    /// Does what happens at the clock's instant.
    func happen()
}

extension VirtualWorld {
    /// What the clock shows.
    package var now: Now { clock.now }

    package func begin() {}

    /// Lets time pass, from one thing that happens to the next, until a condition holds or the time is over. Whether it came to hold.
    @discardableResult
    package func run(for duration: Duration, until condition: () -> Bool = { false }) -> Bool {
        begin()
        let end = now.monotonic + duration
        var steps = 0
        while !condition() {
            guard let next = nextInstant(), next <= end else {
                clock.advance(to: end)
                return condition()
            }
            clock.advance(to: next)
            happen()
            steps += 1
            precondition(steps < 2_000_000, "the world does not come to rest")
        }
        return true
    }
}
