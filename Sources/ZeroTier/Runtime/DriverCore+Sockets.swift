// The socket calls of the interface, under the node's lock: the stack's verbs with waiting in place of `wouldBlock`.
// A result of nil means: nothing yet, wait for an event of the socket.

import NetPrimitives
import NetStack
import ZeroTierNode

extension DriverCore {
    // MARK: Streams

    mutating func openStream(
        to remote: SocketEndpoint, from local: SocketEndpoint?, now: Now
    ) throws(StackError) -> SocketID {
        let id = try node.stack.tcpConnect(
            to: remote, from: local, connectionOptions: streamOptions, now: now)
        openSockets.insert(id)
        traceCall("connect TCP to \(remote)")
        return id
    }

    mutating func streamRead(_ id: SocketID, upTo count: Int, now: Now) throws(ZeroTierError) -> [UInt8]? {
        // No bytes would look like the end of the stream.
        guard count > 0 else { throw ZeroTierError(.invalidArgument, "at least one byte is read, not \(count)") }
        do throws(StackError) {
            let available = try node.stack.receiveAvailable(id)
            var bytes = [UInt8](repeating: 0, count: min(count, max(1, available)))
            let taken = try bytes.withMutableBytes { (span) throws(StackError) in
                try node.stack.receive(id, into: &span, now: now)
            }
            if taken < bytes.count { bytes.removeLast(bytes.count - taken) }
            return bytes
        } catch {
            if error == .wouldBlock { return nil }
            throw ZeroTierError(error)
        }
    }

    mutating func streamRead(
        _ id: SocketID, into target: inout MutableRawSpan, now: Now
    ) throws(ZeroTierError) -> Int? {
        do throws(StackError) {
            return try node.stack.receive(id, into: &target, now: now)
        } catch {
            if error == .wouldBlock { return nil }
            throw ZeroTierError(error)
        }
    }

    mutating func streamWrite(_ id: SocketID, _ bytes: RawSpan, from start: Int, now: Now) throws(ZeroTierError) -> Int?
    {
        do throws(StackError) {
            return try node.stack.send(id, bytes.extracting(droppingFirst: start), now: now)
        } catch {
            if error == .wouldBlock { return nil }
            throw ZeroTierError(error)
        }
    }

    mutating func streamWrite(_ id: SocketID, _ bytes: [UInt8], from start: Int, now: Now) throws(ZeroTierError) -> Int?
    {
        try bytes.withBytes { (span) throws(ZeroTierError) in try streamWrite(id, span, from: start, now: now) }
    }

    mutating func streamCloseWrite(_ id: SocketID, now: Now) throws(ZeroTierError) {
        do throws(StackError) {
            try node.stack.shutdown(id, .write, now: now)
        } catch {
            throw ZeroTierError(error)
        }
    }

    mutating func setNoDelay(_ id: SocketID, _ isOn: Bool, now: Now) throws(ZeroTierError) {
        do throws(StackError) {
            var options = try node.stack.connectionOptions(id)
            options.noDelay = isOn
            try node.stack.setConnectionOptions(id, options, now: now)
        } catch {
            throw ZeroTierError(error)
        }
    }

    mutating func setKeepAlive(_ id: SocketID, _ keepAlive: Node.KeepAlive?, now: Now) throws(ZeroTierError) {
        do throws(StackError) {
            var options = try node.stack.connectionOptions(id)
            options.keepAlive = false
            keepAlive?.apply(to: &options)
            try node.stack.setConnectionOptions(id, options, now: now)
        } catch {
            throw ZeroTierError(error)
        }
    }

    mutating func setUserTimeout(_ id: SocketID, _ timeout: Duration?, now: Now) throws(ZeroTierError) {
        do throws(StackError) {
            var options = try node.stack.connectionOptions(id)
            options.userTimeout = max(.zero, timeout ?? .zero)
            try node.stack.setConnectionOptions(id, options, now: now)
        } catch {
            throw ZeroTierError(error)
        }
    }

    mutating func setCongestionControl(
        _ id: SocketID, _ algorithm: Node.CongestionControl, now: Now
    ) throws(ZeroTierError) {
        do throws(StackError) {
            var options = try node.stack.connectionOptions(id)
            options.congestionControl = CongestionAlgorithm(algorithm)
            try node.stack.setConnectionOptions(id, options, now: now)
        } catch {
            throw ZeroTierError(error)
        }
    }

    // MARK: Listeners

    mutating func listen(on local: SocketEndpoint, backlog: Int, now: Now) throws(ZeroTierError)
        -> (id: SocketID, local: SocketEndpoint)
    {
        do throws(StackError) {
            let id = try node.stack.tcpListen(
                on: local, backlog: backlog, connectionOptions: streamOptions, now: now)
            openSockets.insert(id)
            let bound = try node.stack.localEndpoint(id)
            traceCall("listen on \(bound)")
            return (id, bound)
        } catch {
            throw ZeroTierError(error, doing: "listen on \(local)")
        }
    }

    struct Accepted: Sendable {
        let id: SocketID
        let local: SocketEndpoint
        let remote: SocketEndpoint
    }

    mutating func accept(_ id: SocketID, now: Now) throws(ZeroTierError) -> Accepted? {
        do throws(StackError) {
            while let stream = try node.stack.accept(id, now: now) {
                guard let local = try? node.stack.localEndpoint(stream),
                    let remote = try? node.stack.remoteEndpoint(stream)
                else {
                    // It was reset while it waited.
                    node.stack.close(stream, now: now)
                    continue
                }
                openSockets.insert(stream)
                traceCall("accept on \(local) from \(remote)")
                return Accepted(id: stream, local: local, remote: remote)
            }
            return nil
        } catch {
            throw ZeroTierError(error)
        }
    }

