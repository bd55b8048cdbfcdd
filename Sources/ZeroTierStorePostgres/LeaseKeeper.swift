// Keeps the lease of a controller, on a thread of its own; while it is a standby, also a copy of the records.
// Read first: Docs/decisions/0037-the-lease.md.

import Glibc
package import NetPrimitives
import Synchronization
package import ZeroTier
package import ZeroTierController
package import ZeroTierStore
package import ZeroTierWire

/// One controller of several with one identity and one database. It must be stopped.
package final class LeaseKeeper: Sendable {
    /// What is told to whoever waits for it.
    package enum News: Sendable {
        /// It has the lease until then, and may answer. Told again for each renewal.
        case holding(LeaseRow, until: MonotonicInstant)
        /// It had the lease. Tells `standBy` when everything has ended that spoke in its name.
        case ended(LeaseRow?)
        /// It looks on.
        case standby(LeaseRow?)
        /// The database cannot be asked, and why.
        case failing(String)
    }

    /// Reading the records of a large controller takes a while.
    static let recordPatience = DatabaseConnection.Patience(statement: .seconds(60), answer: .seconds(61))
    /// Changes that come one after another are read together.
    private static let readInterval = Duration.milliseconds(100)
    /// Between two tries to follow the records.
    private static let followInterval = Duration.milliseconds(1000)

    private struct State: Sendable {
        var lease: ControllerLease
        var copy = RecordCopy()
        var isStopping = false
    }

    let database: DatabaseAddress
    let holder: LeaseHolder
    private let terms: LeaseTerms
    private let state: Mutex<State>
    private let wake: WakeEvent
    private let thread = Mutex<Thread?>(nil)
    private let tell: @Sendable (News) -> Void

    /// The name is shown to administrators of the others. `tell` is called on the keeper's thread, and returns soon.
    package init(
        _ database: DatabaseAddress, controller: Address, name: String, terms: LeaseTerms = LeaseTerms(),
        tell: @escaping @Sendable (News) -> Void
    ) throws(SystemError) {
        self.database = database
        // Another start is another holder: what the former one sent may still arrive.
        let start = SystemRandom.bytes(4).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        holder = LeaseHolder(controller: controller, name: "\(name)/\(start)")
        self.terms = terms
        self.tell = tell
        state = Mutex(
            State(lease: ControllerLease(name: holder.name, terms: terms, now: SystemClock.monotonic())))
        wake = try WakeEvent()
    }

    /// Begins.
    package func start() throws(SystemError) {
        let started = try Thread(name: "zt-lease") { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Ends, and gives the lease back if it has it. Everything that speaks in its name must have ended.
    package func stop() {
        state.withLock { $0.isStopping = true }
        wake.signal()
        thread.withLock { $0 }?.join()
    }

    /// Everything has ended that spoke in the lease's name: it may be taken again.
    package func standBy() {
        state.withLock { $0.lease.standBy(now: SystemClock.monotonic()) }
        wake.signal()
    }

    /// Where it is, and why the database did not answer last.
    package var lease: (state: LeaseState, failure: String?) { state.withLock { ($0.lease.state, $0.lease.failure) } }

    /// The name under which the others see it.
    package var name: String { holder.name }

    /// What it knows of the records while it is a standby.
    package var counts: (networks: Int, members: Int) { state.withLock { $0.copy.counts } }

    /// The store of the node that answers while the lease lasts; nil if it has no lease.
    package func store() -> (any ControllerStore)? {
        guard case .holding(let row, _) = lease.state, holds(row.epoch) else { return nil }
        return PostgresStore(self, epoch: row.epoch)
    }

    /// Whether it has the lease with this epoch.
    func holds(_ epoch: UInt64) -> Bool {
        guard case .holding(let row, let until) = lease.state else { return false }
        return row.epoch == epoch && SystemClock.monotonic() < until
    }

    /// The fence said that another one has the lease.
    func lose(_ epoch: UInt64) {
        state.withLock { state in
            if case .holding(let row, _) = state.lease.state, row.epoch == epoch {
                state.lease.end(now: SystemClock.monotonic())
            }
        }
        wake.signal()
    }

    /// The copy is the store's from here on.
    func takeCopy() -> RecordCopy {
        state.withLock { state in
            defer { state.copy = RecordCopy() }
            return state.copy
        }
    }

    // MARK: The thread

    // What the thread has beside the state. Connections are of this thread alone.
    private struct Work {
        var lease: DatabaseConnection?
        var records: DatabaseConnection?
        var isPrepared = false
        var isStale = true
        var readDue = MonotonicInstant.zero
        var told: LeaseState?
        var toldFailure: String?
    }

    private func run() {
        var work = Work()
        while !state.withLock({ $0.isStopping }) {
            let now = SystemClock.monotonic()
            let request = state.withLock { $0.lease.nextRequest(now: now) }
            publish(&work)
            if let request {
                ask(request, &work)
            } else if isStandby, work.isStale, now >= work.readDue {
                follow(&work)
            } else {
                wait(&work)
            }
        }
        // The last word.
        if let request = state.withLock({ $0.lease.release(now: SystemClock.monotonic()) }), let connection = work.lease
        {
            _ = try? LeaseStatements.run(request, of: holder, terms, on: connection)
        }
    }

    // What waits for a lock longer than that is tried again.
    private var leasePatience: DatabaseConnection.Patience {
        DatabaseConnection.Patience(statement: terms.patience * 7 / 8, answer: terms.patience)
    }

    private var isStandby: Bool {
        if case .standby = lease.state { return true }
        return false
    }

    private func publish(_ work: inout Work) {
        let (current, failure) = lease
        if current != work.told {
            let former = work.told
            work.told = current
            switch current {
            case .holding(let row, let until):
                // The records are the node's now.
                work.records = nil
                work.isStale = true
                tell(.holding(row, until: until))
            case .ended(let row): tell(.ended(row))
            case .standby(let row):
                if case .standby(let old)? = former, old?.epoch == row?.epoch { break }
                tell(.standby(row))
            }
        }
        if let failure, failure != work.toldFailure { tell(.failing(failure)) }
        work.toldFailure = failure
    }

    private func ask(_ request: LeaseRequest, _ work: inout Work) {
        do throws(DatabaseFailure) {
            let connection: DatabaseConnection
            if let open = work.lease {
                connection = open
            } else {
                connection = try DatabaseConnection(database, leasePatience)
            }
            // It is kept only if nothing goes wrong.
            work.lease = nil
            if !work.isPrepared { try DatabaseSchema.prepare(connection) }
            work.isPrepared = true
            let row = try LeaseStatements.run(request, of: holder, terms, on: connection)
            work.lease = connection
            state.withLock { $0.lease.complete(row, now: SystemClock.monotonic()) }
        } catch {
            state.withLock { $0.lease.fail(error.message, now: SystemClock.monotonic()) }
        }
        publish(&work)
    }

    // Reads what changed. Whoever listens is told of each change; whoever did not reads what it missed.
    private func follow(_ work: inout Work) {
        do throws(DatabaseFailure) {
            let connection: DatabaseConnection
            if let open = work.records {
                connection = open
            } else {
                guard work.isPrepared else {
                    work.readDue = SystemClock.monotonic() + LeaseKeeper.readInterval
                    return
                }
                connection = try DatabaseConnection(database, LeaseKeeper.recordPatience)
                try connection.run("LISTEN \(holder.channel)")
            }
            work.records = nil
            var copy = state.withLock { $0.copy }
            try copy.catchUp(holder, on: connection)
            state.withLock { $0.copy = copy }
            work.records = connection
            work.isStale = false
            work.readDue = SystemClock.monotonic() + LeaseKeeper.readInterval
        } catch {
            work.records = nil
            work.readDue = SystemClock.monotonic() + LeaseKeeper.followInterval
        }
    }

    private func wait(_ work: inout Work) {
        var deadline = state.withLock { $0.lease.nextDeadline } ?? .distantFuture
        if isStandby, work.isStale { deadline = min(deadline, work.readDue) }
        let left = (deadline - SystemClock.monotonic()).nanoseconds
        // Rounded up: else it would turn in a circle for the last part of a millisecond.
        let milliseconds = left <= 0 ? 0 : left / 1_000_000 + 1
        var entries = [pollfd(fd: wake.descriptor.number, events: Int16(POLLIN), revents: 0)]
        if let records = work.records {
            entries.append(pollfd(fd: records.descriptor, events: Int16(POLLIN), revents: 0))
        }
        // Sound: as many entries as the array has.
        guard unsafe poll(&entries, nfds_t(entries.count), Int32(clamping: milliseconds)) > 0 else { return }
        if entries[0].revents != 0 { wake.drain() }
        guard entries.count > 1, entries[1].revents != 0, let records = work.records else { return }
        do throws(DatabaseFailure) {
            for notice in try records.takeNotifications() {
                work.isStale = true
                guard notice == LeaseStatements.leaseChanged else { continue }
                state.withLock { $0.lease.look(now: SystemClock.monotonic()) }
            }
        } catch {
            work.records = nil
            work.isStale = true
        }
    }
}
