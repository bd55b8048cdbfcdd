// Planets and moons: bytes, signatures, the update rule, limits.

import NetPrimitives
import Testing
import ZeroTierCrypto

@testable import ZeroTierWire

struct WorldTests {
    struct Vectors: Decodable {
        struct Root: Decodable {
            let identity: String
            let endpoints: [String]
        }
        struct Entry: Decodable {
            let name: String
            let binary: String
            let type: UInt8
            let id: UInt64
            let timestamp: UInt64
            let next_update_key: String
            let signature: String
            let to_be_signed: String
            let self_signature_valid: Bool
            let roots: [Root]
        }
        let worlds: [Entry]
        let default_1_14_verifies_with_1_8_4_next_update_key: Bool
        let custom_planet_signing_key_pub64_secret64: String
        let moon_signing_key_pub64_secret64: String
    }

    let vectors: Vectors

    init() throws {
        vectors = try loadVectors("vl1_worlds")
    }

    func world(_ name: String) throws -> World {
        try World(decoding: hex(try #require(vectors.worlds.first { $0.name == name }).binary))
    }

    func signingKeys(_ text: String) throws -> SecretKeys {
        try #require(SecretKeys(Array(hex(text)[64...])))
    }

    @Test func `worlds read and write as the reference's`() throws {
        #expect(vectors.worlds.count == 5)
        for entry in vectors.worlds {
            let bytes = try hex(entry.binary)
            let world = try World(decoding: bytes)
            #expect(world.kind.rawValue == entry.type)
            #expect(world.id == entry.id)
            #expect(world.timestampMilliseconds == entry.timestamp)
            #expect(try world.updateKey.bytes == hex(entry.next_update_key))
            #expect(try world.signature == hex(entry.signature))
            #expect(world.roots.map { $0.identity.text(includeSecret: false) } == entry.roots.map(\.identity))
            #expect(world.roots.map(\.endpoints) == entry.roots.map { $0.endpoints.compactMap { SocketEndpoint($0) } })
            #expect(world.encoded == bytes)
            #expect(try world.signedBytes == hex(entry.to_be_signed))
            #expect(world.isSigned(by: world.updateKey) == entry.self_signature_valid)
        }
    }

    @Test func `signing makes the recorded signatures`() throws {
        let planetKeys = try signingKeys(vectors.custom_planet_signing_key_pub64_secret64)
        let moonKeys = try signingKeys(vectors.moon_signing_key_pub64_secret64)
        for (name, keys) in [("custom_planet", planetKeys), ("custom_planet_update", planetKeys), ("moon", moonKeys)] {
            let world = try world(name)
            let unsigned = World(
                kind: world.kind, id: world.id, timestampMilliseconds: world.timestampMilliseconds,
                updateKey: world.updateKey, roots: world.roots)
            #expect(unsigned.signed(with: keys) == world)
        }
    }

    @Test func `a newer world signed by the held one's key replaces it`() throws {
        let held = try world("custom_planet")
        let update = try world("custom_planet_update")
        #expect(held.canBeReplaced(by: update))
        #expect(!update.canBeReplaced(by: held))
        #expect(!held.canBeReplaced(by: held))
        #expect(!held.canBeReplaced(by: try world("moon")))
        #expect(!World.defaultPlanet.canBeReplaced(by: update))
    }

    @Test func `the public planet of 1.8.4 gives way to that of 1.14, which is the default`() throws {
        let older = try world("default_planet_1.8.4")
        let newer = try world("default_planet_1.14")
        #expect(World.defaultPlanet == newer && World.defaultPlanet.encoded == newer.encoded)
        #expect(newer.isSigned(by: older.updateKey))
        #expect(newer.isSigned(by: older.updateKey) == vectors.default_1_14_verifies_with_1_8_4_next_update_key)
        #expect(older.canBeReplaced(by: .defaultPlanet))
        #expect(!World.defaultPlanet.canBeReplaced(by: older))
        let oldRoots = Set(older.roots.map(\.identity.address))
        #expect(newer.roots.count { !oldRoots.contains($0.identity.address) } == 2)
    }

    @Test func `an update must carry the right signature, ID and kind`() throws {
        let held = try world("custom_planet")
        let keys = try signingKeys(vectors.custom_planet_signing_key_pub64_secret64)
        func update(kind: World.Kind = .planet, id: UInt64? = nil, by keys: SecretKeys) -> World {
            World(
                kind: kind, id: id ?? held.id, timestampMilliseconds: held.timestampMilliseconds + 1,
                updateKey: held.updateKey, roots: held.roots
            ).signed(with: keys)
        }
        #expect(held.canBeReplaced(by: update(by: keys)))
        #expect(!held.canBeReplaced(by: update(kind: .moon, by: keys)))
        #expect(!held.canBeReplaced(by: update(id: held.id + 1, by: keys)))
        #expect(!held.canBeReplaced(by: update(by: try signingKeys(vectors.moon_signing_key_pub64_secret64))))
    }

    @Test func `damaged worlds are refused or fail their signature`() throws {
        for entry in vectors.worlds {
            let bytes = try hex(entry.binary)
            let original = try World(decoding: bytes)
            try survivesDamage(bytes, decode: { try World(decoding: $0) }, encode: { $0.encoded })
            for bit in Damage.bits(of: bytes.count) {
                guard let world = try? World(decoding: Damage.flip(bit, of: bytes)) else { continue }
                if world.isSigned(by: original.updateKey) { Issue.record("\(entry.name), bit \(bit)") }
            }
        }
    }

    @Test func `too many roots or endpoints are refused`() throws {
        let bytes = try world("custom_planet").encoded
        let root = Array(bytes[178...])
        #expect(try World(decoding: bytes[..<177] + [4] + root + root + root + root).roots.count == 4)
        #expect(throws: WireError.tooLong(field: "world.rootCount", limit: 4, found: 5)) {
            try World(decoding: bytes[..<177] + [5] + root + root + root + root + root)
        }
        let endpoint = Array(root[72...])
        let identity = Array(root[..<71])
        let full = (0..<32).flatMap { _ in endpoint }
        #expect(try World(decoding: bytes[..<178] + identity + [32] + full).roots[0].endpoints.count == 32)
        #expect(throws: WireError.tooLong(field: "world.endpointCount", limit: 32, found: 33)) {
            try World(decoding: bytes[..<178] + identity + [33] + full + endpoint)
        }
    }

