// The lease and the fence as statements. Each is one transaction. Docs/decisions/0037-the-lease.md; its model:
// Tests/Models/controller-lease.

import NetPrimitives
import ZeroTierController
import ZeroTierWire

/// What names a controller to the database.
struct LeaseHolder: Sendable {
    let controller: Address
    let name: String

    var number: DatabaseValue { .number(Int64(bitPattern: controller.value)) }
    /// Where changes are told. Made of hexadecimal digits: a name cannot be bound to a statement.
    var channel: String { "zerotier_\(controller)" }
}

enum LeaseStatements {
    /// What a notification says that tells of the lease; others tell of records.
    static let leaseChanged = "lease"

    // The row as the answer has it. `$1` is the controller.
    private static let columns = """
        holder, epoch, (extract(epoch FROM since) * 1000)::bigint,
        greatest(0, (extract(epoch FROM expires - clock_timestamp()) * 1000)::bigint)
        """
    private static func orElse(_ changed: String) -> String {
        """
        SELECT \(columns), pg_notify($3, $4)::text FROM \(changed)
        UNION ALL SELECT \(columns), '' FROM zerotier_lease
        WHERE controller = $1 AND NOT EXISTS (SELECT FROM \(changed))
        """
    }

    // A standby's look takes no lock while the lease is valid. The fence is of the same transaction: it waits for the last
    // statement of the former holder, and lets none behind it through.
    private static let take = """
        WITH taken AS (
          INSERT INTO zerotier_lease AS l (controller, holder, epoch, since, expires)
          SELECT $1, $2, 1, clock_timestamp(), clock_timestamp() + $5 * interval '1 millisecond'
          WHERE NOT EXISTS (SELECT FROM zerotier_lease WHERE controller = $1 AND expires > clock_timestamp())
          ON CONFLICT (controller) DO UPDATE SET holder = excluded.holder, epoch = l.epoch + 1,
            since = clock_timestamp(), expires = clock_timestamp() + $5 * interval '1 millisecond'
          WHERE l.expires <= clock_timestamp()
          RETURNING holder, epoch, since, expires),
        fenced AS (
          INSERT INTO zerotier_fence AS f (controller, epoch, session, sequence)
          SELECT $1, epoch, 0, 0 FROM taken
          ON CONFLICT (controller) DO UPDATE SET epoch = excluded.epoch, session = 0)

        """ + orElse("taken")
    private static let renew = """
        WITH renewed AS (
          UPDATE zerotier_lease SET expires = clock_timestamp() + $4 * interval '1 millisecond'
          WHERE controller = $1 AND holder = $2 AND epoch = $3
          RETURNING holder, epoch, since, expires)
        SELECT \(columns) FROM renewed
        UNION ALL SELECT \(columns) FROM zerotier_lease
        WHERE controller = $1 AND NOT EXISTS (SELECT FROM renewed)
        """
    private static let release = """
        WITH released AS (
          UPDATE zerotier_lease SET expires = clock_timestamp()
          WHERE controller = $1 AND holder = $2 AND epoch = $5
          RETURNING holder, epoch, since, expires)

        """ + orElse("released")

    /// Asks, and gives the row as it is then.
    static func run(
        _ request: LeaseRequest, of holder: LeaseHolder, _ terms: LeaseTerms, on connection: DatabaseConnection
    ) throws(DatabaseFailure) -> LeaseRow {
        var row = LeaseRow(holder: "", epoch: 0, since: 0, left: .zero)
        let who = [holder.number, .text(holder.name)]
        let milliseconds = DatabaseValue.number(terms.duration.milliseconds)
        let news = [DatabaseValue.text(holder.channel), .text(LeaseStatements.leaseChanged)]
        let statement: String
        let values: [DatabaseValue]
        switch request {
        case .take: (statement, values) = (take, who + news + [milliseconds])
        case .renew(let epoch):
            (statement, values) = (renew, who + [.number(Int64(bitPattern: epoch)), milliseconds])
        case .release(let epoch):
            (statement, values) = (release, who + news + [.number(Int64(bitPattern: epoch))])
        }
        try connection.run(statement, values) { found in
            row = LeaseRow(
                holder: found.text(0), epoch: UInt64(bitPattern: found.number(1)), since: found.number(2),
                left: .milliseconds(found.number(3)))
        }
        return row
    }

    // A connection for writing begins. What another one has sent in this epoch and was not done yet is void; what it has begun is
    // waited for. The count says whether it was done.
    private static let resume = """
        UPDATE zerotier_fence SET session = session + 1 WHERE controller = $1 AND epoch = $2
        RETURNING session, sequence
        """

    /// Begins to write in an epoch; nil if another has the lease.
    static func resume(
        _ holder: LeaseHolder, epoch: UInt64, on connection: DatabaseConnection
    ) throws(DatabaseFailure) -> (session: Int64, sequence: Int64)? {
        var result: (session: Int64, sequence: Int64)?
        try connection.run(resume, [holder.number, .number(Int64(bitPattern: epoch))]) {
            result = ($0.number(0), $0.number(1))
        }
        return result
    }
}
