//  What waits in the control queue.

import NetPrimitives
import ZeroTierWire

/// A packet that leaves through the control queue.
struct OutgoingPacket: Sendable {
    /// How it goes.
    enum Way: Sendable, Equatable {
        /// As `route` chooses.
        case best
        /// To this remote endpoint.
        case path(PhysicalPath)
        /// Through a root.
        case upstream
    }

    var verb: Verb
    /// Everything after the verb byte; for HELLO empty, it is written when it leaves.
    var payload: [UInt8]
    var isCompressed = false
    var destination: Address
    var way = Way.best
    /// Whether it is a HELLO that is filled up to the full length of a datagram.
    var isLengthProbe = false
    var queuedAt: MonotonicInstant
}

/// What the control queue holds.
enum ControlItem: Sendable {
    case packet(OutgoingPacket)
    /// A datagram that is complete as it is.
    case datagram([UInt8], PhysicalPath)
}
