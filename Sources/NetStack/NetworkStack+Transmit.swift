// The way out: control packets first, then sockets in turn. The link pulls, so that nothing is dropped in the process.

package import NetPrimitives

extension NetworkStack {
    /// The next packets to be sent, or nil if nothing is due. `room` says how many packets of interface MTU the link
    /// can take now. The burst is booked: write it or lose it, then ask again.
    package mutating func nextBurst(room: Int, now: Now) -> Burst? {
        releaseCurrent(now)
        hasMoreLoopback = false
        guard room > 0 else { return nil }
        var budget = configuration.limits.loopbackPacketsPerCall
        while true {
            guard let burst = takeBurst(room, now) else {
                // Packets that came back over the loop-back may have answers.
                if touchedStreams.isEmpty { return nil }
                endBatch(now: now)
                continue
            }
            if !burst.isLoopback {
                statistics.framesSent &+= UInt64(burst.count)
                statistics.bytesSent &+= UInt64(burst.packetLength * (burst.count - 1) + burst.lastLength)
                return burst
            }
            deliverLoopback(burst, now)
            releaseCurrent(now)
            budget -= 1
            if budget == 0 {
                endBatch(now: now)
                hasMoreLoopback = true
                return nil
            }
        }
    }

    /// Writes a segment's Ethernet payload at an offset and gives its length.
    package mutating func write(
        _ burst: Burst, segment: Int, into packet: inout MutableRawSpan, at offset: Int
    ) -> Int {
        switch burst.source {
        case .stream(let slot, let tcp):
            guard streams.contains(slot) else { return 0 }
            let length = tcp.length(segment)
            let header = streams[slot].writeHeader(
                into: &packet, at: offset, payloadLength: length, isMarkable: tcp.isMarkable,
                defaultHopLimit: configuration.defaultHopLimit)
            return header + streams[slot].connection.write(tcp, segment: segment, into: &packet, at: offset + header)
        case .datagram:
            return writeDatagram(segment, into: &packet, at: offset)
        case .packet:
            guard let bytes = currentPacket?.bytes else { return 0 }
            packet.copy(from: bytes, at: offset)
            return bytes.count
        }
    }

    /// Writes the first bytes of segment 0, at least the IP and transport headers if the packet has them, for a filter
    /// that looks at headers. Gives how many bytes it wrote: at most `limit`, at most the packet's length.
    package mutating func writeHeaders(
        _ burst: Burst, into packet: inout MutableRawSpan, at offset: Int, limit: Int
    ) -> Int {
        switch burst.source {
        case .stream(let slot, let tcp):
            guard streams.contains(slot), limit >= streams[slot].headerLength + 20 else { return 0 }
            let header = streams[slot].writeHeader(
                into: &packet, at: offset, payloadLength: tcp.length(0), isMarkable: tcp.isMarkable,
                defaultHopLimit: configuration.defaultHopLimit)
            // A filter reads ports, flags and length. Options and checksum follow with the packet.
            let key = streams[slot].key
            packet.storeUInt32(key.ports, at: offset + header)
            packet.storeUInt32(tcp.sequence.value, at: offset + header + 4)
            packet.storeUInt32(tcp.acknowledgment.value, at: offset + header + 8)
            let words = UInt16(truncatingIfNeeded: tcp.headerLength / 4)
            let flags = burst.count == 1 ? tcp.flags.union(tcp.lastFlags) : tcp.flags
            packet.storeUInt16(words << 12 | UInt16(flags.rawValue), at: offset + header + 12)
            packet.storeUInt16(tcp.window, at: offset + header + 14)
            packet.storeUInt32(0, at: offset + header + 16)
            return header + 20
        case .datagram:
            return writeDatagramHeaders(into: &packet, at: offset, limit: limit)
        case .packet:
            guard let bytes = currentPacket?.bytes else { return 0 }
            let count = min(bytes.count, limit)
            bytes.withBytes { packet.copy(from: $0, sourceOffset: 0, count: count, at: offset) }
            return count
        }
    }

    // Lets go of what the last burst was written from.
    private mutating func releaseCurrent(_ now: Now) {
        currentPacket = nil
        if currentDatagram != .none {
            let slot = currentDatagram
            currentDatagram = .none
            if datagramSockets.contains(slot) { finishDatagram(slot, now) }
        }
    }

    private mutating func takeBurst(_ room: Int, _ now: Now) -> Burst? {
        while true {
            // A socket's turn may put packets here: a question for its neighbour, a listener's answers.
            if let packet = controlQueue.popFirst() { return makeBurst(packet) }
            guard let id = readySockets.popFirst() else {
                hurriesDatagrams = false
                return nil
            }
            switch id.kind {
            case .stream:
                guard streams.contains(id.slot) else { continue }
                if let burst = takeStreamBurst(id.slot, room, now) { return burst }
            case .datagram:
                readyDatagramSockets -= 1
                guard datagramSockets.contains(id.slot) else { continue }
                if let burst = takeDatagramBurst(id.slot, room, now) { return burst }
            case .listener:
                if listeners.contains(id.slot) { sendListenerReplies(id.slot, now) }
            case .reservation:
                continue
            }
        }
    }

    private mutating func makeBurst(_ packet: OwnedPacket) -> Burst {
        controlBytes -= packet.bytes.count
        currentPacket = packet
        return Burst(
            interface: packet.interface, destination: packet.destination, etherType: packet.etherType, count: 1,
            packetLength: packet.bytes.count, lastLength: packet.bytes.count,
            isControl: packet.destination.isMulticast || packet.etherType == EtherType.arp, source: .packet,
            isLoopback: packet.isLoopback)
    }

