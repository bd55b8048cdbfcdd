//  The fixture, and small worlds for named scenarios.

import Foundation
import NetPrimitives
import Testing

@testable import NetworkSimulator

enum Fixture {
    /// The committed identities, read once.
    static let identities: IdentityFixture? = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Simulation/Fixtures/identities.txt").path
        return FileManager.default.contents(atPath: path).flatMap {
            IdentityFixture(text: String(decoding: $0, as: UTF8.self))
        }
    }()
}

/// A world with one root and hosts that are all members of one network.
func makeWorld(seed: UInt64 = 1, roots: Int = 1) throws -> Simulation {
    let simulation = Simulation(seed: seed, fixture: try #require(Fixture.identities))
    for _ in 0..<roots { simulation.addRoot() }
    simulation.makePlanet()
    for root in simulation.hosts { simulation.start(root) }
    return simulation
}

extension Simulation {
    /// Adds a host, joins it and starts it.
    func addMember(
        _ placement: Placement, link: LinkModel = LinkModel(latency: .milliseconds(10)), ports: [UInt16] = [9993]
    ) -> SimulatedHost {
        let host = addHost(at: placement, link: link, ports: ports)
        join(host, Simulation.adHocNetwork)
        start(host)
        return host
    }

    /// Adds a host behind a translator of its own.
    func addMember(_ kind: NATKind) -> SimulatedHost { addMember(.behind(nat: addNAT(NATModel(kind)))) }

    /// Lets two hosts ping each other.
    func pingBothWays(_ first: SimulatedHost, _ second: SimulatedHost) {
        workload.ping(from: first, to: second, on: Simulation.adHocNetwork, self)
        workload.ping(from: second, to: first, on: Simulation.adHocNetwork, self)
    }

    /// Whether every pair that pings is as the oracle says, with answers within the last two seconds.
    var isAsExpected: Bool { ReachabilityChecker.differences(self, fresh: .seconds(2)).isEmpty }
}
