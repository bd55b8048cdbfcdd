// ICMP and ICMPv6: numbers, echo, errors. Read first: RFC 792, RFC 1122 3.2.2, RFC 4443.
//
//  0 type | 1 code | 2 checksum | 4 rest of header: echo identifier and sequence, MTU, pointer | 8 payload

import NetPrimitives

/// Message types of both families.
enum ICMPType {
    static let echoReply4: UInt8 = 0
    static let unreachable4: UInt8 = 3
    static let echo4: UInt8 = 8
    static let timeExceeded4: UInt8 = 11
    static let parameterProblem4: UInt8 = 12

    static let unreachable6: UInt8 = 1
    static let tooBig6: UInt8 = 2
    static let timeExceeded6: UInt8 = 3
    static let parameterProblem6: UInt8 = 4
    static let echo6: UInt8 = 128
    static let echoReply6: UInt8 = 129
    static let routerSolicitation: UInt8 = 133
    static let routerAdvertisement: UInt8 = 134
    static let neighbourSolicitation: UInt8 = 135
    static let neighbourAdvertisement: UInt8 = 136
}

/// The eight bytes with which every ICMP message begins.
struct ICMPHeader: Equatable {
    static let size = 8

    var type: UInt8
    var code: UInt8
    /// Identifier and sequence, MTU, pointer or unused.
    var rest: UInt32

    init(type: UInt8, code: UInt8, rest: UInt32 = 0) {
        self.type = type
        self.code = code
        self.rest = rest
    }

    /// Reads the header of a message that takes `count` bytes from `offset`; checks its checksum. `pseudoSum` is 0 for
    /// IPv4, else the pseudo-header's sum with length.
    init(parsing span: RawSpan, at offset: Int, count: Int, pseudoSum: UInt32) throws(StackDropReason) {
        guard count >= ICMPHeader.size, offset + count <= span.byteCount else { throw .truncated }
        guard Checksum.isValid(Checksum.combine(Checksum.sum(span, from: offset, count: count), pseudoSum)) else {
            throw .checksum
        }
        type = span.loadUInt8(at: offset)
        code = span.loadUInt8(at: offset + 1)
        rest = span.loadUInt32(at: offset + 4)
    }

    var identifier: UInt16 { UInt16(truncatingIfNeeded: rest >> 16) }
    var sequence: UInt16 { UInt16(truncatingIfNeeded: rest) }

    /// The whole message with its checksum. `pseudoSum` covers addresses and protocol, or is 0 for IPv4.
    func message(payload: RawSpan, pseudoSum: UInt32) -> [UInt8] {
        let count = ICMPHeader.size + payload.byteCount
        return makeBytes(count) { span in
            span.storeUInt8(type, at: 0)
            span.storeUInt8(code, at: 1)
            span.storeUInt32(rest, at: 4)
            span.copy(from: payload, sourceOffset: 0, count: payload.byteCount, at: 8)
            var sum = Checksum.sum(span, from: 0, count: count)
            if pseudoSum != 0 {
                sum = Checksum.combine(sum, Checksum.combine(pseudoSum, Checksum.sum(UInt32(count))))
            }
            span.storeUInt16(Checksum.finish(sum), at: 2)
        }
    }
}
