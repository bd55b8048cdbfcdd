// The store of a running node. Its records of peers carry a seal. By the seal a later run knows that this node wrote them: the
// identities in them were validated, and need not be again. The seal takes the node's secret keys, so nobody else can make one.
//
// size  field of a file of peers.d
//  ..   the record, as the original has it; readers of others ignore what follows
//  48   HMAC-SHA-384 of the record, with a key made of the node's secret keys

import ZeroTierCrypto
import ZeroTierWire

/// A store whose records of peers are sealed; everything else passes through.
final class SealedStore: StateStore {
    /// A stored peer.
    struct Peer {
        let record: [UInt8]
        let address: Address
        /// Whether this node stored it.
        let isOwn: Bool
    }

    private let store: any StateStore
    private let key: [UInt8]

    /// The store of the node with this identity, which has its secret keys.
    init(_ store: any StateStore, of identity: ZeroTierWire.Identity) {
        self.store = store
        key = HMACSHA384.code(for: Array(StateName.peerFolder.utf8), key: identity.secretKeys?.bytes ?? [])
    }

    /// The peer in a file, sealed or not; nil if there is no file. Throws if that is not readable.
    func peer(_ name: String) throws -> Peer? {
        guard let bytes = try store.read(name) else { return nil }
        let identity = try PeerRecord(decoding: bytes).identity
        let record = Array(bytes.dropLast(SHA384.size))
        let isOwn = HMACSHA384.code(for: record, key: key).elementsEqual(bytes.suffix(SHA384.size))
        return Peer(record: isOwn ? record : bytes, address: identity.address, isOwn: isOwn)
    }

    func read(_ name: String) throws(ZeroTierError) -> [UInt8]? { try store.read(name) }

    func write(_ name: String, _ bytes: [UInt8], isSecret: Bool) throws(ZeroTierError) {
        let isPeer = name.hasPrefix("\(StateName.peerFolder)/")
        try store.write(name, isPeer ? bytes + HMACSHA384.code(for: bytes, key: key) : bytes, isSecret: isSecret)
    }

    func remove(_ name: String) throws(ZeroTierError) { try store.remove(name) }

    func list(_ folder: String) throws(ZeroTierError) -> [String] { try store.list(folder) }

    func location(of name: String) -> String { store.location(of: name) }
}
