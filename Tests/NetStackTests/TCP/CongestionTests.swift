import NetPrimitives
import Testing

@testable import NetStack

/// The window-based algorithms, alone: windows of 1000-byte segments.
@Suite struct CongestionTests {
    private func state(_ segments: Int, threshold: Int = .max) -> CongestionState {
        var state = CongestionState(segmentSize: 1000)
        state.window = segments * 1000
        state.threshold = threshold
        return state
    }

    @Test func `CUBIC is back at the window of the loss after the cube root of its drop`() {
        var cubic = Cubic()
        var state = state(100)
        cubic.reduce(&state, .loss, inFlight: 0)
        #expect(state.threshold == 70_000)
        cubic.finishRecovery(&state)
        // K = cbrt(100 x 0.3 / 0.4) = 4.217 s; RFC 9438 4.2. A round trip of 200 ms leaves Reno behind.
        var time = 1_000_000_000
        let start = time
        var atHalf = 0
        while time - start < 4_217_000_000 {
            for _ in 0..<10 {
                cubic.grow(&state, by: state.window / 10, roundTrip: 200_000_000, time: time)
                time += 20_000_000
            }
            if atHalf == 0, time - start >= 2_000_000_000 { atHalf = state.window }
        }
        // 100 - 0.4 x 2.017^3, a round trip ahead.
        #expect(abs(atHalf - 96_700) < 1_500, "\(atHalf)")
        #expect(abs(state.window - 100_000) < 1_000, "\(state.window)")
        for _ in 0..<150 {
            cubic.grow(&state, by: state.window / 10, roundTrip: 200_000_000, time: time)
            time += 20_000_000
        }
        // 3 s on: 100 + 0.4 x 3^3.
        #expect(abs(state.window - 112_000) < 3_000, "\(state.window)")
    }

    @Test func `CUBIC on a short path grows as Reno would`() {
        var cubic = Cubic()
        var state = state(10)
        cubic.reduce(&state, .loss, inFlight: 0)
        cubic.finishRecovery(&state)
        for turn in 0..<100 { cubic.grow(&state, by: state.window, roundTrip: 1_000_000, time: turn * 1_000_000) }
        // 0.53 segments per round trip until the old window, one after that (RFC 9438 4.3).
        #expect(state.window > 80_000 && state.window < 110_000, "\(state.window)")
    }

    @Test func `a mark costs CUBIC less than a loss, and an undone loss nothing`() {
        var cubic = Cubic()
        var state = state(100)
        cubic.reduce(&state, .mark, inFlight: 0)
        #expect(state.threshold == 85_000)
        cubic.undo(&state, window: 100_000, threshold: .max)
        #expect(state.window == 100_000 && state.threshold == .max)
    }

    @Test func `Reno halves at a loss and adds a segment per window`() {
        var reno = Reno()
        var state = state(20)
        reno.grow(&state, by: 20_000, roundTrip: 1, time: 0)
        #expect(state.window == 40_000)
        reno.reduce(&state, .loss, inFlight: 0)
        reno.finishRecovery(&state)
        #expect(state.window == 20_000)
        for _ in 0..<20 { reno.grow(&state, by: 1_000, roundTrip: 1, time: 0) }
        #expect(state.window == 21_000)
    }

    @Test func `slow start ends before the queue overflows when round trips grow`() {
        var cubic = Cubic()
        var state = state(10)
        var next = 10_000
        var acknowledged = 0
        var roundTrip = 50_000_000
        for round in 0..<12 where state.isSlowStart {
            // From the sixth round on a queue grows.
            if round > 5 { roundTrip += 8_000_000 }
            for _ in 0..<10 {
                acknowledged += (next - acknowledged) / 10
                cubic.grow(&state, by: state.window / 20, roundTrip: roundTrip, time: 0)
                cubic.note(&state, roundTrip: roundTrip, acknowledged: acknowledged, next: next)
            }
            acknowledged = next
            next += state.window
        }
        #expect(!state.isSlowStart)
    }

    @Test func `windows leave at twice their pace in slow start and a fifth faster after it`() {
        let cubic = Cubic()
        var state = state(100)
        cubic.begin(&state, roundTrip: 100_000_000)
        #expect(state.pacingRate == 2_000_000)
        state.threshold = 100_000
        var sample = RateSample()
        sample.smoothedRoundTrip = 50_000_000
        cubic.update(&state, sample, time: 0)
        #expect(state.pacingRate == 2_400_000)
    }

    @Test func `another algorithm takes over with the window as it is`() {
        var control = CongestionControl(.cubic, segmentSize: 1000, pieces: 1, seed: 1)
        control.grow(by: 5_000, roundTrip: 1_000_000, time: 0)
        let window = control.window
        control.change(to: .bbr, roundTrip: 10_000_000, seed: 1)
        #expect(control.window == window && !control.reducesProportionally)
        control.change(to: .reno, roundTrip: 10_000_000, seed: 1)
        #expect(control.window == window && control.reducesProportionally)
    }
}
