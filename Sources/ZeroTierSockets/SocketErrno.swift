// Error numbers of the socket layer: Linux's table on every platform, as lwIP's `errno.h` has it.

/// An error number as `zts_errno` shows it.
package struct SocketErrno: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }
}
