//  What the VL1 machine tells its owner, drained by `nextEvent()` after each call.

package import NetPrimitives
package import ZeroTierWire

/// A reply to a packet of VL2, or an error about one.
package struct ReplyReceived: Sendable, Equatable {
    /// The peer that sent it.
    package var peer: PeerID
    /// That peer's address.
    package var source: Address
    /// The verb of our packet that it answers, whatever an OK quotes (the original quotes ECHO for NETWORK_CONFIG); of an
    /// ERROR the verb that it quotes.
    package var inReVerb: Verb
    /// The ID of the packet it answers, as that was on the wire.
    package var inRePacketID: PacketID
    /// When that packet left; nil of an ERROR that answers none of the last 30 s.
    package var askedAt: MonotonicInstant?
    /// What an ERROR says; nil for OK.
    package var error: ErrorReply?
    /// What follows the in-re fields of an OK.
    package var payload: [UInt8]
    /// How often the reply was relayed.
    package var hops: Int
    /// Where the reply came from.
    package var path: PhysicalPath
}

/// A change worth telling.
package enum PeerEvent: Sendable, Equatable {
    /// A root answers (or we are one).
    case online
    /// No root has answered for the online timeout.
    case offline
    /// The identity of an address became known.
    case identityLearned(Address)
    /// The peer is now reached directly.
    case peerDirect(Address, PhysicalPath)
    /// The peer is now reached through a root only.
    case peerRelayed(Address)
    /// The peer does not answer any more, neither directly nor through a root.
    case peerUnreachable(Address)
    /// What became of a path to a peer.
    case path(Address, SocketEndpoint, PathChange)
    /// The identity in a stored record does not follow from its keys.
    case falseRecord(Address)
    /// The peer was forgotten; `record` is what `importPeer` takes, nil for a stranger, which is not worth a file.
    case peerExpired(Address, record: [UInt8]?)
    /// A root knows another node with our address: the node cannot work and must stop.
    case identityCollision
    /// A planet was adopted or updated: to be stored.
    case planetUpdated(encoded: [UInt8])
    /// A moon was adopted or updated: to be stored.
    case moonUpdated(id: UInt64, encoded: [UInt8])
    /// OK to a packet of VL2.
    case okReceived(ReplyReceived)
    /// ERROR about a packet of VL2.
    case errorReceived(ReplyReceived)
    /// A message for the application.
    case userMessage(from: Address, type: UInt64, data: [UInt8])
}

/// Work that takes too long for the packet path: done elsewhere, its result given to `complete`.
package enum PeerJob: Sendable {
    /// Run `identity.validate()`.
    case validate(Identity, ticket: JobTicket)
}

/// Names a job.
package struct JobTicket: Hashable, Sendable {
    package let value: UInt64
    init(_ value: UInt64) { self.value = value }
}
