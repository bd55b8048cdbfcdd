//  The 16 bytes in front of every part of a packet but the head.
//
//  offset size  field
//   0      8    ID of the packet it belongs to, as on the wire
//   8      5    destination address
//  13      1    0xff: no source address begins so
//  14      1    high 4 bits: number of parts with the head; low 4 bits: number of this part, from 1
//  15      1    low 3 bits: hop count
//  16      ..   data

import NetPrimitives

/// Whether the datagram of `length` bytes at `offset` of `span` is a fragment: longer than its header, 0xff at byte 13.
package func isFragment(_ span: RawSpan, at offset: Int = 0, length: Int) -> Bool {
    guard length > FragmentHeader.size, offset >= 0, offset <= span.byteCount, length <= span.byteCount - offset else {
        return false
    }
    return span.loadUInt8(at: offset + FragmentHeader.markerOffset) == FragmentHeader.marker
}

/// The header of a fragment. Nothing of it is authenticated, ever: only the joined packet is.
package struct FragmentHeader: Equatable, Sendable {
    /// Bytes in front of the data.
    package static let size = 16
    package static let markerOffset = 13
    package static let marker: UInt8 = 0xff
    /// Where the hop count is.
    package static let hopsOffset = 15

    package var packetID: PacketID
    package var destination: Address
    /// Parts of the packet with the head, 0 to 15 as read; `isAcceptable` says whether it makes sense.
    package var total: Int
    /// Number of this part, 0 to 15 as read; the head is 0 and is not a fragment.
    package var number: Int
    /// Hop count, 0 to 7.
    package var hops: Int

    package init(packetID: PacketID, destination: Address, total: Int, number: Int, hops: Int = 0) {
        self.packetID = packetID
        self.destination = destination
        self.total = total
        self.number = number
        self.hops = hops
    }

    /// The header at `offset` of `span`; nil unless `isFragment`.
    package init?(_ span: RawSpan, at offset: Int = 0, length: Int) {
        guard isFragment(span, at: offset, length: length) else { return nil }
        packetID = PacketID(span.loadUInt64(at: offset))
        destination = Address(span.loadUInt64(at: offset + 8) >> 24)
        let parts = span.loadUInt8(at: offset + 14)
        total = Int(parts >> 4)
        number = Int(parts & 15)
        hops = Int(span.loadUInt8(at: offset + FragmentHeader.hopsOffset) & PacketHeader.hopsMask)
    }

    /// Whether the part may be kept for reassembly: 2 to 7 parts, and this is one of them that is not the head.
    package var isAcceptable: Bool {
        total > 1 && total <= ProtocolLimits.maximumParts && number > 0 && number < total
    }

    /// Writes the 16 bytes at `offset`, which must have room for them.
    package func write(into span: inout MutableRawSpan, at offset: Int = 0) {
        span.storeUInt64(packetID.value, at: offset)
        span.storeUInt64(
            destination.value << 24 | UInt64(FragmentHeader.marker) << 16
                | UInt64(total & 15) << 12 | UInt64(number & 15) << 8 | UInt64(hops & 7),
            at: offset + 8)
    }

    /// Adds one to the hop count of the fragment at `offset`, as a relay does. False when it is at `limit` already.
    package static func incrementHops(
        in span: inout MutableRawSpan, at offset: Int = 0, limit: Int = ProtocolLimits.relayHops
    ) -> Bool {
        PacketHeader.incrementHops(in: &span, byteOffset: offset + hopsOffset, limit: limit)
    }
}
