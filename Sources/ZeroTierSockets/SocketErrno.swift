// Error numbers of the socket layer: Linux's table on every platform, as lwIP's `errno.h` has it.
// Read first: errno(3).

/// An error number as `zts_errno` shows it.
package struct SocketErrno: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    private init(_ rawValue: Int32) { self.rawValue = rawValue }

    /// ENOENT: nothing of that name.
    package static let noSuchName = SocketErrno(2)
    /// EINTR: a handler of a signal ran while the call waited.
    package static let interrupted = SocketErrno(4)
    /// EBADF: no such descriptor, or it was closed while the call waited.
    package static let badDescriptor = SocketErrno(9)
    /// EAGAIN: the call would block, or its time-out is over.
    package static let tryAgain = SocketErrno(11)
    /// EACCES.
    package static let accessDenied = SocketErrno(13)
    /// EINVAL.
    package static let invalid = SocketErrno(22)
    /// EMFILE: no descriptor is free.
    package static let tooManyDescriptors = SocketErrno(24)
    /// EPIPE: the sending side is shut.
    package static let brokenPipe = SocketErrno(32)
    /// EDOM: a time with too many microseconds.
    package static let outOfDomain = SocketErrno(33)
    /// EDESTADDRREQ.
    package static let destinationRequired = SocketErrno(89)
    /// EMSGSIZE.
    package static let messageTooLong = SocketErrno(90)
    /// ENOPROTOOPT.
    package static let noSuchOption = SocketErrno(92)
    /// EPROTONOSUPPORT.
    package static let protocolNotSupported = SocketErrno(93)
    /// EOPNOTSUPP.
    package static let notSupported = SocketErrno(95)
    /// EAFNOSUPPORT.
    package static let familyNotSupported = SocketErrno(97)
    /// EADDRINUSE.
    package static let addressInUse = SocketErrno(98)
    /// EADDRNOTAVAIL.
    package static let addressNotAvailable = SocketErrno(99)
    /// ENETDOWN: the node is not running, or was stopped; or the socket's network or address went away.
    package static let networkDown = SocketErrno(100)
    /// ENETUNREACH.
    package static let networkUnreachable = SocketErrno(101)
    /// ECONNABORTED.
    package static let aborted = SocketErrno(103)
    /// ECONNRESET.
    package static let reset = SocketErrno(104)
    /// ENOBUFS.
    package static let noBuffers = SocketErrno(105)
    /// EISCONN.
    package static let isConnected = SocketErrno(106)
    /// ENOTCONN.
    package static let notConnected = SocketErrno(107)
    /// ETIMEDOUT.
    package static let timedOut = SocketErrno(110)
    /// ECONNREFUSED.
    package static let refused = SocketErrno(111)
    /// EHOSTUNREACH.
    package static let hostUnreachable = SocketErrno(113)
    /// EALREADY.
    package static let already = SocketErrno(114)
    /// EINPROGRESS.
    package static let inProgress = SocketErrno(115)

    private static let names: [Int32: String] = [
        4: "EINTR", 9: "EBADF", 11: "EAGAIN", 13: "EACCES", 22: "EINVAL", 24: "EMFILE", 25: "ENOTTY", 32: "EPIPE",
        33: "EDOM", 89: "EDESTADDRREQ", 90: "EMSGSIZE", 92: "ENOPROTOOPT", 93: "EPROTONOSUPPORT", 95: "EOPNOTSUPP",
        97: "EAFNOSUPPORT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 100: "ENETDOWN", 101: "ENETUNREACH",
        103: "ECONNABORTED", 104: "ECONNRESET", 105: "ENOBUFS", 106: "EISCONN", 107: "ENOTCONN", 110: "ETIMEDOUT",
        111: "ECONNREFUSED", 113: "EHOSTUNREACH", 114: "EALREADY", 115: "EINPROGRESS",
    ]

    /// The name in errno(3).
    package var description: String { SocketErrno.names[rawValue] ?? "errno \(rawValue)" }
}

/// A socket call that failed.
package struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What goes into `zts_errno`.
    package let number: SocketErrno
    /// The reason, if the number does not say enough.
    package let reason: String?

    package init(_ number: SocketErrno, _ reason: String? = nil) {
        self.number = number
        self.reason = reason
    }

    /// The number's name and the reason.
    package var description: String { reason.map { "\(number): \($0)" } ?? "\(number)" }
}
