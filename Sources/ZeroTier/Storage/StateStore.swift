// The state that survives a restart: named byte strings in a few folders.
//
// name                       contents
// identity.secret            identity with secret keys, text, mode 0600
// identity.public            identity without, text
// planet                     the world of the roots, binary; read from the file `roots` of libzt 1.8 if there is none
// planet.key                 of a root by itself: what signs its planet, 64 bytes, mode 0600
// moons.d/<16 hex>.moon      a moon, binary
// peers.d/<10 hex>.peer      a peer and where it was last, binary, with a seal: SealedStore.swift
// networks.d/<16 hex>.conf   a network's configuration, mode 0600; its presence means "joined"
// networks.d/<16 hex>.local.conf   what the network's controller may set, and the token to join by, text, mode 0600
// controller.db              the networks that the node controls: ZeroTierStore/SQLiteStore.swift, mode 0600
// port                       the UDP port of the last run, decimal text

import ZeroTierWire

/// Keeps a node's state. Calls come from any thread, never two at a time for one name.
public protocol StateStore: Sendable {
    /// The bytes of a name; nil if there are none.
    func read(_ name: String) throws(ZeroTierError) -> [UInt8]?
    /// Replaces the bytes of a name, completely or not at all. Other users must not be able to read a secret.
    func write(_ name: String, _ bytes: [UInt8], isSecret: Bool) throws(ZeroTierError)
    /// Forgets a name. An unknown name is no error.
    func remove(_ name: String) throws(ZeroTierError)
    /// The names in a folder, without the folder, sorted.
    func list(_ folder: String) throws(ZeroTierError) -> [String]
    /// How messages call a name: as a rule by its path.
    func location(of name: String) -> String
}

/// A store that found something that its owner should mend.
package protocol WarningStore: StateStore {
    var warnings: [ZeroTierError] { get }
}

extension DirectoryStore: WarningStore {}

/// A store with a directory of its own, for what is no byte string with a name.
package protocol LocatedStore: StateStore {
    /// Nil if there is none after all.
    var directory: String? { get }
}

extension DirectoryStore: LocatedStore {
    package var directory: String? { path }
}

/// The names under which a node's state is kept.
package enum StateName {
    package static let secretIdentity = "identity.secret"
    package static let publicIdentity = "identity.public"
    package static let planet = "planet"
    package static let planetKey = "planet.key"
    package static let roots = "roots"
    package static let port = "port"
    package static let moonFolder = "moons.d"
    package static let peerFolder = "peers.d"
    package static let networkFolder = "networks.d"
    package static let lock = "node.lock"

    static func settings(of network: ZeroTierWire.NetworkID) -> String { "\(networkFolder)/\(network).local.conf" }
}
