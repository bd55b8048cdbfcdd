// The tables. Several controllers may share a database: each row says whose it is.
//
// zerotier_schema     version: of these tables
// zerotier_lease      who answers, and until when
// zerotier_fence      who may write: the epoch of the lease, the writer's connection, and a count of the transactions
// zerotier_network    records; `change` is the transaction that wrote it last
// zerotier_member
// zerotier_removal    what was removed lately; address -1: a network with all its members
//
// IDs are the wire's numbers as signed integers of the same bits. Records: ZeroTierController/RecordCodec.swift.

import ZeroTierStore

enum DatabaseSchema {
    /// Statements that lead from each version to the next. What is there once is never changed.
    private static let migrations: [[String]] = [
        [
            "CREATE TABLE zerotier_schema(version bigint NOT NULL)",
            "INSERT INTO zerotier_schema VALUES (0)",
            """
            CREATE TABLE zerotier_lease(controller bigint PRIMARY KEY, holder text NOT NULL, epoch bigint NOT NULL,
              since timestamptz NOT NULL, expires timestamptz NOT NULL)
            """,
            """
            CREATE TABLE zerotier_fence(controller bigint PRIMARY KEY, epoch bigint NOT NULL, session bigint NOT NULL,
              sequence bigint NOT NULL)
            """,
            """
            CREATE TABLE zerotier_network(id bigint PRIMARY KEY, controller bigint NOT NULL, change bigint NOT NULL,
              record bytea NOT NULL)
            """,
            "CREATE INDEX zerotier_network_change ON zerotier_network(controller, change)",
            """
            CREATE TABLE zerotier_member(network bigint NOT NULL, address bigint NOT NULL, controller bigint NOT NULL,
              change bigint NOT NULL, record bytea NOT NULL, PRIMARY KEY(network, address))
            """,
            "CREATE INDEX zerotier_member_change ON zerotier_member(controller, change)",
            """
            CREATE TABLE zerotier_removal(controller bigint NOT NULL, change bigint NOT NULL, network bigint NOT NULL,
              address bigint NOT NULL)
            """,
            "CREATE INDEX zerotier_removal_change ON zerotier_removal(controller, change)",
        ]
    ]
    /// Any number that other programs hardly take: two that begin at once wait for each other.
    private static let lock: Int64 = 0x7a65_726f_7469_6572

    /// Makes the tables, or brings them to the form of this release. Those of a later one are refused and left as they are.
    static func prepare(_ connection: DatabaseConnection) throws(DatabaseFailure) {
        if try version(connection) == migrations.count { return }
        try connection.run("BEGIN")
        do throws(DatabaseFailure) {
            try connection.run("SELECT pg_advisory_xact_lock($1)", [.number(lock)])
            let found = try version(connection)
            guard found <= migrations.count else {
                throw .refused("the tables are of a later release (form \(found)); they were left as they are")
            }
            for migration in migrations[found...] {
                for statement in migration { try connection.run(statement) }
            }
            try connection.run("UPDATE zerotier_schema SET version = $1", [.number(Int64(migrations.count))])
            try connection.run("COMMIT")
        } catch {
            try? connection.run("ROLLBACK")
            throw error
        }
    }

    private static func version(_ connection: DatabaseConnection) throws(DatabaseFailure) -> Int {
        var isThere = false
        try connection.run("SELECT to_regclass('zerotier_schema') IS NOT NULL") { isThere = $0.bytes(0) == [1] }
        guard isThere else { return 0 }
        var version: Int64 = 0
        try connection.run("SELECT version FROM zerotier_schema") { version = $0.number(0) }
        return Int(clamping: max(0, version))
    }
}
