import NetPrimitives
import Testing

@testable import ZeroTier

@Suite struct DatagramHoldTests {
    private func at(_ microseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000) + .microseconds(microseconds)
    }

    @Test func `datagrams that are sent now and then never wait`() {
        var hold = DatagramHold()
        for call in 0..<100 {
            let waits = hold.holds(sent: UInt64(call + 1), queued: 1, now: at(call * 26))
            #expect(!waits)
            hold.release()
        }
    }

    @Test func `in a flood they wait for each other, up to a number and up to a time`() {
        var hold = DatagramHold()
        var time = 0
        var sent: UInt64 = 0
        func call(queued: Int) -> Bool {
            time += 2
            sent += 1
            return hold.holds(sent: sent, queued: queued, now: at(time))
        }
        func expect(_ isTrue: Bool, line: Int = #line) { #expect(isTrue, "line \(line)") }
        for _ in 0..<8 { expect(!call(queued: 1)) }
        for queued in 1..<32 { expect(call(queued: queued)) }
        expect(!call(queued: 32))
        hold.release()
        #expect(hold.deadline == nil)
        expect(call(queued: 1))
        #expect(hold.deadline == at(time) + .microseconds(100))
        // Another look at the same datagrams is no call: what waits leaves when its time is over.
        let early = hold.holds(sent: sent, queued: 1, now: at(time + 99))
        let late = hold.holds(sent: sent, queued: 1, now: at(time + 100))
        #expect(early && !late)
    }

    @Test func `a pause ends the flood`() {
        var hold = DatagramHold()
        for call in 0..<20 { _ = hold.holds(sent: UInt64(call + 1), queued: 1, now: at(call)) }
        hold.release()
        let waits = hold.holds(sent: 21, queued: 1, now: at(20 + 25))
        #expect(!waits)
    }
}
