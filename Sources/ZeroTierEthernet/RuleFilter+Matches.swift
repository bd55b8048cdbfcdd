//  What each match asks of a frame, of the credentials and of chance: semantics of release 1.14.
//  Read first: zerotier/ZeroTierOne node/Network.cpp, _doZtFilter (facts only).

import NetPrimitives
import ZeroTierWire

extension RuleFilter {
    // MARK: Bytes

    /// A byte of the payload; 0 beyond what is there (and then the verdict is marked).
    private mutating func byte(_ index: Int, _ frame: RawSpan) -> UInt8 {
        guard index >= 0, index < available else {
            if index >= 0, index < facts.length { ranOut = true }
            return 0
        }
        return frame.loadUInt8(at: offset + index)
    }

    private mutating func uint16(_ index: Int, _ frame: RawSpan) -> UInt16 {
        UInt16(byte(index, frame)) << 8 | UInt16(byte(index + 1, frame))
    }

    private mutating func uint32(_ index: Int, _ frame: RawSpan) -> UInt32 {
        UInt32(uint16(index, frame)) << 16 | UInt32(uint16(index + 2, frame))
    }

    private mutating func ipv6(_ index: Int, _ frame: RawSpan) -> IPAddress {
        let high = UInt64(uint32(index, frame)) << 32 | UInt64(uint32(index + 4, frame))
        return IPAddress(
            v6High: high, low: UInt64(uint32(index + 8, frame)) << 32 | UInt64(uint32(index + 12, frame)))
    }

    private var isIPv4: Bool { facts.etherType == 0x0800 && facts.length >= 20 }
    private var isIPv6: Bool { facts.etherType == 0x86dd && facts.length >= 40 }

    private mutating func ipv4HeaderLength(_ frame: RawSpan) -> Int { 4 * Int(byte(0, frame) & 15) }

    // A part of a datagram has neither ports nor flags.
    private mutating func isLaterFragment() -> Bool {
        guard chain == .laterFragment else { return false }
        dependsOnWhole = true
        return true
    }

    /// The upper-layer protocol of an IPv6 packet and where it begins; nil if there is none within the frame.
    private mutating func upperIPv6() -> (proto: UInt8, position: Int)? {
        guard isIPv6, let chain else { return nil }
        switch chain {
        case .upper(let number, let position): return (number, position)
        case .laterFragment:
            dependsOnWhole = true
            return (44, facts.length)
        case .ranOut:
            ranOut = true
            return nil
        case .unreadable: return nil
        }
    }

    // MARK: Matches

    mutating func answer(
        _ kind: Rule.Kind, _ frame: RawSpan, _ config: borrowing NetworkConfig, _ remote: Member?,
        _ random: inout RandomSource
    ) -> Answer {
        switch kind {
        case .sourceAddress(let address): return .plain(address == facts.source)
        case .destinationAddress(let address): return .plain(address == facts.destination)
        case .vlanID(let id): return .plain(id == facts.vlanID)
        // Frames carry no VLAN tag here: priority and drop eligibility are 0.
        case .vlanPriority(let value), .vlanDropEligible(let value): return .plain(value == 0)
        case .sourceMAC(let mac): return .plain(mac == facts.sourceMAC)
        case .destinationMAC(let mac): return .plain(mac == facts.destinationMAC)
        case .sourceIPv4(let address, let bits): return matchIPv4(12, address, bits, frame)
        case .destinationIPv4(let address, let bits): return matchIPv4(16, address, bits, frame)
        case .sourceIPv6(let address, let bits): return matchIPv6(8, address, bits, frame)
        case .destinationIPv6(let address, let bits): return matchIPv6(24, address, bits, frame)
        case .typeOfService(let mask, let from, let to): return matchTypeOfService(mask, from, to, frame)
        case .ipProtocol(let number): return matchProtocol(number, frame)
        case .etherType(let number): return .plain(number == facts.etherType)
        case .icmp(let type, let code, let flags): return matchICMP(type, flags & 1 != 0 ? code : nil, frame)
        case .sourcePorts(let from, let to): return matchPorts(0, from, to, frame)
        case .destinationPorts(let from, let to): return matchPorts(2, from, to, frame)
        case .characteristics(let mask):
            return .plain(characteristics(frame, config, remote) & mask != 0)
        case .frameSize(let from, let to):
            // No frame that carried a part of a datagram was longer than the network allows.
            let length = facts.isReassembled ? min(facts.length, config.mtu) : facts.length
            return .plain(length >= Int(from) && length <= Int(to))
        case .random(let probability): return .plain(random.nextUInt32() <= probability)
        case .integerRange(let start, let end, let index, let format):
            return matchInteger(start, end, Int(index), format, frame)
        case .unknown: return .plain(config.unknownMatches)
        default: return matchTag(kind, config, remote)
        }
    }

