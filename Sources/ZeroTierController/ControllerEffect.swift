//  What the controller has for its owner: packets, news, answers, and work to be done elsewhere.

import NetPrimitives
package import ZeroTierWire

/// Names a change that somebody waits for; the caller chooses the number.
package struct AdministrationTicket: Hashable, Sendable {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
}

/// Something that an administrator may want to know. It is durable when it is told.
package enum ControllerEvent: Hashable, Sendable {
    /// A node that has no record, or is not let in, asks to be a member. Told once until it was silent for long.
    case memberWaiting(NetworkID, Address)
    /// A network was made, changed or deleted.
    case networkChanged(NetworkID)
    /// A member was made, changed or deleted.
    case memberChanged(NetworkID, Address)
    /// A member asked and got no address of a family that it wants: none is left in the pools. Told once, until it has one.
    case addressMissing(NetworkID, Address)
}

/// What this node is told as a member of its own network.
package enum SelfRefusal: Hashable, Sendable {
    case notFound
    case accessDenied
}

/// Something to be done at once, in order.
package enum ControllerEffect: Sendable {
    /// A packet for another node.
    case send(Verb, [UInt8], to: Address)
    /// A member has its configuration: its groups are kept and its gathers answered for a while.
    case authorise(Address, NetworkID)
    /// This node's configuration as a member of its own network.
    case configureSelf(NetworkConfig)
    case refuseSelf(NetworkID, SelfRefusal)
    /// The payload of NETWORK_CREDENTIALS, for this node as a member.
    case showSelf([UInt8])
    /// A change is durable, or why it was not made.
    case answer(AdministrationTicket, ControllerError?)
    case event(ControllerEvent)
}

/// Work that takes longer than a packet may. Its result comes back by `complete`.
package enum ControllerJob: Sendable {
    /// Write everything or nothing, durably. One at a time.
    case commit([RecordWrite], ControllerTicket)
    /// `SigningJob.run`, on any thread.
    case sign(SigningJob)
}

/// A node that asks for a network and that nobody let in.
package struct WaitingNode: Hashable, Sendable {
    package let address: Address
    /// When it asked first, Unix milliseconds.
    package let since: UInt64
}
