// Names, connecting, listening, ending. Read first: bind(2), connect(2), listen(2), accept(2), shutdown(2), tcp(7).

package import NetPrimitives
import NetStack
import Synchronization
import ZeroTier

extension BlockingSocket {
    // MARK: Bind

    func bind(to local: SocketEndpoint) throws(SocketError) {
        try control { (state, stack, room, _) throws(SocketError) in
            let own = try unwrapped(local, state, isBind: true)
            if isStream {
                guard state.id == nil else { throw SocketError(.invalid, "the socket is bound already") }
                try reserve(own, &state, &stack, &room)
            } else {
                let id = try datagram(&state, &stack, &room, isIPv4: own.address.isIPv4)
                try stackCall { () throws(StackError) in try stack.udpBind(id, to: own) }
            }
        }
    }

    // Holds a TCP port.
    private func reserve(
        _ local: SocketEndpoint, _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom
    ) throws(SocketError) {
        let options = state.options
        let (id, bound) = try stackCall { () throws(StackError) in
            let id = try stack.tcpBind(local, options: options)
            return (id, try stack.localEndpoint(id))
        }
        adopt(id, &state, &room)
        state.bound = bound
    }

    // MARK: Connect

    func connect(to remote: SocketEndpoint?) throws(SocketError) {
        guard let remote else { return try disconnect() }
        if isStream {
            try connectStream(to: remote, .connect, givesUp: false)
        } else {
            try connectDatagram(to: remote)
        }
    }

    /// Tries again until the time is over.
    func connect(to remote: SocketEndpoint, retryingFor timeout: Duration) throws(SocketError) {
        guard isStream, !isNonBlocking else { return try connect(to: remote) }
        let deadline = SystemClock.monotonic() + timeout
        let attempt = ConnectAttempt(until: deadline)
        while true {
            do throws(SocketError) {
                return try connectStream(to: remote, .until(deadline), givesUp: true)
            } catch {
                guard let failure = BlockingSocket.passing(error.number) else { throw error }
                switch attempt.verdict(on: failure, mayCome: true, now: SystemClock.monotonic()) {
                case .fail: throw error
                case .tryAgain(let instant): try pause(until: instant)
                case .giveUp(let instant):
                    try pause(until: instant)
                    throw SocketError(.timedOut, error.reason ?? BlockingSocket.noWay(error.number))
                }
            }
        }
    }

    // Errors that may pass while the way to the peer is being made.
    private static func passing(_ number: SocketErrno) -> StackError? {
        switch number {
        case .networkUnreachable: .networkUnreachable
        case .hostUnreachable: .hostUnreachable
        case .addressNotAvailable: .addressNotAvailable
        default: nil
        }
    }

    // Why no connect could begin in all that time.
    private static func noWay(_ number: SocketErrno) -> String {
        switch number {
        case .networkUnreachable: "within the time, no joined network led to the peer"
        case .hostUnreachable: "within the time, nobody on the network had the peer's address"
        case .addressNotAvailable: "within the time, this node did not have the address that the socket is bound to"
        default: "within the time, there was no way to the peer: \(number)"
        }
    }

    // Waits on the socket, so that closing it ends the wait.
    private func pause(until instant: MonotonicInstant) throws(SocketError) {
        do throws(SocketError) {
            let _: Bool = try perform(.until(instant)) { (_, _, _, _) throws(SocketError) -> Bool? in nil }
        } catch {
            guard error.number == .tryAgain else { throw error }
        }
    }

    private func connectStream(
        to remote: SocketEndpoint, _ waiting: Waiting, givesUp: Bool
    ) throws(SocketError) {
        var part = Part.none
        let _: Bool = try perform(
            waiting,
            expired: { state, stack, room, now in
                guard givesUp || state.connectTimeout.map({ $0 <= state.sendTimeout ?? $0 }) ?? false else {
                    return SocketError(part == .joined ? .already : .inProgress, "the handshake goes on")
                }
                endAttempt(&state, &stack, &room, now)
                return SocketError(.timedOut, "the peer did not answer within the time given")
            },
            { (state, stack, room, now) throws(SocketError) -> Bool? in
                try connectStep(to: remote, &part, &state, &stack, &room, now)
            })
    }

