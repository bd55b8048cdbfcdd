//  Asking who is behind an address: WHOIS, and what waits for its answer.

package import NetPrimitives
package import ZeroTierWire

extension PeerEngine {
    /// Asks for the identity of an address; `identityLearned` tells when it is there. True if it is known already. `isNamed`: others
    /// named the address, so the question has no more than their share of the room.
    package mutating func requestIdentity(_ address: Address, isNamed: Bool = false, now: Now) -> Bool {
        guard address != identity.address, !address.isReserved else { return address == identity.address }
        if topology.lookUp(address) != nil { return true }
        _ = lookup.request(address, isNamed: isNamed, now.monotonic)
        serviceLookup(now)
        return false
    }

    /// Asks what is due, gives up what waited too long.
    mutating func serviceLookup(_ now: Now) {
        let expired = lookup.expire(now.monotonic)
        for _ in 0..<expired.inbound { shared.drops.count(.senderUnknown) }
        for _ in 0..<expired.outbound { shared.drops.count(.destinationUnreachable) }
        recall(now)
        // What the gate holds back stays due, and goes together in the next packet.
        if let upstream = bestUpstream(now.monotonic), lookup.hasDue(now.monotonic), whoisGate.allow(now.monotonic) {
            let other = bestUpstream(except: upstream, now.monotonic)
            ask(
                upstream,
                for: lookup.due(
                    now.monotonic, of: topology.peers[upstream].address, refused: other == nil ? nil : false), now)
            if let other {
                // Of whom the best root told something false, another one is asked.
                ask(other, for: lookup.due(now.monotonic, of: topology.peers[upstream].address, refused: true), now)
            }
        }
        scheduleLookup(now)
    }

    private mutating func ask(_ root: PeerID, for addresses: [Address], _ now: Now) {
        guard !addresses.isEmpty else { return }
        topology.peers[root].enqueue(.whois, .best, payload: Whois(addresses).encoded, &shared, now)
    }

    private mutating func scheduleLookup(_ now: Now) {
        guard let next = lookup.nextDeadline else {
            shared.timers.cancel(.lookup)
            return
        }
        // Without a root nothing can be asked; the ends of waits still count.
        let earliest =
            bestUpstream(now.monotonic) == nil
            ? now.monotonic + ProtocolLimits.retryTick
            : max(now.monotonic + .milliseconds(1), whoisGate.nextAllowed(now.monotonic))
        shared.timers.schedule(.lookup, at: max(next, earliest))
    }

    // MARK: Waiting

    /// Keeps a stranger's packet and asks who that is.
    mutating func park(
        _ bytes: [UInt8], header: PacketHeader, path: PhysicalPath, now: Now
    ) -> Opened {
        guard !header.source.isReserved else { return drop(.reservedSource) }
        let packet = WaitingPacket(bytes: bytes, path: path, since: now.monotonic)
        guard let dropped = lookup.park(packet, from: header.source) else { return drop(.noRoomToWait) }
        for _ in 0..<dropped { shared.drops.count(.noRoomToWait) }
        serviceLookup(now)
        return .handled
    }

    /// Keeps a packet until its destination is known.
    mutating func parkOutgoing(_ packet: OutgoingPacket, _ now: Now) {
        guard let dropped = lookup.park(packet) else {
            shared.drops.count(.destinationUnreachable)
            return
        }
        for _ in 0..<dropped { shared.drops.count(.destinationUnreachable) }
        serviceLookup(now)
    }
}
