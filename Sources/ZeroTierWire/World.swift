//  Planets and moons: which nodes are roots and where they are. Read first: zerotier/ZeroTierOne node/World.hpp.
//
//  offset size  field
//    0      1   type: 1 planet, 127 moon
//    1      8   world ID
//    9      8   timestamp, Unix ms: the revision
//   17     64   public keys that must sign the next update
//   81     96   signature
//  177      1   number of roots, at most 4
//  178     ..   per root: identity (71, public), u8 number of endpoints (at most 32), so many serialised addresses
//   ..   2 + n  moons only: u16 length of a dictionary, the dictionary (written empty)

package import NetPrimitives
package import ZeroTierCrypto

/// A signed list of roots.
package struct World: Hashable, Sendable {
    /// The kind of a world.
    package enum Kind: UInt8, Hashable, Sendable {
        /// The one set of roots that every node has.
        case planet = 1
        /// Additional roots, adopted by choice.
        case moon = 127
    }

    /// One root and where it can be reached. Without endpoints it may be anywhere.
    package struct Root: Hashable, Sendable {
        package var identity: Identity
        package var endpoints: [SocketEndpoint]

        package init(identity: Identity, endpoints: [SocketEndpoint]) {
            self.identity = identity.withoutSecret
            self.endpoints = endpoints
        }
    }

    package let kind: Kind
    package let id: UInt64
    /// Revision, Unix milliseconds.
    package let timestampMilliseconds: UInt64
    /// The keys that sign the next update.
    package let updateKey: PublicKeys
    /// 96 bytes, over `signedBytes`.
    package private(set) var signature: [UInt8]
    package let roots: [Root]

    /// An unsigned world. At most 4 roots with at most 32 endpoints each.
    package init(kind: Kind, id: UInt64, timestampMilliseconds: UInt64, updateKey: PublicKeys, roots: [Root]) {
        precondition(roots.count <= ProtocolLimits.rootsPerWorld, "too many roots")
        precondition(
            roots.allSatisfy { $0.endpoints.count <= ProtocolLimits.endpointsPerRoot }, "too many endpoints of a root")
        self.kind = kind
        self.id = id
        self.timestampMilliseconds = timestampMilliseconds
        self.updateKey = updateKey
        self.signature = Array(repeating: 0, count: ProtocolLimits.signatureLength)
        self.roots = roots
    }

    // MARK: Bytes

    /// Reads a world from the start of `bytes`. Bytes behind it are ignored. The signature is not checked.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        try self.init(from: &reader)
    }

    /// Reads one world, for several that follow each other. The signature is not checked.
    package init(from reader: inout WireReader) throws(WireError) {
        let start = reader.position
        let kindByte = try reader.uint8("world.type")
        guard let kind = Kind(rawValue: kindByte) else {
            throw .invalid(field: "world.type", expected: "1 or 127", found: UInt64(kindByte))
        }
        self.kind = kind
        id = try reader.uint64("world.id")
        timestampMilliseconds = try reader.uint64("world.timestamp")
        let keyBytes = try reader.bytes(ProtocolLimits.publicKeyLength, "world.updateKey")
        guard let key = PublicKeys(keyBytes) else {
            throw .invalid(field: "world.updateKey", expected: "64 bytes", found: UInt64(keyBytes.count))
        }
        updateKey = key
        signature = try reader.bytes(ProtocolLimits.signatureLength, "world.signature")
        roots = try World.readRoots(&reader)
        if kind == .moon {
            try reader.skip(Int(try reader.uint16("world.dictionaryLength")), "world.dictionary")
        }
        guard reader.position - start <= ProtocolLimits.maximumWorldLength else {
            throw .tooLong(
                field: "world", limit: ProtocolLimits.maximumWorldLength, found: reader.position - start)
        }
    }

    private static func readRoots(_ reader: inout WireReader) throws(WireError) -> [Root] {
        let count = Int(try reader.uint8("world.rootCount"))
        guard count <= ProtocolLimits.rootsPerWorld else {
            throw .tooLong(field: "world.rootCount", limit: ProtocolLimits.rootsPerWorld, found: count)
        }
        var roots: [Root] = []
        for _ in 0..<count {
            let identity = try Identity(from: &reader)
            let endpointCount = Int(try reader.uint8("world.endpointCount"))
            guard endpointCount <= ProtocolLimits.endpointsPerRoot else {
                throw .tooLong(
                    field: "world.endpointCount", limit: ProtocolLimits.endpointsPerRoot, found: endpointCount)
            }
            var endpoints: [SocketEndpoint] = []
            for _ in 0..<endpointCount {
                // An address that is no IP endpoint is left out: such a world loads, but its signature will not verify.
                if let endpoint = try PhysicalAddressCodec.decode(from: &reader, "world.endpoint") {
                    endpoints.append(endpoint)
                }
            }
            roots.append(Root(identity: identity, endpoints: endpoints))
        }
        return roots
    }

    /// The serialised world.
    package var encoded: [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    /// Appends the serialised world.
    package func encode(into writer: inout ByteWriter) {
        write(into: &writer, includeSignature: true)
    }

    /// The bytes that the signature covers: the world without it, between two runs of guard bytes.
    package var signedBytes: [UInt8] {
        var writer = ByteWriter()
        writer.bytes(Array(repeating: 0x7f, count: 8))
        write(into: &writer, includeSignature: false)
        writer.bytes(Array(repeating: 0xf7, count: 8))
        return writer.bytes
    }

    private func write(into writer: inout ByteWriter, includeSignature: Bool) {
        writer.uint8(kind.rawValue)
        writer.uint64(id)
        writer.uint64(timestampMilliseconds)
        writer.bytes(updateKey.bytes)
        if includeSignature { writer.bytes(signature) }
        writer.uint8(UInt8(roots.count))
        for root in roots {
            root.identity.encode(into: &writer)
            writer.uint8(UInt8(root.endpoints.count))
            for endpoint in root.endpoints {
                PhysicalAddressCodec.encode(endpoint, into: &writer)
            }
        }
        if kind == .moon { writer.uint16(0) }
    }

    // MARK: Signatures and updates

    /// The same world signed with `keys`: those whose public half is the `updateKey` of the world it replaces.
    package func signed(with keys: SecretKeys) -> World {
        var world = self
        world.signature = keys.sign(signedBytes)
        return world
    }

    /// Whether `keys` signed this world.
    package func isSigned(by keys: PublicKeys) -> Bool {
        keys.verify(signature, of: signedBytes)
    }

    /// Whether `update` may take this world's place: same ID and kind, newer, signed by this world's update key.
    package func canBeReplaced(by update: World) -> Bool {
        update.id == id && update.kind == kind && update.timestampMilliseconds > timestampMilliseconds
            && update.isSigned(by: updateKey)
    }

    /// Whether `identity` is one of the roots, address and keys.
    package func contains(_ identity: Identity) -> Bool {
        roots.contains { $0.identity == identity }
    }
}
