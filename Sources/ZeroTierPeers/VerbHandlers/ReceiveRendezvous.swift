//  RENDEZVOUS: a root says where a peer is. The side that did not begin usually does not know the other yet: its
//  WHOIS is on the way. Unlike the reference we keep such an introduction until the identity is there.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receiveRendezvous(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        guard topology.peers[opened.peer].isUpstream else { return drop(.notUpstream) }
        guard let rendezvous = try? Rendezvous(decoding: payload) else { return drop(.malformed) }
        guard rendezvous.peer != identity.address, !rendezvous.peer.isReserved else { return drop(.malformed) }
        noteReceived(opened, now: now)
        guard topology.peers[opened.peer].rendezvousGate.allow(now.monotonic) else { return drop(.rendezvousLimit) }
        let socket = opened.path.socket(for: rendezvous.endpoint)
        guard let id = topology.lookUp(rendezvous.peer) else {
            let early = EarlyRendezvous(
                endpoint: rendezvous.endpoint, localSocket: socket, teller: opened.source, since: now.monotonic)
            guard lookup.park(early, for: rendezvous.peer) else { return drop(.noRoomToWait) }
            serviceLookup(now)
            return .handled
        }
        punch(to: rendezvous.endpoint, localSocket: socket, for: id, toldBy: opened.source, now: now)
        return .handled
    }

    /// Opens our NAT towards an endpoint with a datagram that does not reach it, then tries the endpoint.
    mutating func punch(
        to endpoint: SocketEndpoint, localSocket: Int32, for id: PeerID, toldBy root: Address, now: Now
    ) {
        guard shared.isAllowed(endpoint, for: topology.peers[id].address) else { return }
        // A path that works already needs no hole.
        let isAlive = topology.peers[id].isReached(at: endpoint, now.monotonic)
        let cost = ProtocolLimits.holePunchLength + ProtocolLimits.datagramOverheadIPv4
        if !isAlive, endpoint.address.isIPv4, pay(cost, for: id, toldBy: root) {
            let path = PhysicalPath(
                localSocket: localSocket, remote: endpoint, timeToLive: ProtocolLimits.holePunchTimeToLive)
            shared.enqueue(.datagram(shared.random.bytes(ProtocolLimits.holePunchLength), path), isWish: true)
        }
        topology.peers[id].probe(
            PhysicalPath(localSocket: localSocket, remote: endpoint), toldBy: root, now.monotonic)
        tryEndpoints(of: id, now)
    }
}
