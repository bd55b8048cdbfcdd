// Records as statements: a commit, and what changed since another one. Docs/decisions/0036-postgresql-as-a-store.md.

import ZeroTierController
import ZeroTierStore
import ZeroTierWire

/// The writes of a transaction, sorted into the lists that its statement takes. No two of them touch the same record.
struct CommitBatch: Sendable {
    /// Bytes of all records of one transaction: a value of the server's has at most twice as many.
    static let largest = 512 << 20

    private var networks: [Int64] = []
    private var networkRecords: [[UInt8]] = []
    private var memberNetworks: [Int64] = []
    private var members: [Int64] = []
    private var memberRecords: [[UInt8]] = []
    private var leftNetworks: [Int64] = []
    private var leftMembers: [Int64] = []
    private var goneNetworks: [Int64] = []

    init(_ writes: [RecordWrite]) throws(StoreError) {
        var gone: Set<NetworkID> = []
        var bytes = 0
        for case .removeNetwork(let id) in writes { gone.insert(id) }
        for write in writes {
            switch write {
            case .putNetwork(let id, let record):
                if gone.contains(id) { continue }
                networks.append(Int64(bitPattern: id.value))
                networkRecords.append(record)
                bytes += record.count
            case .putMember(let id, let member, let record):
                if gone.contains(id) { continue }
                memberNetworks.append(Int64(bitPattern: id.value))
                members.append(Int64(bitPattern: member.value))
                memberRecords.append(record)
                bytes += record.count
            case .removeMember(let id, let member):
                if gone.contains(id) { continue }
                leftNetworks.append(Int64(bitPattern: id.value))
                leftMembers.append(Int64(bitPattern: member.value))
            case .removeNetwork(let id): goneNetworks.append(Int64(bitPattern: id.value))
            }
        }
        guard bytes <= CommitBatch.largest else {
            throw StoreError(message: "\(bytes >> 20) MiB of records at once are too many for the database")
        }
    }

    // The fence first: without it nothing else finds a row. All parts see the tables as they were before the statement.
    private static let statement = """
        WITH fence AS (
          UPDATE zerotier_fence SET sequence = sequence + 1
          WHERE controller = $1 AND epoch = $2 AND session = $3
          RETURNING sequence),
        put_networks AS (
          INSERT INTO zerotier_network (id, controller, change, record)
          SELECT n.id, $1, sequence, n.record FROM fence, unnest($4::bigint[], $5::bytea[]) AS n(id, record)
          ON CONFLICT (id) DO UPDATE SET change = excluded.change, record = excluded.record),
        put_members AS (
          INSERT INTO zerotier_member (network, address, controller, change, record)
          SELECT m.network, m.address, $1, sequence, m.record
          FROM fence, unnest($6::bigint[], $7::bigint[], $8::bytea[]) AS m(network, address, record)
          ON CONFLICT (network, address) DO UPDATE SET change = excluded.change, record = excluded.record),
        gone AS (
          SELECT g.network, g.address FROM unnest($9::bigint[], $10::bigint[]) AS g(network, address)
          UNION ALL SELECT g.network, -1 FROM unnest($11::bigint[]) AS g(network)),
        removals AS (
          INSERT INTO zerotier_removal (controller, change, network, address)
          SELECT $1, sequence, network, address FROM fence, gone),
        removed_members AS (
          DELETE FROM zerotier_member m USING fence, gone
          WHERE m.network = gone.network AND (m.address = gone.address OR gone.address = -1)),
        removed_networks AS (
          DELETE FROM zerotier_network n USING fence, gone WHERE n.id = gone.network AND gone.address = -1),
        forgotten AS (
          DELETE FROM zerotier_removal r USING fence
          WHERE r.controller = $1 AND r.change < fence.sequence - $12 AND EXISTS (SELECT FROM gone))
        SELECT sequence, pg_notify($13, sequence::text)::text FROM fence
        """

