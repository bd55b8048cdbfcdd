// zerotier restore: a state directory from a backup.

import ArgumentParser
import Glibc
import JSONValues
import ZeroTier
import ZeroTierStore

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a state directory from a backup, while no node runs in it.",
        discussion: """
            Everything of the backup is read and checked before anything is written. A directory that has a node's state is refused, \
            unless --replace is given: then that state is moved into a folder beside it, which is named. Two nodes with one identity \
            must never run at a time.
            """)

    @Argument(
        help: ArgumentHelp("The folder that `zerotier backup` made.", valueName: "folder"), completion: .directory)
    var folder: String

    @OptionGroup var home: HomeOptions

    @Flag(help: "Set the state that is there aside.")
    var replace = false

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let manifest = try BackupManifest(
            try Files.read("\(folder)/\(BackupManifest.fileName)"), at: "\(folder)/\(BackupManifest.fileName)")
        let contents = try check(manifest)
        let home = try self.home.path()
        // A node that runs there has it.
        let store = try DirectoryStore(path: home)
        let present = try StateFiles.replaced(in: store.path)
        guard present.isEmpty || replace else {
            throw Failure(
                "stateExists",
                "\(store.path) has a node's state (\(present[0])): choose another directory, or set it aside with --replace"
            )
        }
        // Until it is gone, no node starts here.
        try BackupLimits.write("\(store.path)/\(StateFiles.unfinished)", Array(folder.utf8), isSecret: true)
        let aside = present.isEmpty ? nil : try setAside(present, store.path)
        for (name, bytes) in contents {
            try BackupLimits.write(
                "\(store.path)/\(name)", bytes, isSecret: StateFiles.isSecret(name) ?? true)
        }
        try store.remove(StateFiles.unfinished)
        try report.show(.restored(manifest, store.path, aside: aside))
    }

    // What is to be written: the bytes that were checked.
    private func check(_ manifest: BackupManifest) throws -> [(name: String, bytes: [UInt8])] {
        var contents: [(String, [UInt8])] = []
        for file in manifest.files {
            let path = "\(folder)/\(file.name)"
            guard StateFiles.isSecret(file.name) != nil else {
                throw Failure("invalidBackup", "\(path): no backup of this release has such a file")
            }
            guard let bytes = try BackupLimits.read(path), file.fits(bytes) else {
                throw Failure("invalidBackup", "\(path) is missing, or not as it was when the backup was made")
            }
            contents.append((file.name, bytes))
        }
        guard contents.contains(where: { $0.0 == "identity.secret" }) else {
            throw Failure("invalidBackup", "\(folder) has no identity")
        }
        let records = "\(folder)/\(StateFiles.controller)"
        if contents.contains(where: { $0.0 == StateFiles.controller }) {
            do throws(StoreError) {
                if let form = try SQLiteStore.form(of: records), form > SQLiteStore.form {
                    throw StoreError(message: "\(records) is of a later release (form \(form)); nothing was restored")
                }
            } catch {
                throw Failure("invalidBackup", error.message)
            }
        }
        return contents
    }

    // Gives the folder.
    private func setAside(_ names: [String], _ home: String) throws -> String {
        let time = SystemClock.universalTime().prefix { $0 != "." }.filter { $0.isNumber || $0 == "T" }
        var aside = "\(home)/replaced-\(time)"
        var number = 1
        while Files.exists(aside) {
            number += 1
            aside = "\(home)/replaced-\(time)-\(number)"
        }
        do throws(SystemError) {
            for name in names {
                let target = "\(aside)/\(name)"
                try FileSystem.makeDirectory(String(target[..<(target.lastIndex(of: "/") ?? target.startIndex)]))
                // Sound: both paths are copied to C strings for the call.
                guard unsafe rename("\(home)/\(name)", target) == 0 else {
                    throw SystemError(errno, "move \(home)/\(name) to \(target)")
                }
            }
        } catch {
            throw Failure(error)
        }
        return aside
    }
}

extension Report {
    fileprivate static func restored(_ manifest: BackupManifest, _ home: String, aside: String?) -> Report {
        var text = "node \(manifest.address) of \(manifest.time): \(manifest.files.count) files in \(home)"
        if let aside { text += "; what was there is in \(aside)" }
        return Report(
            text: text,
            json: .object([
                ("address", .string(manifest.address)), ("time", .string(manifest.time)), ("home", .string(home)),
                ("files", .array(manifest.files.map { .string($0.name) })), ("aside", .text(aside)),
            ]))
    }
}
