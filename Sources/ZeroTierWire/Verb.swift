//  Numbers in a packet's header: verb, cipher suite, packet ID.

package import NetPrimitives

/// The request of a packet: the low 5 bits of the byte at offset 27.
package enum Verb: UInt8, Hashable, Sendable, CaseIterable {
    case nop = 0x00
    case hello = 0x01
    case error = 0x02
    case ok = 0x03
    case whois = 0x04
    case rendezvous = 0x05
    case frame = 0x06
    /// The original's EXT_FRAME.
    case extendedFrame = 0x07
    case echo = 0x08
    case multicastLike = 0x09
    case networkCredentials = 0x0a
    case networkConfigRequest = 0x0b
    case networkConfig = 0x0c
    case multicastGather = 0x0d
    case multicastFrame = 0x0e
    case pushDirectPaths = 0x10
    /// The original's ACK; no release since 1.6 sends it.
    case acknowledgement = 0x12
    /// The original's QOS_MEASUREMENT.
    case qualityMeasurement = 0x13
    case userMessage = 0x14
    case remoteTrace = 0x15
    case pathNegotiationRequest = 0x16

    /// The bits of the verb byte that carry the verb.
    package static let mask: UInt8 = 0x1f
    /// The bit of the verb byte that says that the payload is one LZ4 block.
    package static let compressedFlag: UInt8 = 0x80

    /// The verb in a packet's verb byte; nil for an unused number. Bits 0x60 are ignored.
    package init?(verbByte: UInt8) {
        self.init(rawValue: verbByte & Verb.mask)
    }
}

/// How a packet is protected: bits 0x38 of the byte at offset 18. Numbers 4 to 7 do not exist.
package enum CipherSuite: UInt8, Hashable, Sendable {
    /// Poly1305 over clear bytes: HELLO, and the bonding verbs.
    case authenticatedOnly = 0
    /// Salsa20/12 and Poly1305.
    case salsa = 1
    /// No cryptography, an ID that both sides were configured with.
    case trustedPath = 2
    /// AES-256 in GMAC-SIV mode, since protocol 12.
    case gmacSIV = 3
}

/// The ID of a packet as it is on the wire, after sealing: nonce, name of a reply's request, key of reassembly.
package struct PacketID: Hashable, Sendable, CustomStringConvertible {
    /// The 8 bytes at offset 0, big-endian.
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    /// A fresh ID. Its upper half is never zero, so that peers that remember only that half have something to remember.
    package static func random(using random: inout RandomSource) -> PacketID {
        let value = random.nextUInt64()
        return PacketID(value >> 32 == 0 ? value | 1 << 63 : value)
    }

    package var description: String { hexadecimal(value, digits: 16) }
}
