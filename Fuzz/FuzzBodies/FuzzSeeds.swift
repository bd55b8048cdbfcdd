//  Inputs to begin with, made of valid objects: what a mutation would have to guess (signatures, whole handshakes) is there
//  from the start. `Fuzz/seed` writes them as files; recorded traffic is in the corpus besides.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// One input to begin with.
package struct FuzzSeed: Sendable {
    /// The target's name.
    package let target: String
    /// What it shows, as a file name.
    package let name: String
    package let bytes: [UInt8]

    /// Every seed that is made of code.
    package static var all: [FuzzSeed] {
        objects + credentials + payloads + FuzzSeed.rules + texts + stackPrograms + pairPrograms + sealedPrograms
            + refusedPrograms + nodePrograms + filterPrograms + controllerPrograms
    }

    // MARK: Objects

    static let controller = FuzzFixture.controller
    static let attacker = FuzzFixture.attacker
    private static let network = FuzzFixture.privateNetwork
    static let issued = FuzzFixture.issued
    private static let group = MulticastGroup(mac: .broadcast, distinguisher: 0x0a09_0001)

    private static let tag = Tag(
        network: network, timestamp: issued, id: 1, value: 7, issuedTo: attacker.address, signedBy: controller)
    private static let capability = Capability(
        network: network, timestamp: issued, id: 2, rules: [Rule(.etherType(0x0800)), Rule(.accept)],
        issuedTo: attacker.address, signedBy: controller)
    static let ownership = Ownership(
        network: network, timestamp: issued, id: 3,
        things: [.ip(IPAddress(v4: 0x0a09_0002)), .mac(network.mac(of: attacker.address)), .ip(StackHarness.address6)],
        issuedTo: attacker.address, signedBy: controller)
    private static let revocation = Revocation(
        id: 4, network: network, of: .tag, credentialID: 1, threshold: issued, target: attacker.address,
        signedBy: controller)

    private static var objects: [FuzzSeed] {
        var rich = FuzzFixture.configuration(network, rules: [Rule(.etherType(0x0806), not: true), Rule(.accept)])
        rich.name = "a network = of \\ two lines\n"
        rich.capabilities = [capability]
        rich.tags = [tag]
        rich.ownerships = [ownership]
        rich.specialists = [
            Specialist(attacker.address, roles: Specialist.activeBridge | Specialist.multicastReplicator)
        ]
        rich.routes = [
            NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a0a_0000), length: 16), via: IPAddress(v4: 0x0a09_0002)),
            NetworkRoute(target: IPPrefix(StackHarness.address6, length: 64), metric: 3),
        ]
        rich.dns = NetworkDNS(domain: "example.test", servers: [IPAddress(v4: 0x0a09_0035)])
        let moon = World(
            kind: .moon, id: 5, timestampMilliseconds: issued, updateKey: controller.publicKeys,
            roots: [World.Root(identity: FuzzFixture.root, endpoints: [FuzzFixture.rootEndpoint])])
        let record = PeerRecord(
            identity: attacker.withoutSecret, protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 0), endpoints: [FuzzFixture.leafEndpoint])
        return [
            FuzzSeed(target: "config", name: "public", bytes: FuzzFixture.publicConfiguration),
            FuzzSeed(target: "config", name: "rich", bytes: rich.encoded),
            FuzzSeed(target: "dictionary", name: "metadata", bytes: RequestMetadata().dictionary.encoded),
            FuzzSeed(target: "dictionary", name: "rich", bytes: Array(rich.encoded.prefix(600))),
            FuzzSeed(target: "world", name: "planet", bytes: FuzzFixture.planet.encoded),
            FuzzSeed(target: "world", name: "moon", bytes: moon.encoded),
            FuzzSeed(target: "identity", name: "binary", bytes: attacker.encoded()),
            FuzzSeed(target: "identity", name: "secret", bytes: attacker.encoded(includeSecret: true)),
            FuzzSeed(target: "identity", name: "text", bytes: Array(attacker.text(includeSecret: true).utf8)),
            FuzzSeed(target: "identity", name: "record", bytes: record.encoded),
            FuzzSeed(target: "lz4", name: "plain", bytes: Array("to be or not to be or not to be or not".utf8)),
            FuzzSeed(target: "lz4", name: "zeros", bytes: LZ4Block.encode([UInt8](repeating: 0, count: 600))),
            FuzzSeed(target: "lz4", name: "mixed", bytes: LZ4Block.encode(attacker.encoded() + attacker.encoded())),
        ]
    }

    private static func written(_ encode: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        encode(&writer)
        return writer.bytes
    }

    private static var credentials: [FuzzSeed] {
        let encoded = [
            FuzzFixture.membership.encoded, capability.encoded, written { tag.encode(into: &$0) },
            written { revocation.encode(into: &$0) }, written { ownership.encode(into: &$0) },
        ]
        return encoded.enumerated().map { kind, bytes in
            FuzzSeed(target: "credentials", name: "kind\(kind)", bytes: [UInt8(kind)] + bytes)
        }
    }

    // MARK: Verbs

    /// HELLO of a node, as its payload is before the armor.
    private static func hello(_ identity: Identity) -> Hello {
        Hello(
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 0), timestampMilliseconds: issued,
            identity: identity.withoutSecret, sentTo: FuzzFixture.leafEndpoint,
            planet: WorldReference(id: 77, timestampMilliseconds: 1_700_000_000_000),
            moons: [WorldReference(id: 5, timestampMilliseconds: issued)])
    }

    private static var allCredentials: NetworkCredentials {
        var credentials = NetworkCredentials()
        credentials.memberships = [FuzzFixture.membership]
        credentials.capabilities = [capability]
        credentials.tags = [tag]
        credentials.revocations = [revocation]
        credentials.ownerships = [ownership]
        return credentials
    }

    private static var chunks: [NetworkConfigChunk] {
        NetworkConfigChunk.chunks(
            of: FuzzFixture.privateConfiguration, network: network, updateID: 9, signedBy: controller)
    }

    static let ping6 = PacketBytes.ipv6(
        PacketBytes.icmp6, from: FuzzFixture.publicNetwork.sixPlaneAddress(of: attacker.address),
        to: FuzzFixture.publicNetwork.sixPlaneAddress(of: FuzzFixture.victim.address), [128, 0, 0, 0, 0, 1, 0, 1])
    private static let synchronize4 = PacketBytes.ipv4(
        PacketBytes.tcp, from: IPAddress(v4: 0x0a09_0002), to: IPAddress(v4: 0x0a09_0001),
        [0x13, 0x88, 0, 7, 0, 0, 3, 0xe8, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0])

    static func extendedFrame(_ network: NetworkID, _ data: [UInt8], _ etherType: UInt16) -> ExtendedFrame {
        ExtendedFrame(
            network: network, membership: network == FuzzFixture.privateNetwork ? FuzzFixture.membership : nil,
            destination: network.mac(of: FuzzFixture.victim.address), source: network.mac(of: attacker.address),
            etherType: etherType, data: data)
    }

    private static func multicast(_ network: NetworkID) -> MulticastFrame {
        let arp: [UInt8] =
            [0, 1, 8, 0, 6, 4, 0, 1] + network.mac(of: attacker.address).bytes + [
                10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 10, 9, 0, 1,
            ]
        return MulticastFrame(network: network, gatherLimit: 8, group: group, etherType: 0x0806, data: arp)
    }

    /// The payloads in the order of `fuzzVerbs`, with the verb they belong to.
    private static var verbPayloads: [(verb: Verb, bytes: [UInt8])] {
        let version = SoftwareVersion(major: 1, minor: 14, revision: 0)
        let helloReply = HelloReply(
            timestampMilliseconds: issued, softwareVersion: version, surfaceAddress: FuzzFixture.leafEndpoint,
            worlds: [FuzzFixture.planet])
        let result = GatherResult(total: 2, members: [attacker.address, FuzzFixture.leaf.address])
        let request = NetworkConfigRequest(network: network, metadata: RequestMetadata().dictionary.encoded)
        let quote = OKHeader(inReplyTo: .hello, packetID: PacketID(1))
        return [
            (.hello, hello(attacker).encoded),
            (
                .error,
                ErrorReply(
                    inReplyTo: .networkConfigRequest, packetID: PacketID(1), reason: .networkAccessDenied(network)
                ).encoded
            ),
            (.ok, quote.payload(helloReply.encoded)),
            (.ok, helloReply.encoded),
            (.whois, Whois([FuzzFixture.leaf.address, FuzzFixture.root.address]).encoded),
            (.ok, WhoisReply([FuzzFixture.leaf, attacker]).encoded),
            (.rendezvous, Rendezvous(peer: attacker.address, endpoint: FuzzFixture.leafEndpoint).encoded),
            (.frame, Frame(network: FuzzFixture.publicNetwork, etherType: 0x86dd, data: ping6).encoded),
            (.extendedFrame, extendedFrame(network, synchronize4, 0x0800).encoded),
            (.echo, Echo([1, 2, 3]).encoded),
            (.multicastLike, MulticastLike([.init(network: network, group: group)]).encoded),
            (.networkCredentials, allCredentials.encoded),
            (.networkConfigRequest, request.encoded),
            (.networkConfig, chunks[0].encoded),
            (
                .multicastGather,
                MulticastGather(network: network, group: group, limit: 8, membership: FuzzFixture.membership).encoded
            ),
            (.ok, MulticastGatherReply(network: network, group: group, result: result).encoded),
            (.multicastFrame, multicast(network).encoded),
            (.ok, MulticastFrameReply(network: network, group: group, result: result).encoded),
            (.pushDirectPaths, PushDirectPaths([.init(endpoint: FuzzFixture.leafEndpoint)]).encoded),
            (.qualityMeasurement, [1, 2, 3, 4, 5, 6, 7, 8, 0, 10]),
            (.userMessage, UserMessage(type: 70_000, data: [1, 2, 3]).encoded),
            (.ok, quote.encoded),
        ]
    }

    private static var payloads: [FuzzSeed] {
        verbPayloads.enumerated().map { index, payload in
            FuzzSeed(target: "verbs", name: "payload\(index)", bytes: [UInt8(index)] + payload.bytes)
        }
    }

    // MARK: Rules, texts

    private static var rules: [FuzzSeed] {
        let address = attacker.address
        let matches: [Rule.Kind] = [
            .sourceAddress(address), .destinationAddress(address), .vlanID(0), .vlanPriority(0), .vlanDropEligible(0),
            .sourceMAC(.broadcast), .destinationMAC(.broadcast), .sourceIPv4(0x0a09_0000, bits: 24),
            .destinationIPv4(0x0a09_0001, bits: 32), .sourceIPv6(StackHarness.address6, bits: 40),
            .destinationIPv6(StackHarness.address6, bits: 128), .typeOfService(mask: 0xfc, from: 0, to: 8),
            .ipProtocol(6), .etherType(0x0800), .icmp(type: 128, code: 0, flags: 1), .sourcePorts(from: 1, to: 6000),
            .destinationPorts(from: 7, to: 7), .characteristics(1 << 63 | 2), .frameSize(from: 20, to: 2800),
            .random(0x8000_0000), .tagsDifference(id: 1, value: 3), .tagsAnd(id: 1, value: 3),
            .tagsOr(id: 1, value: 3), .tagsXor(id: 1, value: 3), .tagsEqual(id: 1, value: 7),
            .tagSender(id: 1, value: 7), .tagReceiver(id: 1, value: 7),
            .integerRange(start: 1, end: 200, index: 9, format: 0x87), .unknown(60),
        ]
        let actions: [Rule.Kind] = [
            .drop, .accept, .tee(address, flags: 0, length: 64), .watch(FuzzFixture.leaf.address, flags: 0, length: 0),
            .redirect(FuzzFixture.root.address, flags: 0, length: 0), .break, .priority(3),
        ]
        var seeds: [FuzzSeed] = []
        for (index, kind) in matches.enumerated() {
            let rules = [
                Rule(kind, not: index % 3 == 0, or: index % 5 == 0), Rule(actions[index % actions.count]),
                Rule(.accept),
            ]
            let table = Rule.encode(rules)
            let head: [UInt8] = [UInt8(truncatingIfNeeded: 0x2e + index * 32), 0, UInt8(table.count)]
            let frame = index % 2 == 0 ? [0] + synchronize4 : [1] + ping6
            seeds.append(FuzzSeed(target: "rules", name: "rule\(kind.number)", bytes: head + table + frame))
        }
        return seeds
    }

    private static var texts: [FuzzSeed] {
        let texts = [
            "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1:0:0:1", "fd00::1/64", "10.0.0.0/8", "10.0.0.1:80",
            "[fd00::1]:80",
            "fd00::1/9993", "0123456789", "8056c2e21c000001", "::", "1:2:3:4:5:6:7::",
        ]
        return texts.enumerated().map { FuzzSeed(target: "text", name: "text\($0)", bytes: Array($1.utf8)) }
    }

    // MARK: Programs

    /// A segment of the stack's peer: flags, selector, distances, window, options, payload.
    private static func segment(
        _ isIPv4: Bool, _ flags: UInt8, to selector: UInt8 = 0, sequence: UInt8 = 0, acknowledgment: UInt8 = 0,
        options: [UInt8] = [2], payload: UInt8 = 0
    ) -> [UInt8] {
        [isIPv4 ? 5 : 4, flags, selector, sequence, acknowledgment, 0x40, 0] + options + [payload]
    }

    private static var stackPrograms: [FuzzSeed] {
        let pass: [UInt8] = [10, 3]
        var seeds: [FuzzSeed] = []
        for isIPv4 in [true, false] {
            let handshake = segment(isIPv4, 0x02, options: [0x39]) + segment(isIPv4, 0x10)
            let accept: [UInt8] = [12, 3, isIPv4 ? 0 : 1]
            let name = isIPv4 ? "4" : "6"
            let data = segment(isIPv4, 0x18, payload: 40)
            let later = segment(isIPv4, 0x18, sequence: 60, payload: 10)
            let programs: [(String, [UInt8])] = [
                (
                    "accept",
                    handshake + accept + data + [12, 5, 4, 200] + pass + segment(isIPv4, 0x11) + pass + [12, 7, 4]
                ),
                ("send", handshake + accept + [12, 4, 4, 120] + pass + segment(isIPv4, 0x10) + [12, 6, 1, 4] + pass),
                (
                    "lost",
                    handshake + accept + [12, 4, 4, 200] + segment(isIPv4, 0x10, options: [5, 10, 20, 30, 10])
                        + pass + pass + [10, 4] + segment(isIPv4, 0x10)
                ),
                ("disorder", handshake + accept + later + data + later + pass + [12, 5, 4, 100]),
                (
                    // An acknowledgment of what was never sent, later and with a newer time than what came before.
                    "wild",
                    handshake + accept + data + pass + segment(isIPv4, 0x18, acknowledgment: 120, payload: 1) + pass
                        + data
                ),
                ("reset", handshake + segment(isIPv4, 0x04)),
                (
                    "connect",
                    [12, 1, isIPv4 ? 0 : 1] + segment(isIPv4, 0x12, to: 0x80, options: [0x39])
                        + segment(isIPv4, 0x18, to: 0x80, payload: 9) + [12, 4, 4, 9] + [12, 7, 4] + pass
                        + segment(isIPv4, 0x11, to: 0x80) + pass
                ),
                ("refused", [12, 1, isIPv4 ? 0 : 1] + [20 + (isIPv4 ? 0 : 1), 3, 3, 0, 0, 0, 0, 0, 0, 0]),
                ("datagram", [22 + (isIPv4 ? 0 : 1), 6, 12, 11, 2, 200, 12, 10, isIPv4 ? 8 : 13, 3, 0]),
                (
                    "fragments",
                    [0x40 + 26 + (isIPv4 ? 0 : 1), 1, 0, 10, 26 + (isIPv4 ? 0 : 1), 1, 10, 2, 3, 1, 1, 1] + pass
                ),
                ("close", handshake + accept + [12, 4, 4, 255, 12, 7, 4] + pass + pass + pass),
                ("loopback", [12, 1, isIPv4 ? 2 : 3] + accept + [12, 4, 4, 9, 12, 4, 5, 9] + pass + [12, 5, 5, 9]),
                ("echo", [12, 14, isIPv4 ? 0 : 1, 5] + pass + [10, 6]),
            ]
            for (title, program) in programs {
                seeds.append(FuzzSeed(target: "stack", name: title + name, bytes: [0] + program))
            }
            let raw = isIPv4 ? synchronize4 : ping6
            seeds.append(
                FuzzSeed(
                    target: "stack", name: "raw" + name,
                    bytes: [0, isIPv4 ? 0xc0 : 0xc1, 0, UInt8(raw.count)] + raw))
        }
        let solicitation: [UInt8] = [0x98, 2, 0, 28] + [UInt8](repeating: 0, count: 20) + [1, 1, 2, 0, 0, 0, 0, 9]
        let router: [UInt8] =
            [0x58, 1, 0, 44, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 64, 0xc0, 0, 0, 7, 8, 0, 0, 7, 8, 0, 0, 0, 0]
            + StackHarness.address6.bytes.dropLast() + [0]
        let arp: [UInt8] = [0x42, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 10, 9, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        for (name, program) in [("solicitation", solicitation), ("router", router), ("arp", arp)] {
            seeds.append(FuzzSeed(target: "stack", name: name, bytes: [0] + program))
        }
        return seeds
    }

    private static var pairPrograms: [FuzzSeed] {
        let exchange: [UInt8] = [0x11, 0x11, 0x06, 200, 0x11, 0x35, 0x0e, 100, 0x31, 0x05]
        let programs: [(String, [UInt8])] = [
            ("plain", [0] + exchange + exchange),
            ("six", [1] + exchange + [0x17, 0x1f, 0x11]),
            ("loss", [2] + exchange + [0x37, 0x02, 0x12, 0x22, 0x31, 0x25, 0x0a, 0x35]),
            ("reorder", [9] + exchange + [0x37, 0x03, 0x13, 0x23, 0x33, 0x31, 0x0b, 0x15]),
            ("damage", [4] + exchange + [0x37, 0x04, 1, 9, 0x0c, 0, 200, 0x25]),
            ("window", [4, 0x07] + exchange + [0x37, 0x11, 0x35, 0x45, 0x07, 0x31]),
            ("shut", [0] + exchange + [0x17, 0x11, 0x0e, 50, 0x1f, 0x31, 0x55]),
        ]
        return programs.map { FuzzSeed(target: "pair", name: $0.0, bytes: $0.1) }
    }

    /// One packet in the language of `fuzzSealed`.
    static func sealed(_ sender: UInt8, _ verb: Verb, _ payload: [UInt8], flags: UInt8 = 0, plan: [UInt8] = [])
        -> [UInt8]
    {
        [sender << 3 | flags] + plan + [verb.rawValue, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)] + payload
    }

    private static var sealedPrograms: [FuzzSeed] {
        var seeds: [FuzzSeed] = []
        func add(_ name: String, _ program: [UInt8]) {
            seeds.append(FuzzSeed(target: "sealed", name: name, bytes: [0] + program))
        }
        for (index, payload) in verbPayloads.enumerated() where payload.bytes.count < 900 {
            // From each sender who may say it, old cipher and new.
            let body = payload.verb == .ok && index != 2 ? quote(index) + payload.bytes : payload.bytes
            let sender: UInt8 = payload.verb == .ok || payload.verb == .rendezvous || payload.verb == .error ? 1 : 0
            add("verb\(index)", sealed(sender, payload.verb, body, flags: payload.verb == .ok ? 0x40 : 0) + [0x0e])
        }
        let show = sealed(0, .networkCredentials, allCredentials.encoded)
        add("member", show + sealed(0, .extendedFrame, extendedFrame(network, synchronize4, 0x0800).encoded) + [0x0e])
        add("gather", show + sealed(0, .multicastGather, verbPayloads[14].bytes, flags: 0x20))
        let frame = Frame(network: FuzzFixture.publicNetwork, etherType: 0x86dd, data: ping6).encoded
        add(
            "parts",
            sealed(0, .frame, frame, flags: 0x80, plan: [0x81]) + sealed(0, .frame, frame, flags: 0x80, plan: [0x42]))
        add("stranger", sealed(3, .hello, hello(FuzzFixture.leaf).encoded) + sealed(3, .echo, [1]) + [0x06])
        add("rootHello", sealed(1, .hello, hello(FuzzFixture.root).encoded) + [0x0e])
        add(
            "controllerHello",
            sealed(2, .hello, hello(controller).encoded) + sealed(2, .networkConfig, chunks[0].encoded))
        var update = NetworkConfig(
            network: FuzzFixture.publicNetwork, issuedTo: FuzzFixture.victim.address, timestamp: issued)
        update.isPublic = true
        update.mtu = 1400
        let unsigned = NetworkConfigChunk(network: FuzzFixture.publicNetwork, unsigned: update.encoded)
        add("unsigned", sealed(2, .networkConfig, unsigned.encoded) + [0x3f, 0])
        add("broadcast", sealed(0, .multicastFrame, multicast(FuzzFixture.publicNetwork).encoded) + [0x3f, 4, 0x0e])
        add("connect", [0x3f, 0, 0x3f, 1, 0x06, 0x0e, 0x07, 0x0f, 0x27, 0x57, 1, 2, 3, 4, 0x5f, 0])
        let text = LZ4Block.encode([UInt8](repeating: 7, count: 300))
        seeds.append(
            FuzzSeed(
                target: "sealed", name: "compressed",
                bytes: [0, 0, Verb.echo.rawValue | Verb.compressedFlag, 0, UInt8(text.count)] + text))
        return seeds
    }

    // What each kind of OK answers; the packet ID is put in when it is sealed.
    private static func quote(_ index: Int) -> [UInt8] {
        let verb: Verb
        switch index {
        case 3: verb = .hello
        case 5: verb = .whois
        case 15: verb = .multicastGather
        case 17: verb = .multicastFrame
        default: verb = .echo
        }
        return OKHeader(inReplyTo: verb, packetID: PacketID(0)).encoded
    }

    private static var nodePrograms: [FuzzSeed] {
        let programs: [(String, [UInt8])] = [
            ("plain", [0, 0xf0, 0xf0, 0x06, 0xf0, 0x46, 100, 0xf0, 0xc6, 0xf0, 0x24, 0xf0]),
            ("loss", [1, 0x01, 0x24, 0xf0, 0x11, 0x34, 0x06, 0x01, 0x24, 0xf0, 0x46, 200, 0x01, 0x24, 0xf0]),
            ("damage", [2, 0x03, 0, 150, 0xf0, 0x03, 1, 0, 0x24, 0xf0, 0x06, 0x03, 0, 220, 0xf0]),
            ("replay", [0, 0xf0, 0x07, 0x01, 0x17, 0x02, 0, 40, 0x27, 0x14, 20, 0x0f, 0x88, 0, 3, 1, 2, 3]),
            (
                "forge",
                [0, 0xf0, 0x35, 0, 32] + [UInt8](repeating: 0x5a, count: 32) + [0x75, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
            ),
            (
                "mute",
                [
                    0, 0x91, 0x24, 0x91, 0x34, 0xf0, 0x07, 0x10, 0x17, 0x30, 0x27, 0x50, 0x64, 0x91, 0x81, 0xf0, 0x06,
                    0x81, 0x46, 90, 0x91, 0xf0,
                ]
            ),
            ("silence", [0, 0xf0, 0x06, 0xf0, 0x46, 50, 0x64, 0x01, 0x64, 0x44, 0xf0, 0xa6, 0xb6]),
        ]
        return programs.map { FuzzSeed(target: "node", name: $0.0, bytes: $0.1) }
    }
}
