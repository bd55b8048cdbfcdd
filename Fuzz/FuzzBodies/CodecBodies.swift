//  Bodies for everything that is parsed from bytes alone.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

// MARK: Packets

/// Headers of packets and fragments, and the armor: bytes as they come, then the same bytes sealed, opened and damaged.
package func fuzzPacket(_ bytes: [UInt8]) {
    var packet = bytes
    packet.withMutableBytes { span in
        let length = span.byteCount
        if let header = PacketHeader(span.bytes, length: length) {
            let before = span.copyBytes(0, PacketHeader.size)
            header.write(into: &span)
            precondition(span.copyBytes(0, PacketHeader.size) == before, "a header is written as it was read")
        }
        if let fragment = FragmentHeader(span.bytes, length: length) {
            precondition(isFragment(span.bytes, length: length))
            precondition(!fragment.isAcceptable || (1..<fragment.total).contains(fragment.number))
            fragment.write(into: &span)
            precondition(FragmentHeader(span.bytes, length: length) == fragment)
            while FragmentHeader.incrementHops(in: &span) {}
            precondition(FragmentHeader(span.bytes, length: length).map { $0.hops <= 7 } == true)
        } else if length >= PacketHeader.payloadOffset {
            while PacketHeader.incrementHops(in: &span) {}
        }
    }
    var hostile = bytes
    let opened = hostile.withMutableBytes { span in
        PacketArmor.open(&span, length: span.byteCount, cipher: FuzzFixture.pair.cipher)
    }
    // A 64-bit MAC or a 128-bit tag found by chance would be a finding indeed.
    precondition(!opened, "a packet that nobody sealed was opened")
    guard bytes.count >= PacketHeader.payloadOffset, bytes.count <= ProtocolLimits.maximumPacketLength else { return }
    for suite in [CipherSuite.authenticatedOnly, .salsa, .gmacSIV] { checkArmor(bytes, suite) }
}

private func checkArmor(_ bytes: [UInt8], _ suite: CipherSuite) {
    var sealed = bytes
    sealed[PacketHeader.flagsOffset] &= PacketHeader.fragmentedFlag
    sealed.withMutableBytes { span in
        PacketArmor.seal(&span, length: span.byteCount, suite: suite, cipher: FuzzFixture.pair.cipher)
    }
    // Relays count hops without being able to seal.
    sealed[PacketHeader.flagsOffset] |= bytes[0] & PacketHeader.hopsMask
    var opened = sealed
    let isOpen = opened.withMutableBytes { span in
        PacketArmor.open(&span, length: span.byteCount, cipher: FuzzFixture.pair.cipher)
    }
    precondition(isOpen, "what was sealed does not open")
    precondition(opened[PacketHeader.verbOffset...] == bytes[PacketHeader.verbOffset...], "opened as something else")
    // One flipped bit anywhere but in the hop count and the bits that are not covered must be refused.
    let place = Int(bytes[1]) % (bytes.count - PacketHeader.verbOffset) + PacketHeader.verbOffset
    sealed[place] ^= 1 << (bytes[2] & 7)
    let isForged = sealed.withMutableBytes { span in
        PacketArmor.open(&span, length: span.byteCount, cipher: FuzzFixture.pair.cipher)
    }
    precondition(!isForged, "a damaged packet was opened")
}

// MARK: Verbs

/// The payload of every verb and reply: the first byte chooses, the order is the corpus's.
private let payloadChecks: [@Sendable ([UInt8]) -> Void] = [
    { checkHello($0) },
    { checkPayload(ErrorReply.self, $0) },
    { checkOK($0) },
    { checkHelloReply($0) },
    { checkPayload(Whois.self, $0) },
    { checkPayload(WhoisReply.self, $0) },
    { checkPayload(Rendezvous.self, $0) },
    { checkPayload(Frame.self, $0) },
    { checkPayload(ExtendedFrame.self, $0) },
    { checkEcho($0) },
    { checkPayload(MulticastLike.self, $0) },
    { checkNetworkCredentials($0) },
    { checkRequest($0) },
    { checkPayload(NetworkConfigChunk.self, $0) },
    { checkPayload(MulticastGather.self, $0) },
    { checkPayload(MulticastGatherReply.self, $0) },
    { checkPayload(MulticastFrame.self, $0) },
    { checkPayload(MulticastFrameReply.self, $0) },
    { checkPayload(PushDirectPaths.self, $0) },
    { checkBonding($0) },
    { checkPayload(UserMessage.self, $0) },
    { checkPayload(OKHeader.self, $0) },
]

/// Every verb's payload.
package func fuzzVerbs(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    payloadChecks[Int(first) % payloadChecks.count](Array(bytes.dropFirst()))
}

