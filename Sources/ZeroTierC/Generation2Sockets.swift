// Generation 2: sockets as in BSD. That the node runs is checked before the arguments. Read first: ZeroTierSockets.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import ZeroTierLibrary
import ZeroTierSockets

private func int(_ result: Int) -> Int32 { Int32(clamping: result) }

extension SocketCalls {
    /// Runs a call of generation 2, whose node must run before its arguments matter; `reason` is why they are not valid.
    static func checked(
        _ fd: Int32, _ isValid: Bool, _ reason: @autoclosure () -> String, _ body: () -> Int
    ) -> Int {
        let isStarted = SocketPlace(fd)?.library.isStarted ?? LibraryNode.shared.isStarted
        guard isStarted else { return Int(Generation.second.fail(.notRunning)) }
        return isValid ? body() : Int(Generation.second.refuse(reason()))
    }
}

// Why the address of a call is not valid.
private func problem(_ addr: UnsafeRawPointer?) -> String {
    unsafe addr == nil ? "addr is NULL" : AddressMemory.lengths
}

private let noBuffer = "buf is NULL or len is larger than an address space"
private let noName = "addr or addrlen is NULL"
private let noMessage = "msg is NULL, or its msg_iov while msg_iovlen is not 0"

@c @implementation
public func zts_bsd_socket(_ family: Int32, _ type: Int32, _ protocol: Int32) -> Int32 {
    int(SocketCalls.socket(family, type, `protocol`, .second))
}

@c @implementation
public func zts_bsd_connect(_ fd: Int32, _ addr: UnsafePointer<zts_sockaddr>?, _ addrlen: zts_socklen_t) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, addr != nil && AddressMemory.isPlausible(addrlen), problem(addr)) {
            unsafe SocketCalls.connect(fd, addr!, addrlen, .second)
        })
}

@c @implementation
public func zts_bsd_bind(_ fd: Int32, _ addr: UnsafePointer<zts_sockaddr>?, _ addrlen: zts_socklen_t) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, addr != nil && AddressMemory.isPlausible(addrlen), problem(addr)) {
            unsafe SocketCalls.bind(fd, addr!, addrlen, .second)
        })
}

@c @implementation
public func zts_bsd_listen(_ fd: Int32, _ backlog: Int32) -> Int32 { int(listen(fd, backlog)) }

private func listen(_ fd: Int32, _ backlog: Int32) -> Int {
    SocketCalls.on(fd, .second) { (place) throws(SocketError) in
        try place.layer.listen(place.descriptor, backlog: Int(backlog))
        return 0
    }
}

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
) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, addr != nil && addrlen != nil, noName) {
            unsafe SocketCalls.name(fd, addr, addrlen, .second) { (place) throws(SocketError) in
                try place.socket.localEndpoint()
            }
        })
}

@c @implementation
public func zts_bsd_getpeername(
    _ fd: Int32, _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, addr != nil && addrlen != nil, noName) {
            unsafe SocketCalls.name(fd, addr, addrlen, .second) { (place) throws(SocketError) in
                try place.socket.remoteEndpoint()
            }
        })
}

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
    int(SocketCalls.control(fd, cmd, flags, nonBlockingBits: ZTS_O_NONBLOCK, .second))
}

@c @implementation
public func zts_bsd_poll(_ fds: UnsafeMutablePointer<zts_pollfd>?, _ nfds: zts_nfds_t, _ timeout: Int32) -> Int32 {
    unsafe int(SocketCalls.poll(fds, nfds, timeout, .second))
}

@c @implementation
public func zts_bsd_ioctl(_ fd: Int32, _ request: UInt, _ argp: UnsafeMutableRawPointer?) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, argp != nil, "argp is NULL") { unsafe SocketCalls.request(fd, request, argp!, .second) }
    )
}

// MARK: Data

@c @implementation
public func zts_bsd_send(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe SocketCalls.checked(fd, buf != nil && len >= 0, noBuffer) {
        unsafe SocketCalls.send(fd, buf, len, flags, .second)
    }
}

@c @implementation
public func zts_bsd_sendto(
    _ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int, _ flags: Int32, _ addr: UnsafePointer<zts_sockaddr>?,
    _ addrlen: zts_socklen_t
) -> Int {
    unsafe SocketCalls.checked(
        fd, buf != nil && addr != nil && len >= 0 && AddressMemory.isPlausible(addrlen),
        buf == nil || len < 0 ? noBuffer : problem(addr)
    ) {
        unsafe SocketCalls.send(fd, buf, len, flags, .second, addr, addrlen)
    }
}

// Sound: the program's promise of that many vectors for the call.
private func piece(_ vectors: UnsafePointer<zts_iovec>?) -> SocketCalls.Pieces {
    { index in
        unsafe (vectors![index].iov_base, vectors![index].iov_len)
    }
}

