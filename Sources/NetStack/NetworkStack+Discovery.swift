// ARP and neighbour discovery as received. Read first: RFC 826, RFC 5227, RFC 4861 6 and 7, RFC 4862 5.4.

import NetPrimitives

extension NetworkStack {
    // MARK: ARP

    mutating func receiveARP(_ packet: RawSpan, on id: InterfaceID, from station: MACAddress, now: Now) {
        statistics.arp.received &+= 1
        let message: ARPPacket
        do { message = try ARPPacket(parsing: packet) } catch { return drop(error, \.arp) }
        if message.senderMAC == interfaces[id.slot].mac { return drop(.ownMAC, \.arp) }
        guard !message.senderMAC.isMulticast, message.senderMAC != .zero, !message.sender.isImpossibleSource,
            !message.sender.isLoopback
        else { return drop(.malformed, \.arp) }
        let isForUs = interfaces[id.slot].owns(message.target)
        if !message.sender.isUnspecified {
            if interfaces[id.slot].index(of: message.sender) != nil {
                conflict(message.sender, by: message.senderMAC, on: id, now: now)
                return
            }
            learnARP(message, isForUs: isForUs, on: id, now: now)
        } else if message.operation == ARPPacket.request, isBeingChecked(message.target, on: id) {
            // Somebody probes for the address that we probe for (RFC 5227 2.1.1).
            conflict(message.target, by: message.senderMAC, on: id, now: now)
            return
        }
        guard message.operation == ARPPacket.request, isForUs else { return }
        sendARP(
            ARPPacket(
                operation: ARPPacket.reply, senderMAC: interfaces[id.slot].mac, sender: message.target,
                targetMAC: message.senderMAC, target: message.sender),
            to: station, on: id)
    }

    // An existing entry hears any packet; only a question for us makes a new one (Linux `arp_accept` 0).
    private mutating func learnARP(_ message: ARPPacket, isForUs: Bool, on id: InterfaceID, now: Now) {
        let key = ScopedAddress(id, message.sender)
        if let slot = neighbours.find(key) {
            receiveClaim(
                slot, mac: message.senderMAC, isAnswer: isForUs && message.operation == ARPPacket.reply, now: now)
        } else if isForUs, message.operation == ARPPacket.request {
            insertUnasked(key, mac: message.senderMAC)
        }
    }

    func isOnLink(_ address: IPAddress, _ id: InterfaceID) -> Bool {
        interfaces[id.slot].addresses.contains { $0.isUsable && $0.prefix.contains(address) }
            || routes.best(to: address, on: id) != nil
    }

    private func isBeingChecked(_ address: IPAddress, on id: InterfaceID) -> Bool {
        guard let index = interfaces[id.slot].index(of: address) else { return false }
        switch interfaces[id.slot].addresses[index].state {
        case .optimistic, .rechecked: return true
        case .preferred, .duplicate: return false
        }
    }

    // MARK: Conflict

    /// Somebody else claims an address of ours: while it is being checked it is lost, later it is defended. One that is lost is
    /// asked for again after a while: a single false claim, or a machine that has left, takes it from nobody for good.
    private mutating func conflict(_ address: IPAddress, by mac: MACAddress, on id: InterfaceID, now: Now) {
        guard let index = interfaces[id.slot].index(of: address) else { return }
        switch interfaces[id.slot].addresses[index].state {
        case .duplicate:
            return
        case .optimistic:
            lose(index, on: id, now)
            routeGeneration += 1
            noteRemote(.addressConflict(id, address, mac, lost: true))
            failSockets(of: address, now: now)
        case .rechecked:
            lose(index, on: id, now)
        case .preferred:
            if let last = interfaces[id.slot].addresses[index].lastDefence,
                now.monotonic - last < StackConstants.defendInterval
            {
                return
            }
            interfaces[id.slot].addresses[index].lastDefence = now.monotonic
            noteRemote(.addressConflict(id, address, mac, lost: false))
            announce(address, on: id)
        }
    }

