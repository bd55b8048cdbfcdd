//  USER_MESSAGE: bytes for the application.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    /// USER_MESSAGE: for the application.
    mutating func receiveUserMessage(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        guard let message = try? UserMessage(decoding: payload) else { return drop(.malformed) }
        noteReceived(opened, now: now)
        guard topology.peers[opened.peer].userMessageGate.allow(now.monotonic) else { return drop(.userMessageLimit) }
        shared.emit(.userMessage(from: opened.source, type: message.type, data: message.data))
        return .handled
    }
}
