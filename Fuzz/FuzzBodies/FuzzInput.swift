//  How a body reads its input: a cursor that never fails, so that every input means something.

/// Fuzz input as a program: numbers and blocks, zero and empty beyond the end.
struct FuzzInput {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func uint8() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func uint16() -> UInt16 {
        let high = UInt16(uint8())
        return high << 8 | UInt16(uint8())
    }

    mutating func uint32() -> UInt32 {
        let high = UInt32(uint16())
        return high << 16 | UInt32(uint16())
    }

    /// A signed distance: near ones byte by byte, far ones in steps of 1021.
    mutating func distance() -> Int {
        let value = Int(Int8(bitPattern: uint8()))
        return abs(value) < 96 ? value : value * 1021
    }

    /// Up to `count` bytes; fewer at the end.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + max(0, count))
        defer { position = end }
        return Array(bytes[position..<end])
    }

    /// Bytes behind a 16-bit length, of which 11 bits count.
    mutating func block() -> [UInt8] { take(Int(uint16() & 0x7ff)) }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}

extension [UInt8] {
    /// Big-endian; the place must exist.
    func uint16(at index: Int) -> UInt16 { UInt16(self[index]) << 8 | UInt16(self[index + 1]) }
    func uint32(at index: Int) -> UInt32 { UInt32(uint16(at: index)) << 16 | UInt32(uint16(at: index + 2)) }

    mutating func store(_ value: UInt16, at index: Int) {
        self[index] = UInt8(value >> 8)
        self[index + 1] = UInt8(truncatingIfNeeded: value)
    }

    mutating func store(_ value: UInt32, at index: Int) {
        store(UInt16(value >> 16), at: index)
        store(UInt16(truncatingIfNeeded: value), at: index + 2)
    }

    /// Overwrites as many bytes as there are.
    mutating func overwrite(_ other: [UInt8], at index: Int) {
        for (offset, byte) in other.enumerated() where index + offset < count { self[index + offset] = byte }
    }
}
