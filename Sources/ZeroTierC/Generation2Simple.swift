// Generation 2: simple sockets, with addresses as text and a function for each option. Read first: ZeroTierSockets.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import NetPrimitives
import ZeroTierLibrary
import ZeroTierSockets

private let addressRoom = Int(ZTS_IP_MAX_STR_LEN)

// Runs a call unless its arguments are wrong; `reason` says why they are.
private func with(
    _ fd: Int32, _ isValid: Bool = true, _ reason: @autoclosure () -> String = "",
    _ body: (SocketPlace) throws(SocketError) -> Int
) -> Int32 { int(Surface.second.on(fd, refusing: isValid ? nil : reason(), body)) }

// The program's text as an address.
private func address(_ text: UnsafePointer<CChar>?) -> IPAddress? {
    unsafe text.flatMap { unsafe IPAddress(String(cString: $0)) }
}

private let noAddress = "the text is no address of IPv4 or IPv6; names are for zts_bsd_gethostbyname"
private let noRoom = "there is no buffer of exactly ZTS_IP_MAX_STR_LEN bytes for the address"
private let noSwitch = "enabled is neither 0 nor 1"

// Writes an address and a port into the program's memory. Sizes were checked before.
private func put(
    _ endpoint: SocketEndpoint, _ target: UnsafeMutablePointer<CChar>, _ port: UnsafeMutablePointer<UInt16>?
) {
    _ = unsafe put(endpoint.address.description, target, room: addressRoom)
    unsafe port?.pointee = endpoint.port
}

// MARK: Connections

/// If the caller says 0.
private let standardTimeout = Duration.seconds(30)

@c @implementation
public func zts18_connect(_ fd: Int32, _ ipstr: UnsafePointer<CChar>?, _ port: UInt16, _ timeout_ms: Int32) -> Int32 {
    let remote = unsafe address(ipstr)
    return with(fd, remote != nil && timeout_ms >= 0, remote == nil ? noAddress : "timeout_ms is negative") {
        (place) throws(SocketError) in
        let time = timeout_ms == 0 ? standardTimeout : .milliseconds(Int(timeout_ms))
        let endpoint = SocketEndpoint(remote!, port: port)
        try SocketCalls.connecting(to: endpoint, of: place.library) { () throws(SocketError) in
            try place.layer.connect(place.descriptor, to: endpoint, retryingFor: time)
        }
        return 0
    }
}

@c @implementation
public func zts18_bind(_ fd: Int32, _ ipstr: UnsafePointer<CChar>?, _ port: UInt16) -> Int32 {
    let local = unsafe address(ipstr)
    return with(fd, local != nil, noAddress) { (place) throws(SocketError) in
        try place.layer.bind(place.descriptor, to: SocketEndpoint(local!, port: port))
        return 0
    }
}

@c @implementation
public func zts18_accept(
    _ fd: Int32, _ remote_addr: UnsafeMutablePointer<CChar>?, _ len: Int32, _ port: UnsafeMutablePointer<UInt16>?
) -> Int32 {
    with(fd, unsafe remote_addr != nil && Int(len) == addressRoom, noRoom) { (place) throws(SocketError) in
        let (new, remote) = try place.layer.accept(place.descriptor)
        unsafe put(remote, remote_addr!, port)
        return Int(place.outside(new))
    }
}

@c @implementation
public func zts18_getpeername(
    _ fd: Int32, _ remote_addr_str: UnsafeMutablePointer<CChar>?, _ len: Int32, _ port: UnsafeMutablePointer<UInt16>?
) -> Int32 {
    with(fd, unsafe remote_addr_str != nil && Int(len) == addressRoom, noRoom) { (place) throws(SocketError) in
        unsafe put(try place.socket.remoteEndpoint(), remote_addr_str!, port)
        return 0
    }
}

@c @implementation
public func zts18_getsockname(
    _ fd: Int32, _ local_addr_str: UnsafeMutablePointer<CChar>?, _ len: Int32, _ port: UnsafeMutablePointer<UInt16>?
) -> Int32 {
    with(fd, unsafe local_addr_str != nil && Int(len) == addressRoom, noRoom) { (place) throws(SocketError) in
        unsafe put(try place.socket.localEndpoint(), local_addr_str!, port)
        return 0
    }
}

@c @implementation
public func zts_shutdown_rd(_ fd: Int32) -> Int32 { int(SocketCalls.shutdown(fd, 0, .second)) }

@c @implementation
public func zts_shutdown_wr(_ fd: Int32) -> Int32 { int(SocketCalls.shutdown(fd, 1, .second)) }

