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
            drops.count(.unconfirmedEndpoint)
            return
        }
        let packet = OutgoingPacket(
            verb: verb, payload: payload, destination: opened.source, way: .path(opened.path),
            queuedAt: now.monotonic)
        switch emit(packet, into: &replies, now) {
        case .sent: break
        case .tooLong: drops.count(.packetTooLong)
        case .full, .unreachable, .unknownPeer: drops.count(.noRoomToReply)
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
        isConfirmed(opened) || answers.allow(byteCount, to: opened.path.remote, now)
    }

    /// Asks an endpoint that proved nothing to answer, with no more bytes than came from it. `isNewest`: a HELLO newer than all
    /// before came from there.
    mutating func confirm(_ path: PhysicalPath, of id: PeerID, isNewest: Bool, now: Now) {
        let time = now.monotonic
        // A HELLO also asks for the version; ECHO is shorter than any packet that may ask for it.
        let helloLength = helloLength(to: path.remote)
        let isHello =
            !topology.peers[id].answersEchoPerPath && answers.credit(of: path.remote, time) >= helloLength
        // One of this implementation can answer an ECHO from an endpoint that proved nothing only if it pays for the answer.
        let filling = !isHello && topology.peers[id].answersPaidEcho ? OKHeader.size : 0
        let length = isHello ? helloLength : PacketHeader.payloadOffset + filling
        guard answers.credit(of: path.remote, time) >= length,
            topology.peers[id].mayConfirm(path, isNewest: isNewest, time),
            answers.allow(length, to: path.remote, time)
        else { return }
        enqueue(
            isHello ? .hello : .echo, [UInt8](repeating: 0, count: filling), to: id, .path(path),
            isWish: true, now: now)
    }

    /// Bytes of our HELLO to an endpoint.
    func helloLength(to remote: SocketEndpoint) -> Int {
        let moons = roots.moons.count + roots.seeds.count
        return PacketHeader.payloadOffset + 13 + Identity.publicSize + PhysicalAddressCodec.length(of: remote) + 16 + 2
            + moons * 17 + Hello.promisesSize
    }
}
