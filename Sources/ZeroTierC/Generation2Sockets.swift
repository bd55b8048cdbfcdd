// Generation 2: sockets as in BSD. That the node runs is checked before the arguments. Read first: ZeroTierSockets.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import NetPrimitives
import ZeroTierLibrary
import ZeroTierSockets

@c @implementation
public func zts_bsd_socket(_ family: Int32, _ type: Int32, _ protocol: Int32) -> Int32 {
    int(SocketCalls.socket(family, type, `protocol`, .second))
}

@c @implementation
public func zts_bsd_connect(_ fd: Int32, _ addr: UnsafePointer<zts_sockaddr>?, _ addrlen: zts_socklen_t) -> Int32 {
    unsafe int(SocketCalls.connect(fd, addr, addrlen, .second))
}

@c @implementation
public func zts_bsd_bind(_ fd: Int32, _ addr: UnsafePointer<zts_sockaddr>?, _ addrlen: zts_socklen_t) -> Int32 {
    unsafe int(SocketCalls.bind(fd, addr, addrlen, .second))
}

@c @implementation
public func zts_bsd_listen(_ fd: Int32, _ backlog: Int32) -> Int32 { int(SocketCalls.listen(fd, backlog, .second)) }

@c @implementation
public func zts_bsd_accept(
    _ fd: Int32, _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int32 { unsafe int(SocketCalls.accept(fd, addr, addrlen, .second)) }

@c @implementation
public func zts_bsd_setsockopt(
    _ fd: Int32, _ level: Int32, _ optname: Int32, _ optval: UnsafeRawPointer?, _ optlen: zts_socklen_t
) -> Int32 { unsafe int(SocketCalls.setOption(fd, level, optname, optval, optlen, .second)) }

@c @implementation
public func zts_bsd_getsockopt(
    _ fd: Int32, _ level: Int32, _ optname: Int32, _ optval: UnsafeMutableRawPointer?,
    _ optlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int32 { unsafe int(SocketCalls.getOption(fd, level, optname, optval, optlen, .second)) }

@c @implementation
public func zts_bsd_getsockname(
    _ fd: Int32, _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int32 { unsafe int(SocketCalls.localName(fd, addr, addrlen, .second)) }

@c @implementation
public func zts_bsd_getpeername(
    _ fd: Int32, _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int32 { unsafe int(SocketCalls.peerName(fd, addr, addrlen, .second)) }

@c @implementation
public func zts_bsd_close(_ fd: Int32) -> Int32 { int(SocketCalls.close(fd, .second)) }

@c @implementation
public func zts_bsd_select(
    _ nfds: Int32, _ readfds: UnsafeMutablePointer<zts_fd_set>?, _ writefds: UnsafeMutablePointer<zts_fd_set>?,
    _ exceptfds: UnsafeMutablePointer<zts_fd_set>?, _ timeout: UnsafeMutablePointer<zts_timeval>?
) -> Int32 {
    unsafe int(
        SocketCalls.select(
            nfds, readfds, writefds, exceptfds, seconds: timeout?.pointee.tv_sec,
            microseconds: timeout?.pointee.tv_usec ?? 0, .second))
}

@c @implementation
public func zts_bsd_fcntl(_ fd: Int32, _ cmd: Int32, _ flags: Int32) -> Int32 {
    int(SocketCalls.control(fd, cmd, flags, .second))
}

@c @implementation
public func zts_bsd_poll(_ fds: UnsafeMutablePointer<zts_pollfd>?, _ nfds: zts_nfds_t, _ timeout: Int32) -> Int32 {
    unsafe int(SocketCalls.poll(fds, nfds, timeout, .second))
}

@c @implementation
public func zts_bsd_ioctl(_ fd: Int32, _ request: UInt, _ argp: UnsafeMutableRawPointer?) -> Int32 {
    unsafe int(SocketCalls.request(fd, request, argp, .second))
}

@c @implementation
public func zts_bsd_shutdown(_ fd: Int32, _ how: Int32) -> Int32 { int(SocketCalls.shutdown(fd, how, .second)) }

// MARK: Data

@c @implementation
public func zts_bsd_send(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe SocketCalls.send(fd, buf, len, flags, .second)
}

@c @implementation
public func zts_bsd_sendto(
    _ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32, _ addr: UnsafePointer<zts_sockaddr>?,
    _ addrlen: zts_socklen_t
) -> Int { unsafe SocketCalls.sendTo(fd, buf, len, flags, addr, addrlen, .second) }

@c @implementation
public func zts_bsd_sendmsg(_ fd: Int32, _ msg: UnsafePointer<zts_msghdr>?, _ flags: Int32) -> Int {
    unsafe SocketCalls.sendMessage(fd, msg, flags, .second)
}

@c @implementation
public func zts_bsd_recv(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe SocketCalls.receive(fd, buf, len, flags, .second)
}

@c @implementation
public func zts_bsd_recvfrom(
    _ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32,
    _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int { unsafe SocketCalls.receive(fd, buf, len, flags, .second, addr, addrlen) }

@c @implementation
public func zts_bsd_recvmsg(_ fd: Int32, _ msg: UnsafeMutablePointer<zts_msghdr>?, _ flags: Int32) -> Int {
    unsafe SocketCalls.receiveMessage(fd, msg, flags, .second)
}

@c @implementation
public func zts_bsd_read(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int) -> Int {
    unsafe zts_bsd_recv(fd, buf, len, 0)
}

@c @implementation
public func zts_bsd_readv(_ fd: Int32, _ iov: UnsafePointer<zts_iovec>?, _ iovcnt: Int32) -> Int {
    unsafe SocketCalls.receivePieces(fd, iov, iovcnt, .second)
}

@c @implementation
public func zts_bsd_write(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int) -> Int {
    unsafe zts_bsd_send(fd, buf, len, 0)
}

@c @implementation
public func zts_bsd_writev(_ fd: Int32, _ iov: UnsafePointer<zts_iovec>?, _ iovcnt: Int32) -> Int {
    unsafe SocketCalls.sendPieces(fd, iov, iovcnt, .second)
}

// MARK: The same under the shared names

@c @implementation
public func zts18_socket(_ family: Int32, _ type: Int32, _ protocol: Int32) -> Int32 {
    zts_bsd_socket(family, type, `protocol`)
}

@c @implementation
public func zts18_listen(_ fd: Int32, _ backlog: Int32) -> Int32 { int(SocketCalls.listen(fd, backlog, .second)) }

@c @implementation
public func zts18_send(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe zts_bsd_send(fd, buf, len, flags)
}

@c @implementation
public func zts18_recv(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe zts_bsd_recv(fd, buf, len, flags)
}

@c @implementation
public func zts18_read(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int) -> Int {
    unsafe zts_bsd_recv(fd, buf, len, 0)
}

@c @implementation
public func zts18_write(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int) -> Int {
    unsafe zts_bsd_send(fd, buf, len, 0)
}

@c @implementation
public func zts18_close(_ fd: Int32) -> Int32 { zts_bsd_close(fd) }
