// Records in files, read and written in the node's process. Nothing is changed by a folder or file that cannot be read as a whole.

import Foundation
import Glibc
import JSONValues
import ZeroTier
import ZeroTierController

enum ControllerFiles {
    // MARK: Import

    static func take(
        _ path: String, existing: ExistingRecords, _ controller: NetworkController
    ) throws -> Report {
        var records = RecordImport()
        var kept: [String] = []
        do throws(ImportError) {
            for file in try files(at: path, &kept) { try records.add(file, try read(file)) }
            try records.finish()
        } catch {
            throw ZeroTierError(.invalidArgument, "\(error); nothing was taken")
        }
        return Report.imported(try controller.take(records, existing: existing), records.notes, kept: kept)
    }

    // Records by the names that the reference gives them; of a folder without any, all files of JSON.
    private static func files(at path: String, _ kept: inout [String]) throws(ImportError) -> [String] {
        guard try isFolder(path) else { return [path] }
        let folder = path + "/network"
        guard (try? isFolder(folder)) == true else {
            let all = try names(in: path).map { "\(path)/\($0)" }
            let found = all.filter { $0.hasSuffix(".json") }
            guard !found.isEmpty else {
                throw ImportError(
                    file: path, problem: "neither a folder \"network\" nor a file that ends in .json is there")
            }
            kept = all.filter { !$0.hasSuffix(".json") }
            return found
        }
        var found: [String] = []
        for name in try names(in: folder) {
            let file = "\(folder)/\(name)"
            guard let id = RecordName.network(name) else {
                if (try? isFolder(file)) != true { kept.append(file) }
                continue
            }
            found.append(file)
            let members = "\(folder)/\(id)/member"
            guard (try? isFolder(members)) == true else { continue }
            for name in try names(in: members) {
                if RecordName.member(name) {
                    found.append("\(members)/\(name)")
                } else {
                    kept.append("\(members)/\(name)")
                }
            }
        }
        return found
    }

    private static func isFolder(_ path: String) throws(ImportError) -> Bool {
        try status(path).st_mode & S_IFMT == S_IFDIR
    }

    private static func status(_ path: String) throws(ImportError) -> stat {
        var status = stat()
        // Sound: the path is copied to a C string for the call, which fills the structure.
        guard unsafe stat(path, &status) == 0 else {
            throw ImportError(file: path, problem: SystemError(errno, "read").description)
        }
        return status
    }

    private static func names(in folder: String) throws(ImportError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            throw ImportError(file: folder, problem: "cannot list it: \(error.localizedDescription)")
        }
    }

    // A pipe or a device has no end that one could wait for.
    private static func read(_ path: String) throws(ImportError) -> [UInt8] {
        let status = try status(path)
        guard status.st_mode & S_IFMT == S_IFREG else { throw ImportError(file: path, problem: "it is no file") }
        guard status.st_size <= ControllerLimits.exportText else {
            throw ImportError(
                file: path, problem: "it has \(status.st_size) bytes; at most \(ControllerLimits.exportText) are read")
        }
        do throws(Failure) {
            return try Files.read(path)
        } catch {
            throw ImportError(file: path, problem: "\(error)")
        }
    }

    // MARK: Export

    static func export(to path: String, _ controller: NetworkController) throws -> Report {
        let networks = try controller.exportedNetworks()
        let folder = path + "/network"
        var members = 0
        var written: [(file: String, record: String)] = []
        var folders = [path, folder]
        var known: Set<String> = []
        for id in networks {
            guard let records = try controller.exported(id) else { continue }
            folders += ["\(folder)/\(id)", "\(folder)/\(id)/member"]
            written.append(("\(folder)/\(id).json", records.network))
            for (node, record) in records.members { written.append(("\(folder)/\(id)/member/\(node).json", record)) }
            members += records.members.count
        }
        for (file, _) in written { known.insert(file) }
        var kept: [String] = []
        if Files.exists(folder) {
            do throws(ImportError) {
                for file in try files(at: path, &kept) where !known.contains(file) {
                    throw ImportError(
                        file: file,
                        problem: "this node has no such record: remove the file, or export into another folder")
                }
            } catch {
                throw ZeroTierError(.invalidArgument, "\(error)")
            }
        }
        for folder in folders { try make(folder) }
        for (file, record) in written { try write(file, record) }
        return Report(
            text: "exported \(networks.count) networks and \(members) members to \(path)",
            json: .object([
                ("folder", .string(path)), ("networks", JSONValue(networks.count)), ("members", JSONValue(members)),
            ]))
    }

    private static func make(_ folder: String) throws(ZeroTierError) {
        do throws(SystemError) {
            try FileSystem.makeDirectory(folder)
        } catch {
            throw ZeroTierError(.storageUnavailable, error.description)
        }
    }

    // In the place of a former one as a whole; for its owner alone, since networks have tokens.
    private static func write(_ file: String, _ record: String) throws {
        let temporary = file + ".new"
        // Sound: as above.
        _ = unsafe unlink(temporary)
        do throws(Failure) {
            try Files.writeSecret(temporary, Array(record.utf8))
        } catch {
            throw ZeroTierError(.storageUnavailable, "\(error)")
        }
        guard unsafe rename(temporary, file) != 0 else { return }
        let number = errno
        _ = unsafe unlink(temporary)
        throw ZeroTierError(.storageUnavailable, SystemError(number, "write \(file)").description)
    }
}

/// The names of files that hold records.
private enum RecordName {
    /// The ID of a network's file; nil for another one.
    static func network(_ name: String) -> NetworkID? {
        guard name.hasSuffix(".json"), name.utf8.count == 21 else { return nil }
        return NetworkID(String(name.dropLast(5)))
    }

    static func member(_ name: String) -> Bool {
        name.hasSuffix(".json") && name.utf8.count == 15 && NodeID(String(name.dropLast(5))) != nil
    }
}

extension Report {
    fileprivate static func imported(_ networks: [ImportedNetwork], _ notes: [String], kept: [String]) -> Report {
        var lines: [String] = []
        for network in networks {
            let name = network.name.isEmpty ? "" : " \"\(network.name)\""
            let origin = network.former == network.id ? "" : ", a new network in the place of \(network.former)"
            let members = "\(network.memberCount) members"
            switch network.outcome {
            case .made: lines.append("network \(network.id)\(name): \(members)\(origin)")
            case .kept: lines.append("network \(network.id)\(name) was there and is as it was: \(members) added")
            case .replaced:
                lines.append(
                    "network \(network.id)\(name) was there and is as the files say: \(members) changed or added")
            }
        }
        for network in networks where !network.mustJoin.isEmpty {
            lines.append("these are let in, and must join \(network.id) and leave \(network.former):")
            for node in network.mustJoin { lines.append("  \(node.address) \(node.name)") }
        }
        lines += notes
        if !kept.isEmpty { lines.append("not read, and left where they are: \(kept.joined(separator: ", "))") }
        let list = networks.map { network -> JSONValue in
            .object([
                ("id", .text(network.id)), ("former", .text(network.former)), ("name", .string(network.name)),
                ("outcome", .string(network.outcome.rawValue)), ("members", JSONValue(network.memberCount)),
                (
                    "mustJoin",
                    .array(network.mustJoin.map { .object([("id", .text($0.address)), ("name", .string($0.name))]) })
                ),
            ])
        }
        return Report(
            text: lines.joined(separator: "\n"),
            json: .object([
                ("networks", .array(list)), ("notes", .array(notes.map { .string($0) })),
                ("kept", .array(kept.map { .string($0) })),
            ]))
    }
}
