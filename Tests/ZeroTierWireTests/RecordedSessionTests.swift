// Every packet of recorded sessions with real nodes: opened, read, written back, and sealed again.

import NetPrimitives
import Testing
import ZeroTierCrypto

@testable import ZeroTierWire

struct RecordedSessionTests {
    struct NodeSession: Decodable {
        struct Packet: Decodable {
            struct HelloFields: Decodable {
                let proto: UInt8
                let version: String
                let timestamp: UInt64
                let sent_to: String
                let planet_id: UInt64
                let planet_ts: UInt64
                let crypt_start: Int
                let moons: [[UInt64]]
                let plain_with_field_opened: String
            }
            let what: String
            let sender: String?
            let receiver: String?
            let cipher: UInt8?
            let hops: Int?
            let wire: [String]
            let plain: String?
            let hello: HelloFields?
        }
        let identities: [String: String]
        let packets: [Packet]
    }

    struct RootSession: Decodable {
        struct Packet: Decodable {
            let dir: String
            let err: String?
            let cipher: UInt8?
            let hops: Int?
            let wire: String
            let plain: String?
            let plain_with_crypt_field_opened: String?
        }
        let identities: [String: String]
        let planet: String
        let packets: [Packet]
    }

    struct ProbeSession: Decodable {
        struct Reply: Decodable {
            let kind: String
            let wire: String
            let plain: String?
        }
        struct Test: Decodable {
            let test: String
            let sent: [String]
            let replies: [Reply]
        }
        let identities: [String: String]
        let tests: [Test]
    }

    /// Reads the payload of an opened packet and compares it, written again, with what was there. Returns whether the
    /// verb is one of this layer.
    @discardableResult
    func reencode(_ plain: [UInt8]) throws -> Bool {
        let verb = try #require(Verb(verbByte: plain[27]))
        #expect(plain[27] & Verb.compressedFlag == 0)
        let payload = Array(plain[28...])
        switch verb {
        case .hello: #expect(try Hello(decoding: payload).encoded == payload)
        case .whois: #expect(try Whois(decoding: payload).encoded == payload)
        case .rendezvous: #expect(try Rendezvous(decoding: payload).encoded == payload)
        case .pushDirectPaths: #expect(try PushDirectPaths(decoding: payload).encoded == payload)
        case .echo: #expect(try Echo(decoding: payload).encoded == payload)
        case .error: #expect(try ErrorReply(decoding: payload).encoded == payload)
        case .ok: return try reencodeReply(payload)
        default: return false
        }
        return true
    }

    private func reencodeReply(_ payload: [UInt8]) throws -> Bool {
        let (header, body) = try OKHeader.split(payload)
        let written: [UInt8]
        switch header.inReplyTo {
        case .hello:
            let reply = try HelloReply(decoding: body)
            #expect(try reply.worlds().flatMap(\.encoded) == reply.worldBytes)
            written = reply.encoded
        case .whois: written = try WhoisReply(decoding: body).encoded
        case .echo: written = try Echo(decoding: body).encoded
        default: return false
        }
        #expect(header.payload(written) == payload)
        return true
    }

    /// Opens the inner section of a HELLO and reads the whole, the way a receiver does.
    private func openHello(_ wire: [UInt8], with cipher: TestCipher) throws -> (Hello, [UInt8]) {
        let (clear, offset) = try wire.withBytes { try Hello.decodeClear($0, length: $0.byteCount) }
        var hello = clear
        let start = try #require(offset)
        #expect(start == hello.sectionOffset)
        let bytes = cipher.cryptHelloSection(wire, from: start, to: wire.count)
        try bytes.withBytes { try hello.decodeSection($0, from: start, to: $0.byteCount) }
        #expect(try Hello(decoding: Array(bytes[28...])) == hello)
        return (hello, bytes)
    }

