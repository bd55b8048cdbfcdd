// The IPv4 header. Read first: RFC 791 3.1, RFC 6864 (identification), RFC 7126 (options).
//
//  0 version 4, header words | 1 DSCP, ECN | 2 total length | 4 identification | 6 flags, offset / 8
//  8 time to live | 9 protocol | 10 checksum | 12 source | 16 destination | 20 options up to 60

import NetPrimitives

/// A checked IPv4 header. Lengths are in bytes and consistent with the packet that was parsed.
struct IPv4Header: Equatable {
    static let size = 20

    var headerLength = IPv4Header.size
    var totalLength: Int
    var trafficClass: UInt8 = 0
    var identification: UInt16 = 0
    var dontFragment = false
    var moreFragments = false
    /// In bytes: a multiple of 8.
    var fragmentOffset = 0
    var hopLimit: UInt8
    var protocolNumber: UInt8
    var source: IPAddress
    var destination: IPAddress

    init(
        payloadLength: Int, protocolNumber: UInt8, source: IPAddress, destination: IPAddress, hopLimit: UInt8,
        trafficClass: UInt8 = 0
    ) {
        totalLength = IPv4Header.size + payloadLength
        self.protocolNumber = protocolNumber
        self.source = source
        self.destination = destination
        self.hopLimit = hopLimit
        self.trafficClass = trafficClass
    }

    /// Whether this is a part of a larger datagram.
    @inline(__always)
    var isFragment: Bool { moreFragments || fragmentOffset != 0 }

    /// Reads and checks a header at the start of a span; bytes behind the total length are padding.
    init(parsing span: RawSpan) throws(StackDropReason) {
        guard span.byteCount >= IPv4Header.size else { throw .truncated }
        let first = span.loadUInt8(at: 0)
        guard first >> 4 == 4 else { throw .malformed }
        let length = Int(first & 0xf) * 4
        let total = Int(span.loadUInt16(at: 2))
        guard length >= IPv4Header.size else { throw .malformed }
        guard total >= length, total <= span.byteCount else { throw .truncated }
        guard Checksum.isValid(Checksum.sum(span, from: 0, count: length)) else { throw .ipChecksum }
        headerLength = length
        totalLength = total
        trafficClass = span.loadUInt8(at: 1)
        identification = span.loadUInt16(at: 4)
        let fragment = span.loadUInt16(at: 6)
        dontFragment = fragment & 0x4000 != 0
        moreFragments = fragment & 0x2000 != 0
        fragmentOffset = Int(fragment & 0x1fff) * 8
        hopLimit = span.loadUInt8(at: 8)
        protocolNumber = span.loadUInt8(at: 9)
        source = span.loadIPv4(at: 12)
        destination = span.loadIPv4(at: 16)
        if length > IPv4Header.size { try IPv4Header.checkOptions(span, end: length) }
    }

    // Options are read so that a malformed list cannot pass, and none is obeyed. Source routes are refused (RFC 7126).
    private static func checkOptions(_ span: RawSpan, end: Int) throws(StackDropReason) {
        var offset = size
        while offset < end {
            let kind = span.loadUInt8(at: offset)
            if kind == 0 { return }
            if kind == 1 {
                offset += 1
                continue
            }
            guard offset + 1 < end else { throw .options }
            let length = Int(span.loadUInt8(at: offset + 1))
            guard length >= 2, offset + length <= end else { throw .options }
            // 131 is loose, 137 strict source and record route.
            guard kind != 131, kind != 137 else { throw .options }
            offset += length
        }
    }

    /// Writes a header without options, checksum included. `headerLength` must be 20.
    @inline(__always)
    func write(into span: inout MutableRawSpan, at offset: Int) {
        let versionAndClass = UInt16(0x4500) | UInt16(trafficClass)
        let fragment =
            UInt16(truncatingIfNeeded: fragmentOffset >> 3) | (dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0)
        let hopsAndProtocol = UInt16(hopLimit) << 8 | UInt16(protocolNumber)
        let length = UInt16(truncatingIfNeeded: totalLength)
        let sum =
            UInt64(versionAndClass) &+ UInt64(length) &+ UInt64(identification) &+ UInt64(fragment)
            &+ UInt64(hopsAndProtocol) &+ UInt64(source.v4 >> 16) &+ UInt64(source.v4 & 0xffff)
            &+ UInt64(destination.v4 >> 16) &+ UInt64(destination.v4 & 0xffff)
        span.storeUInt16(versionAndClass, at: offset)
        span.storeUInt16(length, at: offset + 2)
        span.storeUInt16(identification, at: offset + 4)
        span.storeUInt16(fragment, at: offset + 6)
        span.storeUInt16(hopsAndProtocol, at: offset + 8)
        span.storeUInt16(Checksum.finish(Checksum.fold(sum)), at: offset + 10)
        span.storeUInt32(source.v4, at: offset + 12)
        span.storeUInt32(destination.v4, at: offset + 16)
    }
}
