// What is wrong with a node, for its administrator.

import Synchronization
import ZeroTierNode
import ZeroTierPeers

extension Node {
    /// A clock that differs from a root's by less is not worth a word: nothing depends on it.
    private static let clockTolerance: Int64 = 5 * 60 * 1000

    /// What keeps this node or a network of its from working, the gravest first. None: nothing is known to be wrong.
    package func problems() throws(ZeroTierError) -> [ZeroTierError] {
        let stored = driver.storageFailures.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
        let (offline, ahead) = try driver.call { (core, _) throws(ZeroTierError) in
            (core.whyOffline, core.node.peers.rootClockAhead)
        }
        var problems = stored
        if let offline { problems.append(ZeroTierError(.noRootAnswered, offline)) }
        if let ahead, ahead.magnitude >= UInt64(Node.clockTolerance) {
            problems.append(
                ZeroTierError(
                    .failed,
                    "the clock of this machine is \(ahead.magnitude / 1000) s \(ahead > 0 ? "behind" : "ahead of") that of a "
                        + "root: set it, or members may not believe each other"))
        }
        return problems + (try networksWithProblems().compactMap(\.problem))
    }
}
