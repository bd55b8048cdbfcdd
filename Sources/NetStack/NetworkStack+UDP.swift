// UDP packets in and out. Read first: RFC 768, RFC 1122 4.1.

import NetPrimitives

extension NetworkStack {
    // MARK: In

    mutating func receiveUDP(_ packet: RawSpan, _ info: PacketInfo, now: Now) {
        statistics.udp.received &+= 1
        let header: UDPHeader
        do {
            header = try UDPHeader(
                parsing: packet, at: info.payloadOffset, count: info.payloadLength,
                pseudoSum: pseudoHeaderSum(info.source, info.destination, IPProtocol.udp),
                isIPv4: info.source.isIPv4)
        } catch { return drop(error, \.udp) }
        guard header.destinationPort != 0 else { return drop(.malformed, \.udp) }
        // Our own address, over another network than its own: an answer would go to ourselves.
        guard info.isLoopback || !isOwn(info.source) else { return drop(.martian, \.udp) }
        if info.destination.isMulticast || (info.isGroup && info.destination.isIPv4) {
            return deliverToGroup(packet, info, header)
        }
        let key = FlowKey(
            IPProtocol.udp, local: info.destination, localPort: header.destinationPort, remote: info.source,
            remotePort: header.sourcePort, interface: info.interface)
        if flows.count > 0, case .datagram(let slot)? = flows[key], datagramSockets.contains(slot) {
            return deliver(packet, info, header, to: slot)
        }
        guard let slot = unconnectedReceiver(info, header) else {
            drop(.noSocket, \.udp)
            let type = info.source.isIPv4 ? ICMPType.unreachable4 : ICMPType.unreachable6
            sendError(
                ICMPHeader(type: type, code: info.source.isIPv4 ? 3 : 4), about: packet, info, now: now)
            return
        }
        deliver(packet, info, header, to: slot)
    }

    // The best bound socket that is not connected to somebody else.
    private func unconnectedReceiver(_ info: PacketInfo, _ header: UDPHeader) -> SlotID? {
        var hasher = SipHasher(hashKey)
        hasher.combine(info.source.high ^ info.source.low)
        hasher.combine(UInt64(header.sourcePort) << 16 | UInt64(header.destinationPort))
        let hash = hasher.finish()
        guard
            let first = bindings.receiver(
                IPProtocol.udp, header.destinationPort, info.destination, info.interface, flowHash: hash)
        else { return nil }
        if datagramSockets.contains(first.slot), accepts(first.slot, info, header) { return first.slot }
        // The best by address is connected elsewhere: look through all.
        var best: SlotID?
        var bestScore = -1
        bindings.forEachReceiver(IPProtocol.udp, header.destinationPort) { binding in
            guard let score = binding.scope.score(info.destination, info.interface), score > bestScore,
                datagramSockets.contains(binding.owner.slot), accepts(binding.owner.slot, info, header)
            else { return }
            best = binding.owner.slot
            bestScore = score
        }
        return best
    }

    private func accepts(_ slot: SlotID, _ info: PacketInfo, _ header: UDPHeader) -> Bool {
        guard let remote = datagramSockets[slot].remote else { return true }
        return remote.address == info.source && remote.port == header.sourcePort
    }

    // Every member gets a copy; nobody is told if there is none.
    private mutating func deliverToGroup(_ packet: RawSpan, _ info: PacketInfo, _ header: UDPHeader) {
        var members: [SlotID] = []
        bindings.forEachReceiver(IPProtocol.udp, header.destinationPort) { binding in
            let slot = binding.owner.slot
            guard datagramSockets.contains(slot), accepts(slot, info, header) else { return }
            let scope = binding.scope
            if let interface = scope.interface, interface != info.interface { return }
            let fits =
                scope.address == info.destination
                || (scope.address.isUnspecified && (scope.address.isIPv4 == info.destination.isIPv4 || scope.isDual))
            guard fits else { return }
            if info.destination.isMulticast {
                // Linux delivers to sockets that joined the group. A socket that joined nothing hears the groups that
                // others joined.
                let memberships = datagramSockets[slot].memberships
                let isMember =
                    memberships.isEmpty
                    || memberships.contains { $0.group == info.destination && $0.interface == info.interface }
                guard isMember else { return }
            }
            members.append(slot)
        }
        if members.isEmpty { return drop(.noSocket, \.udp) }
        for slot in members { deliver(packet, info, header, to: slot) }
    }

