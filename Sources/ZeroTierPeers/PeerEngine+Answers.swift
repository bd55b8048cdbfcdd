//  Who is answered, and by which door. A datagram that proved nothing is answered within what it brought (`AnswerLedger`).

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// Answers on the path that a packet came by, in the batch that leaves with this receive call. Beyond the batch's room the answer
    /// is dropped and counted.
    ///
    /// This is the door of nearly all answers: such an answer takes no room in a queue, and a flood of questions delays nothing of
    /// ours. Two answers leave by the control queue instead, as wishes. OK(HELLO) to a stranger: the result of its validation comes by
    /// `complete`, when nothing is being received and there is no batch. OK(WHOIS) to an endpoint that proved nothing: it is longer
    /// than its question, so it goes where the peer is known to be.
    mutating func reply(
        _ verb: Verb, _ payload: [UInt8], to opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) {
        guard mayAnswer(opened, PacketHeader.payloadOffset + payload.count, now.monotonic) else {
            shared.drops.count(.unconfirmedEndpoint)
            return
        }
        let packet = OutgoingPacket(
            verb: verb, payload: payload, destination: opened.source, way: .path(opened.path),
            queuedAt: now.monotonic)
        switch emit(packet, into: &replies, now) {
        case .sent: break
        case .tooLong: shared.drops.count(.packetTooLong)
        case .full, .unreachable, .unknownPeer: shared.drops.count(.noRoomToReply)
        }
    }

    /// Whether the path that a packet came by answered us before: the peer's own, or for a relayed packet that of a root.
    mutating func isConfirmed(_ opened: OpenedPacket) -> Bool {
        isConfirmed(opened.path, of: opened.peer, hops: opened.hops)
    }

    /// The same for a path by which a packet of a peer came, after so many relays.
    mutating func isConfirmed(_ path: PhysicalPath, of id: PeerID, hops: Int) -> Bool {
        if hops == 0 { return topology.peers[id].pathIndex(path) != nil }
        return upstreamPeers.contains { topology.peers[$0].paths.contains { $0.matches(path) } }
    }

    /// Whether an answer of so many bytes may go where a packet came from.
    mutating func mayAnswer(_ opened: OpenedPacket, _ byteCount: Int, _ now: MonotonicInstant) -> Bool {
        isConfirmed(opened) || shared.answers.allow(byteCount, to: opened.path.remote, now)
    }
}