    // What a call does about the attempt under way.
    private enum Part {
        case none, started, joined
    }

    // One look at an attempt: true when it is done, nil while it is under way.
    private func connectStep(
        to remote: SocketEndpoint, _ part: inout Part, _ state: inout State, _ stack: inout NetworkStack,
        _ room: inout WaitingRoom, _ now: Now
    ) throws(SocketError) -> Bool? {
        let pending = state.takePendingError()
        if part != .none, !state.isConnecting, state.id?.kind != .stream {
            // Another call has taken the attempt back.
            throw pending ?? SocketError(.aborted)
        }
        if let pending, part == .none, state.isConnecting { throw pending }
        let peer = try unwrapped(remote, state)
        if state.isListening { throw SocketError(.isConnected, "the socket listens") }
        if let id = state.id, id.kind == .stream {
            let phase = try stackCall { () throws(StackError) in try stack.state(id) }
            if state.isConnecting {
                switch phase {
                case .synSent, .synReceived:
                    if part == .none {
                        if state.isNonBlocking { throw SocketError(.already) }
                        part = .joined
                    }
                    return nil
                case .closed:
                    state.isConnecting = false
                    if let error = try stackCall({ () throws(StackError) in try stack.takeError(id) }) {
                        throw SocketError(error)
                    }
                    throw SocketError(.aborted)
                default:
                    state.isConnecting = false
                    state.wasConnected = true
                    state.wantsConnection = false
                    if part != .none { return true }
                }
            }
            guard phase == .closed, !state.wasConnected else { throw SocketError(.isConnected) }
            // The attempt before failed, and the program was told.
            try forgetAttempt(&state, &stack, &room, now)
        }
        try startAttempt(to: peer, &state, &stack, &room, now)
        part = .started
        if state.isNonBlocking {
            state.wantsConnection = true
            throw SocketError(.inProgress)
        }
        return nil
    }

    private func startAttempt(
        to peer: SocketEndpoint, _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom,
        _ now: Now
    ) throws(SocketError) {
        let (options, connection, reservation) = (state.options, state.connection, state.id)
        let isIPv4 = isIPv4
        let id = try stackCall { () throws(StackError) in
            if let reservation {
                return try stack.tcpConnect(reservation, to: peer, connectionOptions: connection, now: now)
            }
            guard isIPv4 || peer.address.isIPv6 || !options.isIPv6Only else { throw .networkUnreachable }
            return try stack.tcpConnect(to: peer, options: options, connectionOptions: connection, now: now)
        }
        adopt(id, &state, &room)
        state.isConnecting = true
        state.wasConnected = false
    }

    // Lets go of a failed connection. A port that the program had bound is held again.
    private func forgetAttempt(
        _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom, _ now: Now
    ) throws(SocketError) {
        if let id = state.id {
            room.remove(id)
            stack.abort(id, now: now)
            state.id = nil
        }
        state.isConnecting = false
        state.wasConnected = false
        state.wantsConnection = false
        if let bound = state.bound { try reserve(bound, &state, &stack, &room) }
    }

    // The time for connecting is over.
    private func endAttempt(
        _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom, _ now: Now
    ) {
        // A port that cannot be held again is gone: the next attempt takes any.
        if (try? forgetAttempt(&state, &stack, &room, now)) == nil { state.bound = nil }
    }

    private func disconnect() throws(SocketError) {
        try control { (state, stack, room, now) throws(SocketError) in
            guard let id = state.id else { return }
            if !isStream {
                try stackCall { () throws(StackError) in try stack.udpConnect(id, to: nil, now: now) }
                return
            }
            switch id.kind {
            case .listener: try stopListening(id, &state, &stack, &room, now)
            case .stream:
                let wasOpen = (try? stack.state(id)).map { $0 != .closed } ?? false
                try forgetAttempt(&state, &stack, &room, now)
                if wasOpen { state.pendingError = SocketError(.reset) }
            case .datagram, .reservation: return
            }
            room.signal(waiters)
        }
    }

