//  What happens to datagrams on one host's access line: delay, jitter, loss alone and in bursts, duplication, reordering, a
//  rate with a bounded queue, an MTU above which the network cuts datagrams, and a length above which it drops them.

import NetPrimitives

/// The properties of one direction of an access line.
package struct LinkModel: Sendable, Hashable {
    /// One way.
    package var latency: Duration = .milliseconds(10)
    /// Added to the latency, uniformly from nothing to this.
    package var jitter: Duration = .zero
    /// Share of datagrams lost, each on its own.
    package var loss = 0.0
    /// Chance that a datagram begins a burst in which most are lost.
    package var burstStart = 0.0
    /// The longest such burst.
    package var burst: Duration = .milliseconds(400)
    /// Share of datagrams that arrive twice.
    package var duplication = 0.0
    /// Share of datagrams that are held back, so that later ones pass them.
    package var reordering = 0.0
    /// Bits per second; 0 for no limit.
    package var rate = 0
    /// What the queue before the line holds, as time to send it.
    package var queue: Duration = .milliseconds(300)
    /// Largest IP packet; longer ones travel as several, and are lost when any of them is.
    package var mtu = 1500
    /// UDP payload of the longest datagram that passes; longer ones vanish. 0 for no limit.
    package var largestDatagram = 0

    package init() {}

    /// A line without faults.
    package init(latency: Duration) { self.latency = latency }

    /// The same line when nothing disturbs it: latency, rate, MTU and what it drops by length stay.
    package var withoutFaults: LinkModel {
        var model = self
        model.jitter = .zero
        model.loss = 0
        model.burstStart = 0
        model.duplication = 0
        model.reordering = 0
        return model
    }
}

/// One direction of a line at work.
struct Link: Sendable {
    var model: LinkModel
    /// Nothing passes.
    var isCut = false
    private var burstEnd = MonotonicInstant.zero
    private var freeAt = MonotonicInstant.zero

    init(_ model: LinkModel) { self.model = model }

    /// When copies of a datagram of `length` bytes of UDP payload, put on the line at `time`, arrive at its other end:
    /// none when it is lost, two when it is duplicated.
    mutating func arrivals(
        _ length: Int, at time: MonotonicInstant, using random: inout RandomSource
    ) -> (first: MonotonicInstant?, second: MonotonicInstant?) {
        guard !isCut, model.largestDatagram == 0 || length <= model.largestDatagram else { return (nil, nil) }
        let size = length + 28
        let pieces = (size + model.mtu - 1) / model.mtu
        var depart = time
        if model.rate > 0 {
            let start = max(freeAt, time)
            guard start - time <= model.queue else { return (nil, nil) }
            let nanoseconds = Int64(size + 28 * (pieces - 1)) * 8_000_000_000 / Int64(model.rate)
            freeAt = start + .nanoseconds(nanoseconds)
            depart = freeAt
        }
        for _ in 0..<pieces where isLost(at: time, using: &random) { return (nil, nil) }
        let first = depart + delay(using: &random)
        guard model.duplication > 0, random.nextUnit() < model.duplication else { return (first, nil) }
        return (first, first + .microseconds(100 + random.next(below: 20_000)))
    }

    private mutating func isLost(at time: MonotonicInstant, using random: inout RandomSource) -> Bool {
        if time < burstEnd { return random.nextUnit() < 0.8 }
        if model.burstStart > 0, random.nextUnit() < model.burstStart {
            burstEnd = time + .nanoseconds(random.next(below: Int(max(1, model.burst.nanoseconds))))
            return true
        }
        return model.loss > 0 && random.nextUnit() < model.loss
    }

    private func delay(using random: inout RandomSource) -> Duration {
        var delay = model.latency
        if model.jitter > .zero {
            delay += .nanoseconds(random.next(below: Int(max(1, model.jitter.nanoseconds))))
        }
        if model.reordering > 0, random.nextUnit() < model.reordering {
            delay += .milliseconds(1 + random.next(below: 40))
        }
        return delay
    }
}