    @Test func `the packets of two real nodes and their root`() throws {
        let session: NodeSession = try loadVectors("vl1_real_node")
        let ciphers = try PairCiphers(session.identities.values)
        var read = 0
        for packet in session.packets {
            guard let sender = packet.sender, let receiver = packet.receiver, let plainText = packet.plain else {
                continue
            }
            let wire = try join(packet.wire.map(hex))
            let header = try readHeader(wire)
            #expect(Identity(text: session.identities[sender] ?? "")?.address == header.source)
            #expect(Identity(text: session.identities[receiver] ?? "")?.address == header.destination)
            #expect(header.cipher?.rawValue == packet.cipher)
            #expect(header.hops == packet.hops)
            #expect(header.isFragmented == (packet.wire.count > 1))
            let cipher = try ciphers.cipher(header.source, header.destination)
            let plain = try #require(cipher.open(wire), "\(packet.what)")
            let expected = try hex(plainText)
            #expect(plain[..<19] == expected[..<19])
            #expect(plain[27...] == expected[27...])
            if header.cipher != .gmacSIV {
                #expect(cipher.seal(plain, suite: try #require(header.cipher)) == wire)
            }
            if let fields = packet.hello {
                try check(fields, wire: wire, cipher: cipher)
                read += 1
            } else if try reencode(plain) {
                read += 1
            }
        }
        #expect(read == 54)
    }

    private func check(
        _ fields: NodeSession.Packet.HelloFields, wire: [UInt8], cipher: TestCipher
    ) throws {
        let (hello, opened) = try openHello(wire, with: cipher)
        #expect(try opened == hex(fields.plain_with_field_opened))
        #expect(hello.protocolVersion == fields.proto)
        #expect("\(hello.softwareVersion)" == fields.version)
        #expect(hello.timestampMilliseconds == fields.timestamp)
        #expect(hello.sentTo == SocketEndpoint(fields.sent_to))
        #expect(hello.planet == WorldReference(id: fields.planet_id, timestampMilliseconds: fields.planet_ts))
        #expect(hello.sectionOffset == fields.crypt_start)
        #expect(hello.moons == fields.moons.map { WorldReference(id: $0[1], timestampMilliseconds: $0[2]) })
        let header = try readHeader(wire)
        // Made from its fields alone, the packet is the recorded one, but for the hops that a relay added.
        let made = makePacket(
            PacketHeader(id: header.id, destination: header.destination, source: header.source), .hello, hello.encoded)
        var direct = wire
        direct[18] &= ~PacketHeader.hopsMask
        #expect(cipher.sealHello(made, sectionOffset: hello.sectionOffset) == direct)
    }

