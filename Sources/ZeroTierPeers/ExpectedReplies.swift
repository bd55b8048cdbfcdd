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
    /// The local sockets at which the endpoint that was asked has answered, and those at which another one has: a bit for each,
    /// by its number modulo 64.
    fileprivate var answered: UInt64 = 0
    fileprivate var answeredElsewhere: UInt64 = 0

    /// Whether any answer came.
    var isAnswered: Bool { answered | answeredElsewhere != 0 }
}

extension ExpectedReply {
    init(
        peer: Address, verb: Verb, sentAt: MonotonicInstant, remote: SocketEndpoint?, isLengthProbe: Bool = false
    ) {
        self.peer = peer
        self.verb = verb
        self.sentAt = sentAt
        self.remote = remote
        self.isLengthProbe = isLengthProbe
    }
}

/// The requests of the last 30 seconds. An entry stays after its first answer: a HELLO sent from several sockets is
/// answered once for each, and a recorded answer from elsewhere does not take the place of the true one.
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

    /// The request that an OK quotes, which came by a path and `isDirect`ly: once for each endpoint.
    mutating func take(
        _ id: PacketID, from peer: Address, _ path: PhysicalPath, isDirect: Bool, _ now: MonotonicInstant
    ) -> ExpectedReply? {
        guard var entry = find(id, from: peer, now) else { return nil }
        let before = entry
        let bit = UInt64(1) << UInt64(UInt32(bitPattern: path.localSocket) % 64)
        if isDirect, entry.remote == path.remote {
            guard entry.answered & bit == 0 else { return nil }
            entry.answered |= bit
        } else {
            guard entry.answeredElsewhere & bit == 0 else { return nil }
            entry.answeredElsewhere |= bit
        }
        entries[id] = entry
        return before
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
