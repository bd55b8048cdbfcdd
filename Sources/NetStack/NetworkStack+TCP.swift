// TCP segments in and bursts out: demultiplexing, listeners, TIME-WAIT, resets.
// Read first: RFC 9293 3.10.7, RFC 1122 4.2; the machines themselves are in TCP/.

import NetPrimitives

extension NetworkStack {
    // MARK: In

    mutating func receiveTCP(_ packet: RawSpan, _ info: PacketInfo, now: Now) {
        statistics.tcp.received &+= 1
        guard !info.isGroup, !info.source.isUnspecified else { return drop(.groupTransport, \.tcp) }
        // The span is cut at the packet's end: padding is never payload.
        let packet = packet.extracting(0..<info.payloadEnd)
        guard let header = SegmentHeader(parsing: packet, at: info.payloadOffset, length: info.payloadLength) else {
            return drop(.truncated, \.tcp)
        }
        let key = FlowKey(
            IPProtocol.tcp, local: info.destination, localPort: header.destinationPort, remote: info.source,
            remotePort: header.sourcePort, interface: info.interface)
        if let last = lastFlow, last == key, streams.contains(lastStream) {
            statistics.cacheHits &+= 1
            return receive(header, packet, info, stream: lastStream, now: now)
        }
        switch flows[key] {
        case .stream(let slot)?:
            guard streams.contains(slot) else { return receiveUnconnected(header, packet, info, key, now) }
            lastFlow = key
            lastStream = slot
            receive(header, packet, info, stream: slot, now: now)
        case .timeWait(let slot)?:
            receiveInTimeWait(header, packet, info, key, slot, now)
        default:
            receiveUnconnected(header, packet, info, key, now)
        }
    }

    @inline(__always)
    private mutating func receive(
        _ header: SegmentHeader, _ packet: RawSpan, _ info: PacketInfo, stream slot: SlotID, now: Now
    ) {
        if streams[slot].flags.insert(.touched).inserted { touchedStreams.append(slot) }
        let before = streams[slot].connection.unacknowledged
        let outcome = streams[slot].connection.receive(
            header, packet: packet, congestionMarked: info.trafficClass & 3 == 3, now: now)
        switch outcome {
        case .accepted:
            // The acknowledged bytes went through this neighbour (RFC 4861 7.3.1).
            if streams[slot].connection.unacknowledged < before { confirm(streams[slot].neighbour, now) }
        case .dropped(let reason):
            drop(StackDropReason(reason), \.tcp)
        case .reply(let segment):
            drop(.unacceptableSegment, \.tcp)
            send(segment, answering: info, now: now)
        }
    }

    private mutating func receiveInTimeWait(
        _ header: SegmentHeader, _ packet: RawSpan, _ info: PacketInfo, _ key: FlowKey, _ slot: SlotID, _ now: Now
    ) {
        guard timeWaits.contains(slot) else { return receiveUnconnected(header, packet, info, key, now) }
        switch timeWaits[slot].state.receive(header, packet: packet, now: now) {
        case .ignore: drop(.unacceptableSegment, \.tcp)
        case .reply(let segment): send(segment, answering: info, now: now)
        case .reopen:
            removeTimeWait(slot)
            receiveUnconnected(header, packet, info, key, now)
        }
    }

    // No connection: a listener may want it, else it is refused.
    private mutating func receiveUnconnected(
        _ header: SegmentHeader, _ packet: RawSpan, _ info: PacketInfo, _ key: FlowKey, _ now: Now
    ) {
        let pseudoSum = pseudoHeaderSum(info.source, info.destination)
        guard header.isChecksumValid(in: packet, pseudoHeaderSum: pseudoSum) else { return drop(.checksum, \.tcp) }
        guard header.sourcePort != 0, header.destinationPort != 0 else { return drop(.malformed, \.tcp) }
        var hasher = SipHasher(hashKey)
        key.mix(into: &hasher)
        let receiver = bindings.receiver(
            IPProtocol.tcp, header.destinationPort, info.destination, info.interface, flowHash: hasher.finish())
        guard let receiver, listeners.contains(receiver.slot), !listeners[receiver.slot].isShut else {
            drop(.noSocket, \.tcp)
            refuse(header, info, now)
            return
        }
        listen(header, packet, info, key, receiver.slot, now)
    }

    private mutating func refuse(_ header: SegmentHeader, _ info: PacketInfo, _ now: Now) {
        guard let reset = ReplySegment(resetting: header) else { return }
        guard mayAnswer(info, now) else { return drop(.rateLimited, \.tcp) }
        statistics.resetsSent &+= 1
        send(reset, answering: info, now: now)
    }

