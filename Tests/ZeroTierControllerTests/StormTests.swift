import Foundation
import NetPrimitives
import TestSupport
import Testing
import ZeroTierController
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierStore

/// A process that changes networks as fast as it can and is killed, on a disk that is full, or cannot be written.
@Suite struct StormTests {
    /// How often it is killed. `make storms` does it 200 times.
    private static let kills = ProcessInfo.processInfo.environment["STORMS"].flatMap { Int($0) } ?? 10

    private static let program: String? = {
        var folder = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
        for _ in 0..<5 {
            let path = folder.appendingPathComponent("controller-storm").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }()

    private static func start(_ arguments: [String], shell: String? = nil) throws -> (ChildProcess, Pipe) {
        let (path, output) = (try #require(program), Pipe())
        let process = try ChildProcess(
            shell == nil ? path : "/bin/sh", shell.map { ["-c", $0, path] + arguments } ?? arguments, output: output,
            errors: FileHandle.nullDevice)
        return (process, output)
    }

    private static func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("storm-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    private static func lines(_ output: Pipe) -> [String] {
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        // The last one may be cut.
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    // MARK: What was said

    /// What a controller told others in all its lives.
    private struct Told {
        var addresses: [String: Set<String>] = [:]
        var names: [String: Int] = [:]
        var gone: Set<String> = []
        var facts = 0

        // What was decided before a deletion may be told behind it.
        private var leaving: Set<String> = []

        mutating func take(_ line: String) {
            let words = line.split(separator: " ").map(String.init)
            if words.first == "begins" { leaving = [] }
            if words.first == "deleting" { leaving.insert(words[1]) }
            if ["given", "name"].contains(words.first), leaving.contains(words[1]) { return }
            switch words.first {
            case "given":
                addresses[words[1]] = Set(words.dropFirst(2))
                facts += 1
            case "name":
                names[words[1]] = Int(words[2])
                facts += 1
            case "deleting":
                // Others may have its addresses from now on.
                addresses[words[1]] = nil
                names[words[1]] = nil
            case "gone":
                gone.insert(words[1])
                facts += 1
            default: break
            }
        }

        /// Compares all of it with the file.
        func check(_ path: String) throws {
            var stored: [String: MemberRecord] = [:]
            for case .putMember(_, let address, let bytes) in try SQLiteStore(path: path).load() {
                stored["\(address)"] = try MemberRecord(address: address, decoding: bytes)
            }
            var owners: [IPAddress: String] = [:]
            for (member, record) in stored {
                for address in record.addresses {
                    #expect(owners[address] == nil, "\(address) is given twice")
                    owners[address] = member
                }
            }
            for (member, told) in addresses {
                let kept = Set((stored[member]?.addresses ?? []).map(\.description))
                #expect(kept == told, "\(member) was told \(told) and has \(kept)")
            }
            for (member, name) in names {
                // A later one may be stored of which nobody heard.
                #expect((stored[member].flatMap { Int($0.name) } ?? -1) >= name, "\(member) lost name \(name)")
            }
            for member in gone { #expect(stored[member] == nil, "\(member) is back") }
        }
    }

    @Test func `a controller that is killed loses nothing that it told, and gives no address twice`() throws {
        try Self.inFolder { folder in
            let path = folder + "/controller.db"
            var told = Told()
            var random = RandomSource(seed: 1)
            for life in 1...Self.kills {
                let (process, output) = try Self.start([path, "\(life)"])
                // It has begun.
                var head = Data()
                while !head.contains(0x0a) {
                    let more = output.fileHandleForReading.availableData
                    try #require(!more.isEmpty, "it ended by itself")
                    head += more
                }
                usleep(UInt32(random.next(below: 300_000)))
                process.send(SIGKILL)
                let text = String(decoding: head + output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                    #expect(!line.hasPrefix("refused") && !line.hasPrefix("cannot"), "\(line)")
                    told.take(String(line))
                }
                try told.check(path)
            }
            #expect(told.facts > Self.kills)
        }
    }

    // MARK: The disk

    @Test func `a file that cannot grow is an error that names it, and nothing is changed`() throws {
        try Self.inFolder { folder in
            let path = folder + "/controller.db"
            let (process, output) = try Self.start([path, "1", "100000"])
            let lines = Self.lines(output)
            process.waitUntilExit()
            #expect(lines.last == "kept", "\(lines.suffix(3))")
            let refusals = lines.filter { $0.hasPrefix("refused") }
            #expect(!refusals.isEmpty && refusals.allSatisfy { $0.contains(path) }, "\(refusals.prefix(3))")
            var told = Told()
            for line in lines { told.take(line) }
            #expect(told.facts > 0)
            try told.check(path)
        }
    }

    @Test(.enabled(if: Namespace.isPossible, "this user may mount a file system of its own"))
    func `a full disk, and one that cannot be written, are errors that name the file`() throws {
        try Self.inFolder { folder in
            let path = folder + "/controller.db"
            // Full; then the same, to be read only; then free again.
            let script = """
                exec unshare -rm sh -c 'mount -t tmpfs -o size=256k none "$2" && "$1" "$2/controller.db" 1;
                echo read-only; mount -o remount,ro "$2" && "$1" "$2/controller.db" 2;
                echo free; mount -o remount,rw,size=64m "$2" && "$1" "$2/controller.db" 3 1000000' x "$0" "$1"
                """
            let (process, output) = try Self.start([folder], shell: script)
            let lines = Self.lines(output)
            process.waitUntilExit()
            let parts = lines.split(whereSeparator: { $0 == "read-only" || $0 == "free" }).map(Array.init)
            try #require(parts.count == 3, "\(lines.suffix(5))")
            #expect(parts[0].last == "kept")
            let refusals = parts[0].filter { $0.hasPrefix("refused") }
            #expect(!refusals.isEmpty && refusals.allSatisfy { $0.contains(path) }, "\(refusals.prefix(3))")
            #expect(parts[1].last.map { $0.hasPrefix("cannot") && $0.contains(path) } == true, "\(parts[1])")
            #expect(parts[2].last == "kept")
            // What was told before is still so.
            var told = Told()
            for line in parts[0] { told.take(line) }
            let given = told.addresses
            #expect(!given.isEmpty)
            for line in parts[2] {
                let words = line.split(separator: " ").map(String.init)
                guard words.first == "given" || words.first == "deleting" else { continue }
                if words[0] == "given", let before = told.addresses[words[1]] {
                    #expect(before == Set(words.dropFirst(2)))
                }
                told.take(line)
            }
        }
    }
}

/// A mount namespace of one's own, with what unshare(1) needs. Where the user may not make one, there is nothing that could be filled.
private enum Namespace {
    static let isPossible: Bool = {
        let process = try? ChildProcess(
            "/bin/sh", ["-c", "unshare -rm mount -t tmpfs -o size=64k none /tmp"], errors: FileHandle.nullDevice)
        guard let process else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}