@Sendable private func checkHello(_ payload: [UInt8]) {
    let whole = checkPayload(Hello.self, payload)
    // As it is received: clear fields first, the section when its key is known.
    let packet = [UInt8](repeating: 0, count: PacketHeader.payloadOffset) + payload
    packet.withBytes { span in
        guard let clear = try? Hello.decodeClear(span, length: packet.count) else {
            precondition(whole == nil, "a HELLO that is read whole but not in two steps")
            return
        }
        var hello = clear.hello
        guard let start = clear.sectionOffset else { return }
        precondition((PacketHeader.payloadOffset...packet.count).contains(start))
        do {
            try hello.decodeSection(span, from: start, to: packet.count)
            precondition(hello == whole, "a HELLO read in two steps is another")
        } catch {
            precondition(whole == nil)
        }
    }
}

@Sendable private func checkOK(_ payload: [UInt8]) {
    guard let (header, body) = try? OKHeader.split(payload) else { return }
    precondition(header.payload(body) == payload)
}

@Sendable private func checkHelloReply(_ body: [UInt8]) {
    guard let reply = checkPayload(HelloReply.self, body), let worlds = try? reply.worlds() else { return }
    precondition(worlds.count <= body.count / 178 + 1, "more worlds than fit")
}

@Sendable private func checkEcho(_ payload: [UInt8]) {
    guard let echo = checkPayload(Echo.self, payload) else { return }
    precondition(echo.reply(to: PacketID(1)).count <= ProtocolLimits.maximumPayloadLength)
}

@Sendable private func checkNetworkCredentials(_ payload: [UInt8]) {
    guard let credentials = checkPayload(NetworkCredentials.self, payload) else { return }
    let packets = credentials.packets(limit: 512)
    precondition(packets.flatMap(\.memberships) == credentials.memberships)
    precondition(packets.flatMap(\.capabilities) == credentials.capabilities)
    precondition(packets.flatMap(\.tags) == credentials.tags)
    precondition(packets.flatMap(\.revocations) == credentials.revocations)
    precondition(packets.flatMap(\.ownerships) == credentials.ownerships)
}

@Sendable private func checkRequest(_ payload: [UInt8]) {
    guard let request = checkPayload(NetworkConfigRequest.self, payload) else { return }
    let metadata = RequestMetadata(WireDictionary(decoding: request.metadata))
    precondition(RequestMetadata(WireDictionary(decoding: metadata.dictionary.encoded)) == metadata)
}

@Sendable private func checkBonding(_ payload: [UInt8]) {
    if let measurement = try? QualityMeasurement(decoding: payload) {
        precondition(measurement.records.count <= ProtocolLimits.qualityRecords)
    }
    _ = try? PathNegotiationRequest(decoding: payload)
}

// MARK: Objects

/// Identities, binary and text, with and without secret; and the record of a peer, which contains one.
package func fuzzIdentity(_ bytes: [UInt8]) {
    checkCodec(bytes, decode: { try Identity(decoding: $0) }, encode: { $0.encoded() })
    checkCodec(
        bytes, decode: { try Identity(decoding: $0, keepsSecret: true) }, encode: { $0.encoded(includeSecret: true) })
    if let identity = Identity(text: String(decoding: bytes, as: UTF8.self)) {
        let text = identity.text(includeSecret: true)
        precondition(Identity(text: text)?.text(includeSecret: true) == text)
        precondition(!identity.address.isReserved)
        precondition(identity.fingerprint.count == ProtocolLimits.fingerprintLength)
    }
    checkCodec(bytes, decode: { try PeerRecord(decoding: $0) }, encode: { $0.encoded })
}

/// Planets and moons, with their rule of replacement.
package func fuzzWorld(_ bytes: [UInt8]) {
    guard let world = checkCodec(bytes, decode: { try World(decoding: $0) }, encode: { $0.encoded }) else { return }
    precondition(world.roots.count <= ProtocolLimits.rootsPerWorld)
    precondition(world.encoded.count <= ProtocolLimits.maximumWorldLength)
    precondition(!world.canBeReplaced(by: world), "a world replaces itself")
    let planet = FuzzFixture.planet
    precondition(!planet.canBeReplaced(by: world) || world.isSigned(by: planet.updateKey))
}

/// Dictionaries, and what is asked of them.
package func fuzzDictionary(_ bytes: [UInt8]) {
    let dictionary = WireDictionary(decoding: bytes)
    precondition(dictionary.entries.count <= 4096)
    let written = dictionary.encoded
    precondition(written.count <= 2 * bytes.count + 1)
    precondition(WireDictionary(decoding: written) == dictionary)
    for entry in dictionary.entries.prefix(16) {
        let key = String(decoding: entry.key, as: UTF8.self)
        _ = (dictionary.integer(key), dictionary.boolean(key), dictionary.address(key), dictionary.text(key))
    }
    _ = SingleSignOn(failureInfo: dictionary)
    _ = RequestMetadata(dictionary)
}