    private mutating func matchIPv4(_ index: Int, _ address: UInt32, _ bits: UInt8, _ frame: RawSpan) -> Answer {
        guard isIPv4 else { return .never }
        guard bits > 0 else { return .plain(true) }
        let shift = UInt32(32 - min(32, Int(bits)))
        return .plain(uint32(index, frame) >> shift == address >> shift)
    }

    // The rule's address is not masked: with host bits set it never matches.
    private mutating func matchIPv6(_ index: Int, _ address: IPAddress, _ bits: UInt8, _ frame: RawSpan) -> Answer {
        guard isIPv6 else { return .never }
        return .plain(ipv6(index, frame).masked(to: Int(bits)) == address)
    }

    private mutating func matchTypeOfService(
        _ mask: UInt8, _ from: UInt8, _ to: UInt8, _ frame: RawSpan
    ) -> Answer {
        let value: UInt8
        if isIPv4 {
            value = byte(1, frame) & mask
        } else if isIPv6 {
            value = UInt8(truncatingIfNeeded: uint16(0, frame) >> 4) & mask
        } else {
            return .never
        }
        return .plain(value >= from && value <= to)
    }

    private mutating func matchProtocol(_ number: UInt8, _ frame: RawSpan) -> Answer {
        if isIPv4 { return .plain(byte(9, frame) == number) }
        guard let (proto, _) = upperIPv6() else { return .never }
        return .plain(proto == number)
    }

    private mutating func matchICMP(_ type: UInt8, _ code: UInt8?, _ frame: RawSpan) -> Answer {
        let position: Int
        if isIPv4 {
            position = ipv4HeaderLength(frame)
            guard !isLaterFragment(), byte(9, frame) == 1, facts.length >= position + 2 else { return .never }
        } else if let walk = upperIPv6(), walk.proto == 58, facts.length >= walk.position + 2 {
            position = walk.position
        } else {
            return .never
        }
        guard byte(position, frame) == type else { return .plain(false) }
        guard let code else { return .plain(true) }
        return .plain(byte(position + 1, frame) == code)
    }

    private static func hasPorts(_ proto: UInt8) -> Bool {
        proto == 6 || proto == 17 || proto == 132 || proto == 136
    }

    // `within`: 0 for the source port, 2 for the destination port.
    private mutating func matchPorts(_ within: Int, _ from: UInt16, _ to: UInt16, _ frame: RawSpan) -> Answer {
        if isIPv4 {
            let position = ipv4HeaderLength(frame)
            guard !isLaterFragment(), RuleFilter.hasPorts(byte(9, frame)), facts.length > position + 4 else {
                return .plain(false)
            }
            let port = uint16(position + within, frame)
            return .plain(port >= from && port <= to)
        }
        guard let (proto, position) = upperIPv6() else { return .never }
        guard RuleFilter.hasPorts(proto), facts.length > position + 4 else { return .plain(false) }
        let port = uint16(position + within, frame)
        // Port 0 never matches on IPv6: so do real nodes.
        return .plain(port > 0 && port >= from && port <= to)
    }

    private mutating func matchInteger(
        _ start: UInt64, _ end: UInt64, _ index: Int, _ format: UInt8, _ frame: RawSpan
    ) -> Answer {
        let bits = Int(format & 63) + 1
        let bytes = (bits + 7) / 8
        let isLittleEndian = format & 0x80 != 0
        _ = isLaterFragment()
        var value: UInt64 = 0
        if isLittleEndian {
            if index + bytes <= facts.length {
                for position in 0..<bytes {
                    value |= UInt64(byte(index + position, frame)) << UInt64(8 * (8 - bytes + position))
                }
                value >>= UInt64(64 - bits)
            }
        } else if index + 8 <= facts.length {
            for position in (8 - bytes)..<8 { value = value << 8 | UInt64(byte(index + position, frame)) }
            if bits < 64 { value &= (1 << UInt64(bits)) - 1 }
        }
        // Only 32 bits of the width are kept, as the reference does.
        let width = (end &- start) & 0xffff_ffff
        return .plain(value >= start && value <= start &+ width)
    }

    // MARK: Characteristics

    private mutating func characteristics(
        _ frame: RawSpan, _ config: borrowing NetworkConfig, _ remote: Member?
    ) -> UInt64 {
        var result: UInt64 = facts.isInbound ? 1 << 63 : 0
        if facts.destinationMAC.isMulticast { result |= 1 << 62 }
        if facts.destinationMAC.isBroadcast { result |= 1 << 61 }
        result |= ownershipCharacteristics(frame, config, remote)
        if isIPv4 {
            let position = ipv4HeaderLength(frame)
            if !isLaterFragment(), byte(9, frame) == 6, facts.length > position + 13 {
                result |= tcpFlags(position, frame)
            }
        } else if let walk = upperIPv6(), walk.proto == 6, facts.length > walk.position + 14 {
            result |= tcpFlags(walk.position, frame)
        }
        return result
    }

