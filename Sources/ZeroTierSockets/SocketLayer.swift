// Berkeley sockets over a node: every call by descriptor, blocking or not, without pointers.
// Read first: socket(7), ip(7), tcp(7), udp(7): the calls behave as Linux's do; numbers are lwIP's.

package import NetPrimitives
import Synchronization
import ZeroTier

/// The sockets of a process, or of a test. Every method may be called from any thread.
///
/// Descriptors live as long as the layer: they exist before there is a node and survive its stop. Sockets that were in
/// use then fail with ENETDOWN and can only be closed; a socket that was only made works with the next node.
package final class SocketLayer: Sendable {
    /// The one of this process.
    package static let shared = SocketLayer()

    private let sockets = Mutex<[BlockingSocket?]>([])
    let numbers: DescriptorNumbers
    let attachment = NodeAttachment()

    /// A layer with descriptors of its own, at most `limit`.
    package init(limit: Int = SocketLimits.descriptors) { numbers = DescriptorNumbers(limit: limit) }

    // MARK: Making and ending

    /// Makes a socket. Family 2 or 10, type 1 or 2, protocol 0 or the type's.
    package func socket(family: Int32, type: Int32, protocol number: Int32) throws(SocketError) -> Int32 {
        try traced("socket of family \(family) and type \(type)") { () throws(SocketError) in
            try add(try BlockingSocket.make(family: family, type: type, protocol: number, in: self))
        }
    }

    /// Closes a descriptor; calls that wait for it return EBADF. Works without a node. Waits with SO_LINGER.
    package func close(_ descriptor: Int32) throws(SocketError) {
        try traced("close \(descriptor)") { () throws(SocketError) in try take(descriptor).close() }
    }

    /// Closes all descriptors, with resets for what is connected.
    package func closeAll() {
        for socket in takeAll() { socket.abandon() }
    }

    /// Ends one or both directions; calls that wait for them return.
    package func shutdown(_ descriptor: Int32, _ side: ShutdownSide) throws(SocketError) {
        try traced("shut \(side) of \(descriptor)") { () throws(SocketError) in
            try self[descriptor].shutdown(side)
        }
    }

    // MARK: Names and connections

    /// Binds to an address (unspecified for all) and port (0 for any free one).
    package func bind(_ descriptor: Int32, to local: SocketEndpoint) throws(SocketError) {
        try traced("bind \(descriptor) to \(local)") { () throws(SocketError) in
            try self[descriptor].bind(to: local)
        }
    }

    /// Connects; nil (AF_UNSPEC) dissolves the connection or forgets the peer.
    package func connect(_ descriptor: Int32, to remote: SocketEndpoint?) throws(SocketError) {
        try traced("connect \(descriptor) to \(remote.map { "\($0)" } ?? "nobody")") { () throws(SocketError) in
            try self[descriptor].connect(to: remote)
        }
    }

    /// Connects a blocking socket within a time, trying again every quarter of a second while there is no way to the
    /// peer. ETIMEDOUT at the end of the time, and the attempt is over. A non-blocking socket tries once.
    package func connect(
        _ descriptor: Int32, to remote: SocketEndpoint, retryingFor timeout: Duration
    ) throws(SocketError) {
        try traced("connect \(descriptor) to \(remote) within \(timeout)") { () throws(SocketError) in
            try self[descriptor].connect(to: remote, retryingFor: timeout)
        }
    }

    /// Listens; binds to an ephemeral port if the socket is not bound. Calling again changes the backlog.
    package func listen(_ descriptor: Int32, backlog: Int) throws(SocketError) {
        try traced("listen on \(descriptor)") { () throws(SocketError) in
            try self[descriptor].listen(backlog: backlog)
        }
    }

    /// Takes a connection of a listener. The new descriptor blocks unless `nonBlocking`.
    package func accept(
        _ descriptor: Int32, nonBlocking: Bool = false
    ) throws(SocketError) -> (descriptor: Int32, remote: SocketEndpoint) {
        try traced("accept on \(descriptor)") { () throws(SocketError) in
            let (socket, remote) = try self[descriptor].accept(nonBlocking: nonBlocking)
            do throws(SocketError) {
                return (try add(socket), remote)
            } catch {
                socket.abandon()
                throw error
            }
        }
    }

    // MARK: Descriptors

    /// Gives a socket its number.
    func add(_ socket: BlockingSocket) throws(SocketError) -> Int32 {
        guard let number = numbers.take() else {
            throw SocketError(.tooManyDescriptors, "all \(numbers.limit) descriptors are in use")
        }
        socket.setNumber(number)
        sockets.withLock { sockets in
            while sockets.count <= Int(number) { sockets.append(nil) }
            sockets[Int(number)] = socket
        }
        return number
    }

    /// The socket of a descriptor. Calls about one socket go to it. EBADF if there is none.
    package subscript(descriptor: Int32) -> BlockingSocket {
        get throws(SocketError) {
            guard let socket = find(descriptor) else { throw SocketError(.badDescriptor) }
            return socket
        }
    }

    func find(_ descriptor: Int32) -> BlockingSocket? {
        sockets.withLock { sockets in
            descriptor >= 0 && Int(descriptor) < sockets.count ? sockets[Int(descriptor)] : nil
        }
    }

    /// Ends a descriptor and gives its socket, once.
    func take(_ descriptor: Int32) throws(SocketError) -> BlockingSocket {
        let socket = sockets.withLock { sockets -> BlockingSocket? in
            guard descriptor >= 0, Int(descriptor) < sockets.count else { return nil }
            defer { sockets[Int(descriptor)] = nil }
            return sockets[Int(descriptor)]
        }
        guard let socket else { throw SocketError(.badDescriptor) }
        return socket
    }

    func takeAll() -> [BlockingSocket] {
        sockets.withLock { sockets in
            defer { sockets = [] }
            return sockets.compactMap { $0 }
        }
    }

    /// Runs a call and tells how it ended, if the node's sockets are traced.
    @inline(__always)
    func traced<Result>(
        _ call: @autoclosure () -> String, _ body: () throws(SocketError) -> Result
    ) throws(SocketError) -> Result {
        guard SocketPort.isAnyTraced else { return try body() }
        return try told(call(), body)
    }

    private func told<Result>(
        _ call: String, _ body: () throws(SocketError) -> Result
    ) throws(SocketError) -> Result {
        do throws(SocketError) {
            let result = try body()
            attachment.trace(result is Void ? call : "\(call): \(result)")
            return result
        } catch {
            attachment.trace("\(call) failed: \(error)")
            throw error
        }
    }

    /// Whoever waits for a socket looks again.
    func wakeAll() {
        for socket in sockets.withLock({ $0 }) { socket?.waiters.signal() }
    }
}

/// The outcome of a receive call, besides the bytes.
package struct ReceivedMessage: Hashable, Sendable {
    /// The call's result: bytes in the caller's memory, or the datagram's whole length with `wholeLength`.
    package var count: Int
    /// Who sent it, in the socket's family; nil for a stream.
    package var source: SocketEndpoint?
    /// The datagram was longer than the caller's memory (MSG_TRUNC).
    package var isTruncated = false
}