@c @implementation
public func zts_shutdown_rdwr(_ fd: Int32) -> Int32 { int(SocketCalls.shutdown(fd, 2, .second)) }

// MARK: In one call

// Makes a socket for an address and prepares it; closes it if that fails.
private func make(
    _ ipstr: UnsafePointer<CChar>?, _ type: Int32, isValid: Bool = true,
    _ prepare: (Int32, IPAddress) throws(SocketError) -> Int32
) -> Int32 {
    guard LibraryNode.shared.isStarted else { return Generation.second.fail(.notRunning) }
    guard let address = unsafe address(ipstr) else { return Generation.second.refuse(noAddress) }
    guard isValid else { return Generation.second.refuse(noRoom) }
    let layer = SocketLayer.shared
    return int(
        SocketCalls.run { () throws(SocketError) in
            let family = address.isIPv4 ? SocketLimits.familyIPv4 : SocketLimits.familyIPv6
            let socket = try layer.socket(family: family, type: type, protocol: 0)
            do throws(SocketError) {
                return Int(try prepare(socket, address))
            } catch {
                try? layer.close(socket)
                throw error
            }
        })
}

@c @implementation
public func zts_tcp_client(_ remote_ipstr: UnsafePointer<CChar>?, _ remote_port: UInt16) -> Int32 {
    unsafe make(remote_ipstr, SocketLimits.typeStream) { (socket, address) throws(SocketError) in
        let endpoint = SocketEndpoint(address, port: remote_port)
        try SocketCalls.connecting(to: endpoint, of: .shared) { () throws(SocketError) in
            try SocketLayer.shared.connect(socket, to: endpoint, retryingFor: standardTimeout)
        }
        return socket
    }
}

@c @implementation
public func zts_tcp_server(
    _ local_ipstr: UnsafePointer<CChar>?, _ local_port: UInt16, _ remote_ipstr: UnsafeMutablePointer<CChar>?,
    _ len: Int32, _ remote_port: UnsafeMutablePointer<UInt16>?
) -> Int32 {
    let isValid = unsafe remote_ipstr != nil && Int(len) == addressRoom
    return unsafe make(local_ipstr, SocketLimits.typeStream, isValid: isValid) {
        (socket, address) throws(SocketError) in
        let layer = SocketLayer.shared
        try layer.bind(socket, to: SocketEndpoint(address, port: local_port))
        try layer.listen(socket, backlog: 1)
        let (accepted, remote) = try layer.accept(socket)
        unsafe put(remote, remote_ipstr!, remote_port)
        // The listener has done its work.
        try layer.close(socket)
        return accepted
    }
}

@c @implementation
public func zts_udp_server(_ local_ipstr: UnsafePointer<CChar>?, _ local_port: UInt16) -> Int32 {
    unsafe make(local_ipstr, SocketLimits.typeDatagram) { (socket, address) throws(SocketError) in
        try SocketLayer.shared.bind(socket, to: SocketEndpoint(address, port: local_port))
        return socket
    }
}

@c @implementation
public func zts_udp_client(_ remote_ipstr: UnsafePointer<CChar>?) -> Int32 {
    unsafe make(remote_ipstr, SocketLimits.typeDatagram) { (socket, _) throws(SocketError) in socket }
}

// MARK: Options

private func set(_ fd: Int32, _ option: SocketOption, switch enabled: Int32) -> Int32 {
    with(fd, enabled == 0 || enabled == 1, noSwitch) { (place) throws(SocketError) in
        try place.socket.setOption(option, .integer(Int(enabled)))
        return 0
    }
}

private func set(_ fd: Int32, _ option: SocketOption, number: Int32, in range: ClosedRange<Int32>) -> Int32 {
    with(fd, range.contains(number), "the value is not in \(range)") { (place) throws(SocketError) in
        try place.socket.setOption(option, .integer(Int(number)))
        return 0
    }
}

private func get(_ fd: Int32, _ option: SocketOption) -> Int32 {
    with(fd) { (place) throws(SocketError) in
        guard case .integer(let number) = try place.socket.option(option) else { return 0 }
        return number
    }
}

private func linger(_ fd: Int32, _ part: (Linger) -> Int) -> Int32 {
    with(fd) { (place) throws(SocketError) in
        guard case .linger(let linger) = try place.socket.option(.linger) else { return 0 }
        return part(linger)
    }
}

private func setTime(_ fd: Int32, _ option: SocketOption, _ seconds: Int32, _ microseconds: Int32) -> Int32 {
    with(fd, seconds >= 0 && microseconds >= 0, "the time is negative") { (place) throws(SocketError) in
        let time = Duration.seconds(Int(seconds)) + .microseconds(Int(microseconds))
        try place.socket.setOption(option, .duration(time == .zero ? nil : time))
        return 0
    }
}