    private mutating func tcpFlags(_ position: Int, _ frame: RawSpan) -> UInt64 {
        UInt64(byte(position + 13, frame)) | UInt64(byte(position + 12, frame) & 15) << 8
    }

    // Bit 60: the sender's IP address is known to be its own; bit 59: so is its MAC.
    private mutating func ownershipCharacteristics(
        _ frame: RawSpan, _ config: borrowing NetworkConfig, _ remote: Member?
    ) -> UInt64 {
        let ipBit: UInt64 = 1 << 60
        let macBit: UInt64 = 1 << 59
        var result: UInt64 = 0
        var source: IPAddress?
        if isIPv4 {
            source = IPAddress(v4: uint32(12, frame))
        } else if isIPv6 {
            let isNeighbourMessage = facts.length >= 64 && byte(6, frame) == 58
            let isSolicitation = isNeighbourMessage && byte(40, frame) == 0x87
            source = isNeighbourMessage && byte(40, frame) == 0x88 ? ipv6(48, frame) : ipv6(8, frame)
            // A question that says nothing of its sender proves nothing wrong: releases let each solicitation count.
            if isSolicitation, !facts.isInbound || (facts.length < 72 || source?.isUnspecified == true) {
                result |= ipBit
            }
        } else if facts.etherType == 0x0806, facts.length >= 28 {
            source = IPAddress(v4: uint32(14, frame))
        }
        if facts.isInbound {
            guard let remote else { return result }
            if let source, remote.owns(source, config) || isImplied(source, config) { result |= ipBit }
            if remote.owns(facts.sourceMAC, config) { result |= macBit }
        } else {
            if let source, config.ownerships.contains(where: { $0.owns(source) }) { result |= ipBit }
            if config.ownerships.contains(where: { $0.owns(facts.sourceMAC) }) { result |= macBit }
        }
        return result
    }

    /// Whether an IPv6 source can be nobody's but the sender's: it names the member, in a range whose neighbours are answered
    /// locally, or it is the link-local address of the member's MAC. Releases let the whole range count for every sender.
    private func isImplied(_ source: IPAddress, _ config: borrowing NetworkConfig) -> Bool {
        guard source.isIPv6 else { return false }
        let network = config.network
        if facts.sourceMAC == network.mac(of: facts.source), source == IPAddress.linkLocal(of: facts.sourceMAC) {
            return true
        }
        guard config.emulatesNeighbours else { return false }
        return config.addresses.contains { network.member(of: source, under: $0) == facts.source }
    }

    // MARK: Tags

    private mutating func matchTag(
        _ kind: Rule.Kind, _ config: borrowing NetworkConfig, _ remote: Member?
    ) -> Answer {
        switch kind {
        case .tagSender(let id, let value):
            return matchOneTag(id, value, isRemote: facts.isInbound, isReceiver: false, config, remote)
        case .tagReceiver(let id, let value):
            return matchOneTag(id, value, isRemote: !facts.isInbound, isReceiver: true, config, remote)
        case .tagsDifference(let id, let value):
            return compareTags(id, config, remote) { $0 > $1 ? $0 - $1 <= value : $1 - $0 <= value }
        case .tagsAnd(let id, let value): return compareTags(id, config, remote) { $0 & $1 == value }
        case .tagsOr(let id, let value): return compareTags(id, config, remote) { $0 | $1 == value }
        case .tagsXor(let id, let value): return compareTags(id, config, remote) { $0 ^ $1 == value }
        case .tagsEqual(let id, let value): return compareTags(id, config, remote) { $0 == value && $1 == value }
        default: return .plain(false)
        }
    }

    private mutating func compareTags(
        _ id: UInt32, _ config: borrowing NetworkConfig, _ remote: Member?, _ compare: (UInt32, UInt32) -> Bool
    ) -> Answer {
        guard let mine = config.tag(id) else { return .never }
        guard let theirs = remote?.tag(id, config) else {
            if facts.isInbound, !superAccept { return .never }
            // Outbound we do not know the other's tags yet: let it decide.
            skipsDrop = true
            return .always
        }
        return .plain(compare(mine.value, theirs.value))
    }

    private mutating func matchOneTag(
        _ id: UInt32, _ value: UInt32, isRemote: Bool, isReceiver: Bool, _ config: borrowing NetworkConfig,
        _ remote: Member?
    ) -> Answer {
        if superAccept {
            skipsDrop = true
            return .always
        }
        if isRemote {
            if let theirs = remote?.tag(id, config) { return .plain(theirs.value == value) }
            guard isReceiver else { return .never }
            skipsDrop = true
            return .always
        }
        guard let mine = config.tag(id) else { return .never }
        return .plain(mine.value == value)
    }
}
