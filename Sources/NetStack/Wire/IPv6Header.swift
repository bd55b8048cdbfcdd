// The IPv6 header and the walk over extension headers. Read first: RFC 8200 3 and 4, RFC 6946, RFC 7112.
//
//  0 version 6, traffic class, flow label | 4 payload length | 6 next header | 7 hop limit | 8 source | 24 destination

import NetPrimitives

/// A checked IPv6 header. `payloadLength` fits the packet that was parsed.
struct IPv6Header: Equatable {
    static let size = 40
    static let fragmentSize = 8

    var trafficClass: UInt8 = 0
    /// 20 bits.
    var flowLabel: UInt32 = 0
    var payloadLength: Int
    var nextHeader: UInt8
    var hopLimit: UInt8
    var source: IPAddress
    var destination: IPAddress

    init(
        payloadLength: Int, nextHeader: UInt8, source: IPAddress, destination: IPAddress, hopLimit: UInt8,
        trafficClass: UInt8 = 0
    ) {
        self.payloadLength = payloadLength
        self.nextHeader = nextHeader
        self.source = source
        self.destination = destination
        self.hopLimit = hopLimit
        self.trafficClass = trafficClass
    }

    /// Reads and checks a header at the start of a span; bytes behind the payload are padding.
    init(parsing span: RawSpan) throws(StackDropReason) {
        guard span.byteCount >= IPv6Header.size else { throw .truncated }
        let first = span.loadUInt32(at: 0)
        guard first >> 28 == 6 else { throw .malformed }
        payloadLength = Int(span.loadUInt16(at: 4))
        guard payloadLength <= span.byteCount - IPv6Header.size else { throw .truncated }
        trafficClass = UInt8(truncatingIfNeeded: first >> 20)
        flowLabel = first & 0xf_ffff
        nextHeader = span.loadUInt8(at: 6)
        hopLimit = span.loadUInt8(at: 7)
        source = span.loadIPv6(at: 8)
        destination = span.loadIPv6(at: 24)
    }

    /// Writes the 40 bytes.
    @inline(__always)
    func write(into span: inout MutableRawSpan, at offset: Int) {
        span.storeUInt32(0x6000_0000 | UInt32(trafficClass) << 20 | (flowLabel & 0xf_ffff), at: offset)
        span.storeUInt16(UInt16(truncatingIfNeeded: payloadLength), at: offset + 4)
        span.storeUInt8(nextHeader, at: offset + 6)
        span.storeUInt8(hopLimit, at: offset + 7)
        span.storeAddress(source, at: offset + 8)
        span.storeAddress(destination, at: offset + 24)
    }
}

/// The fragment extension header.
struct IPv6Fragment: Equatable {
    var nextHeader: UInt8
    /// In bytes: a multiple of 8.
    var offset: Int
    var moreFragments: Bool
    var identification: UInt32

    init(nextHeader: UInt8, offset: Int, moreFragments: Bool, identification: UInt32) {
        self.nextHeader = nextHeader
        self.offset = offset
        self.moreFragments = moreFragments
        self.identification = identification
    }

    /// Reads the eight bytes at an offset that the caller has checked.
    init(_ span: RawSpan, at position: Int) {
        nextHeader = span.loadUInt8(at: position)
        let field = span.loadUInt16(at: position + 2)
        offset = Int(field & 0xfff8)
        moreFragments = field & 1 != 0
        identification = span.loadUInt32(at: position + 4)
    }

    /// Writes the eight bytes.
    func write(into span: inout MutableRawSpan, at position: Int) {
        span.storeUInt8(nextHeader, at: position)
        span.storeUInt8(0, at: position + 1)
        span.storeUInt16(UInt16(truncatingIfNeeded: offset & 0xfff8) | (moreFragments ? 1 : 0), at: position + 2)
        span.storeUInt32(identification, at: position + 4)
    }
}

/// Where the extension headers of a packet end.
enum IPv6Walk: Equatable {
    /// The upper layer's protocol, where it begins, and where the number stands that says so (for a parameter problem).
    case upper(protocolNumber: UInt8, offset: Int, pointer: Int)
    /// A fragment whose header stands at `offset`; the number that announces it stands at `pointer`.
    case fragment(IPv6Fragment, offset: Int, pointer: Int)
    /// Nothing follows.
    case nothing
    /// Dropped without a word.
    case drop(StackDropReason)
    /// Dropped, and the source may be told: code and pointer of an ICMPv6 parameter problem. `always` says that even a
    /// packet to a group is answered (option action 10).
    case problem(code: UInt8, pointer: Int, always: Bool)
}

