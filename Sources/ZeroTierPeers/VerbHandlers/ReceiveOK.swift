//  OK and ERROR: replies. OK counts only when it quotes something we sent to that peer.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receiveOK(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        var reader = WireReader(payload)
        guard let inRe = try? OKHeader(from: &reader) else { return drop(.malformed) }
        let body = reader.rest()
        guard let asked = expected.find(inRe.packetID, from: opened.source, now.monotonic),
            asked.verb.mayBeAnswered(quoting: inRe.inReplyTo)
        else { return drop(.unexpectedReply) }
        // An answer that cannot be used is none: the question stays open.
        switch asked.verb {
        case .hello:
            guard let reply = try? HelloReply(decoding: body) else { return drop(.malformed) }
            guard reply.protocolVersion >= ProtocolLimits.minimumProtocolVersion else { return drop(.oldProtocol) }
            guard let answered = takeAnswer(inRe, opened, now) else { return drop(.unexpectedReply) }
            receiveHelloReply(reply, opened, answered.request, confirms: answered.confirms, now: now)
        case .echo:
            guard let answered = takeAnswer(inRe, opened, now) else { return drop(.unexpectedReply) }
            noteReceived(opened, confirms: answered.confirms, now: now)
            if answered.confirms { noteRoundTrip(opened, now.monotonic - answered.request.sentAt) }
        case .whois:
            guard topology.peers[opened.peer].isUpstream else { return drop(.notUpstream) }
            guard let reply = try? WhoisReply(decoding: body) else { return drop(.malformed) }
            guard let answered = takeAnswer(inRe, opened, now) else { return drop(.unexpectedReply) }
            receiveWhoisReply(reply, opened, confirms: answered.confirms, now: now)
        default:
            guard let answered = takeAnswer(inRe, opened, now) else { return drop(.unexpectedReply) }
            noteReceived(opened, confirms: answered.confirms, now: now)
            report(inRe, to: asked, body, opened)
        }
        return .handled
    }

    /// What an answer answers, once for each endpoint that it comes from; and whether it is the endpoint that was asked: the
    /// two-step rule of path learning.
    private mutating func takeAnswer(
        _ inRe: OKHeader, _ opened: OpenedPacket, _ now: Now
    ) -> (request: ExpectedReply, confirms: Bool)? {
        let answered = expected.take(
            inRe.packetID, from: opened.source, opened.path, isDirect: opened.hops == 0, now.monotonic)
        return answered.map { ($0, opened.hops == 0 && $0.remote == opened.path.remote) }
    }

    private mutating func report(_ inRe: OKHeader, to asked: ExpectedReply, _ body: [UInt8], _ opened: OpenedPacket) {
        shared.emit(
            .okReceived(
                ReplyReceived(
                    peer: opened.peer, source: opened.source, inReVerb: asked.verb, inRePacketID: inRe.packetID,
                    askedAt: asked.sentAt, error: nil, payload: body, hops: opened.hops, path: opened.path)))
    }

    private mutating func receiveHelloReply(
        _ reply: HelloReply, _ opened: OpenedPacket, _ request: ExpectedReply, confirms: Bool, now: Now
    ) {
        let id = opened.peer
        topology.peers[id].noteVersion(reply, askedAt: request.sentAt)
        noteReceived(opened, confirms: confirms, now: now)
        if confirms { noteRoundTrip(opened, now.monotonic - request.sentAt) }
        if request.isLengthProbe, topology.peers.contains(id) {
            topology.peers[id].noteLengthProbe(request, now.monotonic)
        }
        if opened.hops == 0, let surface = reply.surfaceAddress {
            noteSurface(surface, reporter: id, path: opened.path, now)
        }
        // From anybody else the worlds are passed over unread.
        if shared.roots.mayTeachWorlds(opened.source), let worlds = try? reply.worlds() {
            for world in worlds { offerWorld(world, now: now) }
        }
    }

    /// A round trip on the path that the packet came by, measured by our own clock.
    private mutating func noteRoundTrip(_ opened: OpenedPacket, _ sample: Duration) {
        guard topology.peers.contains(opened.peer) else { return }
        topology.peers[opened.peer].noteRoundTrip(sample, by: opened.path)
    }

    private mutating func receiveWhoisReply(
        _ reply: WhoisReply, _ opened: OpenedPacket, confirms: Bool, now: Now
    ) {
        noteReceived(opened, confirms: confirms, now: now)
        for foreign in reply.identities.prefix(ProtocolLimits.whoisAddressesPerPacket) {
            // A known identity stays, and what nobody asked for is not kept.
            guard topology.lookUp(foreign.address) == nil, lookup.isAsking(foreign.address),
                validation.result(for: foreign) != false
            else { continue }
            if validation.result(for: foreign) == true {
                if addPeer(foreign, role: .leaf, now) == nil { shared.drops.count(.peerTableFull) }
            } else if validation.wish(foreign, toldBy: opened.source, now.monotonic) {
                // Nobody is believed: what waits for the identity waits for its validation too. Without room the address is
                // asked for again.
                lookup.hold(foreign.address)
            }
        }
        serviceValidation(now)
        serviceLookup(now)
    }

    mutating func receiveError(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        guard let error = try? ErrorReply(decoding: payload) else { return drop(.malformed) }
        counters.noteErrorReceived(error.reason.number)
        let inRe = error.header
        if inRe.inReplyTo == .hello, error.reason == .identityCollision, topology.peers[opened.peer].role == .planet {
            // Whoever recorded a refusal can send it again: it has to be about a HELLO of now.
            guard expected.find(inRe.packetID, from: opened.source, now.monotonic)?.verb == .hello else {
                return drop(.unexpectedReply)
            }
            // A root that says so does not serve us: the node is not online by it.
            // Told once; if there was no room for the event, with the next refusal.
            if !hasCollision { hasCollision = shared.emit(.identityCollision) }
            return .handled
        }
        // A refusal of a configuration that was recorded before it was granted.
        let askedAt = expected.find(inRe.packetID, from: opened.source, now.monotonic)?.sentAt
        if inRe.inReplyTo == .networkConfigRequest, askedAt == nil { return drop(.unexpectedReply) }
        noteReceived(opened, now: now)
        if inRe.inReplyTo == .hello { return .handled }
        shared.emit(
            .errorReceived(
                ReplyReceived(
                    peer: opened.peer, source: opened.source, inReVerb: inRe.inReplyTo, inRePacketID: inRe.packetID,
                    askedAt: askedAt, error: error, payload: [], hops: opened.hops, path: opened.path)))
        return .handled
    }
}
