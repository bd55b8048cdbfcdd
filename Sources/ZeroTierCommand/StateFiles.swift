// The files that a backup has: all of a state directory that cannot be learned again.

import Glibc
import ZeroTier

/// Names in a state directory.
enum StateFiles {
    static let controller = "controller.db"
    /// Left by a restore that did not end.
    static let unfinished = "restore.unfinished"

    // Name and whether it is a secret.
    private static let single: [(name: String, isSecret: Bool)] = [
        ("identity.secret", true), ("identity.public", false), ("planet", false), ("planet.key", true),
        ("roots", false),
        ("port", false), ("authtoken.secret", true), ("metricstoken.secret", true), ("local.conf", true),
    ]
    private static let folders: [(name: String, suffix: String, isSecret: Bool)] = [
        ("moons.d", ".moon", false), ("networks.d", ".conf", true),
    ]
    // What else of an earlier node would be mixed with what is restored.
    private static let remains = ["\(controller)-wal", "\(controller)-shm"]
    private static let peerFolder = "peers.d"

    /// The files of a directory that a backup has, without the controller's.
    static func all(in home: String) throws(Failure) -> [String] {
        var names = single.map(\.name).filter { Files.exists("\(home)/\($0)") }
        for folder in folders {
            names += try list("\(home)/\(folder.name)").filter { $0.hasSuffix(folder.suffix) }.map {
                "\(folder.name)/\($0)"
            }
        }
        return names
    }

    /// Everything that a restore takes the place of.
    static func replaced(in home: String) throws(Failure) -> [String] {
        let files = ([controller] + remains).filter { Files.exists("\(home)/\($0)") }
        return try all(in: home) + files + (try list("\(home)/\(peerFolder)")).map { "\(peerFolder)/\($0)" }
    }

    /// Whether a file is for nobody else; nil for a name that no backup has.
    static func isSecret(_ name: String) -> Bool? {
        if name == controller { return true }
        if let file = single.first(where: { $0.name == name }) { return file.isSecret }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[1].hasPrefix(".") else { return nil }
        return folders.first { $0.name == parts[0] && parts[1].hasSuffix($0.suffix) }?.isSecret
    }

    private static func list(_ path: String) throws(Failure) -> [String] {
        do throws(SystemError) {
            return try FileSystem.list(path)
        } catch {
            throw Failure(error)
        }
    }
}
