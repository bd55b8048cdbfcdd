// One connection to PostgreSQL. Every wait has an end, and every statement is one transaction of its own, so that the server never
// waits for us while it holds a lock. Read first: https://www.postgresql.org/docs/current/libpq-async.html.

import CZeroTierPostgreSQL
import Glibc
import NetPrimitives
import ZeroTier
import ZeroTierStore

/// What became of a statement that did not go through.
enum DatabaseFailure: Error, Sendable {
    /// The server refused it: nothing was done. The connection goes on.
    case refused(String)
    /// The connection is gone: nobody knows whether it was done.
    case broken(String)

    var message: String {
        switch self {
        case .refused(let message), .broken(let message): message
        }
    }
}

/// A value of a statement. It never becomes a part of its text.
enum DatabaseValue: Sendable {
    case number(Int64)
    case text(String)
    case numbers([Int64])
    case records([[UInt8]])
}

/// A connection. One owner; its pointer is used by nobody after the end.
@safe
final class DatabaseConnection {
    /// How long the server works at a statement before it gives up, and how long it is waited for.
    struct Patience: Sendable {
        let statement: Duration
        /// The answer may be under way a while longer.
        let answer: Duration
    }

    /// Seconds for each host that the address names.
    private static let connectTimeout = "2"
    /// How often it looks whether the answer is still wanted, milliseconds.
    private static let glance: Int32 = 100
    private static let defaults = [
        ("connect_timeout", connectTimeout), ("keepalives", "1"), ("keepalives_idle", "2"),
        ("keepalives_interval", "1"), ("keepalives_count", "2"), ("tcp_user_timeout", "3000"),
        ("application_name", "zerotier-controller"),
    ]

    private let library: cpostgresql
    private let handle: OpaquePointer
    private let address: DatabaseAddress
    private let patience: Patience
    private let isPointless: () -> Bool

    /// Connects: at most two seconds for each host, unless the address says otherwise. `isPointless`: nobody wants the answers
    /// any more; asked while they are waited for.
    init(
        _ address: DatabaseAddress, _ patience: Patience, isPointless: @escaping () -> Bool = { false }
    ) throws(DatabaseFailure) {
        guard let library = unsafe cpostgresql_library()?.pointee else { throw .broken(DatabaseAddress.noLibrary) }
        self.library = library
        self.address = address
        self.patience = patience
        self.isPointless = isPointless
        var settings = DatabaseConnection.defaults.filter { name, _ in
            !address.settings.contains { $0.name == name }
        }
        settings += address.settings.map { ($0.name, $0.value) }
        settings.append(("client_encoding", "UTF8"))
        let opened = unsafe DatabaseConnection.withTexts(settings.map(\.0)) { names in
            unsafe DatabaseConnection.withTexts(settings.map(\.1)) { values in
                // Sound: both lists end with nil, and are copied for the call.
                unsafe library.PQconnectdbParams(names, values, 0)
            }
        }
        guard let opened = unsafe opened else { throw .broken("\(address): no memory for a connection") }
        unsafe handle = opened
        // From here on `deinit` closes it.
        guard unsafe library.PQstatus(handle) == CONNECTION_OK, unsafe library.PQsetnonblocking(handle, 1) == 0 else {
            throw .broken(complaint())
        }
        try prepareSession()
    }

    deinit { unsafe library.PQfinish(handle) }

