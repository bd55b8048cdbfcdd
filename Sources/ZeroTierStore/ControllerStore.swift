// Where a controller keeps its networks and members.

package import ZeroTierController

/// Why a store did not do it, in words that name the file.
package struct StoreError: Error, Hashable, Sendable {
    package let message: String
    /// Nobody knows whether it was done: nothing may be decided or told any more by whoever asked for it.
    package let isUncertain: Bool

    package init(message: String, isUncertain: Bool = false) {
        self.message = message
        self.isUncertain = isUncertain
    }
}

/// Keeps the records of a controller. Calls come from one thread at a time.
package protocol ControllerStore: Sendable {
    /// What messages call it: a path, as a rule.
    var location: String { get }
    /// All records: each network before its members.
    func load() throws(StoreError) -> [RecordWrite]
    /// Does all of it, or nothing. It is durable when this returns.
    func commit(_ writes: [RecordWrite]) throws(StoreError)
}

/// The store of a node that keeps nothing: its networks end with it.
package struct VolatileStore: ControllerStore {
    package var location: String { "memory" }

    package init() {}

    package func load() throws(StoreError) -> [RecordWrite] { [] }

    package func commit(_ writes: [RecordWrite]) throws(StoreError) {}
}
