// Calls that exist for sockets of every kind: names, readiness, options, ending. Read first: poll(2), shutdown(2).

package import NetPrimitives

extension NetworkStack {
    // MARK: Names

    /// The local address and port. Unspecified or 0 if not chosen yet.
    package func localEndpoint(_ id: SocketID) throws(StackError) -> SocketEndpoint {
        switch id.kind {
        case .stream: return streams[try streamSlot(id)].connection.local
        case .listener: return listeners[try listenerSlot(id)].local
        case .datagram: return datagramSockets[try datagramSlot(id)].local
        case .reservation:
            guard reservations.contains(id.slot) else { throw .badSocket }
            return reservations[id.slot].local
        }
    }

    /// The peer's address and port.
    package func remoteEndpoint(_ id: SocketID) throws(StackError) -> SocketEndpoint {
        switch id.kind {
        case .stream:
            let slot = try streamSlot(id)
            switch streams[slot].connection.state {
            case .closed, .synSent: throw .notConnected
            default: return streams[slot].connection.remote
            }
        case .datagram:
            guard let remote = datagramSockets[try datagramSlot(id)].remote else { throw .notConnected }
            return remote
        case .listener, .reservation: throw .notConnected
        }
    }

    /// Whether the ID names a socket that is open.
    package func isOpen(_ id: SocketID) -> Bool {
        switch id.kind {
        case .stream: streams.contains(id.slot) && !streams[id.slot].flags.contains(.released)
        case .listener: listeners.contains(id.slot)
        case .datagram: datagramSockets.contains(id.slot) && !datagramSockets[id.slot].isClosing
        case .reservation: reservations.contains(id.slot)
        }
    }

    /// Sockets that exist. Connections that still deliver their last bytes count, those in TIME-WAIT do not.
    package var socketCount: Int {
        streams.count + listeners.count + datagramSockets.count + reservations.count
    }

    /// Connections that were closed here and whose peers have not acknowledged all of it.
    package var undeliveredCount: Int {
        var count = 0
        for slot in streams.ids where streams[slot].flags.contains(.released) && streams[slot].isUndelivered {
            count += 1
        }
        return count
    }

    /// Whether a connection's writing direction has ended here and the peer has not acknowledged all of it.
    package func isUndelivered(_ id: SocketID) -> Bool {
        id.kind == .stream && isOpen(id) && streams[id.slot].isUndelivered
    }

    /// Ends the connections that were closed here and still deliver. Each peer gets a reset.
    package mutating func abortUndelivered(now: Now) {
        for slot in streams.ids where streams[slot].flags.contains(.released) && streams[slot].isUndelivered {
            abortStream(slot, now)
        }
    }

    /// Connections that are remembered in TIME-WAIT.
    package var timeWaitCount: Int { timeWaits.count }

    // MARK: Readiness and errors

    /// What can be done with the socket now.
    package func readiness(of id: SocketID) throws(StackError) -> Readiness {
        switch id.kind {
        case .stream: return streams[try streamSlot(id)].readiness
        case .datagram: return datagramSockets[try datagramSlot(id)].readiness
        case .reservation: return [.writable, .hangUp]
        case .listener:
            let slot = try listenerSlot(id)
            if listeners[slot].isShut { return [.writable, .hangUp] }
            if listeners[slot].error != nil { return [.readable, .error, .hangUp] }
            return listeners[slot].listener.canAccept ? .readable : []
        }
    }

    /// The pending error, given once (SO_ERROR).
    package mutating func takeError(_ id: SocketID) throws(StackError) -> StackError? {
        switch id.kind {
        case .stream: return streams[try streamSlot(id)].takeError()
        case .datagram: return datagramSockets[try datagramSlot(id)].takeError()
        case .listener: return listeners[try listenerSlot(id)].error
        case .reservation: return nil
        }
    }

    // MARK: Options

    /// The options below the transport.
    package func socketOptions(_ id: SocketID) throws(StackError) -> SocketOptions {
        switch id.kind {
        case .stream: return streams[try streamSlot(id)].options
        case .listener: return listeners[try listenerSlot(id)].options
        case .datagram: return datagramSockets[try datagramSlot(id)].options
        case .reservation:
            guard reservations.contains(id.slot) else { throw .badSocket }
            return reservations[id.slot].options
        }
    }

    /// Changes options below the transport. Options that took effect at bind time (reuse, interface, family) keep that
    /// effect.
    package mutating func setSocketOptions(_ id: SocketID, _ options: SocketOptions) throws(StackError) {
        switch id.kind {
        case .stream: streams[try streamSlot(id)].options = options
        case .listener: listeners[try listenerSlot(id)].options = options
        case .datagram:
            let slot = try datagramSlot(id)
            datagramSockets[slot].options = options
            datagramSockets[slot].received.limit =
                options.receiveBytes ?? configuration.limits.datagramReceiveMaximum
            datagramSockets[slot].sending.limit = options.sendBytes ?? configuration.limits.datagramSendBytes
            datagramSockets[slot].cachedRoute = nil
        case .reservation:
            guard reservations.contains(id.slot) else { throw .badSocket }
            reservations[id.slot].options = options
        }
    }

    // MARK: Ending