    // Lists of C strings, ended by nil.
    private static func withTexts<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let copies = unsafe texts.map { unsafe strdup($0) }
        defer { unsafe copies.forEach { unsafe free($0) } }
        let list = unsafe copies.map { unsafe UnsafePointer($0) } + [nil]
        // Sound: the copies live until the end of the call.
        return unsafe list.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("a list has its end") }
            return unsafe body(base)
        }
    }

    // The server's own ends of waiting, and what durable means: a commit that was told must be on its disk.
    private func prepareSession() throws(DatabaseFailure) {
        let settings = [
            ("statement_timeout", "\(patience.statement.milliseconds)"),
            ("idle_in_transaction_session_timeout", "1000"), ("default_transaction_isolation", "read committed"),
            ("tcp_keepalives_idle", "2"), ("tcp_keepalives_interval", "1"), ("tcp_keepalives_count", "3"),
        ]
        for (name, value) in settings {
            try run("SELECT set_config($1, $2, false)", [.text(name), .text(value)])
        }
        try run(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
    }

    private func complaint() -> String {
        // Sound: the text is valid until the next call.
        let text = unsafe library.PQerrorMessage(handle).map { unsafe String(cString: $0) } ?? ""
        return "\(address): " + DatabaseConnection.oneLine(text)
    }

    private static func oneLine(_ text: String) -> String {
        let lines = text.split(separator: "\n").map { $0.drop { $0 == " " || $0 == "\t" } }.filter { !$0.isEmpty }
        return lines.isEmpty ? "the connection is gone" : lines.joined(separator: "; ")
    }

    /// The descriptor on which notifications arrive.
    var descriptor: Int32 { unsafe library.PQsocket(handle) }

    /// Takes what has arrived between statements, and gives what the notifications say. Throws if the connection is gone.
    func takeNotifications() throws(DatabaseFailure) -> [String] {
        guard unsafe library.PQconsumeInput(handle) == 1 else { throw .broken(complaint()) }
        var notices: [String] = []
        while let notice = unsafe library.PQnotifies(handle) {
            // Sound: the text lives as long as the notification.
            unsafe notices.append(notice.pointee.extra.map { unsafe String(cString: $0) } ?? "")
            unsafe library.PQfreemem(notice)
        }
        return notices
    }

    /// Runs a statement, and gives each row of its result.
    func run(
        _ statement: String, _ values: [DatabaseValue] = [], _ row: (DatabaseRow) -> Void = { _ in }
    ) throws(DatabaseFailure) {
        let deadline = SystemClock.monotonic() + patience.answer
        let parameters = DatabaseParameters(values)
        let isSent = unsafe parameters.withPointers { types, pointers, lengths, formats in
            // Sound: all lists have as many entries as there are values, and are copied for the call.
            unsafe library.PQsendQueryParams(
                handle, statement, Int32(values.count), types, pointers, lengths, formats, 1) == 1
        }
        guard isSent else { throw .broken(complaint()) }
        try flush(by: deadline)
        var failure: DatabaseFailure?
        while let result = unsafe try nextResult(by: deadline) {
            defer { unsafe library.PQclear(result) }
            switch unsafe library.PQresultStatus(result) {
            case PGRES_COMMAND_OK: break
            case PGRES_TUPLES_OK:
                for index in unsafe 0..<library.PQntuples(result) { unsafe row(DatabaseRow(library, result, index)) }
            default: failure = unsafe failure ?? reason(result)
            }
        }
        if let failure { throw failure }
    }

    // Whether the server lives on after it refused.
    private func reason(_ result: OpaquePointer) -> DatabaseFailure {
        // Sound: the texts live as long as the result.
        let text = unsafe library.PQresultErrorMessage(result).map { unsafe String(cString: $0) } ?? ""
        let state = unsafe library.PQresultErrorField(result, 0x43).map { unsafe String(cString: $0) } ?? ""
        let message = "\(address): " + DatabaseConnection.oneLine(text)
        // 57P01 and its like: the server shuts down or ends the session. Without a state it is our end that speaks.
        let isOver = state.isEmpty || state.hasPrefix("57P") || state.hasPrefix("08")
        return unsafe isOver || library.PQstatus(handle) != CONNECTION_OK ? .broken(message) : .refused(message)
    }

    private func flush(by deadline: MonotonicInstant) throws(DatabaseFailure) {
        while true {
            switch unsafe library.PQflush(handle) {
            case 0: return
            case 1:
                try wait(for: Int16(POLLIN | POLLOUT), by: deadline)
                // The server may say something that has to be read before it reads on.
                guard unsafe library.PQconsumeInput(handle) == 1 else { throw .broken(complaint()) }
            default: throw .broken(complaint())
            }
        }
    }

    private func nextResult(by deadline: MonotonicInstant) throws(DatabaseFailure) -> OpaquePointer? {
        while unsafe library.PQisBusy(handle) == 1 {
            try wait(for: Int16(POLLIN), by: deadline)
            guard unsafe library.PQconsumeInput(handle) == 1 else { throw .broken(complaint()) }
        }
        return unsafe library.PQgetResult(handle)
    }

    private func wait(for events: Int16, by deadline: MonotonicInstant) throws(DatabaseFailure) {
        while true {
            let left = (deadline - SystemClock.monotonic()).milliseconds
            guard left > 0 else { throw .broken("\(address): no answer within \(patience.answer)") }
            if isPointless() { throw .broken("\(address): no answer in time") }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            // Sound: one entry, as said.
            if unsafe poll(&entry, 1, min(Int32(clamping: left), DatabaseConnection.glance)) > 0 { return }
        }
    }
}