    private mutating func deliver(_ packet: RawSpan, _ info: PacketInfo, _ header: UDPHeader, to slot: SlotID) {
        let wasEmpty = datagramSockets[slot].received.isEmpty
        let record = InboundDatagram(
            source: SocketEndpoint(info.source, port: header.sourcePort), destination: info.destination,
            interface: info.interface, hopLimit: info.hopLimit, trafficClass: info.trafficClass)
        let length = header.length - UDPHeader.size
        let charge = DatagramQueue<InboundDatagram>.charge(length)
        let isWithinBounds =
            receivedDatagramBytes + charge <= configuration.limits.datagramBytes
            || datagramSockets[slot].received.charged + charge <= configuration.limits.datagramReceiveBytes
        guard isWithinBounds, !datagramSockets[slot].isReadShut,
            datagramSockets[slot].received.append(
                packet, from: info.payloadOffset + UDPHeader.size, count: length, record)
        else { return drop(.queueFull, \.udp) }
        receivedDatagramBytes += charge
        if wasEmpty { noteDatagram(slot, .readable) }
    }

    // MARK: Out

    mutating func takeDatagramBurst(_ slot: SlotID, _ room: Int, _ now: Now) -> Burst? {
        datagramSockets[slot].isReady = false
        while let entry = datagramSockets[slot].sending.first {
            let record = entry.record
            let route = record.route
            guard interfaces.contains(route.interface.slot),
                let plan = datagramPlan(entry.length, record)
            else {
                drop(interfaces.contains(route.interface.slot) ? .tooBig : .noInterface, \.udp)
                removeSent(slot)
                continue
            }
            prepare(entry, plan, slot)
            var destination = MACAddress.zero
            switch route.kind {
            case .loopback: break
            case .group:
                destination = route.nextHop.isMulticast ? route.nextHop.multicastMAC : .broadcast
            case .unicast:
                // A socket that is not connected answers to the sender.
                let isForOthers = datagramSockets[slot].remote == nil
                switch resolve(
                    ScopedAddress(route.interface, route.nextHop), isForOthers: isForOthers, now)
                {
                case .known(let mac, _): destination = mac
                case .pending(let neighbour):
                    park(slot, plan, neighbour)
                    continue
                case .full:
                    drop(.neighbourTableFull, \.udp)
                    removeSent(slot)
                    continue
                }
            }
            return makeDatagramBurst(slot, record, plan, destination, room)
        }
        if datagramSockets[slot].isClosing { removeDatagramSocket(slot) }
        return nil
    }

    private mutating func makeDatagramBurst(
        _ slot: SlotID, _ record: OutboundDatagram, _ plan: FragmentPlan, _ destination: MACAddress, _ room: Int
    ) -> Burst {
        // A group packet goes one at a time: each is copied to many by the path below.
        let most = record.route.kind == .group ? 1 : room
        let count = min(plan.count - record.nextFragment, most)
        let last = plan.part(record.nextFragment + count - 1)
        currentDatagram = slot
        sendingCount = count
        if record.route.source.isIPv4 {
            statistics.ipv4.sent &+= UInt64(count)
        } else {
            statistics.ipv6.sent &+= UInt64(count)
        }
        return Burst(
            interface: record.route.interface, destination: destination,
            etherType: record.route.source.isIPv4 ? EtherType.ipv4 : EtherType.ipv6, count: count,
            packetLength: plan.headerLength + plan.part(record.nextFragment).count,
            lastLength: plan.headerLength + last.count, isControl: destination.isMulticast, source: .datagram,
            isLoopback: record.route.kind == .loopback)
    }

    private func datagramPlan(_ length: Int, _ record: OutboundDatagram) -> FragmentPlan? {
        FragmentPlan(
            payloadLength: length + UDPHeader.size, isIPv4: record.route.source.isIPv4, mtu: record.route.mtu,
            allowsFragments: true)
    }

    // A datagram that is cut is put together with its header once, since the checksum covers it all.
    private mutating func prepare(
        _ entry: DatagramQueue<OutboundDatagram>.Entry, _ plan: FragmentPlan, _ slot: SlotID
    ) {
        guard plan.count > 1, preparedSocket != slot || preparedPosition != entry.position else { return }
        preparedSocket = slot
        preparedPosition = entry.position
        var record = entry.record
        if record.identification == 0 {
            record.identification = nextIdentification(record.route.source, record.destination.address, IPProtocol.udp)
            datagramSockets[slot].sending.updateFirst(record)
            statistics.fragmented &+= 1
            statistics.fragmentsSent &+= UInt64(plan.count)
        }
        var buffer = currentUDPSegment
        currentUDPSegment = []
        if buffer.count < plan.payloadLength { buffer = [UInt8](repeating: 0, count: plan.payloadLength) }
        buffer.withMutableBytes { writeUDP(slot, entry, into: &$0, at: 0) }
        currentUDPSegment = buffer
    }

    // Writes header and payload of the first datagram of a socket's queue.
    private func writeUDP(
        _ slot: SlotID, _ entry: DatagramQueue<OutboundDatagram>.Entry, into packet: inout MutableRawSpan,
        at offset: Int
    ) {
        let record = entry.record
        let header = UDPHeader(
            sourcePort: record.sourcePort, destinationPort: record.destination.port,
            length: UDPHeader.size + entry.length)
        if record.omitsChecksum {
            datagramSockets[slot].sending.read(
                entry, from: 0, count: entry.length, into: &packet, at: offset + UDPHeader.size)
            header.write(into: &packet, at: offset, checksum: 0)
            return
        }
        let sum = datagramSockets[slot].sending.readAndSum(
            entry, from: 0, count: entry.length, into: &packet, at: offset + UDPHeader.size)
        let pseudoSum = pseudoHeaderSum(record.route.source, record.destination.address, IPProtocol.udp)
        header.write(into: &packet, at: offset, checksum: header.checksum(pseudoSum: pseudoSum, payloadSum: sum))
    }

