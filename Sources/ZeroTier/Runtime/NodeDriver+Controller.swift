// The controller of a node: its store, and the two threads that work for it. One writes, so that commits stay in order; one signs.
// Read first: Docs/decisions/0030-the-controller.md.

import Synchronization
import ZeroTierController
import ZeroTierStore

/// What the controller of a node has outside of the machine.
struct ControllerRuntime: Sendable {
    var store: (any ControllerStore)?
    var threads: [Thread] = []
}

extension NodeDriver {
    /// The name of the store in the state directory.
    static let controllerFile = "controller.db"

    /// Gives the node its controller, or switches it on again. Returns when it answers.
    func enableController() throws(ZeroTierError) {
        try controller.withLock { (runtime) throws(ZeroTierError) -> Void in
            if runtime.store != nil {
                return try call { (core, now) throws(ZeroTierError) in core.setController(true, now: now) }
            }
            let store: any ControllerStore
            let records: [RecordWrite]
            do throws(StoreError) {
                if let given = settings.controllerStore {
                    store = given
                } else if let directory = settings.directory {
                    store = try SQLiteStore(path: "\(directory)/\(NodeDriver.controllerFile)")
                } else {
                    store = VolatileStore()
                }
                records = try store.load()
            } catch {
                throw ZeroTierError(.storageUnavailable, error.message)
            }
            try call { (core, now) throws(ZeroTierError) in
                try core.enableController(records, of: store.location, now: now)
            }
            runtime.store = store
            do throws(SystemError) {
                runtime.threads.append(try Thread(name: "zt-keeper") { [self] in keeper.run(perform) })
                runtime.threads.append(try Thread(name: "zt-signer") { [self] in signer.run(perform) })
            } catch {
                throw ZeroTierError(error)
            }
        }
    }

    /// How a commit ended. `failure`: the store took nothing, and why.
    struct CommitEnd: Sendable {
        let failure: String?
    }

    /// Writes for the controller. Nil if nobody knows whether the store has it.
    func commit(_ writes: [RecordWrite]) -> CommitEnd? {
        guard let store = controller.withLock({ $0.store }) else { return CommitEnd(failure: "the store is closed") }
        do throws(StoreError) {
            try store.commit(writes)
            noteStored(store.location)
            traces.write(.storage, "wrote \(writes.count) records to \(store.location)")
            return CommitEnd(failure: nil)
        } catch {
            reportStorage(ZeroTierError(.storageUnavailable, error.message), of: store.location)
            return error.isUncertain ? nil : CommitEnd(failure: error.message)
        }
    }

    /// The node has ended: what was handed out is written, and the file closed.
    func endController() {
        signer.stop()
        keeper.stop()
        let threads = controller.withLock { $0.threads }
        for thread in threads { thread.join() }
        controller.withLock { $0 = ControllerRuntime() }
    }

}
