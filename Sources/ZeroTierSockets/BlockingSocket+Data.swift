// Sending and receiving. Read first: send(2), recv(2), udp(7), tcp(7). A call that need not wait takes the node's lock
// once. Bytes are copied once, between the caller's memory and the stack's ring.

package import NetPrimitives
import NetStack
import Synchronization
import ZeroTier

extension BlockingSocket {
    // MARK: Send

    /// Sends bytes to the connected peer, or to a destination, which a stream ignores. Returns how many were taken: all of
    /// them, unless the call does not block or its time-out ended it.
    package func send(
        _ bytes: RawSpan, flags: MessageFlags, to destination: SocketEndpoint?
    ) throws(SocketError) -> Int {
        guard !flags.contains(.outOfBand) else { throw SocketError(.notSupported, "there is no urgent data") }
        if isStream {
            var turn: UInt64 = 0
            return try sendStream(bytes, flags, &turn, keepsTurn: false)
        }
        return try perform(.send, dontWait: flags.contains(.dontWait)) {
            (state, stack, room, now) throws(SocketError) -> Int? in
            if let error = state.takePendingError() { throw error }
            let id = try datagram(&state, &stack, &room)
            return try queueDatagram(id, bytes, to: destination, &state, &stack, now) ? bytes.byteCount : nil
        }
    }

    /// Queues a datagram. False if there is no room; an event will tell when there is.
    func queueDatagram(
        _ id: SocketID, _ bytes: RawSpan, to destination: SocketEndpoint?, _ state: inout State,
        _ stack: inout NetworkStack, _ now: Now
    ) throws(SocketError) -> Bool {
        var target: SocketEndpoint?
        if let destination { target = try unwrapped(destination, state) }
        do throws(StackError) {
            try stack.sendTo(id, bytes, to: target, now: now)
            state.wantsOutput = false
            return true
        } catch {
            if error == .wouldBlock {
                state.wantsOutput = true
                return false
            }
            // The address is of the other family, and the socket's bound address does not allow that.
            throw error == .addressFamily && !isIPv4 ? SocketError(.networkUnreachable) : SocketError(error)
        }
    }

    // Sends all bytes. If the call does not block, sends as many as there is room for. A call that has sent a part has
    // the turn until it ends, so that its bytes stay together. With `keepsTurn` it keeps the turn.
    private func sendStream(
        _ bytes: RawSpan, _ flags: MessageFlags, _ turn: inout UInt64, keepsTurn: Bool
    ) throws(SocketError) -> Int {
        var sent = 0
        do throws(SocketError) {
            return try perform(.send, dontWait: flags.contains(.dontWait)) {
                (state, stack, room, now) throws(SocketError) -> Int? in
                try sendStep(bytes, flags, &sent, &turn, keepsTurn, &state, &stack, &room, now)
            }
        } catch {
            endSendTurn(turn, sent > 0 ? error : nil)
            turn = 0
            if sent > 0 { return sent }
            throw error
        }
    }

    private func sendStep(
        _ bytes: RawSpan, _ flags: MessageFlags, _ sent: inout Int, _ turn: inout UInt64, _ keepsTurn: Bool,
        _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom, _ now: Now
    ) throws(SocketError) -> Int? {
        if let error = state.takePendingError() { throw error }
        guard let id = state.id, id.kind == .stream else { throw SocketError(.brokenPipe, "not connected") }
        if state.sendTurn != 0, state.sendTurn != turn { return nil }
        if flags.contains(.more) != state.isCorkedByCall { setCork(flags.contains(.more), id, &state, &stack, now) }
        let rest = sent == 0 ? bytes : bytes.extracting(droppingFirst: sent)
        do throws(StackError) {
            sent += try stack.send(id, rest, now: now)
        } catch {
            guard error == .wouldBlock else { throw SocketError(error) }
        }
        let mayWait = !flags.contains(.dontWait) && !state.isNonBlocking
        if sent == bytes.byteCount || (sent > 0 && !mayWait) {
            state.wantsOutput = sent < bytes.byteCount
            state.wantsConnection = false
            if keepsTurn {
                if turn == 0 { turn = state.ticket() }
                state.sendTurn = turn
            } else if state.sendTurn != 0 {
                state.sendTurn = 0
                room.signal(waiters)
            }
            return sent
        }
        if sent > 0, state.sendTurn == 0 {
            if turn == 0 { turn = state.ticket() }
            state.sendTurn = turn
        }
        state.wantsOutput = true
        return nil
    }

    // The call ends early: others may send. An error that it does not tell is kept for the next call.
    private func endSendTurn(_ turn: UInt64, _ error: SocketError?) {
        let others = state.withLock { state in
            if let error { state.keepForNextCall(error) }
            guard turn != 0, state.sendTurn == turn else { return false }
            state.sendTurn = 0
            return true
        }
        if others { waiters.signal() }
    }

