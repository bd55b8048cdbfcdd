// The UDP header. Read first: RFC 768, RFC 8200 8.1.
//
//  0 source port | 2 destination port | 4 length | 6 checksum

import NetPrimitives

/// A checked UDP header.
struct UDPHeader: Equatable {
    static let size = 8

    var sourcePort: UInt16
    var destinationPort: UInt16
    /// Header and payload in bytes: 8...65535.
    var length: Int

    init(sourcePort: UInt16, destinationPort: UInt16, length: Int) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.length = length
    }

    /// Reads a header from the `count` bytes at `offset`; bytes behind the length are ignored. `pseudoSum` is without
    /// length.
    init(parsing span: RawSpan, at offset: Int, count: Int, pseudoSum: UInt32, isIPv4: Bool) throws(StackDropReason) {
        guard count >= UDPHeader.size, offset + count <= span.byteCount else { throw .truncated }
        length = Int(span.loadUInt16(at: offset + 4))
        guard length >= UDPHeader.size, length <= count else { throw .truncated }
        sourcePort = span.loadUInt16(at: offset)
        destinationPort = span.loadUInt16(at: offset + 2)
        if span.loadUInt16(at: offset + 6) == 0 {
            // No checksum: allowed for IPv4 only.
            guard isIPv4 else { throw .checksum }
            return
        }
        let sum = Checksum.combine(
            Checksum.combine(Checksum.sum(span, from: offset, count: length), pseudoSum), UInt32(length))
        guard Checksum.isValid(sum) else { throw .checksum }
    }

    /// Writes the header; `checksum` 0 means none.
    @inline(__always)
    func write(into span: inout MutableRawSpan, at offset: Int, checksum: UInt16) {
        span.storeUInt16(sourcePort, at: offset)
        span.storeUInt16(destinationPort, at: offset + 2)
        span.storeUInt16(UInt16(truncatingIfNeeded: length), at: offset + 4)
        span.storeUInt16(checksum, at: offset + 6)
    }

    /// The checksum over pseudo-header, header and payload; never 0, which would mean none (RFC 768).
    func checksum(pseudoSum: UInt32, payloadSum: UInt32) -> UInt16 {
        var sum = Checksum.combine(pseudoSum, UInt32(length))
        sum = Checksum.combine(sum, Checksum.combine(UInt32(sourcePort), UInt32(destinationPort)))
        sum = Checksum.combine(Checksum.combine(sum, UInt32(length)), payloadSum)
        let value = Checksum.finish(sum)
        return value == 0 ? 0xffff : value
    }
}
