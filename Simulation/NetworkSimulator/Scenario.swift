//  A topology and what befalls it, drawn from a seed: a safety phase with faults, in which nothing false may happen, then a
//  liveness phase without, in which all that can work must begin to, then silence, in which nothing more may be sent.

import NetPrimitives
package import ZeroTierWire

/// Which kind of network a seed draws.
package enum ScenarioKind: String, Sendable, CaseIterable {
    /// 2 to 20 nodes, 1 to 3 roots, everything drawn.
    case small
    /// 500 nodes and 3 roots.
    case large
}

/// What came of a seed.
package struct ScenarioResult: Sendable {
    package let seed: UInt64
    package let digest: TraceDigest
    package let failures: [String]
    /// Numbers for people.
    package let summary: String
}

/// Runs seeds.
package enum Scenario {
    /// Runs one seed from start to end.
    package static func run(
        _ kind: ScenarioKind, seed: UInt64, fixture: IdentityFixture, log: ((String) -> Void)? = nil
    ) -> ScenarioResult {
        let simulation = Simulation(seed: seed, fixture: fixture)
        simulation.log = log
        let summary: String
        switch kind {
        case .small: summary = SmallScenario(simulation).run()
        case .large: summary = LargeScenario(simulation).run()
        }
        return ScenarioResult(
            seed: seed, digest: simulation.digest, failures: simulation.failures, summary: summary)
    }
}

extension Simulation {
    /// The ad-hoc network that allows all TCP ports.
    package static let adHocNetwork = NetworkID(0xff00_00ff_ff00_0000)

    /// A number from a range.
    package func draw(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + random.next(below: range.upperBound - range.lowerBound + 1)
    }

    /// True once in so many.
    package func drawOne(in count: Int) -> Bool { random.next(below: count) == 0 }

    /// A member of a list.
    package func draw<Element>(from list: [Element]) -> Element { list[random.next(below: list.count)] }

    /// Adds all findings of a checker to the failures.
    package func failAll(_ findings: [String], _ heading: String) {
        for finding in findings { fail("\(heading): \(finding)") }
    }
}
