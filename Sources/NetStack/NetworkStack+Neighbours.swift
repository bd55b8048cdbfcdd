// The neighbour machine at work: resolving, probing, confirming, giving up. Read first: RFC 4861 7.2 and 7.3.

package import NetPrimitives

extension NetworkStack {
    enum Resolution {
        /// The MAC, and the entry to confirm.
        case known(MACAddress, SlotID)
        /// Being asked for.
        case pending(SlotID)
        /// No room in the table.
        case full
    }

    /// The MAC of a neighbour, for a packet that is about to be sent; asks for it if it is not known. `isForOthers`: only others
    /// want it, and they can name any number of neighbours.
    mutating func resolve(_ key: ScopedAddress, isForOthers: Bool, _ now: Now) -> Resolution {
        let hasRoom =
            isForOthers
            ? neighbours.incompleteForOthers < configuration.limits.incompleteNeighboursForOthers
            : neighbours.incompleteCount < configuration.limits.incompleteNeighbours
        if let slot = neighbours.find(key) {
            if !isForOthers, hasRoom, neighbours.entries[slot].isForOthers { makeOwn(slot) }
            return use(slot, now)
        }
        guard hasRoom, makeNeighbourRoom() else { return .full }
        let slot = insertNeighbour(
            key, state: .incomplete(remaining: configuration.neighbourMulticastProbes), mac: .zero,
            isForOthers: isForOthers)
        fireNeighbour(slot, now)
        return neighbours.entries.contains(slot) ? .pending(slot) : .full
    }

    // Others wanted it before; now we want it too.
    private mutating func makeOwn(_ slot: SlotID) {
        neighbours.entries[slot].isForOthers = false
        guard !neighbours.entries[slot].hasMAC else { return }
        neighbours.countIncomplete(true, by: -1)
        neighbours.countIncomplete(false, by: 1)
    }

    /// The MAC of a known entry, with the change of state that its use means.
    mutating func use(_ slot: SlotID, _ now: Now) -> Resolution {
        neighbours.entries[slot].isReferenced = true
        let mac = neighbours.entries[slot].mac
        switch neighbours.entries[slot].state {
        case .incomplete: return .pending(slot)
        case .reachable:
            if now.monotonic >= neighbours.entries[slot].reachableUntil { startDelay(slot, now) }
        case .stale: startDelay(slot, now)
        case .delay, .probe, .permanent: break
        }
        return .known(mac, slot)
    }

    private mutating func startDelay(_ slot: SlotID, _ now: Now) {
        neighbours.entries[slot].state = .delay
        timers.set(neighbours.entries[slot].timer, now.monotonic + StackConstants.delayFirstProbe)
    }

    mutating func insertNeighbour(
        _ key: ScopedAddress, state: Neighbour.State, mac: MACAddress, isForOthers: Bool = false
    ) -> SlotID {
        let timer = timers.reserve()
        var neighbour = Neighbour(key: key, state: state, mac: mac, timer: timer)
        neighbour.isForOthers = isForOthers
        let slot = neighbours.insert(neighbour)
        timers.setOwner(timer, .neighbour(slot))
        return slot
    }

    /// Makes room for one more entry; false if all are in use.
    mutating func makeNeighbourRoom() -> Bool {
        guard neighbours.entries.count >= configuration.limits.neighbours else { return true }
        guard let victim = neighbours.victim() else { return false }
        removeNeighbour(victim)
        return true
    }

    /// Removes an entry. Packets that wait for it are lost.
    mutating func removeNeighbour(_ slot: SlotID) {
        guard let neighbour = neighbours.remove(slot) else { return }
        timers.remove(neighbour.timer)
        for _ in neighbour.queue { drop(.neighbourUnresolved) }
        for stream in neighbour.waiters where streams.contains(stream) {
            streams[stream].flags.remove(.waiting)
            markReady(stream: stream)
        }
    }

    /// Sets a neighbour that nothing changes: for addresses whose MAC follows from the address.
    package mutating func setPermanentNeighbour(_ address: IPAddress, mac: MACAddress, on id: InterfaceID, now: Now) {
        guard interfaces.contains(id.slot) else { return }
        let key = ScopedAddress(id, address)
        if let slot = neighbours.find(key) {
            learn(slot, mac: mac, isSolicited: true, now: now)
            neighbours.entries[slot].state = .permanent
            timers.cancel(neighbours.entries[slot].timer)
        } else if makeNeighbourRoom() {
            _ = insertNeighbour(key, state: .permanent, mac: mac)
        }
    }

