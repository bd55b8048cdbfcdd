// Generation 1: sockets. Arguments are checked before anything else, then that the service runs. Read first: ZeroTier.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// -1 and return codes fit; descriptors and counts of bytes are cut where the interface has only an int.
func int(_ result: Int) -> Int32 { Int32(clamping: result) }

@c @implementation
public func zts_socket(_ socket_family: Int32, _ socket_type: Int32, _ protocol: Int32) -> Int32 {
    int(SocketCalls.socket(socket_family, socket_type, `protocol`, .first))
}

@c @implementation
public func zts_connect(_ fd: Int32, _ addr: UnsafePointer<sockaddr>?, _ addrlen: socklen_t) -> Int32 {
    unsafe int(SocketCalls.connect(fd, addr, addrlen, .first))
}

@c @implementation
public func zts_bind(_ fd: Int32, _ addr: UnsafePointer<sockaddr>?, _ addrlen: socklen_t) -> Int32 {
    unsafe int(SocketCalls.bind(fd, addr, addrlen, .first))
}

@c @implementation
public func zts_listen(_ fd: Int32, _ backlog: Int32) -> Int32 { int(SocketCalls.listen(fd, backlog, .first)) }

@c @implementation
public func zts_accept(
    _ fd: Int32, _ addr: UnsafeMutablePointer<sockaddr>?, _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe int(SocketCalls.accept(fd, addr, addrlen, .first)) }

@c @implementation
public func zts_accept4(
    _ fd: Int32, _ addr: UnsafeMutablePointer<sockaddr>?, _ addrlen: UnsafeMutablePointer<socklen_t>?, _ flags: Int32
) -> Int32 {
    // Ours, or the host's SOCK_NONBLOCK, which is its O_NONBLOCK.
    let nonBlocking = flags & (ZTS_O_NONBLOCK | O_NONBLOCK) != 0
    return unsafe int(SocketCalls.accept(fd, addr, addrlen, nonBlocking: nonBlocking, .first))
}

@c @implementation
public func zts_setsockopt(
    _ fd: Int32, _ level: Int32, _ optname: Int32, _ optval: UnsafeRawPointer?, _ optlen: socklen_t
) -> Int32 { unsafe int(SocketCalls.setOption(fd, level, optname, optval, optlen, .first)) }

@c @implementation
public func zts_getsockopt(
    _ fd: Int32, _ level: Int32, _ optname: Int32, _ optval: UnsafeMutableRawPointer?,
    _ optlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe int(SocketCalls.getOption(fd, level, optname, optval, optlen, .first)) }

@c @implementation
public func zts_getsockname(
    _ fd: Int32, _ addr: UnsafeMutablePointer<sockaddr>?, _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe int(SocketCalls.localName(fd, addr, addrlen, .first)) }

@c @implementation
public func zts_getpeername(
    _ fd: Int32, _ addr: UnsafeMutablePointer<sockaddr>?, _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe int(SocketCalls.peerName(fd, addr, addrlen, .first)) }

// MARK: Host name

private let hostName = Mutex<String?>(nil)
/// As HOST_NAME_MAX allows, and more than any name in DNS.
private let longestHostName = 255

@c @implementation
public func zts_gethostname(_ name: UnsafeMutablePointer<CChar>?, _ len: Int) -> Int32 {
    guard let target = unsafe name, len > 0 else { return Generation.first.refuse("name is NULL or len is 0") }
    if LibraryNode.shared.isFreed { return Generation.first.fail(.notRunning) }
    guard let text = hostName.withLock({ $0 }) ?? LibraryNode.shared.node?.id.description else {
        return Generation.first.fail(.notRunning)
    }
    let bytes = Array(text.utf8)
    guard bytes.count < len else {
        return int(
            SocketCalls.fail(SocketError(.nameTooLong, "the name and its final 0 take \(bytes.count + 1) bytes")))
    }
    // Sound: the program's length was checked.
    for (index, byte) in bytes.enumerated() { unsafe target[index] = CChar(bitPattern: byte) }
    unsafe target[bytes.count] = 0
    return 0
}

