//  IP packets as bytes: repaired before they go in, checked when they come out. Written apart from the stack's own code on
//  purpose. Read first: RFC 791, RFC 8200, RFC 1071.

import NetPrimitives

/// Repairs and checks of IP packets.
enum PacketBytes {
    static let icmp4: UInt8 = 1
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17
    static let icmp6: UInt8 = 58

    /// The Internet checksum's sum (not inverted) over some bytes, on top of another.
    static func sum(_ bytes: some Sequence<UInt8>, _ initial: UInt32 = 0) -> UInt32 {
        var total = UInt64(initial)
        var isHigh = true
        for byte in bytes {
            total += isHigh ? UInt64(byte) << 8 : UInt64(byte)
            isHigh.toggle()
        }
        while total >> 16 != 0 { total = total >> 16 + total & 0xffff }
        return UInt32(total)
    }

    static func inverted(_ sum: UInt32) -> UInt16 { ~UInt16(truncatingIfNeeded: sum) }

    /// Where the transport header begins, its protocol, and the sum of its pseudo-header; nil for fragments, extension
    /// headers and anything malformed.
    static func transport(_ packet: [UInt8], isIPv4: Bool) -> (offset: Int, proto: UInt8, pseudo: UInt32)? {
        if isIPv4 {
            guard packet.count >= 20 else { return nil }
            let header = Int(packet[0] & 15) * 4
            guard header >= 20, packet.count >= header, packet.uint16(at: 6) & 0x3fff == 0 else { return nil }
            var pseudo = sum(packet[12..<20])
            pseudo = sum([0, packet[9]], pseudo)
            return (header, packet[9], sum(length(packet.count - header), pseudo))
        }
        guard packet.count >= 40 else { return nil }
        var pseudo = sum(packet[8..<40])
        pseudo = sum([0, packet[6]], pseudo)
        return (40, packet[6], sum(length(packet.count - 40), pseudo))
    }

    private static func length(_ count: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
    }

    private static func checksumOffset(_ proto: UInt8) -> Int? {
        switch proto {
        case icmp4, icmp6: 2
        case udp: 6
        case tcp: 16
        default: nil
        }
    }

    /// Makes lengths and checksums right; what is too short stays as it is.
    static func repair(_ packet: inout [UInt8], isIPv4: Bool) {
        if isIPv4 {
            guard packet.count >= 20 else { return }
            let header = Int(packet[0] & 15) * 4
            packet.store(UInt16(truncatingIfNeeded: packet.count), at: 2)
            packet.store(UInt16(0), at: 10)
            packet.store(inverted(sum(packet[..<min(max(20, header), packet.count)])), at: 10)
        } else {
            guard packet.count >= 40 else { return }
            packet.store(UInt16(truncatingIfNeeded: packet.count - 40), at: 4)
        }
        guard let (offset, proto, pseudo) = transport(packet, isIPv4: isIPv4), let place = checksumOffset(proto),
            packet.count >= offset + place + 2
        else { return }
        if proto == udp { packet.store(UInt16(truncatingIfNeeded: packet.count - offset), at: offset + 4) }
        packet.store(UInt16(0), at: offset + place)
        let total = sum(packet[offset...], proto == icmp4 ? 0 : pseudo)
        let checksum = inverted(total)
        packet.store(checksum == 0 && proto == udp ? 0xffff : checksum, at: offset + place)
    }

    /// Traps unless the packet is one that may be on a link.
    static func check(_ packet: [UInt8], etherType: UInt16) {
        switch etherType {
        case 0x0806:
            precondition(packet.count == 28 && packet.uint32(at: 0) == 0x0001_0800, "an ARP packet of another kind")
        case 0x0800:
            precondition(packet.count >= 20 && packet[0] >> 4 == 4, "an IPv4 packet without a header")
            let header = Int(packet[0] & 15) * 4
            precondition(header >= 20 && header <= packet.count, "an IPv4 header beyond the packet")
            precondition(Int(packet.uint16(at: 2)) == packet.count, "an IPv4 length that is another")
            precondition(sum(packet[..<header]) == 0xffff, "an IPv4 header with a wrong checksum")
            precondition(packet[8] > 0, "a packet without time to live")
            checkTransport(packet, isIPv4: true)
        case 0x86dd:
            precondition(packet.count >= 40 && packet[0] >> 4 == 6, "an IPv6 packet without a header")
            precondition(Int(packet.uint16(at: 4)) == packet.count - 40, "an IPv6 length that is another")
            precondition(packet[7] > 0, "a packet without hop limit")
            checkTransport(packet, isIPv4: false)
        default: preconditionFailure("a frame of an EtherType that the stack does not speak")
        }
    }

    private static func checkTransport(_ packet: [UInt8], isIPv4: Bool) {
        guard let (offset, proto, pseudo) = transport(packet, isIPv4: isIPv4), let place = checksumOffset(proto) else {
            return
        }
        precondition(packet.count >= offset + place + 2, "a transport header beyond the packet")
        if proto == udp, packet.uint16(at: offset + 6) == 0 {
            precondition(isIPv4, "a UDP datagram over IPv6 without checksum")
            return
        }
        precondition(sum(packet[offset...], proto == icmp4 ? 0 : pseudo) == 0xffff, "a wrong checksum")
        if proto == tcp {
            let header = Int(packet[offset + 12] >> 4) * 4
            precondition(header >= 20 && offset + header <= packet.count, "a TCP header beyond the packet")
        }
    }

    /// An IPv4 packet around a payload, repaired.
    static func ipv4(
        _ proto: UInt8, from source: IPAddress, to destination: IPAddress, fragment: UInt16 = 0, id: UInt16 = 1,
        hopLimit: UInt8 = 64, _ payload: [UInt8]
    ) -> [UInt8] {
        var packet: [UInt8] = [0x45, 0, 0, 0]
        packet += length(Int(id)) + length(Int(fragment)) + [hopLimit, proto, 0, 0]
        packet += source.bytes + destination.bytes + payload
        repair(&packet, isIPv4: true)
        return packet
    }

    /// An IPv6 packet around a payload, repaired.
    static func ipv6(
        _ proto: UInt8, from source: IPAddress, to destination: IPAddress, hopLimit: UInt8 = 64, _ payload: [UInt8]
    ) -> [UInt8] {
        var packet: [UInt8] = [0x60, 0, 0, 0, 0, 0, proto, hopLimit]
        packet += source.bytes + destination.bytes + payload
        repair(&packet, isIPv4: false)
        return packet
    }
}