    /// The MAC of a neighbour as far as it is known.
    package func neighbour(_ address: IPAddress, on id: InterfaceID) -> MACAddress? {
        guard let slot = neighbours.find(ScopedAddress(id, address)), neighbours.entries[slot].hasMAC else {
            return nil
        }
        return neighbours.entries[slot].mac
    }

    /// How many neighbours are in the cache.
    package var neighbourCount: Int { neighbours.entries.count }

    // MARK: Learning

    /// Somebody says that an address of the cache is at `mac`. `isAnswer`: in the form of an answer to us. A claim is not
    /// believed while the known station still answers.
    mutating func receiveClaim(_ slot: SlotID, mac: MACAddress, isAnswer: Bool, now: Now) {
        switch neighbours.entries[slot].state {
        case .permanent: return
        case .incomplete: return learn(slot, mac: mac, isSolicited: isAnswer, now: now)
        case .reachable, .stale, .delay, .probe: break
        }
        guard neighbours.entries[slot].mac != mac else {
            guard isAnswer else { return }
            settleClaim(slot, now)
            return learn(slot, mac: mac, isSolicited: true, now: now)
        }
        drop(.contestedNeighbour)
        guard neighbours.entries[slot].claimant == nil, now.monotonic >= neighbours.entries[slot].settledUntil else {
            return
        }
        neighbours.entries[slot].claimant = mac
        neighbours.entries[slot].state = .probe(remaining: configuration.neighbourUnicastProbes)
        fireNeighbour(slot, now)
    }

    // The station known has shown that it is there.
    private mutating func settleClaim(_ slot: SlotID, _ now: Now) {
        guard neighbours.entries[slot].claimant != nil else { return }
        neighbours.entries[slot].claimant = nil
        neighbours.entries[slot].settledUntil = now.monotonic + StackConstants.defendInterval
    }

    /// Adds a neighbour that nobody asked for, if it may be one. Such entries make room first, so that inventing many
    /// displaces none in use.
    mutating func insertUnasked(_ key: ScopedAddress, mac: MACAddress) {
        guard neighbours.find(key) == nil, key.address.isLinkLocal || isOnLink(key.address, key.interface),
            makeNeighbourRoom()
        else { return }
        let slot = insertNeighbour(key, state: .stale, mac: mac)
        neighbours.entries[slot].isReferenced = false
    }

    /// Takes a MAC into an entry and sends the packets that waited for it.
    mutating func learn(_ slot: SlotID, mac: MACAddress, isSolicited: Bool, now: Now) {
        if neighbours.entries[slot].state == .permanent { return }
        if !neighbours.entries[slot].hasMAC {
            neighbours.countIncomplete(neighbours.entries[slot].isForOthers, by: -1)
        }
        neighbours.entries[slot].mac = mac
        if isSolicited {
            neighbours.entries[slot].state = .reachable
            neighbours.entries[slot].reachableUntil = now.monotonic + reachableTime
        } else {
            neighbours.entries[slot].state = .stale
        }
        timers.cancel(neighbours.entries[slot].timer)
        for var packet in neighbours.takeQueue(slot) {
            packet.destination = mac
            enqueue(packet)
        }
        let waiters = neighbours.entries[slot].waiters
        neighbours.entries[slot].waiters = []
        for stream in waiters where streams.contains(stream) {
            streams[stream].flags.remove(.waiting)
            markReady(stream: stream)
        }
    }

    /// The upper layer saw an answer: the neighbour is reachable (RFC 4861 7.3.1).
    @inline(__always)
    mutating func confirm(_ slot: SlotID, _ now: Now) {
        guard neighbours.entries.contains(slot) else { return }
        switch neighbours.entries[slot].state {
        case .incomplete, .permanent: return
        case .reachable:
            neighbours.entries[slot].reachableUntil = now.monotonic + reachableTime
        case .stale, .delay, .probe:
            settleClaim(slot, now)
            neighbours.entries[slot].state = .reachable
            neighbours.entries[slot].reachableUntil = now.monotonic + reachableTime
            timers.cancel(neighbours.entries[slot].timer)
        }
    }

    // MARK: Asking