    // Two machines that lost it to each other ask at different times.
    private mutating func lose(_ index: Int, on id: InterfaceID, _ now: Now) {
        let losses = interfaces[id.slot].addresses[index].losses
        interfaces[id.slot].addresses[index].state = .duplicate
        interfaces[id.slot].addresses[index].losses = min(losses + 1, StackConstants.mostRecheckDoublings)
        let wait = StackConstants.recheckInterval * (1 << losses)
        let share = Double(random.nextUInt64() >> 11) / Double(1 << 53)
        timers.set(interfaces[id.slot].addresses[index].timer, now.monotonic + wait + wait * share)
    }

    /// Tells the link that an address is ours.
    private mutating func announce(_ address: IPAddress, on id: InterfaceID) {
        let mac = interfaces[id.slot].mac
        if address.isIPv4 {
            sendARP(
                ARPPacket(
                    operation: ARPPacket.request, senderMAC: mac, sender: address, targetMAC: .zero, target: address),
                to: .broadcast, on: id)
        } else {
            sendNeighbourMessage(
                ICMPHeader(
                    type: ICMPType.neighbourAdvertisement, code: 0, rest: NeighbourMessage.flagOverride),
                NeighbourMessage(target: address, linkAddress: mac), from: address, to: .allNodes,
                mac: IPAddress.allNodes.multicastMAC, on: id)
        }
    }

    /// Sends the next solicitation, probe or announcement of an address.
    mutating func fireAddress(_ id: InterfaceID, _ address: IPAddress, _ now: Now) {
        guard interfaces.contains(id.slot), let index = interfaces[id.slot].index(of: address) else { return }
        let timer = interfaces[id.slot].addresses[index].timer
        switch interfaces[id.slot].addresses[index].state {
        case .duplicate:
            // An address is only ever lost while it is probed for, so probes are on.
            let probes = address.isIPv4 ? configuration.addressConflictProbes : configuration.duplicateAddressTransmits
            interfaces[id.slot].addresses[index].state = .rechecked(remaining: probes)
            fireAddress(id, address, now)
        case .optimistic(let remaining) where remaining > 0:
            interfaces[id.slot].addresses[index].state = .optimistic(remaining: remaining - 1)
            probe(address, on: id, nonce: interfaces[id.slot].addresses[index].nonce)
            timers.set(timer, now.monotonic + configuration.neighbourRetransmission)
        case .rechecked(let remaining) where remaining > 0:
            interfaces[id.slot].addresses[index].state = .rechecked(remaining: remaining - 1)
            probe(address, on: id, nonce: interfaces[id.slot].addresses[index].nonce)
            timers.set(timer, now.monotonic + configuration.neighbourRetransmission)
        case .optimistic, .rechecked:
            interfaces[id.slot].addresses[index].state = .preferred
            interfaces[id.slot].addresses[index].losses = 0
            routeGeneration += 1
            events.append(.addressReady(id, address))
            fireAddress(id, address, now)
        case .preferred:
            guard interfaces[id.slot].addresses[index].announcements > 0 else { return }
            interfaces[id.slot].addresses[index].announcements -= 1
            announce(address, on: id)
            if interfaces[id.slot].addresses[index].announcements > 0 {
                timers.set(timer, now.monotonic + StackConstants.announcementInterval)
            }
        }
    }

    private mutating func probe(_ address: IPAddress, on id: InterfaceID, nonce: UInt64) {
        if address.isIPv4 {
            sendARP(
                ARPPacket(
                    operation: ARPPacket.request, senderMAC: interfaces[id.slot].mac, sender: .anyIPv4,
                    targetMAC: .zero, target: address),
                to: .broadcast, on: id)
        } else {
            sendNeighbourMessage(
                ICMPHeader(type: ICMPType.neighbourSolicitation, code: 0),
                NeighbourMessage(target: address, linkAddress: nil, nonce: nonce), from: .anyIPv6,
                to: address.solicitedNode, mac: address.solicitedNode.multicastMAC, on: id)
        }
    }

    // MARK: Neighbour discovery

