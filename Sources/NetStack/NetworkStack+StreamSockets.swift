// The TCP calls. Read first: tcp(7), RFC 9293 3.9: they behave as Linux's do.

package import NetPrimitives

extension NetworkStack {
    func streamSlot(_ id: SocketID) throws(StackError) -> SlotID {
        guard id.kind == .stream else { throw id.kind == .datagram ? .notSupported : .notConnected }
        guard streams.contains(id.slot), !streams[id.slot].flags.contains(.released) else { throw .badSocket }
        return id.slot
    }

    func listenerSlot(_ id: SocketID) throws(StackError) -> SlotID {
        guard id.kind == .listener else { throw id.kind == .datagram ? .notSupported : .invalid }
        guard listeners.contains(id.slot) else { throw .badSocket }
        return id.slot
    }

    // MARK: Bind, listen, connect

    /// Holds a port for a later `tcpListen` or `tcpConnect`.
    package mutating func tcpBind(
        _ local: SocketEndpoint, options: SocketOptions = SocketOptions()
    ) throws(StackError) -> SocketID {
        guard reservations.count < configuration.limits.reservations else { throw .tooManySockets }
        try checkLocal(local.address, on: options.interface)
        let slot = reservations.insert(Reservation(local: local, options: options, binding: -1))
        let id = SocketID(.reservation, slot)
        do {
            var binding = makeBinding(id, local.address, options, .reservation)
            let port = try choosePort(IPProtocol.tcp, local.port, &binding)
            reservations[slot].local = SocketEndpoint(local.address, port: port)
            reservations[slot].binding = bindings.insert(IPProtocol.tcp, port, binding)
        } catch {
            _ = reservations.remove(slot)
            throw error
        }
        return id
    }

    private func makeBinding(
        _ owner: SocketID, _ address: IPAddress, _ options: SocketOptions, _ role: Binding.Role
    ) -> Binding {
        Binding(
            owner: owner,
            scope: BindScope(
                address: address, isDual: !address.isIPv4 && !options.isIPv6Only && address.isUnspecified,
                interface: options.interface),
            role: role, reuseAddress: options.reuseAddress, reusePort: options.reusePort)
    }

    /// Listens on an address (unspecified for all; the IPv6 one takes IPv4 too unless `isIPv6Only`) and port (0 for an
    /// ephemeral one).
    package mutating func tcpListen(
        on local: SocketEndpoint, backlog: Int, options: SocketOptions = SocketOptions(),
        connectionOptions: ConnectionOptions = ConnectionOptions(), now: Now
    ) throws(StackError) -> SocketID {
        let reservation = try tcpBind(local, options: options)
        do {
            return try tcpListen(reservation, backlog: backlog, connectionOptions: connectionOptions, now: now)
        } catch {
            close(reservation, now: now)
            throw error
        }
    }

    /// Listens on a bound port. The reservation is used up if that works.
    package mutating func tcpListen(
        _ reservation: SocketID, backlog: Int, connectionOptions: ConnectionOptions = ConnectionOptions(), now: Now
    ) throws(StackError) -> SocketID {
        guard reservation.kind == .reservation else { throw .invalid }
        guard reservations.contains(reservation.slot) else { throw .badSocket }
        guard listeners.count < configuration.limits.listeners else { throw .tooManySockets }
        let held = reservations[reservation.slot]
        var binding = makeBinding(reservation, held.local.address, held.options, .receiver)
        guard bindings.allows(IPProtocol.tcp, held.local.port, binding, ignoring: held.binding) else {
            throw .addressInUse
        }
        bindings.remove(held.binding)
        _ = reservations.remove(reservation.slot)
        let timer = timers.reserve()
        let slot = listeners.insert(
            ListenerSocket(
                listener: Listener(
                    backlog: clampedBacklog(backlog), options: completed(connectionOptions)), local: held.local,
                options: held.options, binding: -1, timer: timer))
        timers.setOwner(timer, .listener(slot))
        let id = SocketID(.listener, slot)
        binding.owner = id
        listeners[slot].binding = bindings.insert(IPProtocol.tcp, held.local.port, binding)
        return id
    }

