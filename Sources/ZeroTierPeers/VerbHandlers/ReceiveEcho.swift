//  ECHO: keepalive and path probe; the reply carries the payload back.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receiveEcho(
        _ payload: [UInt8], _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        noteReceived(opened, now: now)
        let isAllowed: Bool
        if opened.hops == 0, let index = topology.peers[opened.peer].pathIndex(opened.path) {
            isAllowed = topology.peers[opened.peer].paths[index].echoGate.allow(now.monotonic)
        } else {
            isAllowed = topology.peers[opened.peer].otherEchoGate.allow(now.monotonic)
        }
        guard isAllowed else { return drop(.echoLimit) }
        // The asker finds its question by the number; where credit is short, the payload does not come back.
        var payload = payload
        if !isConfirmed(opened) {
            let room = answers.credit(of: opened.path.remote, now.monotonic) - ProtocolLimits.echoReplyLength
            if room < payload.count { payload = [] }
        }
        reply(.ok, Echo(payload).reply(to: opened.packetID), to: opened, replies: &replies, now: now)
        return .handled
    }
}