    mutating func markReady(stream slot: SlotID) {
        guard !streams[slot].flags.contains(.ready) else { return }
        streams[slot].flags.insert(.ready)
        readySockets.append(SocketID(.stream, slot))
    }

    mutating func markReady(datagram slot: SlotID) {
        guard !datagramSockets[slot].isReady else { return }
        datagramSockets[slot].isReady = true
        readySockets.append(SocketID(.datagram, slot))
        readyDatagramSockets += 1
    }

    /// Whether only datagrams wait for the link, and nobody waits until they have left. Then they may wait for more.
    package var hasOnlyDatagrams: Bool {
        queuedDatagrams > 0 && !hurriesDatagrams && controlQueue.isEmpty && touchedStreams.isEmpty
            && readySockets.count == readyDatagramSockets
    }

    // MARK: Owned packets

    /// Queues a packet for the link, or for the way back into this stack.
    mutating func enqueue(_ packet: OwnedPacket) {
        guard controlQueue.count < configuration.limits.controlPackets,
            controlBytes + packet.bytes.count <= configuration.limits.controlBytes
        else { return drop(.controlQueueFull) }
        controlBytes += packet.bytes.count
        controlQueue.append(packet)
    }

    /// Why a packet leaves. It decides how the neighbour is found.
    enum Occasion {
        /// Our own wish.
        case own
        /// It answers a frame of this station. It goes back there, and no neighbour is asked for.
        case answer(MACAddress)
    }

    /// Sends an IP packet along a route: to the link, to this stack, or into the queue of its neighbour.
    mutating func transmit(_ bytes: [UInt8], along route: OutboundRoute, _ occasion: Occasion, now: Now) {
        let etherType = route.source.isIPv4 ? EtherType.ipv4 : EtherType.ipv6
        var packet = OwnedPacket(
            interface: route.interface, destination: .zero, etherType: etherType, bytes: bytes)
        switch route.kind {
        case .loopback:
            packet.isLoopback = true
            enqueue(packet)
        case .group:
            packet.destination = route.nextHop.isMulticast ? route.nextHop.multicastMAC : .broadcast
            enqueue(packet)
        case .unicast:
            if case .answer(let station) = occasion {
                packet.destination = station
                return enqueue(packet)
            }
            switch resolve(ScopedAddress(route.interface, route.nextHop), isForOthers: false, now) {
            case .known(let mac, _):
                packet.destination = mac
                enqueue(packet)
            case .pending(let slot):
                for _ in 0..<neighbours.park(packet, slot, limits: configuration.limits) { drop(.neighbourUnresolved) }
            case .full:
                drop(.neighbourTableFull)
            }
        }
    }

    /// Wraps a transport payload in IP and sends it, cut up if the path needs it.
    mutating func sendIP(
        _ payload: [UInt8], protocolNumber: UInt8, along route: OutboundRoute, to destination: IPAddress,
        hopLimit: UInt8, trafficClass: UInt8 = 0, _ occasion: Occasion, now: Now
    ) {
        let plan = FragmentPlan(
            payloadLength: payload.count, isIPv4: route.source.isIPv4, mtu: route.mtu, allowsFragments: true)
        guard let plan else { return drop(.tooBig) }
        let identification = plan.count > 1 ? nextIdentification(route.source, destination, protocolNumber) : 0
        let header = PacketTemplate(
            source: route.source, destination: destination, protocolNumber: protocolNumber, hopLimit: hopLimit,
            trafficClass: trafficClass, dontFragment: plan.count == 1, identification: identification)
        if plan.count > 1 {
            statistics.fragmented &+= 1
            statistics.fragmentsSent &+= UInt64(plan.count)
        }
        for index in 0..<plan.count {
            let part = plan.part(index)
            let length = plan.headerLength + part.count
            let bytes = makeBytes(length) { span in
                header.write(plan, index, into: &span, at: 0)
                payload.withBytes {
                    span.copy(from: $0, sourceOffset: part.lowerBound, count: part.count, at: plan.headerLength)
                }
            }
            if route.source.isIPv4 { statistics.ipv4.sent &+= 1 } else { statistics.ipv6.sent &+= 1 }
            transmit(bytes, along: route, occasion, now: now)
        }
    }

    /// An identification that cannot be guessed from another flow's (RFC 7739).
    mutating func nextIdentification(
        _ source: IPAddress, _ destination: IPAddress, _ protocolNumber: UInt8
    ) -> UInt32 {
        var hasher = SipHasher(hashKey)
        hasher.combine(source.high ^ destination.high)
        hasher.combine(source.low)
        hasher.combine(destination.low)
        hasher.combine(UInt64(protocolNumber) | 0x1d00)
        identificationCounter &+= 1
        return UInt32(truncatingIfNeeded: hasher.finish()) &+ identificationCounter
    }

    // MARK: Loop-back

    private mutating func deliverLoopback(_ burst: Burst, _ now: Now) {
        var buffer = scratch
        scratch = []
        let needed = max(burst.packetLength, burst.lastLength)
        if buffer.count < needed { buffer = [UInt8](repeating: 0, count: needed) }
        for segment in 0..<burst.count {
            let length = buffer.withMutableBytes { write(burst, segment: segment, into: &$0, at: 0) }
            statistics.loopbackPackets &+= 1
            buffer.withBytes {
                demultiplex(
                    $0.extracting(0..<length), etherType: burst.etherType, on: burst.interface, sourceMAC: .zero,
                    isGroupFrame: false, isLoopback: true, now: now)
            }
        }
        scratch = buffer
    }
}
