// Records in one file of SQLite. Read first: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html.
//
// user_version 1
//   network(id INTEGER PRIMARY KEY, record BLOB)
//   member(network INTEGER, address INTEGER, record BLOB, PRIMARY KEY(network, address)) without row IDs
//
// IDs are the wire's numbers as signed integers of the same bits. Records: ZeroTierController/RecordCodec.swift.

import CZeroTierSQLite
import Glibc
import Synchronization
package import ZeroTierController
import ZeroTierWire

/// Keeps records in a file, which others cannot read: it holds tokens. Writes are in a log that is flushed at each commit.
package final class SQLiteStore: ControllerStore {
    /// The file's path.
    package let location: String
    private let connection: Mutex<Connection>

    /// Opens a file, made if there is none. Throws if it is something else, or of a later release: it is left as it was.
    package init(path: String) throws(StoreError) {
        location = path
        // SQLite would make it for everybody to read.
        // Sound: the path is copied to a C string for the call.
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(message: "cannot open \(path): \(SQLiteStore.describe(errno))")
        }
        close(descriptor)
        let opened = try Connection(path: path)
        connection = Mutex(opened)
    }

    private static func describe(_ number: Int32) -> String {
        var text = [CChar](repeating: 0, count: 128)
        // Sound: writes at most as many bytes as the array has, and ends them with a zero.
        guard unsafe strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// All records.
    package func load() throws(StoreError) -> [RecordWrite] {
        try connection.withLock { (connection) throws(StoreError) in
            var records: [RecordWrite] = []
            try connection.read("SELECT id, 0, record FROM network ORDER BY id") { row in
                records.append(.putNetwork(NetworkID(row.first), row.record))
            }
            try connection.read("SELECT network, address, record FROM member ORDER BY network, address") { row in
                records.append(.putMember(NetworkID(row.first), Address(row.second), row.record))
            }
            return records
        }
    }

    /// Does all of it in one transaction.
    package func commit(_ writes: [RecordWrite]) throws(StoreError) {
        try connection.withLock { (connection) throws(StoreError) in
            try connection.run("BEGIN IMMEDIATE")
            do throws(StoreError) {
                for write in writes { try SQLiteStore.apply(write, to: connection) }
                try connection.run("COMMIT")
            } catch {
                try? connection.run("ROLLBACK")
                throw error
            }
        }
    }

    private static func apply(_ write: RecordWrite, to connection: Connection) throws(StoreError) {
        switch write {
        case .putNetwork(let id, let record):
            try connection.write("INSERT OR REPLACE INTO network VALUES (?1, ?2)", [id.value], record)
        case .putMember(let id, let member, let record):
            try connection.write(
                "INSERT OR REPLACE INTO member VALUES (?1, ?2, ?3)", [id.value, member.value], record)
        case .removeMember(let id, let member):
            try connection.write("DELETE FROM member WHERE network = ?1 AND address = ?2", [id.value, member.value])
        case .removeNetwork(let id):
            try connection.write("DELETE FROM member WHERE network = ?1", [id.value])
            try connection.write("DELETE FROM network WHERE id = ?1", [id.value])
        }
    }
}

/// A row of either table.
private struct StoredRow {
    let first: UInt64
    let second: UInt64
    let record: [UInt8]
}

/// The file, opened. Its pointer is used by who has the lock, and by nobody after the end.
@safe
private final class Connection {
    /// How long another process that has the file locked is waited for, milliseconds.
    private static let patience: Int32 = 5000

    private let handle: OpaquePointer
    private let path: String

