//  Who has this IP address? The question goes to the group that the address implies. It is answered on the spot if the
//  address names the member (RFC 4193 and 6PLANE plans).

import NetPrimitives
import ZeroTierWire

/// Recognises ARP and neighbour discovery in outbound frames.
enum AddressResolution {
    static let arpEtherType: UInt16 = 0x0806
    static let ipv6EtherType: UInt16 = 0x86dd
    private static let solicitation: UInt8 = 0x87
    private static let advertisement: UInt8 = 0x88
    private static let icmpv6: UInt8 = 58

    /// The group in which an ARP request asks; nil for anything else. Works where broadcast is disabled.
    static func group(ofARP payload: [UInt8], etherType: UInt16) -> MulticastGroup? {
        guard etherType == arpEtherType, payload.count >= 28, payload[2] == 0x08, payload[3] == 0x00,
            payload[4] == 6, payload[5] == 4, payload[7] == 1
        else { return nil }
        let target = payload[24..<28].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return MulticastGroup(mac: .broadcast, distinguisher: target)
    }

    /// Whether a frame is a neighbour solicitation, as far as its first bytes show. `frame` holds them from `offset` on.
    static func isSolicitation(_ frame: RawSpan, at offset: Int, length: Int, etherType: UInt16) -> Bool {
        etherType == ipv6EtherType && min(length, frame.byteCount - offset) >= 41
            && frame.loadUInt8(at: offset + 6) == icmpv6 && frame.loadUInt8(at: offset + 40) == solicitation
    }

    /// The answer to a neighbour solicitation for an address that names a member; nil if it does not.
    static func advertisement(
        for payload: [UInt8], etherType: UInt16, soliciting source: MACAddress, destination: MACAddress,
        config: NetworkConfig, slot: SlotID, myself: Address
    ) -> LocalFrame? {
        guard config.emulatesNeighbours, !destination.isBroadcast, etherType == ipv6EtherType, payload.count >= 64,
            payload[6] == icmpv6, payload[40] == solicitation,
            let target = IPAddress(Array(payload[48..<64]))
        else { return nil }
        for own in config.addresses where own.address.isIPv6 {
            guard let peer = config.network.member(of: target, under: own) else { continue }
            guard peer.value != 0, peer != myself else { return nil }
            let mac = config.network.mac(of: peer)
            // The member is not asked whether it is still there: the answer follows from the address.
            guard destination.isMulticast || destination == mac else { return nil }
            return LocalFrame(
                network: slot, source: mac, destination: source, etherType: ipv6EtherType,
                payload: advertise(target, at: mac, to: own.address))
        }
        return nil
    }

    /// A neighbour advertisement, solicited and overriding, 72 bytes. RFC 4861 4.4.
    private static func advertise(_ target: IPAddress, at mac: MACAddress, to own: IPAddress) -> [UInt8] {
        var message = ByteWriter(capacity: 32)
        message.bytes([advertisement, 0, 0, 0, 0x60, 0, 0, 0])
        message.bytes(target.bytes)
        message.bytes([0x02, 0x01])
        message.bytes(mac.bytes)
        let sum = checksum(pseudoHeader: target, own, message.bytes)
        message.patchUInt16(sum, at: 2)
        var packet = ByteWriter(capacity: 72)
        packet.uint32(0x6000_0000)
        packet.uint16(UInt16(message.count))
        packet.bytes([icmpv6, 255])
        packet.bytes(target.bytes)
        packet.bytes(own.bytes)
        packet.bytes(message.bytes)
        return packet.bytes
    }

    /// RFC 4443 2.3.
    private static func checksum(pseudoHeader source: IPAddress, _ destination: IPAddress, _ message: [UInt8]) -> UInt16
    {
        let bytes = source.bytes + destination.bytes + [0, 0, 0, UInt8(message.count), 0, 0, 0, icmpv6] + message
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
        }
        while sum >> 16 != 0 { sum = (sum & 0xffff) + (sum >> 16) }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