    private func template(_ record: OutboundDatagram) -> PacketTemplate {
        PacketTemplate(
            source: record.route.source, destination: record.destination.address, protocolNumber: IPProtocol.udp,
            hopLimit: record.hopLimit, trafficClass: record.trafficClass, dontFragment: record.dontFragment,
            identification: record.identification)
    }

    mutating func writeDatagram(_ segment: Int, into packet: inout MutableRawSpan, at offset: Int) -> Int {
        let slot = currentDatagram
        guard datagramSockets.contains(slot), let entry = datagramSockets[slot].sending.first,
            let plan = datagramPlan(entry.length, entry.record)
        else { return 0 }
        return writeFragment(slot, entry, plan, entry.record.nextFragment + segment, into: &packet, at: offset)
    }

    private func writeFragment(
        _ slot: SlotID, _ entry: DatagramQueue<OutboundDatagram>.Entry, _ plan: FragmentPlan, _ index: Int,
        into packet: inout MutableRawSpan, at offset: Int
    ) -> Int {
        template(entry.record).write(plan, index, into: &packet, at: offset)
        let start = offset + plan.headerLength
        let part = plan.part(index)
        if plan.count == 1 {
            writeUDP(slot, entry, into: &packet, at: start)
        } else {
            currentUDPSegment.withBytes {
                packet.copy(from: $0, sourceOffset: part.lowerBound, count: part.count, at: start)
            }
        }
        return plan.headerLength + part.count
    }

    mutating func writeDatagramHeaders(into packet: inout MutableRawSpan, at offset: Int, limit: Int) -> Int {
        let slot = currentDatagram
        guard datagramSockets.contains(slot), let entry = datagramSockets[slot].sending.first,
            let plan = datagramPlan(entry.length, entry.record), limit >= plan.headerLength + UDPHeader.size
        else { return 0 }
        template(entry.record).write(plan, entry.record.nextFragment, into: &packet, at: offset)
        guard entry.record.nextFragment == 0 else { return plan.headerLength }
        UDPHeader(
            sourcePort: entry.record.sourcePort, destinationPort: entry.record.destination.port,
            length: UDPHeader.size + entry.length
        ).write(into: &packet, at: offset + plan.headerLength, checksum: 0)
        return plan.headerLength + UDPHeader.size
    }

    /// The burst of a datagram was written: the datagram is done, or its next fragments are due.
    mutating func finishDatagram(_ slot: SlotID, _ now: Now) {
        guard let entry = datagramSockets[slot].sending.first, let plan = datagramPlan(entry.length, entry.record)
        else { return }
        var record = entry.record
        record.nextFragment += sendingCount
        if record.nextFragment < plan.count {
            datagramSockets[slot].sending.updateFirst(record)
            markReady(datagram: slot)
            return
        }
        removeSent(slot)
        if !datagramSockets[slot].sending.isEmpty {
            markReady(datagram: slot)
        } else if datagramSockets[slot].isClosing {
            removeDatagramSocket(slot)
        }
    }

    private mutating func removeSent(_ slot: SlotID) {
        datagramSockets[slot].sending.removeFirst()
        queuedDatagrams -= 1
        if datagramSockets[slot].wantsWritable,
            datagramSockets[slot].sending.charged * 2 <= datagramSockets[slot].sending.limit
        {
            datagramSockets[slot].wantsWritable = false
            noteDatagram(slot, .writable)
        }
    }

    // The neighbour is being asked for: the packets wait there, and the socket's queue goes on.
    private mutating func park(_ slot: SlotID, _ plan: FragmentPlan, _ neighbour: SlotID) {
        guard let entry = datagramSockets[slot].sending.first else { return }
        let interface = entry.record.route.interface
        let etherType = plan.isIPv4 ? EtherType.ipv4 : EtherType.ipv6
        for index in entry.record.nextFragment..<plan.count {
            var bytes = [UInt8](repeating: 0, count: plan.headerLength + plan.part(index).count)
            _ = bytes.withMutableBytes { writeFragment(slot, entry, plan, index, into: &$0, at: 0) }
            if plan.isIPv4 { statistics.ipv4.sent &+= 1 } else { statistics.ipv6.sent &+= 1 }
            let packet = OwnedPacket(interface: interface, destination: .zero, etherType: etherType, bytes: bytes)
            for _ in 0..<neighbours.park(packet, neighbour, limits: configuration.limits) { drop(.neighbourUnresolved) }
        }
        removeSent(slot)
    }
}
