// The receive duty as threads share it. Read first: `ReceiveDuty`.

import Synchronization

/// A `ReceiveDuty` that any thread may change.
final class SharedDuty: Sendable {
    private let word = Atomic<UInt32>(0)

    /// The state at this moment. It may be another at once.
    var now: ReceiveDuty { ReceiveDuty(bits: word.load(ordering: .acquiring)) }

    /// Makes one transition, as if no other thread were there.
    func change<Result>(_ transition: (inout ReceiveDuty) -> Result) -> Result {
        var known = word.load(ordering: .relaxed)
        while true {
            var duty = ReceiveDuty(bits: known)
            let result = transition(&duty)
            // A transition that changes nothing is ordered like any other: it says what was at this moment.
            let exchange = word.compareExchange(
                expected: known, desired: duty.bits, successOrdering: .sequentiallyConsistent,
                failureOrdering: .relaxed)
            if exchange.exchanged { return result }
            known = exchange.original
        }
    }
}
