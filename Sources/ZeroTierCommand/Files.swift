// The files that tools read and write. Each failure names the file and the reason. A file that cannot be made again is
// never replaced. Read first: open(2), rename(2).

import Foundation
import Glibc
import ZeroTier

/// Files that were given by name.
enum Files {
    /// Reads a file of at most `limit` bytes.
    static func read(_ path: String, limit: Int = 1 << 24) throws(Failure) -> [UInt8] {
        do throws(SystemError) {
            guard let bytes = try FileSystem.read(path, limit: limit) else { throw SystemError(ENOENT, "read \(path)") }
            return bytes
        } catch {
            throw Failure(error)
        }
    }

    static func planet(_ path: String) throws(Failure) -> RootSet {
        try parse(path, try read(path)) { (bytes) throws(ZeroTierError) in try RootSet(bytes: bytes) }
    }

    static func identity(_ path: String) throws(Failure) -> Identity {
        try parse(path, try read(path)) { (bytes) throws(ZeroTierError) in
            try Identity(text: String(decoding: bytes, as: UTF8.self))
        }
    }

    static func signingKey(_ path: String) throws(Failure) -> RootSet.SigningKey {
        try parse(path, try read(path)) { (bytes) throws(ZeroTierError) in try RootSet.SigningKey(bytes: bytes) }
    }

    /// An error about a file's bytes, with the file's name.
    static func parse<Value>(
        _ path: String, _ bytes: [UInt8], _ body: ([UInt8]) throws(ZeroTierError) -> Value
    ) throws(Failure) -> Value {
        do throws(ZeroTierError) {
            return try body(bytes)
        } catch {
            throw Failure(error, about: path)
        }
    }

    /// Writes a secret for its owner alone, into a new file, or into one that is empty as mktemp(1) makes it.
    static func writeSecret(_ path: String, _ bytes: [UInt8]) throws(Failure) {
        try write(path) { () throws(SystemError) in
            if isStream(path) { return try fill(path, O_WRONLY, 0, bytes, isSecret: true) }
            if isEmpty(path) { return try replaceWhole(path, 0o600, bytes) }
            do throws(SystemError) {
                try fill(path, O_WRONLY | O_CREAT | O_EXCL, 0o600, bytes)
            } catch  where error.number == EEXIST {
                throw SystemError(EEXIST, "write \(path), which may be needed: remove it or choose another name")
            }
        }
    }

    /// Writes a file that everybody may read. A file of this name is replaced as a whole or not at all. Unless `followsLinks`, a
    /// link of this name is replaced too.
    static func replace(_ path: String, _ bytes: [UInt8], followsLinks: Bool = true) throws(Failure) {
        try write(path) { () throws(SystemError) in
            if followsLinks, isStream(path) { return try fill(path, O_WRONLY, 0, bytes) }
            // Where a link leads, not the link.
            let target = followsLinks ? URL(fileURLWithPath: path).resolvingSymlinksInPath().path : path
            try replaceWhole(target, 0o644, bytes)
        }
    }

    private static func replaceWhole(_ path: String, _ mode: mode_t, _ bytes: [UInt8]) throws(SystemError) {
        let temporary = "\(path).\(UInt64.random(in: 0...UInt64.max))"
        do throws(SystemError) {
            try fill(temporary, O_WRONLY | O_CREAT | O_EXCL, mode, bytes)
        } catch {
            throw SystemError(error.number, "write \(path)")
        }
        // Sound: the paths are copied to C strings for the calls.
        guard unsafe rename(temporary, path) == 0 else {
            let number = errno
            _ = unsafe unlink(temporary)
            throw SystemError(number, "write \(path)")
        }
    }

    static func exists(_ path: String) -> Bool { kind(path) != nil }

    /// Whether it is a pipe, a terminal or another device: something to write into, not to replace.
    static func isStream(_ path: String) -> Bool {
        guard let kind = kind(path) else { return false }
        return kind != S_IFREG && kind != S_IFDIR
    }

    /// Whether it is a file without contents: nothing is lost by writing it.
    static func isEmpty(_ path: String) -> Bool {
        guard let status = status(path) else { return false }
        return status.st_mode & S_IFMT == S_IFREG && status.st_size == 0
    }

    private static func kind(_ path: String) -> mode_t? { status(path).map { $0.st_mode & S_IFMT } }

    private static func status(_ path: String) -> stat? {
        var status = stat()
        // Sound: the path is copied to a C string for the call.
        return unsafe stat(path, &status) == 0 ? status : nil
    }

    // Somebody may have made a named pipe in order to catch a secret. Descriptors that we were given are trusted (`sudo`
    // leaves them with the caller's pipe).
    private static func isOurs(_ descriptor: Int32, _ path: String) -> Bool {
        if ["/dev/fd/", "/dev/std", "/proc/"].contains(where: path.hasPrefix) { return true }
        var status = stat()
        // Sound: the call fills the structure.
        guard unsafe fstat(descriptor, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFCHR || status.st_uid == geteuid()
    }

    private static func write(_ path: String, _ body: () throws(SystemError) -> Void) throws(Failure) {
        do throws(SystemError) {
            try body()
        } catch {
            throw Failure(error)
        }
    }

    // A new file that could not be filled is removed again.
    private static func fill(
        _ path: String, _ flags: Int32, _ mode: mode_t, _ bytes: [UInt8], isSecret: Bool = false
    ) throws(SystemError) {
        // Sound: as above.
        let descriptor = unsafe open(path, flags | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw SystemError(errno, "write \(path)") }
        do throws(SystemError) {
            do throws(SystemError) {
                if isSecret, !isOurs(descriptor, path) {
                    throw SystemError(EACCES, "write a secret into \(path), a pipe that another user has made")
                }
                try Output.put(bytes, descriptor, "write \(path)")
                if flags & O_CREAT != 0, fsync(descriptor) != 0 { throw SystemError(errno, "write \(path)") }
            } catch {
                _ = close(descriptor)
                throw error
            }
            try Descriptor.end(descriptor, "write \(path)")
        } catch {
            if flags & O_CREAT != 0 { _ = unsafe unlink(path) }
            throw error
        }
    }
}