    private mutating func listen(
        _ header: SegmentHeader, _ packet: RawSpan, _ info: PacketInfo, _ key: FlowKey, _ slot: SlotID, _ now: Now
    ) {
        let local = SocketEndpoint(info.destination, port: header.destinationPort)
        let remote = SocketEndpoint(info.source, port: header.sourcePort)
        // LAND: a SYN from ourselves to ourselves does not come from the link.
        guard local != remote || info.isLoopback else { return drop(.martian, \.tcp) }
        // Asked first: an acknowledgment that cannot be taken now leaves the half-open connection as it is, to come again.
        guard
            header.flags.contains(.synchronize)
                || streams.count < configuration.limits.streams && streamBytes < configuration.limits.streamBytes
        else { return drop(.tooManySockets, \.tcp) }
        let size = segmentSize(on: info.interface, isIPv4: local.address.isIPv4)
        let outcome = listeners[slot].listener.receive(
            header, packet: packet, local: local, remote: remote,
            station: info.isLoopback ? nil : StationKey(info.interface, info.sourceMAC), maximumSegmentSize: size,
            sequences: sequences, now: now)
        switch outcome {
        case .dropped(let reason):
            drop(StackDropReason(reason), \.tcp)
        case .reply(let segment):
            send(segment, answering: info, now: now)
        case .replyDue:
            markReady(listener: slot)
        case .withdrawn: break
        case .established(let parameters, let handshake):
            establish(header, packet, info, key, slot, parameters, handshake, now)
        }
        timers.set(listeners[slot].timer, listeners[slot].listener.nextDeadline)
    }

    // The handshake is complete: the connection exists from here on, and gets the segment that completed it.
    private mutating func establish(
        _ header: SegmentHeader, _ packet: RawSpan, _ info: PacketInfo, _ key: FlowKey, _ listener: SlotID,
        _ parameters: ConnectionParameters, _ handshake: HandshakeResult, _ now: Now
    ) {
        guard
            let route = try? route(
                to: info.source, from: info.destination, on: replyInterface(info), now: now)
        else { return drop(.noRoute, \.tcp) }
        // It has shown that it hears what is sent to that station.
        if route.kind == .unicast {
            insertUnasked(ScopedAddress(route.interface, route.nextHop), mac: info.sourceMAC)
        }
        let options = listeners[listener].options
        let slot = insertStream(
            Connection(accepting: parameters, handshake: handshake, now: now), key, route, options)
        streams[slot].flags.insert(.unaccepted)
        streams[slot].listener = listener
        listeners[listener].listener.enqueue(slot)
        noteListener(listener, .acceptable)
        receive(header, packet, info, stream: slot, now: now)
    }

    /// The largest payload of a segment on an interface, before TCP options.
    func segmentSize(on id: InterfaceID, isIPv4: Bool) -> Int {
        max(1, interfaces[id.slot].mtu - (isIPv4 ? IPv4Header.size : IPv6Header.size) - 20)
    }

    // MARK: Replies

    private mutating func send(_ segment: ReplySegment, answering info: PacketInfo, now: Now) {
        send(
            segment, from: info.destination, to: info.source, on: replyInterface(info), at: info.sourceMAC, now: now)
    }

    /// Sends an answer to the station that was heard.
    mutating func send(
        _ segment: ReplySegment, from source: IPAddress, to destination: IPAddress, on interface: InterfaceID?,
        at station: MACAddress, trafficClass: UInt8 = 0, now: Now
    ) {
        guard let route = try? route(to: destination, from: source, on: interface, now: now), route.kind != .group
        else { return drop(.noRoute, \.tcp) }
        statistics.tcp.sent &+= 1
        let isIPv4 = source.isIPv4
        let headerSize = isIPv4 ? IPv4Header.size : IPv6Header.size
        let length = segment.length
        let bytes = makeBytes(headerSize + length) { span in
            writeIPHeader(
                into: &span, at: 0, payloadLength: length, source: source, destination: destination,
                hopLimit: configuration.defaultHopLimit, trafficClass: trafficClass)
            _ = segment.write(
                into: &span, at: headerSize, pseudoHeaderSum: pseudoHeaderSum(source, destination))
        }
        if isIPv4 { statistics.ipv4.sent &+= 1 } else { statistics.ipv6.sent &+= 1 }
        transmit(bytes, along: route, .answer(station), now: now)
    }

