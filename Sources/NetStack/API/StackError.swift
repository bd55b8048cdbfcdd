// Every way in which a call on a socket fails. The C layer maps these to errno in one place.

/// Why a socket call failed, or what became of a socket. The names in comments are Linux's.
package enum StackError: Error, Hashable, Sendable, CaseIterable {
    /// ECONNREFUSED: the peer answered with a reset, or with port unreachable.
    case refused
    /// ETIMEDOUT: retransmissions, keep-alives or the user timeout ran out.
    case timedOut
    /// ENETUNREACH: no route, or a router said so.
    case networkUnreachable
    /// EHOSTUNREACH: the neighbour does not answer, or a router said so.
    case hostUnreachable
    /// EACCES: administratively prohibited, or broadcast without permission.
    case accessDenied
    /// ENETDOWN: the interface or the address went away.
    case networkDown
    /// ECONNRESET: the peer reset the connection.
    case reset
    /// EPIPE: the sending side is shut.
    case brokenPipe
    /// ECONNABORTED: the connection ended before it could be used.
    case aborted
    /// EADDRINUSE: another socket holds the port.
    case addressInUse
    /// EADDRNOTAVAIL: not an address of ours, or no port is left.
    case addressNotAvailable
    /// ENOTCONN: the call needs a connection.
    case notConnected
    /// EISCONN: there is a connection already.
    case isConnected
    /// EINPROGRESS: the handshake is under way.
    case inProgress
    /// EALREADY: the handshake was under way before the call.
    case alreadyInProgress
    /// EAGAIN: nothing to read, or no room to write; wait for the event.
    case wouldBlock
    /// EMSGSIZE: the datagram is too large.
    case messageTooLong
    /// EDESTADDRREQ: a datagram without a destination.
    case destinationRequired
    /// EINVAL: the call does not fit the socket's state or the argument is out of range.
    case invalid
    /// ENOBUFS: a memory bound of the stack is reached.
    case noBuffers
    /// EMFILE: the stack's bound on sockets is reached.
    case tooManySockets
    /// EBADF: no such socket any more.
    case badSocket
    /// EOPNOTSUPP: the call does not exist for this kind of socket.
    case notSupported
    /// EAFNOSUPPORT: the address is of the other family.
    case addressFamily
    /// ENOPROTOOPT: the peer has no such protocol (ICMP protocol unreachable).
    case protocolUnreachable
}