extension IPv6Walk {
    /// Walks from the fixed header to the upper layer. `end` is the end of the packet in the span, which begins with
    /// the IPv6 header. Every step advances by at least eight bytes and at most eight headers are taken.
    static func walk(_ span: RawSpan, end: Int, isMulticast: Bool, wasReassembled: Bool) -> IPv6Walk {
        var next = span.loadUInt8(at: 6)
        var pointer = 6
        var offset = IPv6Header.size
        for index in 0...StackConstants.maximumExtensionHeaders {
            switch next {
            case IPProtocol.noNext:
                return .nothing
            case IPProtocol.fragment:
                guard offset + IPv6Header.fragmentSize <= end else { return .drop(.truncated) }
                let fragment = IPv6Fragment(span, at: offset)
                if fragment.offset == 0, !fragment.moreFragments {
                    // RFC 6946: an atomic fragment is a whole datagram.
                    next = fragment.nextHeader
                    pointer = offset
                    offset += IPv6Header.fragmentSize
                    continue
                }
                // Fragments inside a reassembled datagram are never honest.
                if wasReassembled { return .drop(.extensionHeader) }
                return .fragment(fragment, offset: offset, pointer: pointer)
            case IPProtocol.hopByHop, IPProtocol.destinationOptions, IPProtocol.routing:
                // RFC 8200 4.1: hop-by-hop options come first or not at all.
                if next == IPProtocol.hopByHop, index != 0 { return .problem(code: 1, pointer: pointer, always: false) }
                guard offset + 8 <= end else { return .drop(.truncated) }
                let length = (Int(span.loadUInt8(at: offset + 1)) + 1) * 8
                guard offset + length <= end else { return .drop(.truncated) }
                if next == IPProtocol.routing {
                    // Segments left: we are no router for anybody (type 0 is RFC 5095).
                    if span.loadUInt8(at: offset + 3) != 0 {
                        return .problem(code: 0, pointer: offset + 2, always: false)
                    }
                } else if let verdict = options(span, from: offset, length: length, isMulticast: isMulticast) {
                    return verdict
                }
                pointer = offset
                next = span.loadUInt8(at: offset)
                offset += length
            default:
                return .upper(protocolNumber: next, offset: offset, pointer: pointer)
            }
        }
        return .drop(.extensionHeader)
    }

    // Walks the options of one header; nil when all may be skipped.
    private static func options(_ span: RawSpan, from start: Int, length: Int, isMulticast: Bool) -> IPv6Walk? {
        guard length <= StackConstants.maximumOptionBytes else { return .drop(.extensionHeader) }
        let end = start + length
        var offset = start + 2
        while offset < end {
            let kind = span.loadUInt8(at: offset)
            if kind == 0 {
                offset += 1
                continue
            }
            guard offset + 2 <= end else { return .drop(.malformed) }
            let next = offset + 2 + Int(span.loadUInt8(at: offset + 1))
            guard next <= end else { return .drop(.malformed) }
            // The jumbo payload option never fits these interfaces.
            if kind == 0xc2 { return .drop(.extensionHeader) }
            // PadN and router alert ask for nothing of a host.
            if kind != 1, kind != 5 {
                switch kind >> 6 {
                case 0: break
                case 1: return .drop(.extensionHeader)
                case 2: return .problem(code: 2, pointer: offset, always: true)
                default:
                    return isMulticast ? .drop(.extensionHeader) : .problem(code: 2, pointer: offset, always: false)
                }
            }
            offset = next
        }
        return nil
    }
}

extension IPv6Walk {
    /// Whether the chain behind the fragment header of a first fragment ends inside it, with the upper layer's first
    /// bytes.
    static func reachesUpperLayer(_ span: RawSpan, _ nextHeader: UInt8, from start: Int, end: Int) -> Bool {
        var next = nextHeader
        var offset = start
        for _ in 0...StackConstants.maximumExtensionHeaders {
            switch next {
            case IPProtocol.noNext: return true
            case IPProtocol.hopByHop, IPProtocol.destinationOptions, IPProtocol.routing:
                guard offset + 8 <= end else { return false }
                next = span.loadUInt8(at: offset)
                offset += (Int(span.loadUInt8(at: offset + 1)) + 1) * 8
                guard offset <= end else { return false }
            case IPProtocol.tcp: return end - offset >= 20
            case IPProtocol.udp, IPProtocol.icmp6: return end - offset >= 8
            default: return offset < end
            }
        }
        return false
    }
}
