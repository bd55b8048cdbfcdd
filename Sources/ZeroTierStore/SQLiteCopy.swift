// A copy of a controller's file that is used meanwhile. Read first: https://www.sqlite.org/backup.html.

import CZeroTierSQLite
import Glibc

extension SQLiteStore {
    /// The form that this release writes: `user_version` of a file. It reads all former ones.
    package static let form: UInt64 = 1

    /// Copies the records of one moment into a new file, which others cannot read. The node that has the file may go on writing.
    /// Throws if the file is no controller's, or of a later release, or if there is something at the target.
    package static func copy(_ source: String, to target: String) throws(StoreError) {
        let from = try SQLiteHandle(source, SQLITE_OPEN_READWRITE)
        let form = try from.form()
        guard form > 0, form <= SQLiteStore.form else {
            throw StoreError(
                message: form == 0
                    ? "\(source) holds no networks"
                    : "\(source) is of a later release (form \(form)); it was not copied")
        }
        // SQLite would make it for everybody to read.
        // Sound: the path is copied to a C string for the call.
        let descriptor = unsafe open(target, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StoreError(message: "cannot make \(target): error \(errno)") }
        close(descriptor)
        do throws(StoreError) {
            let into = try SQLiteHandle(target, SQLITE_OPEN_READWRITE)
            try into.take(from)
            // One file, not three.
            try into.run("PRAGMA journal_mode = DELETE")
        } catch {
            // Sound: as above.
            _ = unsafe unlink(target)
            throw error
        }
    }

    /// The form of a file; nil if there is none. Throws if it is no file of SQLite.
    package static func form(of path: String) throws(StoreError) -> UInt64? {
        // Sound: as above.
        guard unsafe access(path, F_OK) == 0 else { return nil }
        return try SQLiteHandle(path, SQLITE_OPEN_READONLY).form()
    }
}

/// A file that is open for a moment.
@safe
private final class SQLiteHandle {
    /// How long a process that has the file locked is waited for, milliseconds.
    private static let patience: Int32 = 5000

    private let handle: OpaquePointer
    private let path: String

    init(_ path: String, _ flags: Int32) throws(StoreError) {
        var opened: OpaquePointer?
        // Sound: the path is copied for the call; the pointer is closed below or by `deinit`.
        let code = unsafe sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_PRIVATECACHE, nil)
        guard code == SQLITE_OK, let handle = unsafe opened else {
            unsafe sqlite3_close(opened)
            throw StoreError(message: "cannot open \(path): \(SQLiteHandle.describe(code))")
        }
        unsafe self.handle = handle
        self.path = path
        unsafe sqlite3_busy_timeout(handle, SQLiteHandle.patience)
    }

    deinit { unsafe sqlite3_close(handle) }

    private static func describe(_ code: Int32) -> String {
        // Sound: the text is the library's own, for ever.
        unsafe sqlite3_errstr(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    private func failure(_ code: Int32) -> StoreError {
        StoreError(message: "\(path): \(SQLiteHandle.describe(code))")
    }

    func run(_ statement: String) throws(StoreError) {
        let code = unsafe sqlite3_exec(handle, statement, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    func form() throws(StoreError) -> UInt64 {
        var prepared: OpaquePointer?
        // Sound: the text is copied for the call; the statement ends below.
        let code = unsafe sqlite3_prepare_v2(handle, "PRAGMA user_version", -1, &prepared, nil)
        guard code == SQLITE_OK, let statement = unsafe prepared else { throw failure(code) }
        defer { unsafe sqlite3_finalize(statement) }
        let step = unsafe sqlite3_step(statement)
        guard step == SQLITE_ROW else { throw failure(step) }
        return unsafe UInt64(bitPattern: sqlite3_column_int64(statement, 0))
    }

    /// Takes all pages of another file in one step, so of one moment.
    func take(_ other: SQLiteHandle) throws(StoreError) {
        // Sound: both are open, and the copy ends before either is closed.
        guard let copy = unsafe sqlite3_backup_init(handle, "main", other.handle, "main") else {
            throw failure(unsafe sqlite3_errcode(handle))
        }
        let code = unsafe sqlite3_backup_step(copy, -1)
        let end = unsafe sqlite3_backup_finish(copy)
        guard code == SQLITE_DONE, end == SQLITE_OK else { throw other.failure(code == SQLITE_DONE ? end : code) }
    }
}
