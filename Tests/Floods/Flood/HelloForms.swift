// Floods that need no standing: HELLOs, packets of strangers, parts of packets.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

extension Forms {
    /// An identity that looks right: only the memory-hard hash tells that its address is not its own.
    mutating func invent() throws {
        let keys = SecretKeys.generate(using: &random)
        let identity = Identity(address: address(), publicKeys: keys.publicKeys, secretKeys: keys)
        guard let sealer = Sealer(identity, for: settings.target.identity) else { return }
        sealers.append(sealer)
    }

    mutating func appendHello(from source: SocketEndpoint, planet: WorldReference?, to burst: inout Burst) {
        let target = settings.target.endpoint
        let packet = sealers[turn % sealers.count].hello(planet: planet, to: target, using: &random)
        burst.append(packet, from: source, to: target)
    }

    /// A HELLO whose MAC is no better than its keys: to know that costs a key agreement.
    mutating func appendGarbage(to burst: inout Burst) {
        guard let keys = PublicKeys(random.bytes(PublicKeys.size)) else { return }
        let identity = Identity(address: address(), publicKeys: keys)
        let hello = Hello(
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1),
            timestampMilliseconds: random.nextUInt64() >> 20, identity: identity, sentTo: settings.target.endpoint,
            planet: nil)
        var header = PacketHeader(
            id: .random(using: &random), destination: settings.target.identity.address, source: identity.address)
        header.authenticator = random.nextUInt64()
        let payload = hello.encoded
        var bytes = [UInt8](repeating: 0, count: PacketHeader.payloadOffset + payload.count)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(Verb.hello.rawValue, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
        }
        burst.append(bytes, from: SocketEndpoint(settings.own, port: port()), to: settings.target.endpoint)
    }

    /// A sealed packet of somebody unknown: it waits until a root says who that is.
    mutating func appendStranger(to burst: inout Burst) {
        var header = PacketHeader(
            id: .random(using: &random), destination: settings.target.identity.address, source: address())
        header.flagsByte = CipherSuite.gmacSIV.rawValue << 3
        header.authenticator = random.nextUInt64()
        var bytes = random.bytes(64)
        bytes.withMutableBytes { header.write(into: &$0) }
        burst.append(bytes, from: forged(), to: settings.target.endpoint)
    }

    /// A part of a packet whose others never come.
    mutating func appendPart(to burst: inout Burst) {
        let header = FragmentHeader(
            packetID: .random(using: &random), destination: settings.target.identity.address, total: 3,
            number: 1 + turn % 2)
        var bytes = [UInt8](repeating: 0x5a, count: 1400)
        bytes.withMutableBytes { header.write(into: &$0) }
        burst.append(bytes, from: forged(), to: settings.target.endpoint)
    }
}
