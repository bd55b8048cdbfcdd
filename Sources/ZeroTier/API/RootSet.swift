// The roots by which nodes find each other, as a tool or an administrator handles them.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// The signed list of root nodes by which nodes find each other: a planet or a moon. All nodes that are to meet need a root in
/// common.
public struct RootSet: Hashable, Sendable {
    /// What a list of roots is to the nodes that have it.
    @nonexhaustive
    public enum Kind: String, Hashable, Sendable {
        /// The roots of a node, in place of all others. A node has one.
        case planet
        /// Roots besides those of the planet. A node may have several.
        case moon
    }

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
    public static var standard: RootSet { RootSet(World.defaultPlanet) }

    /// The serialised form, as in the file `planet`.
    public var bytes: [UInt8] { world.encoded }
    /// The world's number: a node's planet is only replaced by one of the same number.
    public var id: UInt64 { world.id }
    /// When this version was signed, milliseconds since 1970.
    public var timestampMilliseconds: UInt64 { world.timestampMilliseconds }
    /// Whether it is a planet or a moon.
    public var kind: Kind { world.kind == .moon ? .moon : .planet }
    /// The roots.
    public var roots: [Root] {
        world.roots.map { Root(identity: Identity($0.identity), endpoints: $0.endpoints) }
    }
    /// Whether the key that may sign the next version also signed this one, as in every first version.
    public var isSelfSigned: Bool { world.isSigned(by: world.updateKey) }
}

extension RootSet: CustomStringConvertible, CustomReflectable {
    /// Such as `planet 149604618, version 1644592324813, roots 62f865ae71 778cde7190`.
    public var description: String {
        "\(kind) \(id), version \(timestampMilliseconds), roots "
            + roots.map(\.identity.description).joined(separator: " ")
    }

    /// The roots, in place of the bytes of keys and signature.
    public var customMirror: Mirror {
        Mirror(self, children: ["id": id, "timestampMilliseconds": timestampMilliseconds, "roots": roots])
    }
}

extension RootSet.SigningKey: CustomStringConvertible, CustomReflectable {
    /// Never the key.
    public var description: String { "signing key" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The former name.
@available(*, deprecated, renamed: "RootSet")
public typealias Planet = RootSet
