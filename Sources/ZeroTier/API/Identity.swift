// Identities and planets as a tool or an administrator handles them.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// Who a node is: an address and the keys it follows from. `description` never shows the secret.
public struct Identity: Hashable, Sendable, CustomStringConvertible {
    let wire: ZeroTierWire.Identity

    init(_ wire: ZeroTierWire.Identity) { self.wire = wire }

    /// Reads the text form, with or without the secret. Throws for anything else; does not check the address.
    public init(text: String) throws(ZeroTierError) {
        guard let wire = ZeroTierWire.Identity(text: text) else {
            throw ZeroTierError(.invalidIdentity, "this is not an identity in text form")
        }
        self.wire = wire
    }

    /// A new identity. The work is a search: on one core of a machine of 2024 it takes 0.06 seconds (median), one time in a
    /// hundred more than 0.17, and several times that on small machines.
    public static func generate() -> Identity {
        var random = RandomSource(seed: SystemRandom.bytes(32))
        return Identity(ZeroTierWire.Identity.generate(using: &random))
    }

    /// The node's address.
    public var id: NodeID { NodeID(wire.address) }
    /// Whether the secret is there.
    public var hasSecret: Bool { wire.secretKeys != nil }
    /// Whether the address follows from the keys, and the secret belongs to them. Takes some 17 milliseconds.
    public var isValid: Bool {
        wire.validate() && (wire.secretKeys.map { $0.publicKeys == wire.publicKeys } ?? true)
    }
    /// The text form without the secret.
    public var publicText: String { wire.text(includeSecret: false) }
    /// The text form with the secret; nil if it is not there. Whoever knows it is this node.
    public var secretText: String? { hasSecret ? wire.text(includeSecret: true) : nil }
    /// The address.
    public var description: String { id.description }
}

extension Identity: CustomReflectable {
    /// The public part: `dump` shows no secret.
    public var customMirror: Mirror { Mirror(self, children: ["id": id, "hasSecret": hasSecret]) }
}

/// The signed list of root nodes by which nodes find each other. All nodes that are to meet need the same one.
public struct Planet: Hashable, Sendable {
    /// A root and where it is.
    public struct Root: Hashable, Sendable {
        /// The root's public identity.
        public var identity: Identity
        /// Where it can be reached: at least one endpoint, at most 32.
        public var endpoints: [SocketEndpoint]

        /// Describes a root.
        public init(identity: Identity, endpoints: [SocketEndpoint]) {
            self.identity = identity
            self.endpoints = endpoints
        }
    }

    /// Signs later versions of a planet. Keep it secret, and keep it: without it a planet cannot be changed.
    public struct SigningKey: Sendable {
        let keys: SecretKeys

        /// A new key.
        public init() {
            var random = RandomSource(seed: SystemRandom.bytes(32))
            keys = SecretKeys.generate(using: &random)
        }

        /// A key from its 64 bytes.
        public init(bytes: [UInt8]) throws(ZeroTierError) {
            guard let keys = SecretKeys(bytes) else {
                throw ZeroTierError(.invalidArgument, "a signing key has 64 bytes, not \(bytes.count)")
            }
            self.keys = keys
        }

        /// The key's 64 bytes.
        public var bytes: [UInt8] { keys.bytes }
    }

    let world: World

    init(_ world: World) { self.world = world }

    /// Reads a planet or moon. Whether its signature counts is decided by who takes it over.
    public init(bytes: [UInt8]) throws(ZeroTierError) {
        do throws(WireError) {
            world = try World(decoding: bytes)
        } catch {
            throw ZeroTierError(.invalidWorld, "this is not a planet or moon: \(error)")
        }
    }

    /// A new planet, signed. At most four roots.
    public init(id: UInt64, timestampMilliseconds: UInt64? = nil, roots: [Root], key: SigningKey) throws(ZeroTierError)
    {
        guard !roots.isEmpty, roots.count <= 4 else {
            throw ZeroTierError(.invalidArgument, "a planet has one to four roots, not \(roots.count)")
        }
        guard roots.allSatisfy({ $0.endpoints.count <= 32 }) else {
            throw ZeroTierError(.invalidArgument, "a root has at most 32 endpoints")
        }
        world = World(
            kind: .planet, id: id,
            timestampMilliseconds: timestampMilliseconds ?? UInt64(max(0, SystemClock.now().unixMilliseconds)),
            updateKey: key.keys.publicKeys,
            roots: roots.map { World.Root(identity: $0.identity.wire, endpoints: $0.endpoints) }
        ).signed(with: key.keys)
    }

    /// The planet that all nodes have unless told otherwise.
    public static var standard: Planet { Planet(World.defaultPlanet) }

    /// The serialised form, as in the file `planet`.
    public var bytes: [UInt8] { world.encoded }
    /// The world's number: a node's planet is only replaced by one of the same number.
    public var id: UInt64 { world.id }
    /// When this version was signed, milliseconds since 1970.
    public var timestampMilliseconds: UInt64 { world.timestampMilliseconds }
    /// Whether it is a moon, not a planet.
    public var isMoon: Bool { world.kind == .moon }
    /// The roots.
    public var roots: [Root] {
        world.roots.map { Root(identity: Identity($0.identity), endpoints: $0.endpoints) }
    }
    /// Whether the key that may sign the next version also signed this one, as in every first version.
    public var isSelfSigned: Bool { world.isSigned(by: world.updateKey) }
}

extension Planet: CustomStringConvertible, CustomReflectable {
    /// Such as `planet 149604618, version 1644592324813, roots 62f865ae71 778cde7190`.
    public var description: String {
        "\(isMoon ? "moon" : "planet") \(id), version \(timestampMilliseconds), roots "
            + roots.map(\.identity.description).joined(separator: " ")
    }

    /// The roots, in place of the bytes of keys and signature.
    public var customMirror: Mirror {
        Mirror(self, children: ["id": id, "timestampMilliseconds": timestampMilliseconds, "roots": roots])
    }
}

extension Planet.SigningKey: CustomStringConvertible, CustomReflectable {
    /// Never the key.
    public var description: String { "signing key" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
