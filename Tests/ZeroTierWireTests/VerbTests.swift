// Payloads of the VL1 verbs: round trips, damage, limits.

import NetPrimitives
import Testing

@testable import ZeroTierWire

struct VerbTests {
    static let network = NetworkID(0x8056_c2e2_1c00_0001)
    static let packetID = PacketID(0x0102_0304_0506_0708)
    static let ipv4 = SocketEndpoint(IPAddress(v4: 0x0a4d_0001), port: 9993)
    static let ipv6 = SocketEndpoint(IPAddress(v6High: 0xfd77 << 48, low: 1), port: 9993)

    func identity() throws -> Identity {
        let vectors: IdentityTests.Vectors = try loadVectors("vl1_identity")
        return try #require(Identity(text: vectors.identities[2].text_public))
    }

    func hello(sentTo: SocketEndpoint?, planet: Bool = true, moons: Int = 0) throws -> Hello {
        Hello(
            softwareVersion: SoftwareVersion(major: 1, minor: 2, revision: 0x0304), timestampMilliseconds: 77,
            identity: try identity(), sentTo: sentTo,
            planet: planet ? WorldReference(id: 5, timestampMilliseconds: 6) : nil,
            moons: (0..<moons).map { WorldReference(id: UInt64($0), timestampMilliseconds: 9) })
    }

    @Test func `verb numbers are the protocol's and the rest do not exist`() {
        #expect(Verb.allCases.map(\.rawValue) == Array(0x00...0x0e) + [0x10] + Array(0x12...0x16))
        #expect(Verb(verbByte: 0xe6) == .frame)
        for byte: UInt8 in [0x0f, 0x11, 0x17, 0x1f] { #expect(Verb(verbByte: byte) == nil) }
    }

    @Test func `HELLO survives damage in every shape`() throws {
        for endpoint in [nil, VerbTests.ipv4, VerbTests.ipv6] {
            try survivesDamage(Hello.self, hello(sentTo: endpoint, moons: 2).encoded, unread: 0)
            try survivesDamage(Hello.self, hello(sentTo: endpoint).encoded, unread: 0)
            try survivesDamage(Hello.self, hello(sentTo: endpoint, planet: false).encoded)
        }
    }

    @Test func `a damaged HELLO reads the same in two steps as in one`() throws {
        let payload = try hello(sentTo: VerbTests.ipv6, moons: 2).encoded
        let head = [UInt8](repeating: 0, count: PacketHeader.payloadOffset)
        func readInSteps(_ packet: [UInt8]) -> Hello? {
            packet.withBytes { span in
                guard let (clear, start) = try? Hello.decodeClear(span, length: span.byteCount) else { return nil }
                var hello = clear
                guard let start else { return hello }
                do { try hello.decodeSection(span, from: start, to: span.byteCount) } catch { return nil }
                return hello
            }
        }
        let cuts = (0...payload.count).map { Array(payload[..<$0]) }
        let flips = Damage.bits(of: payload.count).map { Damage.flip($0, of: payload) }
        for damaged in cuts + flips where readInSteps(head + damaged) != (try? Hello(decoding: damaged)) {
            Issue.record("\(damaged)")
        }
    }

    @Test func `the lengths of HELLO are the documented ones`() throws {
        #expect(try hello(sentTo: VerbTests.ipv4).encoded.count + 28 == 137)
        #expect(try hello(sentTo: VerbTests.ipv6).encoded.count + 28 == 149)
        #expect(try hello(sentTo: VerbTests.ipv4).sectionOffset == 135)
        #expect(try hello(sentTo: nil, planet: false).sectionOffset == 113)
    }

    @Test func `HELLO of a very old peer ends after its identity`() throws {
        let short = Array(try hello(sentTo: nil, planet: false).encoded.dropLast())
        #expect(short.count + 28 == 112)
        let hello = try Hello(decoding: short)
        #expect(hello.sentTo == nil && hello.planet == nil && hello.moons.isEmpty)
    }

    @Test func `moon entries of another type are passed over and a missing one is refused`() throws {
        var bytes = try hello(sentTo: nil, moons: 3).encoded
        let first = bytes.count - 3 * 17
        bytes[first + 17] = 1
        #expect(try Hello(decoding: bytes).moons.map(\.id) == [0, 2])
        bytes[first - 1] = 4
        #expect(throws: WireError.truncated(field: "hello.moons", expected: 68, found: 51)) {
            try Hello(decoding: bytes)
        }
    }

