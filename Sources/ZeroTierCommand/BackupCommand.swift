// zerotier backup: a copy of a state directory, while a node runs in it or not.

import ArgumentParser
import Foundation
import Glibc
import JSONValues
import ZeroTier
import ZeroTierStore

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy a state directory, also while its node runs.",
        discussion: """
            Identity, networks, moons, planet, tokens, settings, and the controller's records as they are at one moment. What a node \
            knows of its peers is left out: it learns that again. Records in a PostgreSQL database are not in it either: pg_dump \
            copies them. The copy has secrets, and only you can read it. `zerotier restore` takes it.
            """)

    @Argument(help: ArgumentHelp("A folder that is not there yet.", valueName: "folder"), completion: .directory)
    var folder: String

    @OptionGroup var home: HomeOptions
    @OptionGroup var report: ReportOptions

    func run() async throws {
        let home = try self.home.path()
        guard !Files.exists(folder) else {
            throw Failure("file", "\(folder) is there already: name a folder that is not")
        }
        guard Files.exists("\(home)/identity.secret") else {
            throw Failure("file", "there is no node's state in \(home): identity.secret is missing")
        }
        let identity = try Files.identity("\(home)/identity.secret")
        // Under another name until it is whole.
        let partial = "\(folder).\(getpid()).partial"
        do {
            let files = try copy(home, to: partial)
            let manifest = BackupManifest(address: "\(identity.id)", files: files)
            try Files.writeSecret(
                "\(partial)/\(BackupManifest.fileName)", Array((manifest.json.indentedText + "\n").utf8))
            // Sound: both paths are copied to C strings for the call.
            guard unsafe rename(partial, folder) == 0 else { throw Failure(SystemError(errno, "make \(folder)")) }
            try report.show(.backup(manifest, folder))
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    private func copy(_ home: String, to partial: String) throws -> [BackupManifest.File] {
        do throws(SystemError) {
            try FileSystem.makeDirectory(partial)
        } catch {
            throw Failure(error)
        }
        var files: [BackupManifest.File] = []
        // A controller first: what it was told before this began is in it.
        let records = "\(home)/\(StateFiles.controller)"
        if Files.exists(records) {
            let target = "\(partial)/\(StateFiles.controller)"
            do throws(StoreError) {
                try SQLiteStore.copy(records, to: target)
            } catch {
                throw Failure("storageUnavailable", error.message)
            }
            files.append(BackupManifest.File(StateFiles.controller, try Files.read(target, limit: BackupLimits.file)))
        }
        for name in try StateFiles.all(in: home) {
            // Each is replaced as a whole, so it is whole. One that was removed meanwhile is no part of it.
            guard let bytes = try BackupLimits.read("\(home)/\(name)") else { continue }
            try BackupLimits.write("\(partial)/\(name)", bytes, isSecret: true)
            files.append(BackupManifest.File(name, bytes))
        }
        return files
    }
}

/// Files of a backup, as bytes.
enum BackupLimits {
    /// Bytes of the longest file: records of a million members.
    static let file = 1 << 30

    static func read(_ path: String) throws(Failure) -> [UInt8]? {
        do throws(SystemError) {
            return try FileSystem.read(path, limit: file)
        } catch {
            throw Failure(error)
        }
    }

    static func write(_ path: String, _ bytes: [UInt8], isSecret: Bool) throws(Failure) {
        do throws(SystemError) {
            try FileSystem.write(path, bytes, mode: isSecret ? 0o600 : 0o644)
        } catch {
            throw Failure(error)
        }
    }
}

extension Report {
    fileprivate static func backup(_ manifest: BackupManifest, _ folder: String) -> Report {
        Report(
            text: "node \(manifest.address): \(manifest.files.count) files in \(folder)",
            json: .object([
                ("address", .string(manifest.address)), ("folder", .string(folder)),
                ("files", .array(manifest.files.map { .string($0.name) })),
            ]))
    }
}
