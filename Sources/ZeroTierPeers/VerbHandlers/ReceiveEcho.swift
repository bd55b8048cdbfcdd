//  ECHO: keepalive and path probe; the reply carries the payload back.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receiveEcho(
        _ payload: [UInt8], _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        var opened = opened
        let isAllowed = topology.peers[opened.peer].mayEcho(opened.path, isDirect: opened.hops == 0, now.monotonic)
        // The asker finds its question by the number; where credit is short, the payload does not come back.
        var payload = payload
        if !isConfirmed(opened) {
            // The answer first: what is left of the credit is for our own question. Of a root we asked more already, by HELLO.
            shared.answers.receive(opened.wireLength, from: opened.path.remote, now.monotonic)
            topology.peers[opened.peer].traffic.noteBytesReceived(opened.wireLength)
            opened.wireLength = 0
            let room =
                shared.answers.credit(of: opened.path.remote, now.monotonic) - ProtocolLimits.echoReplyLength
            if room < payload.count { payload = [] }
        }
        if isAllowed {
            reply(.ok, Echo(payload).reply(to: opened.packetID), to: opened, replies: &replies, now: now)
        }
        noteReceived(opened, now: now)
        guard isAllowed else { return drop(.echoLimit) }
        return .handled
    }
}
