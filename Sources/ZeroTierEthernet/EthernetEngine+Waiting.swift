//  Packets that wait for a credential or an identity: kept, asked for, tried again or given up.

import NetPrimitives
import ZeroTierWire

extension EthernetEngine {
    mutating func park(
        _ verb: Verb, _ payload: [UInt8], from source: Address, packetID: PacketID, network: NetworkID?,
        reason: HeldPacket.Reason, isReply: Bool = false, _ now: Now
    ) {
        let packet = HeldPacket(
            verb: verb, payload: payload, source: source, packetID: packetID, network: network, reason: reason,
            expires: now.monotonic + EthernetLimits.waitingLife, isReply: isReply)
        for _ in 0..<waiting.append(packet) { shared.count(.waitingQueueFull) }
        if deadlines.deadline(of: .waiting) == nil {
            deadlines.schedule(.waiting, at: now.monotonic + EthernetLimits.credentialRequestInterval)
        }
    }

    /// Asks a peer for its credentials, at most twice a second.
    mutating func requestCredentials(
        _ verb: Verb, _ packetID: PacketID, from source: Address, _ id: NetworkID, _ now: Now
    ) {
        guard
            shared.pass(.credentialRequest(source, id), EthernetLimits.credentialRequestInterval, now)
        else { return }
        shared.sendError(verb, packetID, .needMembershipCertificate(id), to: source)
    }

    /// Every half second while packets wait: gives up the old ones, asks again for what the others need.
    mutating func tickWaiting(_ now: Now) {
        let expired = waiting.take { $0.expires <= now.monotonic }
        for _ in expired { shared.count(.waitingTimedOut) }
        for packet in waiting.packets {
            switch packet.reason {
            case .credentials:
                if let network = packet.network {
                    requestCredentials(packet.verb, packet.packetID, from: packet.source, network, now)
                }
            case .identity(let address): shared.wantAgain(address)
            }
        }
        guard !waiting.isEmpty else { return }
        deadlines.schedule(.waiting, at: now.monotonic + EthernetLimits.credentialRequestInterval)
    }

    /// Tries packets again that waited for a peer's credentials or for an identity. After a new configuration: for
    /// those of all peers of the network.
    mutating func retryWaiting(
        of peers: Set<Address>?, network: NetworkID? = nil, identity: Address? = nil, _ now: Now
    ) {
        guard !waiting.isEmpty else { return }
        let packets = waiting.take { packet in
            if let identity {
                return packet.reason == .identity(identity)
                    || (packet.reason == .credentials && packet.source == identity)
            }
            if let network, packet.network != network { return false }
            return packet.reason == .credentials && peers?.contains(packet.source) ?? true
        }
        for packet in packets where packet.expires > now.monotonic { retry(packet, now) }
    }

    private mutating func retry(_ packet: HeldPacket, _ now: Now) {
        if packet.isReply {
            _ = counted(
                receiveReply(
                    to: packet.verb, packet.payload, from: packet.source, packetID: packet.packetID, isRetry: true,
                    now))
            return
        }
        if packet.verb.traits.layer == .frames {
            retryFrame(packet, now)
            return
        }
        _ = counted(
            receive(packet.verb, packet.payload, from: packet.source, packetID: packet.packetID, isRetry: true, now))
    }

    private mutating func retryFrame(_ packet: HeldPacket, _ now: Now) {
        let payload = packet.payload
        let admission = payload.withBytes { bytes in
            admit(
                packet.verb, bytes, at: 0, length: bytes.byteCount, from: packet.source, packetID: packet.packetID,
                isRetry: true, now)
        }
        switch admission {
        case .frame(let frame):
            shared.deliver(
                LocalFrame(
                    network: frame.network, source: frame.source, destination: frame.destination,
                    etherType: frame.etherType,
                    payload: Array(payload[frame.offset..<frame.offset + frame.length])))
        // Its time goes on running.
        case .parked: for _ in 0..<waiting.append(packet) { shared.count(.waitingQueueFull) }
        case .drop(let reason, _): shared.count(reason)
        case .done: break
        }
    }
}
