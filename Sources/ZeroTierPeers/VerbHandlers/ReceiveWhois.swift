//  WHOIS: who is behind an address. Any node answers for itself and the peers it knows.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receiveWhois(
        _ payload: [UInt8], _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        guard let whois = try? Whois(decoding: payload) else { return drop(.malformed) }
        noteReceived(opened, now: now)
        let isInTime =
            shared.roots.includesUs
            ? topology.peers[opened.peer].rootWhoisGate.allow(now.monotonic)
            : topology.peers[opened.peer].whoisGate.allow(now.monotonic)
        guard isInTime else { return drop(.whoisLimit) }
        // Only roots are asked for strangers. Two that both do not know an address would ask each other for ever.
        let passesOn =
            shared.roots.includesUs && !shared.roots.upstreams.isEmpty && !topology.peers[opened.peer].isUpstream
        var found: [Identity] = []
        var asked: Set<Address> = []
        for address in whois.addresses.prefix(ProtocolLimits.whoisAnswers) where asked.insert(address).inserted {
            if let known = identity(of: address) {
                found.append(known)
            } else if passesOn, !address.isReserved {
                // The asker tries again; by then a root above us may have answered.
                _ = lookup.request(address, for: opened.source, now.monotonic)
            }
        }
        serviceLookup(now)
        guard !found.isEmpty else { return .handled }
        let reply = OKHeader(inReplyTo: .whois, packetID: opened.packetID).payload(WhoisReply(found).encoded)
        if isConfirmed(opened) {
            self.reply(.ok, reply, to: opened, replies: &replies, now: now)
        } else {
            // The source of the datagram may be somebody else's, and the answer is much longer than the question: it goes
            // where the peer is known to be, as soon as that is known. So not by `reply`.
            topology.peers[opened.peer].enqueue(.ok, .best, payload: reply, isWish: true, &shared, now)
        }
        return .handled
    }
}
