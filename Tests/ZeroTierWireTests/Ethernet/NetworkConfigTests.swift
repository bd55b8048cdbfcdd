// Configurations: dictionaries of the reference core and of real controllers, chunks, ad-hoc networks.

import NetPrimitives
import Testing

@testable import ZeroTierWire

@Suite struct NetworkConfigTests {
    struct Vectors: Decodable {
        let chunk, chunkSignedBytes, dictionary: String
        let chunkTotalLen: Int
        let controller, member: CredentialVectors.Party
    }
    struct Live: Decodable {
        struct Entry: Decodable {
            let dictionaryHex: String
            let entries: [String: String]
            let order: [String]
            let tailHex: String
        }
        let dictionaries: [String: Entry]
    }

    let vectors: Vectors
    let controller: Identity

    init() throws {
        vectors = try loadVectors("network_config")
        controller = try #require(Identity(text: vectors.controller.secret))
    }

    private func check(_ verdict: CredentialVerdict) { #expect(verdict == .valid) }

    @Test func `a configuration with every key is read and written byte for byte`() throws {
        let bytes = try hex(vectors.dictionary)
        let config = try NetworkConfig(decoding: bytes)
        #expect(config.encoded == bytes)
        #expect(config.network.description == "6d428a527b00abcd")
        #expect(config.issuedTo.description == "efe11bf8bb")
        #expect(config.revision == 9)
        #expect(config.multicastLimit == 32)
        #expect(config.name == "vector net")
        #expect(config.mtu == 2800)
        #expect(config.broadcastEnabled && config.emulatesNeighbours && config.compresses && !config.isPublic)
        let membership = try #require(config.membership)
        check(membership.verdict { _ in controller })
        for capability in config.capabilities { check(capability.verdict { _ in controller }) }
        for tag in config.tags { check(tag.verdict { _ in controller }) }
        for ownership in config.ownerships { check(ownership.verdict { _ in controller }) }
        #expect(!config.capabilities.isEmpty && !config.tags.isEmpty && !config.ownerships.isEmpty)
        #expect(!config.specialists.isEmpty && !config.routes.isEmpty && !config.addresses.isEmpty)
        #expect(!config.rules.isEmpty && !config.dns.servers.isEmpty)
    }

    @Test(arguments: ["ok_config_a", "ok_config_b"])
    func `a real controller's configuration is read and written byte for byte`(name: String) throws {
        let entry = try #require(try loadVectors("live_dictionaries", as: Live.self).dictionaries[name])
        let bytes = try hex(entry.dictionaryHex)
        let dictionary = WireDictionary(decoding: bytes)
        #expect(dictionary.entries.map { String(decoding: $0.key, as: UTF8.self) } == entry.order)
        for (key, value) in entry.entries {
            let text = try #require(dictionary[key])
            #expect(text == Array(value.utf8) || text == (try? hex(value)), "\(key)")
        }
        let config = try NetworkConfig(decoding: bytes)
        #expect(config.encoded == bytes)
        #expect(config.name == "vl2 lab")
        #expect(config.dns.domain == "lab.zt")
        #expect(config.dns.servers == [try #require(IPAddress("10.42.0.1"))])
        #expect(config.routes.map(\.target) == [IPPrefix("10.42.0.0/16"), IPPrefix("192.168.77.0/24")])
        #expect(config.routes[1].via == IPAddress("10.42.0.1"))
        #expect(config.addresses.count == 3)
        #expect(config.addresses.last?.length == 16)
    }

    @Test func `a request says what the reference says`() throws {
        let entry = try #require(try loadVectors("live_dictionaries", as: Live.self).dictionaries["config_request"])
        var metadata = RequestMetadata()
        metadata.platform = "linux/x86_64"
        #expect(metadata.dictionary.encoded == (try hex(entry.dictionaryHex)))
        #expect(RequestMetadata(metadata.dictionary) == metadata)
    }

    @Test func `the signed chunk is read, verified and made again`() throws {
        let bytes = try hex(vectors.chunk)
        let chunk = try NetworkConfigChunk(decoding: bytes)
        #expect(chunk.encoded == bytes)
        #expect(chunk.signedBytes == (try hex(vectors.chunkSignedBytes)))
        check(chunk.verdict { $0 == controller.address ? controller : nil })
        #expect(chunk.verdict { _ in nil } == .needsIdentity(controller.address))
        let placement = try #require(chunk.placement)
        #expect(Int(placement.totalLength) == chunk.data.count || vectors.chunkTotalLen == bytes.count)
        let made = NetworkConfigChunk(
            network: chunk.network, data: chunk.data, flags: placement.flags, updateID: placement.updateID,
            totalLength: placement.totalLength, offset: placement.offset, signedBy: controller)
        #expect(made == chunk)
    }

    @Test func `a chunk that lies outside the whole, or is too long, is refused`() {
        func decodes(total: UInt32, offset: UInt32) -> Bool {
            let chunk = NetworkConfigChunk(
                network: NetworkID(1), data: [1, 2, 3], updateID: 1, totalLength: total, offset: offset,
                signedBy: controller)
            return (try? NetworkConfigChunk(decoding: chunk.encoded)) != nil
        }
        #expect(decodes(total: 3, offset: 0))
        #expect(!decodes(total: 3, offset: 1))
        #expect(!decodes(total: 3, offset: .max))
        #expect(decodes(total: UInt32(ProtocolLimits.maximumConfigurationLength), offset: 9))
        #expect(!decodes(total: UInt32(ProtocolLimits.maximumConfigurationLength) + 1, offset: 9))
        let whole = [UInt8](repeating: 7, count: 2 * ProtocolLimits.configurationChunkLength + 1)
        let chunks = NetworkConfigChunk.chunks(of: whole, network: NetworkID(1), updateID: 5, signedBy: controller)
        #expect(chunks.map(\.data.count) == [9740, 9740, 1])
        #expect(chunks.flatMap(\.data) == whole)
    }

    private func config(_ change: (inout WireDictionary) -> Void) throws -> NetworkConfig {
        var dictionary = WireDictionary()
        change(&dictionary)
        for entry in WireDictionary(decoding: try hex(vectors.dictionary)).entries {
            dictionary.append(String(decoding: entry.key, as: UTF8.self), entry.value)
        }
        return try NetworkConfig(decoding: dictionary.encoded)
    }

    @Test func `what is missing or of an old format is refused`() throws {
        #expect(throws: WireError.self) { try config { $0.append("v", integer: 5) } }
        #expect(throws: WireError.self) { try config { $0.append("nwid", integer: 0) } }
        #expect(throws: WireError.self) { try config { $0.append("id", text: "0") } }
        #expect(throws: WireError.self) { try NetworkConfig(decoding: []) }
        #expect(try config { $0.append("v", integer: 6) }.revision == 9)
        #expect(throws: WireError.self) {
            try NetworkConfig(
                decoding: [UInt8](repeating: 0x0a, count: ProtocolLimits.maximumConfigurationLength + 1))
        }
    }