    mutating func markReady(listener slot: SlotID) {
        guard !listeners[slot].isReady else { return }
        listeners[slot].isReady = true
        readySockets.append(SocketID(.listener, slot))
    }

    // Turns the replies of a listener into packets, as many as fit.
    mutating func sendListenerReplies(_ slot: SlotID, _ now: Now) {
        listeners[slot].isReady = false
        let trafficClass = listeners[slot].options.trafficClass
        while controlQueue.count < configuration.limits.controlPackets {
            guard let reply = listeners[slot].listener.nextReply(now: now) else { break }
            send(
                reply.segment, from: reply.local.address, to: reply.remote.address,
                on: reply.station?.interface ?? listeners[slot].options.interface,
                at: reply.station?.station ?? .zero, trafficClass: trafficClass, now: now)
        }
        timers.set(listeners[slot].timer, listeners[slot].listener.nextDeadline)
    }

    // MARK: Out

    mutating func takeStreamBurst(_ slot: SlotID, _ room: Int, _ now: Now) -> Burst? {
        streams[slot].flags.remove(.ready)
        if streams[slot].routeGeneration != routeGeneration { reroute(slot, now) }
        let kind = streams[slot].route.kind
        var mac = MACAddress.zero
        var neighbour = SlotID.none
        if kind == .unicast {
            guard let known = streamNeighbour(slot, now) else { return nil }
            mac = known.mac
            neighbour = known.slot
        }
        let header = streams[slot].headerLength
        let interface = streams[slot].route.interface
        // The loop-back's packets are up to 64 KiB, and may be for this same connection: one at a time.
        let most =
            kind == .loopback ? 1 : min(room, max(1, StackConstants.burstBytes / interfaces[interface.slot].mtu))
        guard let tcp = streams[slot].connection.nextBurst(maximumSegments: most, now: now) else {
            settleAfterTransmit(slot, now)
            return nil
        }
        timers.setLazily(streams[slot].timer, streams[slot].connection.nextDeadline)
        markReady(stream: slot)
        statistics.tcp.sent &+= UInt64(tcp.count)
        if tcp.isRetransmission { statistics.retransmitted &+= UInt64(tcp.count) }
        let isIPv4 = header == IPv4Header.size
        if isIPv4 { statistics.ipv4.sent &+= UInt64(tcp.count) } else { statistics.ipv6.sent &+= UInt64(tcp.count) }
        if neighbour != .none { _ = use(neighbour, now) }
        return Burst(
            interface: interface, destination: mac, etherType: isIPv4 ? EtherType.ipv4 : EtherType.ipv6,
            count: tcp.count, packetLength: header + tcp.length(0), lastLength: header + tcp.length(tcp.count - 1),
            isControl: false, source: .stream(slot, tcp), isLoopback: kind == .loopback)
    }

    // The neighbour's MAC; nil when the connection has to wait for it, or lost what it wanted to send.
    private mutating func streamNeighbour(_ slot: SlotID, _ now: Now) -> (mac: MACAddress, slot: SlotID)? {
        let cached = streams[slot].neighbour
        if neighbours.entries.contains(cached), neighbours.entries[cached].hasMAC {
            return (neighbours.entries[cached].mac, cached)
        }
        let key = ScopedAddress(streams[slot].route.interface, streams[slot].route.nextHop)
        if let found = neighbours.find(key), neighbours.entries[found].hasMAC {
            streams[slot].neighbour = found
            return (neighbours.entries[found].mac, found)
        }
        if streams[slot].flags.contains(.unreachable) {
            streams[slot].flags.remove(.unreachable)
            loseBurst(slot, now)
            return nil
        }
        switch resolve(key, isForOthers: streams[slot].listener != nil, now) {
        case .known(let mac, let found):
            streams[slot].neighbour = found
            return (mac, found)
        case .pending(let found):
            streams[slot].neighbour = found
            if streams[slot].flags.insert(.waiting).inserted { neighbours.entries[found].waiters.append(slot) }
        case .full:
            drop(.neighbourTableFull, \.tcp)
            loseBurst(slot, now)
        }
        return nil
    }

    // The neighbour does not answer. The connection's bytes are lost as on a wire, and its own timers go on.
    private mutating func loseBurst(_ slot: SlotID, _ now: Now) {
        if let tcp = streams[slot].connection.nextBurst(maximumSegments: 1, now: now) {
            drop(.neighbourUnresolved, \.tcp)
            streams[slot].connection.receive(
                unreachable: .hostUnreachable, isHard: false, sequence: tcp.sequence, now: now)
        }
        settleAfterTransmit(slot, now)
    }

