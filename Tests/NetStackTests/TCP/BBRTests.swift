import NetPrimitives
import Testing

@testable import NetStack

/// A path that answers each round with what it can carry: BBR alone, without a connection.
private struct Rounds {
    var bbr = BBR(seed: 7)
    var state = CongestionState(segmentSize: 1000)
    var time = 1_000_000_000
    var delivered = 0
    /// Bytes a second and nanoseconds.
    var rate = 10_000_000.0
    var roundTrip = 50_000_000

    init() { bbr.begin(&state, roundTrip: roundTrip) }

    /// One round trip: what was in flight is delivered, at most what the path carries.
    mutating func round(
        inFlight: Int? = nil, lost: Int = 0, isLimited: Bool = false, isWindowLimited: Bool = true
    ) {
        time += roundTrip
        let carried = Int(rate * Double(roundTrip) * 1e-9)
        var sample = RateSample()
        sample.newlyDelivered = min(state.window, carried)
        sample.priorDelivered = delivered
        delivered += sample.newlyDelivered
        sample.totalDelivered = delivered
        sample.delivered = sample.newlyDelivered
        sample.rate = Double(sample.newlyDelivered) * 1e9 / Double(roundTrip)
        sample.roundTrip = roundTrip
        sample.smoothedRoundTrip = roundTrip
        sample.inFlight = inFlight ?? min(state.window, carried)
        sample.inFlightAtDeparture = state.window
        sample.lostSinceDeparture = lost
        sample.isApplicationLimited = isLimited
        sample.isWindowLimited = isWindowLimited
        sample.isRecovering = lost > 0
        bbr.update(&state, sample, time: time)
    }

    mutating func lose(_ bytes: Int, inFlight: Int, ranges: Int = 1) {
        var report = LossReport(before: 0, tolerance: 0.02)
        var departure = Departure.none
        departure.inFlight = UInt32(inFlight)
        for index in 0..<ranges {
            report.note(
                Scoreboard.Record(
                    start: index * 10_000, end: index * 10_000 + bytes / ranges, departure: departure))
        }
        bbr.note(&state, report, delivered: delivered, time: time)
    }

    /// Until the cycle is in a phase.
    mutating func reach(
        _ phase: BBR.Phase, rounds: Int = 200, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var left = rounds
        while bbr.phase != phase, left > 0 {
            round()
            left -= 1
        }
        let reached = bbr.phase
        #expect(reached == phase, sourceLocation: sourceLocation)
    }
}

@Suite struct BBRTests {
    @Test func `startup doubles the window per round and ends after three rounds without growth`() {
        var path = Rounds()
        var windows: [Int] = []
        while path.bbr.phase == .startup, windows.count < 40 {
            path.round(inFlight: 2 * path.state.window)
            windows.append(path.state.window)
        }
        #expect(path.bbr.phase == .drain && path.bbr.isPipeFull)
        #expect(windows[3] >= 4 * windows[1], "\(windows)")
        #expect(path.bbr.maximumRate == 10_000_000)
        // Half the rate takes the queue away; at the product of rate and round trip it is gone.
        #expect(abs(path.state.pacingRate - 0.5 * 0.99 * 10_000_000) < 10)
        path.round(inFlight: 500_000)
        #expect(path.bbr.phase == .cruise)
    }

    @Test func `on a path too short to be paced the window is that of a round trip of a millisecond`() {
        for (roundTrip, expected) in [(100_000, 2_000_000), (1_000_000, 2_000_000), (4_000_000, 8_000_000)] {
            var path = Rounds()
            path.rate = 1e9
            path.roundTrip = roundTrip
            path.reach(.cruise, rounds: 10_000)
            let window = path.bbr.product(path.state, rate: path.bbr.rate, gain: BBR.windowGain)
            #expect(abs(window - expected) < expected / 50, "\(roundTrip): \(window)")
        }
    }

    /// One in a hundred is lost on the way, with no queue that is full: what arrives is less than what was sent, round by round.
    @Test func `losses that are noise do not eat the rate up, more of them do`() {
        for (share, keepsRate) in [(0.01, true), (0.03, false)] {
            var path = Rounds()
            path.reach(.cruise)
            var sent = path.bbr.rate
            for _ in 0..<20 where path.bbr.phase == .cruise {
                sent = min(10_000_000, path.state.pacingRate)
                path.rate = sent * (1 - share)
                let inFlight = Int(sent * 0.05)
                path.lose(Int(Double(inFlight) * share), inFlight: inFlight)
                path.round(inFlight: inFlight, lost: Int(Double(path.state.window) * share))
            }
            #expect((path.bbr.rate > 9_700_000) == keepsRate, "\(share): \(path.bbr.rate)")
        }
    }

    @Test func `an application that sends little does not end startup`() {
        var path = Rounds()
        path.rate = 100_000
        for _ in 0..<50 { path.round(isLimited: true) }
        #expect(path.bbr.phase == .startup && !path.bbr.isPipeFull)
    }

