// Neighbour discovery messages and their options. Read first: RFC 4861 4 and 6.1, 7.1; RFC 7527 (nonce).

import NetPrimitives

/// A neighbour solicitation or advertisement, without its ICMPv6 header.
struct NeighbourMessage: Equatable {
    static let flagRouter: UInt32 = 0x8000_0000
    static let flagSolicited: UInt32 = 0x4000_0000
    static let flagOverride: UInt32 = 0x2000_0000

    var target: IPAddress
    /// The link-layer address option: of the source in a solicitation, of the target in an advertisement.
    var linkAddress: MACAddress?
    /// The first six bytes of a nonce option.
    var nonce: UInt64?

    init(target: IPAddress, linkAddress: MACAddress?, nonce: UInt64? = nil) {
        self.target = target
        self.linkAddress = linkAddress
        self.nonce = nonce
    }

    /// Reads the part behind the ICMPv6 header: target and options from `offset` to `end`. One option of length zero
    /// makes the whole message invalid (RFC 4861 7.1).
    init(parsing span: RawSpan, from offset: Int, end: Int, linkOption: UInt8) throws(StackDropReason) {
        guard end <= span.byteCount, end - offset >= 16 else { throw .truncated }
        target = span.loadIPv6(at: offset)
        var position = offset + 16
        while position < end {
            guard position + 8 <= end else { throw .neighbourDiscovery }
            let kind = span.loadUInt8(at: position)
            let length = Int(span.loadUInt8(at: position + 1)) * 8
            guard length > 0, position + length <= end else { throw .neighbourDiscovery }
            if kind == linkOption {
                linkAddress = MACAddress(span.loadUInt48(at: position + 2))
            } else if kind == NeighbourOption.nonce {
                nonce = span.loadUInt48(at: position + 2)
            }
            position += length
        }
    }

    /// Target and options, as they follow the ICMPv6 header.
    func payload(linkOption: UInt8) -> [UInt8] {
        let count = 16 + (linkAddress == nil ? 0 : 8) + (nonce == nil ? 0 : 8)
        return makeBytes(count) { span in
            span.storeAddress(target, at: 0)
            var position = 16
            if let linkAddress {
                span.storeUInt8(linkOption, at: position)
                span.storeUInt8(1, at: position + 1)
                span.storeUInt48(linkAddress.bits, at: position + 2)
                position += 8
            }
            if let nonce {
                span.storeUInt8(NeighbourOption.nonce, at: position)
                span.storeUInt8(1, at: position + 1)
                span.storeUInt48(nonce, at: position + 2)
            }
        }
    }
}

/// Option types of neighbour discovery.
enum NeighbourOption {
    static let sourceLink: UInt8 = 1
    static let targetLink: UInt8 = 2
    static let prefix: UInt8 = 3
    static let mtu: UInt8 = 5
    static let nonce: UInt8 = 14
}

/// The parts of a router advertisement that the stack uses: a default router, and prefixes on the link.
struct RouterAdvertisement: Equatable {
    /// Seconds as default router; 0 is none.
    var lifetime: UInt16
    var prefixes: [(prefix: IPPrefix, lifetime: UInt32)] = []
    var linkAddress: MACAddress?

    /// Reads what follows the first eight bytes of the ICMPv6 message, from `offset` to `end`; `rest` are bytes 4-7.
    init(parsing span: RawSpan, from offset: Int, end: Int, rest: UInt32) throws(StackDropReason) {
        guard end <= span.byteCount, end - offset >= 8 else { throw .truncated }
        lifetime = UInt16(truncatingIfNeeded: rest)
        var position = offset + 8
        while position < end {
            guard position + 8 <= end else { throw .neighbourDiscovery }
            let kind = span.loadUInt8(at: position)
            let length = Int(span.loadUInt8(at: position + 1)) * 8
            guard length > 0, position + length <= end else { throw .neighbourDiscovery }
            if kind == NeighbourOption.sourceLink {
                linkAddress = MACAddress(span.loadUInt48(at: position + 2))
            } else if kind == NeighbourOption.prefix, length == 32, span.loadUInt8(at: position + 3) & 0x80 != 0 {
                let bits = Int(span.loadUInt8(at: position + 2))
                let address = span.loadIPv6(at: position + 16)
                if bits <= 128, !address.isMulticast, !address.isLinkLocal,
                    prefixes.count < StackConstants.advertisedRoutes
                {
                    prefixes.append(
                        (IPPrefix(address, length: bits).network, span.loadUInt32(at: position + 4)))
                }
            }
            position += length
        }
    }

    static func == (left: RouterAdvertisement, right: RouterAdvertisement) -> Bool {
        left.lifetime == right.lifetime && left.linkAddress == right.linkAddress
            && left.prefixes.elementsEqual(right.prefixes) { $0.prefix == $1.prefix && $0.lifetime == $1.lifetime }
    }
}
