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
    // How many each sender has here.
    private var counts: [Address: Int] = [:]

    var isEmpty: Bool { packets.isEmpty }

    /// Adds a packet. Returns how many had to make room: of the same sender when that has its share, else the oldest of the sender
    /// that has most, so that one who sends much displaces itself.
    mutating func append(_ packet: HeldPacket) -> Int {
        var dropped = 0
        if counts[packet.source] ?? 0 >= EthernetLimits.waitingPacketsPerPeer {
            removeOldest { $0.source == packet.source }
            dropped += 1
        }
        if packets.count >= EthernetLimits.waitingPackets {
            let held = counts
            let most = held.values.max() ?? 0
            removeOldest { held[$0.source] == most }
            dropped += 1
        }
        packets.append(packet)
        counts[packet.source, default: 0] += 1
        return dropped
    }

    private mutating func removeOldest(where condition: (HeldPacket) -> Bool) {
        guard let index = packets.firstIndex(where: condition) else { return }
        uncount(packets.remove(at: index))
    }

    private mutating func uncount(_ packet: HeldPacket) {
        counts[packet.source] = counts[packet.source].flatMap { $0 > 1 ? $0 - 1 : nil }
    }

    mutating func removeAll(where condition: (HeldPacket) -> Bool) { _ = take(where: condition) }

    /// Takes out those for which the condition holds, oldest first.
    mutating func take(where condition: (HeldPacket) -> Bool) -> [HeldPacket] {
        let taken = packets.filter(condition)
        guard !taken.isEmpty else { return [] }
        packets.removeAll(where: condition)
        for packet in taken { uncount(packet) }
        return taken
    }
}
