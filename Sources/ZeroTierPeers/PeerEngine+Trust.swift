//  Trust that a reply proved: the same bookkeeping as for any other packet of VL2.

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// A reply proved that its sender and we belong to one network.
    package mutating func noteTrust(_ reply: ReplyReceived, now: Now) {
        noteTrust(peer: reply.peer, path: reply.path, hops: reply.hops, now: now)
    }
}
