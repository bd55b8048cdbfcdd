// Floods inside the network, by one of its members.

import NetPrimitives
import ZeroTierWire

extension Forms {
    mutating func appendFrame(_ kind: Kind, to burst: inout Burst) {
        let isIPv4 = kind != .solicitations
        guard let place = settings.victims.first(where: { $0.address.isIPv4 == isIPv4 }),
            let here = places.first(where: { $0.network == place.network && $0.address.isIPv4 == isIPv4 })
        else { return }
        let (victim, own) = (place.address, here.address)
        // A neighbour that is not there, in the network's range.
        let invented = IPAddress(v4: UInt32(truncatingIfNeeded: victim.low) & 0xff00_0000 | random.nextUInt32() >> 8)
        let (type, data): (UInt16, [UInt8]) =
            switch kind {
            case .syn: (0x0800, syn(from: invented, to: victim))
            case .synOwn: (0x0800, syn(from: own, to: victim))
            case .ping: (0x0800, ping(from: turn % 2 == 0 ? own : invented, to: victim))
            case .fragments: (0x0800, fragment(from: turn % 2 == 0 ? own : invented, to: victim))
            case .unreachable: (0x0800, unreachable(from: own, to: victim))
            case .resets: (0x0800, reset(from: turn % 2 == 0 ? own : settings.otherAddress ?? own, to: victim))
            case .solicitations: (0x86dd, solicitation(from: own, to: victim, place.network))
            default: (0x0806, arp(from: invented, to: victim, place.network))
            }
        let frame = Frame(network: place.network, etherType: type, data: data)
        seal(.frame, frame.encoded, to: &burst)
    }

    private mutating func syn(from source: IPAddress, to victim: IPAddress) -> [UInt8] {
        let target: UInt16 = turn % 4 == 0 ? port() : 7001
        return tcp(from: source, port(), to: victim, target, flags: 0x02)
    }

    private mutating func reset(from source: IPAddress, to victim: IPAddress) -> [UInt8] {
        tcp(from: source, port(), to: victim, 7001, flags: turn % 3 == 0 ? 0x04 : 0x10)
    }

    private mutating func tcp(
        from source: IPAddress, _ sourcePort: UInt16, to victim: IPAddress, _ port: UInt16, flags: UInt8
    ) -> [UInt8] {
        var segment = IPBytes.number(sourcePort) + IPBytes.number(port)
        segment += random.bytes(8) + [0x50, flags, 0xff, 0xff, 0, 0, 0, 0]
        return IPBytes.ipv4(6, from: source, to: victim, segment, checksumAt: 16)
    }

    private mutating func ping(from source: IPAddress, to victim: IPAddress) -> [UInt8] {
        let message = [8, 0, 0, 0] + random.bytes(4) + [UInt8](repeating: 0x5a, count: 48)
        return IPBytes.ipv4(1, from: source, to: victim, message, checksumAt: 2)
    }

    private mutating func fragment(from source: IPAddress, to victim: IPAddress) -> [UInt8] {
        let place: UInt16 = turn % 3 == 0 ? 0x2000 : 0x2000 | UInt16(truncatingIfNeeded: random.nextUInt32() % 180)
        return IPBytes.ipv4(17, from: source, to: victim, random.bytes(1200), fragment: place, id: random.nextUInt32())
    }

    // "Your datagram, or your segment, did not arrive": to ports that are in use.
    private mutating func unreachable(from source: IPAddress, to victim: IPAddress) -> [UInt8] {
        let other = settings.otherAddress ?? source
        let isTCP = turn % 2 == 0
        let quoted = IPBytes.ipv4(
            isTCP ? 6 : 17, from: victim, to: other, IPBytes.number(7001) + IPBytes.number(port()) + random.bytes(4))
        let code: UInt8 = turn % 3 == 0 ? 4 : turn % 3 == 1 ? 3 : 1
        let message = [3, code, 0, 0, 0, 0] + IPBytes.number(68) + quoted
        return IPBytes.ipv4(1, from: source, to: victim, message, checksumAt: 2)
    }

    // Who has the victim's address, or: this one is mine.
    private mutating func arp(from source: IPAddress, to victim: IPAddress, _ network: NetworkID) -> [UInt8] {
        let claimed = turn % 3 == 0 ? settings.otherAddress ?? source : source
        let mac = network.mac(of: sealers[0].identity.address)
        let isReply = turn % 2 == 0
        return [0, 1, 8, 0, 6, 4, 0, isReply ? 2 : 1] + mac.bytes + claimed.bytes
            + [UInt8](repeating: 0, count: 6) + victim.bytes
    }

    private mutating func solicitation(from source: IPAddress, to victim: IPAddress, _ network: NetworkID) -> [UInt8] {
        let mac = network.mac(of: sealers[0].identity.address)
        let message = [turn % 2 == 0 ? 135 : 136, 0, 0, 0, 0x20, 0, 0, 0] + victim.bytes + [1, 1] + mac.bytes
        return IPBytes.ipv6(58, from: source, to: victim, hopLimit: 255, message, checksumAt: 2)
    }
}

/// IP packets as bytes.
enum IPBytes {
    static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

    private static func sum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withBytes { Checksum.sum($0, from: 0, count: $0.byteCount) }
    }

    private static func fill(_ payload: inout [UInt8], at place: Int?, _ pseudo: [UInt8]) {
        guard let place else { return }
        let check = Checksum.finish(Checksum.combine(sum(payload), sum(pseudo)))
        payload[place] = UInt8(check >> 8)
        payload[place + 1] = UInt8(truncatingIfNeeded: check)
    }

    static func ipv4(
        _ proto: UInt8, from source: IPAddress, to destination: IPAddress, _ payload: [UInt8], fragment: UInt16 = 0,
        id: UInt32 = 1, checksumAt place: Int? = nil
    ) -> [UInt8] {
        var payload = payload
        // ICMP sums no pseudo-header.
        let pseudo = source.bytes + destination.bytes + [0, proto] + number(UInt16(payload.count))
        fill(&payload, at: place, proto == 1 ? [] : pseudo)
        var header: [UInt8] = [0x45, 0] + number(UInt16(payload.count + 20))
        header += number(UInt16(truncatingIfNeeded: id)) + number(fragment) + [64, proto, 0, 0]
        header += source.bytes + destination.bytes
        let check = Checksum.finish(sum(header))
        header[10] = UInt8(check >> 8)
        header[11] = UInt8(truncatingIfNeeded: check)
        return header + payload
    }

    static func ipv6(
        _ proto: UInt8, from source: IPAddress, to destination: IPAddress, hopLimit: UInt8, _ payload: [UInt8],
        checksumAt place: Int
    ) -> [UInt8] {
        var payload = payload
        let length = number(UInt16(payload.count))
        fill(&payload, at: place, source.bytes + destination.bytes + [0, 0] + length + [0, 0, 0, proto])
        return [0x60, 0, 0, 0] + length + [proto, hopLimit] + source.bytes + destination.bytes + payload
    }
}