    @Test func `more moons than a packet holds are not written`() throws {
        let hello = try hello(sentTo: VerbTests.ipv6, moons: 2000)
        #expect(hello.encoded.count <= ProtocolLimits.maximumPayloadLength)
        #expect(try Hello(decoding: hello.encoded).moons.count > 500)
    }

    @Test func `OK of HELLO survives damage and may end after the revision`() throws {
        let reply = HelloReply(
            timestampMilliseconds: 88, softwareVersion: SoftwareVersion(major: 1, minor: 2, revision: 3),
            surfaceAddress: VerbTests.ipv6, worlds: [.defaultPlanet])
        #expect(try reply.worlds() == [.defaultPlanet])
        let bare = HelloReply(
            timestampMilliseconds: 88, softwareVersion: reply.softwareVersion, surfaceAddress: nil)
        for whole in [reply, bare] {
            try survivesDamage(
                whole.encoded,
                decode: {
                    let read = try HelloReply(decoding: $0)
                    // The worlds are read by whoever trusts the sender: refused, or read as they are written.
                    if let worlds = try? read.worlds() {
                        let again = HelloReply(
                            timestampMilliseconds: 88, softwareVersion: read.softwareVersion, surfaceAddress: nil,
                            worlds: worlds)
                        if try again.worlds() != worlds { Issue.record("worlds are not read as they were written") }
                    }
                    return read
                }, encode: { $0.encoded })
        }
        let short = try HelloReply(decoding: Array(reply.encoded[..<13]))
        #expect(short.surfaceAddress == nil && short.worldBytes.isEmpty)
        #expect(short.protocolVersion == 12 && short.timestampMilliseconds == 88)
        #expect(try short.worlds().isEmpty)
    }

    @Test func `worlds that do not fit a reply are left out`() throws {
        let reply = HelloReply(
            timestampMilliseconds: 88, softwareVersion: SoftwareVersion(major: 1, minor: 2, revision: 3),
            surfaceAddress: VerbTests.ipv6, worlds: Array(repeating: .defaultPlanet, count: 40))
        #expect(reply.encoded.count + OKHeader.size <= ProtocolLimits.maximumPayloadLength)
        #expect(try reply.worlds().count == 17)
    }

    @Test func `a malformed world in a reply is noticed when it is read`() throws {
        var bytes = HelloReply(
            timestampMilliseconds: 1, softwareVersion: SoftwareVersion(major: 1, minor: 2, revision: 3),
            surfaceAddress: nil, worlds: [.defaultPlanet]
        ).encoded
        bytes[16] = 9
        #expect(throws: WireError.self) { try HelloReply(decoding: bytes).worlds() }
    }

    @Test func `an OK is split into what it answers and the rest`() throws {
        let payload = OKHeader(inReplyTo: .whois, packetID: VerbTests.packetID).payload([9, 8])
        #expect(payload == [4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8])
        let (header, body) = try OKHeader.split(payload)
        #expect(header == OKHeader(inReplyTo: .whois, packetID: VerbTests.packetID))
        #expect(body == [9, 8])
        try survivesDamage(OKHeader.self, Array(payload[..<9]), .beginning)
    }

    @Test func `every kind of ERROR survives damage`() throws {
        let reasons: [ErrorReply.Reason] = [
            .invalidRequest, .badProtocolVersion, .objectNotFound(VerbTests.network), .objectNotFound(nil),
            .identityCollision, .unsupportedOperation(VerbTests.network), .unsupportedOperation(nil),
            .needMembershipCertificate(VerbTests.network), .networkAccessDenied(VerbTests.network),
            .unwantedMulticast(VerbTests.network, mac: MACAddress(0x0102_0304_0506), distinguisher: 0x0a00_0001),
            .networkAuthenticationRequired(VerbTests.network, info: []),
            .networkAuthenticationRequired(VerbTests.network, info: [1, 2, 3]), .other(0x7f),
        ]
        for reason in reasons {
            let reply = ErrorReply(inReplyTo: .frame, packetID: VerbTests.packetID, reason: reason)
            #expect(try ErrorReply(decoding: reply.encoded) == reply)
            try survivesDamage(ErrorReply.self, reply.encoded, .beginning)
            switch reason {
            case .invalidRequest, .badProtocolVersion, .identityCollision, .other, .objectNotFound(nil),
                .unsupportedOperation(nil):
                #expect(reason.network == nil)
            default: #expect(reason.network == VerbTests.network)
            }
        }
    }

