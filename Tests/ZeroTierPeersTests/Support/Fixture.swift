//  Throwaway identities made for tests (text form with secrets), since making one costs seconds in a debug build, and worlds made
//  of them.

import NetPrimitives
import TestSupport
import ZeroTierCrypto
import ZeroTierPeers
import ZeroTierWire

enum Fixture {
    static let identities = VectorFiles.lines("identities.txt").compactMap { Identity(text: $0) }

    /// Keys that sign worlds.
    static let worldKeys = identities[39].secretKeys

    /// A planet with these roots.
    static func planet(
        _ roots: [(Identity, [SocketEndpoint])], id: UInt64 = 77, timestamp: UInt64 = 1_700_000_000_000
    ) -> World {
        world(.planet, roots, id: id, timestamp: timestamp)
    }

    static func world(
        _ kind: World.Kind, _ roots: [(Identity, [SocketEndpoint])], id: UInt64, timestamp: UInt64,
        signer: Identity = identities[39]
    ) -> World {
        let world = World(
            kind: kind, id: id, timestampMilliseconds: timestamp, updateKey: identities[39].publicKeys,
            roots: roots.map { World.Root(identity: $0.0, endpoints: $0.1) })
        guard let keys = signer.secretKeys else { return world }
        return world.signed(with: keys)
    }

    /// `10.0.<net>.<host>:9993`.
    static func endpoint(_ net: Int, _ host: Int, port: UInt16 = 9993) -> SocketEndpoint {
        SocketEndpoint(IPAddress(v4: UInt32(10 << 24 | net << 8 | host)), port: port)
    }
}
