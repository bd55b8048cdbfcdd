// What the tests of this target share: hex, vector files, reproducible random bytes.

import CCipherKernels
import Foundation
import NetPrimitives
import TestSupport

@testable import ZeroTierCrypto

/// Bytes of a hexadecimal string; anything else ends the test run.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
    precondition(digits.count % 2 == 0)
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// A file of `Tests/Vectors`.
func vectors<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    try VectorFiles.decode(name, as: type, keys: .convertFromSnakeCase)
}

/// The tiers this processor runs.
let tiers = CipherTier.allCases.filter { $0 <= .best }

/// Lengths around every boundary of the kernels: all to 600, a spread to 10000.
let manyLengths = Array(0...600) + stride(from: 613, through: 2900, by: 127) + [4096, 6144, 9973, 10000]

extension PacketCipher {
    func seal(_ packet: [UInt8], suite: Int) -> [UInt8] {
        var packet = packet
        packet.withMutableBytes { span in
            switch suite {
            case 3: sealGMACSIV(&span, length: span.byteCount)
            default: sealClassic(&span, length: span.byteCount, encrypt: suite == 1)
            }
        }
        return packet
    }

    func open(_ packet: [UInt8], suite: Int) -> [UInt8]? {
        var packet = packet
        let authentic = packet.withMutableBytes { span in
            switch suite {
            case 3: openGMACSIV(&span, length: span.byteCount)
            default: openClassic(&span, length: span.byteCount, decrypt: suite == 1)
            }
        }
        return authentic ? packet : nil
    }
}

/// A packet with random header and text, flags final for the suite.
func randomPacket(_ textLength: Int, suite: Int, using random: inout RandomSource) -> [UInt8] {
    var packet = random.bytes(PacketCipher.headerSize + textLength)
    packet[18] = flags(suite, fragmented: packet[18] & 0x40 != 0)
    return packet
}

func flags(_ suite: Int, fragmented: Bool) -> UInt8 {
    UInt8(suite << 3) | (suite == 1 ? 0x80 : 0) | (fragmented ? 0x40 : 0)
}