    /// Writes all of it, or nothing. Gives the number of the transaction; nil if the fence does not let it through.
    func run(
        _ holder: LeaseHolder, epoch: UInt64, session: Int64, on connection: DatabaseConnection
    ) throws(DatabaseFailure) -> Int64? {
        var sequence: Int64?
        try connection.run(
            CommitBatch.statement,
            [
                holder.number, .number(Int64(bitPattern: epoch)), .number(session),
                .numbers(networks), .records(networkRecords),
                .numbers(memberNetworks), .numbers(members), .records(memberRecords),
                .numbers(leftNetworks), .numbers(leftMembers), .numbers(goneNetworks),
                .number(RecordCopy.remembered), .text(holder.channel),
            ]
        ) { sequence = $0.number(0) }
        return sequence
    }
}

/// The records of a controller as of one transaction: a standby keeps them, so that a take-over reads only what it has not seen.
struct RecordCopy: Sendable {
    /// Removals are remembered for so many transactions: whoever is further behind reads everything.
    static let remembered: Int64 = 10_000

    private var networks: [NetworkID: [UInt8]] = [:]
    private var members: [NetworkID: [Address: [UInt8]]] = [:]
    /// The transaction; -1 before the first look.
    private(set) var sequence: Int64 = -1

    // One statement, so that it sees one moment.
    private static let changes = """
        SELECT 0::bigint, sequence, 0::bigint, ''::bytea FROM zerotier_fence WHERE controller = $1
        UNION ALL SELECT 1, network, address, '' FROM zerotier_removal WHERE controller = $1 AND change > $2
        UNION ALL SELECT 2, id, 0, record FROM zerotier_network WHERE controller = $1 AND change > $2
        UNION ALL SELECT 3, network, address, record FROM zerotier_member WHERE controller = $1 AND change > $2
        """

    private struct Row {
        let kind: Int64
        let network: NetworkID
        let address: Int64
        let record: [UInt8]
    }

    /// Brings it to what is committed.
    mutating func catchUp(_ holder: LeaseHolder, on connection: DatabaseConnection) throws(DatabaseFailure) {
        var rows = try RecordCopy.read(holder, after: sequence, on: connection)
        let latest = rows.first { $0.kind == 0 }.map { Int64(bitPattern: $0.network.value) } ?? -1
        if sequence >= 0, latest - sequence > RecordCopy.remembered || latest < sequence {
            self = RecordCopy()
            rows = try RecordCopy.read(holder, after: sequence, on: connection)
        }
        apply(rows)
    }

    private static func read(
        _ holder: LeaseHolder, after sequence: Int64, on connection: DatabaseConnection
    ) throws(DatabaseFailure) -> [Row] {
        var rows: [Row] = []
        try connection.run(changes, [holder.number, .number(sequence)]) { row in
            rows.append(
                Row(
                    kind: row.number(0), network: NetworkID(UInt64(bitPattern: row.number(1))), address: row.number(2),
                    record: row.bytes(3)))
        }
        return rows
    }

    // Removals first: what was made again since has a later change, and is among the others.
    private mutating func apply(_ rows: [Row]) {
        for row in rows where row.kind == 1 {
            if row.address == -1 {
                networks[row.network] = nil
                members[row.network] = nil
            } else {
                members[row.network]?[Address(UInt64(bitPattern: row.address))] = nil
            }
        }
        for row in rows {
            switch row.kind {
            case 0: sequence = Int64(bitPattern: row.network.value)
            case 2: networks[row.network] = row.record
            case 3: members[row.network, default: [:]][Address(UInt64(bitPattern: row.address))] = row.record
            default: break
            }
        }
    }

    /// All of it: each network before its members.
    var records: [RecordWrite] {
        var records: [RecordWrite] = []
        for id in networks.keys.sorted() {
            records.append(.putNetwork(id, networks[id] ?? []))
        }
        for id in members.keys.sorted() {
            for (address, record) in (members[id] ?? [:]).sorted(by: { $0.key < $1.key }) {
                records.append(.putMember(id, address, record))
            }
        }
        return records
    }

    /// How many networks and members there are.
    var counts: (networks: Int, members: Int) { (networks.count, members.values.reduce(0) { $0 + $1.count }) }
}
