// Bounded big-endian cursors for codecs.

/// Why bytes could not be read.
public enum ByteError: Error, Equatable, Sendable {
    /// The field at `offset` needs more bytes than there are.
    case truncated(offset: Int, needed: Int, available: Int)
}

/// A read position in a span that the caller passes with every call, since a value may not keep a span.
public struct ByteReader: Sendable {
    /// The next byte to be read.
    public private(set) var offset: Int
    /// One past the last byte that may be read.
    public let end: Int

    /// Reads from `start` up to, not including, `end`.
    public init(_ start: Int, _ end: Int) {
        self.offset = start
        self.end = max(start, end)
    }

    /// Bytes that are left.
    public var remaining: Int { end - offset }

    private mutating func take(_ count: Int, _ span: RawSpan) throws(ByteError) -> Int {
        guard count >= 0, offset >= 0, count <= remaining, end <= span.byteCount else {
            throw .truncated(offset: offset, needed: count, available: min(remaining, span.byteCount - offset))
        }
        defer { offset += count }
        return offset
    }

    /// One byte.
    public mutating func uint8(_ span: RawSpan) throws(ByteError) -> UInt8 { span.loadUInt8(at: try take(1, span)) }
    /// Two bytes.
    public mutating func uint16(_ span: RawSpan) throws(ByteError) -> UInt16 { span.loadUInt16(at: try take(2, span)) }
    /// Four bytes.
    public mutating func uint32(_ span: RawSpan) throws(ByteError) -> UInt32 { span.loadUInt32(at: try take(4, span)) }
    /// Five bytes, a ZeroTier address.
    public mutating func uint40(_ span: RawSpan) throws(ByteError) -> UInt64 { span.loadUInt40(at: try take(5, span)) }
    /// Six bytes, a MAC address.
    public mutating func uint48(_ span: RawSpan) throws(ByteError) -> UInt64 { span.loadUInt48(at: try take(6, span)) }
    /// Eight bytes.
    public mutating func uint64(_ span: RawSpan) throws(ByteError) -> UInt64 { span.loadUInt64(at: try take(8, span)) }
    /// An owned copy of the next bytes.
    public mutating func bytes(_ count: Int, _ span: RawSpan) throws(ByteError) -> [UInt8] {
        span.copyBytes(try take(count, span), count)
    }
    /// Passes over bytes.
    public mutating func skip(_ count: Int, _ span: RawSpan) throws(ByteError) { _ = try take(count, span) }
}

/// A read position in owned bytes, for codecs of the control plane.
public struct ArrayReader: Sendable {
    private let storage: [UInt8]
    /// The next byte to be read.
    public private(set) var offset: Int
    /// One past the last byte that may be read.
    public let end: Int

    /// Reads a range of the bytes, by default all.
    public init(_ bytes: [UInt8], from start: Int = 0, to end: Int? = nil) {
        storage = bytes
        self.end = min(max(0, end ?? bytes.count), bytes.count)
        offset = min(max(0, start), self.end)
    }

    /// Bytes that are left.
    public var remaining: Int { end - offset }

    private mutating func number(_ count: Int) throws(ByteError) -> UInt64 {
        guard count <= remaining else { throw .truncated(offset: offset, needed: count, available: remaining) }
        var value: UInt64 = 0
        for index in offset..<offset + count { value = value << 8 | UInt64(storage[index]) }
        offset += count
        return value
    }

    /// One byte.
    public mutating func uint8() throws(ByteError) -> UInt8 { UInt8(truncatingIfNeeded: try number(1)) }
    /// Two bytes.
    public mutating func uint16() throws(ByteError) -> UInt16 { UInt16(truncatingIfNeeded: try number(2)) }
    /// Four bytes.
    public mutating func uint32() throws(ByteError) -> UInt32 { UInt32(truncatingIfNeeded: try number(4)) }
    /// Five bytes, a ZeroTier address.
    public mutating func uint40() throws(ByteError) -> UInt64 { try number(5) }
    /// Six bytes, a MAC address.
    public mutating func uint48() throws(ByteError) -> UInt64 { try number(6) }
    /// Eight bytes.
    public mutating func uint64() throws(ByteError) -> UInt64 { try number(8) }
    /// The next bytes.
    public mutating func bytes(_ count: Int) throws(ByteError) -> [UInt8] {
        guard count >= 0, count <= remaining else {
            throw .truncated(offset: offset, needed: count, available: remaining)
        }
        defer { offset += count }
        return Array(storage[offset..<offset + count])
    }
    /// All bytes that are left.
    public mutating func rest() -> [UInt8] {
        defer { offset = end }
        return Array(storage[offset..<end])
    }
    /// Passes over bytes.
    public mutating func skip(_ count: Int) throws(ByteError) { _ = try bytes(count) }
    /// The bytes from an earlier position up to the next one to be read.
    public func bytesRead(since start: Int) -> [UInt8] {
        let start = min(max(0, start), offset)
        return Array(storage[start..<offset])
    }
}

/// Builds big-endian bytes.
public struct ByteWriter: Sendable {
    /// What was written so far.
    public var bytes: [UInt8] = []

    /// Makes an empty writer with room for a number of bytes.
    public init(capacity: Int = 64) { bytes.reserveCapacity(capacity) }

    /// How many bytes were written.
    public var count: Int { bytes.count }

    private mutating func number(_ value: UInt64, _ count: Int) {
        var shift = UInt64(8 * count)
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// One byte.
    public mutating func uint8(_ value: UInt8) { bytes.append(value) }
    /// Two bytes.
    public mutating func uint16(_ value: UInt16) { number(UInt64(value), 2) }
    /// Four bytes.
    public mutating func uint32(_ value: UInt32) { number(UInt64(value), 4) }
    /// The low five bytes.
    public mutating func uint40(_ value: UInt64) { number(value, 5) }
    /// The low six bytes.
    public mutating func uint48(_ value: UInt64) { number(value, 6) }
    /// Eight bytes.
    public mutating func uint64(_ value: UInt64) { number(value, 8) }
    /// Bytes as they are.
    public mutating func bytes(_ values: [UInt8]) { bytes.append(contentsOf: values) }
    /// Overwrites two bytes written earlier, for lengths that are known only afterwards.
    public mutating func patchUInt16(_ value: UInt16, at offset: Int) {
        bytes[offset] = UInt8(truncatingIfNeeded: value >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
