//  Trust that a reply proved: the same bookkeeping as for any other packet of VL2.

package import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// A reply proved that its sender and we belong to one network.
    package mutating func noteTrust(_ reply: ReplyReceived, now: Now) {
        noteTrust(
            OpenedPacket(
                peer: reply.peer, source: reply.source, verb: reply.errorCode == nil ? .ok : .error,
                packetID: reply.inRePacketID, hops: reply.hops, path: reply.path, payloadOffset: 0, payloadLength: 0),
            now: now)
    }
}
