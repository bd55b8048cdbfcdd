//  What a node tells its owner, piece by piece in each turn of its pump: see `Node+Pump`.

package import NetPrimitives
package import NetStack
package import ZeroTierController
package import ZeroTierEthernet
package import ZeroTierPeers
package import ZeroTierWire

/// A change worth telling.
package enum NodeEvent: Sendable {
    /// A root answers, or we are one.
    case online
    /// No root has answered for the online timeout.
    case offline
    /// A root knows another node with our address: this node cannot work and must be shut down.
    case identityCollision
    /// The peer is now reached directly.
    case peerDirect(Address, SocketEndpoint)
    /// The peer is now reached through a root only.
    case peerRelayed(Address)
    /// The peer does not answer any more, neither directly nor through a root.
    case peerUnreachable(Address)
    /// What became of a path to a peer.
    case path(Address, SocketEndpoint, PathChange)
    /// The peer was forgotten.
    case peerExpired(Address)
    /// A network's status changed.
    case networkStatus(NetworkID, NetworkStatus)
    /// A network's addresses, routes, MTU, name or DNS changed: read `Node.network(_:)`.
    case networkChanged(NetworkID)
    /// An address of ours came to a network, or went: the stack has it already, or no longer.
    case address(NetworkID, IPPrefix, isAdded: Bool)
    /// The same of a route.
    case route(NetworkID, NetworkRoute, isAdded: Bool)
    /// A network was left and its interface is gone, with its addresses and routes.
    case networkLeft(NetworkID)
    /// An address on a network can be used.
    case addressReady(NetworkID, IPAddress)
    /// Another member uses an address of ours.
    case addressConflict(NetworkID, IPAddress, MACAddress)
    /// Edges of a socket.
    case socket(SocketID, SocketEvents)
    /// A reply to `stack.sendEcho`.
    case echoReply(EchoReply)
    /// An error came back for an echo request.
    case echoFailed(IPAddress, identifier: UInt16, sequence: UInt16, reporter: IPAddress, StackError)
    /// No answer to an echo request within its time.
    case echoTimedOut(IPAddress, identifier: UInt16, sequence: UInt16)
    /// A message for the application, outside any network.
    case userMessage(from: Address, type: UInt64, data: [UInt8])
    /// Something happened to a network of this node's controller, or to a member.
    case controller(ControllerEvent)
    /// A change that an administrator wanted is durable, or why it was not made.
    case administered(AdministrationTicket, ControllerError?)
    /// A stored object is not what its name says, and was passed over.
    case falseRecord(StateObject)
    /// A state object is to be stored; it replaces the former one of that name.
    case store(StateObject, [UInt8])
    /// A state object is to be deleted.
    case delete(StateObject)
}

/// What a node keeps over restarts, besides its identity. The node sees bytes; where they are kept is the driver's choice.
package enum StateObject: Hashable, Sendable {
    /// The planet held: the original's `planet`.
    case planet
    /// A moon held: the original's `moons.d/<id>.moon`.
    case moon(UInt64)
    /// A peer's record: the original's `peers.d/<address>.peer`.
    case peer(Address)
    /// A joined network's configuration: the original's `networks.d/<id>.conf`.
    case network(NetworkID)
    /// What its owner lets its controller set: the original's `networks.d/<id>.local.conf`.
    case networkSettings(NetworkID)
}