    // Addresses or routes have changed since the connection's route was chosen.
    private mutating func reroute(_ slot: SlotID, _ now: Now) {
        streams[slot].routeGeneration = routeGeneration
        let old = streams[slot].route
        guard old.kind == .unicast else { return }
        let destination = streams[slot].connection.remote.address
        guard
            let new = try? route(to: destination, from: old.source, on: old.interface, now: now),
            new.kind == .unicast
        else { return }
        // Source and interface are part of the connection; the next hop and the size may change.
        streams[slot].route = new
        if new.nextHop != old.nextHop { streams[slot].neighbour = .none }
        if new.mtu != old.mtu {
            streams[slot].connection.limitSegmentSize(
                to: max(1, new.mtu - streams[slot].headerLength - 20), sequence: nil, now: now)
        }
    }

    // MARK: After each step

    /// Takes the edges of a connection, arms its timer, lets it send, and removes it when it is over.
    mutating func settle(_ slot: SlotID, _ now: Now) {
        account(slot, now)
        let edges = streams[slot].connection.takeEvents()
        if !edges.isEmpty { noteStream(slot, SocketEvents(edges)) }
        if streams[slot].flags.contains(.tellsProgress) {
            streams[slot].flags.remove(.tellsProgress)
            noteStream(slot, .readable)
        }
        timers.setLazily(streams[slot].timer, streams[slot].connection.nextDeadline)
        if streams[slot].connection.isReleasable { return release(slot, now) }
        markReady(stream: slot)
    }

    // Keeps the sum of what all buffers hold, and stops the growth of this one when there is little left.
    @inline(__always)
    private mutating func account(_ slot: SlotID, _ now: Now) {
        let held = streams[slot].connection.memoryHeld
        let change = held - streams[slot].accountedBytes
        guard change != 0 else { return }
        streams[slot].accountedBytes = held
        streamBytes += change
        guard change > 0, isUnderPressure, streams[slot].connection.options.autotune else { return }
        var options = streams[slot].connection.options
        let ceiling = max(held, TCPLimits.initialBuffer)
        options.sendBufferMaximum = min(options.sendBufferMaximum, ceiling)
        options.receiveBufferMaximum = min(options.receiveBufferMaximum, ceiling)
        streams[slot].connection.setOptions(options, now: now)
    }

    /// Whether the buffers of all connections hold more than 70 % of their bound.
    var isUnderPressure: Bool { streamBytes / 7 >= configuration.limits.streamBytes / 10 }

    private mutating func settleAfterTransmit(_ slot: SlotID, _ now: Now) {
        account(slot, now)
        let edges = streams[slot].connection.takeEvents()
        if !edges.isEmpty { noteStream(slot, SocketEvents(edges)) }
        timers.setLazily(streams[slot].timer, streams[slot].connection.nextDeadline)
        if streams[slot].connection.isReleasable { release(slot, now) }
    }

    mutating func fireStream(_ slot: SlotID, _ now: Now) {
        guard streams.contains(slot) else { return }
        if let deadline = streams[slot].connection.nextDeadline, deadline <= now.monotonic {
            streams[slot].connection.handleDeadline(now: now)
        }
        settle(slot, now)
    }

    mutating func fireListener(_ slot: SlotID, _ now: Now) {
        guard listeners.contains(slot) else { return }
        listeners[slot].listener.handleDeadline(now: now)
        timers.set(listeners[slot].timer, listeners[slot].listener.nextDeadline)
        markReady(listener: slot)
    }

    /// Puts a connection into the tables.
    mutating func insertStream(
        _ connection: consuming Connection, _ key: FlowKey, _ route: OutboundRoute, _ options: SocketOptions
    ) -> SlotID {
        let local = connection.local
        let timer = timers.reserve()
        let slot = streams.insert(
            StreamSocket(
                connection: connection, key: key, route: route, routeGeneration: routeGeneration, binding: -1,
                timer: timer, options: options))
        timers.setOwner(timer, .stream(slot))
        streams[slot].binding = bindings.insert(
            IPProtocol.tcp, local.port,
            Binding(
                owner: SocketID(.stream, slot), scope: BindScope(address: local.address, interface: options.interface),
                role: .connection, reuseAddress: options.reuseAddress, reusePort: options.reusePort))
        flows.set(key, .stream(slot))
        streams[slot].connection.setPieceLength(interfaces[route.interface.slot].configuration.pieceLength)
        return slot
    }