    private func stopListening(
        _ id: SocketID, _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom, _ now: Now
    ) throws(SocketError) {
        adopt(
            try stackCall { () throws(StackError) in try stack.tcpStopListening(id, now: now) }, &state, &room)
    }

    private func connectDatagram(to remote: SocketEndpoint) throws(SocketError) {
        try control { (state, stack, room, now) throws(SocketError) in
            let peer = try unwrapped(remote, state)
            let id = try datagram(&state, &stack, &room)
            try stackCall { () throws(StackError) in try stack.udpConnect(id, to: peer, now: now) }
        }
    }

    // MARK: Listen and accept

    func listen(backlog: Int) throws(SocketError) {
        guard isStream else { throw SocketError(.notSupported) }
        try control { (state, stack, room, now) throws(SocketError) in
            if state.id == nil { try reserve(unspecified, &state, &stack, &room) }
            guard let id = state.id else { return }
            let connection = state.connection
            switch id.kind {
            case .reservation:
                let listener = try stackCall { () throws(StackError) in
                    try stack.tcpListen(id, backlog: backlog, connectionOptions: connection, now: now)
                }
                adopt(listener, &state, &room)
            case .listener: try stackCall { () throws(StackError) in try stack.setBacklog(id, backlog) }
            case .stream, .datagram: throw SocketError(.invalid, "the socket is connected")
            }
        }
    }

    func accept(nonBlocking: Bool) throws(SocketError) -> (BlockingSocket, SocketEndpoint) {
        guard isStream else { throw SocketError(.notSupported) }
        return try perform(.receive) { (state, stack, room, now) throws(SocketError) in
            guard let id = state.id, id.kind == .listener else {
                throw SocketError(.invalid, "the socket does not listen")
            }
            guard let stream = try stackCall({ () throws(StackError) in try stack.accept(id, now: now) }) else {
                return nil
            }
            let remote = try stackCall { () throws(StackError) in try stack.initialRemoteEndpoint(stream) }
            return (child(of: state, stream, nonBlocking, &room), wrapped(remote))
        }
    }

    private func child(
        of parent: State, _ id: SocketID, _ isNonBlocking: Bool, _ room: inout WaitingRoom
    ) -> BlockingSocket {
        var state = State()
        state.id = id
        state.epoch = parent.epoch
        state.isNonBlocking = isNonBlocking
        state.options = parent.options
        state.connection = parent.connection
        state.linger = parent.linger
        state.lowWater = parent.lowWater
        state.receiveTimeout = parent.receiveTimeout
        state.sendTimeout = parent.sendTimeout
        state.connectTimeout = parent.connectTimeout
        state.receiveBuffer = parent.receiveBuffer
        state.sendBuffer = parent.sendBuffer
        state.wasConnected = true
        let socket = BlockingSocket(
            isIPv4: isIPv4, isStream: true, attachment: attachment, numbers: numbers, state: state)
        room.set(id, socket.waiters)
        return socket
    }

    // MARK: Names

