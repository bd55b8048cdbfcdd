// The lock of generation 2's queries by index: one thread at a time has it, and reads a snapshot while the node goes on.

package import ZeroTier

/// The snapshot, and who reads it.
struct QuerySnapshot: Sendable {
    /// The holder; nil if the lock is free.
    var owner: UInt?
    /// The node that was asked. The lock ends with it: its holder may have ended without letting go.
    var node: Node?
    var networks: [NetworkDetails] = []
    var peers: [PeerStatus] = []
}

extension LibraryNode {
    /// Waits for the lock, and takes a snapshot of that moment. A thread that has the lock gets a newer snapshot. False if the node
    /// ends first. `thread`: a number that the calling thread shares with no other.
    package func obtainQueries(by thread: UInt) throws(ZeroTierError) -> Bool {
        let node = queries.wait { snapshot -> Node?? in
            guard let current = self.node else { return .some(nil) }
            if let owner = snapshot.owner, owner != thread, snapshot.node === current { return nil }
            snapshot = QuerySnapshot(owner: thread, node: current)
            return current
        }
        guard let node else { return false }
        do throws(ZeroTierError) {
            let (networks, peers) = (try node.networkDetails(), try node.peers())
            queries.withLock { snapshot in
                guard snapshot.owner == thread, snapshot.node === node else { return }
                snapshot.networks = networks
                snapshot.peers = peers
            }
            return true
        } catch {
            _ = releaseQueries(by: thread)
            throw error
        }
    }

    /// Lets the lock go. False if the thread does not have it.
    package func releaseQueries(by thread: UInt) -> Bool {
        queries.withLock { snapshot in
            guard snapshot.owner == thread else { return false }
            snapshot = QuerySnapshot()
            return true
        }
    }

    /// What was known of networks and peers when a thread got the lock; nil if it does not have it, or for another node.
    package func queriesHeld(
        by thread: UInt, of node: Node
    ) -> (networks: [NetworkDetails], peers: [PeerStatus])? {
        queries.withLock { snapshot in
            snapshot.owner == thread && snapshot.node === node ? (snapshot.networks, snapshot.peers) : nil
        }
    }

    /// The node may be another one, or have ended: then so has the lock, and who waits for it looks again.
    func dropQueries() {
        queries.withLock { [self] snapshot in
            if snapshot.node !== node { snapshot = QuerySnapshot() }
        }
    }
}
