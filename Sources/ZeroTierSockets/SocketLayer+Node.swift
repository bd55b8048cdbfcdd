// The node under a layer's sockets: attached, taken away, started again with all connections.

package import ZeroTier

extension SocketLayer {
    /// From now on calls go to this node. Sockets of the node before are dead, as after `detach`.
    package func attach(_ node: Node) {
        attachment.attach(SocketPort(node))
        wakeAll()
    }

    /// The node is about to be stopped: pending calls return ENETDOWN, and so do later ones.
    package func detach() {
        attachment.detach()
        wakeAll()
    }

    /// Stops the attached node and starts another in its place, which takes over the sockets with all connections.
    /// Blocked calls go on waiting meanwhile. The configuration should have the same identity and know the same networks:
    /// a socket that is bound to an address that the new node does not have fails with ENETDOWN. If the start fails, all
    /// sockets are dead. Blocks as long as stop and start take. Must not be called on a thread of the node.
    package func restart(_ configuration: Node.Configuration) throws(ZeroTierError) -> Node {
        defer { wakeAll() }
        return try attachment.restart(configuration)
    }
}
