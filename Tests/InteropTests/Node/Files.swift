// Files, and what the kernel knows about this process.

import Glibc
import ZeroTier

/// A whole file.
func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY)
    guard descriptor >= 0 else { throw CommandError(what: "open", details: "code=\(errno)") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        // Sound: the kernel writes at most `count` bytes into an array of that size, which outlives the call.
        let got = unsafe chunk.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        guard got > 0 else { return bytes }
        bytes += chunk[..<got]
    }
}

/// Replaces a file.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw CommandError(what: "open", details: "code=\(errno)") }
    defer { close(descriptor) }
    guard writeAll(descriptor, bytes) else { throw CommandError(what: "write", details: "code=\(errno)") }
}

/// Writes to standard output, unbuffered.
func writeOutput(_ text: String) { _ = writeAll(STDOUT_FILENO, Array(text.utf8)) }

/// Writes to standard error.
func writeError(_ text: String) { _ = writeAll(STDERR_FILENO, Array(text.utf8)) }

private func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    // Sound: the kernel reads `count` bytes of an array of that size, which outlives the call.
    unsafe bytes.withUnsafeBytes { buffer in unsafe write(descriptor, buffer.baseAddress, buffer.count) } == bytes.count
}

/// Memory of this process that is in use; -1 if the kernel does not tell.
func residentKilobytes() -> Int {
    guard let bytes = try? readFile("/proc/self/status") else { return -1 }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmRSS:") {
        return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? -1
    }
    return -1
}

/// Processor time of this process.
func processorMilliseconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}
