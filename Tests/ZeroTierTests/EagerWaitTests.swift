import Testing

@testable import ZeroTier

@Suite struct EagerWaitTests {
    // Looks once a microsecond until it is told to sleep; how often that was.
    private func looks(_ wait: inout EagerWait, from start: UInt64) -> Int {
        var count = 0
        while wait.looksAgain(at: start + UInt64(count) * 1000) { count += 1 }
        return count
    }

    @Test func `a look that finds nothing ends, and the next sleeps come at once, twice as many each time`() {
        var wait = EagerWait(processors: 2)
        var time: UInt64 = 1_000_000
        var sleeps: [Int] = []
        for _ in 0..<14 {
            let full = looks(&wait, from: time)
            #expect(full == Int(EagerWait.longest / 1000))
            var count = 0
            time += 1_000_000
            // Ends with the first look that is allowed.
            while !wait.looksAgain(at: time) {
                count += 1
                time += 1_000_000
            }
            sleeps.append(count)
        }
        #expect(sleeps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 1024])
    }

    @Test func `a look that finds something is allowed again at once`() {
        var wait = EagerWait(processors: 2)
        _ = looks(&wait, from: 1_000_000)
        let skipped = wait.looksAgain(at: 2_000_000)
        #expect(!skipped)
        for round in 3..<100 {
            let first = wait.looksAgain(at: UInt64(round) * 1_000_000)
            let second = wait.looksAgain(at: UInt64(round) * 1_000_000 + 3000)
            #expect(first && second)
            wait.found(at: UInt64(round) * 1_000_000 + 5000)
        }
        // What was in vain before is forgotten: the next failure costs one sleep.
        _ = looks(&wait, from: 200_000_000)
        let sleeps = (0..<2).map { wait.looksAgain(at: 300_000_000 + UInt64($0) * 1000) }
        #expect(sleeps == [false, true])
    }

    @Test func `what was there before a look says nothing of looks`() {
        var wait = EagerWait(processors: 2)
        _ = looks(&wait, from: 1_000_000)
        wait.found(at: 1_500_000)
        let skipped = wait.looksAgain(at: 2_000_000)
        #expect(!skipped)
    }

    @Test func `a look ends when another thread had the processor meanwhile`() {
        var wait = EagerWait(processors: 2)
        let answers = [0, 1000, 2000, 2000 + EagerWait.crowded + 1].map { wait.looksAgain(at: 1_000_000 + $0) }
        #expect(answers == [true, true, true, false])
    }

    @Test func `a look that finds something after another thread had the processor was in vain`() {
        var wait = EagerWait(processors: 2)
        let first = wait.looksAgain(at: 1_000_000)
        wait.found(at: 1_000_000 + EagerWait.crowded + 1)
        let answers = [2, 3].map { wait.looksAgain(at: $0 * 1_000_000) }
        #expect(first && answers == [false, true])
    }

    @Test func `on one processor nobody looks`() {
        var wait = EagerWait(processors: 1)
        let answers = (0..<10).map { wait.looksAgain(at: $0 * 1000) }
        #expect(!answers.contains(true))
    }
}