/// A network's configuration.
package func fuzzConfig(_ bytes: [UInt8]) {
    // Escapes and defaults make a written configuration longer than the one it was read from.
    guard
        let config = checkCodec(
            bytes, growth: bytes.count + 2048, decode: { try NetworkConfig(decoding: $0) }, encode: { $0.encoded })
    else { return }
    precondition((ProtocolLimits.minimumVirtualMTU...ProtocolLimits.maximumVirtualMTU).contains(config.mtu))
    precondition(config.rules.count <= ProtocolLimits.baseRules && config.routes.count <= ProtocolLimits.routes)
    precondition(config.addresses.allSatisfy { (0...$0.address.bitCount).contains($0.length) })
    _ = (config.alwaysContact, config.isWithinWindow(.max), config.isWithinWindow(0))
}

/// Credentials of each kind: the first byte chooses.
package func fuzzCredentials(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    let identity: (Address) -> Identity? = { $0 == FuzzFixture.controller.address ? FuzzFixture.controller : nil }
    switch first % 5 {
    case 0:
        guard let value = checkCredential(rest, { try Membership(from: &$0) }, { $0.encode(into: &$1) }) else { return }
        precondition(value.qualifiers.count <= ProtocolLimits.membershipQualifiers)
        _ = (value.verdict(identity), value.agrees(with: FuzzFixture.membership, fingerprintWords: [1, 2, 3, 4]))
        let words = Membership.fingerprintWords(FuzzFixture.attacker.fingerprint)
        _ = FuzzFixture.membership.agrees(with: value, fingerprintWords: words)
    case 1:
        guard let value = checkCredential(rest, { try Capability(from: &$0) }, { $0.encode(into: &$1) }) else { return }
        precondition(value.rules.count <= ProtocolLimits.rulesPerCapability)
        precondition(value.custody.count <= ProtocolLimits.custodyChain)
        _ = value.verdict(identity)
    case 2: _ = checkCredential(rest, { try Tag(from: &$0) }, { $0.encode(into: &$1) })?.verdict(identity)
    case 3: _ = checkCredential(rest, { try Revocation(from: &$0) }, { $0.encode(into: &$1) })?.verdict(identity)
    default:
        guard let value = checkCredential(rest, { try Ownership(from: &$0) }, { $0.encode(into: &$1) }) else { return }
        precondition(value.things.count <= ProtocolLimits.thingsPerOwnership)
        _ = value.verdict(identity)
    }
}

private func checkCredential<Value: Equatable>(
    _ bytes: [UInt8], _ decode: (inout WireReader) throws -> Value, _ encode: (Value, inout ByteWriter) -> Void
) -> Value? {
    checkCodec(
        bytes,
        decode: {
            var reader = WireReader($0)
            return try decode(&reader)
        },
        encode: {
            var writer = ByteWriter()
            encode($0, &writer)
            return writer.bytes
        })
}

// MARK: Compression, text

/// LZ4 blocks: arbitrary ones within a limit, and what was compressed.
package func fuzzLZ4(_ bytes: [UInt8]) {
    for limit in [64, ProtocolLimits.maximumPayloadLength] {
        if let output = try? LZ4Block.decompress(bytes, limit: limit) {
            precondition((1...limit).contains(output.count), "more than the limit")
            precondition(output.count <= bytes.count * 255, "more than any block can say")
        }
    }
    // Long enough for matches: the input over and over.
    var text = bytes
    while !text.isEmpty, text.count < 600 { text += bytes }
    for plain in [bytes, text] where !plain.isEmpty {
        let block = LZ4Block.encode(plain)
        precondition(block.count <= plain.count + plain.count / 255 + 16)
        let output = try? LZ4Block.decompress(block, limit: plain.count)
        precondition(output == plain, "compressed and decompressed is something else")
        if let worthwhile = LZ4Block.compress(plain) { precondition(worthwhile.count < plain.count) }
    }
}

/// What users, files and tickets spell: addresses, prefixes, endpoints, IDs.
package func fuzzText(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let address = IPAddress(text) {
        precondition(IPAddress(address.description) == address)
        precondition(IPAddress(address.bytes) == address)
    }
    if let prefix = IPPrefix(text) {
        precondition(IPPrefix(prefix.description) == prefix)
        precondition(prefix.network.contains(prefix.address))
    }
    if let endpoint = SocketEndpoint(text) { precondition(SocketEndpoint(endpoint.description) == endpoint) }
    if let address = Address(text: text) { precondition(Address(text: address.description) == address) }
    if let network = NetworkID(text: text) { precondition(NetworkID(text: network.description) == network) }
    if let decoded = Hexadecimal.decode(text) {
        precondition(Hexadecimal.decode(Hexadecimal.encode(decoded)) == decoded)
    }
    if bytes.count == 16, let address = IPAddress(bytes) {
        precondition(IPAddress(address.description) == address, "an address that is spelt as another")
        for length in [0, 1, 63, 64, 65, 127, 128] {
            precondition(address.masked(to: length).masked(to: length) == address.masked(to: length))
        }
    }
}
