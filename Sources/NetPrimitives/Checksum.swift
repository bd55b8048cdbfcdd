// The Internet checksum (RFC 1071): sums over spans, and the copy that sums as it goes.
//
// A partial sum is a `UInt32` in 0...0xFFFF: the one's complement sum of the bytes taken as big-endian 16-bit words, with
// a zero byte after the last one if their number is odd. Sums of pieces that begin at even positions simply combine; a
// piece that begins at an odd position is byte-swapped first (`Checksum.swapped`).

import CCopyKernels

/// Partial sums of the Internet checksum.
public enum Checksum {
    /// The one's complement sum of two partial sums.
    @inlinable
    public static func combine(_ left: UInt32, _ right: UInt32) -> UInt32 {
        let sum = left &+ right
        return (sum & 0xFFFF) &+ (sum &>> 16)
    }

    /// Folds a sum of up to 2^48 16-bit words to a partial sum.
    @inlinable
    public static func fold(_ sum: UInt64) -> UInt32 {
        var sum = (sum & 0xFFFF_FFFF) &+ (sum &>> 32)
        sum = (sum & 0xFFFF) &+ (sum &>> 16)
        sum = (sum & 0xFFFF) &+ (sum &>> 16)
        sum = (sum & 0xFFFF) &+ (sum &>> 16)
        return UInt32(truncatingIfNeeded: sum)
    }

    /// The partial sum of a piece that begins at an odd position, from its sum as if it began at an even one.
    @inlinable
    public static func swapped(_ sum: UInt32) -> UInt32 { ((sum & 0xFF) &<< 8) | (sum &>> 8) }

    /// The value for a checksum field: the complement of a sum that covered the field as zero.
    @inlinable
    public static func finish(_ sum: UInt32) -> UInt16 { ~UInt16(truncatingIfNeeded: fold(UInt64(sum))) }

    /// Whether a sum that covered the checksum field as received says that nothing was altered.
    @inlinable
    public static func isValid(_ sum: UInt32) -> Bool { fold(UInt64(sum)) == 0xFFFF }

    /// The partial sum of a number's four bytes.
    @inlinable
    public static func sum(_ value: UInt32) -> UInt32 { combine(value &>> 16, value & 0xFFFF) }

    /// The partial sum of a number's eight bytes.
    @inlinable
    public static func sum(_ value: UInt64) -> UInt32 { fold((value &>> 32) &+ (value & 0xFFFF_FFFF)) }

    /// The partial sum of an address's bytes, 4 or 16.
    @inlinable
    public static func sum(_ address: IPAddress) -> UInt32 { combine(sum(address.high), sum(address.low)) }

    /// The partial sum of `count` bytes of a span from `offset`.
    public static func sum(_ span: RawSpan, from offset: Int, count: Int) -> UInt32 {
        precondition(offset >= 0 && count >= 0 && offset <= span.byteCount - count, "read outside the span")
        guard count > 0 else { return 0 }
        // Sound: the range was checked just above and the pointer stays inside the closure.
        return unsafe span.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe sum(base + offset, count)
        }
    }

    /// The partial sum of the part of a mutable span.
    public static func sum(_ span: borrowing MutableRawSpan, from offset: Int, count: Int) -> UInt32 {
        sum(span.bytes, from: offset, count: count)
    }

    /// Copies `count` bytes between two spans and gives their partial sum.
    public static func copyAndSum(
        _ source: RawSpan, from sourceOffset: Int, count: Int, into target: inout MutableRawSpan, at offset: Int
    ) -> UInt32 {
        precondition(
            count >= 0 && sourceOffset >= 0 && sourceOffset <= source.byteCount - count, "read outside the span")
        precondition(offset >= 0 && offset <= target.byteCount - count, "write outside the span")
        guard count > 0 else { return 0 }
        // Sound: both ranges were checked just above; two live spans of which one is mutable cannot overlap.
        return unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBytes { to in
                guard let from = from.baseAddress, let to = to.baseAddress else { return 0 }
                return unsafe copyAndSum(from + sourceOffset, to + offset, count)
            }
        }
    }
}