    // MARK: Datagrams

    mutating func openDatagram(bind local: SocketEndpoint, now: Now) throws(ZeroTierError)
        -> (id: SocketID, local: SocketEndpoint)
    {
        do throws(StackError) {
            let id = try node.stack.udpOpen(isIPv4: local.address.isIPv4)
            do throws(StackError) {
                try node.stack.udpBind(id, to: local)
                openSockets.insert(id)
                let bound = try node.stack.localEndpoint(id)
                traceCall("bind UDP \(bound)")
                return (id, bound)
            } catch {
                node.stack.close(id, now: now)
                throw error
            }
        } catch {
            throw ZeroTierError(error, doing: "bind UDP \(local)")
        }
    }

    mutating func datagramSend(
        _ id: SocketID, _ bytes: [UInt8], to destination: SocketEndpoint, now: Now
    ) throws(ZeroTierError) -> Bool? {
        do throws(StackError) {
            try bytes.withBytes { (span) throws(StackError) in
                try node.stack.sendTo(id, span, to: destination, now: now)
            }
            return true
        } catch {
            if error == .wouldBlock { return nil }
            throw ZeroTierError(error, doing: "send to \(destination)")
        }
    }

    mutating func datagramReceive(_ id: SocketID, now: Now) throws(ZeroTierError) -> Datagram? {
        try takeDatagram { (stack) throws(StackError) in
            var bytes = [UInt8](repeating: 0, count: try stack.nextDatagramLength(id))
            let received = try bytes.withMutableBytes { (span) throws(StackError) in
                try stack.receiveFrom(id, into: &span, now: now)
            }
            return Datagram(bytes: bytes, source: received.source)
        }
    }

    /// Runs `receive` until it gives a datagram; nil if none has come.
    mutating func takeDatagram<Taken>(
        _ receive: (inout NetworkStack) throws(StackError) -> Taken
    ) throws(ZeroTierError) -> Taken? {
        while true {
            do throws(StackError) {
                return try receive(&node.stack)
            } catch {
                switch error {
                case .wouldBlock: return nil
                // An earlier datagram found nobody, which is no reason to stop receiving. The call took the error, and a
                // datagram that stands behind it wakes nobody again.
                case .refused, .hostUnreachable, .networkUnreachable: continue
                default: throw ZeroTierError(error)
                }
            }
        }
    }

    mutating func joinGroup(_ id: SocketID, _ group: IPAddress, now: Now) throws(ZeroTierError) {
        do throws(StackError) {
            try node.stack.joinGroup(id, group, now: now)
        } catch {
            throw ZeroTierError(error, doing: "join the group \(group)")
        }
    }

    mutating func leaveGroup(_ id: SocketID, _ group: IPAddress) throws(ZeroTierError) {
        do throws(StackError) {
            try node.stack.leaveGroup(id, group)
        } catch {
            guard error == .addressNotAvailable else { throw ZeroTierError(error, doing: "leave the group \(group)") }
            throw ZeroTierError(.invalidArgument, "the socket has not joined the group \(group)")
        }
    }

    // MARK: Ending

    /// Whoever waits for the socket is woken and finds it closed.
    mutating func closeSocket(_ id: SocketID, now: Now) {
        guard openSockets.remove(id) != nil else { return }
        if let local = try? node.stack.localEndpoint(id) { traceCall("close \(local)") }
        node.stack.close(id, now: now)
        room.end(id)
    }

    mutating func abortStream(_ id: SocketID, now: Now) {
        guard openSockets.remove(id) != nil else { return }
        if let local = try? node.stack.localEndpoint(id) { traceCall("abort \(local)") }
        node.stack.abort(id, now: now)
        room.end(id)
    }

    /// Connections that are closed here and still deliver their last bytes.
    var lingeringSockets: Int { node.stack.undeliveredCount }
}

extension ZeroTierError {
    /// The public name of a socket's failure.
    init(_ error: StackError, doing action: String? = nil) {
        let (code, text): (Code, String) =
            switch error {
            case .refused: (.connectionRefused, "the peer refused: nothing listens on that port")
            case .reset: (.connectionReset, "the peer reset the connection")
            case .timedOut: (.timedOut, "the peer does not answer any more; the connection is over: make another")
            case .networkUnreachable: (.networkUnreachable, "no joined network leads to that address")
            case .hostUnreachable: (.hostUnreachable, "no member of the network answers for that address")
            case .accessDenied: (.failed, "the network or a broadcast rule does not allow it")
            case .networkDown: (.networkUnreachable, "the network or the local address went away")
            case .brokenPipe: (.closed, "the connection is closed for writing")
            case .aborted: (.connectionReset, "the connection ended before it could be used")
            case .addressInUse: (.addressInUse, "another socket of this node has that address and port")
            case .addressNotAvailable: (.addressNotAvailable, "the address is none of this node's, or no port is free")
            case .messageTooLong: (.messageTooLong, "the datagram is too large")
            case .badSocket: (.closed, "the socket is closed")
            case .notConnected: (.closed, "the connection is closed")
            case .wouldBlock: (.wouldBlock, "nothing to do at the moment")
            case .noBuffers, .tooManySockets: (.limitReached, "a limit of this node is reached: \(error)")
            case .addressFamily: (.invalidArgument, "the address is of the other IP version than the socket")
            default: (.failed, "the call does not fit the socket: \(error)")
            }
        self.init(code, action.map { "cannot \($0): \(text)" } ?? text)
    }
}

extension CongestionAlgorithm {
    init(_ choice: Node.CongestionControl) {
        self =
            switch choice {
            case .bbr: .bbr
            case .cubic: .cubic
            case .reno: .reno
            }
    }
}
