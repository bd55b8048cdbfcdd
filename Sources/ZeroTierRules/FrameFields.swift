//  A frame to try rules on, made of a few fields.

package import NetPrimitives

/// The fields of a frame that matter to rules. What is not given is 0, and a header is there if one of its fields is.
package struct FrameFields: Sendable {
    /// Both of one family, if both are given; for ARP, of sender and target.
    package var source: IPAddress?
    package var destination: IPAddress?
    package var etherType: UInt16?
    package var ipProtocol: UInt8?
    package var sourcePort: UInt16?
    package var destinationPort: UInt16?
    /// FIN, SYN, RST, PSH, ACK, URG, ECE, CWR from bit 0 up.
    package var tcpFlags: UInt8?
    package var icmpType: UInt8?
    package var icmpCode: UInt8?
    /// Type of service, or traffic class.
    package var trafficClass: UInt8 = 0
    /// Bytes of the Ethernet payload, at most 10,000; the packet is padded with zeros.
    package var length: Int?
    /// The sender's, for ARP.
    package var sourceMAC = MACAddress.zero

    package init() {}

    /// What is wrong with the fields.
    package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    private static let longest = 10_000

    /// The frame's type and payload.
    package func frame() throws(Mistake) -> (etherType: UInt16, payload: [UInt8]) {
        if let source, let destination, source.isIPv4 != destination.isIPv4 {
            throw Mistake(description: "\(source) and \(destination) are of two families")
        }
        let hasIPField =
            source != nil || destination != nil || ipProtocol != nil || sourcePort != nil || destinationPort != nil
            || tcpFlags != nil || icmpType != nil
        let isIPv6 = source?.isIPv6 ?? destination?.isIPv6 ?? (etherType == 0x86dd)
        let type = etherType ?? (isIPv6 ? 0x86dd : 0x0800)
        var payload: [UInt8]
        switch type {
        case 0x0800, 0x86dd:
            guard (source ?? destination).map({ $0.isIPv6 == (type == 0x86dd) }) ?? true else {
                throw Mistake(description: "the EtherType is not that of the addresses' family")
            }
            payload = try packet(isIPv6: type == 0x86dd)
        case 0x0806: payload = try question()
        default:
            guard !hasIPField else {
                throw Mistake(
                    description: "a frame of EtherType 0x\(hexadecimal(UInt64(type), digits: 4)) has no IP header")
            }
            payload = []
        }
        if let length {
            guard (payload.count...FrameFields.longest).contains(length) else {
                throw Mistake(
                    description: "the length is \(payload.count), which its headers take, to \(FrameFields.longest)")
            }
            payload += [UInt8](repeating: 0, count: length - payload.count)
        }
        return (type, payload)
    }

    private func packet(isIPv6: Bool) throws(Mistake) -> [UInt8] {
        let (number, upper) = try upperLayer(isIPv6: isIPv6)
        let total = max(length ?? 0, upper.count + (isIPv6 ? 40 : 20))
        var writer = ByteWriter(capacity: 80)
        if isIPv6 {
            writer.uint32(6 << 28 | UInt32(trafficClass) << 20)
            writer.uint16(UInt16(clamping: total - 40))
            writer.bytes([number, 64])
            let unspecified = IPAddress(v6High: 0, low: 0)
            writer.bytes((source ?? unspecified).bytes + (destination ?? unspecified).bytes)
        } else {
            writer.bytes([0x45, trafficClass])
            writer.uint16(UInt16(clamping: total))
            writer.bytes([0, 0, 0, 0, 64, number, 0, 0])
            writer.uint32(source?.v4 ?? 0)
            writer.uint32(destination?.v4 ?? 0)
        }
        writer.bytes(upper)
        return writer.bytes
    }

    // Protocol and header.
    private func upperLayer(isIPv6: Bool) throws(Mistake) -> (UInt8, [UInt8]) {
        let hasPorts = sourcePort != nil || destinationPort != nil
        let icmp: UInt8 = isIPv6 ? 58 : 1
        let implied: UInt8? = tcpFlags != nil ? 6 : icmpType != nil || icmpCode != nil ? icmp : nil
        guard let number = ipProtocol ?? implied else {
            guard !hasPorts else { throw Mistake(description: "ports need a protocol: tcp, udp, udplite or sctp") }
            // No next header.
            return (isIPv6 ? 59 : 255, [])
        }
        guard !hasPorts || [6, 17, 132, 136].contains(number) else {
            throw Mistake(description: "the protocol \(number) has no ports")
        }
        guard tcpFlags == nil || number == 6 else { throw Mistake(description: "only TCP has flags") }
        guard icmpType == nil && icmpCode == nil || number == icmp else {
            throw Mistake(description: "the protocol \(number) has no ICMP type; that of this family's ICMP is \(icmp)")
        }
        var writer = ByteWriter(capacity: 20)
        switch number {
        case 6, 17, 132, 136:
            writer.uint16(sourcePort ?? 0)
            writer.uint16(destinationPort ?? 0)
            if number == 6 {
                writer.bytes([0, 0, 0, 0, 0, 0, 0, 0, 0x50, tcpFlags ?? 0, 0, 0, 0, 0, 0, 0])
            } else {
                writer.bytes([0, 8, 0, 0])
            }
        case icmp: writer.bytes([icmpType ?? 0, icmpCode ?? 0, 0, 0, 0, 0, 0, 0])
        default: writer.bytes([0, 0, 0, 0, 0, 0, 0, 0])
        }
        return (number, writer.bytes)
    }

    // An ARP request. Read first: RFC 826.
    private func question() throws(Mistake) -> [UInt8] {
        guard source?.isIPv6 != true, destination?.isIPv6 != true else {
            throw Mistake(description: "ARP is for IPv4 addresses")
        }
        guard ipProtocol == nil, sourcePort == nil, destinationPort == nil, tcpFlags == nil, icmpType == nil else {
            throw Mistake(description: "ARP has neither protocol nor ports")
        }
        var writer = ByteWriter(capacity: 28)
        writer.bytes([0, 1, 8, 0, 6, 4, 0, 1])
        writer.uint48(sourceMAC.bits)
        writer.uint32(source?.v4 ?? 0)
        writer.uint48(0)
        writer.uint32(destination?.v4 ?? 0)
        return writer.bytes
    }

    // MARK: Words

    /// An EtherType by name or number.
    package static func etherType(_ word: String) -> UInt16? {
        NamedNumbers.etherTypes.value(word.lowercased()) ?? RuleWords.number(word).flatMap { UInt16(exactly: $0) }
    }

    /// An IP protocol by name or number.
    package static func ipProtocol(_ word: String) -> UInt8? {
        (NamedNumbers.protocols.value(word.lowercased()).map { UInt64($0) } ?? RuleWords.number(word)).flatMap {
            UInt8(exactly: $0)
        }
    }

    /// Flags of TCP by their names with commas between, such as `syn,ack`.
    package static func tcpFlags(_ words: String) -> UInt8? {
        var flags: UInt8 = 0
        for word in words.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            guard let bit = NamedNumbers.characteristics.value("tcp_" + word), bit < 8 else { return nil }
            flags |= 1 << UInt8(bit)
        }
        return flags
    }
}
