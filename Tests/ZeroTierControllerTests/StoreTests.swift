import CZeroTierSQLite
import Foundation
import NetPrimitives
import Testing
import ZeroTierController
import ZeroTierWire

@testable import ZeroTierStore

/// The file of SQLite.
@Suite struct StoreTests {
    private static let id = NetworkID(0xe21d_e08d_c771_f654)

    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    @Test func `what was committed is there at the next start, and nobody else can read it`() throws {
        try inFolder { folder in
            let path = folder + "/controller.db"
            let last = NetworkID(.max)
            do {
                let store = try SQLiteStore(path: path)
                #expect(try store.load().isEmpty)
                try store.commit([
                    .putNetwork(StoreTests.id, [1, 2, 3]), .putNetwork(last, []),
                    .putMember(StoreTests.id, Address(9), [9]), .putMember(StoreTests.id, Address(8), [8]),
                    .putMember(last, Address(7), [7]),
                ])
                try store.commit([
                    .putMember(StoreTests.id, Address(9), [10]), .removeMember(StoreTests.id, Address(8)),
                ])
                try store.commit([.removeNetwork(last)])
            }
            let store = try SQLiteStore(path: path)
            #expect(
                try store.load() == [
                    .putNetwork(StoreTests.id, [1, 2, 3]), .putMember(StoreTests.id, Address(9), [10]),
                ])
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let mode = try FileManager.default.attributesOfItem(atPath: folder + "/" + file)[.posixPermissions]
                #expect(mode as? Int == 0o600, "\(file)")
            }
        }
    }

    @Test func `a file that is something else, or of a later release, is left as it was`() throws {
        try inFolder { folder in
            let path = folder + "/controller.db"
            let foreign = Data("these are the notes of somebody, and no database of anybody at all".utf8)
            try foreign.write(to: URL(fileURLWithPath: path))
            let refused = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
            #expect(refused?.message.contains(path) == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == foreign)
        }
        try inFolder { folder in
            let path = folder + "/controller.db"
            _ = try SQLiteStore(path: path)
            let writer = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            // The place of user_version in the header of the file.
            try writer.seek(toOffset: 60)
            try writer.write(contentsOf: Data([0, 0, 0, 9]))
            try writer.close()
            let refused = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
            #expect(refused?.message.contains("later release") == true)
        }
    }

    @Test func `a directory that cannot be written is an error that names the file`() throws {
        let path = "/proc/nowhere/controller.db"
        let refused = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
        #expect(refused?.message.contains(path) == true)
    }

    /// A transaction that fails in its middle, by a trigger that refuses one record.
    @Test func `a commit that fails changes nothing`() throws {
        try inFolder { folder in
            let path = folder + "/controller.db"
            let store = try SQLiteStore(path: path)
            try store.commit([.putNetwork(StoreTests.id, [1])])
            var handle: OpaquePointer?
            #expect(sqlite3_open(path, &handle) == SQLITE_OK)
            let trigger = """
                CREATE TRIGGER refuse BEFORE INSERT ON network WHEN new.record = x'02'
                BEGIN SELECT RAISE(ABORT, 'refused'); END
                """
            #expect(sqlite3_exec(handle, trigger, nil, nil, nil) == SQLITE_OK)
            sqlite3_close(handle)
            let failure = #expect(throws: StoreError.self) {
                try store.commit([
                    .removeNetwork(StoreTests.id), .putNetwork(NetworkID(7), [1]), .putNetwork(StoreTests.id, [2]),
                ])
            }
            #expect(failure?.message.contains("refused") == true)
            #expect(try store.load() == [.putNetwork(StoreTests.id, [1])])
            try store.commit([.putNetwork(StoreTests.id, [3])])
            #expect(try store.load() == [.putNetwork(StoreTests.id, [3])])
        }
    }
}