    @Test func `values are held to their ranges and counts`() throws {
        #expect(try config { $0.append("mtu", integer: 1) }.mtu == 1280)
        #expect(try config { $0.append("mtu", integer: .max) }.mtu == 10_000)
        #expect(try config { $0.append("n", text: String(repeating: "n", count: 300)) }.name.utf8.count == 127)
        let words = [UInt8](repeating: 1, count: 8 * 600)
        #expect(try config { $0.append("S", words) }.specialists.count == 512)
        #expect(throws: WireError.self) { try config { $0.append("S", [1, 2, 3]) } }
        let addresses = (0..<40).flatMap { [0x04, 10, 0, 0, $0, 0, 24] as [UInt8] }
        #expect(try config { $0.append("I", addresses) }.addresses.count == 32)
        let route: [UInt8] = [0x04, 10, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0]
        #expect(try config { $0.append("RT", Array(repeating: route, count: 200).flatMap { $0 }) }.routes.count == 128)
        let rules = [UInt8](repeating: 0, count: 2 * 1100)
        #expect(try config { $0.append("R", rules) }.rules.count == 1024)
        #expect(throws: WireError.self) { try config { $0.append("R", [0x25, 0]) } }
    }

    @Test func `tags and capabilities end at the first that is malformed, and are sorted`() throws {
        let member = Address(1)
        func tag(_ id: UInt32) -> [UInt8] {
            ZeroTierWire.Tag(
                network: NetworkID(1), timestamp: 1, id: id, value: id, issuedTo: member, signedBy: controller
            ).encoded
        }
        let three = try config { $0.append("TAG", tag(9) + tag(3) + tag(5) + [1, 2]) }
        #expect(three.tags.map(\.id) == [3, 5, 9])
        #expect(try config { $0.append("CAP", [1, 2, 3]) }.capabilities.isEmpty)
        #expect(throws: WireError.self) { try config { $0.append("COO", [1, 2, 3]) } }
        #expect(throws: WireError.self) { try config { $0.append("C", [1, 2, 3]) } }
        let many = (0..<200).flatMap { tag($0) }
        #expect(try config { $0.append("TAG", many) }.tags.count == 128)
    }

    @Test func `single sign-on keys survive in both versions`() throws {
        var config = try NetworkConfig(decoding: try hex(vectors.dictionary))
        config.singleSignOn.isEnabled = true
        config.singleSignOn.authenticationURL = "https://a=b"
        config.singleSignOn.expiryTime = 77
        #expect(try NetworkConfig(decoding: config.encoded) == config)
        config.singleSignOn = SingleSignOn()
        config.singleSignOn.isEnabled = true
        config.singleSignOn.version = 1
        config.singleSignOn.issuerURL = "https://issuer"
        config.singleSignOn.nonce = "n"
        config.singleSignOn.provider = "default"
        #expect(try NetworkConfig(decoding: config.encoded) == config)
    }