    @Test func `what comes with a refusal for want of authentication is bounded`() throws {
        func reply(_ count: Int) -> ErrorReply {
            ErrorReply(
                inReplyTo: .networkConfigRequest, packetID: VerbTests.packetID,
                reason: .networkAuthenticationRequired(VerbTests.network, info: Array(repeating: 7, count: count)))
        }
        let limit = ProtocolLimits.maximumAuthenticationInfo
        #expect(try ErrorReply(decoding: reply(limit).encoded) == reply(limit))
        #expect(reply(limit + 1).encoded == reply(limit).encoded, "the rest is not written")
        var bytes = reply(limit).encoded + [7]
        bytes[19] += 1
        #expect(throws: WireError.tooLong(field: "error.infoLength", limit: limit, found: limit + 1)) {
            try ErrorReply(decoding: bytes)
        }
    }

    @Test func `WHOIS ignores an incomplete address at its end but wants one`() throws {
        let whois = Whois([Address(1), Address(2)])
        try survivesDamage(Whois.self, whois.encoded, .beginning)
        #expect(try Whois(decoding: whois.encoded + [1, 2, 3, 4]) == whois)
        #expect(throws: WireError.self) { try Whois(decoding: [1, 2, 3, 4]) }
    }

    @Test func `all identities of an OK of WHOIS are read up to the first malformed one`() throws {
        let reply = WhoisReply([try identity(), try identity()])
        try survivesDamage(WhoisReply.self, reply.encoded, unread: 0)
        #expect(try WhoisReply(decoding: reply.encoded + [1, 2, 3]) == reply)
        #expect(throws: WireError.self) { try WhoisReply(decoding: []) }
    }

    @Test func `RENDEZVOUS carries an endpoint of either family`() throws {
        for endpoint in [VerbTests.ipv4, VerbTests.ipv6] {
            let rendezvous = Rendezvous(peer: Address(0x01_0203_0405), endpoint: endpoint)
            try survivesDamage(Rendezvous.self, rendezvous.encoded, unread: 8)
        }
        #expect(throws: WireError.invalid(field: "rendezvous.port", expected: "not 0", found: 0)) {
            try Rendezvous(decoding: [0, 1, 2, 3, 4, 5, 0, 0, 4, 1, 2, 3, 4])
        }
        #expect(throws: WireError.invalid(field: "rendezvous.addressLength", expected: "4 or 16", found: 5)) {
            try Rendezvous(decoding: [0, 1, 2, 3, 4, 5, 0, 1, 5, 1, 2, 3, 4, 5])
        }
    }

    @Test func `direct paths of other kinds are passed over`() throws {
        let paths = PushDirectPaths([
            .init(endpoint: VerbTests.ipv4), .init(flags: 2, endpoint: VerbTests.ipv6),
            .init(flags: 1, endpoint: VerbTests.ipv4),
        ])
        try survivesDamage(PushDirectPaths.self, paths.encoded, unread: 0)
        #expect(paths.records.map(\.isClusterRedirect) == [false, true, false])
        #expect(paths.records.map(\.isForget) == [false, false, true])
        let other: [UInt8] = [0, 2, 0, 0, 3, 9, 9, 9, 1, 2, 7, 7, 0, 0, 0, 4, 6, 10, 77, 0, 1, 0x27, 0x09]
        #expect(try PushDirectPaths(decoding: other).records == [.init(endpoint: VerbTests.ipv4)])
        // An address length that is too short for the type, and a count beyond the bytes.
        #expect(throws: WireError.self) { try PushDirectPaths(decoding: [0, 1, 0, 0, 0, 4, 5, 1, 2, 3, 4, 5]) }
        #expect(throws: WireError.self) { try PushDirectPaths(decoding: [0xff, 0xff]) }
    }

    @Test func `many direct paths are spread over packets of 1200 bytes`() throws {
        #expect(PushDirectPaths.packets(for: []).isEmpty)
        let endpoints = (0..<150).map {
            SocketEndpoint($0 % 2 == 0 ? VerbTests.ipv4.address : VerbTests.ipv6.address, port: UInt16($0 + 1))
        }
        let packets = PushDirectPaths.packets(for: endpoints)
        #expect(packets.flatMap(\.records).map(\.endpoint) == endpoints)
        #expect(packets.count == 3)
        for packet in packets { #expect(packet.encoded.count + 28 <= 1200) }
        for packet in packets.dropLast() { #expect(packet.encoded.count + 28 > 1200 - 23) }
    }

    @Test func `user messages and echoes carry any bytes`() throws {
        try survivesDamage(UserMessage.self, UserMessage(type: 70_000, data: [1, 2, 3]).encoded, .exact)
        try survivesDamage(Echo.self, [1, 2, 3], .exact)
        #expect(Echo([5]).reply(to: VerbTests.packetID) == [8, 1, 2, 3, 4, 5, 6, 7, 8, 5])
        let long = Echo(Array(repeating: 1, count: 9996)).reply(to: VerbTests.packetID)
        #expect(long.count == ProtocolLimits.maximumPayloadLength)
    }

    @Test func `quality records are read in the sender's byte order`() throws {
        let record: [UInt8] = [8, 7, 6, 5, 4, 3, 2, 1, 0x34, 0x12]
        let measurement = try QualityMeasurement(decoding: record + record + [1])
        #expect(measurement.records.map(\.packetID) == [VerbTests.packetID, VerbTests.packetID])
        #expect(measurement.records.map(\.holdingMilliseconds) == [0x1234, 0x1234])
        #expect(try QualityMeasurement(decoding: Array(repeating: 0, count: 1400)).records.count == 140)
        #expect(try QualityMeasurement(decoding: Array(repeating: 0, count: 9)).records.isEmpty)
        #expect(throws: WireError.self) { try QualityMeasurement(decoding: Array(repeating: 0, count: 8)) }
        #expect(throws: WireError.self) { try QualityMeasurement(decoding: Array(repeating: 0, count: 1401)) }
    }

    @Test func `damaged quality records and path negotiations are refused or read as what they say`() throws {
        let record: [UInt8] = [8, 7, 6, 5, 4, 3, 2, 1, 0x34, 0x12]
        let bytes = record + record.reversed() + record
        let whole = try QualityMeasurement(decoding: bytes)
        for length in 0..<bytes.count {
            let read = try? QualityMeasurement(decoding: Array(bytes[..<length]))
            #expect(read?.records == (length < 9 ? nil : Array(whole.records.prefix(length / 10))))
        }
        for bit in Damage.bits(of: bytes.count) {
            let damaged = Damage.flip(bit, of: bytes)
            let written = try QualityMeasurement(decoding: damaged).records.flatMap { record in
                (0..<8).map { UInt8(truncatingIfNeeded: record.packetID.value >> UInt64(8 * $0)) }
                    + [UInt8(record.holdingMilliseconds & 255), UInt8(record.holdingMilliseconds >> 8)]
            }
            #expect(written == damaged)
        }
        for length in [0, 1] {
            #expect(throws: WireError.self) { try PathNegotiationRequest(decoding: Array([0xff, 0xfe][..<length])) }
        }
        for bit in Damage.bits(of: 2) {
            let damaged = Damage.flip(bit, of: [0xff, 0xfe])
            let utility = UInt16(bitPattern: try PathNegotiationRequest(decoding: damaged).utility)
            #expect([UInt8(utility >> 8), UInt8(utility & 255)] == damaged)
        }
    }

    @Test func `a path negotiation is two bytes with a sign`() throws {
        #expect(try PathNegotiationRequest(decoding: [0xff, 0xfe]).utility == -2)
        #expect(throws: WireError.self) { try PathNegotiationRequest(decoding: [0xff]) }
        #expect(throws: WireError.self) { try PathNegotiationRequest(decoding: [0xff, 0, 0]) }
    }
}