@c @implementation
public func zts_sethostname(_ name: UnsafePointer<CChar>?, _ len: Int) -> Int32 {
    guard let source = unsafe name, len >= 0, len <= longestHostName else {
        return Generation.first.refuse("name is NULL or len is more than \(longestHostName)")
    }
    if LibraryNode.shared.isFreed { return Generation.first.fail(.notRunning) }
    // Sound: the program's promise of `len` bytes.
    let bytes = unsafe UnsafeBufferPointer(start: source, count: len).prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let text = String(decoding: bytes, as: UTF8.self)
    hostName.withLock { $0 = text }
    return 0
}

// MARK: Ending and waiting

@c @implementation
public func zts_close(_ fd: Int32) -> Int32 { int(SocketCalls.close(fd, .first)) }

@c @implementation
public func zts_shutdown(_ fd: Int32, _ how: Int32) -> Int32 { int(SocketCalls.shutdown(fd, how, .first)) }

@c @implementation
public func zts_select(
    _ nfds: Int32, _ readfds: UnsafeMutablePointer<fd_set>?, _ writefds: UnsafeMutablePointer<fd_set>?,
    _ exceptfds: UnsafeMutablePointer<fd_set>?, _ timeout: UnsafeMutablePointer<timeval>?
) -> Int32 {
    unsafe int(
        SocketCalls.select(
            nfds, readfds, writefds, exceptfds, seconds: timeout?.pointee.tv_sec,
            microseconds: Int(timeout?.pointee.tv_usec ?? 0), .first))
}

@c @implementation
public func zts_poll(_ fds: UnsafeMutablePointer<zts_pollfd>?, _ nfds: zts_nfds_t, _ timeout: Int32) -> Int32 {
    unsafe int(SocketCalls.poll(fds, nfds, timeout, .first))
}

@c @implementation
public func zts_fcntl(_ fd: Int32, _ cmd: Int32, _ flags: Int32) -> Int32 {
    int(SocketCalls.control(fd, cmd, flags, .first))
}

@c @implementation
public func zts_ioctl(_ fd: Int32, _ request: UInt, _ argp: UnsafeMutableRawPointer?) -> Int32 {
    unsafe int(SocketCalls.request(fd, request, argp, .first))
}

// MARK: Data

@c @implementation
public func zts_send(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe SocketCalls.send(fd, buf, len, flags, .first)
}

@c @implementation
public func zts_sendto(
    _ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32, _ addr: UnsafePointer<sockaddr>?,
    _ addrlen: socklen_t
) -> Int { unsafe SocketCalls.sendTo(fd, buf, len, flags, addr, addrlen, .first) }

@c @implementation
public func zts_sendmsg(_ fd: Int32, _ msg: UnsafePointer<msghdr>?, _ flags: Int32) -> Int {
    unsafe SocketCalls.sendMessage(fd, msg, flags, .first)
}

@c @implementation
public func zts_recv(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe SocketCalls.receive(fd, buf, len, flags, .first)
}

@c @implementation
public func zts_recvfrom(
    _ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32, _ addr: UnsafeMutablePointer<sockaddr>?,
    _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int { unsafe SocketCalls.receive(fd, buf, len, flags, .first, addr, addrlen) }

@c @implementation
public func zts_recvmsg(_ fd: Int32, _ msg: UnsafeMutablePointer<msghdr>?, _ flags: Int32) -> Int {
    unsafe SocketCalls.receiveMessage(fd, msg, flags, .first)
}

@c @implementation
public func zts_read(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int) -> Int32 {
    unsafe int(SocketCalls.receive(fd, buf, min(len, Int(Int32.max)), 0, .first))
}

@c @implementation
public func zts_write(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int) -> Int32 {
    unsafe int(SocketCalls.send(fd, buf, min(len, Int(Int32.max)), 0, .first))
}

@c @implementation
public func zts_read_offset(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ offset: Int, _ len: Int) -> Int32 {
    let target = unsafe offset < 0 ? nil : buf.map { unsafe $0 + offset }
    return unsafe int(SocketCalls.receive(fd, target, min(len, Int(Int32.max)), 0, .first))
}
