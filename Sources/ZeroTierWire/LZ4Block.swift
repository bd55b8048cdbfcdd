//  Raw LZ4 blocks (no frame, no size): the compression of payloads.
//  Read first: the LZ4 block format description, github.com/lz4/lz4 doc/lz4_Block_format.md.
//
//  sequence = token (high 4 bits literals, low 4 bits match length - 4; 15 = more length bytes follow, each 255 but the
//  last), literals, u16 little-endian distance, more match length. The last sequence is literals only.

import NetPrimitives

/// Compresses and decompresses single blocks.
package enum LZ4Block {
    private static let minimumMatch = 4
    /// The last bytes are always literals, and no match begins in the last twelve.
    private static let literalTail = 5
    private static let matchTail = 12
    private static let maximumDistance = 65_535
    private static let hashBits = 12

    // MARK: Compression

    /// The block that decompresses to `bytes`; nil when compressing is not worth it: 64 bytes or fewer, or a block
    /// that is no smaller than what it replaces.
    package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count > ProtocolLimits.uncompressedPayloadLength else { return nil }
        let block = encode(bytes)
        return block.count < bytes.count ? block : nil
    }

    /// The block that decompresses to `bytes`, whatever its size.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 255 + 16)
        // Most recent position of each hash; -1 for none.
        var table = [Int32](repeating: -1, count: 1 << hashBits)
        let lastMatchStart = bytes.count - matchTail
        let matchEnd = bytes.count - literalTail
        var anchor = 0
        var position = 0
        while position <= lastMatchStart {
            let sequence = load(bytes, position)
            let slot = Int((sequence &* 2_654_435_761) >> UInt32(32 - hashBits))
            let candidate = Int(table[slot])
            table[slot] = Int32(truncatingIfNeeded: position)
            guard candidate >= 0, position - candidate <= maximumDistance, load(bytes, candidate) == sequence else {
                position += 1
                continue
            }
            var length = minimumMatch
            while position + length < matchEnd, bytes[candidate + length] == bytes[position + length] { length += 1 }
            append(literals: bytes[anchor..<position], distance: position - candidate, length: length, to: &output)
            position += length
            anchor = position
        }
        append(literals: bytes[anchor...], distance: 0, length: 0, to: &output)
        return output
    }

    private static func load(_ bytes: [UInt8], _ index: Int) -> UInt32 {
        UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
            | UInt32(bytes[index + 3]) << 24
    }

    /// Appends one sequence; `length` 0 is the last one, without a match.
    private static func append(
        literals: ArraySlice<UInt8>, distance: Int, length: Int, to output: inout [UInt8]
    ) {
        let matchCode = length == 0 ? 0 : length - minimumMatch
        output.append(UInt8(min(literals.count, 15) << 4 | min(matchCode, 15)))
        appendLength(literals.count, to: &output)
        output.append(contentsOf: literals)
        guard length > 0 else { return }
        output.append(UInt8(truncatingIfNeeded: distance))
        output.append(UInt8(truncatingIfNeeded: distance >> 8))
        appendLength(matchCode, to: &output)
    }

    private static func appendLength(_ code: Int, to output: inout [UInt8]) {
        guard code >= 15 else { return }
        var rest = code - 15
        while rest >= 255 {
            output.append(255)
            rest -= 255
        }
        output.append(UInt8(rest))
    }

    // MARK: Decompression

    /// The decompressed `block`: 1 to `limit` bytes. Throws for anything else; never makes more than `limit` bytes.
    package static func decompress(
        _ block: [UInt8], limit: Int = ProtocolLimits.maximumPayloadLength
    ) throws(WireError) -> [UInt8] {
        try block.withBytes { (span) throws(WireError) in
            try decompress(span, at: 0, length: block.count, limit: limit)
        }
    }

    /// As above, for the block of `length` bytes at `offset` of `span`; a range outside the span throws.
    package static func decompress(
        _ span: RawSpan, at offset: Int, length: Int, limit: Int = ProtocolLimits.maximumPayloadLength
    ) throws(WireError) -> [UInt8] {
        guard offset >= 0, length >= 0, offset <= span.byteCount, length <= span.byteCount - offset else {
            throw .truncated(field: "lz4.block", expected: length, found: max(0, span.byteCount - max(0, offset)))
        }
        let end = offset + length
        var input = offset
        var output: [UInt8] = []
        output.reserveCapacity(min(limit, length &* 3))
        while true {
            let token = try byte(span, &input, end)
            let literals = try readLength(Int(token >> 4), span, &input, end)
            guard literals <= end - input else {
                throw .truncated(field: "lz4.literals", expected: literals, found: end - input)
            }
            try check(output.count + literals, limit)
            output.append(contentsOf: span.copyBytes(input, literals))
            input += literals
            if input == end { break }
            let low = try byte(span, &input, end)
            let high = try byte(span, &input, end)
            let distance = Int(low) | Int(high) << 8
            guard distance > 0, distance <= output.count else {
                throw .invalid(field: "lz4.distance", expected: "1...\(output.count)", found: UInt64(distance))
            }
            let match = try readLength(Int(token & 15), span, &input, end) + minimumMatch
            try check(output.count + match, limit)
            copyMatch(distance, match, in: &output)
        }
        guard !output.isEmpty else { throw .truncated(field: "lz4.result", expected: 1, found: 0) }
        return output
    }

    private static func check(_ count: Int, _ limit: Int) throws(WireError) {
        guard count <= limit else { throw .tooLong(field: "lz4.result", limit: limit, found: count) }
    }

    private static func byte(_ span: RawSpan, _ input: inout Int, _ end: Int) throws(WireError) -> UInt8 {
        guard input < end else { throw .truncated(field: "lz4.block", expected: 1, found: 0) }
        defer { input += 1 }
        return span.loadUInt8(at: input)
    }

    /// A length that begins in a token. It cannot overflow: each input byte adds at most 255.
    private static func readLength(
        _ code: Int, _ span: RawSpan, _ input: inout Int, _ end: Int
    ) throws(WireError) -> Int {
        guard code == 15 else { return code }
        var length = code
        while true {
            let more = try byte(span, &input, end)
            length += Int(more)
            if more != 255 { return length }
        }
    }

    /// Repeats `count` bytes that begin `distance` before the end; they may overlap what is being made.
    private static func copyMatch(_ distance: Int, _ count: Int, in output: inout [UInt8]) {
        let start = output.count - distance
        if distance >= count {
            output.append(contentsOf: output[start..<(start + count)])
            return
        }
        for index in start..<(start + count) { output.append(output[index]) }
    }
}