    mutating func fireNeighbour(_ slot: SlotID, _ now: Now) {
        guard neighbours.entries.contains(slot) else { return }
        let timer = neighbours.entries[slot].timer
        switch neighbours.entries[slot].state {
        case .incomplete(let remaining):
            guard remaining > 0 else { return failNeighbour(slot, now) }
            neighbours.entries[slot].state = .incomplete(remaining: remaining - 1)
            solicit(neighbours.entries[slot].key, at: nil, now)
            timers.set(timer, now.monotonic + configuration.neighbourRetransmission)
        case .delay:
            neighbours.entries[slot].state = .probe(remaining: configuration.neighbourUnicastProbes)
            fireNeighbour(slot, now)
        case .probe(let remaining):
            guard remaining > 0 else {
                guard let claimant = neighbours.entries[slot].claimant else { return failNeighbour(slot, now) }
                neighbours.entries[slot].claimant = nil
                return learn(slot, mac: claimant, isSolicited: false, now: now)
            }
            neighbours.entries[slot].state = .probe(remaining: remaining - 1)
            solicit(neighbours.entries[slot].key, at: neighbours.entries[slot].mac, now)
            timers.set(timer, now.monotonic + configuration.neighbourRetransmission)
        case .reachable, .stale, .permanent:
            return
        }
    }

    // Nobody answered: packets are lost, connections and connected sockets are told.
    private mutating func failNeighbour(_ slot: SlotID, _ now: Now) {
        guard let neighbour = neighbours.remove(slot) else { return }
        timers.remove(neighbour.timer)
        for packet in neighbour.queue {
            drop(.neighbourUnresolved)
            packet.bytes.withBytes { reportLocally(.hostUnreachable, about: $0, on: packet.interface, now: now) }
        }
        for stream in neighbour.waiters where streams.contains(stream) {
            streams[stream].flags.remove(.waiting)
            if streams[stream].connection.state == .synSent {
                streams[stream].connection.fail(.hostUnreachable)
                settle(stream, now)
            } else {
                streams[stream].flags.insert(.unreachable)
                markReady(stream: stream)
            }
        }
    }

    /// Sends an ARP request or a neighbour solicitation, to all or to a known MAC.
    private mutating func solicit(_ key: ScopedAddress, at mac: MACAddress?, _ now: Now) {
        guard interfaces.contains(key.interface.slot),
            let source = interfaces[key.interface.slot].source(for: key.address, preferred: nil)
        else { return }
        if key.address.isIPv4 {
            sendARP(
                ARPPacket(
                    operation: ARPPacket.request, senderMAC: interfaces[key.interface.slot].mac, sender: source,
                    targetMAC: .zero, target: key.address),
                to: mac ?? .broadcast, on: key.interface)
        } else {
            let message = NeighbourMessage(target: key.address, linkAddress: interfaces[key.interface.slot].mac)
            sendNeighbourMessage(
                ICMPHeader(type: ICMPType.neighbourSolicitation, code: 0), message, from: source,
                to: mac == nil ? key.address.solicitedNode : key.address,
                mac: mac ?? key.address.solicitedNode.multicastMAC, on: key.interface)
        }
    }

    mutating func sendARP(_ packet: ARPPacket, to mac: MACAddress, on id: InterfaceID) {
        statistics.arp.sent &+= 1
        enqueue(OwnedPacket(interface: id, destination: mac, etherType: EtherType.arp, bytes: packet.bytes))
    }

    /// Sends a neighbour discovery message: hop limit 255, straight to a MAC.
    mutating func sendNeighbourMessage(
        _ header: ICMPHeader, _ message: NeighbourMessage, from source: IPAddress, to destination: IPAddress,
        mac: MACAddress, on id: InterfaceID
    ) {
        let option =
            header.type == ICMPType.neighbourSolicitation ? NeighbourOption.sourceLink : NeighbourOption.targetLink
        sendDiscovery(header, message.payload(linkOption: option), from: source, to: destination, mac: mac, on: id)
    }

    mutating func sendDiscovery(
        _ header: ICMPHeader, _ payload: [UInt8], from source: IPAddress, to destination: IPAddress, mac: MACAddress,
        on id: InterfaceID
    ) {
        statistics.nd6.sent &+= 1
        statistics.icmp6.sent &+= 1
        statistics.ipv6.sent &+= 1
        let pseudoSum = pseudoHeaderSum(source, destination, IPProtocol.icmp6)
        let body = payload.withBytes { header.message(payload: $0, pseudoSum: pseudoSum) }
        let ip = IPv6Header(
            payloadLength: body.count, nextHeader: IPProtocol.icmp6, source: source, destination: destination,
            hopLimit: 255)
        let bytes = makeBytes(IPv6Header.size + body.count) { span in
            ip.write(into: &span, at: 0)
            span.copy(from: body, at: IPv6Header.size)
        }
        enqueue(OwnedPacket(interface: id, destination: mac, etherType: EtherType.ipv6, bytes: bytes))
    }
}
