import Foundation
import TestSupport
import Testing

@testable import ZeroTier

/// Nodes whose state directory takes nothing more: at the start, and while they run. Programs of their own, since such a limit is
/// one of a process.
@Suite struct FullDiskTests {
    /// No file of the process can grow: write(2) fails as on a full disk, and whoever ignores the signal gets an error.
    private static let noRoom = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""
    private static let room = "trap '' XFSZ; exec \"$0\" \"$@\""

    private static func run(_ script: String, _ home: TemporaryDirectory, planetPort: UInt16 = 1) throws -> Program {
        // Beside the state: a planet that is given.
        let planet = "\(home.path).planet\(planetPort)"
        try Data(Constellation.makePlanet(port: planetPort).bytes).write(to: URL(fileURLWithPath: planet))
        return try Program(
            "/bin/sh", ["-c", script, try #require(Command.path), "run", "--home", home.path, "--planet", planet])
    }

    private static func removePlanets(_ home: TemporaryDirectory) {
        for port in 1...2 { try? FileManager.default.removeItem(atPath: "\(home.path).planet\(port)") }
    }

    /// What the files of a directory hold, by their paths.
    private static func files(_ home: TemporaryDirectory) -> [String: Data] {
        var files: [String: Data] = [:]
        for name in FileManager.default.subpaths(atPath: home.path) ?? [] {
            let path = "\(home.path)/\(name)"
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            guard attributes?[.type] as? FileAttributeType == .typeRegular else { continue }
            files[name] = FileManager.default.contents(atPath: path)
        }
        return files
    }

    @Test func `a start that cannot write its identity says where, and leaves nothing half written`() async throws {
        let home = TemporaryDirectory()
        defer { Self.removePlanets(home) }
        let node = try Self.run(Self.noRoom, home)
        #expect(try await node.end() != 0)
        let message = "state directory \(home.path): cannot write \(home.path)/identity.secret: "
        #expect(node.output.contains { $0.contains(message) }, "\(node.output)")
        #expect(Self.files(home).keys.sorted() == ["node.lock"])
    }

    @Test func `a start that cannot replace a file says which, and all files are as they were`() async throws {
        let home = TemporaryDirectory()
        defer { Self.removePlanets(home) }
        let first = try Self.run(Self.room, home)
        _ = try await first.line(containing: "state in")
        first.interrupt()
        #expect(try await first.end() == 0)
        let before = Self.files(home)
        #expect(before["identity.secret"] != nil && before["planet"]?.isEmpty == false, "\(before.keys)")
        let second = try Self.run(Self.noRoom, home, planetPort: 2)
        #expect(try await second.end() != 0)
        #expect(
            second.output.contains { $0.contains("cannot write \(home.path)/planet: ") }, "\(second.output)")
        #expect(Self.files(home) == before)
    }

    @Test func `a running node without room says what it could not write, goes on, and writes when there is room`()
        async throws
    {
        let home = TemporaryDirectory()
        defer { Self.removePlanets(home) }
        let node = try Self.run(Self.room, home)
        _ = try await node.line(containing: "state in")
        let before = Self.files(home)
        try node.limitFiles(to: 0)
        let network = Constellation.network.description
        let file = "networks.d/\(network).conf"
        #expect(try await Command.run("join", "--home", home.path, network).status == 0)
        let line = try await node.line(containing: "cannot write \(home.path)/\(file): ")
        #expect(line.contains("state directory \(home.path)"))
        #expect(Self.files(home) == before)
        let networks = try await Command.run("networks", "--home", home.path)
        #expect(networks.status == 0 && networks.output.contains(network), "\(networks.output)")

        try node.limitFiles(to: nil)
        #expect(try await Command.run("leave", "--home", home.path, network).status == 0)
        #expect(try await Command.run("join", "--home", home.path, network).status == 0)
        node.interrupt()
        #expect(try await node.end() == 0, "\(node.output)")
        #expect(Self.files(home)[file] != nil)
    }
}

/// A namespace of mounts, in which a file system of the test's can be the state directory.
private enum MountNamespace {
    static let tool = "/usr/bin/unshare"
    static let options = ["--user", "--map-root-user", "--mount"]