// The module has one `struct zts_msghdr`, generation 1's; its member for the vectors has another type there.
private func vectors(_ message: zts_msghdr) -> UnsafePointer<zts_iovec>? {
    unsafe message.msg_iov.map { unsafe UnsafeRawPointer($0).assumingMemoryBound(to: zts_iovec.self) }
}

@c @implementation
public func zts_bsd_sendmsg(_ fd: Int32, _ msg: UnsafePointer<zts_msghdr>?, _ flags: Int32) -> Int {
    unsafe SocketCalls.checked(fd, msg != nil, noMessage) {
        SocketCalls.on(fd, .second) { (place) throws(SocketError) in
            let message = unsafe msg!.pointee
            if unsafe message.msg_iov == nil, unsafe message.msg_iovlen > 0 { throw SocketError(.badMemory, noMessage) }
            return unsafe try SocketCalls.sendMessage(
                place, Int(message.msg_iovlen), flags, message.msg_name, message.msg_namelen, piece(vectors(message)))
        }
    }
}

@c @implementation
public func zts_bsd_recv(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32) -> Int {
    unsafe SocketCalls.checked(fd, buf != nil && len >= 0, noBuffer) {
        unsafe SocketCalls.receive(fd, buf, len, flags, .second)
    }
}

@c @implementation
public func zts_bsd_recvfrom(
    _ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int, _ flags: Int32,
    _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int {
    unsafe SocketCalls.checked(fd, buf != nil && len >= 0, noBuffer) {
        unsafe SocketCalls.receive(fd, buf, len, flags, .second, addr, addrlen)
    }
}

@c @implementation
public func zts_bsd_recvmsg(_ fd: Int32, _ msg: UnsafeMutablePointer<zts_msghdr>?, _ flags: Int32) -> Int {
    unsafe SocketCalls.checked(fd, msg != nil, noMessage) {
        SocketCalls.on(fd, .second) { (place) throws(SocketError) in
            let message = unsafe msg!
            if unsafe message.pointee.msg_iov == nil, unsafe message.pointee.msg_iovlen > 0 {
                throw SocketError(.badMemory, noMessage)
            }
            let received = unsafe try SocketCalls.receiveMessage(
                place, Int(message.pointee.msg_iovlen), flags, piece(vectors(message.pointee)))
            if let source = received.source {
                unsafe AddressMemory.write(source, to: message.pointee.msg_name, length: &message.pointee.msg_namelen)
            } else {
                unsafe message.pointee.msg_namelen = 0
            }
            unsafe message.pointee.msg_controllen = 0
            // ZTS_MSG_TRUNC
            unsafe message.pointee.msg_flags = received.isTruncated ? 0x04 : 0
            return received.count
        }
    }
}

@c @implementation
public func zts_bsd_read(_ fd: Int32, _ buf: UnsafeMutableRawPointer?, _ len: Int) -> Int {
    unsafe zts_bsd_recv(fd, buf, len, 0)
}

@c @implementation
public func zts_bsd_readv(_ fd: Int32, _ iov: UnsafePointer<zts_iovec>?, _ iovcnt: Int32) -> Int {
    unsafe SocketCalls.checked(fd, iov != nil, "iov is NULL") {
        SocketCalls.on(fd, .second) { (place) throws(SocketError) in
            unsafe try SocketCalls.receiveMessage(place, Int(iovcnt), 0, piece(iov)).count
        }
    }
}

@c @implementation
public func zts_bsd_write(_ fd: Int32, _ buf: UnsafeRawPointer?, _ len: Int) -> Int {
    unsafe zts_bsd_send(fd, buf, len, 0)
}

@c @implementation
public func zts_bsd_writev(_ fd: Int32, _ iov: UnsafePointer<zts_iovec>?, _ iovcnt: Int32) -> Int {
    unsafe SocketCalls.checked(fd, iov != nil, "iov is NULL") {
        SocketCalls.on(fd, .second) { (place) throws(SocketError) in
            unsafe try SocketCalls.sendMessage(place, Int(iovcnt), 0, nil, 0, piece(iov))
        }
    }
}

@c @implementation
public func zts_bsd_shutdown(_ fd: Int32, _ how: Int32) -> Int32 { int(shutdown(fd, how, .second)) }

// MARK: The same under the shared names

@c @implementation
public func zts18_socket(_ family: Int32, _ type: Int32, _ protocol: Int32) -> Int32 {
    zts_bsd_socket(family, type, `protocol`)
}

@c @implementation
public func zts18_listen(_ fd: Int32, _ backlog: Int32) -> Int32 { int(listen(fd, backlog)) }

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
