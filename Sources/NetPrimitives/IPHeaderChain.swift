//  From the IP header to the upper layer, both families: what the rule filter and the stack both have to find the same.
//  Read first: RFC 8200 4.1, RFC 7112 (first fragments), RFC 6946 (atomic fragments), RFC 1858 and RFC 3128 (tiny ones).
//
//      IPv6 header > [hop-by-hop] > options, routing, mobility ... > [fragment] > options, routing ... > upper layer
//
//  Two readers of one packet that disagree on where its ports are is how a filter is passed: so there is one reader.

/// The step-by-step reader of IPv6 extension headers. Each step advances by at least eight bytes, and there are at most
/// `maximumHeaders`. All offsets count from the IPv6 header, which stands at `base` in the span.
package struct IPv6HeaderWalk: Sendable {
    /// Extension headers that a packet may have.
    package static let maximumHeaders = 8
    /// The fixed header.
    package static let fixedLength = 40

    /// What the walk came to.
    package enum Step: Hashable, Sendable {
        /// Hop-by-hop or destination options of `length` bytes.
        case options(offset: Int, length: Int)
        /// A routing header of `length` bytes.
        case routing(offset: Int, length: Int)
        /// A mobility header (RFC 6275); `pointer` is where the number stands that announces it.
        case mobility(offset: Int, pointer: Int)
        /// A fragment header that makes no fragment (RFC 6946).
        case atomicFragment(offset: Int)
        /// The fragment header of a fragment; `pointer` is where the number stands that announces it.
        case fragment(offset: Int, pointer: Int)
        /// The upper layer's number, where it begins, and where the number stands.
        case upper(protocolNumber: UInt8, offset: Int, pointer: Int)
        /// Nothing follows (RFC 8200 4.7).
        case nothing(offset: Int)
        /// The next header does not lie within the packet.
        case truncated
        /// Hop-by-hop options that are not first; `pointer` is where the number stands that announces them.
        case misplaced(pointer: Int)
        /// More headers than are taken, or a second fragment header.
        case excessive
    }

    private var next: UInt8
    private var pointer = 6
    private var offset = IPv6HeaderWalk.fixedLength
    private var count = 0
    private var hasFragmentHeader: Bool

    /// Begins behind the fixed header, which the caller has checked to be there. `isReassembled`: of a datagram that was put
    /// together no part is a fragment again.
    package init(_ span: RawSpan, at base: Int, isReassembled: Bool) {
        next = span.loadUInt8(at: base + 6)
        hasFragmentHeader = isReassembled
    }

    /// Takes one step. `end`: the packet's length, all of it in the span.
    package mutating func step(_ span: RawSpan, at base: Int, end: Int) -> Step {
        let start = offset
        let announced = pointer
        switch next {
        case 59: return .nothing(offset: start)
        case 0, 43, 44, 60, 135: break
        default: return .upper(protocolNumber: next, offset: start, pointer: announced)
        }
        // RFC 8200 4.1: hop-by-hop options come first or not at all.
        if next == 0, count > 0 { return .misplaced(pointer: announced) }
        guard count < IPv6HeaderWalk.maximumHeaders else { return .excessive }
        guard start + 8 <= end else { return .truncated }
        let kind = next
        if kind == 44, hasFragmentHeader { return .excessive }
        let length = kind == 44 ? 8 : (Int(span.loadUInt8(at: base + start + 1)) + 1) * 8
        guard start + length <= end else { return .truncated }
        next = span.loadUInt8(at: base + start)
        pointer = start
        offset += length
        count += 1
        switch kind {
        case 43: return .routing(offset: start, length: length)
        case 135: return .mobility(offset: start, pointer: announced)
        case 44:
            hasFragmentHeader = true
            let isAtomic = span.loadUInt16(at: base + start + 2) & 0xfff9 == 0
            return isAtomic ? .atomicFragment(offset: start) : .fragment(offset: start, pointer: announced)
        default: return .options(offset: start, length: length)
        }
    }
}

/// Where the headers of a packet lead.
package enum IPHeaderChain: Hashable, Sendable {
    /// The upper layer of a packet, or of a first fragment that shows enough of it. `offset` counts from the IP header.
    case upper(protocolNumber: UInt8, offset: Int)
    /// A part of a datagram whose headers are in another one.
    case laterFragment
    /// The chain is broken, hidden, or longer than anybody honest makes it.
    case unreadable
    /// The span ends before the chain does; the packet is longer.
    case ranOut

    /// Follows the headers of an IPv6 packet. `length`: bytes of the packet with padding; `available`: those of them that the
    /// span has from `base` on.
    package static func ofIPv6(
        _ span: RawSpan, at base: Int, available: Int, length: Int, isReassembled: Bool
    ) -> IPHeaderChain {
        guard length >= IPv6HeaderWalk.fixedLength else { return .unreadable }
        guard available >= IPv6HeaderWalk.fixedLength else { return .ranOut }
        let end = IPv6HeaderWalk.fixedLength + Int(span.loadUInt16(at: base + 4))
        guard span.loadUInt8(at: base) >> 4 == 6, end <= length else { return .unreadable }
        var walk = IPv6HeaderWalk(span, at: base, isReassembled: isReassembled)
        var isFirstFragment = false
        while true {
            switch walk.step(span, at: base, end: min(end, available)) {
            case .options, .routing, .mobility, .atomicFragment: continue
            case .fragment(let offset, _):
                guard span.loadUInt16(at: base + offset + 2) & 0xfff8 == 0 else { return .laterFragment }
                isFirstFragment = true
            case .upper(let number, let offset, _):
                guard !isFirstFragment || showsUpperLayer(number, end - offset) else { return .unreadable }
                return .upper(protocolNumber: number, offset: offset)
            case .nothing(let offset): return .upper(protocolNumber: 59, offset: offset)
            case .truncated: return available < end ? .ranOut : .unreadable
            case .misplaced, .excessive: return .unreadable
            }
        }
    }

    /// Follows the header of an IPv4 packet; parameters as for IPv6.
    package static func ofIPv4(_ span: RawSpan, at base: Int, available: Int, length: Int) -> IPHeaderChain {
        guard length >= 20 else { return .unreadable }
        guard available >= 20 else { return .ranOut }
        let first = span.loadUInt8(at: base)
        let header = Int(first & 15) * 4
        let end = Int(span.loadUInt16(at: base + 2))
        guard first >> 4 == 4, header >= 20, header <= end, end <= length else { return .unreadable }
        let number = span.loadUInt8(at: base + 9)
        let fragment = span.loadUInt16(at: base + 6)
        let offset = Int(fragment & 0x1fff) * 8
        if offset == 0 {
            guard fragment & 0x2000 == 0 || showsUpperLayer(number, end - header) else { return .unreadable }
            return .upper(protocolNumber: number, offset: header)
        }
        // No sender cuts inside a TCP header but to hide its ports and flags from filters.
        return number == 6 && offset < 20 ? .unreadable : .laterFragment
    }

    /// Whether `count` bytes of an upper layer are enough in a first fragment: all that tells one flow from another.
    package static func showsUpperLayer(_ protocolNumber: UInt8, _ count: Int) -> Bool {
        switch protocolNumber {
        case 6: count >= 20
        case 1, 17, 58: count >= 8
        default: count > 0
        }
    }
}
