//  Access lines that lose long datagrams: bulk data must flow within three seconds all the same.

import NetPrimitives
import Testing

@testable import NetworkSimulator

/// Which directions of a line are small.
enum Narrow: CaseIterable, Sendable {
    case both, up, down

    func limit(_ host: SimulatedHost, to largest: Int) {
        host.limitDatagrams(up: self == .down ? 0 : largest, down: self == .up ? 0 : largest)
    }
}

struct SmallPathTests {
    // The last is what the least MTU of IPv6 leaves.
    static let lengths = [1400, 1300, 1232]

    /// Moves data both ways, and says how much the server and the client had after three seconds.
    private func flow(
        _ simulation: Simulation, _ first: SimulatedHost, _ second: SimulatedHost
    ) -> (forth: Int, back: Int) {
        // The pair is acquainted by short packets, so that the seconds count the bulk alone.
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(8))
        simulation.workload.transfer(
            300_000, reply: 0, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
        simulation.workload.transfer(
            8, reply: 300_000, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
        simulation.run(for: .seconds(3))
        let transfers = simulation.workload.transfers
        return (transfers[0].received, transfers[1].replyReceived)
    }

    @Test(arguments: lengths, Narrow.allCases)
    func `bulk data flows over a small direct path within three seconds`(largest: Int, narrow: Narrow) throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.portRestricted)
        narrow.limit(second, to: largest)
        simulation.run(for: .seconds(3))
        let flow = flow(simulation, first, second)
        #expect(simulation.isAsExpected && simulation.reach(first, second) == .direct)
        #expect(flow.forth > 100_000 && flow.back > 100_000, "\(flow)")
        #expect(simulation.run(for: .seconds(30)) { $0.workload.openTransfers.isEmpty })
        #expect(simulation.failures.isEmpty)
    }

    @Test(arguments: lengths, Narrow.allCases)
    func `bulk data flows through a root behind whom the path is small within three seconds`(
        largest: Int, narrow: Narrow
    ) throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.symmetric)
        let second = simulation.addMember(.symmetric)
        narrow.limit(second, to: largest)
        simulation.run(for: .seconds(3))
        let flow = flow(simulation, first, second)
        #expect(simulation.isAsExpected && simulation.reach(first, second) == .relayed)
        #expect(flow.forth > 100_000 && flow.back > 100_000, "\(flow)")
        #expect(simulation.run(for: .seconds(30)) { $0.workload.openTransfers.isEmpty })
        #expect(simulation.failures.isEmpty)
    }

    @Test func `a path that gets better is used in full again`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        second.limitDatagrams(up: 1300, down: 1300)
        simulation.run(for: .seconds(3))
        _ = flow(simulation, first, second)
        #expect(first.longestSince(simulation) { $0.run(for: .seconds(5)) } <= 1200)
        second.limitDatagrams(up: 0, down: 0)
        simulation.run(for: .seconds(600))
        for _ in 0..<2 {
            simulation.workload.transfer(
                1_000_000, reply: 0, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
            #expect(simulation.run(for: .seconds(10)) { $0.workload.openTransfers.isEmpty })
        }
        let longest = first.longestSince(simulation) { simulation in
            simulation.workload.transfer(
                100_000, reply: 0, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
            simulation.run(for: .seconds(5))
        }
        #expect(longest == 1427)
        #expect(simulation.failures.isEmpty)
    }
}

extension SimulatedHost {
    /// The longest datagram that the host sends meanwhile.
    func longestSince(_ simulation: Simulation, _ body: (Simulation) -> Void) -> Int {
        longestDatagram = 0
        body(simulation)
        return longestDatagram
    }
}
