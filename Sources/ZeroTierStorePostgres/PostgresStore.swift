// The records of the controller that has the lease. Read first: Docs/decisions/0036-postgresql-as-a-store.md.

import Glibc
import Synchronization
import ZeroTier
import ZeroTierController
import ZeroTierStore

/// Writes in one epoch of the lease. What it is asked for later fails.
final class PostgresStore: ControllerStore {
    private static let pause: UInt32 = 50_000

    private struct Writer {
        var connection: DatabaseConnection?
        var session: Int64 = 0
        /// The last transaction that is known of.
        var sequence: Int64 = -1
    }

    let location: String
    private let keeper: LeaseKeeper
    private let epoch: UInt64
    private let writer = Mutex(Writer())

    init(_ keeper: LeaseKeeper, epoch: UInt64) {
        self.keeper = keeper
        self.epoch = epoch
        location = "\(keeper.database)"
    }

    /// All that is committed: what was read as a standby, and what came after it.
    func load() throws(StoreError) -> [RecordWrite] {
        var copy = keeper.takeCopy()
        try writer.withLock { (writer) throws(StoreError) -> Void in
            // Read behind the fence: nothing of an earlier epoch is written after it.
            try whileHolding(isUncertain: { false }) { () throws(DatabaseFailure) -> Bool in
                try resume(&writer)
                guard let connection = writer.connection else { return false }
                do throws(DatabaseFailure) {
                    try copy.catchUp(keeper.holder, on: connection)
                } catch {
                    writer.connection = nil
                    throw error
                }
                writer.sequence = copy.sequence
                return true
            }
        }
        return copy.records
    }

    /// Writes all of it or nothing. An answer that does not come is looked for as long as the lease lasts.
    func commit(_ writes: [RecordWrite]) throws(StoreError) {
        let batch = try CommitBatch(writes)
        try writer.withLock { (writer) throws(StoreError) -> Void in
            var isUnsure = false
            try whileHolding(isUncertain: { isUnsure }) { () throws(DatabaseFailure) -> Bool in
                if writer.connection == nil {
                    let former = writer.sequence
                    try resume(&writer)
                    if isUnsure, writer.sequence > former { return true }
                    isUnsure = false
                }
                guard let connection = writer.connection else { return false }
                do throws(DatabaseFailure) {
                    guard
                        let sequence = try batch.run(
                            keeper.holder, epoch: epoch, session: writer.session, on: connection)
                    else {
                        keeper.lose(epoch)
                        return false
                    }
                    writer.sequence = sequence
                    return true
                } catch {
                    if case .broken = error {
                        writer.connection = nil
                        isUnsure = true
                    }
                    throw error
                }
            }
        }
    }

    // A new connection, behind whatever another one has sent.
    private func resume(_ writer: inout Writer) throws(DatabaseFailure) {
        guard writer.connection == nil else { return }
        let connection = try DatabaseConnection(keeper.database, LeaseKeeper.recordPatience) { [keeper, epoch] in
            !keeper.holds(epoch)
        }
        guard let begun = try LeaseStatements.resume(keeper.holder, epoch: epoch, on: connection) else {
            return keeper.lose(epoch)
        }
        writer.connection = connection
        writer.session = begun.session
        writer.sequence = begun.sequence
    }

    // Tries until it is done, or refused, or the lease is over.
    private func whileHolding(
        isUncertain: () -> Bool, _ body: () throws(DatabaseFailure) -> Bool
    ) throws(StoreError) {
        var reason = ""
        while keeper.holds(epoch) {
            do throws(DatabaseFailure) {
                if try body() { return }
            } catch {
                // What is not known does not become known by a refusal of something else.
                if case .refused = error, !isUncertain() { throw StoreError(message: error.message) }
                reason = ": \(error.message)"
                usleep(PostgresStore.pause)
            }
        }
        throw StoreError(
            message: "\(location): the lease is over" + reason
                + (isUncertain() ? "; whether it was written is not known" : ""), isUncertain: isUncertain())
    }
}
