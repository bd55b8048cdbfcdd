// Whether a thread that is about to sleep until datagrams come looks for them a little longer. Sleep and wake-up cost tens of
// microseconds, on virtual machines more than the whole way of a packet. Read first: Docs/architecture.md, "Locks and wake-ups".
//
//      empty > look again ... > something came: next time again
//                           \ > nothing for long, or others want the processor: sleep, and the next 1, 2, 4 ... times at once

/// Decides by what the last looks were worth. Times in nanoseconds.
struct EagerWait: Sendable {
    /// How long one looks.
    static let longest: UInt64 = 50_000
    /// Two looks further apart than this: another thread had the processor in between, and would rather have it now.
    static let crowded: UInt64 = 10_000
    /// The most sleeps without a look before them, after looks that were in vain.
    static let mostSleeps = 1024

    private let isPossible: Bool
    private var began: UInt64?
    private var last: UInt64 = 0
    private var pause = 0
    private var sleeps = 0

    /// `processors`: with one alone nothing can come while the thread looks.
    init(processors: Int) { isPossible = processors > 1 }

    /// Nothing was there. Whether to look again rather than to sleep.
    mutating func looksAgain(at now: UInt64) -> Bool {
        guard let began else {
            guard isPossible else { return false }
            guard sleeps == 0 else {
                sleeps -= 1
                return false
            }
            self.began = now
            last = now
            return true
        }
        let isCrowded = now &- last > EagerWait.crowded
        last = now
        if !isCrowded, now &- began < EagerWait.longest { return true }
        giveUp()
        return false
    }

    /// Something was there. If it came while the thread looked, the look was worth its time; unless another thread had the
    /// processor meanwhile: perhaps the one that sent it, which waited for us to sleep.
    mutating func found(at now: @autoclosure () -> UInt64) {
        guard began != nil else { return }
        if now() &- last > EagerWait.crowded { return giveUp() }
        began = nil
        pause = 0
    }

    private mutating func giveUp() {
        began = nil
        pause = min(max(1, 2 * pause), EagerWait.mostSleeps)
        sleeps = pause
    }
}
