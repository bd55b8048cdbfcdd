// The operating system's errors, descriptors and clocks as values.

import CZeroTierSystem
import Glibc
package import NetPrimitives

/// What was built.
enum Build {
    /// Whether this is the C library that `make host_debug` links.
    static var isMadeForDebugging: Bool { csystem_is_made_for_debugging() != 0 }
}

/// A system call that failed.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system's error number.
    package let number: Int32
    /// What was being done.
    package let operation: String

    package init(_ number: Int32, _ operation: String) {
        self.number = number
        self.operation = operation
    }

    /// The system's words for the error number.
    package var reason: String {
        // Sound: strerror returns a zero-terminated string that is copied at once.
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }

    package var description: String { "\(operation): \(reason)" }

    package static let addressInUse = EADDRINUSE
    /// Another port may do: this one is another program's, or the superuser's.
    var isOfPort: Bool { number == EADDRINUSE || number == EACCES }
    static let addressNotAvailable = EADDRNOTAVAIL
    static let familyNotSupported = EAFNOSUPPORT
    package static let wouldBlock = EAGAIN

    // A shim's result: a negated error number, or a value.
    static func check(_ result: Int32, _ operation: @autoclosure () -> String) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(-result, operation()) }
        return result
    }
}

/// Owns one descriptor and closes it once.
package final class Descriptor: Sendable {
    /// The system's number; valid as long as this object lives.
    package let number: Int32

    /// Takes over a descriptor.
    package init(owning number: Int32) { self.number = number }

    deinit { _ = close(number) }
}

extension Descriptor {
    /// Closes what was written to, whose number nobody has any more. Some file systems, those of other machines above all, say
    /// only now that a write failed. It is closed whatever comes of it, after a signal too: see close(2).
    package static func end(_ number: Int32, _ operation: String) throws(SystemError) {
        if close(number) != 0, errno != EINTR { throw SystemError(errno, operation) }
    }

    /// Writes bytes if the descriptor takes them without waiting. Whether it did.
    static func writeAtOnce(_ bytes: [UInt8], to number: Int32) -> Bool {
        var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        // Sound: one entry, as said. A pipe without a reader has an error beside its room.
        guard unsafe poll(&entry, 1, 0) == 1, entry.revents == Int16(POLLOUT) else { return false }
        // Sound: reads as many bytes as the array has.
        return unsafe Glibc.write(number, bytes, bytes.count) == bytes.count
    }
}

/// The clocks of this machine.
package enum SystemClock {
    /// Both clocks at this moment. The monotonic one goes on while the machine sleeps.
    package static func now() -> Now {
        Now(monotonic: monotonic(), unixMilliseconds: csystem_unix_milliseconds())
    }

    /// The monotonic clock at this moment.
    package static func monotonic() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: csystem_monotonic_nanoseconds())
    }

    /// Universal time with milliseconds, as in RFC 3339.
    package static func universalTime() -> String {
        var time = timespec()
        var parts = unsafe tm()
        // Sound: both calls fill what they are given.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        _ = unsafe gmtime_r(&time.tv_sec, &parts)
        func pad(_ value: Int32, _ digits: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        // Sound: numbers of the structure, whose text is not touched.
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        return
            "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2)).\(pad(Int32(time.tv_nsec / 1_000_000), 3))Z"
    }
}

/// What the process was started with.
enum Environment {
    /// Where errors are shown.
    static let standardError = STDERR_FILENO
    /// The user in whose name the process acts.
    static var user: UInt32 { geteuid() }

    /// The value of a variable; nil if there is none.
    static func value(of name: String) -> String? {
        // Sound: the text is copied at once. A program that changes its environment does so before it starts threads.
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}

/// The system's randomness, the seed of everything else.
package enum SystemRandom {
    /// Bytes fit for keys.
    package static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
}
