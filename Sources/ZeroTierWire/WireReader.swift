//  A bounded big-endian cursor over owned bytes that names the field it was reading when the bytes ran out.
//  Used by the codecs of control-plane objects; bulk packets are read in place through `PacketHeader`.

import NetPrimitives

/// A bounded cursor over `bytes`; every read is checked and throws `WireError.truncated` with the field's name.
package struct WireReader: Sendable {
    /// The bytes that are read.
    private let bytes: [UInt8]
    /// The index of the next byte.
    package private(set) var position: Int
    /// The index after the last byte.
    package let end: Int

    /// Reads all of `bytes`.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.position = 0
        self.end = bytes.count
    }

    /// Reads a copy of `length` bytes of `span` from `offset` on; a range outside the span reads as empty.
    package init(copying span: RawSpan, at offset: Int, length: Int) {
        guard offset >= 0, length > 0, offset <= span.byteCount, length <= span.byteCount - offset else {
            self.init([])
            return
        }
        self.init(span.copyBytes(offset, length))
    }

    /// The number of bytes not read yet.
    package var remaining: Int { end - position }

    /// Whether every byte was read.
    package var isAtEnd: Bool { position == end }

    /// Throws unless `count` more bytes are there.
    package func require(_ count: Int, _ field: String) throws(WireError) {
        guard count >= 0, count <= remaining else {
            throw .truncated(field: field, expected: count, found: remaining)
        }
    }

    /// The next byte.
    package mutating func uint8(_ field: String) throws(WireError) -> UInt8 {
        try require(1, field)
        defer { position += 1 }
        return bytes[position]
    }

    /// The next 2 bytes, big-endian.
    package mutating func uint16(_ field: String) throws(WireError) -> UInt16 {
        UInt16(truncatingIfNeeded: try number(2, field))
    }

    /// The next 4 bytes, big-endian.
    package mutating func uint32(_ field: String) throws(WireError) -> UInt32 {
        UInt32(truncatingIfNeeded: try number(4, field))
    }

    /// The next 5 bytes, big-endian.
    package mutating func uint40(_ field: String) throws(WireError) -> UInt64 {
        try number(5, field)
    }

    /// The next 6 bytes, big-endian.
    package mutating func uint48(_ field: String) throws(WireError) -> UInt64 {
        try number(6, field)
    }

    /// The next 8 bytes, big-endian.
    package mutating func uint64(_ field: String) throws(WireError) -> UInt64 {
        try number(8, field)
    }

    /// The next `count` bytes.
    package mutating func bytes(_ count: Int, _ field: String) throws(WireError) -> [UInt8] {
        try require(count, field)
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    /// Passes over `count` bytes.
    package mutating func skip(_ count: Int, _ field: String) throws(WireError) {
        try require(count, field)
        position += count
    }

    /// All bytes not read yet.
    package mutating func rest() -> [UInt8] {
        defer { position = end }
        return Array(bytes[position..<end])
    }

    private mutating func number(_ count: Int, _ field: String) throws(WireError) -> UInt64 {
        try require(count, field)
        var value: UInt64 = 0
        for index in position..<(position + count) {
            value = value << 8 | UInt64(bytes[index])
        }
        position += count
        return value
    }
}
