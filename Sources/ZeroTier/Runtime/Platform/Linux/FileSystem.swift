// Whole files, read and replaced atomically. Read first: open(2), rename(2), flock(2).

import CZeroTierSystem
import Glibc

/// Calls on files by path. Contents are whole byte arrays; a write is seen completely or not at all.
package enum FileSystem {
    /// Reads a file of at most `limit` bytes; nil if there is none.
    package static func read(_ path: String, limit: Int = 1 << 24) throws(SystemError) -> [UInt8]? {
        // Sound: the path is copied to a C string for the call.
        let result = unsafe csystem_open_file(path, 0, 0, 0, 0, 0)
        if result == -ENOENT { return nil }
        let file = Descriptor(owning: try SystemError.check(result, "read \(path)"))
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            // Sound: at most as many bytes as the chunk has.
            let count = unsafe Glibc.read(file.number, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(errno, "read \(path)")
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw SystemError(EFBIG, "read \(path)") }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    /// Replaces a file by way of a temporary one beside it. Missing directories are made. Unless `isDurable`, a crash of the
    /// machine may leave it empty.
    package static func write(
        _ path: String, _ bytes: [UInt8], mode: UInt32, isDurable: Bool = true
    ) throws(SystemError) {
        let folder = parent(of: path)
        try makeDirectory(folder)
        let temporary = "\(path).new"
        // Left over from a run that was killed; its mode may be wrong.
        _ = unsafe unlink(temporary)
        let result = unsafe csystem_open_file(temporary, 1, 1, 1, 1, mode)
        let number = try SystemError.check(result, "write \(path)")
        do throws(SystemError) {
            do throws(SystemError) {
                try fill(number, bytes, isDurable: isDurable, "write \(path)")
            } catch {
                _ = close(number)
                throw error
            }
            try Descriptor.end(number, "write \(path)")
            if unsafe rename(temporary, path) != 0 { throw SystemError(errno, "write \(path)") }
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
    }

    private static func fill(
        _ number: Int32, _ bytes: [UInt8], isDurable: Bool, _ operation: String
    ) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            // Sound: the rest of the array, from an offset within it.
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(number, raw.baseAddress.map { unsafe $0 + offset }, raw.count - offset)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(errno, operation)
            }
            offset += count
        }
        if isDurable, fsync(number) != 0 { throw SystemError(errno, operation) }
    }

    /// Removes a file; that there is none is no error.
    package static func remove(_ path: String) throws(SystemError) {
        if unsafe unlink(path) != 0, errno != ENOENT { throw SystemError(errno, "remove \(path)") }
    }

    /// Makes a directory, and those above it, with mode 0700; that it exists is no error.
    package static func makeDirectory(_ path: String) throws(SystemError) {
        if path.isEmpty || path == "/" || path == "." { return }
        if unsafe mkdir(path, 0o700) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            try makeDirectory(parent(of: path))
            if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw SystemError(errno, "create \(path)") }
        default: throw SystemError(errno, "create \(path)")
        }
    }

    /// The names in a directory, sorted; none if there is no such directory.
    package static func list(_ path: String) throws(SystemError) -> [String] {
        guard let directory = unsafe opendir(path) else {
            if errno == ENOENT { return [] }
            throw SystemError(errno, "list \(path)")
        }
        defer { _ = unsafe closedir(directory) }
        var names: [String] = []
        guard let nameOffset = MemoryLayout<dirent>.offset(of: \dirent.d_name) else { return [] }
        while let entry = unsafe readdir(directory) {
            // Sound: d_name is a zero-terminated array inside the entry, which lives until the next readdir. It is read
            // where it lies: the kernel's entry ends with the name, a copy of the declared array would read beyond it.
            let name = unsafe String(
                cString: UnsafeRawPointer(entry).advanced(by: nameOffset).assumingMemoryBound(to: CChar.self))
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Opens a lock file, a regular one, and takes its lock. Nil if another process, or another node of this one, holds it.
    package static func lock(_ path: String) throws(SystemError) -> Descriptor? {
        if let facts = facts(of: path, followsLinks: false), !facts.isRegular {
            throw SystemError(facts.isLink ? ELOOP : EINVAL, "lock \(path)")
        }
        let result = unsafe csystem_open_file(path, 1, 0, 0, 1, 0o600)
        let file = Descriptor(owning: try SystemError.check(result, "write \(path)"))
        switch csystem_lock_file(file.number) {
        case 0: return file
        case -EWOULDBLOCK: return nil
        case let error: throw SystemError(-error, "lock \(path)")
        }
    }

    /// Gives a lock back, whoever else has a copy of the descriptor.
    package static func unlock(_ file: Descriptor) { _ = csystem_unlock_file(file.number) }

    /// The path from the root of the file system, whatever the working directory is later.
    package static func absolute(_ path: String) throws(SystemError) -> String {
        if path.hasPrefix("/") { return path }
        // Sound: getcwd allocates the text, which is copied and freed.
        guard let text = unsafe getcwd(nil, 0) else { throw SystemError(errno, "find the working directory") }
        defer { unsafe free(text) }
        let folder = unsafe String(cString: text)
        return folder == "/" ? "/\(path)" : "\(folder)/\(path)"
    }

    /// Who can do what with a file.
    package struct Facts {
        package let owner: UInt32
        package let mode: UInt32
        /// When it was changed last, Unix seconds.
        package let modified: Int64
        package let isRegular: Bool
        package let isLink: Bool

        /// Whether it belongs to somebody who could not read a user's files anyway: neither that user nor the superuser.
        package func isForeign(to user: UInt32) -> Bool { owner != 0 && owner != user }
    }

    /// What the system says of a file; nil if there is none.
    package static func facts(of path: String, followsLinks: Bool = true) -> Facts? {
        var status = stat()
        guard unsafe (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        let kind = UInt32(status.st_mode) & UInt32(S_IFMT)
        return Facts(
            owner: status.st_uid, mode: UInt32(status.st_mode) & 0o7777, modified: Int64(status.st_mtim.tv_sec),
            isRegular: kind == UInt32(S_IFREG), isLink: kind == UInt32(S_IFLNK))
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    }
}
