// Salsa20 over a part of a span. Read first: D. J. Bernstein, "Salsa20 specification"; the code is in `CCipherKernels`.

import CCipherKernels

/// The stream cipher Salsa20 with a 64-bit nonce and a 64-bit block counter.
package enum Salsa20 {
    /// Xors the key stream from block `startBlock` on into bytes `from..<to` of a span.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - nonce: the 8 bytes of the nonce, read as a big-endian number.
    ///   - rounds: an even number, 12 or 20 in this protocol.
    package static func xor(
        _ span: inout MutableRawSpan, from: Int, to: Int, key: [UInt8], nonce: UInt64, startBlock: UInt64, rounds: Int
    ) {
        precondition(from >= 0 && from <= to && to <= span.byteCount, "range outside the span")
        precondition(key.count == 32 && rounds > 0 && rounds % 2 == 0 && rounds <= 64, "bad Salsa20 parameters")
        let nonceBytes = (0..<8).map { UInt8(truncatingIfNeeded: nonce >> UInt64(56 - 8 * $0)) }
        // Sound: the range and the sizes of key and nonce were checked just above; nothing is kept.
        unsafe span.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress, from < to else { return }
            unsafe ck_salsa20_xor(
                (base + from).assumingMemoryBound(to: UInt8.self), to - from, key, nonceBytes, startBlock,
                Int32(rounds),
                CipherTier.best.rawValue)
        }
    }
}
