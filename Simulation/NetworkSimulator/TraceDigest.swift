//  One number for everything that happened: the same seed must give the same number in every process.

import NetPrimitives

/// A running 64-bit hash over all datagrams and events. Not cryptographic: it finds accidents, not forgeries.
package struct TraceDigest: Hashable, Sendable, CustomStringConvertible {
    private var state: UInt64 = 0x6a09_e667_f3bc_c908

    package init() {}

    /// Takes in a number.
    mutating func add(_ value: UInt64) {
        state = (state ^ value) &* 0x9e37_79b9_7f4a_7c15
        state ^= state >> 29
    }

    /// Takes in bytes and their count. Whether one of the words at multiples of eight is `word`.
    mutating func add(_ bytes: RawSpan, lookingFor word: UInt64) -> Bool {
        add(UInt64(bytes.byteCount))
        var offset = 0
        var isFound = false
        while offset + 8 <= bytes.byteCount {
            let value = bytes.loadUInt64(at: offset)
            if value == word { isFound = true }
            add(value)
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < bytes.byteCount {
            tail = tail << 8 | UInt64(bytes.loadUInt8(at: offset))
            offset += 1
        }
        add(tail)
        return isFound
    }

    /// Takes in an endpoint.
    mutating func add(_ endpoint: SocketEndpoint) {
        add(endpoint.address.high)
        add(endpoint.address.low)
        add(UInt64(endpoint.port))
    }

    /// Sixteen hexadecimal digits.
    package var description: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