    init(path: String) throws(StoreError) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE
        // Sound: the path is copied for the call; the pointer is closed below or by `deinit`.
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let handle = unsafe opened else {
            unsafe sqlite3_close(opened)
            throw StoreError(message: "cannot open \(path): \(Connection.describe(code))")
        }
        unsafe self.handle = handle
        self.path = path
        unsafe sqlite3_busy_timeout(handle, Connection.patience)
        // Only now is the file looked at.
        let version = try number("PRAGMA user_version")
        guard version <= SQLiteStore.form else {
            throw StoreError(message: "\(path) is of a later release (form \(version)); it was left as it is")
        }
        try run("PRAGMA journal_mode = WAL")
        try run("PRAGMA synchronous = FULL")
        if version == 0 { try makeTables() }
    }

    deinit { unsafe sqlite3_close(handle) }

    private func makeTables() throws(StoreError) {
        guard try number("SELECT count(*) FROM sqlite_master") == 0 else {
            throw StoreError(message: "\(path) holds something else than networks; it was left as it is")
        }
        try run("BEGIN IMMEDIATE")
        try run("CREATE TABLE network(id INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        try run(
            "CREATE TABLE member(network INTEGER NOT NULL, address INTEGER NOT NULL, record BLOB NOT NULL, "
                + "PRIMARY KEY(network, address)) WITHOUT ROWID")
        try run("PRAGMA user_version = \(SQLiteStore.form)")
        try run("COMMIT")
    }

    private static func describe(_ code: Int32) -> String {
        // Sound: the text is the library's own, for ever.
        unsafe sqlite3_errstr(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    private func failure() -> StoreError {
        // Sound: the text is valid until the next call.
        let text = unsafe sqlite3_errmsg(handle).map { unsafe String(cString: $0) } ?? "an unknown error"
        return StoreError(message: "\(path): \(text)")
    }

    /// Runs a statement without values.
    func run(_ statement: String) throws(StoreError) {
        guard unsafe sqlite3_exec(handle, statement, nil, nil, nil) == SQLITE_OK else { throw failure() }
    }

    private func number(_ question: String) throws(StoreError) -> UInt64 {
        var result: UInt64 = 0
        try unsafe each(question) { statement in
            result = unsafe UInt64(bitPattern: sqlite3_column_int64(statement, 0))
        }
        return result
    }

    /// Gives every row of a question with two numbers and a record.
    func read(_ question: String, _ body: (StoredRow) -> Void) throws(StoreError) {
        try unsafe each(question) { statement in
            let length = unsafe Int(sqlite3_column_bytes(statement, 2))
            var record: [UInt8] = []
            // Sound: as many bytes as were said, valid until the next step.
            if let bytes = unsafe sqlite3_column_blob(statement, 2) {
                record = unsafe Array(UnsafeRawBufferPointer(start: bytes, count: length))
            }
            body(
                StoredRow(
                    first: unsafe UInt64(bitPattern: sqlite3_column_int64(statement, 0)),
                    second: unsafe UInt64(bitPattern: sqlite3_column_int64(statement, 1)), record: record))
        }
    }

    private func each(_ question: String, _ body: (OpaquePointer) -> Void) throws(StoreError) {
        var prepared: OpaquePointer?
        // Sound: the text is copied for the call; the statement ends below.
        let code = unsafe sqlite3_prepare_v2(handle, question, -1, &prepared, nil)
        guard code == SQLITE_OK, let statement = unsafe prepared else { throw failure() }
        defer { unsafe sqlite3_finalize(statement) }
        while true {
            switch unsafe sqlite3_step(statement) {
            case SQLITE_ROW: unsafe body(statement)
            case SQLITE_DONE: return
            default: throw failure()
            }
        }
    }

    /// Runs a statement with numbers, and a record after them.
    func write(_ text: String, _ numbers: [UInt64], _ record: [UInt8]? = nil) throws(StoreError) {
        var prepared: OpaquePointer?
        // Sound: as above.
        let code = unsafe sqlite3_prepare_v2(handle, text, -1, &prepared, nil)
        guard code == SQLITE_OK, let statement = unsafe prepared else { throw failure() }
        defer { unsafe sqlite3_finalize(statement) }
        for (index, value) in numbers.enumerated() {
            unsafe sqlite3_bind_int64(statement, Int32(index + 1), Int64(bitPattern: value))
        }
        let place = Int32(numbers.count + 1)
        let result: Int32
        if let record {
            // Sound: the bytes are used by the step alone, within the closure.
            result = unsafe record.withUnsafeBytes { bytes in
                unsafe sqlite3_bind_blob(statement, place, bytes.baseAddress, Int32(bytes.count), nil)
                return unsafe sqlite3_step(statement)
            }
        } else {
            result = unsafe sqlite3_step(statement)
        }
        guard result == SQLITE_DONE else { throw failure() }
    }
}