    @Test func `losses above the tolerance in a round of recovery end startup and bound what is in flight`() {
        var path = Rounds()
        for _ in 0..<3 { path.round() }
        path.bbr.reduce(&path.state, .loss, inFlight: path.state.window)
        path.lose(8_000, inFlight: 100_000, ranges: 8)
        path.round(inFlight: 1 << 20, lost: 8_000)
        #expect(path.bbr.phase == .drain && path.bbr.longInFlight != .max)
        // It was reordering: back to where it was.
        path.bbr.undo(&path.state, window: 0, threshold: .max)
        #expect(path.bbr.phase == .startup && path.bbr.longInFlight == .max && !path.bbr.isPipeFull)
    }

    @Test func `the cycle goes down, cruises, refills and probes, with the draft's gains`() {
        var path = Rounds()
        path.reach(.down)
        path.reach(.cruise)
        #expect(abs(path.state.pacingRate - 0.99 * 10_000_000) < 10)
        let cruising = path.time
        path.reach(.refill)
        // Two to three seconds, and perhaps a probe of the round trip on the way.
        #expect(path.time - cruising < 5_500_000_000)
        path.round()
        #expect(path.bbr.phase == .up)
        #expect(abs(path.state.pacingRate - 1.25 * 0.99 * 10_000_000) < 10)
        // Three rounds without growth are enough.
        path.reach(.down, rounds: 8)
    }

    @Test func `a faster path is found by the probe, a slower one after two cycles`() {
        var path = Rounds()
        path.reach(.cruise)
        path.rate = 20_000_000
        for _ in 0..<200 { path.round() }
        #expect(path.bbr.maximumRate > 19_000_000, "\(path.bbr.maximumRate)")
        path.rate = 5_000_000
        for _ in 0..<250 { path.round() }
        #expect(path.bbr.maximumRate <= 5_100_000, "\(path.bbr.maximumRate)")
    }

    @Test func `a loss while cruising bounds the short term by what was delivered, a refill forgets it`() {
        var path = Rounds()
        path.reach(.cruise)
        path.rate = 8_000_000
        path.round()
        path.lose(1_000, inFlight: 500_000)
        path.round()
        path.round()
        #expect(path.bbr.shortRate < 8_200_000 && path.bbr.maximumRate == 10_000_000)
        #expect(path.state.pacingRate < 8_200_000)
        path.reach(.refill)
        #expect(path.bbr.shortRate == .infinity)
    }

    @Test func `a round of losses that costs the path nothing does not wear the rate down`() {
        var path = Rounds()
        path.reach(.cruise)
        path.rate = 9_900_000
        for _ in 0..<20 where path.bbr.phase == .cruise {
            path.lose(1_000, inFlight: 500_000)
            path.round()
        }
        #expect(path.bbr.shortRate >= 9_900_000, "\(path.bbr.shortRate)")
    }

    @Test func `too much loss in a probe ends it and bounds the long term`() {
        var path = Rounds()
        path.reach(.up)
        path.lose(50_000, inFlight: 700_000)
        #expect(path.bbr.phase == .down && path.bbr.longInFlight <= 700_000)
        // Room for others while cruising.
        path.reach(.cruise)
        #expect(path.state.window <= path.bbr.longInFlight * 86 / 100)
    }

    @Test func `every five seconds in flight is halved for 200 ms`() {
        var path = Rounds()
        path.reach(.probeRoundTrip)
        let start = path.time
        #expect(path.state.window <= 250_000)
        #expect(path.state.limitsItself, "its samples say nothing of the rate")
        while path.bbr.phase == .probeRoundTrip, path.time - start < 2_000_000_000 { path.round() }
        #expect(path.time - start >= 200_000_000 && path.time - start <= 400_000_000)
        #expect(path.bbr.phase == .cruise)
        path.round()
        #expect(path.state.window > 250_000)
    }

    @Test func `on a path below a millisecond nothing is halved`() {
        var path = Rounds()
        path.roundTrip = 500_000
        for _ in 0..<24_000 {
            path.round()
            if path.bbr.phase == .probeRoundTrip { break }
        }
        #expect(path.time > 12_000_000_000 && path.bbr.phase != .probeRoundTrip)
    }

    @Test func `a mark ends startup and a probe, and bounds the short term while cruising`() {
        var path = Rounds()
        path.round()
        path.bbr.reduce(&path.state, .mark, inFlight: 10_000)
        path.round(inFlight: 1 << 20)
        #expect(path.bbr.phase == .drain)
        path.reach(.up)
        path.bbr.reduce(&path.state, .mark, inFlight: 600_000)
        #expect(path.bbr.phase == .down && path.bbr.longInFlight != .max)
        path.reach(.cruise)
        path.round()
        path.bbr.reduce(&path.state, .mark, inFlight: 400_000)
        path.round()
        path.round()
        #expect(path.bbr.shortRate < .infinity)
    }

    @Test func `the wait between probes differs between connections`() {
        var waits: Set<Int> = []
        for seed in 1...20 {
            var bbr = BBR(seed: UInt32(seed * 7919))
            bbr.startDown(time: 0)
            #expect(bbr.cycleWait >= 2_000_000_000 && bbr.cycleWait < 3_000_000_000)
            waits.insert(bbr.cycleWait)
        }
        #expect(waits.count > 15)
    }
}
