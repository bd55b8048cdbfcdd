// Payloads of a recorded session between real nodes: read, written, verified, damaged.

import NetPrimitives
import Testing

@testable import ZeroTierWire

@Suite struct EthernetVerbTests {
    struct Session: Decodable {
        struct Keys: Decodable { let secret: String }
        struct Packet: Decodable {
            let label, from, to, payload: String
            let verb: UInt8
        }
        let identities: [String: Keys]
        let network: String
        let packets: [Packet]
    }

    let session: Session
    let identities: [Identity]

    init() throws {
        session = try loadVectors("live_session")
        identities = try session.identities.values.map { try #require(Identity(text: $0.secret)) }
    }

    private func payload(_ label: String) throws -> [UInt8] {
        try hex(try #require(session.packets.first { $0.label == label }).payload)
    }

    private func body(_ label: String, of verb: Verb) throws -> [UInt8] {
        let (header, body) = try OKHeader.split(try payload(label))
        #expect(header.inReplyTo == verb)
        return body
    }

    private func directory(_ address: Address) -> Identity? { identities.first { $0.address == address } }

    @Test func `every recorded payload is read and written byte for byte`() throws {
        for packet in session.packets {
            let bytes = try hex(packet.payload)
            switch Verb(rawValue: packet.verb) {
            case .frame: #expect(try Frame(decoding: bytes).encoded == bytes)
            case .extendedFrame: #expect(try ExtendedFrame(decoding: bytes).encoded == bytes)
            case .multicastLike: #expect(try MulticastLike(decoding: bytes).encoded == bytes)
            case .networkCredentials: #expect(try NetworkCredentials(decoding: bytes).encoded == bytes)
            case .networkConfigRequest: #expect(try NetworkConfigRequest(decoding: bytes).encoded == bytes)
            case .networkConfig: #expect(try NetworkConfigChunk(decoding: bytes).encoded == bytes)
            case .multicastGather: #expect(try MulticastGather(decoding: bytes).encoded == bytes)
            case .multicastFrame: #expect(try MulticastFrame(decoding: bytes).encoded == bytes)
            case .error: #expect(try ErrorReply(decoding: bytes).encoded == bytes)
            case .ok: try checkReply(bytes, packet.label)
            default: Issue.record("unexpected verb of \(packet.label)")
            }
        }
        #expect(session.packets.count == 35)
    }

    private func checkReply(_ bytes: [UInt8], _ label: String) throws {
        let (header, body) = try OKHeader.split(bytes)
        switch header.inReplyTo {
        case .networkConfigRequest:
            let chunk = try NetworkConfigChunk(decoding: body)
            #expect(chunk.encoded == body)
            #expect(chunk.verdict(directory) == .valid, "\(label)")
        case .multicastGather: #expect(try MulticastGatherReply(decoding: body).encoded == body)
        case .multicastFrame: #expect(try MulticastFrameReply(decoding: body).encoded == body)
        case .extendedFrame: #expect(body == (try hex(session.network)))
        case .echo: #expect(body.count == 16)
        default: Issue.record("unexpected reply of \(label)")
        }
    }

    @Test func `the recorded request is the one we would send`() throws {
        let request = try NetworkConfigRequest(decoding: try payload("config_request"))
        var metadata = RequestMetadata()
        metadata.platform = "linux/x86_64"
        #expect(request.metadata == metadata.dictionary.encoded)
        #expect(request.network.description == session.network)
        #expect(request.revision == 0 && request.timestamp == 0)
    }

    @Test func `the metadata of a request is bounded`() throws {
        let limit = ProtocolLimits.maximumRequestMetadata
        func request(_ count: Int) -> NetworkConfigRequest {
            NetworkConfigRequest(network: NetworkID(1), metadata: Array(repeating: 7, count: count))
        }
        #expect(try NetworkConfigRequest(decoding: request(limit).encoded) == request(limit))
        #expect(request(limit + 1).encoded == request(limit).encoded, "the rest is not written")
        var bytes = request(limit).encoded + [7]
        bytes[9] += 1
        #expect(throws: WireError.tooLong(field: "request.length", limit: limit, found: limit + 1)) {
            try NetworkConfigRequest(decoding: bytes)
        }
    }

    @Test func `recorded credentials are valid`() throws {
        for label in ["credentials_a", "credentials_b", "revocation", "revocation_forwarded"] {
            let credentials = try NetworkCredentials(decoding: try payload(label))
            #expect(!credentials.isEmpty)
            for item in credentials.memberships { #expect(item.verdict(directory) == .valid) }
            for item in credentials.capabilities { #expect(item.verdict(directory) == .valid) }
            for item in credentials.tags { #expect(item.verdict(directory) == .valid) }
            for item in credentials.revocations { #expect(item.verdict(directory) == .valid) }
            for item in credentials.ownerships { #expect(item.verdict(directory) == .valid) }
        }
        let a = try NetworkCredentials(decoding: try payload("credentials_a"))
        #expect(a.memberships.count == 1 && a.capabilities.count == 2 && a.tags.count == 2 && a.ownerships.count == 1)
        let revocation = try NetworkCredentials(decoding: try payload("revocation")).revocations
        #expect(revocation.count == 1 && revocation[0].isFastPropagated)
        let configA = try NetworkConfig(
            decoding: try NetworkConfigChunk(decoding: try body("ok_config_a", of: .networkConfigRequest)).data)
        #expect(configA.membership == a.memberships[0] || configA.membership?.issuedTo == a.memberships[0].issuedTo)
    }

    @Test func `two recorded chunks make one configuration with 961 rules`() throws {
        let first = try NetworkConfigChunk(decoding: try body("big_chunk_0", of: .networkConfigRequest))
        let second = try NetworkConfigChunk(decoding: try body("big_chunk_1", of: .networkConfigRequest))
        #expect(first.data.count == 9740 && second.placement?.offset == 9740)
        #expect(first.placement?.updateID == second.placement?.updateID)
        let config = try NetworkConfig(decoding: first.data + second.data)
        #expect(config.rules.count == 961)
        #expect(config.encoded == first.data + second.data)
    }

    @Test func `fields of frames are where they should be`() throws {
        let watch = try ExtendedFrame(decoding: try payload("ext_watch_out"))
        #expect(watch.reason == .outboundWatch && watch.wantsAcknowledgement)
        #expect(try ExtendedFrame(decoding: try payload("ext_tee_in")).reason == .inboundTee)
        #expect(try ExtendedFrame(decoding: try payload("ext_redirect_out")).reason == .outboundRedirect)
        let multicast = try MulticastFrame(decoding: try payload("multicast_arp"))
        #expect(multicast.gatherLimit == 33 && multicast.group.mac.isBroadcast && multicast.etherType == 0x0806)
        #expect(try MulticastFrame(decoding: try payload("multicast_bridged")).source != nil)
        let gather = try MulticastGather(decoding: try payload("gather_arp"))
        #expect(gather.limit == 33 && gather.membership != nil)
        let like = try MulticastLike(decoding: try payload("like_a"))
        #expect(like.records.count == 7 && like.records.map(\.group) == like.records.map(\.group).sorted())
    }

    @Test func `a frame with a membership, as old nodes send it, is read`() throws {
        let membership = try #require(try NetworkCredentials(decoding: try payload("credentials_a")).memberships.first)
        var frame = try ExtendedFrame(decoding: try payload("ext_bridge_out"))
        frame.membership = membership
        #expect(try ExtendedFrame(decoding: frame.encoded) == frame)
        var multicast = try MulticastFrame(decoding: try payload("multicast_bridged"))
        multicast.membership = membership
        #expect(try MulticastFrame(decoding: multicast.encoded) == multicast)
        var reply = try MulticastFrameReply(decoding: try body("ok_multicast_arp", of: .multicastFrame))
        reply.membership = membership
        #expect(try MulticastFrameReply(decoding: reply.encoded) == reply)
    }

    @Test func `every recorded payload, damaged, is refused or read as what it says`() throws {
        for packet in session.packets {
            let bytes = try hex(packet.payload)
            let verb = try #require(Verb(rawValue: packet.verb))
            // The two long pieces of a configuration: every bit around the piece itself, and a sample of its own.
            let data = bytes.count > 3000 ? 19 * 8..<(bytes.count - 116) * 8 : 0..<0
            let sample = Set(Damage.bits(of: bytes.count, sample: 4000))
            let bits = Damage.bits(of: bytes.count).filter { !data.contains($0) || sample.contains($0) }
            let refused = try survivesDamage(
                bytes, ReadPayload.fidelity(of: verb), bits: bits, decode: { try ReadPayload(verb, $0) },
                encode: \.encoded)
            // The flags that nobody reads.
            if let flags = [Verb.multicastGather: 7, .multicastFrame: 4, .networkConfigRequest: 0][verb] {
                try survivesDamage(
                    bytes, lengths: [], unread: flags, decode: { try ReadPayload(verb, $0) }, encode: \.encoded)
            }
            // Any bytes are records of MULTICAST_LIKE.
            #expect((refused > 0) == (verb != .multicastLike), "\(packet.label)")
            #expect(refused < bytes.count + bits.count, "\(packet.label)")
        }
    }

    @Test func `a piece of a configuration that is damaged anywhere is not signed`() throws {
        let vectors: NetworkConfigTests.Vectors = try loadVectors("network_config")
        let controller = try #require(Identity(text: vectors.controller.secret))
        func check(_ bytes: [UInt8], bits: [Int], _ directory: (Address) -> Identity?) throws {
            #expect(try NetworkConfigChunk(decoding: bytes).verdict(directory) == .valid)
            for bit in bits {
                guard let chunk = try? NetworkConfigChunk(decoding: Damage.flip(bit, of: bytes)) else { continue }
                if chunk.verdict(directory) == .valid { Issue.record("bit \(bit)") }
            }
        }
        // Every bit; of the two long pieces a sample, with every bit of the signatures.
        let bytes = try hex(vectors.chunk)
        try check(bytes, bits: Damage.bits(of: bytes.count)) { $0 == controller.address ? controller : nil }
        for label in ["ok_config_a", "ok_config_b", "big_chunk_0", "big_chunk_1", "push_config_a"] {
            let packet = try payload(label)
            let isReply = session.packets.contains { $0.label == label && $0.verb == Verb.ok.rawValue }
            let chunk = isReply ? try OKHeader.split(packet).body : packet
            let isLong = chunk.count > 3000
            let signature = Array((chunk.count - 96) * 8..<chunk.count * 8)
            let bits = isLong ? Damage.bits(of: chunk.count - 96, sample: 2000) + signature : nil
            try check(chunk, bits: bits ?? Damage.bits(of: chunk.count), directory)
        }
    }

    @Test func `credentials may end after any list, and are split into packets that fit`() throws {
        let all = try NetworkCredentials(decoding: try payload("credentials_a"))
        var only = NetworkCredentials()
        only.memberships = all.memberships
        #expect(try NetworkCredentials(decoding: all.memberships[0].encoded + [0]) == only)
        #expect(throws: WireError.self) { try NetworkCredentials(decoding: all.memberships[0].encoded) }
        #expect(all.packets() == [all])
        var many = all
        many.tags = Array(repeating: all.tags[0], count: 128)
        let packets = many.packets()
        #expect(packets.count == 2)
        #expect(packets.allSatisfy { $0.encoded.count <= ProtocolLimits.maximumPayloadLength })
        #expect(packets.flatMap(\.tags).count == 128 && packets.flatMap(\.ownerships).count == 1)
        #expect(NetworkCredentials().packets().isEmpty)
    }
}
