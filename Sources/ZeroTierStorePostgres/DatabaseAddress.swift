// Where a database is, and how it is spoken to. It may have a password, which nobody sees.
// Read first: https://www.postgresql.org/docs/current/libpq-connect.html, "Connection URIs" and "Parameter Key Words".

import CZeroTierPostgreSQL
package import ZeroTierStore

/// The address of a database: a URL such as `postgres://controller@db.example/zerotier?sslmode=verify-full`.
package struct DatabaseAddress: Sendable {
    /// What libpq is given, by its names.
    let settings: [(name: String, value: String)]

    static let noLibrary =
        "this machine has no libpq, by which a database is spoken to: install it (Debian and Ubuntu: libpq5)"

    /// Whether a text is such an address.
    package static func isOne(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    /// Reads a URL. What is wrong with it is not said in its own words: it may hold a password.
    package init(_ text: String) throws(StoreError) {
        guard let library = unsafe cpostgresql_library()?.pointee else {
            throw StoreError(message: DatabaseAddress.noLibrary)
        }
        guard DatabaseAddress.isOne(text), !text.utf8.contains(0), let given = DatabaseAddress.parse(text, library)
        else {
            throw StoreError(
                message: "not the address of a database: "
                    + "one is written postgres://USER@HOST:PORT/NAME?sslmode=verify-full")
        }
        settings = given
    }

    /// Whether the text had a password. One on a command line is seen by every user of the machine.
    package var hasPassword: Bool { settings.contains { $0.name == "password" } }

    private func value(_ name: String) -> String? { settings.first { $0.name == name }?.value }

    // What the text says; nothing of the environment, which libpq adds by itself.
    private static func parse(_ text: String, _ library: cpostgresql) -> [(name: String, value: String)]? {
        var complaint: UnsafeMutablePointer<CChar>?
        // Sound: the text is copied for the call; both results are released below, and read before.
        let options = unsafe library.PQconninfoParse(text, &complaint)
        defer {
            unsafe library.PQconninfoFree(options)
            unsafe library.PQfreemem(complaint)
        }
        guard var option = unsafe options else { return nil }
        var settings: [(name: String, value: String)] = []
        // Sound: the list ends with an entry without a keyword.
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe settings.append((String(cString: keyword), String(cString: value)))
            }
            unsafe option += 1
        }
        return settings
    }
}

extension DatabaseAddress: CustomStringConvertible, CustomReflectable {
    /// Where it is, without its password.
    package var description: String {
        let user = value("user").map { "\($0)@" } ?? ""
        let host = value("host") ?? value("hostaddr") ?? ""
        let port = value("port").map { ":\($0)" } ?? ""
        return "postgres://\(user)\(host)\(port)/\(value("dbname") ?? "")"
    }

    /// The same.
    package var customMirror: Mirror { Mirror(self, children: ["address": description]) }
}