    /// Stops listening and goes on holding the port. Waiting connections are reset. Returns the reservation; the listener
    /// is gone.
    package mutating func tcpStopListening(_ id: SocketID, now: Now) throws(StackError) -> SocketID {
        let slot = try listenerSlot(id)
        guard reservations.count < configuration.limits.reservations else { throw .tooManySockets }
        let (local, options) = (listeners[slot].local, listeners[slot].options)
        close(id, now: now)
        let reservation = SocketID(
            .reservation, reservations.insert(Reservation(local: local, options: options, binding: -1)))
        // It was held all the time: nothing can be in the way.
        reservations[reservation.slot].binding = bindings.insert(
            IPProtocol.tcp, local.port, makeBinding(reservation, local.address, options, .reservation))
        return reservation
    }

    // A negative or excessive backlog means as much as is allowed (Linux `somaxconn`).
    private func clampedBacklog(_ backlog: Int) -> Int {
        backlog < 0 ? configuration.limits.acceptBacklog : min(backlog, configuration.limits.acceptBacklog)
    }

    /// Changes the backlog of a listener.
    package mutating func setBacklog(_ id: SocketID, _ backlog: Int) throws(StackError) {
        let slot = try listenerSlot(id)
        listeners[slot].listener.setBacklog(clampedBacklog(backlog))
    }

    /// Starts a connection. `connected` or `error` tells how it went; SYNs are repeated while the path is being made.
    package mutating func tcpConnect(
        to remote: SocketEndpoint, from local: SocketEndpoint? = nil, options: SocketOptions = SocketOptions(),
        connectionOptions: ConnectionOptions = ConnectionOptions(), now: Now
    ) throws(StackError) -> SocketID {
        if let local, local.port != 0 {
            let reservation = try tcpBind(local, options: options)
            do {
                return try tcpConnect(reservation, to: remote, connectionOptions: connectionOptions, now: now)
            } catch {
                close(reservation, now: now)
                throw error
            }
        }
        if let local { try checkLocal(local.address, on: options.interface) }
        let route = try streamRoute(to: remote, from: local?.address, options, now)
        return try open(route, to: remote, port: nil, options, connectionOptions, now)
    }

    /// Starts a connection from a bound port. The reservation is used up if that works.
    package mutating func tcpConnect(
        _ reservation: SocketID, to remote: SocketEndpoint, connectionOptions: ConnectionOptions = ConnectionOptions(),
        now: Now
    ) throws(StackError) -> SocketID {
        guard reservation.kind == .reservation else { throw .isConnected }
        guard reservations.contains(reservation.slot) else { throw .badSocket }
        let held = reservations[reservation.slot]
        let route = try streamRoute(to: remote, from: held.local.address, held.options, now)
        let id = try open(route, to: remote, port: held.local.port, held.options, connectionOptions, now)
        bindings.remove(held.binding)
        _ = reservations.remove(reservation.slot)
        return id
    }

    private mutating func streamRoute(
        to remote: SocketEndpoint, from local: IPAddress?, _ options: SocketOptions, _ now: Now
    ) throws(StackError) -> OutboundRoute {
        guard remote.port != 0 else { throw .addressNotAvailable }
        var source = local
        // The IPv6 wildcard of a dual-stack socket says nothing about an IPv4 source.
        if let address = source, address.isUnspecified {
            guard address.isIPv4 == remote.address.isIPv4 || (!address.isIPv4 && !options.isIPv6Only) else {
                throw address.isIPv4 ? .addressFamily : .networkUnreachable
            }
            source = nil
        }
        let route = try route(to: remote.address, from: source, on: options.interface, now: now)
        guard route.kind != .group, !route.isBroadcast else { throw .networkUnreachable }
        return route
    }