    private func setCork(
        _ isOn: Bool, _ id: SocketID, _ state: inout State, _ stack: inout NetworkStack, _ now: Now
    ) {
        state.isCorkedByCall = isOn
        var options = state.connection
        options.cork = isOn || options.cork
        try? stack.setConnectionOptions(id, options, now: now)
    }

    // MARK: Receive

    /// Receives bytes, or one datagram; a count of 0 is the end of the stream.
    package func receive(
        into target: inout MutableRawSpan, flags: MessageFlags, _ waiting: Waiting = .receive
    ) throws(SocketError) -> ReceivedMessage {
        if isStream {
            guard !flags.contains(.outOfBand) else { throw SocketError(.notSupported, "urgent data is in line") }
            return ReceivedMessage(count: try receiveStream(into: &target, flags, waiting))
        }
        return try perform(waiting, dontWait: flags.contains(.dontWait)) {
            (state, stack, room, now) throws(SocketError) -> ReceivedMessage? in
            if let error = state.takePendingError() { throw error }
            let id = try datagram(&state, &stack, &room)
            return try takeDatagram(id, into: &target, flags, &stack, now)
        }
    }

    /// The oldest datagram; nil if none has come.
    func takeDatagram(
        _ id: SocketID, into target: inout MutableRawSpan, upTo limit: Int = .max, _ flags: MessageFlags,
        _ stack: inout NetworkStack, _ now: Now
    ) throws(SocketError) -> ReceivedMessage? {
        let taken = try stackTry { () throws(StackError) in
            try stack.receiveFrom(id, into: &target, upTo: limit, peek: flags.contains(.peek), now: now)
        }
        guard let taken else { return nil }
        return ReceivedMessage(
            count: flags.contains(.wholeLength) ? taken.length : taken.count, source: wrapped(taken.source),
            isTruncated: taken.isTruncated)
    }

    private func receiveStream(
        into target: inout MutableRawSpan, _ flags: MessageFlags, _ waiting: Waiting
    ) throws(SocketError) -> Int {
        var taken = 0
        var turn: UInt64 = 0
        do throws(SocketError) {
            return try perform(waiting, dontWait: flags.contains(.dontWait)) {
                (state, stack, room, now) throws(SocketError) -> Int? in
                guard let id = state.id, id.kind == .stream else { throw SocketError(.notConnected) }
                if state.receiveTurn != 0, state.receiveTurn != turn { return nil }
                if flags.contains(.peek) { return try peek(id, &target, flags, &state, &stack) }
                let count = try stackTry { () throws(StackError) in
                    try stack.receive(id, into: &target, at: taken, now: now)
                }
                guard let count else {
                    if taken == 0, let error = state.takePendingError() { throw error }
                    return nil
                }
                taken += count
                // The end of the stream may follow the bytes that have come, and nothing else will tell of it.
                let isDone =
                    !flags.contains(.waitAll) || taken == target.byteCount || count == 0 || hasEnded(id, &stack)
                if isDone || flags.contains(.dontWait) || state.isNonBlocking {
                    if state.receiveTurn != 0 {
                        state.receiveTurn = 0
                        room.signal(waiters)
                    }
                    return taken
                }
                if turn == 0 { turn = state.ticket() }
                state.receiveTurn = turn
                return nil
            }
        } catch {
            endReceiveTurn(turn, taken > 0 ? error : nil)
            if taken > 0 { return taken }
            throw error
        }
    }

    private func peek(
        _ id: SocketID, _ target: inout MutableRawSpan, _ flags: MessageFlags, _ state: inout State,
        _ stack: inout NetworkStack
    ) throws(SocketError) -> Int? {
        let mayWait = flags.contains(.waitAll) && !flags.contains(.dontWait) && !state.isNonBlocking
        let count = try stackTry { () throws(StackError) in try stack.peek(id, into: &target) }
        guard let count else {
            if let error = state.takePendingError() { throw error }
            return nil
        }
        if !mayWait || count == 0 || count == target.byteCount || hasEnded(id, &stack) { return count }
        try stackCall { () throws(StackError) in try stack.requestProgressEvent(id) }
        return nil
    }

    // Whether nothing follows what can be read.
    private func hasEnded(_ id: SocketID, _ stack: inout NetworkStack) -> Bool {
        (try? stack.readiness(of: id))?.isDisjoint(with: [.readHangUp, .error]) != true
    }

    private func endReceiveTurn(_ turn: UInt64, _ error: SocketError?) {
        let others = state.withLock { state in
            if let error { state.keepForNextCall(error) }
            guard turn != 0, state.receiveTurn == turn else { return false }
            state.receiveTurn = 0
            return true
        }
        if others { waiters.signal() }
    }

