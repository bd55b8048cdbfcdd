// A store that keeps only the kinds of state that the program wants kept, and tells what is written.

import Synchronization
import ZeroTier

/// Which kinds of state are kept.
package struct CachingSwitches: Sendable {
    package var networks = true
    package var peers = true
    package var roots = true
    package var identity = true
}

/// The directory or memory of the library's node.
final class CachingStore: WarningStore, LocatedStore {
    private let base: any StateStore
    // State that is not kept in the directory lives here for the run.
    private let memory = MemoryStore()
    private let switches: @Sendable () -> CachingSwitches
    private let onWrite: @Sendable (LibraryEvent.StoredObject, [UInt8]) -> Void
    private let lock: DirectoryStore?
    // Names of identity files of which the program was told in this run.
    private let told = Mutex<Set<String>>([])

    /// `path` nil: everything in memory.
    init(
        path: String?, identity: String?, switches: @escaping @Sendable () -> CachingSwitches,
        onWrite: @escaping @Sendable (LibraryEvent.StoredObject, [UInt8]) -> Void
    ) throws(ZeroTierError) {
        if let path {
            let directory = try DirectoryStore(path: path)
            lock = directory
            base = directory
        } else {
            lock = nil
            base = MemoryStore()
        }
        self.switches = switches
        self.onWrite = onWrite
        if let identity {
            // Given by the program: it is used before the directory's, and is not written there.
            try memory.write(CachingStore.secretIdentity, Array(identity.utf8), isSecret: true)
        }
    }

    private static let secretIdentity = "identity.secret"
    private static let publicIdentity = "identity.public"
    private static let token = "authtoken.secret"

    var warnings: [ZeroTierError] { lock?.warnings ?? [] }

    var directory: String? { lock?.path }

    /// Lets another node have the directory.
    func unlock() { lock?.unlock() }

    private func isKept(_ name: String) -> Bool {
        let switches = switches()
        switch name.split(separator: "/").first {
        case "networks.d": return switches.networks
        case "peers.d": return switches.peers
        case "planet", "roots", "moons.d": return switches.roots
        case "identity.secret", "identity.public": return switches.identity
        default: return true
        }
    }

    func read(_ name: String) throws(ZeroTierError) -> [UInt8]? {
        if let bytes = try memory.read(name) { return bytes }
        return isKept(name) ? try base.read(name) : nil
    }

    func write(_ name: String, _ bytes: [UInt8], isSecret: Bool) throws(ZeroTierError) {
        let isOverridden = try memory.read(name) != nil
        if isKept(name), !isOverridden {
            try base.write(name, bytes, isSecret: isSecret)
        } else if !name.contains("/") {
            try memory.write(name, bytes, isSecret: isSecret)
        }
        if let object = CachingStore.object(name) {
            // A program that keeps the identity hears of the secret first, even if only one of the two files is new.
            if name == CachingStore.publicIdentity { announce(CachingStore.secretIdentity, .secretIdentity) }
            if !name.contains("/") { told.withLock { _ = $0.insert(name) } }
            onWrite(object, bytes)
        }
    }

    func remove(_ name: String) throws(ZeroTierError) {
        try memory.remove(name)
        if isKept(name) { try base.remove(name) }
    }

    func list(_ folder: String) throws(ZeroTierError) -> [String] { isKept(folder) ? try base.list(folder) : [] }

    func location(of name: String) -> String { base.location(of: name) }

    private static func object(_ name: String) -> LibraryEvent.StoredObject? {
        switch name.split(separator: "/").first {
        case "identity.secret": .secretIdentity
        case "identity.public": .publicIdentity
        case "planet": .planet
        case "peers.d": .peer
        case "networks.d": .network
        default: nil
        }
    }

    /// The identity belongs to another node too: keeps a copy under a name that nobody reads, and drops it. Copies have
    /// numbers, so that a second collision does not destroy what the first one put aside.
    func setIdentityAside() throws(ZeroTierError) {
        if let secret = try read(CachingStore.secretIdentity) {
            let name = "\(CachingStore.secretIdentity).saved_after_collision"
            var number = 0
            var free = name
            while try base.read(free) != nil {
                number += 1
                free = "\(name).\(number)"
            }
            try base.write(free, secret, isSecret: true)
        }
        for name in [CachingStore.secretIdentity, CachingStore.publicIdentity] {
            try memory.remove(name)
            try base.remove(name)
        }
    }

    /// Tells of the stored identity, for programs that keep it themselves.
    func announceIdentity() {
        announce(CachingStore.secretIdentity, .secretIdentity)
        announce(CachingStore.publicIdentity, .publicIdentity)
    }

    // Once in a run.
    private func announce(_ name: String, _ object: LibraryEvent.StoredObject) {
        guard !told.withLock({ $0.contains(name) }), let bytes = try? read(name) else { return }
        told.withLock { _ = $0.insert(name) }
        onWrite(object, bytes)
    }

    /// The file that programs around the original expect: 24 random characters, made once.
    func makeToken() throws(ZeroTierError) {
        guard lock != nil, try base.read(CachingStore.token) == nil else { return }
        let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var generator = SystemRandomNumberGenerator()
        let token = (0..<24).map { _ in characters[Int(generator.next(upperBound: UInt(characters.count)))] }
        try base.write(CachingStore.token, token, isSecret: true)
    }
}