    private mutating func open(
        _ route: OutboundRoute, to remote: SocketEndpoint, port: UInt16?, _ options: SocketOptions,
        _ connectionOptions: ConnectionOptions, _ now: Now
    ) throws(StackError) -> SocketID {
        guard streams.count < configuration.limits.streams else { throw .tooManySockets }
        guard streamBytes < configuration.limits.streamBytes else { throw .noBuffers }
        let peer = SocketEndpoint(route.kind == .loopback ? route.nextHop : remote.address, port: remote.port)
        let chosen: UInt16
        if let port { chosen = port } else { chosen = try ephemeralPort(route, peer, now) }
        let key = FlowKey(
            IPProtocol.tcp, local: route.source, localPort: chosen, remote: peer.address, remotePort: peer.port,
            interface: route.interface)
        let local = SocketEndpoint(route.source, port: chosen)
        var sequence = sequences.sequence(local: local, remote: peer, now: now)
        switch flows[key] {
        case .timeWait(let slot)? where timeWaits.contains(slot):
            guard timeWaits[slot].state.canReuse(now: now) else { throw .addressNotAvailable }
            sequence = timeWaits[slot].state.successorSequence
            removeTimeWait(slot)
        case .stream(let slot)? where streams.contains(slot):
            throw .addressNotAvailable
        default: break
        }
        let parameters = ConnectionParameters(
            local: local, remote: peer,
            maximumSegmentSize: max(1, route.mtu - (route.source.isIPv4 ? IPv4Header.size : IPv6Header.size) - 20),
            initialSequence: sequence, timestampOffset: sequences.timestampOffset(local: local, remote: peer),
            options: completed(connectionOptions))
        let slot = insertStream(Connection(connecting: parameters, now: now), key, route, options)
        markReady(stream: slot)
        return SocketID(.stream, slot)
    }

    // A port whose 4-tuple is free and that nobody has bound (RFC 6056).
    private mutating func ephemeralPort(
        _ route: OutboundRoute, _ remote: SocketEndpoint, _ now: Now
    ) throws(StackError) -> UInt16 {
        var allocator = ports
        let port = allocator.port(from: route.source, to: remote) { candidate in
            if bindings.hasReceivers(IPProtocol.tcp, candidate) { return false }
            // A connection with oneself needs a bound port: by chance it would surprise.
            if route.kind == .loopback, candidate == remote.port, route.source == remote.address { return false }
            let key = FlowKey(
                IPProtocol.tcp, local: route.source, localPort: candidate, remote: remote.address,
                remotePort: remote.port, interface: route.interface)
            switch flows[key] {
            case .stream(let slot)?: return !streams.contains(slot)
            case .timeWait(let slot)?: return !timeWaits.contains(slot) || timeWaits[slot].state.canReuse(now: now)
            default: return true
            }
        }
        ports = allocator
        guard let port else { throw .addressNotAvailable }
        return port
    }

    // MARK: Accept

    /// Takes the oldest completed connection of a listener; nil if none waits.
    package mutating func accept(_ id: SocketID, now: Now) throws(StackError) -> SocketID? {
        let slot = try listenerSlot(id)
        if let error = listeners[slot].error { throw error }
        guard !listeners[slot].isShut else { throw .invalid }
        while let stream = listeners[slot].listener.accept() {
            guard streams.contains(stream) else { continue }
            streams[stream].flags.remove(.unaccepted)
            streams[stream].listener = nil
            // Edges from before the call, of which nobody was told.
            settle(stream, now)
            noteStream(stream, SocketEvents(edgesOf: streams[stream].readiness))
            return SocketID(.stream, stream)
        }
        return nil
    }

    // MARK: Data

    /// Queues bytes to be sent and gives how many were taken. Throws `wouldBlock` if none fit.
    package mutating func send(_ id: SocketID, _ bytes: RawSpan, now: Now) throws(StackError) -> Int {
        let slot = try streamSlot(id)
        if let error = streams[slot].takeError() { throw error }
        if streams[slot].connection.isSendClosed { throw .brokenPipe }
        guard bytes.byteCount > 0 else { return 0 }
        guard streamBytes < configuration.limits.streamBytes else { throw .noBuffers }
        let count = streams[slot].connection.send(bytes, from: 0, count: bytes.byteCount, now: now)
        if count > 0 { settle(slot, now) }
        guard count > 0 else { throw .wouldBlock }
        return count
    }

    /// Takes received bytes and gives how many; 0 at the end of the stream (or for an empty target). Throws
    /// `wouldBlock` if none are there.
    package mutating func receive(
        _ id: SocketID, into target: inout MutableRawSpan, now: Now
    ) throws(StackError) -> Int {
        try receive(id, into: &target, at: 0, now: now)
    }

    /// As the other, into the target's bytes from an offset on, which is not negative.
    package mutating func receive(
        _ id: SocketID, into target: inout MutableRawSpan, at offset: Int, now: Now
    ) throws(StackError) -> Int {
        let slot = try streamSlot(id)
        guard target.byteCount > offset else { return 0 }
        let count = streams[slot].connection.receive(
            into: &target, at: offset, count: target.byteCount - offset, now: now)
        if count > 0 {
            settle(slot, now)
            return count
        }
        return try emptyRead(slot)
    }

