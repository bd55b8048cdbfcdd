//  Packets whose sender has not proved membership yet, or whose signer is not known: kept for some seconds, tried again
//  when something changes.

import NetPrimitives
import ZeroTierWire

/// A packet that waits.
struct HeldPacket: Sendable {
    enum Reason: Hashable, Sendable {
        case credentials
        case identity(Address)
    }

    let verb: Verb
    let payload: [UInt8]
    let source: Address
    let packetID: PacketID
    /// The network whose gate it failed; of several for NETWORK_CREDENTIALS, none.
    let network: NetworkID?
    let reason: Reason
    let expires: MonotonicInstant
    /// The reply's own fields, for an OK.
    let isReply: Bool
}

/// A bounded collection of them, oldest first.
struct WaitingPackets: Sendable {
    private(set) var packets: [HeldPacket] = []

    var isEmpty: Bool { packets.isEmpty }

    /// Adds a packet. Returns how many had to make room: first those of the same sender, then the oldest.
    mutating func append(_ packet: HeldPacket) -> Int {
        var dropped = 0
        var own = 0
        for waiting in packets where waiting.source == packet.source { own += 1 }
        if own >= EthernetLimits.waitingPacketsPerPeer,
            let oldest = packets.firstIndex(where: { $0.source == packet.source })
        {
            packets.remove(at: oldest)
            dropped += 1
        }
        if packets.count >= EthernetLimits.waitingPackets {
            packets.removeFirst()
            dropped += 1
        }
        packets.append(packet)
        return dropped
    }

    mutating func removeAll(where condition: (HeldPacket) -> Bool) { packets.removeAll(where: condition) }

    /// Takes out those for which the condition holds, oldest first.
    mutating func take(where condition: (HeldPacket) -> Bool) -> [HeldPacket] {
        let taken = packets.filter(condition)
        if !taken.isEmpty { packets.removeAll(where: condition) }
        return taken
    }
}
