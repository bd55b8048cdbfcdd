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
    /// A private network on a controller that dies now and then.
    case controlled
    /// A private network with many members: 2,000 unless told otherwise.
    case crowd
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
    /// Members of a crowd.
    package static let crowd = 2000

    /// Runs one seed from start to end. `members`: of a crowd.
    package static func run(
        _ kind: ScenarioKind, seed: UInt64, fixture: IdentityFixture, members: Int = Scenario.crowd,
        logsDatagrams: Bool = false, log: ((String) -> Void)? = nil
    ) -> ScenarioResult {
        let simulation = Simulation(seed: seed, fixture: fixture)
        simulation.log = log
        simulation.logsDatagrams = logsDatagrams
        let summary: String
        switch kind {
        case .small: summary = SmallScenario(simulation).run()
        case .large: summary = LargeScenario(simulation).run()
        case .controlled: summary = ControlledScenario(simulation).run()
        case .crowd: summary = CrowdScenario(simulation, members: members).run()
        }
        return ScenarioResult(
            seed: seed, digest: simulation.digest, failures: simulation.failures, summary: summary)
    }
}

extension Simulation {
    /// The ad-hoc network that allows all TCP ports.
    package static let adHocNetwork = NetworkID(0xff00_00ff_ff00_0000)

    /// An ad-hoc network with IPv4, 45.x.y.z, where neighbours are found by multicast.
    package static let adHocNetworkIPv4 = NetworkID(0xff2d_0000_0000_0001)

    /// What networks are drawn from: two of each form.
    static let adHocNetworks = [
        adHocNetwork, adHocNetworkIPv4, NetworkID(0xff00_01ff_ff00_0000), NetworkID(0xff2e_0000_0000_0001),
    ]

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

extension NetworkID {
    /// Where a host is reached in an ad-hoc network.
    func virtualAddress(of host: SimulatedHost) -> IPAddress {
        let address = host.identity.address
        guard case .ipv4(let firstOctet, _) = AdHocNetwork(self) else { return sixPlaneAddress(of: address) }
        return IPAddress(v4: UInt32(firstOctet) << 24 | UInt32(truncatingIfNeeded: address.value & 0xff_ffff))
    }
}
