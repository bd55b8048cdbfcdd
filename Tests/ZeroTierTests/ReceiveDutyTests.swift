// Every interleaving of the threads around the receive role. Read first: `ReceiveDutyModel`.

import Testing

@testable import ZeroTier

@Suite("Receive duty")
struct ReceiveDutyTests {
    /// What a search through all states found.
    private struct Findings {
        var states = 0
        var mostHolders = 0
        /// States that nothing leads out of although somebody still waits.
        var stuck: [DutyWorld] = []
    }

    // Depth first; a state that is met again while it is being left would be a loop that may go on for ever.
    private func explore(_ rules: DutyWorld.Rules, upTo mostStuck: Int = .max) -> Findings {
        var findings = Findings()
        var known: Set<DutyWorld> = []
        var open = [DutyWorld(rules)]
        known.insert(open[0])
        while findings.stuck.count < mostStuck, let world = open.popLast() {
            findings.states += 1
            findings.mostHolders = max(findings.mostHolders, world.holders)
            var isStuck = true
            for next in world.successors(rules) where next != world {
                isStuck = false
                if known.insert(next).inserted { open.append(next) }
            }
            if isStuck, !world.isComplete, findings.stuck.count < 3 { findings.stuck.append(world) }
        }
        return findings
    }

    @Test(
        "No datagram waits for ever, no wake-up is lost and one thread at most receives",
        arguments: [
            DutyWorld.Rules(threads: 1, calls: 2, mayEnd: true),
            DutyWorld.Rules(threads: 1, calls: 2, mayTimeOut: true),
            DutyWorld.Rules(threads: 2, calls: 1),
            DutyWorld.Rules(threads: 2, calls: 1, mayHandOver: false, mayEnd: true),
            DutyWorld.Rules(threads: 2, calls: 1, mayBeginShift: false, mayEnd: true),
            DutyWorld.Rules(threads: 2, calls: 1, mayBeginShift: false, mayTimeOut: true),
        ])
    func everyInterleaving(_ rules: DutyWorld.Rules) {
        let findings = explore(rules)
        #expect(findings.states > 1000)
        #expect(findings.mostHolders == 1)
        #expect(findings.stuck.isEmpty, "\(findings.stuck)")
    }

    @Test("A thread that forgets the wake-up that came as it left is found asleep for ever")
    func forgottenWake() {
        let findings = explore(
            DutyWorld.Rules(threads: 2, calls: 1, mayBeginShift: false, mayEnd: true, forgetsLastWake: true), upTo: 1)
        #expect(!findings.stuck.isEmpty)
    }
}
