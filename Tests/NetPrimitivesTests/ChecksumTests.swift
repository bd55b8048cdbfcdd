import CCopyKernels
import Testing

@testable import NetPrimitives

/// RFC 1071 in its own words, one 16-bit word at a time.
private func naiveSum(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = 0
    var index = 0
    while index < bytes.count {
        let low = index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0
        sum += UInt32(bytes[index]) << 8 | low
        sum = (sum & 0xFFFF) + (sum >> 16)
        index += 2
    }
    return sum
}

/// 0 and 0xFFFF are the same number in one's complement; a sum is 0 only if all bytes are.
private func same(_ left: UInt32, _ right: UInt32) -> Bool { left == right }

@Suite struct ChecksumTests {
    @Test func `the sum equals the naive one for every length up to 200 and every alignment up to 63`() {
        var random = RandomSource(seed: 1)
        let bytes = random.bytes(300)
        for alignment in 0..<64 {
            for length in 0...200 {
                let part = Array(bytes[alignment..<alignment + length])
                #expect(same(Checksum.sum(bytes.span.bytes, from: alignment, count: length), naiveSum(part)))
            }
        }
    }

    @Test func `copy and sum copies exactly the range and gives the naive sum`() {
        var random = RandomSource(seed: 2)
        let bytes = random.bytes(300)
        for alignment in stride(from: 0, to: 64, by: 7) {
            for length in 0...200 {
                var target = [UInt8](repeating: 0xA5, count: 300)
                let offset = (alignment * 5) % 64
                var span = target.mutableSpan
                var raw = span.mutableBytes
                let sum = Checksum.copyAndSum(
                    bytes.span.bytes, from: alignment, count: length, into: &raw, at: offset)
                let part = Array(bytes[alignment..<alignment + length])
                #expect(sum == naiveSum(part))
                #expect(Array(target[offset..<offset + length]) == part)
                #expect(target[..<offset].allSatisfy { $0 == 0xA5 })
                #expect(target[(offset + length)...].allSatisfy { $0 == 0xA5 })
            }
        }
    }

    @Test func `each kernel that this processor has copies and sums like the portable code`() {
        var random = RandomSource(seed: 5)
        let bytes = random.bytes(4096)
        for length in Array(0...300) + [511, 512, 513, 1374, 2747, 2748, 4000] {
            for alignment in [0, 1, 7, 32, 63] {
                var expected = [UInt8](repeating: 0, count: length)
                let sum = bytes.withUnsafeBytes { from in
                    expected.withUnsafeMutableBytes { to -> UInt32 in
                        guard let to = to.baseAddress, let from = from.baseAddress else { return 0 }
                        return Checksum.portableCopyAndSum(from + alignment, to, length)
                    }
                }
                for width in [256, 512] where width <= Int(ccopy_width()) {
                    var copy = [UInt8](repeating: 0xA5, count: length + 128)
                    let wide = bytes.withUnsafeBytes { from in
                        copy.withUnsafeMutableBytes { to -> UInt32 in
                            guard let to = to.baseAddress, let from = from.baseAddress else { return 0 }
                            return ccopy_and_sum(Int32(width), from + alignment, to + alignment, length)
                        }
                    }
                    #expect(UInt32(UInt16(truncatingIfNeeded: wide).bigEndian) == sum)
                    #expect(Array(copy[alignment..<alignment + length]) == expected)
                    #expect(copy[..<alignment].allSatisfy { $0 == 0xA5 })
                    #expect(copy[(alignment + length)...].allSatisfy { $0 == 0xA5 })
                }
            }
        }
    }

    @Test func `sums of all ones do not overflow in long runs`() {
        for length in [1, 2, 65_535, 65_536, 3 << 20] {
            let bytes = [UInt8](repeating: 0xFF, count: length)
            let expected: UInt32 = length == 1 ? 0xFF00 : 0xFFFF
            let even = length % 2 == 0 ? expected : Checksum.combine(length == 1 ? 0 : 0xFFFF, 0xFF00)
            #expect(Checksum.sum(bytes.span.bytes, from: 0, count: length) == even)
        }
    }

    @Test func `pieces combine to the whole, swapped where they begin at an odd position`() {
        var random = RandomSource(seed: 3)
        for _ in 0..<500 {
            let bytes = random.bytes(random.next(below: 150) + 2)
            let cut = random.next(below: bytes.count)
            let first = Checksum.sum(bytes.span.bytes, from: 0, count: cut)
            let second = Checksum.sum(bytes.span.bytes, from: cut, count: bytes.count - cut)
            let whole = Checksum.combine(first, cut % 2 == 0 ? second : Checksum.swapped(second))
            #expect(whole == naiveSum(bytes))
        }
    }

    @Test func `a finished checksum makes the whole valid and any changed bit invalid`() {
        var random = RandomSource(seed: 4)
        var bytes = random.bytes(41)
        bytes[16] = 0
        bytes[17] = 0
        let field = Checksum.finish(Checksum.sum(bytes.span.bytes, from: 0, count: 41))
        bytes[16] = UInt8(field >> 8)
        bytes[17] = UInt8(field & 0xFF)
        #expect(Checksum.isValid(Checksum.sum(bytes.span.bytes, from: 0, count: 41)))
        for bit in 0..<41 * 8 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!Checksum.isValid(Checksum.sum(bytes.span.bytes, from: 0, count: 41)))
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    @Test func `the sum of an address is the sum of its bytes`() throws {
        for text in ["10.1.2.3", "255.255.255.255", "fd00:1234::89ab:ffff", "::"] {
            let address = try #require(IPAddress(text))
            #expect(Checksum.sum(address) == naiveSum(address.bytes))
        }
    }
}
