//  The 27 bytes in front of a packet's verb.
//
//  offset size  field
//   0      8    packet ID, also the nonce
//   8      5    destination address
//  13      5    source address
//  18      1    F F C C C H H H: historic encrypted flag, fragmented flag, cipher suite, hop count
//  19      8    MAC, second half of the SIV tag, or trusted path ID
//  27      1    verb: bit 0x80 compressed, low 5 bits the verb
//  28      ..   payload

import NetPrimitives

/// The header of a whole packet or of the head of a fragmented one. A view: nothing of it is authenticated yet.
package struct PacketHeader: Equatable, Sendable {
    /// Bytes in front of the verb byte.
    package static let size = 27
    /// Where the flags byte is.
    package static let flagsOffset = 18
    /// Where the MAC is.
    package static let macOffset = 19
    /// Where the verb byte is; encryption and authentication begin here.
    package static let verbOffset = 27
    /// Where the payload begins; no packet is shorter than this.
    package static let payloadOffset = 28

    package static let historicEncryptedFlag: UInt8 = 0x80
    package static let fragmentedFlag: UInt8 = 0x40
    package static let hopsMask: UInt8 = 0x07

    package var id: PacketID
    package var destination: Address
    package var source: Address
    /// The byte at offset 18.
    package var flagsByte: UInt8
    /// The 8 bytes at offset 19, big-endian: MAC, half a tag, or the trusted path ID.
    package var authenticator: UInt64

    /// A header before sealing: suite bits, hops and authenticator are zero.
    package init(id: PacketID, destination: Address, source: Address, isFragmented: Bool = false) {
        self.id = id
        self.destination = destination
        self.source = source
        self.flagsByte = isFragmented ? PacketHeader.fragmentedFlag : 0
        self.authenticator = 0
    }

    /// The header at `offset` of `span`; nil unless `length` bytes from there are at least a header, verb byte
    /// included, and lie in the span.
    package init?(_ span: RawSpan, at offset: Int = 0, length: Int) {
        guard length >= PacketHeader.payloadOffset, offset >= 0, offset <= span.byteCount,
            length <= span.byteCount - offset
        else { return nil }
        let middle = span.loadUInt64(at: offset + 8)
        let tail = span.loadUInt16(at: offset + 16)
        id = PacketID(span.loadUInt64(at: offset))
        destination = Address(middle >> 24)
        source = Address(middle << 16 | UInt64(tail))
        flagsByte = span.loadUInt8(at: offset + PacketHeader.flagsOffset)
        authenticator = span.loadUInt64(at: offset + PacketHeader.macOffset)
    }

    /// The cipher suite; nil for the numbers 4 to 7, which are dropped.
    package var cipher: CipherSuite? { CipherSuite(rawValue: flagsByte >> 3 & 0x07) }

    /// How many nodes relayed the packet, 0 to 7. Not authenticated.
    package var hops: Int { Int(flagsByte & PacketHeader.hopsMask) }

    /// Whether this is the head of a packet whose other parts follow as fragments.
    package var isFragmented: Bool { flagsByte & PacketHeader.fragmentedFlag != 0 }

    /// Writes the 27 bytes at `offset`, which must have room for them.
    package func write(into span: inout MutableRawSpan, at offset: Int = 0) {
        span.storeUInt64(id.value, at: offset)
        span.storeUInt64(destination.value << 24 | source.value >> 16, at: offset + 8)
        span.storeUInt16(UInt16(truncatingIfNeeded: source.value), at: offset + 16)
        span.storeUInt8(flagsByte, at: offset + PacketHeader.flagsOffset)
        span.storeUInt64(authenticator, at: offset + PacketHeader.macOffset)
    }

    /// Adds one to the hop count of the packet at `offset`, as a relay does. False when it is at `limit` already.
    package static func incrementHops(
        in span: inout MutableRawSpan, at offset: Int = 0, limit: Int = ProtocolLimits.relayHops
    ) -> Bool {
        incrementHops(in: &span, byteOffset: offset + flagsOffset, limit: limit)
    }

    static func incrementHops(in span: inout MutableRawSpan, byteOffset: Int, limit: Int) -> Bool {
        let byte = span.loadUInt8(at: byteOffset)
        guard Int(byte & hopsMask) < min(limit, Int(hopsMask)) else { return false }
        span.storeUInt8(byte + 1, at: byteOffset)
        return true
    }
}