/// A row of a result; valid in the call that gives it.
@safe
struct DatabaseRow {
    private let library: cpostgresql
    private let result: OpaquePointer
    private let index: Int32

    init(_ library: cpostgresql, _ result: OpaquePointer, _ index: Int32) {
        self.library = library
        unsafe self.result = result
        self.index = index
    }

    /// The bytes of a column; none for NULL and for a column that is not there.
    func bytes(_ column: Int32) -> [UInt8] {
        // Sound: as many bytes as were said, copied at once.
        guard unsafe column < library.PQnfields(result), let value = unsafe library.PQgetvalue(result, index, column)
        else { return [] }
        return unsafe Array(
            UnsafeRawBufferPointer(start: value, count: Int(library.PQgetlength(result, index, column))))
    }

    /// A number of 32 or 64 bits.
    func number(_ column: Int32) -> Int64 {
        let bytes = bytes(column)
        let value = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return bytes.count == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
    }

    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
}

/// Values as the server reads them, in its binary form.
private struct DatabaseParameters {
    // Of PostgreSQL's catalogue, fixed for ever.
    private static let (bigint, text, bytea, bigints, byteas): (UInt32, UInt32, UInt32, UInt32, UInt32) =
        (20, 25, 17, 1016, 1001)

    private var bytes: [UInt8] = []
    private var types: [UInt32] = []
    private var offsets: [Int] = []
    private var lengths: [Int32] = []

    init(_ values: [DatabaseValue]) {
        for value in values {
            let start = bytes.count
            offsets.append(start)
            switch value {
            case .number(let number):
                types.append(DatabaseParameters.bigint)
                append(UInt64(bitPattern: number))
            case .text(let string):
                types.append(DatabaseParameters.text)
                bytes += string.utf8
            case .numbers(let numbers):
                types.append(DatabaseParameters.bigints)
                beginArray(of: DatabaseParameters.bigint, count: numbers.count)
                for number in numbers {
                    append(UInt32(8))
                    append(UInt64(bitPattern: number))
                }
            case .records(let records):
                types.append(DatabaseParameters.byteas)
                beginArray(of: DatabaseParameters.bytea, count: records.count)
                for record in records {
                    append(UInt32(record.count))
                    bytes += record
                }
            }
            lengths.append(Int32(bytes.count - start))
        }
        // An empty text at the end has a place too.
        bytes.append(0)
    }

    // Dimensions, whether there are NULLs, type; length and first index of the dimension.
    private mutating func beginArray(of type: UInt32, count: Int) {
        append(UInt32(count == 0 ? 0 : 1))
        append(UInt32(0))
        append(type)
        if count > 0 {
            append(UInt32(count))
            append(UInt32(1))
        }
    }

    private mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        for place in (0..<Number.bitWidth / 8).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: number >> (place * 8)))
        }
    }

    func withPointers<Result>(
        _ body: (
            UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> Result
    ) -> Result {
        let formats = [Int32](repeating: 1, count: types.count)
        // Sound: the pointers lie within the bytes, which live until the end of the call.
        return unsafe bytes.withUnsafeBytes { raw in
            let base = unsafe raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            let pointers = unsafe offsets.map { offset in unsafe base.map { unsafe $0 + offset } }
            return unsafe body(types, pointers, lengths, formats)
        }
    }
}