    /// Copies received bytes and leaves them; otherwise as `receive`.
    package mutating func peek(_ id: SocketID, into target: inout MutableRawSpan) throws(StackError) -> Int {
        let slot = try streamSlot(id)
        guard target.byteCount > 0 else { return 0 }
        let count = streams[slot].connection.peek(into: &target, at: 0, count: target.byteCount)
        return count > 0 ? count : try emptyRead(slot)
    }

    // Nothing is there: an error once, the end, or not yet.
    private mutating func emptyRead(_ slot: SlotID) throws(StackError) -> Int {
        if let error = streams[slot].takeError() { throw error }
        if streams[slot].connection.isEndOfStream || streams[slot].flags.contains(.readShut) { return 0 }
        throw .wouldBlock
    }

    /// Bytes that can be read at once (FIONREAD).
    package func receiveAvailable(_ id: SocketID) throws(StackError) -> Int {
        streams[try streamSlot(id)].connection.receiveAvailable
    }

    /// Bytes queued or in flight that the peer has not acknowledged.
    package func unacknowledged(_ id: SocketID) throws(StackError) -> Int {
        streams[try streamSlot(id)].connection.unacknowledged
    }

    /// The state of a connection.
    package func state(_ id: SocketID) throws(StackError) -> ConnectionState {
        streams[try streamSlot(id)].connection.state
    }

    /// The stack decides what the application left open.
    func completed(_ options: ConnectionOptions) -> ConnectionOptions {
        var options = options
        options.congestionControl = options.congestionControl ?? configuration.congestionControl
        options.requestsCongestionMarks = options.requestsCongestionMarks || configuration.requestsCongestionMarks
        return options
    }

    /// Options of a connection, or those that a listener gives its connections.
    package func connectionOptions(_ id: SocketID) throws(StackError) -> ConnectionOptions {
        if id.kind == .listener { return listeners[try listenerSlot(id)].listener.options }
        return streams[try streamSlot(id)].connection.options
    }

    /// Changes options of a connection.
    package mutating func setConnectionOptions(
        _ id: SocketID, _ options: ConnectionOptions, now: Now
    ) throws(StackError) {
        let slot = try streamSlot(id)
        streams[slot].connection.setOptions(completed(options), now: now)
        settle(slot, now)
    }

    /// Numbers of a connection for TCP_INFO.
    package func information(_ id: SocketID) throws(StackError) -> StreamInformation {
        let slot = try streamSlot(id)
        return StreamInformation(
            state: streams[slot].connection.state, segmentSize: streams[slot].connection.segmentSize,
            roundTripTime: streams[slot].connection.roundTripTime,
            congestionWindow: streams[slot].connection.congestionWindow,
            bytesInFlight: streams[slot].connection.bytesInFlight,
            unacknowledged: streams[slot].connection.unacknowledged)
    }

    /// The way to an interface's peers has just opened: neighbours that were asked for without an answer and connections that wait
    /// for an answer ask again at once. `station`: only the way to this one opened. Neighbours are not asked for then: otherwise
    /// each coming and going would make questions to all.
    package mutating func linkBecameUsable(_ interface: InterfaceID, station: MACAddress? = nil, now: Now) {
        if station == nil {
            for slot in neighbours.entries.ids where neighbours.entries[slot].key.interface == interface {
                guard !neighbours.entries[slot].hasMAC else { continue }
                neighbours.entries[slot].state = .incomplete(remaining: configuration.neighbourMulticastProbes)
                fireNeighbour(slot, now)
            }
        }
        for slot in streams.ids where streams[slot].route.interface == interface {
            if let station {
                let neighbour = streams[slot].neighbour
                guard neighbours.entries.contains(neighbour), neighbours.entries[neighbour].hasMAC,
                    neighbours.entries[neighbour].mac == station
                else { continue }
            }
            streams[slot].connection.linkBecameUsable(now: now)
            settle(slot, now)
        }
    }
}

/// Numbers of a connection for TCP_INFO.
package struct StreamInformation: Sendable {
    package let state: ConnectionState
    /// Largest payload of a segment.
    package let segmentSize: Int
    /// Smoothed; nil before the first sample.
    package let roundTripTime: Duration?
    package let congestionWindow: Int
    package let bytesInFlight: Int
    package let unacknowledged: Int
}
