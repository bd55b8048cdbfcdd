//  The bytes of simulated streams: both ends can compute any part, and any packet that carries some in the clear is noticed.

import NetPrimitives

/// The content of one direction of one transfer. It begins with the transfer's number, so that the listening side knows
/// what comes.
struct StreamContent {
    /// Bytes of the transfer's number.
    static let headerLength = 8
    /// What half of the content consists of: any 16 bytes of it in a row contain this word at a multiple of eight.
    static let markerByte: UInt8 = 0xa7
    static let markerWord: UInt64 = 0xa7a7_a7a7_a7a7_a7a7

    let transfer: Int
    let isReply: Bool

    /// The byte at an offset.
    func byte(at offset: Int) -> UInt8 {
        if offset < StreamContent.headerLength {
            return UInt8(truncatingIfNeeded: UInt64(transfer) >> UInt64(56 - 8 * offset))
        }
        if offset & 31 < 16 { return StreamContent.markerByte }
        var mixed = UInt64(offset >> 3) &+ UInt64(transfer) &* 0x9e37_79b9_7f4a_7c15 &+ (isReply ? 1 : 0)
        mixed = (mixed ^ mixed >> 31) &* 0xbf58_476d_1ce4_e5b9
        return UInt8(truncatingIfNeeded: mixed >> UInt64(8 * (offset & 7)))
    }

    /// Some bytes.
    func bytes(from offset: Int, count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        for position in offset..<offset + count { result.append(byte(at: position)) }
        return result
    }

    /// The offset of the first byte that is not as it must be; nil when all are.
    func firstDifference(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Int? {
        var position = offset
        for byte in bytes {
            if byte != self.byte(at: position) { return position }
            position += 1
        }
        return nil
    }
}
