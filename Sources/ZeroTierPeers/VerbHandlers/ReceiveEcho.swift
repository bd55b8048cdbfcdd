//  ECHO: keepalive and path probe; the reply carries the payload back.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receiveEcho(
        _ payload: [UInt8], _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        noteReceived(opened, now: now)
        guard
            topology.peers[opened.peer].mayEcho(opened.path, isDirect: opened.hops == 0, now.monotonic)
        else { return drop(.echoLimit) }
        // The asker finds its question by the number; where credit is short, the payload does not come back.
        var payload = payload
        if !isConfirmed(opened) {
            let room =
                shared.answers.credit(of: opened.path.remote, now.monotonic) - ProtocolLimits.echoReplyLength
            if room < payload.count { payload = [] }
        }
        reply(.ok, Echo(payload).reply(to: opened.packetID), to: opened, replies: &replies, now: now)
        return .handled
    }
}