private func wholeSeconds(_ fd: Int32, _ option: SocketOption) -> Int32 {
    with(fd) { (place) throws(SocketError) in
        guard case .duration(let time) = try place.socket.option(option) else { return 0 }
        return Int((time ?? .zero).components.seconds)
    }
}

@c @implementation
public func zts_set_no_delay(_ fd: Int32, _ enabled: Int32) -> Int32 { set(fd, .noDelay, switch: enabled) }

@c @implementation
public func zts_get_no_delay(_ fd: Int32) -> Int32 { get(fd, .noDelay) }

@c @implementation
public func zts_set_linger(_ fd: Int32, _ enabled: Int32, _ value: Int32) -> Int32 {
    with(fd, (enabled == 0 || enabled == 1) && value >= 0, value < 0 ? "the time is negative" : noSwitch) {
        (place) throws(SocketError) in
        try place.socket.setOption(.linger, .linger(Linger(isOn: enabled == 1, seconds: Int(value))))
        return 0
    }
}

@c @implementation
public func zts_get_linger_enabled(_ fd: Int32) -> Int32 { linger(fd) { $0.isOn ? 1 : 0 } }

@c @implementation
public func zts_get_linger_value(_ fd: Int32) -> Int32 { linger(fd) { $0.seconds } }

@c @implementation
public func zts_set_reuse_addr(_ fd: Int32, _ enabled: Int32) -> Int32 { set(fd, .reuseAddress, switch: enabled) }

@c @implementation
public func zts_get_reuse_addr(_ fd: Int32) -> Int32 { get(fd, .reuseAddress) }

@c @implementation
public func zts_set_recv_timeout(_ fd: Int32, _ seconds: Int32, _ microseconds: Int32) -> Int32 {
    setTime(fd, .receiveTimeout, seconds, microseconds)
}

@c @implementation
public func zts_get_recv_timeout(_ fd: Int32) -> Int32 { wholeSeconds(fd, .receiveTimeout) }

@c @implementation
public func zts_set_send_timeout(_ fd: Int32, _ seconds: Int32, _ microseconds: Int32) -> Int32 {
    setTime(fd, .sendTimeout, seconds, microseconds)
}

@c @implementation
public func zts_get_send_timeout(_ fd: Int32) -> Int32 { wholeSeconds(fd, .sendTimeout) }

@c @implementation
public func zts_set_send_buf_size(_ fd: Int32, _ size: Int32) -> Int32 {
    set(fd, .sendBuffer, number: size, in: 0...(.max))
}

@c @implementation
public func zts_get_send_buf_size(_ fd: Int32) -> Int32 { get(fd, .sendBuffer) }

@c @implementation
public func zts_set_recv_buf_size(_ fd: Int32, _ size: Int32) -> Int32 {
    set(fd, .receiveBuffer, number: size, in: 0...(.max))
}

@c @implementation
public func zts_get_recv_buf_size(_ fd: Int32) -> Int32 { get(fd, .receiveBuffer) }

@c @implementation
public func zts_set_ttl(_ fd: Int32, _ ttl: Int32) -> Int32 { set(fd, .timeToLive, number: ttl, in: 0...255) }

@c @implementation
public func zts_get_ttl(_ fd: Int32) -> Int32 { get(fd, .timeToLive) }

@c @implementation
public func zts_set_keepalive(_ fd: Int32, _ enabled: Int32) -> Int32 { set(fd, .keepAlive, switch: enabled) }

@c @implementation
public func zts_get_keepalive(_ fd: Int32) -> Int32 { get(fd, .keepAlive) }

@c @implementation
public func zts_set_blocking(_ fd: Int32, _ enabled: Int32) -> Int32 {
    with(fd, enabled == 0 || enabled == 1, noSwitch) { (place) throws(SocketError) in
        try place.socket.setNonBlocking(enabled == 0)
        return 0
    }
}

@c @implementation
public func zts_get_blocking(_ fd: Int32) -> Int32 {
    with(fd) { (place) throws(SocketError) in try place.socket.isNonBlocking ? 0 : 1 }
}

@c @implementation
public func zts_get_last_socket_error(_ fd: Int32) -> Int32 { get(fd, .error) }

@c @implementation
public func zts_get_pending_data_size(_ fd: Int32) -> Int32 {
    with(fd) { (place) throws(SocketError) in try place.socket.bytesAvailable() }
}

@c @implementation
public func zts_get_data_available(_ fd: Int32) -> Int { Int(zts_get_pending_data_size(fd)) }
