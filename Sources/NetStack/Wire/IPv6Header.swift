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
    /// the IPv6 header. The steps are those of the rule filter. Requests of the headers to a host are handled here.
    static func walk(_ span: RawSpan, end: Int, isMulticast: Bool, wasReassembled: Bool) -> IPv6Walk {
        var walk = IPv6HeaderWalk(span, at: 0, isReassembled: wasReassembled)
        while true {
            switch walk.step(span, at: 0, end: end) {
            case .options(let offset, let length):
                if let verdict = options(span, from: offset, length: length, isMulticast: isMulticast) {
                    return verdict
                }
            case .routing(let offset, _):
                // Segments left: we are no router for anybody (type 0 is RFC 5095).
                if span.loadUInt8(at: offset + 3) != 0 {
                    return .problem(code: 0, pointer: offset + 2, always: false)
                }
            case .atomicFragment: continue
            case .fragment(let offset, let pointer):
                return .fragment(IPv6Fragment(span, at: offset), offset: offset, pointer: pointer)
            // No home agent and no mobile node: a protocol that is not served.
            case .mobility(let offset, let pointer):
                return .upper(protocolNumber: IPProtocol.mobility, offset: offset, pointer: pointer)
            case .upper(let number, let offset, let pointer):
                return .upper(protocolNumber: number, offset: offset, pointer: pointer)
            case .nothing: return .nothing
            case .truncated: return .drop(.truncated)
            case .misplaced(let pointer): return .problem(code: 1, pointer: pointer, always: false)
            case .excessive: return .drop(.extensionHeader)
            }
        }
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
