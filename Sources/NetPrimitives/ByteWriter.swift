// A bounded big-endian writer for codecs; they read by `WireReader`.

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
