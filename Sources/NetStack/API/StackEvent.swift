// Events for a stack's owner: edges, joined to one per batch and socket, and changes of membership.

package import NetPrimitives

/// Edges of one socket since its last event. An edge says "look again"; `NetworkStack.readiness(of:)` says what there
/// is.
package struct SocketEvents: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Bytes, a datagram or the end of the stream can be read; before, nothing could.
    package static let readable = SocketEvents(rawValue: 1)
    /// A third of the send space is free; before, less was.
    package static let writable = SocketEvents(rawValue: 2)
    /// The handshake is done.
    package static let connected = SocketEvents(rawValue: 4)
    /// A listener has a connection to give.
    package static let acceptable = SocketEvents(rawValue: 8)
    /// Both directions have ended.
    package static let closed = SocketEvents(rawValue: 16)
    /// An error is pending: see `NetworkStack.takeError`.
    package static let error = SocketEvents(rawValue: 32)
}

/// What can be done with a socket at this moment (level, not edge).
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A read would not block.
    package static let readable = Readiness(rawValue: 1)
    /// A write would not block.
    package static let writable = Readiness(rawValue: 2)
    /// An error is pending.
    package static let error = Readiness(rawValue: 4)
    /// Both directions have ended.
    package static let hangUp = Readiness(rawValue: 8)
    /// The peer has ended its direction, or the reading side was shut.
    package static let readHangUp = Readiness(rawValue: 16)
}

/// The answer to an echo request.
package struct EchoReply: Hashable, Sendable {
    /// Who answered.
    package let source: IPAddress
    /// As in the request.
    package let identifier: UInt16
    /// As in the request.
    package let sequence: UInt16
    /// Bytes of payload that came back.
    package let payloadLength: Int
    /// The reply's remaining hop limit.
    package let hopLimit: UInt8
    /// Time since the request was made.
    package let roundTrip: Duration
}

/// The stack's wishes to the link: frames to a group, or no more of them. Drain with `nextGroupChange()` before you pull bursts,
/// so that the link's messages about it leave with them.
package struct GroupChange: Hashable, Sendable {
    /// The interface that changed.
    package let interface: InterfaceID
    /// The group.
    package let group: LinkGroup
    /// Whether frames to it are wanted from now on.
    package let isJoined: Bool

    package init(_ interface: InterfaceID, _ group: LinkGroup, isJoined: Bool) {
        self.interface = interface
        self.group = group
        self.isJoined = isJoined
    }
}

/// An event for the stack's owner. Drain with `nextEvent()` after each call.
package enum StackEvent: Hashable, Sendable {
    /// Edges of a socket.
    case socket(SocketID, SocketEvents)
    /// Duplicate address detection ended without objection.
    case addressReady(InterfaceID, IPAddress)
    /// Another station, with this MAC, uses the address. `lost`: the address can no longer be used here.
    case addressConflict(InterfaceID, IPAddress, MACAddress, lost: Bool)
    /// A reply to `sendEcho`.
    case echoReply(EchoReply)
    /// An error came back for an echo request: (destination, identifier, sequence, from, error).
    case echoFailed(IPAddress, identifier: UInt16, sequence: UInt16, reporter: IPAddress, StackError)
    /// No answer within the request's time.
    case echoTimedOut(IPAddress, identifier: UInt16, sequence: UInt16)
}