    /// A solicitation whose checksum and hop limit are right; `offset` is behind the first eight bytes.
    mutating func receiveSolicitation(_ packet: RawSpan, _ info: PacketInfo, now: Now) {
        let id = info.interface
        let message: NeighbourMessage
        do {
            message = try NeighbourMessage(
                parsing: packet, from: info.payloadOffset + ICMPHeader.size, end: info.payloadEnd,
                linkOption: NeighbourOption.sourceLink)
        } catch { return drop(error, \.icmp6) }
        guard !message.target.isMulticast else { return drop(.neighbourDiscovery, \.icmp6) }
        if info.source.isUnspecified {
            // RFC 4861 7.1.1: only to the solicited-node group and without an address of its own.
            guard info.destination == message.target.solicitedNode, message.linkAddress == nil else {
                return drop(.neighbourDiscovery, \.icmp6)
            }
        }
        guard let index = interfaces[id.slot].index(of: message.target) else { return drop(.notForUs, \.icmp6) }
        let isTentative = isBeingChecked(message.target, on: id)
        // Only a question like ours concerns an address that we do not use.
        guard interfaces[id.slot].addresses[index].isUsable || isTentative && info.source.isUnspecified else {
            return drop(.notForUs, \.icmp6)
        }
        let mac = interfaces[id.slot].mac
        if info.source.isUnspecified {
            // Our own solicitation, reflected (RFC 7527).
            if let nonce = message.nonce, nonce == interfaces[id.slot].addresses[index].nonce {
                return drop(.ownMAC, \.icmp6)
            }
            if isTentative {
                conflict(message.target, by: info.sourceMAC, on: id, now: now)
            } else {
                sendNeighbourMessage(
                    ICMPHeader(
                        type: ICMPType.neighbourAdvertisement, code: 0, rest: NeighbourMessage.flagOverride),
                    NeighbourMessage(target: message.target, linkAddress: mac), from: message.target, to: .allNodes,
                    mac: IPAddress.allNodes.multicastMAC, on: id)
            }
            return
        }
        if let address = message.linkAddress {
            guard !address.isMulticast, address != .zero else { return drop(.neighbourDiscovery, \.icmp6) }
            let key = ScopedAddress(id, info.source)
            if let slot = neighbours.find(key) {
                receiveClaim(slot, mac: address, isAnswer: false, now: now)
            } else {
                insertUnasked(key, mac: address)
            }
        }
        // RFC 4429: an unconfirmed address does not override what others know.
        let flags = NeighbourMessage.flagSolicited | (isTentative ? 0 : NeighbourMessage.flagOverride)
        sendNeighbourMessage(
            ICMPHeader(type: ICMPType.neighbourAdvertisement, code: 0, rest: flags),
            NeighbourMessage(target: message.target, linkAddress: mac), from: message.target, to: info.source,
            mac: info.sourceMAC, on: id)
    }

    mutating func receiveAdvertisement(_ packet: RawSpan, _ info: PacketInfo, rest: UInt32, now: Now) {
        let message: NeighbourMessage
        do {
            message = try NeighbourMessage(
                parsing: packet, from: info.payloadOffset + ICMPHeader.size, end: info.payloadEnd,
                linkOption: NeighbourOption.targetLink)
        } catch { return drop(error, \.icmp6) }
        let isSolicited = rest & NeighbourMessage.flagSolicited != 0
        guard !message.target.isMulticast, !(info.destination.isMulticast && isSolicited) else {
            return drop(.neighbourDiscovery, \.icmp6)
        }
        if interfaces[info.interface.slot].index(of: message.target) != nil {
            let claimant = message.linkAddress ?? info.sourceMAC
            if claimant == interfaces[info.interface.slot].mac { return drop(.ownMAC, \.icmp6) }
            return conflict(message.target, by: claimant, on: info.interface, now: now)
        }
        guard let slot = neighbours.find(ScopedAddress(info.interface, message.target)) else {
            return drop(.ignoredControl, \.icmp6)
        }
        if let address = message.linkAddress, address.isMulticast || address == .zero {
            return drop(.neighbourDiscovery, \.icmp6)
        }
        apply(message, rest, from: info.sourceMAC, isSolicited: isSolicited, to: slot, now: now)
    }

