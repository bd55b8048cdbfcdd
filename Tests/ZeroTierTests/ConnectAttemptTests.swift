import NetPrimitives
import NetStack
import Testing

@testable import ZeroTier

@Suite struct ConnectAttemptTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    @Test func `what time may mend is tried again after the pause`() {
        let attempt = ConnectAttempt(until: start + .seconds(10))
        let next = ConnectAttempt.Verdict.tryAgain(at: start + ConnectAttempt.pause)
        for failure in [StackError.hostUnreachable, .timedOut] {
            #expect(attempt.verdict(on: failure, mayCome: false, now: start) == next)
        }
        for failure in [StackError.networkUnreachable, .addressNotAvailable] {
            #expect(attempt.verdict(on: failure, mayCome: true, now: start) == next)
            #expect(attempt.verdict(on: failure, mayCome: false, now: start) == .fail)
        }
        for failure in [StackError.refused, .reset, .addressInUse, .tooManySockets, .networkDown] {
            #expect(attempt.verdict(on: failure, mayCome: true, now: start) == .fail)
        }
    }

    @Test func `an attempt that would begin at the end is not begun`() {
        let end = start + .seconds(1)
        let attempt = ConnectAttempt(until: end)
        for early in [ConnectAttempt.pause, .milliseconds(1), .zero] {
            let now = MonotonicInstant(nanoseconds: end.nanoseconds - UInt64(early.nanoseconds))
            #expect(attempt.verdict(on: .hostUnreachable, mayCome: true, now: now) == .giveUp(at: end))
        }
        let late = end + .seconds(100)
        #expect(attempt.verdict(on: .hostUnreachable, mayCome: true, now: late) == .giveUp(at: end))
        let endless = ConnectAttempt(until: nil)
        #expect(
            endless.verdict(on: .hostUnreachable, mayCome: true, now: late)
                == .tryAgain(at: late + ConnectAttempt.pause))
    }

    @Test func `the time of a pause is not the time of the attempt`() {
        var attempt = ConnectAttempt(until: start + .seconds(10))
        #expect(attempt.lookAgain == attempt.deadline && attempt.key == .node)
        let isEarly = attempt.passTime()
        #expect(!isEarly)
        attempt.phase = .pausing(until: start)
        #expect(attempt.lookAgain == start && attempt.key == .node)
        let isPause = attempt.passTime()
        #expect(isPause && attempt.phase == .beginning)
        attempt.phase = .waitingForTheEnd(at: start + .seconds(10))
        #expect(attempt.lookAgain == attempt.deadline)
        let isAtEnd = attempt.passTime()
        #expect(!isAtEnd)
    }
}
