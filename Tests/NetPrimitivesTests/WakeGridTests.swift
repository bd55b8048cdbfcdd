import NetPrimitives
import Testing

@Suite struct WakeGridTests {
    private func instant(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test func `the next instant is at or after the one asked for, by less than a period`() {
        let grid = WakeGrid(period: .milliseconds(1000), phase: .milliseconds(300))
        for (asked, expected) in [(0, 300), (299, 300), (300, 300), (301, 1300), (1300, 1300), (5000, 5300)] {
            #expect(grid.next(atOrAfter: instant(UInt64(asked))) == instant(UInt64(expected)))
        }
    }

    @Test func `the phase is taken modulo the period`() {
        let grid = WakeGrid(period: .milliseconds(1000), phase: .milliseconds(4200))
        #expect(grid == WakeGrid(period: .milliseconds(1000), phase: .milliseconds(200)))
        #expect(grid.next(atOrAfter: instant(1000)) == instant(1200))
    }

    @Test func `a coarse grid of one phase lies in the fine one`() {
        let fine = WakeGrid(period: .seconds(1), phase: .milliseconds(777))
        let coarse = WakeGrid(period: .seconds(5), phase: .milliseconds(777))
        for time in stride(from: UInt64(0), to: 60_000, by: 137) {
            let next = coarse.next(atOrAfter: instant(time))
            #expect(fine.next(atOrAfter: next) == next)
        }
    }

    @Test func `the ends of time do not overflow`() {
        let grid = WakeGrid(period: .seconds(1), phase: .milliseconds(1))
        #expect(grid.next(atOrAfter: .zero) == instant(1))
        #expect(grid.next(atOrAfter: .distantFuture) == .distantFuture)
        #expect(grid.next(atOrAfter: MonotonicInstant(nanoseconds: .max - 1)) == .distantFuture)
    }
}
