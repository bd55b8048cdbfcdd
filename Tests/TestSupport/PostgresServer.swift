// PostgreSQL for tests.

import Foundation

/// A PostgreSQL server of the tests' own, in a temporary folder, which ends with this process: it has one socket there and one port
/// of the loopback interface. Debian: `postgresql`.
package final class PostgresServer: Sendable {
    /// Why there is none.
    package struct Missing: Error, CustomStringConvertible, Sendable {
        package let description: String
    }

    /// The port, at 127.0.0.1. The user `zerotier` needs no password, the user `guarded` has "open sesame".
    package let port: Int
    private let programs: String
    private let folder: String
    // Its pipe is the server's life: it closes with this process, however that ends.
    private let life: Pipe
    private let server: ChildProcess

    /// The one that all tests of a process share: each makes databases of its own.
    package static let shared = Result { try PostgresServer() }

    // PostgreSQL refuses to run as the superuser.
    private static let user =
        getuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []

    private static let script = """
        folder=$1 port=$2 programs=$3
        "$programs/initdb" -D "$folder/data" -U zerotier -A trust --no-sync -E UTF8 --locale=C >"$folder/log" 2>&1 || exit 1
        echo 'host all guarded 127.0.0.1/32 scram-sha-256' | cat - "$folder/data/pg_hba.conf" >"$folder/hba"
        cp "$folder/hba" "$folder/data/pg_hba.conf"
        "$programs/postgres" -D "$folder/data" -k "$folder" -h 127.0.0.1 -p "$port" >>"$folder/log" 2>&1 &
        server=$!
        trap '' INT TERM HUP
        read -r _
        kill -INT $server
        wait $server
        rm -rf "$folder/data" "$folder/hba" "$folder/log"
        rmdir "$folder"
        """

    private init() throws {
        let places =
            ((try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []).sorted()
            .reversed().map { "/usr/lib/postgresql/\($0)/bin" } + ["/usr/bin", "/usr/local/bin"]
        let found = places.first { FileManager.default.isExecutableFile(atPath: $0 + "/initdb") }
        guard let programs = found else {
            throw Missing(
                description:
                    "this test needs PostgreSQL: `make requirements` installs it, or apt-get install postgresql libpq5")
        }
        self.programs = programs
        port = try PostgresServer.freePort()
        // Not in the folder of the process: the server's user may not enter that, and a socket's path is short.
        folder = "/tmp/zerotier-postgres-\(UUID().uuidString.prefix(8))"
        life = Pipe()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        if !PostgresServer.user.isEmpty { try PostgresServer.run(["chown", "postgres:postgres", folder]) }
        server = try ChildProcess(
            "/usr/bin/env",
            PostgresServer.user + ["sh", "-c", PostgresServer.script, "sh", folder, "\(port)", programs],
            directory: folder, input: life, output: FileHandle.nullDevice)
        for _ in 0..<600 {
            if (try? PostgresServer.run([programs + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", "\(port)"])) != nil {
                try query("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'open sesame'", in: "postgres")
                return
            }
            usleep(100_000)
        }
        let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
        throw Missing(description: "PostgreSQL does not start: \(log.suffix(500))")
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { plain -> in_port_t? in
                guard bind(descriptor, plain, length) == 0, getsockname(descriptor, plain, &length) == 0 else {
                    return nil
                }
                return pointer.pointee.sin_port.bigEndian
            }
        }
        guard let number else { throw Missing(description: "no free port") }
        return Int(number)
    }

    @discardableResult
    private static func run(_ words: [String]) throws -> String {
        let output = Pipe()
        let process = try ChildProcess("/usr/bin/env", words, output: output, errors: FileHandle.nullDevice)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Missing(description: "\(words.prefix(3)) ended with \(process.terminationStatus)")
        }
        return text
    }

    /// Asks a database, and gives the rows as psql prints them, columns with `|` between them.
    @discardableResult
    package func query(_ statement: String, in database: String) throws -> String {
        try PostgresServer.run([
            programs + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", "\(port)",
            "-U",
            "zerotier", "-d", database, "-c", statement,
        ])
    }

    /// Makes an empty database, and gives its name.
    package func makeDatabase() throws -> String {
        let name = "d" + UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased()
        try query("CREATE DATABASE \(name)", in: "postgres")
        return name
    }

    /// The address of a database, by this port or one that leads to it.
    package func address(of database: String, by other: Int? = nil) -> String {
        "postgres://zerotier@127.0.0.1:\(other ?? port)/\(database)"
    }
}
