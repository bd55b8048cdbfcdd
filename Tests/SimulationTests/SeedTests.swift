//  Drawn networks: a handful of seeds; `make simulate` runs as many as wanted.

import NetPrimitives
import Testing

@testable import NetworkSimulator

struct SeedTests {
    @Test(arguments: [UInt64(1), 2, 3, 4, 5])
    func `a small network drawn from a seed keeps all promises`(seed: UInt64) throws {
        let fixture = try #require(Fixture.identities)
        let result = Scenario.run(.small, seed: seed, fixture: fixture)
        #expect(result.failures.isEmpty, "make simulate SEED=\(seed) COUNT=1")
    }

    @Test func `one seed gives one digest and another seed another`() throws {
        let fixture = try #require(Fixture.identities)
        let first = Scenario.run(.small, seed: 6, fixture: fixture)
        let again = Scenario.run(.small, seed: 6, fixture: fixture)
        let other = Scenario.run(.small, seed: 7, fixture: fixture)
        #expect(first.digest == again.digest)
        #expect(first.digest != other.digest)
    }
}
