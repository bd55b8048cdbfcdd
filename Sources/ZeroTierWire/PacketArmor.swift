//  Sealing and opening of whole packets in place. The ciphers are in ZeroTierCrypto; here the header is made final
//  before sealing and read before opening. Read first: zerotier/ZeroTierOne node/Packet.hpp (header bits).

import NetPrimitives
package import ZeroTierCrypto

/// Protects packets and checks protected ones. All functions work on a packet that begins at the span's byte 0.
package enum PacketArmor {
    /// Seals the packet of `length` bytes (at least 28) in place: sets the cipher bits, then encrypts and
    /// authenticates.
    ///
    /// The fragmented flag must be final; the hop count must be zero. With suite 3 the packet ID changes: the one in
    /// the span afterwards is the packet's name. `suite` is not `trustedPath`.
    package static func seal(
        _ packet: inout MutableRawSpan, length: Int, suite: CipherSuite, cipher: borrowing PacketCipher
    ) {
        precondition(length >= PacketHeader.payloadOffset && length <= packet.byteCount, "not a packet")
        setSuite(suite, in: &packet)
        switch suite {
        case .authenticatedOnly: cipher.sealClassic(&packet, length: length, encrypt: false)
        case .salsa: cipher.sealClassic(&packet, length: length, encrypt: true)
        case .gmacSIV: cipher.sealGMACSIV(&packet, length: length)
        case .trustedPath: preconditionFailure("a trusted path has no cipher")
        }
    }

    /// Seals a HELLO: encrypts its inner section from `sectionOffset` to the end, then authenticates the whole.
    ///
    /// `sectionOffset` counts from the start of the packet; equal to `length` for a HELLO without that section.
    package static func sealHello(
        _ packet: inout MutableRawSpan, length: Int, sectionOffset: Int, cipher: borrowing PacketCipher
    ) {
        precondition(sectionOffset >= PacketHeader.payloadOffset && sectionOffset <= length, "not a section of HELLO")
        setSuite(.authenticatedOnly, in: &packet)
        if sectionOffset < length {
            cipher.cryptHelloSection(&packet, from: sectionOffset, to: length)
        }
        cipher.sealClassic(&packet, length: length, encrypt: false)
    }

    /// Checks the packet of `length` bytes and decrypts it in place by the suite its header names.
    ///
    /// False, with the contents to be thrown away: too short, a wrong MAC, an unknown suite, a trusted path (which its
    /// receiver must have accepted before, by path and ID), or the reserved combination of flag 0x80 with suite 0.
    package static func open(_ packet: inout MutableRawSpan, length: Int, cipher: borrowing PacketCipher) -> Bool {
        var number: UInt64 = 0
        return open(&packet, length: length, cipher: cipher, number: &number)
    }

    /// The same; `number` becomes the packet ID that the sender chose. With suite 3 it is sealed: the one on the wire is another.
    @inline(__always)
    package static func open(
        _ packet: inout MutableRawSpan, length: Int, cipher: borrowing PacketCipher, number: inout UInt64
    ) -> Bool {
        guard length >= PacketHeader.payloadOffset, length <= packet.byteCount,
            length <= ProtocolLimits.maximumPacketLength
        else { return false }
        let flags = packet.loadUInt8(at: PacketHeader.flagsOffset)
        number = packet.loadUInt64(at: 0)
        switch CipherSuite(rawValue: flags >> 3 & 0x07) {
        case .authenticatedOnly:
            // A HELLO in the later extended armor, which a node of protocol 12 cannot read.
            if flags & PacketHeader.historicEncryptedFlag != 0 { return false }
            return cipher.openClassic(&packet, length: length, decrypt: false)
        case .salsa: return cipher.openClassic(&packet, length: length, decrypt: true)
        case .gmacSIV: return cipher.openGMACSIV(&packet, length: length, vector: &number)
        case .trustedPath, nil: return false
        }
    }

    /// Puts the suite's bits into the flags byte; the historic flag goes with suite 1 and only with it.
    private static func setSuite(_ suite: CipherSuite, in packet: inout MutableRawSpan) {
        let kept =
            packet.loadUInt8(at: PacketHeader.flagsOffset) & (PacketHeader.fragmentedFlag | PacketHeader.hopsMask)
        let historic = suite == .salsa ? PacketHeader.historicEncryptedFlag : 0
        packet.storeUInt8(kept | suite.rawValue << 3 | historic, at: PacketHeader.flagsOffset)
    }
}