    /// FIONREAD: bytes of the stream that can be read, or bytes of the next datagram.
    package func bytesAvailable() throws(SocketError) -> Int {
        try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { return 0 }
            return try stackCall { () throws(StackError) in
                switch id.kind {
                case .stream: try stack.receiveAvailable(id)
                case .datagram: try stack.nextDatagramLength(id)
                case .listener: throw .invalid
                case .reservation: 0
                }
            }
        }
    }

    // MARK: Pieces

    /// Sends several pieces as one datagram, or as one stretch of the stream. `piece` is called with an index and hands
    /// that piece to its second argument.
    package func sendMessage(
        pieces: Int, flags: MessageFlags, to destination: SocketEndpoint?,
        _ piece: (_ index: Int, _ use: (RawSpan) -> Void) -> Void
    ) throws(SocketError) -> Int {
        guard isStream else { return try sendGathered(pieces, flags, destination, piece) }
        var turn: UInt64 = 0
        var sent = 0
        for index in 0..<pieces {
            let isLast = index == pieces - 1
            var failure: SocketError?
            var isWhole = true
            piece(index) { bytes in
                if bytes.byteCount == 0, !isLast { return }
                do throws(SocketError) {
                    let count = try sendStream(
                        bytes, isLast ? flags : flags.union(.more), &turn, keepsTurn: !isLast)
                    sent += count
                    isWhole = count == bytes.byteCount
                } catch {
                    failure = error
                }
            }
            if let failure {
                if sent > 0 {
                    endSendTurn(turn, failure)
                    return sent
                }
                throw failure
            }
            if !isWhole { break }
        }
        endSendTurn(turn, nil)
        return sent
    }

    // A datagram is one: its pieces are put together first.
    private func sendGathered(
        _ pieces: Int, _ flags: MessageFlags, _ destination: SocketEndpoint?,
        _ piece: (_ index: Int, _ use: (RawSpan) -> Void) -> Void
    ) throws(SocketError) -> Int {
        var bytes: [UInt8] = []
        var isTooLong = false
        for index in 0..<pieces {
            piece(index) { span in
                isTooLong = isTooLong || bytes.count + span.byteCount > SocketLimits.datagramBytes
                if !isTooLong { bytes.append(contentsOf: span.copyBytes()) }
            }
        }
        guard !isTooLong else { throw SocketError(.messageTooLong) }
        return try bytes.withBytes { (span) throws(SocketError) in
            try send(span, flags: flags, to: destination)
        }
    }

    /// Receives into several pieces one after the other. `piece` is called with an index and hands that piece to its
    /// second argument.
    package func receiveMessage(
        pieces: Int, flags: MessageFlags, _ waiting: Waiting = .receive,
        _ piece: (_ index: Int, _ use: (inout MutableRawSpan) -> Void) -> Void
    ) throws(SocketError) -> ReceivedMessage {
        if !isStream || flags.contains(.peek) { return try receiveScattered(pieces, flags, waiting, piece) }
        var result = ReceivedMessage(count: 0)
        for index in 0..<pieces {
            var failure: SocketError?
            var isFull = true
            // Only the first piece waits, unless all are to be filled.
            let own = result.count > 0 && !flags.contains(.waitAll) ? flags.union(.dontWait) : flags
            piece(index) { target in
                if target.byteCount == 0 { return }
                do throws(SocketError) {
                    let count = try receiveStream(into: &target, own, waiting)
                    result.count += count
                    isFull = count == target.byteCount
                } catch {
                    failure = error
                }
            }
            if let failure {
                guard result.count > 0 else { throw failure }
                endReceiveTurn(0, failure)
                return result
            }
            if !isFull { break }
        }
        return result
    }

    private func receiveScattered(
        _ pieces: Int, _ flags: MessageFlags, _ waiting: Waiting,
        _ piece: (_ index: Int, _ use: (inout MutableRawSpan) -> Void) -> Void
    ) throws(SocketError) -> ReceivedMessage {
        var capacity = 0
        for index in 0..<pieces { piece(index) { capacity += $0.byteCount } }
        var bytes = [UInt8](repeating: 0, count: min(capacity, SocketLimits.scatterBytes))
        let result = try bytes.withMutableBytes { (span) throws(SocketError) in
            try receive(into: &span, flags: flags, waiting)
        }
        var offset = 0
        let end = min(result.count, bytes.count)
        for index in 0..<pieces where offset < end {
            piece(index) { target in
                let count = min(target.byteCount, end - offset)
                bytes.withBytes { target.copy(from: $0, sourceOffset: offset, count: count, at: 0) }
                offset += count
            }
        }
        return result
    }
}
