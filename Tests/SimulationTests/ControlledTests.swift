//  Private networks on a controller of ours; `make simulate SCENARIO=controlled` runs as many as wanted.

import Testing

@testable import NetworkSimulator

struct ControlledTests {
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 26])
    func `who was let in reaches the others, and who was let out nobody`(seed: UInt64) throws {
        let fixture = try #require(Fixture.identities)
        let result = Scenario.run(.controlled, seed: seed, fixture: fixture)
        #expect(result.failures.isEmpty, "make simulate SCENARIO=controlled SEED=\(seed) COUNT=1: \(result.failures)")
    }

    @Test func `a crowd refuses who was let out right after the controller's start`() throws {
        let fixture = try #require(Fixture.identities)
        let result = Scenario.run(.crowd, seed: 1, fixture: fixture, members: 24)
        #expect(
            result.failures.isEmpty, "make simulate SCENARIO=crowd MEMBERS=24 SEED=1 COUNT=1: \(result.failures)")
    }

    @Test func `one seed gives one digest`() throws {
        let fixture = try #require(Fixture.identities)
        let first = Scenario.run(.controlled, seed: 9, fixture: fixture)
        #expect(first.digest == Scenario.run(.controlled, seed: 9, fixture: fixture).digest)
    }
}