    // RFC 4861 7.2.5.
    private mutating func apply(
        _ message: NeighbourMessage, _ rest: UInt32, from station: MACAddress, isSolicited: Bool, to slot: SlotID,
        now: Now
    ) {
        let overrides = rest & NeighbourMessage.flagOverride != 0
        let wasRouter = neighbours.entries[slot].isRouter
        guard neighbours.entries[slot].hasMAC else {
            guard let address = message.linkAddress else { return drop(.neighbourDiscovery, \.icmp6) }
            neighbours.entries[slot].isRouter = rest & NeighbourMessage.flagRouter != 0
            return learn(slot, mac: address, isSolicited: isSolicited, now: now)
        }
        let mac = message.linkAddress ?? station
        guard mac == neighbours.entries[slot].mac else {
            // RFC 4861 7.2.5 would have it stale without the flag, and replaced with it.
            if overrides { return receiveClaim(slot, mac: mac, isAnswer: isSolicited, now: now) }
            if neighbours.entries[slot].state == .reachable { neighbours.entries[slot].state = .stale }
            return
        }
        // The other facts about a station are taken only from the station itself.
        guard station == mac else { return drop(.neighbourDiscovery) }
        let isRouter = rest & NeighbourMessage.flagRouter != 0
        neighbours.entries[slot].isRouter = isRouter
        if wasRouter, !isRouter {
            let key = neighbours.entries[slot].key
            routes.removeLearned(
                like: StackRoute(IPPrefix(.anyIPv6, length: 0), interface: key.interface, gateway: key.address))
            routeGeneration += 1
        }
        receiveClaim(slot, mac: mac, isAnswer: isSolicited, now: now)
    }

    // MARK: Routers

    mutating func fireInterface(_ id: InterfaceID, _ now: Now) {
        guard interfaces.contains(id.slot), interfaces[id.slot].routerSolicitations > 0 else { return }
        interfaces[id.slot].routerSolicitations -= 1
        if let source = interfaces[id.slot].addresses.first(where: { $0.address.isLinkLocal && $0.isUsable })?.address {
            let mac = interfaces[id.slot].mac
            let option = makeBytes(8) { span in
                span.storeUInt8(NeighbourOption.sourceLink, at: 0)
                span.storeUInt8(1, at: 1)
                span.storeUInt48(mac.bits, at: 2)
            }
            sendDiscovery(
                ICMPHeader(type: ICMPType.routerSolicitation, code: 0), option, from: source, to: .allRouters,
                mac: IPAddress.allRouters.multicastMAC, on: id)
        }
        timers.set(interfaces[id.slot].timer, now.monotonic + StackConstants.routerSolicitationInterval)
    }

    /// Default routers and on-link prefixes, only where the owner wants them.
    mutating func receiveRouterAdvertisement(_ packet: RawSpan, _ info: PacketInfo, rest: UInt32, now: Now) {
        let id = info.interface
        guard interfaces[id.slot].configuration.acceptsRouterAdvertisements, info.source.isLinkLocal else {
            return drop(.routerMessage, \.icmp6)
        }
        let message: RouterAdvertisement
        do {
            message = try RouterAdvertisement(
                parsing: packet, from: info.payloadOffset + ICMPHeader.size, end: info.payloadEnd, rest: rest)
        } catch { return drop(error, \.icmp6) }
        interfaces[id.slot].routerSolicitations = 0
        timers.cancel(interfaces[id.slot].timer)
        let router = StackRoute(
            IPPrefix(.anyIPv6, length: 0), interface: id, gateway: info.source, metric: 1_024)
        learnRoute(router, seconds: UInt32(message.lifetime), now)
        for entry in message.prefixes {
            learnRoute(StackRoute(entry.prefix, interface: id, metric: 1_024), seconds: entry.lifetime, now)
        }
        routeGeneration += 1
        timers.set(learnedRouteTimer, routes.nextExpiry)
    }

    private mutating func learnRoute(_ route: StackRoute, seconds: UInt32, _ now: Now) {
        routes.removeLearned(like: route)
        guard seconds > 0, !routes.contains(like: route), routes.count < configuration.limits.routes,
            routes.learnedCount(route.interface) < StackConstants.advertisedRoutes
        else { return }
        let expires = seconds == .max ? MonotonicInstant.distantFuture : now.monotonic + .seconds(Int64(seconds))
        routes.insert(route, expires: expires)
    }
}
