//  Which packets we sent may be answered. An OK that quotes none of them is dropped; here the whole ID counts,
//  with the peer, the verb and a time limit.

import NetPrimitives
import ZeroTierWire

/// A request that may be answered.
struct ExpectedReply: Sendable {
    let peer: Address
    /// The verb that left.
    let verb: Verb
    let sentAt: MonotonicInstant
    /// Where the request was sent, when it went directly: only a reply from there confirms a path.
    let remote: SocketEndpoint?
    /// Whether the request was a datagram of full length, made to find out whether it arrives.
    var isLengthProbe = false
}

/// The requests of the last 30 seconds. An entry stays after its first answer: a HELLO sent from several sockets is
/// answered once for each.
struct ExpectedReplies: Sendable {
    private var entries: [PacketID: ExpectedReply] = [:]
    private var order: BoundedQueue<PacketID>

    init(limit: Int) {
        order = BoundedQueue(capacity: limit)
    }

    var count: Int { entries.count }

    mutating func add(_ id: PacketID, _ reply: ExpectedReply) {
        forgetOld(reply.sentAt)
        guard entries.updateValue(reply, forKey: id) == nil else { return }
        if let displaced = order.append(id) { entries[displaced] = nil }
    }

    /// The request that a peer's OK may quote.
    func find(_ id: PacketID, from peer: Address, _ now: MonotonicInstant) -> ExpectedReply? {
        guard let entry = entries[id], entry.peer == peer, now - entry.sentAt < ProtocolLimits.expectedReplyLife else {
            return nil
        }
        return entry
    }

    private mutating func forgetOld(_ now: MonotonicInstant) {
        while let id = order.first, let entry = entries[id],
            now - entry.sentAt >= ProtocolLimits.expectedReplyLife
        {
            _ = order.popFirst()
            entries[id] = nil
        }
    }
}