    /// The dictionaries of the reference core and of real controllers.
    static func dictionaries() throws -> [[UInt8]] {
        let vectors: Vectors = try loadVectors("network_config")
        let live = try loadVectors("live_dictionaries", as: Live.self).dictionaries
        return try ([vectors.dictionary] + live.sorted { $0.key < $1.key }.map(\.value.dictionaryHex)).map(hex)
    }

    @Test func `a damaged configuration is refused, or what is read is written so that it is read again`() throws {
        let configurations = try NetworkConfigTests.dictionaries().filter { (try? NetworkConfig(decoding: $0)) != nil }
        #expect(configurations.count == 3)
        // Lines are read one by one, so each is damaged alone among those without which nothing is read: the shortest with a
        // key at every bit, and at many bits the others', since all take 10 s in a debug build.
        let lines = configurations.flatMap { bytes -> [(head: [UInt8], line: [UInt8])] in
            let lines = bytes.split(separator: 0x0a).map { Array($0) }
            let needed = lines.filter { line in ["v=", "nwid=", "id="].contains { line.starts(with: $0.utf8) } }
            return lines.map { line in (needed.filter { $0 != line }.flatMap { $0 + [0x0a] }, line) }
        }
        var keys: Set<ArraySlice<UInt8>> = []
        for (head, line) in lines.sorted(by: { $0.line.count < $1.line.count }) {
            let isShortest = keys.insert(line.prefix { $0 != UInt8(ascii: "=") }).inserted
            let bits = Damage.bits(of: line.count, sample: isShortest ? nil : 300)
            try survivesDamage(
                head + line, lengths: (0..<line.count).map { head.count + $0 }, bits: bits.map { head.count * 8 + $0 },
                decode: { try NetworkConfig(decoding: $0) }, encode: { $0.encoded })
        }
        #expect(keys.count > 20)
        for bytes in configurations {
            // Of the whole, which takes milliseconds each in a debug build, a sample.
            try survivesDamage(
                bytes, lengths: Array(stride(from: 0, to: bytes.count, by: 13)),
                bits: Damage.bits(of: bytes.count, sample: 250),
                decode: { try NetworkConfig(decoding: $0) }, encode: { $0.encoded })
        }
    }

    @Test func `damaged metadata of a request is read, and written so that it is read again`() throws {
        let entry = try #require(try loadVectors("live_dictionaries", as: Live.self).dictionaries["config_request"])
        let refused = try survivesDamage(
            hex(entry.dictionaryHex), decode: { RequestMetadata(WireDictionary(decoding: $0)) },
            encode: { $0.dictionary.encoded })
        #expect(refused == 0)
    }

    // MARK: Ad-hoc networks

    @Test func `form A is IPv6 with a range of TCP ports`() throws {
        let network = try #require(NetworkID(text: "ff00160050000000"))
        let member = try #require(Address(text: "deadbeef01"))
        let config = try #require(AdHocNetwork.configuration(network, member: member, timestamp: 5))
        #expect(config.name == "adhoc-0016-0050")
        #expect(config.addresses == [try #require(IPPrefix("fcaf:16:de:adbe:ef01::1/40"))])
        #expect(config.isPublic && config.multicastLimit == 0 && config.mtu == 2800 && config.flags == 4)
        #expect(config.timestamp == 5 && config.credentialWindow == 7_200_000 && config.revision == 1)
        #expect(config.rules.count == 14)
        // The table of the evaluation vectors, but for its ports.
        let table =
            "a50286dd000024013a010024011164010628040016005001"
            + "00a90800000000000000020100290800000000000000022908000000000000001001000000"
        #expect(Rule.encode(config.rules) == (try hex(table)))
        #expect(AdHocNetwork.configuration(NetworkID(0xff00_5000_1600_0000), member: member, timestamp: 5) == nil)
    }

    @Test func `form B is everything over an IPv4 prefix`() throws {
        let network = try #require(NetworkID(text: "ff0a000000000001"))
        let member = try #require(Address(text: "437a18af52"))
        let config = try #require(AdHocNetwork.configuration(network, member: member, timestamp: 5))
        #expect(config.name == "adhoc-10.0.0.0")
        let expected = ["fcff:a00:143:7a18:af52::1/40", "10.24.175.82/8"].map { IPPrefix($0) }
        #expect(config.addresses == expected)
        #expect(config.rules == [Rule(.accept)] && config.multicastLimit == 1024 && config.specialists.isEmpty)
        let withHub = try #require(NetworkID(text: "ff1c437a18af5201"))
        let hub = try #require(AdHocNetwork.configuration(withHub, member: member, timestamp: 5))
        #expect(hub.specialists.map(\.address) == [member] && hub.alwaysContact.isEmpty)
    }

    @Test func `other IDs make no configuration`() {
        #expect(AdHocNetwork(NetworkID(0xff00_0000_0000_0002)) == nil)
        #expect(AdHocNetwork(NetworkID(0x8056_c2e2_1c00_0001)) == nil)
    }
}
