//  Every saved fuzz input, and a few thousand mutations of them, in every ordinary test run. A body traps on a finding.

import Foundation
import Testing

@testable import FuzzBodies

@Suite struct ReplayTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fuzz/Corpus")

    /// The saved inputs of a target, by name of file.
    static func corpus(_ target: FuzzTarget) -> [[UInt8]] {
        let files =
            (try? FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(target.name).path))
            ?? []
        return files.filter { !$0.hasPrefix(".") }.sorted().compactMap { name in
            (try? Data(contentsOf: folder.appendingPathComponent(target.name).appendingPathComponent(name))).map(
                Array.init)
        }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func `saved inputs run through without a finding`(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let inputs = Self.corpus(target)
        #expect(!inputs.isEmpty, "no corpus for \(name)")
        for input in inputs {
            #expect(input.count <= 4096, "a saved input that is longer than it should be")
            target.body(input)
        }
        target.body([])
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func `mutated inputs run through without a finding`(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let inputs = Self.corpus(target)
        var mutator = Mutator(seed: 1, limit: target.maximumLength)
        for _ in 0..<target.replayMutations { target.body(mutator.next(from: inputs)) }
    }

    @Test func `every folder of the corpus belongs to a target, and together they are small`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter { !$0.hasPrefix(".") }
        #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
        let bytes = FuzzTarget.all.reduce(0) { $0 + Self.corpus($1).reduce(0) { $0 + $1.count } }
        #expect(bytes < 1 << 20)
    }

    // Otherwise the target would only ever see the cipher refuse.
    @Test(arguments: [true, false])
    func `what the sealed target sends is authentic to the node`(_ isOld: Bool) {
        var scene = SealedScene(settings: 0)
        for sender in 0..<3 { scene.send([1, 2, 3], verb: 0x08, from: sender, isOld: isOld) }
        let suites = scene.harness.node.statistics.suites
        #expect((isOld ? suites.salsa : suites.gmacSIV) == 3)
        #expect(scene.harness.node.statistics.peerDrops[.badMAC] == 0)
    }

    @Test func `mutations depend on the seed alone`() {
        var first = Mutator(seed: 7, limit: 64)
        var second = Mutator(seed: 7, limit: 64)
        var other = Mutator(seed: 8, limit: 64)
        let corpus: [[UInt8]] = [[1, 2, 3], Array(0..<40)]
        let inputs = (0..<100).map { _ in first.next(from: corpus) }
        #expect(inputs == (0..<100).map { _ in second.next(from: corpus) })
        #expect(inputs != (0..<100).map { _ in other.next(from: corpus) })
        #expect(inputs.allSatisfy { $0.count <= 64 })
    }
}
