// Big-endian numbers and copies in spans, each with one bounds check.

extension RawSpan {
    /// The byte at an offset.
    @inlinable
    public func loadUInt8(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount, "read outside the span")
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian number of two bytes at an offset.
    @inlinable
    public func loadUInt16(at offset: Int) -> UInt16 {
        precondition(offset >= 0 && offset <= byteCount - 2, "read outside the span")
        return UInt16(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    /// The big-endian number of four bytes at an offset.
    @inlinable
    public func loadUInt32(at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= byteCount - 4, "read outside the span")
        return UInt32(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    /// The big-endian number of eight bytes at an offset.
    @inlinable
    public func loadUInt64(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= byteCount - 8, "read outside the span")
        return UInt64(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// The big-endian number of five bytes at an offset.
    @inlinable
    public func loadUInt40(at offset: Int) -> UInt64 {
        UInt64(loadUInt8(at: offset)) << 32 | UInt64(loadUInt32(at: offset + 1))
    }

    /// The big-endian number of six bytes at an offset.
    @inlinable
    public func loadUInt48(at offset: Int) -> UInt64 {
        UInt64(loadUInt16(at: offset)) << 32 | UInt64(loadUInt32(at: offset + 2))
    }

    /// An owned copy of a range.
    public func copyBytes(_ offset: Int, _ count: Int) -> [UInt8] {
        precondition(offset >= 0 && count >= 0 && offset <= byteCount - count, "read outside the span")
        // Sound: the range was checked just above and the pointer stays inside the closure.
        return unsafe withUnsafeBytes { unsafe Array($0[offset..<offset + count]) }
    }

    /// An owned copy of everything.
    public func copyBytes() -> [UInt8] { copyBytes(0, byteCount) }
}

extension MutableRawSpan {
    /// The byte at an offset.
    @inlinable
    public func loadUInt8(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount, "read outside the span")
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian number of two bytes at an offset.
    @inlinable
    public func loadUInt16(at offset: Int) -> UInt16 {
        precondition(offset >= 0 && offset <= byteCount - 2, "read outside the span")
        return UInt16(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    /// The big-endian number of four bytes at an offset.
    @inlinable
    public func loadUInt32(at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= byteCount - 4, "read outside the span")
        return UInt32(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    /// The big-endian number of eight bytes at an offset.
    @inlinable
    public func loadUInt64(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= byteCount - 8, "read outside the span")
        return UInt64(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// The big-endian number of five bytes at an offset.
    @inlinable
    public func loadUInt40(at offset: Int) -> UInt64 {
        UInt64(loadUInt8(at: offset)) << 32 | UInt64(loadUInt32(at: offset + 1))
    }

    /// The big-endian number of six bytes at an offset.
    @inlinable
    public func loadUInt48(at offset: Int) -> UInt64 {
        UInt64(loadUInt16(at: offset)) << 32 | UInt64(loadUInt32(at: offset + 2))
    }

    /// Writes a byte.
    @inlinable
    public mutating func storeUInt8(_ value: UInt8, at offset: Int) {
        precondition(offset >= 0 && offset < byteCount, "write outside the span")
        unsafe storeBytes(of: value, toUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Writes two bytes, big-endian.
    @inlinable
    public mutating func storeUInt16(_ value: UInt16, at offset: Int) {
        precondition(offset >= 0 && offset <= byteCount - 2, "write outside the span")
        unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: UInt16.self)
    }

    /// Writes four bytes, big-endian.
    @inlinable
    public mutating func storeUInt32(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset <= byteCount - 4, "write outside the span")
        unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: UInt32.self)
    }

    /// Writes eight bytes, big-endian.
    @inlinable
    public mutating func storeUInt64(_ value: UInt64, at offset: Int) {
        precondition(offset >= 0 && offset <= byteCount - 8, "write outside the span")
        unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: UInt64.self)
    }

    /// Writes the low six bytes of a number, big-endian.
    @inlinable
    public mutating func storeUInt48(_ value: UInt64, at offset: Int) {
        storeUInt16(UInt16(truncatingIfNeeded: value >> 32), at: offset)
        storeUInt32(UInt32(truncatingIfNeeded: value), at: offset + 2)
    }

    /// Copies `count` bytes in from a range of another span.
    @inlinable
    public mutating func copy(from source: RawSpan, sourceOffset: Int, count: Int, at offset: Int) {
        precondition(
            count >= 0 && sourceOffset >= 0 && sourceOffset <= source.byteCount - count, "read outside the span")
        precondition(offset >= 0 && offset <= byteCount - count, "write outside the span")
        // Sound: both ranges were checked just above; two live spans of which one is mutable cannot overlap.
        unsafe source.withUnsafeBytes { from in
            unsafe self.withUnsafeMutableBytes { to in
                guard count > 0, let to = to.baseAddress, let from = from.baseAddress else { return }
                unsafe (to + offset).copyMemory(from: from + sourceOffset, byteCount: count)
            }
        }
    }

    /// Copies an array in.
    @inlinable
    public mutating func copy(from source: [UInt8], at offset: Int) {
        // Sound: bytes have no padding.
        let bytes = unsafe source.span.bytes
        copy(from: bytes, sourceOffset: 0, count: bytes.byteCount, at: offset)
    }

    /// Moves `count` bytes within the span; the ranges may overlap.
    @inlinable
    public mutating func move(from source: Int, to destination: Int, count: Int) {
        precondition(count >= 0 && source >= 0 && source <= byteCount - count, "read outside the span")
        precondition(destination >= 0 && destination <= byteCount - count, "write outside the span")
        // Sound: both ranges were checked just above and `copyMemory` allows overlap.
        unsafe withUnsafeMutableBytes { all in
            guard count > 0, let base = all.baseAddress else { return }
            unsafe (base + destination).copyMemory(from: base + source, byteCount: count)
        }
    }

    /// Sets a range to zero.
    public mutating func clear(_ offset: Int, _ count: Int) {
        precondition(count >= 0 && offset >= 0 && offset <= byteCount - count, "write outside the span")
        for index in offset..<offset + count { storeUInt8(0, at: index) }
    }

    /// An owned copy of a range.
    public func copyBytes(_ offset: Int, _ count: Int) -> [UInt8] { bytes.copyBytes(offset, count) }
}

extension [UInt8] {
    /// Lends the array's bytes for reading.
    public func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Sound: bytes have no padding.
        try body(unsafe span.bytes)
    }

    /// Lends the array's bytes for changing in place.
    public mutating func withMutableBytes<Result: ~Copyable, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var elements = mutableSpan
        // Sound: bytes have no padding and every bit pattern is a byte.
        var bytes = unsafe elements.mutableBytes
        return try body(&bytes)
    }
}
