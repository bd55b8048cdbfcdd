// State that lives as long as the object: for ephemeral nodes and for tests.

import Synchronization

/// Keeps a node's state in memory. Give the same object to a later node to make it the same node again.
public final class MemoryStore: StateStore {
    private let contents: Mutex<[String: [UInt8]]>

    /// Makes a store, empty or with an identity in text form with its secret.
    public init(identity: String? = nil) {
        contents = Mutex(identity.map { [StateName.secretIdentity: Array($0.utf8)] } ?? [:])
    }

    /// The bytes of a name.
    public func read(_ name: String) throws(ZeroTierError) -> [UInt8]? { contents.withLock { $0[name] } }

    /// Replaces the bytes of a name.
    public func write(_ name: String, _ bytes: [UInt8], isSecret: Bool) throws(ZeroTierError) {
        contents.withLock { $0[name] = bytes }
    }

    /// Forgets a name.
    public func remove(_ name: String) throws(ZeroTierError) {
        contents.withLock { $0[name] = nil }
    }

    /// The names in a folder.
    public func list(_ folder: String) throws(ZeroTierError) -> [String] {
        contents.withLock { contents in
            contents.keys.filter { $0.hasPrefix("\(folder)/") }.map { String($0.dropFirst(folder.count + 1)) }.sorted()
        }
    }

    /// Memory has no paths: the name itself.
    public func location(of name: String) -> String { "\(name) (in memory)" }
}

extension MemoryStore: CustomStringConvertible, CustomReflectable {
    /// Never its contents: there are secrets among them.
    public var description: String { "memory store" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
