// State in files of a directory that belongs to one running node at a time.

import Synchronization

/// A directory of state files: atomic writes, secrets with mode 0600, one node at a time by a lock file.
///
/// A secret that others can change, or that belongs to another user, is refused and left as it was: nobody knows whose it is. A
/// secret that others can only read is used, with a warning by an event and in the log at each start. So homes that an older
/// program wrote with a generous umask go on working. The superuser uses another user's files, with a warning: containers see a
/// host's directories like that.
public final class DirectoryStore: StateStore {
    /// The directory, from the root of the file system.
    public let path: String
    /// Things that its owner should mend. The node goes on.
    package let warnings: [ZeroTierError]
    private let lock: Mutex<Descriptor?>
    // Some file systems have no modes: there every file has the same.
    private let keepsModes: Bool

    // Files whose contents are for nobody else.
    private static let secrets: Set<String> = [
        StateName.secretIdentity, StateName.planetKey, "authtoken.secret", "metricstoken.secret",
        "centraltokens.secret",
    ]

    /// Opens a directory, made with mode 0700 if there is none, and locks it. A relative path counts from the working
    /// directory of this moment. Throws if it cannot be written, another node holds it, or a secret in it is not the
    /// owner's alone to change.
    public init(path given: String) throws(ZeroTierError) {
        var path = given
        guard !path.isEmpty else { throw ZeroTierError(.invalidArgument, "the path of the state directory is empty") }
        do throws(SystemError) {
            path = try FileSystem.absolute(path)
            try FileSystem.makeDirectory(path)
            guard let lock = try FileSystem.lock("\(path)/\(StateName.lock)") else {
                throw SystemError(SystemError.wouldBlock, "")
            }
            self.lock = Mutex(lock)
            self.path = path
            let lockMode = FileSystem.facts(of: "\(path)/\(StateName.lock)")?.mode
            keepsModes = lockMode.map { $0 & 0o022 == 0 } ?? true
        } catch {
            if error.number == SystemError.wouldBlock {
                throw ZeroTierError(.storageInUse, "state directory \(path): another node is running there")
            }
            throw .storage(error, directory: path)
        }
        var warnings: [ZeroTierError] = []
        if keepsModes {
            if let facts = FileSystem.facts(of: path) {
                if facts.isForeign(to: Environment.user) || (facts.mode & 0o022 != 0 && facts.mode & 0o1000 == 0) {
                    warnings.append(
                        ZeroTierError(
                            .storageUnsafe,
                            "state directory \(path): others can change what is in it; it should be its user's alone "
                                + "(chmod 700 \(path))"))
                }
            }
            for name in DirectoryStore.secrets.sorted() {
                if let warning = try DirectoryStore.check(secret: "\(path)/\(name)", for: Environment.user) {
                    warnings.append(warning)
                }
            }
        }
        self.warnings = warnings
    }

    /// Throws if others than the user can change a secret. Gives a warning if they can read it.
    static func check(secret file: String, for user: UInt32) throws(ZeroTierError) -> ZeroTierError? {
        guard let facts = FileSystem.facts(of: file) else { return nil }
        let isForeign = facts.isForeign(to: user)
        if isForeign, user != 0 {
            throw ZeroTierError(
                .storageUnsafe,
                "\(file) belongs to another user (\(facts.owner)); it was left as it is and not used. Is it still the right "
                    + "one? Then, as superuser, chown \(user) \(file)")
        }
        if facts.mode & 0o022 != 0 {
            throw ZeroTierError(
                .storageUnsafe,
                "\(file) can be changed by others; it was left as it is and not used. Is it still the right one? Then "
                    + "chmod 600 \(file)")
        }
        if isForeign {
            return ZeroTierError(
                .storageUnsafe,
                "\(file) belongs to another user (\(facts.owner)), who can act as this node and change it: chown \(user) \(file)"
            )
        }
        guard facts.mode & 0o044 != 0 else { return nil }
        return ZeroTierError(
            .storageUnsafe, "\(file) can be read by others, who can act as this node: chmod 600 \(file)")
    }

    /// Lets another node have the directory.
    package func unlock() {
        lock.withLock { lock in
            if let lock { FileSystem.unlock(lock) }
            lock = nil
        }
    }

    /// The bytes of a file; nil if there is none.
    public func read(_ name: String) throws(ZeroTierError) -> [UInt8]? {
        do throws(SystemError) {
            return try FileSystem.read(location(of: name))
        } catch {
            throw .storage(error, directory: path)
        }
    }

    /// Replaces a file unless it has these bytes already.
    public func write(_ name: String, _ bytes: [UInt8], isSecret: Bool) throws(ZeroTierError) {
        do throws(SystemError) {
            let location = location(of: name)
            let mode: UInt32 = isSecret ? 0o600 : 0o644
            if let current = try? FileSystem.read(location), current == bytes,
                !keepsModes || FileSystem.facts(of: location)?.mode == mode
            {
                return
            }
            // Facts about peers can be learned again, and are written often.
            let isDurable = !name.hasPrefix("\(StateName.peerFolder)/")
            try FileSystem.write(location, bytes, mode: mode, isDurable: isDurable)
        } catch {
            throw .storage(error, directory: path)
        }
    }

    /// Removes a file.
    public func remove(_ name: String) throws(ZeroTierError) {
        do throws(SystemError) {
            try FileSystem.remove(location(of: name))
        } catch {
            throw .storage(error, directory: path)
        }
    }

    /// The files of a folder.
    public func list(_ folder: String) throws(ZeroTierError) -> [String] {
        do throws(SystemError) {
            return try FileSystem.list(location(of: folder))
        } catch {
            throw .storage(error, directory: path)
        }
    }

    /// The file's path.
    public func location(of name: String) -> String { "\(path)/\(name)" }
}
