// State in files of a directory that belongs to one running node at a time.

import Synchronization

/// A directory of state files: atomic writes, secrets with mode 0600, one node at a time by a lock file.
public final class DirectoryStore: StateStore {
    /// The directory.
    public let path: String
    private let lock: Mutex<Descriptor?>

    /// Opens a directory, made with mode 0700 if there is none, and locks it. Throws if it cannot be written or another
    /// node holds it.
    public init(path: String) throws(ZeroTierError) {
        self.path = path
        guard !path.isEmpty else { throw ZeroTierError(.invalidArgument, "the path of the state directory is empty") }
        do throws(SystemError) {
            try FileSystem.makeDirectory(path)
            guard let lock = try FileSystem.lock("\(path)/\(StateName.lock)") else {
                throw SystemError(SystemError.wouldBlock, "")
            }
            self.lock = Mutex(lock)
        } catch {
            if error.number == SystemError.wouldBlock {
                throw ZeroTierError(.storageInUse, "state directory \(path): another node is running there")
            }
            throw .storage(error, directory: path)
        }
    }

    /// Lets another node have the directory.
    package func unlock() { lock.withLock { $0 = nil } }

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
            if let current = try? FileSystem.read(location), current == bytes, FileSystem.mode(of: location) == mode {
                return
            }
            // What is known of peers can be learned again, and is written often.
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
