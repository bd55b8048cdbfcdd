// How a transport payload becomes IP packets: where it is cut, and the header of each part.
// Read first: RFC 791 3.2, RFC 8200 4.5.

import NetPrimitives

/// Where a payload is cut. One part is the rule.
struct FragmentPlan: Equatable {
    let payloadLength: Int
    let isIPv4: Bool
    /// Bytes of payload in each part but the last: a multiple of 8 if there are several.
    let partLength: Int
    let count: Int

    /// Cuts a payload for an MTU; nil if that is impossible or forbidden.
    init?(payloadLength: Int, isIPv4: Bool, mtu: Int, allowsFragments: Bool) {
        self.payloadLength = payloadLength
        self.isIPv4 = isIPv4
        let header = isIPv4 ? IPv4Header.size : IPv6Header.size
        let largest = isIPv4 ? 65_535 - header : 65_535
        guard payloadLength <= largest else { return nil }
        if header + payloadLength <= mtu {
            partLength = payloadLength
            count = 1
            return
        }
        // RFC 8200: no path is narrower than 1280, so IPv6 parts need not be smaller.
        let room = isIPv4 ? mtu - header : max(mtu, StackConstants.minimumMTU6) - header - IPv6Header.fragmentSize
        guard allowsFragments, room >= 8 else { return nil }
        partLength = room & ~7
        count = (payloadLength + partLength - 1) / partLength
    }

    /// Bytes before the payload in each packet.
    @inline(__always)
    var headerLength: Int {
        if isIPv4 { return IPv4Header.size }
        return count > 1 ? IPv6Header.size + IPv6Header.fragmentSize : IPv6Header.size
    }

    /// The part of the payload that a packet carries.
    @inline(__always)
    func part(_ index: Int) -> Range<Int> {
        index * partLength..<min((index + 1) * partLength, payloadLength)
    }
}

/// The fields that the headers of all parts share.
struct PacketTemplate {
    let source: IPAddress
    let destination: IPAddress
    let protocolNumber: UInt8
    let hopLimit: UInt8
    let trafficClass: UInt8
    let dontFragment: Bool
    let identification: UInt32

    /// Writes the header of one part, fragment header included.
    @inline(__always)
    func write(_ plan: FragmentPlan, _ index: Int, into span: inout MutableRawSpan, at offset: Int) {
        let part = plan.part(index)
        let isCut = plan.count > 1
        if source.isIPv4 {
            var header = IPv4Header(
                payloadLength: part.count, protocolNumber: protocolNumber, source: source, destination: destination,
                hopLimit: hopLimit, trafficClass: trafficClass)
            header.dontFragment = dontFragment && !isCut
            header.identification = UInt16(truncatingIfNeeded: identification)
            header.fragmentOffset = part.lowerBound
            header.moreFragments = isCut && index < plan.count - 1
            header.write(into: &span, at: offset)
            return
        }
        let header = IPv6Header(
            payloadLength: part.count + (isCut ? IPv6Header.fragmentSize : 0),
            nextHeader: isCut ? IPProtocol.fragment : protocolNumber, source: source, destination: destination,
            hopLimit: hopLimit, trafficClass: trafficClass)
        header.write(into: &span, at: offset)
        guard isCut else { return }
        IPv6Fragment(
            nextHeader: protocolNumber, offset: part.lowerBound, moreFragments: index < plan.count - 1,
            identification: identification
        ).write(into: &span, at: offset + IPv6Header.size)
    }
}