    /// Where the socket is bound. What is not decided yet is unspecified or 0.
    package func localEndpoint() throws(SocketError) -> SocketEndpoint {
        try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { return unspecified }
            return wrapped(try stackCall { () throws(StackError) in try stack.localEndpoint(id) })
        }
    }

    /// Where the socket is connected to.
    package func remoteEndpoint() throws(SocketError) -> SocketEndpoint {
        try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { throw SocketError(.notConnected) }
            return wrapped(try stackCall { () throws(StackError) in try stack.remoteEndpoint(id) })
        }
    }

    // MARK: Ending

    func shutdown(_ side: ShutdownSide) throws(SocketError) {
        let direction: ShutdownDirection =
            switch side {
            case .receive: .read
            case .send: .write
            case .both: .both
            }
        try control { (state, stack, room, now) throws(SocketError) in
            // Every thread that waits looks again, whatever the outcome.
            defer { room.signal(waiters) }
            if !isStream { _ = try datagram(&state, &stack, &room) }
            guard let id = state.id else { throw SocketError(.notConnected) }
            if id.kind == .stream, (try? stack.state(id)) == .synSent {
                // As on Linux: the attempt is over, and the socket is as it was before.
                endAttempt(&state, &stack, &room, now)
                state.pendingError = SocketError(.reset)
                return
            }
            if id.kind == .listener {
                // No longer a listener, but still bound.
                if side != .send { try stopListening(id, &state, &stack, &room, now) }
                return
            }
            try stackCall { () throws(StackError) in try stack.shutdown(id, direction, now: now) }
        }
    }

    /// The descriptor is gone: ends the connection as SO_LINGER says, and wakes the threads that wait.
    func close() {
        let deadline = end(isReset: false)
        if let deadline { linger(until: deadline) }
        waiters.signal()
    }

    /// As `close`, at once and with a reset.
    func abandon() {
        _ = end(isReset: true)
        waiters.signal()
    }

    // Marks the socket closed and lets the stack's socket go. Returns the deadline for delivery, if the call has to
    // wait for it.
    private func end(isReset: Bool) -> MonotonicInstant? {
        while true {
            let attached = attachment.now
            var deadline: MonotonicInstant?
            guard case .node(let port) = attached.current else {
                // During a restart too: the next node lets the connection go.
                if case .restarting = attached.current {
                    let thread = WaitingThread()
                    attachment.waitForRestart(thread, until: nil)
                    continue
                }
                state.withLock { $0.isClosed = true }
                return nil
            }
            let isDone: Bool? = port.call { stack, room, now in
                state.withLock { state in
                    guard !state.isClosed else { return }
                    state.isClosed = true
                    guard let id = state.id, state.epoch == attached.epoch else { return }
                    let lingers = state.linger.isOn && state.linger.seconds > 0 && id.kind == .stream && !isReset
                    if lingers, (try? stack.receiveAvailable(id)) == 0,
                        (try? stack.shutdown(id, .write, now: now)) != nil
                    {
                        deadline = now.monotonic + .seconds(state.linger.seconds)
                        return
                    }
                    room.remove(id)
                    if isReset { stack.abort(id, now: now) } else { stack.close(id, now: now) }
                }
                room.signal(waiters)
                return true
            }
            if isDone != nil { return deadline }
            if case .node(let latest) = attachment.now.current, latest.isSame(as: port) {
                state.withLock { $0.isClosed = true }
                return nil
            }
        }
    }

    // Waits until the peer has everything or the time is over; then the stack goes on alone.
    private func linger(until deadline: MonotonicInstant) {
        let thread = WaitingThread()
        defer { waiters.remove(thread) }
        while true {
            let attached = attachment.now
            guard case .node(let port) = attached.current else {
                guard case .restarting = attached.current else { return }
                attachment.waitForRestart(thread, until: nil)
                continue
            }
            let isDone: Bool? = port.call { stack, room, now in
                state.withLock { state in
                    guard let id = state.id, state.epoch == attached.epoch else { return true }
                    let isDelivered: Bool
                    switch try? stack.state(id) {
                    case .finWait1, .closing, .lastAck: isDelivered = false
                    default: isDelivered = true
                    }
                    guard isDelivered || deadline <= now.monotonic || CallingThread.isCancelled else {
                        waiters.add(thread)
                        return (try? stack.requestProgressEvent(id)) == nil
                    }
                    room.remove(id)
                    stack.close(id, now: now)
                    return true
                }
            }
            switch isDone {
            case true?: return
            case false?: _ = port.park(thread, until: deadline, restarts: false)
            case nil: if case .node(let latest) = attachment.now.current, latest.isSame(as: port) { return }
            }
        }
    }
}