    /// Ends one or both directions.
    package mutating func shutdown(_ id: SocketID, _ direction: ShutdownDirection, now: Now) throws(StackError) {
        switch id.kind {
        case .stream: try shutdownStream(try streamSlot(id), direction, now)
        case .listener:
            let slot = try listenerSlot(id)
            if direction != .write { shutListener(slot, now) }
        case .datagram:
            let slot = try datagramSlot(id)
            if direction != .write { datagramSockets[slot].isReadShut = true }
            if direction != .read { datagramSockets[slot].isWriteShut = true }
            noteDatagram(slot, [.readable, .writable])
            if datagramSockets[slot].remote == nil { throw .notConnected }
        case .reservation:
            throw .notConnected
        }
    }

    private mutating func shutdownStream(
        _ slot: SlotID, _ direction: ShutdownDirection, _ now: Now
    ) throws(StackError) {
        switch streams[slot].connection.state {
        case .closed, .timeWait: throw .notConnected
        case .synSent:
            guard direction != .read else { throw .notConnected }
            streams[slot].connection.shutdownWrite(now: now)
            streams[slot].error = .reset
            noteStream(slot, [.error, .closed])
            return settle(slot, now)
        default: break
        }
        if direction != .write {
            streams[slot].flags.insert(.readShut)
            streams[slot].connection.shutdownRead()
            noteStream(slot, .readable)
        }
        if direction != .read { streams[slot].connection.shutdownWrite(now: now) }
        settle(slot, now)
    }

    /// Lets go of a socket: its ID is dead from here on. A connection sends what is queued and its FIN in the
    /// background, or a reset if bytes are unread; a listener's waiting connections are reset.
    package mutating func close(_ id: SocketID, now: Now) {
        switch id.kind {
        case .stream:
            guard isOpen(id) else { return }
            if streams[id.slot].options.resetsOnClose { return abort(id, now: now) }
            streams[id.slot].flags.insert(.released)
            streams[id.slot].pendingEvents = []
            streams[id.slot].connection.close(now: now)
            settle(id.slot, now)
        case .listener:
            guard listeners.contains(id.slot) else { return }
            shutListener(id.slot, now)
            timers.remove(listeners[id.slot].timer)
            _ = listeners.remove(id.slot)
        case .datagram:
            if datagramSockets.contains(id.slot) { closeDatagram(id.slot) }
        case .reservation:
            guard let held = reservations.remove(id.slot) else { return }
            bindings.remove(held.binding)
        }
    }

    /// Lets go of a connection with a reset; what is queued is lost. Other sockets are closed.
    package mutating func abort(_ id: SocketID, now: Now) {
        guard id.kind == .stream else { return close(id, now: now) }
        guard isOpen(id) else { return }
        abortStream(id.slot, now)
    }

    private mutating func abortStream(_ slot: SlotID, _ now: Now) {
        streams[slot].flags.insert(.released)
        streams[slot].pendingEvents = []
        streams[slot].connection.abort(now: now)
        settle(slot, now)
    }

    // Stops listening: waiting connections are reset, half-open ones forgotten.
    private mutating func shutListener(_ slot: SlotID, _ now: Now) {
        guard !listeners[slot].isShut else { return }
        listeners[slot].isShut = true
        bindings.remove(listeners[slot].binding)
        listeners[slot].binding = -1
        timers.cancel(listeners[slot].timer)
        while let stream = listeners[slot].listener.accept() {
            if streams.contains(stream) { abortStream(stream, now) }
        }
        noteListener(slot, [.acceptable, .closed])
    }

    // MARK: Addresses that go away

    /// Ends the sockets that use an address of this stack: connections and connected or bound UDP sockets get
    /// `networkDown`.
    mutating func failSockets(of address: IPAddress, now: Now) {
        // If another interface has the address too, it is still ours.
        if isOwn(address) { return }
        for slot in streams.ids where streams[slot].connection.local.address == address {
            streams[slot].connection.fail(.networkDown)
            settle(slot, now)
        }
        for slot in datagramSockets.ids where datagramSockets[slot].local.address == address {
            datagramSockets[slot].error = .networkDown
            noteDatagram(slot, [.error, .readable, .writable])
        }
        for slot in listeners.ids where listeners[slot].local.address == address {
            listeners[slot].error = .networkDown
            noteListener(slot, [.error, .acceptable])
        }
        for slot in timeWaits.ids where timeWaits[slot].key.local == address { removeTimeWait(slot) }
    }

    /// Ends the sockets that are bound to an interface.
    mutating func failSockets(on interface: InterfaceID, now: Now) {
        for slot in streams.ids
        where streams[slot].route.interface == interface || streams[slot].options.interface == interface {
            streams[slot].connection.fail(.networkDown)
            settle(slot, now)
        }
        for slot in datagramSockets.ids {
            datagramSockets[slot].memberships.removeAll { $0.interface == interface }
            guard datagramSockets[slot].options.interface == interface else { continue }
            datagramSockets[slot].error = .networkDown
            noteDatagram(slot, [.error, .readable, .writable])
        }
        for slot in listeners.ids where listeners[slot].options.interface == interface {
            listeners[slot].error = .networkDown
            noteListener(slot, [.error, .acceptable])
        }
        for slot in timeWaits.ids where timeWaits[slot].key.scope >> 8 == UInt64(interface.slot.index) {
            removeTimeWait(slot)
        }
    }
}