// The kernels. They take pointers that the callers above and `ByteRing` have checked; every load and store below stays
// inside `count` bytes of its base.
extension Checksum {
    /// Sums in native byte order, 64 bytes a step, then swaps once: RFC 1071 section 2 (B).
    static func sum(_ base: UnsafeRawPointer, _ count: Int) -> UInt32 {
        var position = 0
        var total: UInt64 = 0
        if count >= 64 {
            // Each lane takes four 16-bit halves a step; a lane overflows after 2^14 steps, so long runs are cut there.
            while count &- position >= 64 {
                let steps = min((count &- position) &>> 6, 1 << 14)
                total = unsafe total &+ sumBlocks(base + position, steps)
                position &+= steps &<< 6
            }
        }
        while count &- position >= 8 {
            let word = unsafe (base + position).loadUnaligned(as: UInt64.self)
            total = total &+ (word & 0xFFFF_FFFF) &+ (word &>> 32)
            position &+= 8
        }
        return unsafe finishTail(base + position, count &- position, total)
    }

    // Shorter copies are done before the wide registers are worth it.
    private static let wideCopyBytes = 256

    static func copyAndSum(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int) -> UInt32 {
        if count >= wideCopyBytes {
            let width = ccopy_width()
            // The kernel's words are little-endian, as are this processor's if there is a kernel.
            if width != 0 {
                return UInt32(UInt16(truncatingIfNeeded: unsafe ccopy_and_sum(width, from, to, count)).bigEndian)
            }
        }
        return unsafe portableCopyAndSum(from, to, count)
    }

    static func portableCopyAndSum(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int) -> UInt32 {
        var position = 0
        var total: UInt64 = 0
        if count >= 64 {
            while count &- position >= 64 {
                let steps = min((count &- position) &>> 6, 1 << 14)
                total = unsafe total &+ copyBlocks(from + position, to + position, steps)
                position &+= steps &<< 6
            }
        }
        while count &- position >= 8 {
            let word = unsafe (from + position).loadUnaligned(as: UInt64.self)
            unsafe (to + position).storeBytes(of: word, as: UInt64.self)
            total = total &+ (word & 0xFFFF_FFFF) &+ (word &>> 32)
            position &+= 8
        }
        let rest = count &- position
        if rest > 0 { unsafe (to + position).copyMemory(from: from + position, byteCount: rest) }
        return unsafe finishTail(from + position, rest, total)
    }

    private static func sumBlocks(_ base: UnsafeRawPointer, _ steps: Int) -> UInt64 {
        var low = SIMD8<UInt32>()
        var high = SIMD8<UInt32>()
        let mask = SIMD8<UInt32>(repeating: 0xFFFF)
        var position = unsafe base
        for _ in 0..<steps {
            let first = unsafe position.loadUnaligned(as: SIMD8<UInt32>.self)
            let second = unsafe (position + 32).loadUnaligned(as: SIMD8<UInt32>.self)
            low = low &+ (first & mask) &+ (second & mask)
            high = high &+ (first &>> 16) &+ (second &>> 16)
            unsafe position += 64
        }
        return lanes(low) &+ lanes(high)
    }

    private static func copyBlocks(
        _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ steps: Int
    ) -> UInt64 {
        var low = SIMD8<UInt32>()
        var high = SIMD8<UInt32>()
        let mask = SIMD8<UInt32>(repeating: 0xFFFF)
        var position = unsafe from
        var target = unsafe to
        for _ in 0..<steps {
            let first = unsafe position.loadUnaligned(as: SIMD8<UInt32>.self)
            let second = unsafe (position + 32).loadUnaligned(as: SIMD8<UInt32>.self)
            unsafe target.storeBytes(of: first, as: SIMD8<UInt32>.self)
            unsafe (target + 32).storeBytes(of: second, as: SIMD8<UInt32>.self)
            low = low &+ (first & mask) &+ (second & mask)
            high = high &+ (first &>> 16) &+ (second &>> 16)
            unsafe position += 64
            unsafe target += 64
        }
        return lanes(low) &+ lanes(high)
    }

    private static func lanes(_ vector: SIMD8<UInt32>) -> UInt64 {
        var total: UInt64 = 0
        for lane in 0..<8 { total = total &+ UInt64(vector[lane]) }
        return total
    }

    /// Adds up to seven last bytes, folds, and turns the native-order sum into a big-endian one.
    private static func finishTail(_ base: UnsafeRawPointer, _ rest: Int, _ total: UInt64) -> UInt32 {
        var total = total
        var position = 0
        while rest &- position >= 2 {
            total = unsafe total &+ UInt64((base + position).loadUnaligned(as: UInt16.self))
            position &+= 2
        }
        if position < rest {
            let last = unsafe base.load(fromByteOffset: position, as: UInt8.self)
            // The last byte is the high half of a big-endian word whose low half is zero.
            total = total &+ UInt64(UInt16(bigEndian: UInt16(last) &<< 8))
        }
        return UInt32(UInt16(truncatingIfNeeded: fold(total)).bigEndian)
    }
}