    @Test func `the packets of a real root and two clients`() throws {
        let session: RootSession = try loadVectors("vl1_real_root")
        let ciphers = try PairCiphers(session.identities.values)
        let planet = try World(decoding: hex(session.planet))
        var worlds: [World] = []
        for packet in session.packets {
            let wire = try hex(packet.wire)
            let header = try readHeader(wire)
            let cipher = try ciphers.cipher(header.source, header.destination)
            guard packet.err == nil else {
                // Sealed by the root with another client's keys.
                #expect(cipher.open(wire) == nil)
                continue
            }
            let plain = try #require(cipher.open(wire))
            let expected = try hex(try #require(packet.plain))
            #expect(plain[27...] == expected[27...])
            if packet.dir == "tx" {
                #expect(cipher.seal(expected, suite: try #require(header.cipher)) == wire)
            }
            if let opened = packet.plain_with_crypt_field_opened {
                #expect(try openHello(wire, with: cipher).1 == hex(opened))
                continue
            }
            try reencode(plain)
            if plain[27] == Verb.ok.rawValue, plain[28] == Verb.hello.rawValue {
                worlds += try HelloReply(decoding: Array(plain[37...])).worlds()
            }
        }
        #expect(!worlds.isEmpty)
        #expect(worlds.allSatisfy { $0 == planet })
    }

    @Test func `what a real node answered to probes, and what it was sent`() throws {
        let session: ProbeSession = try loadVectors("vl1_probe")
        let ciphers = try PairCiphers(session.identities.values)
        for test in session.tests {
            for reply in test.replies {
                let wire = try hex(reply.wire)
                let header = try readHeader(wire)
                let opened = (try ciphers.cipher(header.source, header.destination)).open(wire)
                guard let plainText = reply.plain else {
                    // To a node that has a known one's address, the real node seals with the known one's keys.
                    let refusal = try ErrorReply(decoding: Array(try #require(opened)[28...]))
                    #expect(reply.kind == "undecodable" && refusal.reason == .identityCollision)
                    continue
                }
                let plain = try #require(opened)
                #expect(try plain[27...] == hex(plainText)[27...])
                if plain[27] != Verb.hello.rawValue { try reencode(plain) }
            }
            guard test.sent.count == 1 || test.test.hasPrefix("fragmented") else { continue }
            let sent = try test.sent.map(hex)
            guard sent.count <= ProtocolLimits.maximumParts else {
                for part in sent.dropFirst() {
                    #expect(part.withBytes { FragmentHeader($0, length: $0.byteCount) }?.isAcceptable == false)
                }
                continue
            }
            try checkSent(test.test, join(sent), ciphers)
        }
    }

    /// A payload as it lay in a packet, without its compression.
    private struct Payload: Hashable {
        let verb: Verb
        let bytes: [UInt8]

        init?(plain: [UInt8]) throws {
            guard plain.count > 28, let verb = Verb(verbByte: plain[27]) else { return nil }
            self.verb = verb
            let payload = Array(plain[28...])
            guard plain[27] & Verb.compressedFlag != 0 else {
                bytes = payload
                return
            }
            guard let block = try? LZ4Block.decompress(payload) else { return nil }
            bytes = block
        }

        /// Verb, and what an OK answers.
        var kind: [UInt8] { [verb.rawValue] + (verb == .ok ? bytes.prefix(1) : []) }
    }

    private func payloads() throws -> [Payload] {
        let nodes: NodeSession = try loadVectors("vl1_real_node")
        let root: RootSession = try loadVectors("vl1_real_root")
        let probe: ProbeSession = try loadVectors("vl1_probe")
        let texts =
            nodes.packets.compactMap { $0.hello?.plain_with_field_opened ?? $0.plain }
            + root.packets.compactMap { $0.plain_with_crypt_field_opened ?? $0.plain }
            + probe.tests.flatMap(\.replies).compactMap { reply in
                // A HELLO's inner section is closed in these.
                reply.plain.flatMap { $0.dropFirst(54).hasPrefix("01") ? nil : $0 }
            }
        var seen: Set<Payload> = []
        return try texts.compactMap { try Payload(plain: hex($0)) }.filter { seen.insert($0).inserted }
            .sorted { ($0.bytes.count, $0.kind.count) < ($1.bytes.count, $1.kind.count) }
    }

    @Test func `every payload of the sessions, damaged, is refused or read as what it says`() throws {
        // Every cut of each; every bit of the shortest of each kind, and many of the others' bits, since all take 10 s in a
        // debug build.
        let payloads = try payloads()
        var kinds: Set<[UInt8]> = []
        for payload in payloads {
            let isShortest = kinds.insert(payload.kind).inserted
            try survivesDamage(
                payload.bytes, ReadPayload.fidelity(of: payload.verb),
                bits: Damage.bits(of: payload.bytes.count, sample: isShortest ? nil : 1024),
                decode: { try ReadPayload(payload.verb, $0) }, encode: \.encoded)
        }
        #expect(payloads.count == 87 && kinds.count == 14)
    }

    private func checkSent(_ name: String, _ wire: [UInt8], _ ciphers: PairCiphers) throws {
        let header = try readHeader(wire)
        guard ciphers.identities[header.source] != nil, !name.contains("colliding") else { return }
        let opened = (try ciphers.cipher(header.source, header.destination)).open(wire)
        let isRefused = ["trusted path", "corrupted", "invalid address"].contains { name.contains($0) }
        #expect((opened == nil) == isRefused, "\(name)")
        guard let opened, opened[27] & Verb.compressedFlag != 0 else { return }
        let payload = try? LZ4Block.decompress(Array(opened[28...]))
        #expect((payload == nil) == name.contains("garbage"))
    }
}
