// Packets as a node seals them, made by hand: everything in them is right but what they are for.

import CFlood
import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// Who is flooded.
struct Target {
    let identity: ZeroTierWire.Identity
    let endpoint: SocketEndpoint
}

/// Numbers for packets, as nodes that promise growing ones have them.
struct Numbers {
    private var last: UInt64 = 0

    mutating func next(using random: inout RandomSource) -> PacketID {
        let step = 8 + UInt64(random.nextUInt32() & 0x7f)
        last = max(last &+ step, cflood_unix_milliseconds() << 20 | UInt64(random.nextUInt32() & 0x7fff))
        return PacketID(last)
    }
}

/// The packets of one identity for one target.
final class Sealer {
    let identity: ZeroTierWire.Identity
    private let target: Address
    private let cipher: PacketCipher
    private var numbers = Numbers()

    init?(_ identity: ZeroTierWire.Identity, for target: ZeroTierWire.Identity) {
        guard let key = identity.secretKeys?.agree(with: target.publicKeys) else { return nil }
        self.identity = identity
        self.target = target.address
        cipher = PacketCipher(key)
    }

    /// A packet of a verb. `isCompressed`: the payload is an LZ4 block.
    func packet(
        _ verb: Verb, _ payload: [UInt8], isCompressed: Bool = false, using random: inout RandomSource
    ) -> [UInt8] {
        let length = PacketHeader.payloadOffset + payload.count
        var bytes = [UInt8](repeating: 0, count: length)
        let header = PacketHeader(id: numbers.next(using: &random), destination: target, source: identity.address)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(verb.rawValue | (isCompressed ? Verb.compressedFlag : 0), at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.seal(&span, length: length, suite: .gmacSIV, cipher: cipher)
        }
        return bytes
    }

    /// A HELLO. `planet`: the world that its sender has, which may be an old one.
    func hello(planet: WorldReference?, to remote: SocketEndpoint, using random: inout RandomSource) -> [UInt8] {
        let hello = Hello(
            softwareVersion: SoftwareVersion(major: 2, minor: 0, revision: 0),
            timestampMilliseconds: cflood_unix_milliseconds(), identity: identity, sentTo: remote, planet: planet,
            promises: .growingNumbers)
        let payload = hello.encoded
        let length = PacketHeader.payloadOffset + payload.count
        let section = hello.sectionOffset
        var bytes = [UInt8](repeating: 0, count: length)
        let header = PacketHeader(id: numbers.next(using: &random), destination: target, source: identity.address)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(Verb.hello.rawValue, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.sealHello(&span, length: length, sectionOffset: section, cipher: cipher)
        }
        return bytes
    }
}