    /// Takes a connection out of the tables; TIME-WAIT stays as a compact entry.
    mutating func release(_ slot: SlotID, _ now: Now) {
        let memory = streams[slot].connection.makeTimeWait()
        let key = streams[slot].key
        timers.remove(streams[slot].timer)
        streamBytes -= streams[slot].accountedBytes
        guard let stream = streams.remove(slot) else { return }
        guard let memory else {
            bindings.remove(stream.binding)
            if case .stream(let owner)? = flows[key], owner == slot { flows.remove(key) }
            return
        }
        while timeWaits.count >= configuration.limits.timeWaits, let oldest = nextTimeWait() { removeTimeWait(oldest) }
        let entry = timeWaits.insert(
            TimeWaitEntry(state: memory, key: key, binding: stream.binding, options: stream.options))
        flows.set(key, .timeWait(entry))
        timeWaitOrder.append(entry)
        if timers.deadline(of: timeWaitTimer) == nil { timers.set(timeWaitTimer, memory.deadline) }
    }

    // MARK: TIME-WAIT

    private mutating func nextTimeWait() -> SlotID? {
        while let first = timeWaitOrder.first {
            if timeWaits.contains(first) { return first }
            _ = timeWaitOrder.popFirst()
        }
        return nil
    }

    mutating func removeTimeWait(_ slot: SlotID) {
        guard let entry = timeWaits.remove(slot) else { return }
        bindings.remove(entry.binding)
        if case .timeWait(let owner)? = flows[entry.key], owner == slot { flows.remove(entry.key) }
    }

    // Oldest first. One whose deadline was moved by a late FIN holds up those behind it, by a minute at most.
    mutating func expireTimeWaits(_ now: Now) {
        while let first = nextTimeWait() {
            let deadline = timeWaits[first].state.deadline
            guard deadline <= now.monotonic else { break }
            _ = timeWaitOrder.popFirst()
            removeTimeWait(first)
        }
        timers.set(timeWaitTimer, nextTimeWait().map { timeWaits[$0].state.deadline })
    }
}

extension StackDropReason {
    /// The stack's name for why a connection refused a segment.
    init(_ reason: SegmentDrop) {
        switch reason {
        case .badChecksum: self = .checksum
        case .queueFull: self = .backlogFull
        case .tooManyRanges: self = .queueFull
        default: self = .unacceptableSegment
        }
    }
}

extension SocketEvents {
    /// Edges for an application that learns of a socket only now.
    init(edgesOf readiness: Readiness) {
        self = .connected
        if readiness.contains(.readable) { insert(.readable) }
        if readiness.contains(.writable) { insert(.writable) }
        if readiness.contains(.error) { insert(.error) }
        if readiness.contains(.hangUp) { insert(.closed) }
    }

    init(_ events: ConnectionEvents) {
        self = []
        if events.contains(.connected) { formUnion([.connected, .writable]) }
        if events.contains(.readable) { insert(.readable) }
        if events.contains(.writable) { insert(.writable) }
        if events.contains(.error) { insert(.error) }
        if events.contains(.closed) { insert(.closed) }
    }
}

extension StreamSocket {
    /// Writes the IP header of a segment and gives its length.
    @inline(__always)
    func writeHeader(
        into packet: inout MutableRawSpan, at offset: Int, payloadLength: Int, isMarkable: Bool, defaultHopLimit: UInt8
    ) -> Int {
        writeIPHeader(
            into: &packet, at: offset, payloadLength: payloadLength, source: route.source, destination: key.remote,
            hopLimit: options.hopLimit == 0 ? defaultHopLimit : options.hopLimit,
            trafficClass: options.trafficClass | (isMarkable ? 2 : 0))
        return headerLength
    }
}

/// Writes the IP header of a TCP segment: never cut, so no identification.
@inline(__always)
func writeIPHeader(
    into packet: inout MutableRawSpan, at offset: Int, payloadLength: Int, source: IPAddress, destination: IPAddress,
    hopLimit: UInt8, trafficClass: UInt8
) {
    if source.isIPv4 {
        var header = IPv4Header(
            payloadLength: payloadLength, protocolNumber: IPProtocol.tcp, source: source, destination: destination,
            hopLimit: hopLimit, trafficClass: trafficClass)
        header.dontFragment = true
        header.write(into: &packet, at: offset)
    } else {
        IPv6Header(
            payloadLength: payloadLength, nextHeader: IPProtocol.tcp, source: source, destination: destination,
            hopLimit: hopLimit, trafficClass: trafficClass
        ).write(into: &packet, at: offset)
    }
}