    /// Whether this user may have one.
    static let isPossible: Bool = {
        let trial = try? ChildProcess(
            tool, options + ["/bin/sh", "-c", "mount -t tmpfs none /mnt && mount --bind /mnt /mnt"],
            output: FileHandle.nullDevice, errors: FileHandle.nullDevice)
        guard let trial else { return false }
        trial.waitUntilExit()
        return trial.terminationStatus == 0
    }()
}

/// What a real file system says when it is full, or cannot be written to any more.
@Suite(.enabled(if: MountNamespace.isPossible, "this user may mount file systems in a namespace"))
struct MountedDiskTests {
    /// $0: the program; $1: where the file system is; $2: a planet. Then it does what it is told, line by line.
    private static let script = """
        mount -t tmpfs -o size=256k none "$1" || exit 1
        "$0" run --home "$1" --planet "$2" &
        while read -r line; do eval "$line"; echo "did $line: $?"; done
        kill $!
        wait $!
        """

    enum Trouble: CaseIterable {
        case full
        case readOnly

        var start: String {
            switch self {
            case .full: #"head -c 1000000 /dev/zero > "$1/filler""#
            // The node has its lock open, so the file system itself stays as it is; what is opened from now on is not.
            case .readOnly: #"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1""#
            }
        }

        var end: String {
            switch self {
            case .full: #"rm "$1/filler""#
            case .readOnly: #"umount "$1""#
            }
        }

        var reason: String {
            switch self {
            case .full: "No space left on device"
            case .readOnly: "Read-only file system"
            }
        }
    }

    @Test(arguments: Trouble.allCases)
    func `a running node says why it could not write, goes on, and writes when it can again`(trouble: Trouble)
        async throws
    {
        let home = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: home.path, withIntermediateDirectories: true)
        let planet = "\(home.path).planet"
        try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: planet))
        defer { try? FileManager.default.removeItem(atPath: planet) }
        let orders = Pipe()
        let shell = try Program(
            MountNamespace.tool,
            MountNamespace.options + [
                "/bin/sh", "-c", Self.script, try #require(Command.path), home.path, planet,
            ], input: orders)
        func order(_ line: String) async throws -> String {
            try orders.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8))
            return try await shell.line(containing: "did \(line): ")
        }
        // What cksum(1) says: two numbers and a name.
        func sums(_ lines: [String]) -> [String] {
            lines.filter { $0.wholeMatch(of: /[0-9]+ [0-9]+ [a-z.]+/) != nil }
        }
        _ = try await shell.line(containing: "state in")
        let network = Constellation.network.description
        let file = #""$1/networks.d/\#(network).conf""#
        let list = #"(cd "$1" && cksum identity.secret identity.public planet port)"#
        _ = try await order(list)
        let before = sums(shell.output)

        _ = try await order(trouble.start)
        #expect(try await order(#""$0" join --home "$1" \#(network)"#).hasSuffix(": 0"))
        // Not even the folder can be made where nothing can be.
        let line = try await shell.line(containing: "state directory \(home.path): cannot ")
        #expect(line.contains(" \(home.path)/networks.d") && line.contains(trouble.reason), "\(line)")
        #expect(try await order(#""$0" networks --home "$1" | grep \#(network) > /dev/null"#).hasSuffix(": 0"))
        #expect(try await order("test -e \(file)").hasSuffix(": 1"))
        _ = try await order("\(list) | cat")
        let after = sums(shell.output)
        #expect(before.count == 4 && after.count == 8 && Array(after.suffix(before.count)) == before, "\(after)")

        #expect(try await order(trouble.end).hasSuffix(": 0"))
        for verb in ["leave", "join"] {
            #expect(try await order(#""$0" \#(verb) --home "$1" \#(network) # again"#).hasSuffix(": 0"))
        }
        // The node's thread for files takes its time.
        #expect(try await order("until test -s \(file); do sleep 0.1; done").hasSuffix(": 0"))
        try orders.fileHandleForWriting.close()
        #expect(try await shell.end() == 0, "\(shell.output)")
    }
}

extension Program {
    /// Sets how long a file of the program may become, in bytes; nil: as long as it was allowed to at its start.
    fileprivate func limitFiles(to bytes: UInt?) throws {
        // Glibc's module does not show it.
        typealias Call = @convention(c) (pid_t, Int32, UnsafePointer<rlimit>?, UnsafeMutablePointer<rlimit>?) -> Int32
        let prlimit = unsafeBitCast(try #require(dlsym(nil, "prlimit")), to: Call.self)
        let fileSize: Int32 = 1
        var limit = rlimit()
        try #require(prlimit(number, fileSize, nil, &limit) == 0)
        limit.rlim_cur = bytes ?? limit.rlim_max
        try #require(prlimit(number, fileSize, &limit, nil) == 0)
    }
}