    @Test func `a world of the greatest length is read and a longer one is not`() throws {
        let moon = try world("moon").encoded
        let room = ProtocolLimits.maximumWorldLength - moon.count
        func moonWithDictionary(_ length: Int) -> [UInt8] {
            Array(moon[..<(moon.count - 2)]) + [UInt8(length >> 8), UInt8(length & 255)]
                + Array(repeating: 0x61, count: length)
        }
        #expect(try World(decoding: moonWithDictionary(room)).encoded == moon)
        #expect(throws: WireError.self) { try World(decoding: moonWithDictionary(room + 1)) }
    }

    @Test func `the default planet is the public one and signed`() {
        let planet = World.defaultPlanet
        #expect(planet.kind == .planet)
        #expect(planet.id == 149_604_618)
        #expect(planet.timestampMilliseconds == 1_644_592_324_813)
        let roots = ["62f865ae71", "778cde7190", "cafe04eba9", "cafe9efeb9"]
        #expect(planet.roots.map(\.identity.address.description).sorted() == roots)
        #expect(planet.roots.count == 4)
        #expect(planet.roots.allSatisfy { $0.endpoints.count == 2 })
        #expect(planet.isSigned(by: planet.updateKey))
    }

    @Test func `worlds do not keep a root's secret`() throws {
        let identities: IdentityTests.Vectors = try loadVectors("vl1_identity")
        let identity = try #require(Identity(text: identities.identities[0].text_secret))
        #expect(World.Root(identity: identity, endpoints: []).identity.secretKeys == nil)
    }
}
