//  The lease of several controllers with one identity and one database, sans I/O: who may answer, and until when.
//  Read first: Docs/decisions/0037-the-lease.md. All interleavings: Tests/Models/controller-lease.
//
//      standby --take, granted--> holder --answer missing for too long, or the row is another's--> ended --standBy--> standby
//
//  The database's clock decides when a lease is over. A holder counts by its own clock, from the moment before it asked, and is
//  silent earlier than that.

package import NetPrimitives

/// How long leases last, and how often they are asked for.
package struct LeaseTerms: Hashable, Sendable {
    /// How long a lease is valid after it was taken or renewed, by the database's clock.
    package var duration = Duration.milliseconds(2000)
    /// A holder renews so long after it last asked.
    package var renewal = Duration.milliseconds(500)
    /// A standby looks so long after it last asked, and when the lease runs out.
    package var look = Duration.milliseconds(250)
    /// After an answer did not come, the next try is so much later; after each further one twice as much, up to `slowest`.
    package var retry = Duration.milliseconds(50)
    package var slowest = Duration.milliseconds(800)
    /// An answer is waited for so long.
    package var patience = Duration.milliseconds(700)
    /// A standby tries so long after the moment when a lease runs out.
    static let moment = Duration.milliseconds(5)
    /// The holder's clock may be slower than the database's by one part in so many.
    static let driftParts = 100
    /// What else a holder keeps clear of the end: a packet that left takes a while to be gone.
    static let clearance = Duration.milliseconds(80)

    package init() {}

    /// When a holder is silent that asked at a moment and was told that the lease lasts so long.
    func end(asked: MonotonicInstant, lasting left: Duration) -> MonotonicInstant {
        let left = min(left, duration)
        return asked + max(.zero, left - left / LeaseTerms.driftParts - LeaseTerms.clearance)
    }
}

/// The row of the database: whose the lease is.
package struct LeaseRow: Hashable, Sendable {
    /// The name of the controller that has it, or had it last.
    package let holder: String
    /// Counts the holders.
    package let epoch: UInt64
    /// When it was taken, Unix milliseconds of the database.
    package let since: Int64
    /// How long it is still valid; zero if it is over.
    package let left: Duration

    package init(holder: String, epoch: UInt64, since: Int64, left: Duration) {
        self.holder = holder
        self.epoch = epoch
        self.since = since
        self.left = left
    }
}

/// A statement for the database. Each is one transaction that answers with the row as it is then.
package enum LeaseRequest: Hashable, Sendable {
    /// Gives the lease to this controller with the next epoch, if it is over.
    case take
    /// Prolongs it, if this controller has it with this epoch.
    case renew(epoch: UInt64)
    /// Ends it at once, if this controller has it with this epoch.
    case release(epoch: UInt64)
}

/// What a controller is to the others.
package enum LeaseState: Hashable, Sendable {
    /// It is silent. The row as it was seen last; nil if it was not seen yet.
    case standby(LeaseRow?)
    /// It answers until that moment, unless it is told of a later one.
    case holding(LeaseRow, until: MonotonicInstant)
    /// It had the lease and is silent. It goes on when its owner has put everything away.
    case ended(LeaseRow?)
}

/// The lease as one controller sees it. One owner.
package struct ControllerLease: Sendable {
    /// The name of this controller, which no other one has, nor has it at its next start.
    package let name: String
    package let terms: LeaseTerms
    package private(set) var state = LeaseState.standby(nil)
    /// Why the database did not answer last; nil if it did.
    package private(set) var failure: String?
    private var underWay: (request: LeaseRequest, asked: MonotonicInstant)?
    private var due: MonotonicInstant
    // Answers in a row that did not come.
    private var failures = 0

    package init(name: String, terms: LeaseTerms = LeaseTerms(), now: MonotonicInstant) {
        self.name = name
        self.terms = terms
        due = now
    }

    /// What is to be sent to the database now; nil if nothing is. One at a time: `complete` has its end.
    package mutating func nextRequest(now: MonotonicInstant) -> LeaseRequest? {
        handleDeadlines(now: now)
        guard underWay == nil, now >= due else { return nil }
        let request: LeaseRequest
        switch state {
        case .standby: request = .take
        case .holding(let row, _): request = .renew(epoch: row.epoch)
        case .ended: return nil
        }
        underWay = (request, now)
        return request
    }

    /// The answer is here.
    package mutating func complete(_ row: LeaseRow, now: MonotonicInstant) {
        guard let (_, asked) = underWay else { return }
        underWay = nil
        failure = nil
        failures = 0
        handleDeadlines(now: now)
        let end = terms.end(asked: asked, lasting: row.left)
        switch state {
        case .standby:
            // It may be its own by a statement whose answer did not come.
            if row.holder == name, now < end {
                state = .holding(row, until: end)
                due = asked + terms.renewal
            } else {
                state = .standby(row)
                let isOwn = row.holder == name
                due = now + min(terms.look, isOwn ? terms.look : row.left + LeaseTerms.moment)
            }
        case .holding(let held, let until):
            if row.holder == name, row.epoch == held.epoch {
                state = .holding(row, until: max(until, end))
                due = asked + terms.renewal
            } else {
                state = .ended(row)
            }
        case .ended: state = .ended(row)
        }
    }

    /// No answer came, and none will be taken: the statement may be done all the same, at any time.
    package mutating func fail(_ reason: String, now: MonotonicInstant) {
        guard underWay != nil else { return }
        underWay = nil
        failure = reason
        due = now + min(terms.retry * (1 << min(failures, 8)), terms.slowest)
        failures += 1
        handleDeadlines(now: now)
    }

    /// Something says that the row has changed: a look is worth it.
    package mutating func look(now: MonotonicInstant) {
        if case .standby = state { due = now }
    }

    /// What the fence of a transaction said: another one has the lease.
    package mutating func end(now: MonotonicInstant) {
        if case .holding = state { state = .ended(nil) }
    }

    /// Everything that spoke in the lease's name has ended: it may be asked for again.
    package mutating func standBy(now: MonotonicInstant) {
        guard case .ended(let row) = state else { return }
        state = .standby(row)
        due = now
    }

    /// For the end of this controller, when everything that spoke in the lease's name has ended: what is to be sent so that
    /// nobody waits for the lease to run out. Nothing is asked for after it, since it may arrive late.
    package mutating func release(now: MonotonicInstant) -> LeaseRequest? {
        guard case .holding(let row, _) = state else { return nil }
        state = .ended(row)
        underWay = nil
        return .release(epoch: row.epoch)
    }

    /// When `nextRequest` wants to be called; nil: when something else happens.
    package var nextDeadline: MonotonicInstant? {
        switch state {
        case .standby: underWay == nil ? due : nil
        case .holding(_, let until): underWay == nil ? min(due, until) : until
        case .ended: nil
        }
    }

    // Its view is over: it is silent, whatever the database knows.
    private mutating func handleDeadlines(now: MonotonicInstant) {
        if case .holding(let row, let until) = state, now >= until { state = .ended(row) }
    }
}
