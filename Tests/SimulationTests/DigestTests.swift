//  Same seed, same digest, in two processes. Within one process that proves little: Swift seeds its hashes per process, so
//  whatever follows the order of a dictionary or set follows it the same way all the time there.

import Foundation
import NetPrimitives
import Testing

@testable import NetworkSimulator

struct DigestTests {
    // Many nodes in two networks: much that could follow an order.
    private static let seeds: [UInt64] = [52, 57, 167]

    /// The order of a set of this process, and the digests of all seeds.
    private static func report() throws -> [String] {
        let fixture = try #require(Fixture.identities)
        let order = Set(0..<64).map(String.init).joined(separator: ",")
        return [order] + seeds.map { "digest \(Scenario.run(.small, seed: $0, fixture: fixture).digest)" }
    }

    @Test func `a seed has the same digest in a process whose hashes are seeded differently`() async throws {
        async let ours = DigestTests.report()
        let result = try await #require(
            processExitsWith: .success, observing: [\.standardOutputContent]
        ) {
            let lines = try DigestTests.report().joined(separator: "\n")
            FileHandle.standardOutput.write(Data((lines + "\n").utf8))
        }
        let text = String(decoding: result.standardOutputContent, as: UTF8.self)
        let theirs = text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("digest ") }
        let expected = try await ours
        #expect(!text.contains(expected[0]), "both processes order sets alike: nothing can be found")
        #expect(theirs == Array(expected.dropFirst()))
        #expect(Set(theirs).count == DigestTests.seeds.count)
    }
}
