// The other end of a connection.

import NetPrimitives

/// The other end of a connection, as far as this node knows it.
public struct ConnectionPeer: Hashable, Sendable {
    /// Its address and port on the virtual network.
    public var endpoint: SocketEndpoint
    /// The network; nil for a connection of the node with itself.
    public var network: NetworkID?
    /// This node sends its packets for that address to this one, so no other can answer them. It has proved that it has the
    /// secret of its identity. Nil if that is not known at this moment, or if the address is behind a bridge. The network
    /// decides whether a member may use the address: by its rules, or by what its controller assigns.
    public var node: NodeID?
    /// The node's public identity. Nil while it is not known, and for a peer that was forgotten.
    public var identity: Identity?
    /// How the node is reached. Nil when `identity` is.
    public var status: PeerStatus?
}

extension StreamSocket {
    /// Tells who is at the other end now. Throws only `nodeStopped`. After the connection has ended it says what is still
    /// known.
    public func peer() throws(ZeroTierError) -> ConnectionPeer {
        try driver.call { [localEndpoint, remoteEndpoint] (core, now) throws(ZeroTierError) in
            core.peer(at: remoteEndpoint, from: localEndpoint.address, now: now)
        }
    }
}
